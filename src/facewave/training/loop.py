"""Training a network's head by gradient descent, on the accelerator if there is one.

Legend of names: n clips, K steps, P channels that the head sees, C classes.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from facewave.errors import UserError
from facewave.params import Train
from facewave.training.losses import Loss

# Called with the number of an epoch (from 0), or of optimizer steps, and figures.
Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """One part as a head sees it: (n, K, P) float32, class codes, targets (n, C), weights (n,)."""

    inputs_nKP: Tensor
    codes_n: Tensor
    targets_nC: Tensor
    weights_n: Tensor


def train_head(
    head: nn.Module, train: Prepared, val: Prepared, loss: Loss, settings: Train, report: Report
) -> None:
    """Train a head with AdamW; keep the weights of the epoch with the lowest validation loss.

    ``head`` is (n, K, P) -> (n, C) logits; if ``val`` is empty, the last epoch's are kept.

    Raises:
        UserError: it diverged.
    """
    network = settings.network
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    head.to(device)
    val = Prepared(*(tensor.to(device) for tensor in vars(val).values()))
    optimizer = torch.optim.AdamW(head.parameters(), network.lr, weight_decay=network.weight_decay)
    batches = _batches(train, settings)
    schedule = None
    if network.schedule == "cosine":
        from transformers import get_cosine_schedule_with_warmup  # takes seconds to load

        steps = network.epochs * len(batches)
        warmup = round(network.warmup * steps)
        schedule = get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    best, best_loss, best_epoch = copy.deepcopy(head.state_dict()), math.inf, 0
    for epoch in range(network.epochs):
        head.train()
        total = 0.0
        for batch in batches:
            inputs_nKP, targets_nC, weights_n = (tensor.to(device) for tensor in batch)
            optimizer.zero_grad()
            value = loss(head(inputs_nKP), targets_nC, weights_n)
            value.backward()
            optimizer.step()
            if schedule:
                schedule.step()
            total += value.item() * len(inputs_nKP)
        figures = {"train_loss": total / len(train.codes_n)}
        if len(val.codes_n):
            figures |= _validate(head, val, loss)
        report(epoch, figures)
        if not math.isfinite(figures["train_loss"]):
            raise UserError(
                f"the training loss is not a number in epoch {epoch}: training diverged. Lower "
                "train.network.lr."
            )
        epoch_loss = figures.get("val_loss", -epoch)  # without validation the last epoch is best
        if epoch_loss < best_loss:
            best, best_loss, best_epoch = copy.deepcopy(head.state_dict()), epoch_loss, epoch
        elif epoch - best_epoch >= network.patience:
            break
    head.load_state_dict(best)
    head.cpu()


def _batches(train: Prepared, settings: Train) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(settings.seed)
    dataset = TensorDataset(train.inputs_nKP, train.targets_nC, train.weights_n)
    size = settings.network.batch_size
    if settings.imbalance == "sampler":  # on average every class is drawn equally often
        weights_n = 1 / torch.bincount(train.codes_n)[train.codes_n]
        sampler = WeightedRandomSampler(weights_n.tolist(), len(weights_n), generator=generator)
        return DataLoader(dataset, size, sampler=sampler, generator=generator)
    return DataLoader(dataset, size, shuffle=True, generator=generator)


def _validate(head: nn.Module, val: Prepared, loss: Loss) -> dict[str, float]:
    head.eval()
    with torch.inference_mode():
        logits_nC = head(val.inputs_nKP)
        value = loss(logits_nC, val.targets_nC, val.weights_n).item()
    found = recalled(val.codes_n.cpu(), logits_nC.argmax(1).cpu())
    return {"val_loss": value} | {f"val_{name}": figure for name, figure in found.items()}


def recalled(actual_n: Tensor, predicted_n: Tensor) -> dict[str, float]:
    """WAR and UAR of answered codes, UAR over the classes that occur."""
    present = actual_n.unique().numpy()
    uar = recall_score(actual_n, predicted_n, labels=present, average="macro", zero_division=0)
    return {"war": (predicted_n == actual_n).double().mean().item(), "uar": float(uar)}

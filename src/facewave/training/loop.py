"""Training a network's head by gradient descent, on the accelerator if there is one.

Legend of names: n clips, K steps, P channels that the head sees, T targets, O outputs and W columns
of the truth of all targets.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from facewave.errors import UserError
from facewave.params import CORRELATED, Network, Train
from facewave.targets import CLASSES, PROBABLE, Target
from facewave.training.losses import TaskLosses

# Called with the number of an epoch (from 0), or of optimizer steps, and figures.
Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """One part as a head sees it, float32; the truth is NaN where it is not known."""

    inputs_nKP: Tensor
    truth_nW: Tensor
    weights_nT: Tensor  # of each clip for each target


def train_head(
    head: nn.Module,
    targets: Sequence[Target],
    train: Prepared,
    val: Prepared,
    loss: TaskLosses,
    draws_n: Tensor | None,
    settings: Train,
    report: Report,
) -> None:
    """Train a head with AdamW; keep the weights of the epoch with the lowest validation loss.

    ``head`` is (n, K, P) -> (n, O) outputs; if ``val`` is empty, the last epoch's are kept. Clips
    are drawn as often as ``draws_n`` says (sampling.py), or each once an epoch.

    Raises:
        UserError: it diverged.
    """
    network = settings.network
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    head.to(device)
    loss.to(device)
    val = Prepared(*(tensor.to(device) for tensor in vars(val).values()))
    groups = [
        {"params": list(head.parameters()), "weight_decay": network.weight_decay},
        {"params": list(loss.parameters()), "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, network.lr)
    batches = _batches(train, draws_n, settings)
    schedule = _schedule(optimizer, network, len(batches))
    is_validated = _tells(targets, val, network)
    best, best_loss, best_epoch = copy.deepcopy(head.state_dict()), math.inf, 0
    for epoch in range(network.epochs):
        head.train()
        loss.train()
        total = 0.0
        for batch in batches:
            inputs_nKP, truth_nW, weights_nT = (tensor.to(device) for tensor in batch)
            optimizer.zero_grad()
            value = loss(head(inputs_nKP), truth_nW, weights_nT)
            value.backward()
            optimizer.step()
            if schedule:
                schedule.step()
            total += value.item() * len(inputs_nKP)
        figures = {"train_loss": total / len(train.truth_nW)}
        if is_validated:
            figures |= _validate(head, targets, val, loss)
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


def _tells(targets: Sequence[Target], val: Prepared, network: Network) -> bool:
    """Whether validation clips can choose between epochs: one alone has no correlation."""
    columns = val.truth_nW.split([target.width for target in targets], 1)
    fewest = 2 if network.numbers in CORRELATED else 1
    return any(
        int((~truth.isnan()).any(1).sum()) >= (1 if target.kind in PROBABLE else fewest)
        for target, truth in zip(targets, columns, strict=True)
    )


def _schedule(optimizer: Optimizer, network: Network, batches: int) -> LRScheduler | None:
    """What changes the learning rate after each step."""
    if network.schedule == "step":
        return StepLR(optimizer, network.decay_every * batches, network.decay)
    if network.schedule == "cosine":
        from transformers import get_cosine_schedule_with_warmup  # takes seconds to load

        steps = network.epochs * batches
        schedule: LRScheduler = get_cosine_schedule_with_warmup(
            optimizer, round(network.warmup * steps), steps
        )
        return schedule
    return None


def _batches(train: Prepared, draws_n: Tensor | None, settings: Train) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(settings.seed)
    dataset = TensorDataset(train.inputs_nKP, train.truth_nW, train.weights_nT)
    size = settings.network.batch_size
    if draws_n is None:
        return DataLoader(dataset, size, shuffle=True, generator=generator)
    sampler = WeightedRandomSampler(draws_n.tolist(), len(draws_n), generator=generator)
    return DataLoader(dataset, size, sampler=sampler, generator=generator)


def _validate(
    head: nn.Module, targets: Sequence[Target], val: Prepared, loss: TaskLosses
) -> dict[str, float]:
    """The validation loss; of classes also WAR and UAR."""
    head.eval()
    loss.eval()
    with torch.inference_mode():
        outputs_nO = head(val.inputs_nKP)
        value = loss(outputs_nO, val.truth_nW, val.weights_nT).item()
    figures = {"val_loss": value}
    parts = (val.truth_nW.cpu().split(loss.truth_widths, 1), outputs_nO.cpu().split(loss.widths, 1))
    for target, truth_nC, logits_nC in zip(targets, *parts, strict=True):
        known_n = ~truth_nC.isnan().any(1)
        if target.name == CLASSES and known_n.any():
            recalls = recalled(truth_nC[known_n].argmax(1), logits_nC[known_n].argmax(1))
            figures |= {f"val_{name}": recall for name, recall in recalls.items()}
    return figures


def recalled(actual_n: Tensor, predicted_n: Tensor) -> dict[str, float]:
    """WAR and UAR of answered codes, UAR over the classes that occur."""
    present = actual_n.unique().numpy()
    uar = recall_score(actual_n, predicted_n, labels=present, average="macro", zero_division=0)
    return {"war": (predicted_n == actual_n).double().mean().item(), "uar": float(uar)}

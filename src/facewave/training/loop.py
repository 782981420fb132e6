"""Training a network's head by gradients, on whatever device there is; it goes on where it stopped.

Legend of names: n clips, K steps, P channels that the head sees, C classes.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from facewave.errors import UserError
from facewave.params import Train
from facewave.training.checkpoints import Checkpoint, Saved
from facewave.training.losses import Loss

# Called after each epoch with its number (from 0) and figures.
Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """One part as a head sees it: (n, K, P) float32, class codes, targets (n, C), weights (n,)."""

    inputs_nKP: Tensor
    codes_n: Tensor
    targets_nC: Tensor
    weights_n: Tensor


@dataclass(eq=False)
class _Progress:
    """How far it has come: the figures of every epoch, and the weights of the best."""

    best: dict[str, Tensor]
    best_loss: float = float("inf")
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def train_head(
    head: nn.Module,
    train: Prepared,
    val: Prepared,
    loss: Loss,
    settings: Train,
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> list[dict[str, float]]:
    """Train a head with AdamW; it keeps the weights of the epoch of least validation loss.

    Without a validation part the last epoch stays. Same settings, same weights: also if the
    process was killed and a checkpoint is there.

    Args:
        head: (n, K, P) -> (n, C) logits, with fresh weights.
        train: the training part.
        val: the validation part; may be empty.
        loss: what is lowered; validation is judged by the same.
        settings: section ``train`` of params.yaml.
        report: hears of each epoch, also of those before a kill.
        checkpoint: where to go on and what to write after epochs; None: neither.

    Returns:
        The figures of every epoch.

    Raises:
        UserError: it diverged.
    """
    # Takes a second to load.
    from accelerate import Accelerator

    accelerator = Accelerator()
    head.to(accelerator.device)
    optimizer = torch.optim.AdamW(
        [{"params": head.parameters(), "initial_lr": settings.network.lr}],
        lr=settings.network.lr,
        weight_decay=settings.network.weight_decay,
    )
    generator = torch.Generator().manual_seed(settings.seed)
    batches = _batches(train, settings, generator)
    progress = _Progress(copy.deepcopy(head.state_dict()))
    if checkpoint and (saved := checkpoint.read()):
        progress = _restore(saved, head, optimizer, generator)
    for epoch, figures in enumerate(progress.history):
        report(epoch, figures)

    steps, done = settings.network.epochs * len(batches), len(progress.history) * len(batches)
    schedule = LambdaLR(optimizer, lambda step: rate(step, steps, settings), done - 1)
    head, optimizer, batches, schedule = accelerator.prepare(head, optimizer, batches, schedule)
    val = _to(val, accelerator.device)
    for epoch in range(len(progress.history), settings.network.epochs):
        head.train()
        total = 0.0
        for inputs_nKP, targets_nC, weights_n in batches:
            optimizer.zero_grad()
            value = loss(head(inputs_nKP), targets_nC, weights_n)
            accelerator.backward(value)
            optimizer.step()
            schedule.step()
            total += value.item() * len(inputs_nKP)
        figures = {"train_loss": total / len(train.codes_n)}
        if len(val.codes_n):
            figures |= _validate(head, val, loss)
        report(epoch, figures)
        if not math.isfinite(figures["train_loss"]):
            raise UserError(
                f"the training loss is no number in epoch {epoch}: it diverged. Lower train.lr."
            )
        progress.history.append(figures)
        now = figures.get("val_loss", -epoch)  # without validation the last one stays
        if now < progress.best_loss:
            progress.best, progress.best_epoch = copy.deepcopy(head.state_dict()), epoch
            progress.best_loss = now
        elif epoch - progress.best_epoch >= settings.network.patience:
            break
        if checkpoint and checkpoint.due:
            checkpoint.write(_saved(progress, head, optimizer, generator))
    head.load_state_dict(progress.best)
    head.cpu()
    return progress.history


def rate(step: int, steps: int, settings: Train) -> float:
    """The share of ``lr`` at a step (from 0) of ``steps``.

    ``cosine`` rises in a straight line over the warm-up, then falls to 0 along half a cosine
    (Loshchilov & Hutter, 2017, without restarts).
    """
    if settings.network.schedule == "constant":
        return 1.0
    warmup = round(settings.network.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2


def _batches(train: Prepared, settings: Train, generator: torch.Generator) -> Any:
    dataset = TensorDataset(train.inputs_nKP, train.targets_nC, train.weights_n)
    if settings.imbalance == "sampler":  # every class as often, in the mean
        weights_n = 1 / torch.bincount(train.codes_n)[train.codes_n]
        sampler = WeightedRandomSampler(weights_n.tolist(), len(weights_n), generator=generator)
        return DataLoader(
            dataset, settings.network.batch_size, sampler=sampler, generator=generator
        )
    return DataLoader(dataset, settings.network.batch_size, shuffle=True, generator=generator)


def _to(part: Prepared, device: torch.device) -> Prepared:
    return Prepared(**{name: tensor.to(device) for name, tensor in vars(part).items()})


def _validate(head: nn.Module, val: Prepared, loss: Loss) -> dict[str, float]:
    head.eval()
    with torch.inference_mode():
        logits_nC = head(val.inputs_nKP)
        value = loss(logits_nC, val.targets_nC, val.weights_n).item()
    actual, chosen = val.codes_n.cpu(), logits_nC.argmax(1).cpu()
    present = actual.unique().numpy()
    uar = recall_score(actual, chosen, labels=present, average="macro", zero_division=0)
    return {
        "val_loss": value,
        "val_war": (chosen == actual).double().mean().item(),
        "val_uar": float(uar),
    }


def _saved(
    progress: _Progress, head: nn.Module, optimizer: Any, generator: torch.Generator
) -> Saved:
    """All that decides how the training goes on."""
    tensors = {f"head.{name}": tensor for name, tensor in head.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in progress.best.items()}
    for at, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{at}.{name}": tensor for name, tensor in state.items()}
    tensors |= {"random.batches": generator.get_state(), "random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():  # which drops out on the GPU
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    facts = {name: value for name, value in vars(progress).items() if name != "best"}
    return Saved(tensors, facts)


def _restore(
    saved: Saved, head: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> _Progress:
    """The inverse of ``_saved``."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in saved.tensors.items():
        group, _, rest = name.partition(".")
        groups.setdefault(group, {})[rest] = tensor
    head.load_state_dict(groups["head"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in groups["optimizer"].items():
        at, _, rest = name.partition(".")
        state.setdefault(int(at), {})[rest] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    generator.set_state(groups["random"]["batches"])
    torch.set_rng_state(groups["random"]["cpu"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state(groups["random"]["cuda"])
    facts = {name: saved.facts[name] for name in ("best_loss", "best_epoch", "history")}
    return _Progress(groups["best"], **facts)

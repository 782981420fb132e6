"""Training a network's head by gradient descent, on the accelerator if there is one.

Legend of names: n clips, K steps, P channels that the head sees, T targets, O outputs and W columns
of the truth of all targets.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Progress:
    """How far a training has come: what its next epoch follows from, beside the weights."""

    best: dict[str, Tensor]  # the weights with the lowest validation loss
    best_loss: float = math.inf
    best_epoch: int = 0
    figures: list[dict[str, float]] = field(default_factory=list)  # of each epoch that is done


def descend(
    learn: Callable[[int], float],
    validate: Callable[[], dict[str, float]],
    weights: Callable[[], Mapping[str, Tensor]],
    progress: Progress,
    network: Network,
    report: Report,
    done: Callable[[], None] = lambda: None,
    remedy: str = "Lower train.network.lr.",
) -> None:
    """Train epoch by epoch, until the validation loss has not fallen for train.network.patience.

    ``progress`` has the best weights in the end; without validation they are the last epoch's.

    Args:
        learn: trains the epoch of a number (from 0); returns the mean training loss.
        validate: returns ``val_loss`` and other figures; nothing where validation cannot tell.
        weights: those that were validated; they are copied.
        progress: where a former run stopped, or a new one; changed in place.
        network: section ``train.network``.
        report: told of every epoch, also of those that a former run has done.
        done: called at the end of each epoch after which another comes.
        remedy: what a person can do if it diverges.

    Raises:
        UserError: it diverged.
    """
    for epoch, figures in enumerate(progress.figures):
        report(epoch, figures)
    for epoch in range(len(progress.figures), network.epochs):
        figures = {"train_loss": learn(epoch)} | validate()
        report(epoch, figures)
        for part, name in (("training", "train_loss"), ("validation", "val_loss")):
            if not math.isfinite(figures.get(name, 0.0)):
                raise UserError(
                    f"the {part} loss is not a number in epoch {epoch}: training diverged. {remedy}"
                )
        progress.figures.append(figures)
        epoch_loss = figures.get("val_loss", -epoch)  # without validation the last epoch is best
        if epoch_loss < progress.best_loss:
            progress.best = copy.deepcopy(dict(weights()))
            progress.best_loss, progress.best_epoch = epoch_loss, epoch
        elif epoch - progress.best_epoch >= network.patience:
            break
        done()


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
    schedule = schedule_of(optimizer, network, len(batches))
    is_validated = tells(targets, val.truth_nW, network)

    def learn(epoch: int) -> float:
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
        return total / len(train.truth_nW)

    def validate() -> dict[str, float]:
        if not is_validated:
            return {}
        head.eval()
        with torch.inference_mode():
            return validated(head(val.inputs_nKP), val.truth_nW, val.weights_nT, loss)

    progress = Progress(copy.deepcopy(head.state_dict()))
    descend(learn, validate, head.state_dict, progress, network, report)
    head.load_state_dict(progress.best)
    head.cpu()


def tells(targets: Sequence[Target], truth_nW: Tensor, network: Network) -> bool:
    """Whether validation clips can choose between epochs: one alone has no correlation."""
    columns = truth_nW.split([target.width for target in targets], 1)
    fewest = 2 if network.numbers in CORRELATED else 1
    return any(
        int((~truth.isnan()).any(1).sum()) >= (1 if target.kind in PROBABLE else fewest)
        for target, truth in zip(targets, columns, strict=True)
    )


def schedule_of(optimizer: Optimizer, network: Network, batches: int) -> LRScheduler | None:
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


def validated(
    outputs_nO: Tensor, truth_nW: Tensor, weights_nT: Tensor, loss: TaskLosses
) -> dict[str, float]:
    """The validation loss; of classes also WAR and UAR."""
    loss.eval()
    figures = {"val_loss": loss(outputs_nO, truth_nW, weights_nT).item()}
    parts = (truth_nW.cpu().split(loss.truth_widths, 1), outputs_nO.cpu().split(loss.widths, 1))
    for target, truth_nC, logits_nC in zip(loss.targets, *parts, strict=True):
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

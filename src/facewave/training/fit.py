"""Fitting each kind of classifier. Pure: arrays in, module out; a callback hears of each epoch.

Legend of names: n clips, D input numbers, C classes.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from facewave.errors import UserError
from facewave.models.classifiers import Config, Kind, Majority, Standardized, build
from facewave.params import Train

# A class without a training clip gets this logit: never chosen, yet finite.
_NEVER = -1e4


@dataclass(frozen=True, eq=False)
class Part:
    """One part's inputs (n, D) float32 and class codes (n,) int64."""

    inputs_nD: Tensor
    codes_n: Tensor


def fit(
    kind: Kind,
    train: Part,
    val: Part,
    classes: tuple[str, ...],
    settings: Train,
    report: Callable[[int, dict[str, float]], None] = lambda epoch, figures: None,
) -> tuple[Config, nn.Module]:
    """Fit a classifier on the training part; validation only chooses the epoch.

    Args:
        kind: which classifier.
        train: the training part; standardisation is learnt here and nowhere else.
        val: the validation part; may be empty, then the last epoch stays.
        classes: all words, in the order of the codes.
        settings: section ``train`` of params.yaml.
        report: called after each epoch with its number (from 0) and figures.
    """
    config = Config(kind, classes, train.inputs_nD.shape[1])
    if kind == "mlp":
        config = Config(kind, classes, train.inputs_nD.shape[1], settings.hidden, settings.dropout)
    torch.manual_seed(settings.seed)
    module = build(config)
    match module:
        case Majority():
            module.fit(train.codes_n)
        case Standardized():
            module.standardize.fit(train.inputs_nD)
            if kind == "logistic":
                _fit_logistic(module, train, settings)
            else:
                _fit_mlp(module, train, val, settings, report)
    return config, module.eval()


def _fit_logistic(module: Standardized, train: Part, settings: Train) -> None:
    inputs_nD = module.standardize(train.inputs_nD).double().numpy()
    present = np.unique(train.codes_n.numpy())
    coefficients, intercepts = np.zeros((1, inputs_nD.shape[1])), np.zeros(1)
    if len(present) > 1:  # scikit-learn refuses a single class
        solver = LogisticRegression(C=settings.c, max_iter=2000)
        solver.fit(inputs_nD, train.codes_n.numpy())
        coefficients, intercepts = solver.coef_, solver.intercept_
    if len(present) == 2:  # it keeps one row for two classes
        coefficients = np.vstack([0 * coefficients, coefficients])
        intercepts = np.concatenate([0 * intercepts, intercepts])
    n_classes = len(module.head.state_dict()["bias"])
    weight = torch.zeros(n_classes, coefficients.shape[1])
    bias = torch.full((n_classes,), _NEVER)
    weight[present] = torch.from_numpy(coefficients).float()
    bias[present] = torch.from_numpy(intercepts).float()
    module.head.load_state_dict({"weight": weight, "bias": bias})


def _fit_mlp(
    module: Standardized,
    train: Part,
    val: Part,
    settings: Train,
    report: Callable[[int, dict[str, float]], None],
) -> None:
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
    )
    batches = DataLoader(
        TensorDataset(train.inputs_nD, train.codes_n),
        batch_size=settings.batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    best, best_loss, best_epoch = copy.deepcopy(module.state_dict()), float("inf"), 0
    for epoch in range(settings.epochs):
        module.train()
        total = 0.0
        for inputs_nD, codes_n in batches:
            optimizer.zero_grad()
            loss = functional.cross_entropy(module(inputs_nD), codes_n)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(codes_n)
        figures = {"train_loss": total / len(train.codes_n)}
        if len(val.codes_n):
            figures |= _validate(module, val)
        report(epoch, figures)
        if not math.isfinite(figures["train_loss"]):
            raise UserError(
                f"the training loss is no number in epoch {epoch}: it diverged. Lower train.lr."
            )
        if figures.get("val_loss", -epoch) < best_loss:  # without validation the last one stays
            best, best_epoch = copy.deepcopy(module.state_dict()), epoch
            best_loss = figures.get("val_loss", -epoch)
        elif epoch - best_epoch >= settings.patience:
            break
    module.load_state_dict(best)


def _validate(module: nn.Module, val: Part) -> dict[str, float]:
    module.eval()
    with torch.inference_mode():
        logits_nC = module(val.inputs_nD)
        loss = functional.cross_entropy(logits_nC, val.codes_n).item()
    chosen = logits_nC.argmax(1)
    present = val.codes_n.unique().numpy()
    uar = recall_score(val.codes_n, chosen, labels=present, average="macro", zero_division=0)
    return {
        "val_loss": loss,
        "val_war": (chosen == val.codes_n).double().mean().item(),
        "val_uar": float(uar),
    }

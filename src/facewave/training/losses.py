"""Losses, and the weights of rare classes. Pure.

Targets are distributions over the classes, (n, C): one-hot, smoothed, or the shares of the votes.

Legend of names: n clips of a batch, C classes.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from facewave.params import Network

# (logits (n, C), targets (n, C), weights (n,)) -> a number.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

GAMMA = 2.0  # of the focal loss, as its paper recommends
TAU = 1.0  # of logit adjustment: with this value it is consistent for the balanced error
BETA = 0.999  # of the effective number of samples
DICE = 1.5  # weight of the Dice loss beside cross-entropy


def one_hot(codes_n: Tensor, n_classes: int) -> Tensor:
    """Targets without doubt, (n, C)."""
    return functional.one_hot(codes_n, n_classes).float()


def smooth(targets_nC: Tensor, share: float) -> Tensor:
    """Spread a share of each target evenly over all classes (Szegedy et al., 2016)."""
    return targets_nC * (1 - share) + share / targets_nC.shape[1]


def cross_entropy(logits_nC: Tensor, targets_nC: Tensor) -> Tensor:
    """Cross-entropy of each clip, (n,), in nats."""
    return -(targets_nC * functional.log_softmax(logits_nC, 1)).sum(1)


def focal(logits_nC: Tensor, targets_nC: Tensor) -> Tensor:
    """Cross-entropy with less weight on clips that are answered well already, (n,).

    -t (1 - p)**gamma log p, summed over the classes (Lin et al., 2017).
    """
    logs_nC = functional.log_softmax(logits_nC, 1)
    return -(targets_nC * (1 - logs_nC.exp()) ** GAMMA * logs_nC).sum(1)


def balanced(logits_nC: Tensor, targets_nC: Tensor, counts_C: Tensor) -> Tensor:
    """Cross-entropy of logits + tau log(prior), (n,): logit adjustment (Menon et al., 2021).

    Used without the prior, such logits answer as if all classes were equally frequent. The prior
    is that of the training clips (``counts_C``); a class without clips counts as one with one.
    """
    counts_C = counts_C.clamp(min=1)
    return cross_entropy(logits_nC + TAU * torch.log(counts_C / counts_C.sum()), targets_nC)


def multi_dice(logits_nC: Tensor, targets_nC: Tensor, weights_n: Tensor) -> Tensor:
    """1 - (2 p t + 1) / (p + t + 1), a mean over clips and classes, with p the softmax.

    The Dice loss of several classes of arXiv 2403.11450.
    """
    shares_nC = logits_nC.softmax(1)
    overlap_nC = (2 * shares_nC * targets_nC + 1) / (shares_nC + targets_nC + 1)
    return ((1 - overlap_nC).mean(1) * weights_n).mean()


def class_weights(counts_C: Tensor) -> Tensor:
    """Weights by the inverse effective number of clips, (C,), with mean 1 over the clips.

    (1 - beta) / (1 - beta**count) (Cui et al., 2019); a class without clips counts as one with one.
    """
    inverse_C = (1 - BETA) / (1 - BETA ** counts_C.clamp(min=1).double())
    return inverse_C * counts_C.sum() / (inverse_C * counts_C).sum()


def choose(settings: Network, counts_C: Tensor) -> Loss:
    """The loss that ``settings.loss`` names; ``counts_C`` are each class's training clips."""

    def loss(logits_nC: Tensor, targets_nC: Tensor, weights_n: Tensor) -> Tensor:
        match settings.loss:
            case "cross_entropy":
                losses_n = cross_entropy(logits_nC, targets_nC)
            case "focal":
                losses_n = focal(logits_nC, targets_nC)
            case "balanced" | "balanced_dice":
                losses_n = balanced(logits_nC, targets_nC, counts_C.to(logits_nC.device))
        mean = (losses_n * weights_n).mean()
        if settings.loss == "balanced_dice":
            mean = mean + DICE * multi_dice(logits_nC, targets_nC, weights_n)
        return mean

    return loss


def regression(objective: str, values_nT: Tensor, targets_nT: Tensor) -> Tensor:
    """``mse``: mean squared error; ``ccc``: 1 - concordance over the batch, a mean over targets.

    CCC = 2 cov / (var + var + (mean - mean)**2), with population moments (Lin, 1989), which takes
    a batch of several clips.
    """
    if objective == "mse":
        return functional.mse_loss(values_nT, targets_nT)
    values_T, targets_T = values_nT.mean(0), targets_nT.mean(0)
    covariance_T = ((values_nT - values_T) * (targets_nT - targets_T)).mean(0)
    spread_T = values_nT.var(0, correction=0) + targets_nT.var(0, correction=0)
    ccc_T = 2 * covariance_T / (spread_T + (values_T - targets_T) ** 2 + 1e-8)
    return (1 - ccc_T).mean()

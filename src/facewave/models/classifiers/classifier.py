"""Classifiers over a clip's wavelet numbers, all of one shape: (n, N, D) -> (n, C) logits.

What is fitted before the head (which steps are kept, standardisation, principal components) and
after it (the temperature) is held as buffers, so that a saved model takes features as the wavelet
stage writes them.

Legend of names: n clips, N steps as the wavelet stage wrote them, K steps kept, D channels of all
blocks side by side, P channels that the head sees, C classes, H hidden units.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from facewave.models.classifiers import heads, reduce
from facewave.params import ClassifierKind

# Blendshapes and landmarks are of order 1. Some blendshapes (noseSneer*, cheekSquint*) stay near
# 1e-6: divided by their spread they would be the landmarker's rounding noise at full volume.
HARDLY = 1e-3
_ROUNDING = 1e-6  # of a step's mean and its channel's spread: float32's rounding

# How K steps are made of N: reduce.largest or reduce.principal.
Reduction = Literal["largest", "pca"]


@dataclass(frozen=True, config={"extra": "forbid"})
class ClassifierConfig:
    """Enough to rebuild a classifier's modules."""

    kind: ClassifierKind  # which classifier; ``majority`` needs only the classes
    classes: tuple[str, ...]  # in the order of the logits
    steps: int = 0  # N
    widths: tuple[int, ...] = ()  # the channels of each block of inputs, in order; their sum is D
    kept: int = 0  # K, where the steps are reduced to it; 0: all N
    pca: int = 0  # principal components over the channels; 0: the channels themselves
    hidden: int = 0  # units of a network's hidden layer
    dropout: float = 0.0  # of a network's hidden layer
    trees: int = 0  # stages of boosting


class Compress(nn.Module):
    """Reduces the N steps of every channel to K, by one matrix per block."""

    matrices: Tensor

    def __init__(self, steps: int, widths: Sequence[int], kept: int) -> None:
        super().__init__()
        self.widths = list(widths)
        self.register_buffer("matrices", torch.zeros(len(widths), kept, steps))

    def fit(self, inputs_nND: Tensor, reduction: Reduction) -> None:
        """Choose what is kept of each block, from the training part."""
        choose = {"largest": reduce.largest, "pca": reduce.principal}[reduction]
        for matrix_KN, block in zip(self.matrices, inputs_nND.split(self.widths, 2), strict=True):
            moments = reduce.moments(block.numpy())
            matrix_KN.copy_(torch.from_numpy(choose(moments, len(matrix_KN))))

    def forward(self, inputs_nND: Tensor) -> Tensor:
        """(n, N, D) -> (n, K, D)."""
        blocks = inputs_nND.split(self.widths, 2)
        return torch.cat([m @ x for m, x in zip(self.matrices, blocks, strict=True)], 2)


def moves(mean_KD: NDArray[np.floating], std_KD: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which steps and channels vary enough to be divided by their spread, (K, D)."""
    most_D = std_KD.max(axis=0)
    return (most_D > HARDLY) & (std_KD > _ROUNDING * (np.abs(mean_KD) + most_D))


class Standardize(nn.Module):
    """(x - mean) / std per step and channel; a channel that hardly varies in any step becomes 0.

    Only whole channels do, since the fine steps of a decomposition are small by nature.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, steps: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(steps, channels))
        self.register_buffer("scale", torch.ones(steps, channels))

    def fit(self, inputs_nKD: Tensor) -> None:
        """Take mean and scale from the training part."""
        std_KD, mean_KD = inputs_nKD.std(0, correction=0), inputs_nKD.mean(0)
        moves_KD = torch.from_numpy(moves(mean_KD.numpy(), std_KD.numpy()))
        self.mean.copy_(mean_KD)
        self.scale.copy_(torch.where(moves_KD, 1 / std_KD, torch.zeros_like(std_KD)))

    def forward(self, inputs_nKD: Tensor) -> Tensor:
        """(n, K, D) -> (n, K, D)."""
        return (inputs_nKD - self.mean) * self.scale


class Balance(nn.Module):
    """Scales blocks of standardised channels to one total variance, whatever their widths.

    Otherwise a wide block (the points' 1,434 channels) drowns a narrow one (52 blendshapes)
    wherever weights are penalised. A block alone stays as it is.
    """

    factor: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        mean = sum(widths) / max(1, len(widths))
        factors = [math.sqrt(mean / width) for width in widths for _ in range(width)]
        self.register_buffer("factor", torch.tensor(factors), persistent=False)

    def forward(self, inputs_nKD: Tensor) -> Tensor:
        """(n, K, D) -> (n, K, D)."""
        return inputs_nKD * self.factor


class Project(nn.Module):
    """Projects the channels on their leading principal components, the same for all steps."""

    mean: Tensor
    components: Tensor

    def __init__(self, channels: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("components", torch.zeros(kept, channels))

    def fit(self, inputs_nKD: Tensor) -> None:
        """Fit the components to the training part; the samples are its clips' steps."""
        from sklearn.decomposition import PCA  # takes a second to load, and only training needs it

        solver = PCA(len(self.components), svd_solver="covariance_eigh")
        solver.fit(inputs_nKD.flatten(0, 1).double().numpy())
        self.mean.copy_(torch.from_numpy(solver.mean_))
        self.components.copy_(torch.from_numpy(solver.components_))

    def forward(self, inputs_nKD: Tensor) -> Tensor:
        """(n, K, D) -> (n, K, P)."""
        return (inputs_nKD - self.mean) @ self.components.T


class Majority(nn.Module):
    """Answers with the training part's class frequencies, whatever the input: the floor."""

    log_prior: Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("log_prior", torch.zeros(n_classes))

    @property
    def prior(self) -> "Majority":
        """What answers for clips without a usable face."""
        return self

    def fit(self, codes_n: Tensor) -> None:
        """Count the classes, each one up, so that none has probability 0."""
        counts = torch.bincount(codes_n, minlength=len(self.log_prior)) + 1
        self.log_prior.copy_(torch.log(counts / counts.sum()))

    def forward(self, inputs_nND: Tensor) -> Tensor:
        """(n, ...) -> (n, C)."""
        return self.log_prior.expand(len(inputs_nND), -1)


class Classifier(nn.Module):
    """What is fitted before the head, the head, and the temperature that divides its logits.

    ``prior`` answers for clips without a usable face.
    """

    temperature: Tensor

    def __init__(self, config: ClassifierConfig, head: nn.Module) -> None:
        super().__init__()
        self.prior = Majority(len(config.classes))
        channels, steps = sum(config.widths), config.kept or config.steps
        self.compress = Compress(config.steps, config.widths, steps) if config.kept else None
        self.standardize = Standardize(steps, channels)
        self.balance = Balance(config.widths)
        self.project = Project(channels, config.pca) if config.pca else None
        self.head = head
        self.register_buffer("temperature", torch.ones(()))

    def fit_inputs(self, inputs_nND: Tensor, reduction: Reduction | None) -> None:
        """Fit all that precedes the head to the training part."""
        if self.compress and reduction:
            self.compress.fit(inputs_nND, reduction)
            inputs_nND = self.compress(inputs_nND)
        self.standardize.fit(inputs_nND)
        if self.project:
            self.project.fit(self.balance(self.standardize(inputs_nND)))

    def prepare(self, inputs_nND: Tensor) -> Tensor:
        """What the head takes, (n, K, P)."""
        kept = self.compress(inputs_nND) if self.compress else inputs_nND
        balanced: Tensor = self.balance(self.standardize(kept))
        return self.project(balanced) if self.project else balanced

    def forward(self, inputs_nND: Tensor) -> Tensor:
        """(n, N, D) -> (n, C)."""
        logits: Tensor = self.head(self.prepare(inputs_nND))
        return logits / self.temperature


def build(config: ClassifierConfig) -> Classifier | Majority:
    """A classifier with fresh weights, drawn from torch's global generator.

    Raises:
        ValueError: there is no such kind.
    """
    n_classes, steps = len(config.classes), config.kept or config.steps
    channels = config.pca or sum(config.widths)
    match config.kind:
        case "majority":
            return Majority(n_classes)
        case "logistic" | "svm":
            head: nn.Module = heads.Linear(steps * channels, n_classes)
        case "trees":
            head = heads.Trees(config.trees, n_classes)
        case "mlp":
            head = heads.mlp(steps * channels, config.hidden, config.dropout, n_classes)
        case "gru":
            head = heads.Gru(channels, config.hidden, config.dropout, n_classes)
        case "transformer":
            head = heads.Transformer(steps, channels, config.hidden, config.dropout, n_classes)
        case _:
            raise ValueError(f"there is no classifier of kind {config.kind!r}")
    return Classifier(config, head)

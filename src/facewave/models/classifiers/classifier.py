"""Classifiers over a clip's wavelet numbers, all of one shape: (n, N, D) -> (n, O) outputs.

``answers`` reads the outputs (readout.py). What is fitted before the head (which steps are kept,
standardisation, principal components) is held as buffers, so that a saved model takes features as
the wavelet stage writes them.

Legend of names: n clips, N steps as the wavelet stage wrote them, K steps kept, D channels of all
blocks side by side, P channels that the head sees, O outputs and W answers of all targets.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from facewave.models import outputs
from facewave.models.classifiers import heads, reduce
from facewave.models.readout import Majority, Readout
from facewave.params import ClassifierKind
from facewave.targets import Target

# Blendshapes and landmarks are of order 1. Some blendshapes (noseSneer*, cheekSquint*) stay near
# 1e-6: divided by their spread they would be the landmarker's rounding noise at full volume.
HARDLY = 1e-3
_ROUNDING = 1e-6  # of a step's mean and its channel's spread: float32's rounding

# How K steps are made of N: reduce.largest or reduce.principal.
Reduction = Literal["largest", "pca"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, config={"extra": "forbid"})
class ClassifierConfig:
    """Enough to rebuild a classifier's modules."""

    kind: ClassifierKind  # which classifier; ``majority`` needs only the targets
    targets: tuple[Target, ...]  # in the order of the outputs
    binned: bool = False  # whether numbers are answered by bins
    steps: int = 0  # N
    widths: tuple[int, ...] = ()  # the channels of each block of inputs, in order; their sum is D
    kept: int = 0  # K, where the steps are reduced to it; 0: all N
    pca: int = 0  # principal components over the channels; 0: the channels themselves
    hidden: int = 0  # units of a network's hidden layer
    dropout: float = 0.0  # of a network's hidden layer
    shake: bool = False  # whether an MLP's hidden layer is two branches mixed at random
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
            products = reduce.moments(block[~block.isnan().any(2).any(1)].numpy())
            matrix_KN.copy_(torch.from_numpy(choose(products, len(matrix_KN))))

    def forward(self, inputs_nND: Tensor) -> Tensor:
        """(n, N, D) -> (n, K, D)."""
        blocks = inputs_nND.split(self.widths, 2)
        return torch.cat([m @ x for m, x in zip(self.matrices, blocks, strict=True)], 2)


def moments(inputs_nKD: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Mean and variance of each number, (K, D), over the clips that have it: of others it is NaN.

    Of what no clip has, both are 0.
    """
    inputs_nKD = inputs_nKD.astype(np.float64)
    known_nKD = ~np.isnan(inputs_nKD)
    counts_KD = np.maximum(known_nKD.sum(axis=0), 1)
    mean_KD = np.where(known_nKD, inputs_nKD, 0).sum(axis=0) / counts_KD
    variance_KD = (np.where(known_nKD, inputs_nKD - mean_KD, 0) ** 2).sum(axis=0) / counts_KD
    return mean_KD, variance_KD


def moves(mean_KD: NDArray[np.floating], std_KD: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which steps and channels vary enough to be divided by their spread, (K, D)."""
    most_D = std_KD.max(axis=0)
    return (most_D > HARDLY) & (std_KD > _ROUNDING * (np.abs(mean_KD) + most_D))


class Standardize(nn.Module):
    """(x - mean) / std per step and channel; a channel that hardly varies in any step becomes 0.

    Only whole channels do, since the fine steps of a decomposition are small by nature. What a clip
    lacks (NaN) becomes 0, too, the mean of the training part.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, steps: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(steps, channels))
        self.register_buffer("scale", torch.ones(steps, channels))

    def fit(self, inputs_nKD: Tensor) -> None:
        """Take mean and scale from the training part."""
        if inputs_nKD.isnan().any():
            mean, variance = (torch.from_numpy(one).float() for one in moments(inputs_nKD.numpy()))
            self.take(mean, variance.sqrt())
        else:
            self.take(inputs_nKD.mean(0), inputs_nKD.std(0, correction=0))

    def take(self, mean_KD: Tensor, std_KD: Tensor) -> None:
        """Take these moments of the training part."""
        moves_KD = torch.from_numpy(moves(mean_KD.numpy(), std_KD.numpy()))
        self.mean.copy_(mean_KD)
        self.scale.copy_(torch.where(moves_KD, 1 / std_KD, torch.zeros_like(std_KD)))

    def forward(self, inputs_nKD: Tensor) -> Tensor:
        """(n, K, D) -> (n, K, D)."""
        standardized_nKD = (inputs_nKD - self.mean) * self.scale
        return torch.where(standardized_nKD.isnan(), 0.0, standardized_nKD)


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


class Classifier(Readout):
    """What is fitted before the head, the head, and what reads its outputs."""

    def __init__(self, config: ClassifierConfig, head: nn.Module) -> None:
        super().__init__(config.kind, config.targets, config.binned)
        channels, steps = sum(config.widths), config.kept or config.steps
        self.compress = Compress(config.steps, config.widths, steps) if config.kept else None
        self.standardize = Standardize(steps, channels)
        self.balance = Balance(config.widths)
        self.project = Project(channels, config.pca) if config.pca else None
        self.head = head

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
        """(n, N, D) -> (n, O)."""
        raw_nO: Tensor = self.head(self.prepare(inputs_nND))
        return raw_nO

    def answers(self, inputs_nND: Tensor) -> Tensor:
        """(n, N, D) -> (n, W)."""
        return self.read(self(inputs_nND))


def build(config: ClassifierConfig) -> Classifier | Majority:
    """A classifier with fresh weights, drawn from torch's global generator.

    Raises:
        ValueError: there is no such kind.
    """
    n_outputs = sum(outputs.widths(config.targets, config.binned))
    steps, channels = config.kept or config.steps, config.pca or sum(config.widths)
    hidden, dropout = config.hidden, config.dropout
    match config.kind:
        case "majority":
            return Majority(config.targets)
        case "logistic" | "svm":
            head: nn.Module = heads.Linear(steps * channels, n_outputs)
        case "trees":
            head = heads.Trees(config.trees, n_outputs)
        case "mlp":
            head = heads.mlp(steps * channels, hidden, dropout, n_outputs, config.shake)
        case "gru":
            head = heads.Gru(channels, hidden, dropout, n_outputs)
        case "transformer":
            head = heads.Transformer(steps, channels, hidden, dropout, n_outputs)
        case _:
            raise ValueError(f"there is no classifier of kind {config.kind!r}")
    return Classifier(config, head)

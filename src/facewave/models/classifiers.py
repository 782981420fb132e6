"""Small classifiers over a clip's wavelet numbers, all of one shape: (n, D) -> (n, C) logits.

Each holds its own standardisation (fitted on the training part, kept as buffers), so that a saved
model takes features as the wavelet stage writes them.

Legend of names: n clips, D input numbers, C classes.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

# Blendshapes and landmarks are of order 1. Some blendshapes (noseSneer*, cheekSquint*) stay near
# 1e-6: divided by their spread they would be the landmarker's rounding noise at full volume.
HARDLY = 1e-3

Kind = Literal["majority", "logistic", "mlp"]


@dataclass(frozen=True)
class Config:
    """Enough to rebuild a classifier's modules.

    Attributes:
        kind: which classifier.
        classes: the words, in the order of the logits.
        n_inputs: D.
        hidden: units of the MLP's hidden layer.
        dropout: of the MLP's hidden layer.
    """

    kind: Kind
    classes: tuple[str, ...]
    n_inputs: int
    hidden: int = 0
    dropout: float = 0.0


class Standardize(nn.Module):
    """(x - mean) / std per input; an input that hardly varies becomes 0."""

    mean: Tensor
    scale: Tensor

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("scale", torch.ones(n_inputs))

    def fit(self, inputs_nD: Tensor) -> None:
        """Take mean and scale from the training part."""
        std = inputs_nD.std(0, correction=0)
        self.mean.copy_(inputs_nD.mean(0))
        self.scale.copy_(torch.where(std > HARDLY, 1 / std, torch.zeros_like(std)))

    def forward(self, inputs_nD: Tensor) -> Tensor:
        """(n, D) -> (n, D)."""
        return (inputs_nD - self.mean) * self.scale


class Standardized(nn.Module):
    """A classifier that standardises its inputs first."""

    def __init__(self, standardize: Standardize, head: nn.Module) -> None:
        super().__init__()
        self.standardize = standardize
        self.head = head

    def forward(self, inputs_nD: Tensor) -> Tensor:
        """(n, D) -> (n, C)."""
        logits: Tensor = self.head(self.standardize(inputs_nD))
        return logits


class Majority(nn.Module):
    """The training part's class frequencies, whatever the input: the floor for every figure."""

    log_prior: Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("log_prior", torch.zeros(n_classes))

    def fit(self, codes_n: Tensor) -> None:
        """Count the classes, each once more than seen, so that none has probability 0."""
        counts = torch.bincount(codes_n, minlength=len(self.log_prior)) + 1
        self.log_prior.copy_(torch.log(counts / counts.sum()))

    def forward(self, inputs_nD: Tensor) -> Tensor:
        """(n, D) -> (n, C)."""
        return self.log_prior.expand(len(inputs_nD), -1)


def build(config: Config) -> nn.Module:
    """A classifier with fresh weights (seeded by torch's global generator).

    Raises:
        ValueError: there is no such kind.
    """
    n_classes = len(config.classes)
    match config.kind:
        case "majority":
            return Majority(n_classes)
        case "logistic":
            head: nn.Module = nn.Linear(config.n_inputs, n_classes)
        case "mlp":
            head = nn.Sequential(
                nn.Linear(config.n_inputs, config.hidden),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.hidden, n_classes),
            )
        case _:
            raise ValueError(f"there is no classifier of kind {config.kind!r}")
    return Standardized(Standardize(config.n_inputs), head)

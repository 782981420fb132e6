"""Numbers learnt from a language model's last state.

Legend of names: n clips, T targets, H hidden size.
"""

import torch
from torch import Tensor, nn


class Regression(nn.Module):
    """Targets from the last token's state, learnt with mean 0 and standard deviation 1."""

    mean: Tensor
    scale: Tensor

    def __init__(self, hidden: int, targets: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, targets)
        self.register_buffer("mean", torch.zeros(targets))
        self.register_buffer("scale", torch.ones(targets))

    def fit(self, targets_nT: Tensor) -> None:
        """Take mean and scale from the training part; the scale of a constant target is 1."""
        self.mean.copy_(targets_nT.mean(0))
        std_T = targets_nT.std(0, correction=0)
        self.scale.copy_(torch.where(std_T > 0, std_T, 1))

    def standardized(self, targets_nT: Tensor) -> Tensor:
        """Targets as they are learnt, (n, T)."""
        return (targets_nT - self.mean) / self.scale

    def forward(self, states_nH: Tensor) -> Tensor:
        """(n, H) -> (n, T), in the targets' own units."""
        values: Tensor = self.linear(states_nH) * self.scale + self.mean
        return values

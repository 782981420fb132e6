"""What turns a clip's prepared numbers into outputs: (n, K, P) -> (n, O).

Legend of names: n clips, K steps, P channels, O outputs, H hidden units, S stages of boosting.
"""

from typing import Any

import torch
from torch import Tensor, nn

from facewave.models.attention import self_attention

# Of trees: interactions of three numbers. Few problems need more (Hastie et al., The Elements of
# Statistical Learning, 10.11).
DEPTH = 3
_NODES = 2 ** (DEPTH + 1) - 1


class Linear(nn.Module):
    """One weight for each number and output."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_inputs, n_outputs)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, O)."""
        outputs: Tensor = self.linear(inputs_nKP.flatten(1))
        return outputs


def mlp(
    n_inputs: int, hidden: int, dropout: float, n_outputs: int, shake: bool = False
) -> nn.Module:
    """One hidden layer over all numbers; with ``shake`` a residual block follows it."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(n_inputs, hidden),
        nn.GELU(),
        *([Shake(hidden)] if shake else []),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_outputs),
    )


class Shake(nn.Module):
    """A residual block of two branches that are mixed at random (Gastaldi, arXiv 1705.07485).

    In training every clip draws alpha ~ U[0, 1] for the way forward, x + alpha f(x) +
    (1 - alpha) g(x), and another such number for the way of the gradient back. In evaluation both
    branches count half.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
            for _ in range(2)
        )

    def forward(self, inputs_nH: Tensor) -> Tensor:
        """(n, H) -> (n, H)."""
        first_nH, second_nH = self.first(inputs_nH), self.second(inputs_nH)
        if not self.training:
            return inputs_nH + (first_nH + second_nH) / 2
        forward_n1, backward_n1 = torch.rand(
            2, len(inputs_nH), 1, dtype=inputs_nH.dtype, device=inputs_nH.device
        )
        mixed_nH: Tensor = _Mix.apply(first_nH, second_nH, forward_n1, backward_n1)
        return inputs_nH + mixed_nH


class _Mix(torch.autograd.Function):
    """A weighted mean of two tensors whose gradient follows other weights."""

    @staticmethod
    def forward(
        ctx: Any, first_nH: Tensor, second_nH: Tensor, forward_n1: Tensor, backward_n1: Tensor
    ) -> Tensor:
        ctx.save_for_backward(backward_n1)
        return forward_n1 * first_nH + (1 - forward_n1) * second_nH

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient_nH,) = gradients
        (backward_n1,) = ctx.saved_tensors
        return backward_n1 * gradient_nH, (1 - backward_n1) * gradient_nH, None, None


class Gru(nn.Module):
    """A recurrent network that reads the steps in both directions (Cho et al., 2014)."""

    def __init__(self, channels: int, hidden: int, dropout: float, n_outputs: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * hidden, n_outputs)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, O), from where each direction ends."""
        _, ends_2nH = self.gru(inputs_nKP)
        outputs: Tensor = self.out(self.dropout(torch.cat([*ends_2nH], 1)))
        return outputs


class Encoder(nn.Module):
    """Two layers of self-attention between the steps, with learnt positions."""

    def __init__(self, steps: int, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, hidden)
        self.positions = nn.Parameter(0.02 * torch.randn(steps, hidden))
        self.layers = self_attention(hidden, dropout, 2)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, K, H)."""
        encoded: Tensor = self.layers(self.embed(inputs_nKP) + self.positions)
        return encoded


class Transformer(nn.Module):
    """An encoder of the steps, whose mean is read."""

    def __init__(
        self, steps: int, channels: int, hidden: int, dropout: float, n_outputs: int
    ) -> None:
        super().__init__()
        self.encoder = Encoder(steps, channels, hidden, dropout)
        self.out = nn.Linear(hidden, n_outputs)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, O)."""
        outputs: Tensor = self.out(self.encoder(inputs_nKP).mean(1))
        return outputs


class Trees(nn.Module):
    """Boosted regression trees (Friedman, 2001): the sum of S for each output.

    A tree is arrays over its nodes, the root first; a leaf is its own child, so that every clip
    takes ``DEPTH`` steps. Thresholds are float64 and inputs float32, as in scikit-learn.
    """

    initial: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor

    def __init__(self, stages: int, n_outputs: int) -> None:
        super().__init__()
        shape = (stages, n_outputs, _NODES)
        themselves = torch.arange(_NODES).expand(shape)
        self.register_buffer("initial", torch.zeros(n_outputs, dtype=torch.float64))
        self.register_buffer("feature", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("left", themselves.clone())
        self.register_buffer("right", themselves.clone())
        self.register_buffer("value", torch.zeros(shape, dtype=torch.float64))

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, O)."""
        inputs = inputs_nKP.flatten(1)
        stages, n_outputs, nodes = self.value.shape
        feature, threshold, left, right, value = (
            array.reshape(-1)
            for array in (self.feature, self.threshold, self.left, self.right, self.value)
        )
        roots = nodes * torch.arange(stages * n_outputs)  # where each tree's nodes begin
        at = roots.expand(len(inputs), -1)
        for _ in range(DEPTH):
            below = inputs.gather(1, feature[at]) <= threshold[at]
            at = roots + torch.where(below, left[at], right[at])
        return (value[at].reshape(-1, stages, n_outputs).sum(1) + self.initial).float()

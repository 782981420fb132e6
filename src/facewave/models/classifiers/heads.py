"""What turns a clip's prepared numbers into logits: (n, K, P) -> (n, C).

Legend of names: n clips, K steps, P channels, C classes, H hidden units, S stages of boosting,
V nodes of a tree.
"""

import math

import torch
from torch import Tensor, nn

# Of trees: interactions of three numbers. Few problems need more (Hastie et al., The Elements of
# Statistical Learning, 10.11).
DEPTH = 3
_NODES = 2 ** (DEPTH + 1) - 1


class Linear(nn.Module):
    """One weight for each number and class."""

    def __init__(self, n_inputs: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_inputs, n_classes)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, C)."""
        logits: Tensor = self.linear(inputs_nKP.flatten(1))
        return logits


def mlp(n_inputs: int, hidden: int, dropout: float, n_classes: int) -> nn.Module:
    """One hidden layer over all numbers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(n_inputs, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_classes),
    )


class Gru(nn.Module):
    """A recurrent network that reads the steps in both directions (Cho et al., 2014)."""

    def __init__(self, channels: int, hidden: int, dropout: float, n_classes: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * hidden, n_classes)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, C), from where each direction ends."""
        _, ends_2nH = self.gru(inputs_nKP)
        logits: Tensor = self.out(self.dropout(torch.cat([*ends_2nH], 1)))
        return logits


class Encoder(nn.Module):
    """Self-attention between the steps, with learnt positions (Vaswani et al., 2017).

    Two layers, normalised before each part (Xiong et al., 2020), which needs no warm-up.
    """

    def __init__(self, steps: int, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, hidden)
        self.positions = nn.Parameter(0.02 * torch.randn(steps, hidden))
        n_heads = math.gcd(hidden, 4)  # must divide H
        layer = nn.TransformerEncoderLayer(
            hidden, n_heads, 2 * hidden, dropout, "gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(hidden)
        self.layers = nn.TransformerEncoder(layer, 2, norm, enable_nested_tensor=False)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, K, H)."""
        encoded: Tensor = self.layers(self.embed(inputs_nKP) + self.positions)
        return encoded


class Transformer(nn.Module):
    """An encoder of the steps, whose mean is classified."""

    def __init__(
        self, steps: int, channels: int, hidden: int, dropout: float, n_classes: int
    ) -> None:
        super().__init__()
        self.encoder = Encoder(steps, channels, hidden, dropout)
        self.out = nn.Linear(hidden, n_classes)

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, C)."""
        logits: Tensor = self.out(self.encoder(inputs_nKP).mean(1))
        return logits


class Trees(nn.Module):
    """Boosted regression trees (Friedman, 2001): the sum of S for each class.

    A tree is arrays over its nodes, the root first; a leaf is its own child, so that every clip
    takes ``DEPTH`` steps. Thresholds are float64 and inputs float32, as in scikit-learn.
    """

    initial: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor

    def __init__(self, stages: int, n_classes: int) -> None:
        super().__init__()
        shape = (stages, n_classes, _NODES)
        themselves = torch.arange(_NODES).expand(shape)
        self.register_buffer("initial", torch.zeros(n_classes, dtype=torch.float64))
        self.register_buffer("feature", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("left", themselves.clone())
        self.register_buffer("right", themselves.clone())
        self.register_buffer("value", torch.zeros(shape, dtype=torch.float64))

    def forward(self, inputs_nKP: Tensor) -> Tensor:
        """(n, K, P) -> (n, C)."""
        inputs = inputs_nKP.flatten(1)
        stages, n_classes, nodes = self.value.shape
        feature, threshold, left, right, value = (
            array.reshape(-1)
            for array in (self.feature, self.threshold, self.left, self.right, self.value)
        )
        roots = nodes * torch.arange(stages * n_classes)  # where each tree's nodes begin
        at = roots.expand(len(inputs), -1)
        for _ in range(DEPTH):
            below = inputs.gather(1, feature[at]) <= threshold[at]
            at = roots + torch.where(below, left[at], right[at])
        return (value[at].reshape(-1, stages, n_classes).sum(1) + self.initial).float()

"""What joins the features of a clip's faces: (n, T, E) and which are there -> (n, W).

What is not there changes nothing, wherever it stands. A clip without anything gives finite numbers.

Legend of names: n clips, T moments, E features of a face, H hidden units, W features of a clip.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from facewave.models.attention import positions, self_attention
from facewave.params import OverTime

_LAYERS = 2


class Joint(nn.Module, ABC):
    """What joins them; ``width`` is W."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, features_nTE: Tensor, there_nT: Tensor) -> Tensor:
        """(n, T, E), (n, T) -> (n, W)."""


class Mean(Joint):
    """The mean over faces; W = E."""

    def forward(self, features_nTE: Tensor, there_nT: Tensor) -> Tensor:
        """(n, T, E), (n, T) -> (n, E)."""
        weights_nT1 = there_nT[..., None].to(features_nTE.dtype)
        return (features_nTE * weights_nT1).sum(1) / weights_nT1.sum(1).clamp(min=1)


class Attention(Joint):
    """A weighted mean; W = E. Weights are the softmax of w . tanh(V x) of each face's features x.

    Ilse, Tomczak and Welling, "Attention-based Deep Multiple Instance Learning", ICML 2018, eq. 8.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(width)
        # A bias after tanh would be the same for all faces, and softmax takes it out.
        self.score = nn.Sequential(
            nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False)
        )

    def forward(self, features_nTE: Tensor, there_nT: Tensor) -> Tensor:
        """(n, T, E), (n, T) -> (n, E)."""
        scores_nT: Tensor = self.score(features_nTE)[..., 0]
        lowest = torch.finfo(scores_nT.dtype).min  # an infinity gives NaN where nothing is there
        weights_nT = scores_nT.masked_fill(~there_nT, lowest).softmax(1) * there_nT
        return (weights_nT[..., None] * features_nTE).sum(1)


class Gru(Joint):
    """A recurrent network that reads the faces in both directions (Cho et al., 2014); W = 2 H.

    Deng, Chen and Shi, "Multitask Emotion Recognition with Incomplete Labels", FG 2020, have such a
    network behind ResNet50.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(2 * hidden)
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)

    def forward(self, features_nTE: Tensor, there_nT: Tensor) -> Tensor:
        """(n, T, E), (n, T) -> (n, 2 H), from where each direction ends."""
        # First what is there, in order.
        order_nT = (~there_nT).to(torch.uint8).argsort(dim=1, stable=True)
        zeroed_nTE = features_nTE.masked_fill(~there_nT[..., None], 0)
        ordered_nTE = zeroed_nTE.gather(1, order_nT[..., None].expand_as(features_nTE))
        # A clip without anything is read as one moment of zeros.
        lengths_n = there_nT.sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(ordered_nTE, lengths_n, batch_first=True,
                                      enforce_sorted=False)  # fmt: skip
        _, ends_2nH = self.gru(packed)
        return torch.cat([*ends_2nH], 1)


class Transformer(Joint):
    """Self-attention between faces (Vaswani et al., 2017), with its sines as positions; W = H.

    The mean of the last layer is read.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(hidden)
        self.embed = nn.Linear(width, hidden)
        self.layers = self_attention(hidden, dropout, _LAYERS)
        self.mean = Mean(hidden)

    def forward(self, features_nTE: Tensor, there_nT: Tensor) -> Tensor:
        """(n, T, E), (n, T) -> (n, H)."""
        embedded_nTH = self.embed(features_nTE)
        embedded_nTH = embedded_nTH + positions(embedded_nTH)
        # Attention to nothing is NaN: a clip without anything looks at all its moments.
        absent_nT = ~there_nT & there_nT.any(1, keepdim=True)
        encoded_nTH = self.layers(embedded_nTH, src_key_padding_mask=absent_nT)
        pooled_nH: Tensor = self.mean(encoded_nTH, there_nT)
        return pooled_nH


def build(kind: OverTime, width: int, hidden: int, dropout: float) -> Joint:
    """What joins E = ``width`` features of each face, fresh."""
    match kind:
        case "mean":
            return Mean(width)
        case "attention":
            return Attention(width, hidden)
        case "gru":
            return Gru(width, hidden)
        case "transformer":
            return Transformer(width, hidden, dropout)

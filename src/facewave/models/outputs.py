"""How a head's outputs are divided among targets, and the 20 bins that numbers may be learnt in.

The bins are equal and cover [-1, 1] (Deng et al., FG 2020, "Multitask Emotion Recognition with
Incomplete Labels"). Pure.

Legend of names: n clips, B bins.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from facewave.targets import Target

BINS = 20
# Of a value's place among the bins: 0.1 is a lower edge, though in float32 it comes out beside it.
_DECIMALS = 5


def widths(targets: Sequence[Target], binned: bool) -> list[int]:
    """How many outputs each target has; a number has one, or if ``binned`` one for each bin."""
    return [BINS if binned and target.kind == "number" else len(target.names) for target in targets]


def truth_widths(targets: Sequence[Target]) -> list[int]:
    """How many columns of the truth each target has: its words, its units, or one number."""
    return widths(targets, binned=False)


def centres() -> Tensor:
    """The middle of each bin, (B,) float32."""
    return (torch.arange(BINS) + 0.5) * 2 / BINS - 1


def bins(values: Tensor) -> Tensor:
    """The bin of each value, int64 of the same shape; what lies outside is in the nearest bin.

    Each bin holds its lower edge, the last one 1 too.
    """
    places = torch.round((values + 1) * BINS / 2, decimals=_DECIMALS)
    return places.floor().clamp(0, BINS - 1).long()


def expectation(logits_nB: Tensor) -> Tensor:
    """The mean of the bins' centres by their softmax, (n,)."""
    return logits_nB.softmax(1) @ centres().to(logits_nB)

"""What a clip's faces may look like as well, and what is then true of them.

All frames of a clip change alike, so nothing moves that did not. What is drawn follows from a seed
alone, in whatever process: the flip, a small turn, shift and change of size, brightness, contrast
and saturation, and a rectangle that is blacked out (Zhong et al., "Random Erasing Data
Augmentation", AAAI 2020). Grey pictures stay grey, since a tint would tell their corpus; and some
coloured ones turn grey, so that greyness tells it less.

Legend of names: T moments of a clip, C = 3 colours, S pixels a side, W columns of the truth.
"""

import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from facewave.targets import UNITS, Target

Floats = NDArray[np.float64]

_OTHERS = v2.Compose(
    [
        v2.RandomAffine(
            degrees=10,
            translate=(0.05, 0.05),
            scale=(0.9, 1.1),
            interpolation=v2.InterpolationMode.BILINEAR,
        ),
        # Of equal channels each of these makes equal channels. A change of hue would take longer
        # than all the rest, and make skin look like nobody's.
        v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3),
        v2.RandomGrayscale(0.1),
        v2.RandomErasing(0.25, scale=(0.02, 0.15)),
    ]
)
# A unit's side: a word of its own (``AU14 left``, ``AU14_right``) or the end of one
# (``mouthSmileLeft``); or, as FACS has it, a capital letter beside the number (``L12``, ``AU12R``,
# ``AU12_L``). A small letter is none: OpenFace's ``AU12_r`` is an intensity.
_SIDE = re.compile(
    r"(?<![A-Za-z])(?:left|right|Left|Right|LEFT|RIGHT)(?![a-z])|(?<=[a-z])(?:Left|Right)(?![a-z])"
    r"|(?:(?<![A-Za-z])|(?<=AU))[LR](?=[ _-]?(?:AU)?[ _-]?\d)"
    r"|(?:(?<=\d)|(?<=\d[ _-]))[LR](?![A-Za-z])"
)
_OPPOSITE = {"left": "right", "Left": "Right", "LEFT": "RIGHT", "L": "R"}
_OPPOSITE |= {right: left for left, right in _OPPOSITE.items()}


def is_flipped(seed: int) -> bool:
    """Whether ``augmented`` flips the faces of this seed: of half of all seeds."""
    return _draws_flip(torch.Generator().manual_seed(seed))


def _draws_flip(generator: torch.Generator) -> bool:
    return bool(torch.rand((), generator=generator) < 0.5)


def augmented(faces_TCSS: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """A clip's faces, RGB, as the seed has them: (T, C, S, S) of the same shape."""
    if not len(faces_TCSS):
        return faces_TCSS
    faces = torch.from_numpy(faces_TCSS)
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        if _draws_flip(torch.default_generator):  # first of all, as in is_flipped
            faces = functional.horizontal_flip(faces)
        changed: torch.Tensor = _OTHERS(faces)
    return changed.numpy()


def mirrored_names(names: Sequence[str]) -> list[int]:
    """Of each name the place of its mirror image among the names.

    A name without a side is its own; -1 where that of the other side is not among them.
    """
    places = {name: place for place, name in enumerate(names)}
    images = [_SIDE.sub(lambda side: _OPPOSITE[side[0]], name) for name in names]
    return [places.get(image, -1) for image in images]


def mirrored_truth(targets: Sequence[Target], truth_W: Floats) -> Floats:
    """The truth of a flipped clip, (..., W): left and right of action units exchanged.

    It is NaN where the unit of the other side is not among the targets'.
    """
    columns: list[int] = []
    for target in targets:
        places = mirrored_names(target.names) if target.name == UNITS else range(target.width)
        first = len(columns)
        columns += [place if place < 0 else first + place for place in places]
    return np.where(np.array(columns) < 0, np.nan, truth_W[..., columns])

"""What a language model sees of a clip: a few pictures of the followed face, or whole frames.

Legend of names: F pictures that are shown, n rows with a face.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facewave.faces.schema import Faces, decoded
from facewave.params import Language
from facewave.pictures import PICTURES
from facewave.prompts.stills import Picture, resized, stills

_CHOICES = 4  # random whole frames: moments of each part, of which one is drawn


@dataclass(frozen=True, eq=False)
class Shown:
    """The frames of a row's clip that are shown."""

    pictures: list[Picture]  # F, each (h, w, 3) RGB uint8, all of one size
    times_F: NDArray[np.float64]  # seconds from the row's start, never falling
    duration: float  # of the row, in seconds


def moments(
    duration: float, count: int, sampling: Literal["uniform", "random", "middle"], seed: int
) -> NDArray[np.float64]:
    """When to look at a clip: (count,) seconds in [0, duration), rising; 0 without a duration.

    uniform: in the middles of ``count`` equal parts of the clip; random: anywhere in each of these
    parts, as in temporal segment networks (Wang et al., ECCV 2016); middle: in the middles of equal
    parts of the clip's middle third.
    """
    if not duration > 0:
        return np.zeros(count)
    inside = np.random.default_rng(seed).random(count) if sampling == "random" else 0.5
    shares = (np.arange(count) + inside) / max(count, 1)
    if sampling == "middle":
        shares = (1 + shares) / 3
    return np.minimum(shares * duration, np.nextafter(duration, 0))  # against rounding up


def draw_seed(seed: int, epoch: int, video_idx: str) -> int:
    """The seed of a clip's random moments in an epoch, the same on every machine; below 2**32."""
    digest = hashlib.sha256(f"{seed} {epoch} {video_idx}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def show(
    clip: Path,
    key: str,
    fps: float,
    start: float,
    duration: float,
    faces: Faces | None,
    settings: Language,
    seed: int,
) -> Shown:
    """The pictures of a row's clip: ``settings.frames`` of them, of a single picture that alone.

    Faces are those that stage crop cut out, the nearest in time to each moment: no clip is decoded.
    Whole frames, which also stand for a clip without any face, are the first to begin after each
    moment, and a clip is decoded once (stills.py): of random moments there are ``_CHOICES`` in each
    part. If a clip ends too early, its last picture is repeated.

    Args:
        clip: a video, a picture or a folder of pictures.
        key: of its trajectory.
        fps: of pictures.
        start: of the row, in seconds from the first frame; NaN: the clip's.
        duration: of the row, in seconds.
        faces: the row's, if it has any; their times are from the clip's first frame.
        settings: ``side`` is that of a face's square or a whole picture's longer side, in pixels.
        seed: of random moments (``draw_seed``).

    Raises:
        UserError: the clip is needed and not here.
    """
    count = min(settings.frames, 1) if clip.suffix.lower() in PICTURES else settings.frames
    times_F = moments(duration, count, settings.sampling, seed)
    if not count:
        return Shown([], times_F, duration)
    start = 0.0 if math.isnan(start) else start
    if settings.picture == "face" and faces is not None and faces.valid.any():
        seen = np.flatnonzero(faces.valid)
        times_n = faces.times_F[seen] - start
        nearest_F = np.abs(times_n[:, None] - times_F).argmin(axis=0)
        faces_F, times_F = faces.decode(seen[nearest_F]), times_n[nearest_F]
        pictures = [resized(face, settings.side) for face in faces_F]
    else:
        kept_M = times_F
        if settings.sampling == "random":
            kept_M = moments(duration, _CHOICES * count, "uniform", seed)
        nearest_F = np.abs(kept_M[:, None] - times_F).argmin(axis=0)
        kept, times_F = stills(clip, key, fps, start, kept_M, settings.side), kept_M[nearest_F]
        pictures = [decoded(kept[at]) for at in nearest_F]
    return Shown(_of_one_size(pictures), times_F, duration)


def grid(pictures: Sequence[Picture]) -> Picture:
    """All pictures as one, row by row from the top left: as many columns as rows, or one more.

    Smaller pictures have black around them; cells without a picture are black.

    Raises:
        ValueError: there is no picture.
    """
    columns, cells = math.ceil(math.sqrt(len(pictures))), _of_one_size(pictures)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.hstack(cells[at : at + columns]) for at in range(0, len(cells), columns)]
    return np.vstack(rows)


def _of_one_size(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures, padded with black to the largest height and width."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    padded = []
    for picture in pictures:
        canvas = np.zeros((height, width, 3), np.uint8)
        top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        padded.append(canvas)
    return padded

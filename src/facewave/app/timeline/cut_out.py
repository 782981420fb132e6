"""Cuts of a recording as videos of their own, in which one person's face is in the middle."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facewave.app.canvas import Picture, encode
from facewave.app.timeline.schema import Recording
from facewave.files import replacing
from facewave.video import Clip, Frame

_MARGIN = 0.5  # of the face's larger side, around it


@dataclass(frozen=True)
class Cut:
    """A cut of one person, and the file that it is written to.

    Attributes:
        start, end: s from the recording's first frame; a frame at the end is not in it.
    """

    person: int
    start: float
    end: float
    file: Path


@dataclass(frozen=True)
class Square:
    """What of the recording's picture is in a cut: the upper left corner and the side, in pixels.

    ``first`` is the number of the recording's frame that is the cut's first.
    """

    left: int
    top: int
    side: int
    first: int


def write(recording: Recording, cuts: Sequence[Cut], fps: float) -> list[Square]:
    """Write cuts as videos without sound, and say what is in each; decodes once for each person.

    A square stays where it is for all of a cut, around all places of the face.

    Args:
        recording: what the cuts are of.
        cuts: in which the person is in sight; those of one person do not overlap.
        fps: of a recording that is a folder of pictures.
    """
    squares: dict[Cut, Square] = {}
    bar = tqdm(total=len(cuts), desc="cut out", unit="cut", leave=False)
    for person in sorted({cut.person for cut in cuts}):
        frames = _Frames(recording.path, fps)
        for cut in sorted((one for one in cuts if one.person == person), key=lambda one: one.start):
            left, top, side = _square(recording, cut)
            frames.skip(cut.start)
            squares[cut] = Square(left, top, side, frames.number)
            with replacing(cut.file) as temporary:
                encode(_cropped(frames.until(cut.end), left, top, side), temporary)
            bar.update()
    bar.close()
    return [squares[cut] for cut in cuts]


def _square(recording: Recording, cut: Cut) -> tuple[int, int, int]:
    """Left, top and side in pixels: around all places of the face, inside the picture."""
    seen = recording.trajectory(cut.person, cut.start, cut.end)
    size = np.array([recording.facts.width, recording.facts.height])
    points_NP2 = seen.landmarks_TPC[seen.valid_T, :, :2] * size
    faces_N2 = np.ptp(points_NP2, axis=1)
    low, high = points_NP2.min(axis=(0, 1)), points_NP2.max(axis=(0, 1))
    side = float((high - low).max() + 2 * _MARGIN * np.median(faces_N2.max(axis=1)))
    side = 2 * round(min(side, *size) / 2)
    left, top = np.clip(np.round((low + high - side) / 2), 0, size - side).astype(int).tolist()
    return left, top, side


def _cropped(
    frames: Iterator[Frame], left: int, top: int, side: int
) -> Iterator[tuple[float, Picture]]:
    """The square of each frame, with its time from the cut's first."""
    first = None
    for frame in frames:
        first = frame.time if first is None else first
        picture = np.zeros((side, side, 3), np.uint8)  # of a frame that cannot be decoded
        if frame.picture is not None:
            picture = frame.picture[top : top + side, left : left + side]
        yield frame.time - first, np.ascontiguousarray(picture)


class _Frames:
    """A recording's frames, which are read once, with a look at the next."""

    def __init__(self, path: Path, fps: float) -> None:
        self._frames = Clip(path, fps).frames()
        self._next = next(self._frames, None)
        self._origin = self._next.time if self._next else 0.0

    @property
    def number(self) -> int:
        """Of the next frame; 0 after the last."""
        return self._next.number if self._next else 0

    def skip(self, start: float) -> None:
        """Read on to the first frame that is not before ``start`` (s from the first)."""
        for _ in self.until(start):
            pass

    def until(self, end: float) -> Iterator[Frame]:
        """The frames before ``end`` (s from the first)."""
        while self._next is not None and self._next.time - self._origin < end:
            frame, self._next = self._next, next(self._frames, None)
            yield frame

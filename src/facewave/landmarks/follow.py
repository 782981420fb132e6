"""Whose face: which faces of successive frames are one person's, and who is followed. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]

_REACH = 1.0  # faces' sizes that a face may move between two frames
_GROWTH = 2.0  # times that it may grow or shrink
_GONE_S = 10.0  # a face that was not seen for so long is not looked for in its place any more
_SAME = 0.3  # of a face's size: two faces of one frame that are nearer are one, found twice


class Spot(NamedTuple):
    """Where a face is, in pixels: its middle, and the square root of its area."""

    x: float
    y: float
    size: float


class Tracks:
    """Gives each face of a clip, frame by frame, the number of its track."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, Spot]] = {}  # track: when and where it was last
        self._next = 0

    def place(self, time: float, faces: Sequence[Spot]) -> list[int | None]:
        """The tracks of a frame's faces; None for one that was found twice.

        Faces go to the tracks so that the sum of their ways, in sizes of the face, is the least.

        Args:
            time: of the frame (s).
            faces: where they are.
        """
        once = [i for i, face in enumerate(faces) if not _found_before(face, faces[:i])]
        self._last = {t: last for t, last in self._last.items() if time - last[0] <= _GONE_S}
        known = list(self._last)
        ways = [[_way(faces[i], self._last[track][1]) for track in known] for i in once]
        tracks: list[int | None] = [None] * len(faces)
        for at, place in _pairs(ways):
            tracks[once[at]] = known[place]
        for i in once:
            if tracks[i] is None:
                tracks[i] = self._next
                self._next += 1
            self._last[cast(int, tracks[i])] = (time, faces[i])
        return tracks


def prominence(rule: str, face: Spot, width: int, height: int) -> float:
    """What a face in a frame counts for, in [0, 1].

    Args:
        rule: ``longest`` counts frames; ``largest`` takes the face's size, ``center`` its nearness
            to the picture's middle, both as a share of the diagonal.
        face: where it is.
        width: of the picture, in pixels.
        height: the same.
    """
    diagonal = math.hypot(width, height)
    if rule == "largest":
        return min(1.0, face.size / diagonal)
    if rule == "center":
        away = math.hypot(face.x - width / 2, face.y - height / 2)
        return max(0.0, 1.0 - 2.0 * away / diagonal)
    return 1.0


def followed(
    frames_N: NDArray[np.int64], tracks_N: NDArray[np.int64], prominence_N: Floats
) -> NDArray[np.bool_]:
    """Which of N sightings of faces are of the followed one.

    The track with the greatest sum of prominence is followed. A track that is never in sight at the
    same time with it is the same person come back, since nothing says otherwise; where there are
    several such, the more prominent goes first.

    Args:
        frames_N: each sighting's frame.
        tracks_N: its track.
        prominence_N: what it counts for.
    """
    if not len(tracks_N):
        return np.zeros(0, bool)
    sums = np.bincount(tracks_N, prominence_N)
    taken = np.zeros(int(frames_N.max()) + 1, bool)
    chosen = np.zeros(len(tracks_N), bool)
    order = np.argsort(tracks_N, kind="stable")
    ends = np.cumsum(np.bincount(tracks_N))
    for track in np.argsort(-sums, kind="stable"):
        mine = order[ends[track - 1] if track else 0 : ends[track]]
        if not taken[frames_N[mine]].any():
            taken[frames_N[mine]] = True
            chosen[mine] = True
    return chosen


def _found_before(face: Spot, others: Sequence[Spot]) -> bool:
    """Whether a face is where another one is."""
    return any(
        math.hypot(face.x - other.x, face.y - other.y) < _SAME * min(face.size, other.size)
        for other in others
    )


def _way(face: Spot, was: Spot) -> float:
    """How far a face moved, in its sizes; infinitely if it grew or shrank too much for one face."""
    size = max(was.size, 1e-9)
    if not 1 / _GROWTH <= max(face.size, 1e-9) / size <= _GROWTH:
        return math.inf
    return math.hypot(face.x - was.x, face.y - was.y) / size


def _pairs(ways: list[list[float]]) -> list[tuple[int, int]]:
    """Rows and columns that go together, so far as they can; the sum of their ways is the least."""
    if not ways or not ways[0]:
        return []
    if len(ways) == len(ways[0]) == 1:  # nearly always, and then SciPy takes most of our time
        return [(0, 0)] if ways[0][0] <= _REACH else []
    table = np.array(ways)
    rows, columns = linear_sum_assignment(np.where(table <= _REACH, table, 1e6))
    return [(r, c) for r, c in zip(rows, columns, strict=True) if table[r, c] <= _REACH]

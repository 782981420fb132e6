"""Whose face: which faces of successive frames are one person's, and who is followed. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]

_REACH = 1.0  # faces' sizes that a face may move between two frames
_GROWTH = 2.0  # times that it may grow or shrink
_GONE_S = 1.0  # a face that was not seen for so long is not looked for any more
_SAME = 0.3  # of a face's size: two faces of one frame that are nearer are one, found twice


class Spot(NamedTuple):
    """Where a face is, in pixels: its middle, and the square root of its area."""

    x: float
    y: float
    size: float


class Tracks:
    """Gives each face of a clip, frame by frame, the number of its track."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, Floats]] = {}  # track: when and where it was last
        self._next = 0

    def place(self, time: float, faces: Sequence[Spot]) -> list[int | None]:
        """The tracks of a frame's faces; None for one that was found twice.

        Faces go to the tracks so that the sum of their ways, in sizes of the face, is the least.

        Args:
            time: of the frame (s).
            faces: where they are.
        """
        found = np.array(faces, float).reshape(-1, 3)
        once = [i for i, face in enumerate(found) if not _near(face, found[:i])]
        self._last = {t: last for t, last in self._last.items() if time - last[0] <= _GONE_S}
        known = list(self._last)
        places = np.array([self._last[track][1] for track in known]).reshape(-1, 3)
        tracks: list[int | None] = [None] * len(found)
        for at, place in zip(*_pairs(found[once], places), strict=True):
            tracks[once[at]] = known[place]
        for i in once:
            track = tracks[i]
            if track is None:
                track = tracks[i] = self._next
                self._next += 1
            self._last[track] = (time, found[i])
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
    diagonal = float(np.hypot(width, height))
    if rule == "largest":
        return min(1.0, face.size / diagonal)
    if rule == "center":
        away = float(np.hypot(face.x - width / 2, face.y - height / 2))
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
    for track in np.argsort(-sums, kind="stable"):
        mine = tracks_N == track
        if not taken[frames_N[mine]].any():
            taken[frames_N[mine]] = True
            chosen |= mine
    return chosen


def _near(face: Floats, others: Floats) -> bool:
    """Whether a face is where another one is."""
    away = np.hypot(others[:, 0] - face[0], others[:, 1] - face[1])
    return bool((away < _SAME * np.minimum(others[:, 2], face[2])).any())


def _pairs(faces: Floats, places: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Faces and the places where they were, so far as they can be the same."""
    sizes = np.maximum(places[None, :, 2], 1e-9)
    ways = np.hypot(*(faces[:, None, :2] - places[None, :, :2]).transpose(2, 0, 1)) / sizes
    growth = np.maximum(faces[:, None, 2], 1e-9) / sizes
    possible = (ways <= _REACH) & (growth <= _GROWTH) & (growth >= 1 / _GROWTH)
    at, track = linear_sum_assignment(np.where(possible, ways, 1e6))
    sure = possible[at, track]
    return at[sure], track[sure]

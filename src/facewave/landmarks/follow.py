"""Whose face: which faces of successive frames are one person's, and who is followed. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

_REACH = 1.0  # sizes of the face that it may move between two frames
_GROWTH = 2.0  # factor by which it may grow or shrink between two frames
_GONE_S = 10.0  # a face unseen for longer starts a new track
_SAME = 0.3  # sizes of the face: two faces of one frame that are nearer are one, found twice


class Spot(NamedTuple):
    """Where a face is, in pixels: its centre, and the square root of its area."""

    x: float
    y: float
    size: float


class Tracks:
    """Numbers the tracks of a clip's faces, frame by frame."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, Spot]] = {}  # track: when and where it was last seen
        self._next = 0

    def place(self, time: float, faces: Sequence[Spot]) -> list[int | None]:
        """The tracks of a frame's faces at ``time`` (s); None for a face that was found twice.

        The assignment minimises the sum of the faces' moves, in sizes of the face.
        """
        unique = [i for i, face in enumerate(faces) if not _is_duplicate(face, faces[:i])]
        self._last = {t: last for t, last in self._last.items() if time - last[0] <= _GONE_S}
        known = list(self._last)
        moves = [[_move(faces[i], self._last[track][1]) for track in known] for i in unique]
        tracks: list[int | None] = [None] * len(faces)
        for row, column in _assign(moves):
            tracks[unique[row]] = known[column]
        for i in unique:
            if tracks[i] is None:
                tracks[i] = self._next
                self._next += 1
            self._last[cast(int, tracks[i])] = (time, faces[i])
        return tracks


RULES = ("center", "largest", "longest")  # of landmarks.whose


def rule_of(whose: str) -> str:
    """The rule that decides who is the clip's: "all" has that of "center"."""
    return RULES[0] if whose == "all" else whose


def chosen(people: Sequence[Mapping[str, float]], whose: str) -> list[int]:
    """The numbers of the people whom landmarks.whose chooses, first the one who is the clip's.

    Args:
        people: how much each counts by each of the RULES; of none, or by none, it is the first.
        whose: one of the RULES, or "all", whose first is the one of "center".
    """
    counts = [person.get(rule_of(whose), 0.0) for person in people] or [0.0]
    order = sorted(range(len(counts)), key=lambda number: -counts[number])
    return order if whose == "all" else order[:1]


def prominence(rule: str, face: Spot, width: int, height: int) -> float:
    """How much a face in a picture of ``width`` x ``height`` pixels counts, in [0, 1].

    By its size (rule ``largest``) or nearness to the centre (``center``), as a share of the
    diagonal; each frame counts the same by the rule ``longest``.
    """
    diagonal = math.hypot(width, height)
    if rule == "largest":
        return min(1.0, face.size / diagonal)
    if rule == "center":
        distance = math.hypot(face.x - width / 2, face.y - height / 2)
        return max(0.0, 1.0 - 2.0 * distance / diagonal)
    return 1.0


def followed(
    frames_N: NDArray[np.int64], tracks_N: NDArray[np.int64], prominence_N: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of N sightings of faces, each of a frame and a track, are of the followed one.

    The track with the greatest sum of prominence is followed. A track that is never in sight at the
    same time is taken for the same person come back; of several that overlap, the most prominent.
    """
    chosen = np.zeros(len(tracks_N), bool)
    if not len(tracks_N):
        return chosen
    taken = np.zeros(int(frames_N.max()) + 1, bool)
    order = np.argsort(tracks_N, kind="stable")
    sightings = np.split(order, np.cumsum(np.bincount(tracks_N))[:-1])
    for track in np.argsort(-np.bincount(tracks_N, prominence_N), kind="stable"):
        frames = frames_N[sightings[track]]
        if not taken[frames].any():
            taken[frames] = True
            chosen[sightings[track]] = True
    return chosen


def _is_duplicate(face: Spot, others: Sequence[Spot]) -> bool:
    return any(
        math.hypot(face.x - other.x, face.y - other.y) < _SAME * min(face.size, other.size)
        for other in others
    )


def _move(face: Spot, before: Spot) -> float:
    """How far a face moved, in its sizes; infinite if it grew or shrank too much for one face."""
    size = max(before.size, 1e-9)
    if not 1 / _GROWTH <= max(face.size, 1e-9) / size <= _GROWTH:
        return math.inf
    return math.hypot(face.x - before.x, face.y - before.y) / size


def _assign(moves: list[list[float]]) -> list[tuple[int, int]]:
    """Pairs of rows and columns within reach whose sum of moves is minimal."""
    if not moves or not moves[0]:
        return []
    if len(moves) == len(moves[0]) == 1:  # the usual case, which SciPy would make slow
        return [(0, 0)] if moves[0][0] <= _REACH else []
    from scipy.optimize import linear_sum_assignment  # slow to load

    costs = np.array(moves)
    rows, columns = linear_sum_assignment(np.where(costs <= _REACH, costs, 1e6))
    return [(r, c) for r, c in zip(rows, columns, strict=True) if costs[r, c] <= _REACH]

"""Shots of a recording: where its pictures change for good. Pure.

Each picture is compared with the one before it as PySceneDetect's ContentDetector does
(landmarks/engines/cuts.py). A cut is a change that

- lasts: all pictures shortly before it differ from all shortly after it, which those around a flash
  do not; and
- stands out, as PySceneDetect's AdaptiveDetector has it: it is several times as large as the usual
  change around it, which the changes of a fast camera move are not.

A dissolve has no such place, and is none.

Legend of names: T frames, S pixels of a small picture's side, C hue, saturation and brightness.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewave.landmarks.engines import cuts

_AROUND = 3  # frames before and after a cut that are compared, at most,
_AROUND_S = 0.15  # and how far away from it they may be
_LEAST = 20.0  # levels of 255 of a change that lasts,
_STANDS_OUT = 3.0  # and times the mean change near it: AdaptiveDetector's threshold
_NEAR = 4  # frames to each side whose change is that of the surroundings
EDGE = 2 * _AROUND + 1  # frames of each end of a part that its neighbour's changes depend on
_BLOCK = 256  # small pictures that are held in memory, 1.5 MB

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Changes:
    """How pictures change, frame by frame.

    Attributes:
        step_T: from the picture before; 0 for the first.
        lasting_T: the least from any picture shortly before to any shortly after.
    """

    step_T: Floats
    lasting_T: Floats


def between(pictures_TSSC: NDArray[np.uint8], times_T: NDArray[np.float64]) -> Changes:
    """The changes of small pictures (``cuts.small``) shown at these times (s)."""
    count = len(times_T)
    pictures = pictures_TSSC.astype(np.int16)
    # By lag k: the difference of each picture from the k-th before it.
    lags_KT = np.full((EDGE, count), np.inf, np.float32)
    for lag in range(1, min(EDGE, count - 1) + 1):
        differences = np.abs(pictures[lag:] - pictures[:-lag])
        lags_KT[lag - 1, lag:] = differences.mean(axis=(1, 2, 3))
    step_T = np.where(np.isfinite(lags_KT[0]), lags_KT[0], 0).astype(np.float32)
    lasting_T = step_T.copy()
    for before in range(_AROUND):
        for after in range(_AROUND):
            at_T = np.arange(1 + before, max(1 + before, count - after))
            near_T = (times_T[at_T - 1] - times_T[at_T - 1 - before] <= _AROUND_S) & (
                times_T[at_T + after] - times_T[at_T] <= _AROUND_S
            )
            at_T = at_T[near_T]
            least_T = np.minimum(lasting_T[at_T], lags_KT[before + after, at_T + after])
            lasting_T[at_T] = least_T
    return Changes(step_T, lasting_T)


class Watch:
    """Takes pictures one by one; memory does not grow with their number but for two numbers each.

    ``first`` and ``last`` are the small pictures at both ends, EDGE or fewer, as (time, picture).
    """

    def __init__(self) -> None:
        self.first: list[tuple[float, NDArray[np.uint8]]] = []
        self.last: deque[tuple[float, NDArray[np.uint8]]] = deque(maxlen=EDGE)
        self._block: list[tuple[float, NDArray[np.uint8]]] = []
        self._before = 0  # pictures of the block whose changes are known, in part
        self._known: list[Changes] = []

    def add(self, time: float, picture: NDArray[np.uint8] | None) -> bool:
        """The next frame (height, width, 3), RGB; None looks like the one before it.

        Returns:
            Whether there may be a cut before it: only later frames tell for sure.
        """
        if picture is not None:
            small = cuts.small(picture).astype(np.uint8)
        elif self.last:
            small = self.last[-1][1]
        else:
            small = cuts.small(np.zeros((1, 1, 3), np.uint8)).astype(np.uint8)
        step = 0.0
        if self.last:
            step = float(np.abs(small.astype(np.int16) - self.last[-1][1]).mean())
        if len(self.first) < EDGE:
            self.first.append((time, small))
        self.last.append((time, small))
        self._block.append((time, small))
        if len(self._block) >= _BLOCK:
            self._settle(_BLOCK - EDGE)
        return step >= _LEAST

    def changes(self) -> Changes:
        """The changes of all frames."""
        self._settle(len(self._block))
        return joined(self._known)

    def _settle(self, end: int) -> None:
        """Keep the changes of the block up to a frame; go on with EDGE frames before it."""
        if len(self._block) > self._before:
            times, pictures = zip(*self._block, strict=True)
            told = between(np.stack(pictures), np.array(times))
            part = slice(self._before, end)
            self._known.append(Changes(told.step_T[part], told.lasting_T[part]))
            start = max(0, end - EDGE)
            self._block, self._before = self._block[start:], end - start


def joined(parts: list[Changes]) -> Changes:
    """The changes of parts, one after another."""
    nothing = np.empty(0, np.float32)
    return Changes(
        np.concatenate([nothing, *(part.step_T for part in parts)]),
        np.concatenate([nothing, *(part.lasting_T for part in parts)]),
    )


def cut_at(changes: Changes, times_T: NDArray[np.float64]) -> list[int]:
    """The frames with which a new shot begins; the first is none of them.

    Of cuts that are hardly apart the first counts.
    """
    count = len(changes.step_T)
    sums = np.concatenate([[0.0], np.cumsum(changes.step_T, dtype=np.float64)])
    at_T = np.arange(count)
    first_T, last_T = np.maximum(at_T - _NEAR, 1), np.minimum(at_T + _NEAR + 1, count)
    others_T = sums[last_T] - sums[np.minimum(first_T, last_T)] - changes.step_T
    around_T = others_T / np.maximum(last_T - first_T - 1, 1)
    lasts_T = changes.lasting_T >= _LEAST
    stands_out_T = changes.step_T >= _STANDS_OUT * around_T
    lasts_T[:1] = False
    cuts_there: list[int] = []
    for at in np.flatnonzero(lasts_T & stands_out_T).tolist():
        if not cuts_there or times_T[at] - times_T[cuts_there[-1]] > _AROUND_S:
            cuts_there.append(at)
    return cuts_there

"""Transform ``energy`` while a video runs: of the past alone, updated with every frame. Pure.

``energy`` (transform.py) sees a whole window of W seconds, as 64 cells whose end continues into its
start. Its numbers are the mean, and for each octave the root-mean-square of

    (the mean of h cells - the mean of the h cells before) / 2,    h = 32, 16, 8, 4, 2, 1,

the slowest first: with Haar that is the undecimated transform (the "algorithme à trous", Mallat,
2009, A Wavelet Tour of Signal Processing, 5.2.2), in the scale of the maximal overlap transform
(Percival & Walden, 2000, Wavelet Methods for Time Series Analysis, 5.4), whose mean square is the
wavelet variance (Percival, 1995, Biometrika 82).

Here the same filters look back from each moment: cells of W / 64 follow each other from the first
frame on, the mean is that of the last 64, and each octave's root-mean-square is over the last 64
cells at which its filter, 2 h cells long, lies within what has been seen: what Percival calls the
unbiased estimator. So the past counts as far as W + 2 h - 1 cells back, and nothing is joined to
anything else. In expectation the numbers are those of the offline transform, for white noise and
for whatever comes back within the window. Of a value that changes for good the offline circle has
the way back as well: its squares, summed over time, are twice as large in the fast octaves, but 1.3
and 0.5 times as large in the two slowest, which look further back here. Until 2 h cells have been
seen, an octave is what the two halves of what has been seen differ by, over 2.

Only Haar: the slowest filter of a wavelet with L taps is 63 (L - 1) + 1 cells long, three windows
already of db2.

Time. A frame counts from half-way after the previous frame; what is known when a frame comes lasts
until then. The first frame lasts as long before its time as half-way to the second. The numbers
change whenever a cell is complete.

Gaps. In a frame without a face the last value holds. ``ready`` is the share of the window in which
a face was seen; below ``READY`` the numbers say nothing. After a gap longer than the window nothing
of it is left, and all starts anew.

Delay. A mean over W lags by W / 2. The filter of an octave is antisymmetric about a point h cells
ago, so that its phase is linear and its group delay, at every frequency, h cells; the mean of its
squares adds W / 2 (``delays``).

Legend of names: T frames, C channels, K numbers per channel asked for, N there are, O octaves, M
moments.
"""

import math

import numpy as np
from numpy.typing import NDArray

from facewave.wavelets.bases import GRID, OCTAVES
from facewave.wavelets.transform import Floats

READY = 0.5  # of the window, in which a face must have been seen
_HALVES = 2 ** np.arange(OCTAVES - 1, -1, -1)  # h of each octave, the slowest first
_ROUNDING = 1e-9  # of a cell, by which its end may be missed


class CausalEnergy:
    """The numbers of the last W seconds of C channels, a frame after the other.

    A frame takes time in proportion to C and the octaves, whatever W is, and the memory is
    constant. Sums over the window are put together from parts, and begun anew every 64 cells, so
    that rounding errors do not grow.
    """

    def __init__(self, window_s: float, k: int, channels: int) -> None:
        """Begin.

        Args:
            window_s: W, above 0.
            k: numbers per channel, as of ``Transform``: N = min(k, 7).
            channels: C.

        Raises:
            ValueError: the window is not above 0.
        """
        if not window_s > 0:
            raise ValueError(f"a window of {window_s} s")
        self._window_s, self._k, self._channels = window_s, k, channels
        self._last = math.nan  # the latest frame's time
        self._restart()

    def _restart(self) -> None:
        width = self._channels + 1  # beside them, whether a face is seen
        self._face_at = -math.inf  # when there was a face last
        self._start = self._now = math.nan  # of the first cell, and until when frames are counted
        self._cells = 0  # that are complete
        self._held_C, self._cell_C = np.zeros((2, width))  # the latest value, and the cell's sum
        self._sums_GC = np.zeros((GRID + 1, width))  # of all cells until each of the last
        self._latest_OC = np.zeros((OCTAVES, width))
        # In rounds of 64 cells: this round's squares and their sum; of the round before, the sums
        # from each cell to the end.
        self._squares_GOC = np.zeros((GRID, OCTAVES, width))
        self._newer_OC = np.zeros((OCTAVES, width))
        self._older_GOC = np.zeros((GRID, OCTAVES, width))

    def add(self, values_C: Floats, time: float) -> None:
        """Count a frame.

        Args:
            values_C: (C,); where one of them is not finite, no face was seen.
            time: when (s), later than the frame before.

        Raises:
            ValueError: the time is not later, or the number of channels another.
        """
        if values_C.shape != (self._channels,):
            raise ValueError(f"values {values_C.shape} of {self._channels} channels")
        if time <= self._last:
            raise ValueError(f"a frame at {time} s after one at {self._last} s")
        seen = bool(np.isfinite(values_C).all())
        if seen and time - self._face_at > self._window_s:
            self._restart()
        elif self._face_at > -math.inf:
            middle = (self._last + time) / 2
            if math.isnan(self._start):
                self._start = self._now = self._last - (middle - self._last)
            self._hold(middle)
        self._last = time
        if seen:
            self._held_C[:-1] = values_C
            self._face_at = time
        self._held_C[-1] = seen
        if not math.isnan(self._start):
            self._hold(time)

    @property
    def numbers(self) -> Floats:
        """The numbers (N, C) at the latest frame; 0 before the first cell is complete."""
        at = self._cells % GRID
        counts_O = _counts(self._cells)
        means_OC = (self._newer_OC + self._older_GOC[at]) / np.maximum(counts_O, 1)[:, None]
        squares_OC = np.where(counts_O[:, None] > 0, means_OC, self._latest_OC**2)
        return _numbers(self._sum() / max(min(self._cells, GRID), 1), squares_OC, self._k)[:, :-1]

    @property
    def ready(self) -> float:
        """The share of the window in which a face was seen."""
        return _share(self._sum())

    def _hold(self, until: float) -> None:
        """Hold the latest value until a time."""
        cell_s = self._window_s / GRID
        for cell in range(self._cells, _complete(until - self._start, cell_s)):
            end = self._start + (cell + 1) * cell_s
            self._cell_C += self._held_C * (end - self._now)
            self._now = end
            self._add_cell(self._cell_C / cell_s)
            self._cell_C[:] = 0
        self._cell_C += self._held_C * (until - self._now)
        self._now = until

    def _add_cell(self, means_C: Floats) -> None:
        before_C = self._sums_GC[self._cells % (GRID + 1)]
        self._cells += 1
        self._sums_GC[self._cells % (GRID + 1)] = before_C + means_C
        halves_O = np.minimum(_HALVES, self._cells // 2)
        back_3O = self._cells - np.outer(range(3), halves_O)
        self._latest_OC = _details(self._sums_GC[back_3O % (GRID + 1)], halves_O)
        full_O = self._cells >= 2 * _HALVES
        squares_OC = np.where(full_O[:, None], self._latest_OC**2, 0.0)
        at = (self._cells - 1) % GRID
        self._squares_GOC[at] = squares_OC
        self._newer_OC += squares_OC
        if at == GRID - 1:
            np.cumsum(self._squares_GOC[::-1], axis=0, out=self._older_GOC[::-1])
            self._newer_OC[:] = 0
            self._sums_GC -= self._sums_GC[(self._cells + 1) % (GRID + 1)].copy()

    def _sum(self) -> Floats:
        """Of the cells in the window."""
        oldest = max(self._cells - GRID, 0)
        return self._sums_GC[self._cells % (GRID + 1)] - self._sums_GC[oldest % (GRID + 1)]


def causal_energy(
    values_TC: Floats, times_T: Floats, window_s: float, k: int, at_M: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """What ``CausalEnergy`` says at some frames of a whole trajectory, all at once.

    Args:
        values_TC: (T, C), not finite where no face was seen.
        times_T: seconds, strictly increasing.
        window_s: W, above 0.
        k: numbers per channel, as of ``Transform``.
        at_M: the positions of the frames, increasing.

    Returns:
        numbers (M, N, C), 0 before the first cell is complete, and ``ready``, (M,).
    """
    width = values_TC.shape[1] + 1
    found_MNC = np.zeros((len(at_M), min(k, 1 + OCTAVES), width))
    ready_M = np.zeros(len(at_M))
    seen_T = np.isfinite(values_TC).min(axis=1)
    faces = np.flatnonzero(seen_T)
    starts = faces[np.diff(times_T[faces], prepend=-np.inf) > window_s]
    for first, end in zip(starts, [*starts[1:], len(times_T)], strict=True):
        held_T = np.maximum.accumulate(np.where(seen_T[first:end], np.arange(first, end), first))
        held_TC = np.column_stack([values_TC[held_T], seen_T[first:end]])
        asked = np.flatnonzero((at_M > first) & (at_M < end))
        if len(asked):
            times = times_T[first:end]
            start = times[0] - ((times[0] + times[1]) / 2 - times[0])
            cells_M = [_complete(time - start, window_s / GRID) for time in times_T[at_M[asked]]]
            sums_GC = _sums(held_TC, times, start, window_s / GRID, cells_M[-1])
            for at, cells in zip(asked, cells_M, strict=True):
                oldest = max(cells - GRID, 0)
                sum_C = sums_GC[cells] - sums_GC[oldest]
                ready_M[at] = _share(sum_C)
                squares_OC = _mean_squares(sums_GC, cells)
                found_MNC[at] = _numbers(sum_C / max(cells - oldest, 1), squares_OC, k)
    return found_MNC[..., :-1], ready_M


def delays(window_s: float, k: int) -> Floats:
    """How many seconds ago what each number tells happened on average, (N,).

    Of the last number, if it has several octaves in it, that of the slowest of them.
    """
    halves_s = _HALVES[: min(k, 1 + OCTAVES) - 1] * window_s / GRID
    return window_s / 2 + np.concatenate([[0.0], halves_s])


def _sums(held_TC: Floats, times_T: Floats, start: float, cell_s: float, cells: int) -> Floats:
    """The sums of all cells until each, (cells + 1, C)."""
    middles = (times_T[1:] + times_T[:-1]) / 2
    # From the start on, each frame until half-way to the next, from where on the next is there.
    at = np.concatenate([[start], np.column_stack([middles, times_T[1:]]).ravel()])
    pieces = np.repeat(held_TC, 2, axis=0)[1:-1]
    integral = np.vstack([np.zeros(pieces.shape[1]), np.cumsum(np.diff(at)[:, None] * pieces, 0)])
    ends = start + np.arange(cells + 1) * cell_s
    piece = np.clip(np.searchsorted(at, ends, "right") - 1, 0, len(pieces) - 1)
    return (integral[piece] + pieces[piece] * (ends - at[piece])[:, None]) / cell_s


def _share(sum_C: Floats) -> float:
    """``ready``, of the sum over the window's cells."""
    return min(max(float(sum_C[-1]) / GRID, 0.0), 1.0)


def _mean_squares(sums_GC: Floats, cells: int) -> Floats:
    """Of each octave over the window that ends after some cells, (O, C)."""
    squares = []
    for half, count in zip(_HALVES, _counts(cells), strict=True):
        halves = np.array([min(half, cells // 2)])
        ends = cells - np.arange(max(count, 1))
        back = ends - np.outer(range(3), halves)
        squares.append((_details(sums_GC[back], halves) ** 2).mean(axis=0))
    return np.stack(squares)


def _complete(seconds: float, cell_s: float) -> int:
    """How many cells are complete so many seconds after the start."""
    return math.floor(seconds / cell_s + _ROUNDING)


def _counts(cells: int) -> NDArray[np.int_]:
    """At how many of the window's cells each octave's filter lies in what has been seen, (O,)."""
    return np.clip(cells + 1 - 2 * _HALVES, 0, GRID)


def _details(sums_3OC: Floats, halves_O: NDArray[np.int_]) -> Floats:
    """Half the difference of two means, of the sums now, h cells and 2 h cells ago."""
    now, before, long_before = sums_3OC
    return (now - 2 * before + long_before) / (2 * np.maximum(halves_O, 1))[:, None]


def _numbers(mean_C: Floats, squares_OC: Floats, k: int) -> Floats:
    """The numbers (N, C); the last has all faster octaves in it, as of ``energy``."""
    single, rest = np.split(squares_OC, [max(min(k, 1 + OCTAVES) - 2, 0)])
    return np.vstack([mean_C, np.sqrt(single), np.sqrt(rest.sum(axis=0))])[:k]

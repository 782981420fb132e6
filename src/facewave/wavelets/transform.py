"""Trajectories of any length -> K numbers each. Pure; all channels at once.

Legend of names: T frames, C channels, K or N numbers per channel.

There are two purposes. To tell emotions apart (recognition), numbers should not depend on when
something happened, since nothing lines two clips up in time: ``energy``, the default of
params.yaml. To bring a trajectory back (reconstruction: drawings, a language model's face tokens)
they must: ``approximation`` and what follows it.

All transforms but ``block`` see the whole clip: nothing is cut off or padded. In all but
``uniform`` every frame counts for as long as it lasts (half-way to its neighbours). Time is
relative to the clip's length: a clip that is played faster gives the same numbers.

``energy``
    The mean over the clip, and for each octave of movement its root-mean-square over the clip, the
    slowest first: that there was movement, and how fast, not when. The octaves are those of the
    undecimated wavelet transform (Percival, 1995, Biometrika 82: the wavelet variance) of 64 cells
    whose end continues into the start, so that a clip that begins elsewhere in the circle gives the
    same numbers. There are K - 1, six at most; the last has all faster movement in it: with K = 2
    and an orthogonal wavelet it is the standard deviation.
``approximation``
    The coefficients of the K scaling functions of ``wavelet`` over the clip's time that come
    nearest to the trajectory, by least squares weighted with the frames' durations. They are in
    the trajectory's own units and in temporal order. With Haar they are the means over K equal
    parts, as long as no frame lies in two of them.
``pyramid``
    The same with the coarsest K functions of a full decomposition, the coarsest first.
``largest``
    A full decomposition of 64 cells. Training learns from its training part which K of the 64 are
    kept, the same for all clips (models/classifiers/reduce.py).
``block``
    An earlier formula, unchanged, for comparison: ``wavedec`` with level
    max(1, int(log2(2**ceil(log2 T) / 10))), the approximation only, / sqrt(2)**level, the first K
    numbers, padded with zeros. It drops up to 38 % of a clip's end. Frames without a face are
    dropped first (features.py), not interpolated.

Rivals: ``mean``, ``mean_std``, ``uniform`` (values at K equal distances in time, by linear
interpolation), ``dct`` (the first K cosines, by least squares), ``pca`` (64 means, of which
training keeps the K leading directions over time).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pywt
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from facewave.errors import UserError
from facewave.params import Boundary, Sides, TransformName, Wavelets
from facewave.wavelets import bases
from facewave.wavelets.schema import TIMELESS

Floats = NDArray[np.float64]

LEARNT = ("largest", "pca")  # training keeps K of their bases.GRID numbers
BOUNDED = ("approximation", "pyramid")  # the boundary matters to them
RIVALS = ("mean", "mean_std", "uniform", "dct", "pca")  # they have no wavelet
# Combinations of functions that the frames determine by less than this share of the best determined
# are left at the mean, since they would amplify noise; long filters have some at a clip's ends.
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Transform:
    """What turns one clip into a fixed handful of numbers per channel.

    Attributes:
        transform: see the module.
        wavelet: a discrete wavelet of PyWavelets; the rivals ignore it.
        boundary: what approximation and pyramid assume beyond the clip's ends: open: nothing;
            periodic: that the clip repeats.
        k: numbers per channel.
        sides: whether left and right of the face are transformed apart, or their mean is
            (features.py does that).
    """

    transform: TransformName = "approximation"
    wavelet: str = "bior3.1"
    boundary: Boundary = "open"
    k: int = 10
    sides: Sides = "apart"

    def __post_init__(self) -> None:
        if self.wavelet not in pywt.wavelist(kind="discrete"):
            raise UserError(
                f"params.yaml: wavelets.wavelet {self.wavelet!r} is not a discrete wavelet of "
                f"PyWavelets. These are: {', '.join(pywt.wavelist(kind='discrete'))}."
            )
        if self.transform in LEARNT and self.k > bases.GRID:
            raise UserError(
                f"params.yaml: wavelets.k {self.k} exceeds the {bases.GRID} numbers that transform "
                f"{self.transform} chooses from."
            )

    @classmethod
    def of(cls, settings: Wavelets) -> "Transform":
        """The transform that section ``wavelets`` of params.yaml describes."""
        return cls(
            settings.transform, settings.wavelet, settings.boundary, settings.k, settings.sides
        )

    @property
    def name(self) -> str:
        """The transform, its wavelet if it has one, and "periodic" if that makes a difference."""
        wavelet = f" {self.wavelet}" if self.transform not in RIVALS else ""
        ends = " periodic" if self.boundary == "periodic" and self.transform in BOUNDED else ""
        return f"{self.transform}{wavelet}{ends}"

    @property
    def numbers(self) -> int:
        """Numbers per channel, N: K, but no more than there are, and all where training chooses."""
        match self.transform:
            case "mean":
                return 1
            case "mean_std":
                return 2
            case "energy":
                return min(self.k, 1 + bases.OCTAVES)
            case "largest" | "pca":
                return bases.GRID
            case _:
                return self.k

    def __call__(self, values_TC: Floats, times_T: Floats) -> Floats:
        """Transform every channel of one clip.

        Args:
            values_TC: (T, C), T >= 2, finite (see ``fill_gaps``).
            times_T: seconds, strictly increasing.

        Returns:
            (N, C), in the channels' own units.

        Raises:
            ValueError: fewer than two frames, or a value that is not finite.
        """
        if len(values_TC) < 2 or not np.isfinite(values_TC).all():
            raise ValueError("a trajectory needs at least two frames, all finite")
        match self.transform:
            case "mean_std":
                lasts_T = np.diff(frame_edges(times_T))
                mean = np.average(values_TC, axis=0, weights=lasts_T)
                spread = np.average((values_TC - mean) ** 2, axis=0, weights=lasts_T)
                return np.stack([mean, np.sqrt(spread)])
            case "uniform":
                at = np.linspace(times_T[0], times_T[-1], self.k)
                return make_interp_spline(times_T, values_TC, k=1)(at)
            case "largest":
                cells = cell_means(values_TC, times_T, bases.GRID)
                parts = bases.decompose(cells, self.wavelet, "periodic")
                return np.concatenate(parts) / math.sqrt(bases.GRID)
            case "pca":
                return cell_means(values_TC, times_T, bases.GRID)
            case "energy":
                cells = cell_means(values_TC, times_T, bases.GRID)
                energies = bases.energies(cells, self.wavelet)
                single, rest = np.split(energies, [max(self.numbers - 2, 0)])
                last = np.sqrt((rest**2).sum(axis=0))
                return np.vstack([cells.mean(axis=0), *single, last])[: self.numbers]
            case "block":
                level = block_level(len(values_TC))
                means = bases.wavedec(values_TC, self.wavelet, "symmetric", level)[0]
                kept = means[: self.k] / math.sqrt(2) ** level
                return np.pad(kept, ((0, self.k - len(kept)), (0, 0)))
            case _:
                return _fitting(self, times_T.astype(np.float64).tobytes()) @ values_TC

    def inverse(self, numbers_NC: Floats, times_T: Floats) -> Floats:
        """The trajectory that numbers stand for, (T, C), at frames of any times.

        For ``energy`` and ``mean_std`` it is the mean: the rest has no place in time. For
        ``block`` the last value is held where the clip was cut off.
        """
        if self.transform == "block":
            level = block_level(len(times_T))
            still = np.zeros((len(times_T), numbers_NC.shape[1]))
            parts = bases.wavedec(still, self.wavelet, "symmetric", level)
            kept = min(self.k, len(parts[0]))
            parts[0][:kept] = numbers_NC[:kept] * math.sqrt(2) ** level
            parts[0][kept:] = parts[0][kept - 1]
            return pywt.waverec(parts, self.wavelet, "symmetric", axis=0)[: len(times_T)]
        functions_TK = self.synthesis(times_T)
        return functions_TK @ numbers_NC[: functions_TK.shape[1]]

    def synthesis(self, times_T: Floats) -> Floats:
        """The functions whose coefficients the numbers are, (T, N), in frames of any times.

        Raises:
            ValueError: the transform is ``block``, whose functions depend on T.
        """
        match self.transform:
            case "uniform":
                at = np.linspace(times_T[0], times_T[-1], self.k)
                return np.stack([np.interp(times_T, at, line) for line in np.eye(self.k)], axis=1)
            case "block":
                raise ValueError("the functions of block depend on the number of frames")
            case _:
                return bases.in_frames(self._functions(), frame_edges(times_T))

    def over_time(self, points: int) -> NDArray[np.float32]:
        """The functions in equal parts of a clip's time, (points, N).

        It has no rows if not all numbers are coefficients of functions of time.
        """
        if self.transform in ("block", *TIMELESS):
            return np.empty((0, self.numbers), np.float32)
        return self.synthesis((np.arange(points) + 0.5) / points).astype(np.float32)

    def _functions(self) -> Floats:
        match self.transform:
            case "approximation":
                return bases.scaling_functions(self.wavelet, self.boundary, self.k)
            case "pyramid":
                return bases.pyramid(self.wavelet, self.boundary, self.k)
            case "largest":
                return bases.cells(self.wavelet)
            case "pca":
                return bases.lines(bases.GRID)
            case "dct":
                return bases.cosines(self.k)
            case _:
                return bases.cosines(1)

    def _one(self) -> Floats:
        """The coefficients (K,) of the constant 1, for transforms that fit functions."""
        match self.transform:
            case "approximation":
                return np.ones(self.k)
            case "pyramid":
                return bases.pyramid_of_one(self.wavelet, self.boundary, self.k)
            case _:
                return np.eye(self.numbers)[0]  # cosines


@lru_cache(maxsize=64)
def _fitting(transform: Transform, times: bytes) -> Floats:
    """The matrix (K, T) that fits frames at ``times`` (float64), shared by clips of equal times."""
    times_T = np.frombuffer(times)
    return fitting(transform.synthesis(times_T), times_T, transform._one())


def fitting(functions_TK: Floats, times_T: Floats, constant_K: Floats | None = None) -> Floats:
    """The matrix (K, T) that takes frames to the nearest sum of functions.

    Args:
        functions_TK: the functions' means over each frame.
        times_T: seconds.
        constant_K: the coefficients of the constant 1; without them, what the frames do not
            determine is left at 0 instead of the mean.
    """
    lasts_T = np.diff(frame_edges(times_T))
    weights = np.sqrt(lasts_T)
    inverse_KT = np.linalg.pinv(weights[:, None] * functions_TK, rcond=_LEAST_SHARE)
    matrix_KT = np.asarray(inverse_KT, np.float64) * weights
    if constant_K is None:
        return matrix_KT
    rest_K = constant_K - matrix_KT.sum(axis=1)
    return matrix_KT + np.outer(rest_K, lasts_T / lasts_T.sum())


def block_level(n_frames: int) -> int:
    """The level of ``block``; the 10 belongs to the formula and does not depend on K."""
    return max(1, int(math.log2(2 ** math.ceil(math.log2(n_frames)) / 10)))


def frame_edges(times_T: Floats) -> Floats:
    """When each frame begins, and when the last one ends, (T + 1,), for T >= 2.

    A frame lasts from half-way after the previous frame to half-way before the next one; the first
    and the last extend as far outwards as inwards.
    """
    middles = (times_T[1:] + times_T[:-1]) / 2
    return np.concatenate([[2 * times_T[0] - middles[0]], middles, [2 * times_T[-1] - middles[-1]]])


def cell_means(values_TC: Floats, times_T: Floats, n_cells: int) -> Floats:
    """Means over equal parts of the clip's time, (n_cells, C)."""
    return _averaging(n_cells, times_T.astype(np.float64).tobytes()) @ values_TC


@lru_cache(maxsize=64)
def _averaging(n_cells: int, times: bytes) -> Floats:
    """Each frame's share of each cell, (n_cells, T), shared by clips of equal times (float64)."""
    edges = frame_edges(np.frombuffer(times))
    cells = np.linspace(edges[0], edges[-1], n_cells + 1)[:, None]
    overlaps = np.minimum(cells[1:], edges[1:]) - np.maximum(cells[:-1], edges[:-1])
    return np.maximum(overlaps, 0) * n_cells / (edges[-1] - edges[0])


def fill_gaps(values_TC: Floats, valid_T: NDArray[np.bool_], times_T: Floats) -> Floats:
    """Replace frames without a face: linear in time between neighbours, constant at the ends.

    The caller decides whether the gaps are short enough for that.

    Raises:
        ValueError: fewer than two frames are valid.
    """
    if valid_T.sum() < 2:
        raise ValueError("filling gaps needs at least two valid frames")
    if valid_T.all():
        return values_TC
    known = times_T[valid_T]
    line = make_interp_spline(known, values_TC[valid_T], k=1)
    return line(np.clip(times_T, known[0], known[-1]))

"""Trajectories of any length -> K numbers each. Pure; all channels at once.

Legend of names: T frames, C channels, K numbers per channel, N points of the normalised grid.

Three modes:

``approximation`` (default)
    The whole clip, nothing cut or padded. The clip's duration is divided into N = K * 2**L equal
    cells, each the mean over the time it covers (a frame lasts half-way to its neighbours, so
    uneven frame times are honoured and every frame counts); the L-level approximation of the
    periodic wavelet transform leaves K coefficients, which / sqrt(2)**L are local means in the
    trajectory's own units. With Haar these are the means over K equal parts of the clip.
``fit``
    The whole clip as well: the coefficients of the K scaling functions over its time that come
    nearest to the trajectory, in the least squares of what each frame lasts. Open ends: nothing is
    assumed of what lies before and after. It has an inverse.
``block``
    The earlier formula, kept to the letter for comparison: ``wavedec`` with level
    max(1, int(log2(2**ceil(log2 T) / 10))), the approximation only, / sqrt(2)**level, the first K
    numbers or zeros appended. It drops up to 38 % of a clip's end.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pywt
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from facewave.errors import UserError
from facewave.wavelets import bases

Floats = NDArray[np.float64]

# Of mode fit: combinations of functions that frames show by less than this share of the best shown
# are left at the mean, else noise would be blown up; long filters have such at the clip's ends.
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Transform:
    """What is needed to turn one clip into K numbers per channel.

    Attributes:
        mode: see the module.
        family: a discrete wavelet's name, as PyWavelets has it.
        level: "auto" (approximation: the smallest with K * 2**level >= T; block: its formula), or
            a number of levels.
        k: numbers per channel.
    """

    mode: Literal["approximation", "fit", "block"] = "approximation"
    family: str = "haar"
    level: Literal["auto"] | int = "auto"
    k: int = 10

    def __post_init__(self) -> None:
        if self.family not in pywt.wavelist(kind="discrete"):
            raise UserError(
                f"params.yaml: wavelets.family {self.family!r} is no discrete wavelet of "
                f"PyWavelets; it has {', '.join(pywt.wavelist(kind='discrete'))}."
            )

    def levels(self, n_frames: int) -> int:
        """The number of decomposition levels for a clip of ``n_frames``."""
        if self.level != "auto":
            return self.level
        if self.mode == "block":
            return block_level(n_frames)
        return max(1, math.ceil(math.log2(max(1, n_frames / self.k))))

    def __call__(self, values_TC: Floats, times_T: Floats) -> Floats:
        """Transform every channel of one clip.

        Args:
            values_TC: (T, C), T >= 2, finite (see ``fill_gaps``).
            times_T: seconds, strictly increasing.

        Returns:
            (K, C), in the channels' own units.

        Raises:
            ValueError: fewer than two frames, or a value that is not finite.
        """
        if len(values_TC) < 2 or not np.isfinite(values_TC).all():
            raise ValueError("a trajectory needs at least two frames, all finite")
        if self.mode == "fit":
            frames_TK, lasts_T = self._frames(times_T)
            middle = lasts_T @ values_TC / lasts_T.sum()  # so that what is not fitted is the mean
            weights = np.sqrt(lasts_T)[:, None]
            inverse = np.linalg.pinv(weights * frames_TK, rcond=_LEAST_SHARE)
            return middle + inverse @ (weights * (values_TC - middle))
        level = self.levels(len(values_TC))
        if self.mode == "block":
            kept = _approximation(values_TC, self.family, "symmetric", level)[: self.k]
            return np.pad(kept, ((0, self.k - len(kept)), (0, 0)))
        cells_NC = cell_means(values_TC, times_T, self.k * 2**level)
        return _approximation(cells_NC, self.family, "periodization", level)

    def inverse(self, numbers_KC: Floats, times_T: Floats) -> Floats:
        """The trajectory that numbers of mode ``fit`` stand for, (T, C), at frames of any times.

        Raises:
            ValueError: the mode has no inverse.
        """
        if self.mode != "fit":
            raise ValueError(f"mode {self.mode} has no inverse")
        return self._frames(times_T)[0] @ numbers_KC

    def _frames(self, times_T: Floats) -> tuple[Floats, Floats]:
        """The functions' means over each frame, (T, K), and what each frame lasts, (T,)."""
        edges = frame_edges(times_T)
        functions_NK = bases.scaling_functions(self.family, self.k)
        return bases.in_frames(functions_NK, edges), np.diff(edges)


def _approximation(values_TC: Floats, family: str, boundary: str, level: int) -> Floats:
    """The approximation coefficients, scaled to be local means."""
    with warnings.catch_warnings():
        # PyWavelets advises against levels that only see the boundary; both modes want them.
        warnings.filterwarnings("ignore", message="Level value of", category=UserWarning)
        coefficients = pywt.wavedec(values_TC, family, boundary, level, axis=0)[0]
    return coefficients / math.sqrt(2) ** level


def block_level(n_frames: int) -> int:
    """The level of mode ``block``; its 10 is the formula's own, whatever K is."""
    return max(1, int(math.log2(2 ** math.ceil(math.log2(n_frames)) / 10)))


def frame_edges(times_T: Floats) -> Floats:
    """When frames begin, and the last one ends, (T + 1,), of T >= 2.

    A frame holds from half-way after the frame before to half-way before the next; the first and
    the last reach as far outwards as inwards.
    """
    middles = (times_T[1:] + times_T[:-1]) / 2
    return np.concatenate([[2 * times_T[0] - middles[0]], middles, [2 * times_T[-1] - middles[-1]]])


def cell_means(values_TC: Floats, times_T: Floats, n_cells: int) -> Floats:
    """Means over ``n_cells`` equal parts of the clip's time.

    Returns:
        (n_cells, C).
    """
    edges = frame_edges(times_T)
    # The integral is piecewise linear with knots at the edges: interpolating it is exact.
    parts_TC = values_TC * np.diff(edges)[:, None]
    integral = make_interp_spline(edges, np.vstack([0 * parts_TC[:1], parts_TC]).cumsum(0), k=1)
    at = np.linspace(edges[0], edges[-1], n_cells + 1)
    return np.diff(integral(at), axis=0) * n_cells / (edges[-1] - edges[0])


def fill_gaps(values_TC: Floats, valid_T: NDArray[np.bool_], times_T: Floats) -> Floats:
    """Replace frames without a face: linear in time between neighbours, held at the ends.

    Whether the gaps are short enough for that is for the caller to say.

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

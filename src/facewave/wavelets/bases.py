"""Sets of functions of a clip's time, from its start to its end, that trajectories are fitted with.

Pure. Legend of names: N points of the normalised time, K functions, T frames.
"""

import math
import warnings
from functools import cache

import numpy as np
import pywt
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.params import Boundary

Floats = NDArray[np.float64]

OCTAVES = 6  # of a full decomposition
GRID = 2**OCTAVES  # cells that it starts from
_POINTS = 1024  # of the clip's time, at least, at which functions are sampled
_MIDDLES = (np.arange(_POINTS) + 0.5) / _POINTS
_LEAST = 1e-2  # root-mean-square of a function that lies almost wholly outside the clip
# PyWavelets' signal extension modes. All that do not repeat the clip have the same functions: they
# differ in what they assume beyond the ends, and a fit assumes nothing.
_EXTENSION = {"open": "zero", "periodic": "periodization"}


@cache
def scaling_functions(wavelet: str, boundary: Boundary, k: int) -> Floats:
    """The K scaling functions from which PyWavelets reconstructs a whole clip.

    They add up to 1 everywhere, so all coefficients of a constant are that constant.

    Args:
        wavelet: a discrete wavelet's name; its synthesis side is taken.
        boundary: open: functions are cut off at the clip's ends, and nothing is assumed beyond
            them; periodic: the end continues into the start.
        k: number of functions.

    Returns:
        (N, K), the functions' values in the middle of N equal parts of the clip.

    Raises:
        UserError: the wavelet's filter is too long for K functions.
    """
    return _refined(np.eye(k), wavelet, boundary)


@cache
def pyramid(wavelet: str, boundary: Boundary, k: int = GRID) -> Floats:
    """The coarsest K functions of a full decomposition of GRID cells, the coarsest first.

    From the level that does not fit as a whole, evenly spaced functions are taken. Each function
    has a root-mean-square of 1, except those that lie almost wholly outside the clip. Arguments and
    shape as in ``scaling_functions``.

    Raises:
        UserError: K is more than GRID, or less than the coarsest level has.
    """
    if k > GRID:
        raise UserError(f"params.yaml: wavelets.k {k} exceeds the {GRID} functions of a pyramid.")
    lengths = _lengths(wavelet, boundary)
    if k < lengths[0]:
        raise UserError(
            f"params.yaml: wavelets.k {k} is too few for the pyramid of {wavelet} with "
            f"{boundary} ends, which needs at least {lengths[0]}."
        )
    functions, sizes_K = _pyramid(wavelet, boundary, k)
    return functions / sizes_K


def pyramid_of_one(wavelet: str, boundary: Boundary, k: int = GRID) -> Floats:
    """The coefficients (K,) of the constant 1 in ``pyramid``: only its coarsest level has any."""
    coarsest = _lengths(wavelet, boundary)[0]
    functions, sizes_K = _pyramid(wavelet, boundary, k)
    height = functions[:, :coarsest].sum(axis=1).mean()
    return np.where(np.arange(k) < coarsest, sizes_K / height, 0)


@cache
def cells(wavelet: str) -> Floats:
    """The functions, (GRID, GRID), of the numbers of ``decompose``, periodic, over sqrt(GRID)."""
    lengths = _lengths(wavelet, "periodic")
    parts = np.split(math.sqrt(GRID) * np.eye(GRID), np.cumsum(lengths)[:-1])
    return pywt.waverec(parts, wavelet, _EXTENSION["periodic"], axis=0)


def cosines(k: int) -> Floats:
    """The first K of the discrete cosine transform (DCT-II), (N, K)."""
    return np.cos(np.pi * _MIDDLES[:, None] * np.arange(k))


def lines(k: int) -> Floats:
    """Piecewise linear functions, each 1 in the middle of one of K equal parts, (N, K)."""
    middles = (np.arange(k) + 0.5) / k
    return np.stack([np.interp(_MIDDLES, middles, line) for line in np.eye(k)], axis=1)


def decompose(cells_NC: Floats, wavelet: str, boundary: Boundary) -> list[Floats]:
    """PyWavelets' full decomposition along the first axis, down to the coarsest level."""
    return wavedec(cells_NC, wavelet, _EXTENSION[boundary], int(math.log2(len(cells_NC))))


def energies(cells_NC: Floats, wavelet: str) -> Floats:
    """Root-mean-square over the clip of each octave of movement, (OCTAVES, C), slowest first.

    Of the undecimated transform of GRID cells whose end continues into the start. It follows from
    the cells' power spectrum alone (Parseval), which shifting them in that circle does not change.
    With an orthogonal wavelet the squares add up to the cells' variance.
    """
    spectrum_FC = np.fft.fft(cells_NC, axis=0) / len(cells_NC)
    return np.sqrt(_gains(wavelet) @ np.abs(spectrum_FC) ** 2)


@cache
def _gains(wavelet: str) -> Floats:
    """What each octave passes of each frequency's power, (OCTAVES, GRID)."""
    details_ON = pywt.swt(np.eye(GRID)[0], wavelet, OCTAVES, trim_approx=True)[1:]
    powers_OF = np.abs(np.fft.fft(details_ON)) ** 2
    # Each level of PyWavelets' transform doubles the power.
    return powers_OF / 2.0 ** np.arange(OCTAVES, 0, -1)[:, None]


def wavedec(values_TC: Floats, wavelet: str, extension: str, level: int) -> list[Floats]:
    """PyWavelets' decomposition along the first axis, approximation first, to any level."""
    with warnings.catch_warnings():
        # It warns of levels where the ends affect everything; here that is intended.
        warnings.filterwarnings("ignore", message="Level value of", category=UserWarning)
        return pywt.wavedec(values_TC, wavelet, extension, level, axis=0)


def in_frames(functions_NK: Floats, edges: Floats) -> Floats:
    """The functions' means over each frame, (T, K).

    Args:
        functions_NK: in the middle of N equal parts of the clip.
        edges: (T + 1,), when each frame begins, and when the last one ends; any unit.
    """
    integral = np.vstack([np.zeros(functions_NK.shape[1]), functions_NK.cumsum(axis=0)])
    at = (edges - edges[0]) / (edges[-1] - edges[0]) * len(functions_NK)
    below = np.minimum(at.astype(int), len(functions_NK) - 1)
    slope = integral[below + 1] - integral[below]
    sums = slope * (at - below)[:, None] + integral[below]
    sums[-1] = integral[-1]
    return np.diff(sums, axis=0) / np.diff(at)[:, None]


def _lengths(wavelet: str, boundary: Boundary) -> list[int]:
    """How many functions each level of a full decomposition has, the coarsest first."""
    return [len(part) for part in decompose(np.zeros(GRID), wavelet, boundary)]


def _pyramid(wavelet: str, boundary: Boundary, k: int) -> tuple[Floats, Floats]:
    """The functions of ``pyramid`` unscaled, (N, K), and what each is divided by, (K,)."""
    lengths = _lengths(wavelet, boundary)
    columns: list[Floats] = []
    for level, length in enumerate(lengths):
        taken = min(length, k - sum(column.shape[1] for column in columns))
        chosen = np.floor((np.arange(taken) + 0.5) * length / max(taken, 1)).astype(int)
        parts = [np.zeros((other, taken)) for other in lengths]
        parts[level][chosen, np.arange(taken)] = 1
        columns.append(pywt.waverec(parts, wavelet, _EXTENSION[boundary], axis=0))
    functions = _refined(np.hstack(columns), wavelet, boundary)
    return functions, np.maximum(np.sqrt((functions**2).mean(axis=0)), _LEAST)


def _refined(values: Floats, wavelet: str, boundary: Boundary) -> Floats:
    """Coefficients of scaling functions -> their sums at _POINTS points or more."""
    least = pywt.Wavelet(wavelet).rec_len - 1 if boundary == "open" else 1
    if len(values) < least:
        raise UserError(
            f"params.yaml: wavelets.k {len(values)} is too few for {wavelet}, which needs "
            f"at least {least}."
        )
    while len(values) < _POINTS:
        values = math.sqrt(2) * pywt.idwt(values, None, wavelet, _EXTENSION[boundary], axis=0)
    return values

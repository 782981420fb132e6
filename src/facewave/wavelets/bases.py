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

GRID = 64  # cells that a full decomposition begins with
_POINTS = 1024  # at least so many to each function's whole clip
_LEAST = 1e-2  # root-mean-square of a function that is hardly in the clip
# PyWavelets' ways to go on beyond the ends. All that do not repeat the clip share their functions;
# they differ in what they guess from outside, and a fit guesses nothing.
_PYWAVELETS = {"open": "zero", "periodic": "periodization"}


@cache
def scaling_functions(family: str, boundary: Boundary, k: int) -> Floats:
    """The K scaling functions from which PyWavelets puts a whole clip together.

    They add up to 1 everywhere: a constant has that constant for all its coefficients.

    Args:
        family: a discrete wavelet's name; its synthesis side is taken.
        boundary: open: what lies beyond the clip's ends is cut off, and nothing assumed of it;
            periodic: the end goes on into the start.
        k: how many.

    Returns:
        (N, K), the functions' values in the middle of N equal parts of the clip.

    Raises:
        UserError: the family's filter is too long for so few functions.
    """
    return _refined(np.eye(k), family, boundary)


@cache
def pyramid(family: str, boundary: Boundary, k: int = GRID) -> Floats:
    """The coarsest K functions of a full decomposition of GRID cells, the coarsest first.

    Of the level that does not fit wholly, functions are taken at even distances. Each has a
    root-mean-square of 1, except those that lie outside nearly wholly.

    Args:
        family: a discrete wavelet's name; its synthesis side is taken.
        boundary: see ``scaling_functions``.
        k: how many, GRID at most.

    Returns:
        (N, K).

    Raises:
        UserError: more than GRID are asked for, or fewer than the coarsest level has.
    """
    if k > GRID:
        raise UserError(f"params.yaml: wavelets.k {k} is more than a decomposition's {GRID}.")
    lengths = _lengths(family, boundary)
    if k < lengths[0]:
        raise UserError(
            f"params.yaml: wavelets.k {k} is too few for the pyramid of {family} with "
            f"{boundary} ends, which needs {lengths[0]} or more."
        )
    functions, sizes_K = _pyramid(family, boundary, k)
    return functions / sizes_K


def pyramid_of_one(family: str, boundary: Boundary, k: int = GRID) -> Floats:
    """The coefficients (K,) of the constant 1 in ``pyramid``: of its coarsest level alone."""
    coarsest = _lengths(family, boundary)[0]
    functions, sizes_K = _pyramid(family, boundary, k)
    height = functions[:, :coarsest].sum(axis=1).mean()
    return np.where(np.arange(k) < coarsest, sizes_K / height, 0)


@cache
def cells(family: str) -> Floats:
    """What the coefficients of ``decompose``, over the root of GRID, stand for in periodic cells.

    Returns:
        (GRID, GRID): each cell's value of each function.
    """
    lengths = _lengths(family, "periodic")
    parts = np.split(math.sqrt(GRID) * np.eye(GRID), np.cumsum(lengths)[:-1])
    return pywt.waverec(parts, family, _PYWAVELETS["periodic"], axis=0)


def cosines(k: int) -> Floats:
    """The first K of the discrete cosine transform (DCT-II), (N, K)."""
    at = (np.arange(_POINTS) + 0.5) / _POINTS
    return np.cos(np.pi * at[:, None] * np.arange(k))


def lines(k: int) -> Floats:
    """Piecewise linear functions, each 1 in the middle of one of K equal parts, (N, K)."""
    at = (np.arange(_POINTS) + 0.5) / _POINTS
    middles = (np.arange(k) + 0.5) / k
    return np.stack([np.interp(at, middles, line) for line in np.eye(k)], axis=1)


def decompose(cells_NC: Floats, family: str, boundary: Boundary) -> list[Floats]:
    """PyWavelets' full decomposition along the first axis, down to the coarsest level."""
    with warnings.catch_warnings():
        # It advises against levels that see little but the ends; open ends are what we want.
        warnings.filterwarnings("ignore", message="Level value of", category=UserWarning)
        level = int(math.log2(len(cells_NC)))
        return pywt.wavedec(cells_NC, family, _PYWAVELETS[boundary], level, axis=0)


def in_frames(functions_NK: Floats, edges: Floats) -> Floats:
    """The functions' means over each frame, (T, K).

    Args:
        functions_NK: in the middle of N equal parts of the clip.
        edges: (T + 1,), when each frame begins, and the last one ends; any unit.
    """
    whole = np.vstack([np.zeros(functions_NK.shape[1]), functions_NK.cumsum(axis=0)])
    at = (edges - edges[0]) / (edges[-1] - edges[0]) * len(functions_NK)
    points = np.arange(len(whole))
    sums = np.stack([np.interp(at, points, line) for line in whole.T], axis=1)
    return np.diff(sums, axis=0) / np.diff(at)[:, None]


def _lengths(family: str, boundary: Boundary) -> list[int]:
    """How many functions each level of a full decomposition has, the coarsest first."""
    return [len(part) for part in decompose(np.zeros(GRID), family, boundary)]


def _pyramid(family: str, boundary: Boundary, k: int) -> tuple[Floats, Floats]:
    """The functions of ``pyramid`` as they come, (N, K), and what each is divided by, (K,)."""
    lengths = _lengths(family, boundary)
    columns: list[Floats] = []
    for number, length in enumerate(lengths):
        taken = min(length, k - sum(column.shape[1] for column in columns))
        places = np.floor((np.arange(taken) + 0.5) * length / max(taken, 1)).astype(int)
        parts = [np.zeros((other, taken)) for other in lengths]
        parts[number][places, np.arange(taken)] = 1
        columns.append(pywt.waverec(parts, family, _PYWAVELETS[boundary], axis=0))
    functions = _refined(np.hstack(columns), family, boundary)
    return functions, np.maximum(np.sqrt((functions**2).mean(axis=0)), _LEAST)


def _refined(values: Floats, family: str, boundary: Boundary) -> Floats:
    """Coefficients of scaling functions -> their sums at _POINTS points or more."""
    least = pywt.Wavelet(family).rec_len - 1 if boundary == "open" else 1
    if len(values) < least:
        raise UserError(
            f"params.yaml: wavelets.k {len(values)} is too few for {family}, which needs "
            f"{least} or more."
        )
    while len(values) < _POINTS:
        values = math.sqrt(2) * pywt.idwt(values, None, family, _PYWAVELETS[boundary], axis=0)
    return values

"""K functions of a clip's time, from its start to its end, that trajectories are fitted with.

Pure. Legend of names: N points, K functions, T frames.
"""

import math
from functools import cache

import numpy as np
import pywt
from numpy.typing import NDArray

from facewave.errors import UserError

Floats = NDArray[np.float64]

_POINTS = 1024  # at least so many to each function's whole clip


@cache
def scaling_functions(family: str, k: int) -> Floats:
    """The K scaling functions from which PyWavelets puts a signal with open ends together.

    What lies beyond the ends is cut off, so no assumption is made of it (none of PyWavelets'
    boundary modes changes these functions). They add up to 1 everywhere: a constant has that
    constant for all its coefficients.

    Args:
        family: a discrete wavelet's name; its synthesis side is taken.
        k: how many.

    Returns:
        (N, K), the functions' values in the middle of N equal parts of the clip.

    Raises:
        UserError: the family's filter is too long for so few functions.
    """
    values = np.eye(k)
    while len(values) < _POINTS:
        finer = math.sqrt(2) * pywt.idwt(values, None, family, "zero", axis=0)
        if len(finer) <= len(values):
            least = pywt.Wavelet(family).rec_len - 1
            raise UserError(
                f"params.yaml: wavelets.k {k} is too few for {family}, which needs {least} or more."
            )
        values = finer
    return values


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

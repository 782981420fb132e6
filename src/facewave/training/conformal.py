"""Prediction intervals of numbers by split conformal prediction (Lei et al., JASA 2018). Pure."""

import math

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.9  # of prediction intervals


def margin(distances: NDArray[np.floating]) -> float:
    """Half the width of a number's prediction interval, NaN where too few clips can say it.

    Of m validation clips' distances between answer and truth it is the ceil((m + 1) COVERAGE)-th
    smallest. Then the truth of another clip is within the interval with this probability or more,
    if it is one of a kind with those. Validation clips are of few people and have also chosen the
    epoch, so among others it is somewhat less: stage evaluate counts how often (``coverage``).
    """
    rank = math.ceil((len(distances) + 1) * COVERAGE)
    return float(np.sort(distances)[rank - 1]) if rank <= len(distances) else math.nan

"""Valence and arousal on [-1, 1]: the 20 bins that clips are counted in.

The bins are those of Deng et al. (FG 2020, "Multitask Emotion Recognition with Incomplete Labels").
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from facewave.targets import NEUTRAL, QUADRANTS

BINS = 20


def bins(values: ArrayLike) -> NDArray[np.int64]:
    """The bin, 0 to 19, of values in [-1, 1]; each holds its lower edge, the last one 1 too.

    Raises:
        ValueError: a value is outside of [-1, 1], or no number.
    """
    numbers = np.asarray(values, float)
    if not (np.abs(numbers) <= 1).all():
        raise ValueError("valence and arousal lie in [-1, 1]")
    # Rounding: 0.1 is a lower edge, though 0.1 + 1 is a little more than 11 tenths.
    return np.clip(np.floor(np.round((numbers + 1) * BINS / 2, 9)), 0, BINS - 1).astype(np.int64)


def summary(table: pd.DataFrame) -> dict[str, object]:
    """Counts of the quadrants and bins of the rows that have both numbers."""
    known = table[table["valence"].notna() & table["arousal"].notna()]
    of_quadrants = known["quadrant"].value_counts()
    names = (*QUADRANTS, *({NEUTRAL} & set(of_quadrants.index)))
    counts: dict[str, object] = {
        "quadrants": {name: int(of_quadrants.get(name, 0)) for name in names},
        "on_an_axis": int(of_quadrants.get("", 0)),
    }
    for name in ("valence", "arousal"):
        counts[name] = {"bins": np.bincount(bins(known[name]), minlength=BINS).tolist()}
    return counts

"""Valence and arousal on [-1, 1]: quadrants, and the 20 bins that samplers balance.

The bins and their use are those of Deng et al. (FG 2020, "Multitask Emotion Recognition with
Incomplete Labels"): over- and under-sampling until the bins are even.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

BINS = 20
QUADRANTS = ("positive aroused", "negative aroused", "negative calm", "positive calm")


def quadrants(valence: pd.Series, arousal: pd.Series) -> pd.Series:
    """The quadrant of each row, "" where a value is missing or exactly 0: it has no sign."""
    names = pd.Series("", index=valence.index, dtype=object)
    for name in QUADRANTS:
        side, height = name.split(" ")
        across = valence > 0 if side == "positive" else valence < 0
        names[across & (arousal > 0 if height == "aroused" else arousal < 0)] = name
    return names


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


def weights(values: ArrayLike) -> NDArray[np.float64]:
    """How often to draw each row so that every bin that occurs is drawn equally often.

    Below 1 is under-sampling, above 1 over-sampling; the mean is 1.
    """
    number = bins(values)
    counts = np.bincount(number, minlength=BINS)
    occurring = max(1, int(np.count_nonzero(counts)))
    return np.asarray(len(number) / (occurring * counts[number]), np.float64)


def summary(table: pd.DataFrame) -> dict[str, object]:
    """Counts of the quadrants and bins; for the bins the weights in the split's training part."""
    known = table[table["valence"].notna() & table["arousal"].notna()]
    train = known[known["split"] == "train"]
    of_quadrants = known["quadrant"].value_counts()
    counts: dict[str, object] = {
        "quadrants": {name: int(of_quadrants.get(name, 0)) for name in QUADRANTS},
        "on_an_axis": int(of_quadrants.get("", 0)),
    }
    for name in ("valence", "arousal"):
        weight_of = pd.Series(weights(train[name]), bins(train[name])).to_dict()
        counts[name] = {
            "bins": np.bincount(bins(known[name]), minlength=BINS).tolist(),
            "train_weights": [round(weight_of.get(b, 0.0), 4) for b in range(BINS)],
        }
    return counts

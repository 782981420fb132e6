"""Answers to windows, by what is answered of their neighbours. Pure.

The rule is a running median: at the middle of each window stand the medians of the answers to all
windows of the same person whose middles are at most half the filter's width away. Probabilities of
words then add up to 1, and the word is the likeliest (training/over_time.py); values, the ends of
their intervals and action units are medians. Windows without an answer stay without one and count
for no other, and nothing is smoothed over a gap that is longer than the filter is wide.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.filters import filtered
from facewave.targets import Target
from facewave.training.over_time import over_time


def smoothed(windows: pd.DataFrame, targets: Sequence[Target], width_s: float) -> pd.DataFrame:
    """Windows with smoothed answers.

    Args:
        windows: with ``person``, ``start``, ``end`` (s), ``answered_from`` and the answers to
            targets; by person and start.
        targets: what was asked; those without columns of numbers stay as they are.
        width_s: of the filter; 0 changes nothing.
    """
    is_answered = windows["answered_from"] != ""
    if not width_s or not is_answered.any():
        return windows
    windows, rows = windows.copy(), windows[is_answered]
    of_words = [one for one in targets if one.is_words and {*one.numbers} <= {*windows}]
    moments = rows.assign(file_path=rows["person"])
    windows.loc[is_answered] = over_time(moments, rows, of_words, width_s)
    others = [one for one in targets if not one.is_words]
    names = [name for one in others for name in (*one.numbers, *one.ends) if name in windows]
    for _, one in rows.groupby("person", sort=False):
        middle_w = ((one["start"] + one["end"]) / 2).to_numpy(float)
        for name in names:
            values_w = one[name].to_numpy(float, copy=True)
            known_w = np.isfinite(values_w)
            values_w[known_w] = filtered(middle_w[known_w], values_w[known_w], width_s)
            windows.loc[one.index, name] = values_w
    return windows


def doubt(windows: pd.DataFrame, target: Target | None) -> NDArray[np.float64]:
    """The entropy of a target of words as a share of the highest; NaN where nothing is known."""
    if target is None or not {*target.numbers} <= {*windows} or target.width < 2:
        return np.full(len(windows), np.nan)
    shares_nC = windows[list(target.numbers)].to_numpy(float)
    logs_nC = np.log(np.where(shares_nC > 0, shares_nC, 1))
    entropy_n: NDArray[np.float64] = -(shares_nC * logs_nC).sum(axis=1) / np.log(target.width)
    return entropy_n

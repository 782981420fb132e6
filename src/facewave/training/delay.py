"""How far raters' labels lag behind the faces that they rate, learnt from validation. Pure.

Somebody who rates a running video needs a second or more to react (Mariooryad and Busso, IEEE T-AC
2015, "Correcting time-continuous emotional labels by modeling the reaction lag of evaluators").
Answers that are put later on the clock by as much agree with the labels best.

Legend of names: n windows, T targets.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_S, STEP_S = 4.0, 0.1
_EPS = 1e-12

Floats = NDArray[np.float64]


def learn(rows: pd.DataFrame, truth_nT: Floats, answers_nT: Floats) -> float:
    """The delay (s), up to ``MOST_S``, with the highest mean CCC; 0 where nothing tells.

    Args:
        rows: of a label table: file_path, and start and end (s) of a window around a frame; those
            about whole files tell nothing.
        truth_nT: what was labelled, NaN where it is not known.
        answers_nT: of the model, by the face at the same time; NaN where it has none.
    """
    centre_n = (rows["start"] + rows["end"]).to_numpy(float) / 2
    files = [
        at_m[np.argsort(centre_n[at_m], kind="stable")]
        for at_m in rows.groupby("file_path", sort=True).indices.values()
    ]
    best, best_ccc = 0.0, -np.inf
    for step in range(round(MOST_S / STEP_S) + 1):
        delay = step * STEP_S
        shifted_nT = np.full_like(truth_nT, np.nan)
        for at_m in files:
            for target in range(truth_nT.shape[1]):
                shifted_nT[at_m, target] = np.interp(
                    centre_n[at_m], centre_n[at_m] + delay, answers_nT[at_m, target]
                )
        ccc = _mean_ccc(truth_nT, shifted_nT)
        if ccc > best_ccc + _EPS:
            best, best_ccc = delay, ccc
    return round(best, 6)


def _mean_ccc(truth_nT: Floats, answers_nT: Floats) -> float:
    """The mean over targets of the concordance correlation coefficient (Lin, 1989)."""
    values = []
    for truth_n, answer_n in zip(truth_nT.T, answers_nT.T, strict=True):
        known_n = ~np.isnan(truth_n) & ~np.isnan(answer_n)
        x, y = truth_n[known_n], answer_n[known_n]
        if len(x) > 1:
            between = np.mean((x - x.mean()) * (y - y.mean()))
            spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
            values.append(2 * between / (spread + _EPS))
    return float(np.mean(values)) if values else 0.0

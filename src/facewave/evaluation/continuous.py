"""The measures of regression, from actual and predicted numbers. Pure; conventions first.

- CCC is the concordance correlation coefficient of Lin (Biometrics 1989),
  2 rho sx sy / (sx^2 + sy^2 + (mx - my)^2), with population variances (divided by n, as Lin does;
  with n - 1 small test parts have another figure). Undefined where both are the same constant.
- PCC is Pearson's correlation rho. Undefined where either is constant; CCC is then 0.
- RMSE is the root of the mean squared difference, in the target's own unit.
- SAGR is the sign agreement of Nicolaou, Gunes and Pantic (IEEE T-AC 2011): the share of clips
  whose predicted sign is the actual one. The sign of 0 is a third one: a 0 agrees with nothing but
  a 0. It is meaningful for targets around 0, like valence and arousal, not for scores above 0.
- A clip without an actual number of a target does not count for that target. Every other counts,
  so all models have the same denominator (prediction/schema.py refuses a missing prediction).
- Over folds the figure is the plain mean of the folds' figures; what is undefined in a fold is
  left out. Undefined figures are NaN.
- Intervals are those of intervals.py.

Legend of names: n clips, F folds, T targets, R resamples; m clips of a fold with a target.
Weights, (n) or (R, n), say how often each clip counts; without them each counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.evaluation.intervals import Codes, Floats, divide, groups, mean

MEASURES = ("ccc", "pcc", "rmse", "sagr")


@dataclass(frozen=True, eq=False)
class Values:
    """A model's predictions for the test clips; codes are (n)."""

    actual_nT: Floats  # NaN where a clip has no such target
    predicted_nT: Floats
    fold: Codes  # in whose test part the clip is, from 0; all 0 if there is one part
    group: Codes  # the clip's subject or source, from 0

    @property
    def n_folds(self) -> int:
        """F."""
        return int(self.fold.max()) + 1

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether a clip has a target, (n, T)."""
        return ~np.isnan(self.actual_nT)


def from_table(rows: pd.DataFrame, targets: Sequence[str]) -> Values:
    """One model's rows of the table of answers; folds and groups are numbered as they come.

    Args:
        rows: partition, video_idx, file_path, subject, source, and for each target
            ``actual_<target>`` and ``predicted_<target>``.
        targets: T names.
    """
    return Values(
        actual_nT=rows[[f"actual_{target}" for target in targets]].to_numpy(float),
        predicted_nT=rows[[f"predicted_{target}" for target in targets]].to_numpy(float),
        fold=pd.factorize(rows["partition"])[0],
        group=groups(rows),
    )


def by_fold(values: Values, weights: Floats | None = None) -> dict[str, Floats]:
    """Each of ``MEASURES`` of every target in every fold, (..., F, T)."""
    weights = np.ones(len(values.fold)) if weights is None else weights
    shape = (values.n_folds, values.actual_nT.shape[1])
    all_figures = {name: np.empty((*weights.shape[:-1], *shape)) for name in MEASURES}
    for fold, target in np.ndindex(shape):
        inside = (values.fold == fold) & values.known[:, target]
        figures = _figures(
            values.actual_nT[inside, target],
            values.predicted_nT[inside, target],
            weights[..., inside],
        )
        for name, value in figures.items():
            all_figures[name][..., fold, target] = value
    return all_figures


def overall(values: Values, weights: Floats | None = None) -> dict[str, Floats]:
    """Each of ``MEASURES`` of every target, mean over folds, (..., T)."""
    figures = by_fold(values, weights).items()
    return {name: mean(np.swapaxes(value, -1, -2)) for name, value in figures}


def _figures(actual_m: Floats, predicted_m: Floats, weights: Floats) -> dict[str, Floats]:
    """The measures of one target in one fold; weights (..., m) -> (...)."""
    total = weights.sum(-1)
    mean_x, mean_y = (_mean(values_m, weights) for values_m in (actual_m, predicted_m))
    from_x, from_y = actual_m - mean_x[..., None], predicted_m - mean_y[..., None]
    variance_x, variance_y, covariance, squared = (
        divide((weights * product).sum(-1), total)
        for product in (from_x**2, from_y**2, from_x * from_y, (actual_m - predicted_m) ** 2)
    )
    agree_m = np.sign(actual_m) == np.sign(predicted_m)
    return {
        "ccc": divide(2 * covariance, variance_x + variance_y + (mean_x - mean_y) ** 2),
        "pcc": divide(covariance, np.sqrt(variance_x) * np.sqrt(variance_y)),
        "rmse": np.sqrt(squared),
        "sagr": divide(weights @ agree_m, total),
    }


def _mean(values_m: Floats, weights: Floats) -> Floats:
    """Weighted means, (..., m) -> (...). A constant's is exact, so that its variance is 0."""
    counted = weights > 0
    low = np.where(counted, values_m, np.inf).min(-1, initial=np.inf)
    high = np.where(counted, values_m, -np.inf).max(-1, initial=-np.inf)
    return np.clip(divide(weights @ values_m, weights.sum(-1)), low, high)

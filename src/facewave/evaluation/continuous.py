"""The figures of continuous targets, from actual and predicted numbers. Pure; conventions first.

- CCC is the concordance correlation coefficient of Lin (Biometrics 1989),
  2 rho sx sy / (sx^2 + sy^2 + (mx - my)^2), with population variances (divided by n, as Lin does;
  with n - 1 small test parts have another figure). Undefined where both are the same constant.
- PCC is Pearson's correlation rho. Undefined where either is constant; CCC is then 0.
- RMSE is the root of the mean squared difference, in the target's own unit.
- SAGR is the sign agreement of Nicolaou, Gunes and Pantic (IEEE T-AC 2011): the share of clips
  whose predicted sign is the actual one. The sign of 0 is a third one: a 0 agrees with nothing but
  a 0. It says something of targets around 0, as valence and arousal, nothing of scores above 0.
- A clip without an actual number of a target does not count for that target. Every other counts,
  so all models have the same denominator: a prediction that is no number is refused.
- Over folds the figure is the plain mean of the folds' figures; what is undefined in a fold is
  left out. Undefined figures are NaN.
- Intervals are those of measures.py, from the same draws.

Legend of names: n clips, F folds, T targets, R resamples; m clips of a fold with a target.
Weights, (n) or (R, n), say how often each clip counts; without them each counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.evaluation import measures
from facewave.evaluation.measures import Codes, Floats
from facewave.labels import schema as labels

MEASURES = ("ccc", "pcc", "rmse", "sagr")


@dataclass(frozen=True, eq=False)
class Values:
    """What a model said of the test clips.

    Attributes:
        actual_nT: the targets, NaN where a clip has none.
        predicted_nT: the model's numbers.
        fold_n: in whose test part the clip is, from 0; all 0 if there is one part.
        group_n: the clip's subject or source, from 0.
    """

    actual_nT: Floats
    predicted_nT: Floats
    fold_n: Codes
    group_n: Codes

    @property
    def n_folds(self) -> int:
        """F."""
        return int(self.fold_n.max()) + 1

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which targets the clips have, (n, T)."""
        return ~np.isnan(self.actual_nT)


def from_table(rows: pd.DataFrame, targets: Sequence[str]) -> Values:
    """One model's rows of the table of answers; folds and groups are numbered as they come.

    Args:
        rows: partition, video_idx, file_path, subject, source, and for each target
            ``actual_<target>`` and ``predicted_<target>``.
        targets: T names.

    Raises:
        ValueError: a prediction is no finite number.
    """
    predicted_nT = rows[[f"predicted_{target}" for target in targets]].to_numpy(float)
    if not np.isfinite(predicted_nT).all():
        row, column = np.argwhere(~np.isfinite(predicted_nT))[0]
        clip = rows["video_idx"].iloc[row]
        raise ValueError(f"clip {clip}: the prediction of {targets[column]} is no number")
    return Values(
        actual_nT=rows[[f"actual_{target}" for target in targets]].to_numpy(float),
        predicted_nT=predicted_nT,
        fold_n=pd.factorize(rows["partition"])[0],
        group_n=pd.factorize(labels.groups(rows))[0],
    )


def clips(values: Values) -> NDArray[np.int64]:
    """How many clips of each fold have each target, (F, T)."""
    in_fold_Fn = np.arange(values.n_folds)[:, None] == values.fold_n
    return in_fold_Fn.astype(np.int64) @ values.known.astype(np.int64)


def by_fold(values: Values, weights: Floats | None = None) -> dict[str, Floats]:
    """Each of ``MEASURES`` of every target in every fold, (..., F, T)."""
    weights = np.ones(len(values.fold_n)) if weights is None else weights
    shape = (values.n_folds, values.actual_nT.shape[1])
    found = {name: np.empty((*weights.shape[:-1], *shape)) for name in MEASURES}
    for fold, target in np.ndindex(shape):
        inside = (values.fold_n == fold) & values.known[:, target]
        one = _figures(
            values.actual_nT[inside, target],
            values.predicted_nT[inside, target],
            weights[..., inside],
        )
        for name, value in one.items():
            found[name][..., fold, target] = value
    return found


def overall(values: Values, weights: Floats | None = None) -> dict[str, Floats]:
    """Each of ``MEASURES`` of every target, mean over folds, (..., T)."""
    found = by_fold(values, weights)
    return {name: measures.mean(np.swapaxes(value, -1, -2)) for name, value in found.items()}


def bootstrap(values: Values, resamples: int, seed: int) -> dict[str, Floats]:
    """What ``overall`` is in resamples, (R, T)."""
    draws = measures.draws_over(values.group_n, resamples, seed)
    return measures.joined(overall(values, weights) for weights in draws)


def _figures(actual_m: Floats, predicted_m: Floats, weights: Floats) -> dict[str, Floats]:
    """Of one target and fold; weights (..., m) -> (...)."""
    total = weights.sum(-1)
    mean_x, mean_y = (_mean(values_m, weights) for values_m in (actual_m, predicted_m))
    from_x, from_y = actual_m - mean_x[..., None], predicted_m - mean_y[..., None]
    variance_x, variance_y, covariance, squared = (
        measures.divide((weights * product).sum(-1), total)
        for product in (from_x**2, from_y**2, from_x * from_y, (actual_m - predicted_m) ** 2)
    )
    agree_m = np.sign(actual_m) == np.sign(predicted_m)
    return {
        "ccc": measures.divide(2 * covariance, variance_x + variance_y + (mean_x - mean_y) ** 2),
        "pcc": measures.divide(covariance, np.sqrt(variance_x) * np.sqrt(variance_y)),
        "rmse": np.sqrt(squared),
        "sagr": measures.divide(weights @ agree_m, total),
    }


def _mean(values_m: Floats, weights: Floats) -> Floats:
    """Weighted means, (..., m) -> (...); of a constant exactly it, so that it has no variance."""
    counted = weights > 0
    low = np.where(counted, values_m, np.inf).min(-1, initial=np.inf)
    high = np.where(counted, values_m, -np.inf).max(-1, initial=-np.inf)
    mean = measures.divide(weights @ values_m, weights.sum(-1))
    return np.minimum(np.maximum(mean, low), high)

"""The measures of numbers, from actual and predicted ones. Pure; conventions first.

- CCC is the concordance correlation coefficient of Lin (Biometrics 1989),
  2 rho sx sy / (sx^2 + sy^2 + (mx - my)^2), with population variances (divided by n, as Lin does;
  with n - 1 small test parts have another figure). Undefined where both are the same constant.
- PCC is Pearson's correlation rho. Undefined where either is constant; CCC is then 0.
- RMSE is the root of the mean squared difference, in the target's own unit; MAE the mean distance.
- SAGR is the sign agreement of Nicolaou, Gunes and Pantic (IEEE T-AC 2011): the share of clips
  whose predicted sign is the actual one. The sign of 0 is a third one: a 0 agrees with nothing but
  a 0. It is meaningful for targets around 0, like valence and arousal, not for scores above 0.
- ICC, of intensities of action units, is ICC(3,1) of Shrout and Fleiss (Psychological Bulletin
  1979) of two judges, truth and model. With BMS and EMS, the mean squares between clips and of the
  residual, it is (BMS - EMS) / (BMS + EMS) = 2 rho sx sy / (sx^2 + sy^2). Unlike CCC it forgives a
  constant difference. Undefined where both are constant.
- Coverage is the share of clips whose actual number is within the prediction interval, width the
  interval's mean width, both over the clips that have one.
- A clip without an actual number of a target does not count for that target. Every other counts,
  so all models have the same denominator (prediction/schema.py refuses a missing prediction).
- The intensity of a unit only counts in folds where the unit occurs, that is, is above 0.
- The last of the targets' figures is their plain mean over the targets that have the figure in the
  fold; a model that does not answer all targets has no mean.
- Over folds the figure is the plain mean of the folds' figures; what is undefined in a fold is
  left out. Undefined figures are NaN.
- Intervals are those of intervals.py.

All of these follow from sums over clips. So clips are added up once by what the bootstrap draws,
mostly subjects, and resamples of millions of clips cost no more than those of a few.

Legend of names: n clips, F folds, T targets, R resamples, U units that are drawn, K sums.
Weights, (U) or (R, U), say how often each unit counts; without them each counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from facewave.evaluation.intervals import (
    Codes,
    Floats,
    divide,
    enough_groups,
    groups,
    mean,
    picked,
)

MEASURES = ("ccc", "pcc", "rmse", "mae", "sagr", "coverage", "width")
OF_INTENSITIES = ("icc", "pcc", "mae")
_LAST = 1e-4  # ends of intervals are kept with four digits
_NOTHING = 1e-12  # what a variance is of its square's mean if it is only rounding


@dataclass(frozen=True, eq=False)
class Values:
    """A model's predictions for the test clips; codes are (n)."""

    actual_nT: Floats  # NaN where a clip has no such target
    predicted_nT: Floats  # NaN where the model does not answer the target
    fold: Codes  # in whose test part the clip is, from 0; all 0 if there is one part
    group: Codes  # the clip's subject or source, from 0
    low_nT: Floats | None = None  # the ends of prediction intervals, NaN where there is none
    high_nT: Floats | None = None

    @property
    def n_folds(self) -> int:
        """F."""
        return int(self.fold.max()) + 1

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether a clip has a target and an answer, (n, T)."""
        return ~np.isnan(self.actual_nT) & ~np.isnan(self.predicted_nT)

    def at(self, clips: NDArray[np.bool_] | Codes) -> "Values":
        """Those of some clips, by mask or numbers."""
        return picked(self, clips)

    def of(self, targets: Sequence[int]) -> "Values":
        """Those of some targets, by number."""
        arrays = vars(self).items()
        chosen = {name: a[:, targets] for name, a in arrays if name.endswith("T") and a is not None}
        return replace(self, **chosen)


@dataclass(frozen=True, eq=False)
class Sums:
    """What the measures follow from, added up by units that the bootstrap draws.

    Attributes:
        total_UFTK: the sums that ``_addends`` names. Numbers are less their fold's mean, which
            changes no figure and keeps digits.
        group: of each unit, (U).
        is_whole: whether the model answers all targets.
        is_sparse: whether a target counts only in folds where it is above 0.
    """

    total_UFTK: Floats
    group: Codes
    is_whole: bool
    is_sparse: bool


def from_table(rows: pd.DataFrame, targets: Sequence[str]) -> Values:
    """One model's rows of the table of answers; folds and groups are numbered as they come.

    Args:
        rows: partition, video_idx, file_path, subject, source, and for each target
            ``actual_<target>``, ``predicted_<target>`` and, where there are prediction intervals,
            ``low_<target>`` and ``high_<target>``.
        targets: T names.
    """

    def columns(prefix: str) -> Floats:
        names = [f"{prefix}_{target}" for target in targets]
        return rows.reindex(columns=names).to_numpy(float)

    return Values(
        actual_nT=columns("actual"),
        predicted_nT=columns("predicted"),
        fold=pd.factorize(rows["partition"])[0],
        group=groups(rows),
        low_nT=columns("low"),
        high_nT=columns("high"),
    )


def sums(values: Values, *, by_group: bool = True, is_sparse: bool = False) -> Sums:
    """The sums of some values.

    Args:
        values: n clips.
        by_group: add up whole groups where they are drawn (``intervals.enough_groups``); else each
            clip is a unit.
        is_sparse: as in ``Sums``.
    """
    group, unit = values.group, np.arange(len(values.fold))
    if by_group and enough_groups(values.group):
        names, unit = np.unique(values.group, return_inverse=True)
        group = np.arange(len(names))
    addends_nTK = _of_clips(values)
    n, n_cells = len(unit), len(group) * values.n_folds
    cell = unit * values.n_folds + values.fold
    members = csr_array((np.ones(n), (cell, np.arange(n))), shape=(n_cells, n))
    total = members @ addends_nTK.reshape(n, -1)
    total = total.reshape(len(group), values.n_folds, *addends_nTK.shape[1:])
    is_whole = not np.isnan(values.predicted_nT).all(axis=0).any()
    return Sums(total, group, is_whole, is_sparse)


def added(x: Floats, y: Floats) -> Floats:
    """What is added up of actual and predicted numbers without intervals; (...) -> (..., K)."""
    nothing = np.full_like(x, np.nan)
    return _addends(x, y, (x, y), (nothing, nothing))


def by_fold(of: Sums, weights: Floats | None = None) -> dict[str, Floats]:
    """Each measure of every target, and of their mean, in every fold; (..., F, T + 1)."""
    weights = np.ones(len(of.group)) if weights is None else weights
    total = np.tensordot(weights, of.total_UFTK, 1)
    found = _figures(total)
    if of.is_sparse:
        occurs = total[..., _NAMES.index("above")] > 0
        found = {name: np.where(occurs, value, np.nan) for name, value in found.items()}
    return {name: with_mean(value, of.is_whole) for name, value in found.items()}


def overall(of: Sums, weights: Floats | None = None) -> dict[str, Floats]:
    """Each measure of every target, and of their mean, mean over folds; (..., T + 1)."""
    return over_folds(by_fold(of, weights))


def means(of: Sums, names: Sequence[str], weights: Floats | None = None) -> dict[str, Floats]:
    """Some measures' means over targets, mean over folds; (...)."""
    figures = overall(of, weights)
    return {name: figures[name][..., -1] for name in names}


def over_folds(figures: dict[str, Floats]) -> dict[str, Floats]:
    """The plain means over folds; (..., F, T) -> (..., T)."""
    return {name: mean(np.swapaxes(value, -1, -2)) for name, value in figures.items()}


def with_mean(value: Floats, is_whole: bool) -> Floats:
    """Figures with their mean behind them, NaN if some are not there; (..., T) -> (..., T + 1)."""
    means = mean(value) if is_whole else np.full(value.shape[:-1], np.nan)
    return np.concatenate([value, means[..., None]], axis=-1)


_NAMES = (
    *("clips", "x", "y", "xx", "yy", "xy"),
    *("squared", "distance", "agree", "above", "bounded", "covered", "width"),
)


def _of_clips(values: Values) -> Floats:
    """What is added up of each clip and target, 0 where it does not count; (n, T, K)."""
    x, y, known = values.actual_nT, values.predicted_nT, values.known
    centred = tuple(np.where(known, numbers, 0.0) for numbers in (x, y))
    for fold, t in np.ndindex(values.n_folds, x.shape[1]):
        inside = (values.fold == fold) & known[:, t]
        for numbers in centred if inside.any() else ():
            numbers[inside, t] -= numbers[inside, t].mean()
    nothing = np.full_like(x, np.nan)
    ends = tuple(nothing if end is None else end for end in (values.low_nT, values.high_nT))
    return np.where(known[..., None], _addends(x, y, centred, ends), 0)


def _addends(x: Floats, y: Floats, centred: Sequence[Floats], ends: Sequence[Floats]) -> Floats:
    """In the order of ``_NAMES``."""
    (from_x, from_y), (low, high) = centred, ends
    bounded = ~np.isnan(high - low)
    addends = (
        *(np.ones_like(x), from_x, from_y, from_x**2, from_y**2, from_x * from_y),
        *((x - y) ** 2, np.abs(x - y), np.sign(x) == np.sign(y), x > 0),
        *(bounded, (x >= low - _LAST) & (x <= high + _LAST), np.where(bounded, high - low, 0)),
    )
    return np.stack([addend.astype(float) for addend in addends], axis=-1)


def _figures(total: Floats) -> dict[str, Floats]:
    """All measures from sums; (..., K) -> (...)."""
    of = dict(zip(_NAMES, np.moveaxis(total, -1, 0), strict=True))
    n = of["clips"]
    x, y, xx, yy, xy, squared = (
        divide(of[name], n) for name in ("x", "y", "xx", "yy", "xy", "squared")
    )
    # What is constant has no variance at all, whatever rounding says.
    variance_x = np.where(xx - x**2 > _NOTHING * xx, xx - x**2, 0)
    variance_y = np.where(yy - y**2 > _NOTHING * yy, yy - y**2, 0)
    covariance = np.where((variance_x > 0) & (variance_y > 0), xy - x * y, 0)
    undefined = np.isnan(squared)
    found = {
        # The mean squared difference is sx^2 + sy^2 + (mx - my)^2 - 2 rho sx sy.
        "ccc": divide(2 * covariance, squared + 2 * covariance),
        "pcc": divide(covariance, np.sqrt(variance_x) * np.sqrt(variance_y)),
        "icc": divide(2 * covariance, variance_x + variance_y),
        "rmse": np.sqrt(squared),
        "mae": divide(of["distance"], n),
        "sagr": divide(of["agree"], n),
        "coverage": divide(of["covered"], of["bounded"]),
        "width": divide(of["width"], of["bounded"]),
    }
    return {name: np.where(undefined, np.nan, value) for name, value in found.items()}

"""The figures of single-label recognition, from confusion counts. Pure; the conventions first.

- WAR, weighted average recall, is accuracy. UAR, unweighted average recall, is the mean of the
  classes' recalls. Macro F1 is the mean of the classes' F1.
- A mean over classes is over those that occur in the test part; a class that does not occur has
  no recall, and is not counted as 0.
- Every test clip with a label counts: one without a usable face is answered from the training
  part's class frequencies, so all models have the same denominator.
- Over folds the figure is the plain mean of the folds' figures.
- Intervals are percentile bootstraps at 95 % (Efron and Tibshirani 1993, ch. 13). Whole subjects
  are drawn, since clips of one person are no independent draws; with fewer than 10 subjects, single
  clips are, which makes the interval too narrow and is said beside it.

Legend of names: n clips, F folds, C classes, R resamples. Counts have the actual class in rows.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
_FEWEST_SUBJECTS = 10


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said of the test clips, all arrays of length n.

    Attributes:
        actual: class codes.
        predicted: class codes.
        fold: in whose test part the clip is, from 0; all 0 if there is one part.
        group: the clip's subject, from 0.
        n_classes: C.
    """

    actual: Codes
    predicted: Codes
    fold: Codes
    group: Codes
    n_classes: int


def confusion(answers: Answers, weights: Floats | None = None) -> Floats:
    """Counts per fold, (F, C, C); each clip counts 1, or its weight."""
    shape = (int(answers.fold.max()) + 1, answers.n_classes, answers.n_classes)
    cell = np.ravel_multi_index((answers.fold, answers.actual, answers.predicted), shape)
    return np.bincount(cell, weights, minlength=int(np.prod(shape))).reshape(shape).astype(float)


def war(counts: Floats) -> Floats:
    """Share of right answers; (..., C, C) -> (...), NaN where there is no clip."""
    return _divide(_hits(counts).sum(-1), counts.sum((-2, -1)))


def recalls(counts: Floats) -> Floats:
    """Recall of each class; (..., C, C) -> (..., C), NaN for a class that does not occur."""
    return _divide(_hits(counts), counts.sum(-1))


def uar(counts: Floats) -> Floats:
    """Mean recall over the classes that occur; (..., C, C) -> (...)."""
    return _mean(recalls(counts))


def macro_f1(counts: Floats) -> Floats:
    """Mean F1 over the classes that occur; (..., C, C) -> (...)."""
    occurring, answered = counts.sum(-1), counts.sum(-2)
    f1 = _divide(2 * _hits(counts), occurring + answered)
    return _mean(np.where(occurring > 0, f1, np.nan))


def over_folds(measure: Callable[[Floats], Floats], counts: Floats) -> Floats:
    """Plain mean of a measure over the folds that have clips; (..., F, C, C) -> (...)."""
    return _mean(measure(counts))


def resampled_by(answers: Answers) -> str:
    """What the bootstrap draws: "subjects", or "clips" where there are too few subjects."""
    return "subjects" if len(np.unique(answers.group)) >= _FEWEST_SUBJECTS else "clips"


def resampled_confusion(answers: Answers, resamples: int, seed: int) -> Floats:
    """Counts of bootstrap resamples, (R, F, C, C)."""
    rng = np.random.default_rng(seed)
    units = answers.group if resampled_by(answers) == "subjects" else np.arange(len(answers.group))
    _, units = np.unique(units, return_inverse=True)
    n_units = int(units.max()) + 1
    drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=resamples)
    return np.stack([confusion(answers, times[units].astype(float)) for times in drawn])


def interval(measure: Callable[[Floats], Floats], resampled: Floats) -> tuple[float, float]:
    """95 % percentile interval of a measure's mean over folds, from (R, F, C, C) counts."""
    low, high = np.nanpercentile(over_folds(measure, resampled), [2.5, 97.5])
    return float(low), float(high)


def _hits(counts: Floats) -> Floats:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _divide(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return np.nanmean(values, axis=-1)

"""The figures of single-label recognition. Pure; the conventions first.

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

Legend of names: n clips.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, recall_score

Codes = NDArray[np.int64]
_FEWEST_SUBJECTS = 10


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said of the test clips, all arrays of length n.

    Attributes:
        actual: class codes.
        predicted: class codes.
        fold: the fold in whose test part the clip is (one number if there is one part).
        group: the clip's subject.
    """

    actual: Codes
    predicted: Codes
    fold: Codes
    group: Codes

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> "Answers":
        """A part of the clips, or a resample of them."""
        return Answers(
            self.actual[which], self.predicted[which], self.fold[which], self.group[which]
        )


def war(answers: Answers) -> float:
    """Share of right answers."""
    return float(accuracy_score(answers.actual, answers.predicted))


def uar(answers: Answers) -> float:
    """Mean recall over the classes that occur."""
    return _macro(recall_score, answers)


def macro_f1(answers: Answers) -> float:
    """Mean F1 over the classes that occur."""
    return _macro(f1_score, answers)


def recalls(answers: Answers, n_classes: int) -> list[float | None]:
    """Recall of each class; None for one that does not occur."""
    every = recall_score(
        answers.actual, answers.predicted, labels=range(n_classes), average=None, zero_division=0
    )
    present = set(answers.actual.tolist())
    return [float(value) if code in present else None for code, value in enumerate(every)]


def over_folds(measure: Callable[[Answers], float], answers: Answers) -> float:
    """Plain mean of a measure over the folds that occur."""
    folds = np.unique(answers.fold)
    return float(np.mean([measure(answers.take(answers.fold == fold)) for fold in folds]))


def resampled_by(answers: Answers) -> str:
    """What the bootstrap draws: "subjects", or "clips" where there are too few subjects."""
    return "subjects" if len(np.unique(answers.group)) >= _FEWEST_SUBJECTS else "clips"


def interval(
    measure: Callable[[Answers], float], answers: Answers, resamples: int, seed: int
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a measure's mean over folds."""
    rng = np.random.default_rng(seed)
    n_clips = len(answers.actual)
    groups = answers.group if resampled_by(answers) == "subjects" else np.arange(n_clips)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    values = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(members), len(members))
        values.append(
            over_folds(measure, answers.take(np.concatenate([members[g] for g in drawn])))
        )
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _macro(score: Callable[..., float], answers: Answers) -> float:
    present = np.unique(answers.actual)
    return float(
        score(answers.actual, answers.predicted, labels=present, average="macro", zero_division=0)
    )

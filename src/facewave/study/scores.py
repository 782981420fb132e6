"""The figure by which the study counts answers: one for each kind of target. Pure.

- Of words it is UAR, and WAR beside it, in percent, as in ``evaluation.measures``; where models
  are combined also macro F1, over the words that occur in a fold.
- Of numbers it is the mean CCC over them, of intensities of action units the mean ICC
  (``evaluation.continuous``).
- Of units that are there or not it is the mean F1, 2 TP / (2 TP + FP + FN), where a unit is
  answered from a probability of one half on. A unit that does not occur in a fold, or is never
  above 0, has neither F1 nor ICC there.

Each is the plain mean over folds of the means over classes, targets or units. They all follow from
sums over clips (of hits, of moments), so thousands of weights are one product of matrices.

Chance is what answers that do not depend on the clip get: of UAR 1 / the number of classes, of CCC
and ICC 0, of F1 what answering every unit always gets.

Legend of names: n clips, F folds, M classes, targets or units, J sums, R resamples or other
repetitions. Weights, (n) or (R, n), say how often each clip counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.evaluation import paired
from facewave.evaluation.intervals import (
    Codes,
    Estimate,
    Floats,
    divide,
    estimates,
    groups,
    mean,
)
from facewave.params import Evaluate
from facewave.targets import Target

_THERE = 0.5  # from which probability a unit counts as answered
_LEAST = 1e-12  # a variance below is that of a constant
_DECIMALS = 4
DIFFERENCE = ("difference", "difference_low", "difference_high", "p")


@dataclass(frozen=True)
class Measure:
    """A figure that follows from sums over clips.

    Attributes:
        terms: truth (n, M), NaN where it is not known, and what was said (n, ..., M) -> (n, J, ...,
            M), what is summed.
        of_sums: (J, ..., M) -> (..., M), NaN where it is undefined.
        name: for people.
        percent: whether tables have it in percent.
    """

    terms: Callable[[Floats, NDArray[Any]], Floats]
    of_sums: Callable[[Floats], Floats]
    name: str
    percent: bool = False

    @property
    def title(self) -> str:
        """With its unit."""
        return f"{self.name} (%)" if self.percent else self.name

    @property
    def fall(self) -> str:
        """How much less of it there is, with its unit."""
        return f"fall of {self.name}{' (points)' if self.percent else ''}"

    @property
    def decimals(self) -> int:
        """Of a figure in a table."""
        return 2 if self.percent else 4

    def written(self, value: float) -> float:
        """A figure as tables have it."""
        return round(100 * value if self.percent else value, self.decimals) + 0.0  # not -0.0


def _hits(truth_nM: Floats, said: NDArray[Any]) -> Floats:
    """Which clips of each class are answered rightly, and which there are."""
    truth = np.broadcast_to(_beside(truth_nM, said), said.shape)
    return np.stack([truth * said, truth], axis=1)


def _all_hits(truth_nM: Floats, said: NDArray[Any]) -> Floats:
    return _hits(truth_nM, said).sum(axis=-1, keepdims=True)


def _found(truth_nM: Floats, said: NDArray[Any]) -> Floats:
    """Where units are rightly answered, answered, and there."""
    truth = np.broadcast_to(_beside(truth_nM, said), said.shape)
    there, answered = np.nan_to_num(truth), said * ~np.isnan(truth)
    return np.stack([there * answered, answered, there], axis=1)


def _moments(truth_nM: Floats, said: NDArray[Any]) -> Floats:
    """One, and first and second moments about the truth's mean, which keeps digits."""
    known_nM = ~np.isnan(truth_nM)
    counts_M = np.maximum(known_nM.sum(axis=0), 1)
    centre_M = np.where(known_nM, truth_nM, 0).sum(axis=0) / counts_M
    known = np.broadcast_to(_beside(known_nM, said), said.shape)
    truth = np.where(known, _beside(truth_nM - centre_M, said), 0.0)
    answers = np.where(known, said.astype(float) - centre_M, 0.0)
    products = (truth**2, answers**2, truth * answers)
    return np.stack([known.astype(float), truth, answers, *products], axis=1)


def _intensities(truth_nM: Floats, said: NDArray[Any]) -> Floats:
    """Moments, and where units occur, that is, are above 0."""
    occurs = np.broadcast_to(_beside(truth_nM > 0, said), said.shape)
    return np.concatenate([_moments(truth_nM, said), occurs[:, None]], axis=1)


def _distances(truth_nM: Floats, said: NDArray[Any]) -> Floats:
    truth = _beside(truth_nM, said)
    known = np.broadcast_to(~np.isnan(truth), said.shape)
    return np.stack([np.where(known, np.abs(truth - said), 0.0), known.astype(float)], axis=1)


def _beside(truth_nM: NDArray[Any], said: NDArray[Any]) -> NDArray[Any]:
    """The truth (n, M) with axes for those that what was said, (n, ..., M), has more."""
    return truth_nM.reshape(len(truth_nM), *(1,) * (said.ndim - 2), truth_nM.shape[-1])


def _share(sums: Floats) -> Floats:
    return divide(sums[0], sums[1])


def _f1(sums: Floats) -> Floats:
    both, answered, there = sums
    return np.where(there > 0, divide(2 * both, there + answered), np.nan)


def _ccc(sums: Floats) -> Floats:
    """Lin's concordance correlation coefficient, by population moments."""
    x, y, xx, yy, xy = _means(sums)
    spread = xx - x**2 + yy - y**2 + (x - y) ** 2
    return divide(2 * (xy - x * y), np.where(spread > _LEAST, spread, 0.0))


def _icc(sums: Floats) -> Floats:
    """ICC(3,1) of truth and model, which is CCC without the means' difference."""
    x, y, xx, yy, xy = _means(sums[:-1])
    spread = xx - x**2 + yy - y**2
    return divide(2 * (xy - x * y), np.where((sums[-1] > 0) & (spread > _LEAST), spread, 0.0))


def _means(sums: Floats) -> list[Floats]:
    n, *moments = sums
    return [divide(moment, n) for moment in moments]


WAR, UAR, CCC, ICC, F1, MAE = "war", "uar", "ccc", "icc", "f1", "mae"
MACRO_F1 = "macro_f1"
MEASURES = {
    WAR: Measure(_all_hits, _share, "WAR", percent=True),
    UAR: Measure(_hits, _share, "UAR", percent=True),
    MACRO_F1: Measure(_found, _f1, "macro F1", percent=True),
    CCC: Measure(_moments, _ccc, "mean CCC"),
    ICC: Measure(_intensities, _icc, "mean ICC"),
    F1: Measure(_found, _f1, "mean F1"),
    MAE: Measure(_distances, _share, "MAE"),
}


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers to test clips.

    Attributes:
        truth_nM: of words 1 in the word's column; NaN where it is not known.
        said_nM: likewise: the word that was answered, whether a unit is there, or a number.
        fold: in whose test part each clip is, from 0, (n).
        group: its subject or source, (n).
    """

    truth_nM: Floats
    said_nM: NDArray[Any]
    fold: Codes
    group: Codes

    @property
    def n_folds(self) -> int:
        """F, 1 where there is no clip."""
        return int(self.fold.max(initial=0)) + 1

    def part(self, clips: NDArray[np.bool_], columns: slice = slice(None)) -> "Answered":
        """Those to some clips, and of numbers or units to some of these."""
        truth_nM, said_nM = (of[clips, columns] for of in (self.truth_nM, self.said_nM))
        return Answered(truth_nM, said_nM, self.fold[clips], self.group[clips])

    def sums(self, name: str, weights: Floats | None = None) -> Floats:
        """What a measure follows from, (J, ..., F, M)."""
        weights = np.ones(len(self.fold)) if weights is None else weights
        terms = MEASURES[name].terms(self.truth_nM, self.said_nM)
        folds = [self.fold == fold for fold in range(self.n_folds)]
        return np.stack([summed(terms[f], weights[..., f]) for f in folds], axis=-2)

    def by_fold(self, name: str, weights: Floats | None = None) -> Floats:
        """A measure in every fold, mean over M, (..., F)."""
        return mean(MEASURES[name].of_sums(self.sums(name, weights)))

    def figures(self, names: Sequence[str], weights: Floats | None = None) -> dict[str, Floats]:
        """Measures, mean over M and folds, (...)."""
        return {name: _mean(name, self.sums(name, weights)) for name in names}


def _mean(name: str, sums: Floats) -> Floats:
    """A measure of sums (J, ..., F, M), mean over M and folds, (...)."""
    return mean(mean(MEASURES[name].of_sums(sums)))


def summed(terms: Floats, weights: Floats) -> Floats:
    """Weighted sums over clips: terms (n, J, ..., M) and weights (R, n) -> (J, R, ..., M)."""
    return np.moveaxis(np.tensordot(weights, terms, axes=1), weights.ndim - 1, 0)


_COUNTS = {"words": UAR, "number": CCC, "presence": F1, "intensity": ICC}


@dataclass(frozen=True)
class Score:
    """What answers to some targets are counted by: to words, to units, or to numbers alone."""

    targets: tuple[Target, ...]

    @property
    def measure(self) -> str:
        """The name of the figure, in ``MEASURES``."""
        return _COUNTS[self.targets[0].kind]

    @property
    def measures(self) -> tuple[str, ...]:
        """With what stands beside it."""
        return (WAR, UAR) if self.measure == UAR else (self.measure,)

    def decided(self, numbers_nM: NDArray[Any]) -> NDArray[Any]:
        """What models' numbers say, (..., M): the likeliest word's column, units, or numbers."""
        if self.measure == UAR:
            said = numbers_nM.argmax(axis=-1)[..., None] == np.arange(numbers_nM.shape[-1])
            return said.astype(np.int8)
        return (numbers_nM >= _THERE).astype(np.int8) if self.measure == F1 else numbers_nM

    def tested(self, rows: pd.DataFrame) -> Answered:
        """One model's answers to the clips of which any of the targets is known.

        Args:
            rows: of a table of answers (prediction/schema.py), folds in succession.
        """
        fold = pd.factorize(rows["partition"])[0]
        columns = [name for target in self.targets for name in target.numbers]
        truth_nM, said_nM = self._truth(rows), self.decided(rows[columns].to_numpy(float))
        known = ~np.isnan(truth_nM).all(axis=1)
        group = groups(rows[known].reset_index(drop=True))
        return Answered(truth_nM[known], said_nM[known], fold[known], group)

    def _truth(self, rows: pd.DataFrame) -> Floats:
        first = self.targets[0]
        if first.is_words:
            codes_n = pd.Index(first.names).get_indexer(rows[first.actual[0]])
            return np.where(codes_n[:, None] >= 0, np.eye(first.width)[codes_n], np.nan)
        names = [name for target in self.targets for name in target.actual]
        return rows[names].to_numpy(float)


def score_of(targets: Sequence[Target]) -> Score:
    """By what models of some targets are counted: by the first one, or all numbers if it is one."""
    if targets[0].kind != "number":
        return Score((targets[0],))
    return Score(tuple(target for target in targets if target.kind == "number"))


def columns_of(measures: Sequence[str]) -> tuple[str, ...]:
    """The columns of ``figures``."""
    ends = (f"{name}{end}" for name in measures for end in ("", "_low", "_high"))
    return ("n", "groups", "folds", "measure", *ends, "chance")


def figures(score: Score, tested: Answered, settings: Evaluate) -> dict[str, Any]:
    """Counts, which measure counts, its 95 % interval with those beside it, and chance."""
    measure = partial(tested.figures, score.measures)
    measured = estimates(measure, tested.group, settings.resamples, settings.seed)
    row: dict[str, Any] = counts(tested) | {"measure": score.measure}
    for name, estimate in measured.items():
        written = MEASURES[name].written
        row |= {key: written(value) for key, value in estimate.named(name).items()}
    return row | {"chance": MEASURES[score.measure].written(chance(score, tested))}


def estimate(name: str, tested: Answered, settings: Evaluate) -> Estimate:
    """A measure with its 95 % interval, as a share of 1."""
    measure = partial(tested.figures, [name])
    return estimates(measure, tested.group, settings.resamples, settings.seed)[name]


def difference(
    first: Answered, second: Answered, name: str, settings: Evaluate
) -> paired.Difference:
    """The paired difference of a measure, first less second.

    Raises:
        ValueError: the clips are not the same, in the same order.
    """
    if not np.array_equal(first.truth_nM, second.truth_nM, equal_nan=True):
        raise ValueError("the two models' clips differ: truth_nM")
    measure_of: paired.MeasureOf = lambda tested: partial(tested.figures, [name])  # noqa: E731
    drawn = settings.resamples, settings.seed
    return paired.compare(first, second, measure_of, *drawn).differences[name]


def compared(name: str, first: Answered, second: Answered, settings: Evaluate) -> dict[str, float]:
    """The paired difference of a measure, first less second, as columns ``DIFFERENCE`` have it."""
    found = difference(first, second, name, settings)
    return rounded(
        dict(zip(DIFFERENCE, (found.value, found.low, found.high, found.p), strict=True))
    )


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures that are shares of 1, with four digits."""
    return {name: round(value, _DECIMALS) + 0.0 for name, value in figures.items()}  # not -0.0


def counts(tested: Answered) -> dict[str, int]:
    """Clips, groups and folds of a figure."""
    return {
        "n": len(tested.fold),
        "groups": len(np.unique(tested.group)),
        "folds": len(np.unique(tested.fold)),
    }


def chance(score: Score, tested: Answered) -> float:
    """What answers that do not depend on the clip get."""
    if score.measure in (CCC, ICC):
        return 0.0
    always = replace(tested, said_nM=np.ones_like(tested.said_nM))
    if score.measure == F1:
        return float(always.figures([F1])[F1])
    n_classes = (always.sums(UAR)[1] > 0).sum(axis=-1).astype(float)
    return float(mean(divide(np.ones(n_classes.shape), n_classes)))

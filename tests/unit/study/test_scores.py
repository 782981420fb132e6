"""Figures of every kind of target are the textbook's, whatever the weights, folds and gaps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, recall_score

from facewave.evaluation import measures, paired
from facewave.params import Evaluate, Traces
from facewave.study.scores import Answered, Score, chance, difference, score_of
from facewave.targets import Target, number

Array = NDArray[Any]
N, FOLDS = 60, 3
DRAWS = Evaluate(resamples=300, seed=4, traces=Traces(0, 0))
WORDS = Target("classes", "words", ("a", "b", "c"))
UNITS = Target("aus", "presence", ("AU1", "AU4"))


def moments(x: Array, y: Array) -> tuple[float, float, float]:
    return ((x - x.mean()) * (y - y.mean())).mean(), x.var() + y.var(), (x.mean() - y.mean()) ** 2


def ccc(x: Array, y: Array) -> float:
    covariance, spread, apart = moments(x, y)
    return 2 * covariance / (spread + apart)


def icc(x: Array, y: Array) -> float:
    covariance, spread, _ = moments(x, y)
    return 2 * covariance / spread


def sparse_icc(x: Array, y: Array) -> float:
    return icc(x, y) if (x > 0).any() else np.nan


def mae(x: Array, y: Array) -> float:
    return float(np.abs(x - y).mean())


def answered(truth_nM: Array, said_nM: Array) -> Answered:
    rng = np.random.default_rng(1)
    return Answered(truth_nM, said_nM, rng.integers(0, FOLDS, N), rng.integers(0, 12, N))


def by_hand(of: Answered, formula: Callable[[Array, Array], float], times: Array) -> float:
    """The mean over folds of that over columns, with clips there as often as ``times`` says."""
    drawn = np.repeat(np.arange(N), times)
    folds = []
    for fold in range(FOLDS):
        at = drawn[of.fold[drawn] == fold]
        columns = zip(of.truth_nM[at].T, of.said_nM[at].T, strict=True)
        each = [formula(x[~np.isnan(x)], y[~np.isnan(x)]) for x, y in columns]
        folds.append(np.nanmean(each))
    return float(np.mean(folds))


def numbers() -> Answered:
    rng = np.random.default_rng(0)
    truth = rng.normal(0.4, 1, (N, 2))
    truth[::7, 1] = np.nan
    return answered(truth, np.nan_to_num(truth) * 0.5 + rng.normal(size=(N, 2)))


def units() -> Answered:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (N, 2)).astype(float)
    truth[::7, 1] = np.nan
    found = answered(truth, rng.integers(0, 2, (N, 2)).astype(np.int8))
    truth[found.fold == 1, 0] = 0  # the first unit does not occur in a fold
    return found


def intensities() -> Answered:
    found = numbers()
    truth = np.maximum(found.truth_nM, 0)
    truth[found.fold == 1, 0] = 0  # the first unit does not occur in a fold
    return replace(found, truth_nM=truth)


def words(seed: int) -> tuple[Answered, measures.Answers]:
    rng = np.random.default_rng(seed)
    actual, group = np.arange(N) % 3, np.arange(N) // 4
    predicted = np.where(rng.random(N) < 0.5, actual, rng.integers(0, 3, N))
    hot = np.eye(3)
    fold = group % FOLDS
    answers = measures.Answers(actual, predicted, hot[predicted], fold, group)
    return Answered(hot[actual], hot[predicted].astype(np.int8), fold, group), answers


def test_figures_are_the_textbook_s_with_any_weights() -> None:
    def f1(x: Array, y: Array) -> float:
        return f1_score(x, y) if x.any() else np.nan

    times = np.random.default_rng(2).integers(0, 3, (4, N))
    cases: list[tuple[str, Answered, Callable[[Array, Array], float]]] = [
        ("ccc", numbers(), ccc), ("icc", intensities(), sparse_icc), ("mae", numbers(), mae),
        ("f1", units(), f1), ("uar", words(0)[0], lambda x, y: recall_score(x, y)),
    ]  # fmt: skip
    for name, of, formula in cases:
        found = of.figures([name], times.astype(float))[name]
        assert found == pytest.approx([by_hand(of, formula, one) for one in times]), name
        plain = of.figures([name])[name]
        assert plain == pytest.approx(by_hand(of, formula, np.ones(N, int))), name
    whole = words(0)
    both = whole[0].figures(["war", "uar"], times.astype(float))
    for name, values in measures.war_and_uar(whole[1], times.astype(float)).items():
        np.testing.assert_allclose(both[name], values)


def test_a_constant_answer_has_no_ccc_but_0_and_two_constants_none() -> None:
    truth = np.random.default_rng(0).normal(size=(N, 1))
    assert answered(truth, np.full((N, 1), 0.1)).figures(["ccc"])["ccc"] == pytest.approx(0)
    same = np.full((N, 1), 0.1)
    assert np.isnan(answered(same, same).figures(["ccc"])["ccc"])


def test_differences_are_those_of_the_house_s_test() -> None:
    (first, one), (second, other) = words(1), words(2)
    measure_of: Any = lambda answers: lambda w: measures.war_and_uar(answers, w)  # noqa: E731
    expected = paired.compare(one, other, measure_of, DRAWS.resamples, DRAWS.seed).differences
    for name in ("war", "uar"):
        found = difference(first, second, name, DRAWS)
        assert vars(found) == pytest.approx(vars(expected[name]))
    with pytest.raises(ValueError, match="clips differ"):
        difference(first, Answered(1 - second.truth_nM, *list(vars(second).values())[1:]),
                   "uar", DRAWS)  # fmt: skip


def test_each_kind_is_counted_by_its_own_and_numbers_together() -> None:
    valence, score = number("valence"), number("score.x")
    intensity = Target("aus", "intensity", ("AU1",))
    for targets, measure, counted in (
        ([WORDS, valence], "uar", (WORDS,)),
        ([valence, WORDS, score], "ccc", (valence, score)),
        ([UNITS, WORDS], "f1", (UNITS,)),
        ([intensity], "icc", (intensity,)),
    ):
        found = score_of(targets)
        assert (found.measure, found.targets) == (measure, counted)


def test_chance_is_what_answers_get_that_do_not_depend_on_the_clip() -> None:
    of_units = units()
    always = Answered(of_units.truth_nM, np.ones((N, 2)), of_units.fold, of_units.group)
    assert chance(Score((UNITS,)), of_units) == always.figures(["f1"])["f1"] > 0.5
    assert chance(Score((WORDS,)), words(0)[0]) == pytest.approx(1 / 3)
    assert chance(score_of([number("valence")]), numbers()) == 0

"""Two models on the same clips: by hand, and by simulation how often the test is wrong."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.evaluation import continuous, intervals, measures, paired
from facewave.evaluation.continuous import Values, sums
from facewave.evaluation.measures import Answers
from facewave.evaluation.paired import Comparison, Difference, Foremost

RESAMPLES = 199


def two_models(
    right: NDArray[np.bool_], group: NDArray[np.int64], n_folds: int = 1
) -> tuple[Answers, Answers]:
    """Answers of two models that are right where it says so, (2, n); two classes by turns."""
    n = right.shape[1]
    actual = np.arange(n) % 2
    made = []
    for ok in right:
        predicted = np.where(ok, actual, 1 - actual)
        made.append(Answers(actual, predicted, np.eye(2)[predicted], group % n_folds, group))
    return made[0], made[1]


def compare(one: Answers, other: Answers, resamples: int, seed: int) -> Comparison:
    """By WAR and UAR."""
    return paired.compare(
        one, other, lambda coded: partial(measures.war_and_uar, coded), resamples, seed
    )


def resampled(one: Answers, seed: int) -> dict[str, NDArray[np.float64]]:
    measure = partial(measures.overall, one)
    return intervals.resampled(measure, one.group, RESAMPLES, seed)


def simulated(
    rng: np.random.Generator, better: float = 0.0, taste: float = 0.0
) -> tuple[Answers, Answers]:
    """30 subjects of 6 clips; subjects are easy or hard for both models.

    The first is right more often by ``better``, and by up to ``taste`` more or less for each
    subject, which over all subjects is no difference.
    """
    group = np.repeat(np.arange(30), 6)
    ease = rng.uniform(0.3, 0.7, 30)
    liked = rng.choice([-taste, taste], 30)
    chance = np.stack([ease + (better + liked) / 2, ease - (better + liked) / 2])
    return two_models(rng.random((2, 180)) < chance[:, group], group, n_folds=3)


def found_in(n: int, better: float = 0.0, taste: float = 0.0, alone: bool = False) -> float:
    """In what share of simulations p is at most 0.05 for the UAR."""
    rng = np.random.default_rng(7)
    count = 0
    for _ in range(n):
        first, second = simulated(rng, better, taste)
        if alone:
            single = np.arange(len(first.group))
            first, second = replace(first, group=single), replace(second, group=single)
        found = compare(first, second, RESAMPLES, seed=int(rng.integers(2**32)))
        count += found.differences["uar"].p <= 0.05
    return count / n


def test_a_difference_is_found_but_where_there_is_none_as_rarely_as_the_level_says() -> None:
    assert 0.02 <= found_in(150) <= 0.085
    assert 0.02 <= found_in(150, taste=0.3) <= 0.085
    assert found_in(80, taste=0.3, alone=True) > 0.12  # single clips may not be swapped
    assert found_in(50, better=0.2) > 0.8


def test_figures_and_intervals_are_those_of_the_measures_in_the_same_resamples() -> None:
    first, second = simulated(np.random.default_rng(0), better=0.2)
    found = compare(first, second, RESAMPLES, seed=3)
    assert (found.clips, found.folds, found.groups, found.over_groups) == (180, 3, 30, True)
    assert list(found.differences) == ["war", "uar"]
    drawn = [resampled(one, seed=3) for one in (first, second)]
    for name, one in found.differences.items():
        assert one.first == measures.overall(first)[name]
        assert one.second == measures.overall(second)[name]
        assert one.value == one.first - one.second
        expected = intervals.interval(drawn[0][name] - drawn[1][name])
        assert (one.low, one.high) == pytest.approx(tuple(expected))
    assert found == compare(first, second, RESAMPLES, seed=3)
    for name in ("actual", "fold", "group"):
        other = replace(second, **{name: np.roll(getattr(second, name), 1)})
        with pytest.raises(ValueError, match=f"clips differ: {name}"):
            compare(first, other, RESAMPLES, seed=0)


def test_p_is_the_share_of_swaps_of_whole_groups_that_differ_as_much() -> None:
    # The first is right of all clips, the second of none: of 2^7 swaps only two are as extreme.
    group = np.repeat(np.arange(7), 4)
    right = np.stack([np.ones(28, bool), np.zeros(28, bool)])
    found = compare(*two_models(right, group), 20_000, seed=0)
    assert found.differences["war"].p == pytest.approx(2 / 2**7, rel=0.15)
    assert not found.over_groups
    alone = compare(*two_models(right, np.arange(28)), RESAMPLES, seed=0)
    assert alone.differences["war"].p == 1 / (1 + RESAMPLES)
    # Of one group nothing is learnt, nor of a model and itself.
    models = two_models(right, np.zeros(28, np.int64))
    for pair in (models, models[:1] * 2):
        one = compare(*pair, RESAMPLES, seed=0).differences["uar"]
        assert one.p == 1
        assert not one.shown
    assert (one.value, one.low, one.high) == (0, 0, 0)


def test_numbers_are_compared_by_any_measure_of_theirs() -> None:
    rng = np.random.default_rng(0)
    actual = rng.uniform(-1, 1, (120, 2))
    actual[::7, 1] = np.nan
    group = np.arange(120) // 4
    near, far = (
        Values(actual, actual + rng.normal(0, spread, actual.shape), group % 3, group)
        for spread in (0.2, 0.6)
    )

    def mean_ccc(coded: Values) -> intervals.Measure:
        of = sums(coded, by_group=False)
        return lambda weights: {"mean CCC": continuous.overall(of, weights)["ccc"][..., -1]}

    found = paired.compare(near, far, mean_ccc, RESAMPLES, seed=0)
    one = found.differences["mean CCC"]
    assert one.first == continuous.overall(sums(near))["ccc"][-1]
    assert one.shown
    assert 0 < one.low < one.value < one.high
    foremost = Foremost("mean CCC", "mean CCC", "of valence, arousal", in_points=False)
    assert said(found, "subjects", foremost).startswith(
        f"A is better than B by {one.value:.3f} in mean CCC (95 % interval {one.low:.3f} to "
    )
    assert said(found, "subjects", foremost).endswith(
        "120 clips of 30 subjects, 3 folds; of valence, arousal)."
    )
    unsure = replace(found, differences={"mean CCC": replace(one, p=0.5)})
    assert f"told apart: A has {one.value:.3f} more in mean CCC (95" in said(
        unsure, "subjects", foremost
    )
    same = paired.compare(near, near, mean_ccc, RESAMPLES, seed=0).differences["mean CCC"]
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="clips differ: actual_nT"):
        paired.compare(near, replace(near, actual_nT=actual + 1), mean_ccc, RESAMPLES, seed=0)


def test_what_a_model_does_not_answer_is_not_compared() -> None:
    rng = np.random.default_rng(0)
    actual = rng.uniform(-1, 1, (60, 2))
    group = np.arange(60) // 4
    whole = Values(actual, actual, np.zeros(60, np.int64), group)
    partial_nT = actual.copy()
    partial_nT[:, 1] = np.nan

    def mean_ccc(coded: Values) -> intervals.Measure:
        of = sums(coded, by_group=False)
        return lambda weights: {"mean CCC": continuous.overall(of, weights)["ccc"][..., -1]}

    lacking = replace(whole, predicted_nT=partial_nT)
    found = paired.compare(whole, lacking, mean_ccc, RESAMPLES, seed=0)
    one = found.differences["mean CCC"]
    assert np.isnan([one.value, one.p]).all()
    assert not one.shown
    foremost = Foremost("mean CCC", "mean CCC", "of valence, arousal", in_points=False)
    assert said(found, "subjects", foremost) == (
        "A and B cannot be compared: B has no mean CCC on these clips."
    )


def comparison(uar: Difference, groups: int = 12, folds: int = 5, over: bool = True) -> Comparison:
    # The WAR says the opposite, which the sentence leaves to the table.
    war = Difference(0.1, 0.9, -0.9, -0.7, 0.0005)
    return Comparison({"war": war, "uar": uar}, 86, folds, groups, over)


LEVEL = "6 classes, chance 16.7 %"
UAR = Foremost("uar", "UAR", LEVEL, in_points=True)


def said(found: Comparison, grouped_by: str = "subjects", foremost: Foremost = UAR) -> str:
    return paired.sentence(("A", "B"), found, foremost, grouped_by)


UNITS = f"paired over 86 clips of 12 subjects, 5 folds; {LEVEL}"


def test_the_sentence_of_a_difference() -> None:
    assert said(comparison(Difference(0.732, 0.7, 0.0041, 0.0612, 0.03))) == (
        f"A is better than B by 3.2 points of UAR (95 % interval 0.4 to 6.1, p = 0.03; {UNITS})."
    )
    assert said(comparison(Difference(0.7, 0.732, -0.0612, -0.0041, 0.0005))) == (
        f"B is better than A by 3.2 points of UAR (95 % interval 0.4 to 6.1, p = 0.0005; {UNITS})."
    )
    assert said(comparison(Difference(0.70, 0.712, -0.041, 0.02, 0.423))) == (
        "B and A cannot be told apart: B has 1.2 points of UAR more "
        f"(95 % interval -2.0 to 4.1, p = 0.42; {UNITS})."
    )
    assert said(comparison(Difference(0.7, 0.7, 0.0, 0.0, 1.0))) == (
        "A and B cannot be told apart: they have the same UAR "
        f"(95 % interval 0.0 to 0.0, p = 1; {UNITS})."
    )
    without, by_test = "The interval leaves out 0, but the test finds no", "The test finds a differ"
    for low, p, note in ((0.001, 0.05, without), (0.0, 0.01, by_test), (-0.001, 0.01, by_test)):
        sentence = said(comparison(Difference(0.73, 0.7, low, 0.06, p)))
        assert "cannot be told apart" in sentence  # test and interval must agree
        assert f"{LEVEL}). {note}" in sentence
        other = said(comparison(Difference(0.7, 0.73, -0.06, -low, p)))
        assert f"{LEVEL}). {note}" in other


def test_few_groups_are_told() -> None:
    some = Difference(0.73, 0.7, 0.01, 0.06, 0.03)
    narrow = "With fewer than 10 groups the interval is over single clips, and too narrow."
    unable = "With fewer than 6 groups no p can be below 0.05."
    end = "p = 0.03; paired over 86 clips of"
    assert said(comparison(some, 9, over=False)).endswith(
        f"{end} 9 subjects, 5 folds; {LEVEL}). {narrow}"
    )
    assert said(comparison(some, 5, 1, over=False)).endswith(
        f"5 subjects; {LEVEL}). {narrow} {unable}"
    )
    assert said(comparison(some, 1, 1, over=False)).endswith(
        f"1 subject; {LEVEL}). {narrow} {unable}"
    )
    assert said(comparison(some, 40), "sources").endswith(f"{end} 40 sources, 5 folds; {LEVEL}).")
    assert said(comparison(some, 86), "clips").endswith(f"paired over 86 clips, 5 folds; {LEVEL}).")
    assert said(comparison(some, 80), "clips").endswith(
        f"over 86 clips in 80 groups, 5 folds; {LEVEL})."
    )

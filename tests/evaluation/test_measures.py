"""The figures, each worked out a second time in plain Python; the intervals, by simulation."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from facewave.evaluation import measures
from facewave.evaluation.measures import Answers

Floats = NDArray[np.float64]
Pairs = list[tuple[int, int]]

N_CLASSES = 7
MEASURES = (measures.war, measures.uar, measures.macro_f1)
codes = st.integers(0, N_CLASSES - 1)
some_pairs = st.lists(st.tuples(codes, codes), min_size=1, max_size=60)
quick = settings(max_examples=100, deadline=None)


def answers(
    pairs: Pairs, fold: Sequence[int] | None = None, group: Sequence[int] | None = None
) -> Answers:
    """Pairs of actual and predicted codes; by default one fold, each clip its own subject."""
    actual, predicted = np.array(pairs, np.int64).reshape(-1, 2).T
    n = len(pairs)
    return Answers(
        actual,
        predicted,
        np.array([0] * n if fold is None else fold, np.int64),
        np.array(range(n) if group is None else group, np.int64),
        N_CLASSES,
    )


def overall(measure: Callable[[Floats], Floats], made: Answers) -> float:
    return float(measures.over_folds(measure, measures.confusion(made)))


def bootstrap(
    measure: Callable[[Floats], Floats], made: Answers, resamples: int = 300, seed: int = 0
) -> tuple[float, float]:
    return measures.interval(measure, measures.resampled_confusion(made, resamples, seed))


def plain_recall(pairs: Pairs, code: int) -> float:
    answered = [p for a, p in pairs if a == code]
    return answered.count(code) / len(answered)


def plain_f1(pairs: Pairs, code: int) -> float:
    right = sum(a == p == code for a, p in pairs)
    wrong = sum((a == code) != (p == code) for a, p in pairs)
    return 2 * right / (2 * right + wrong)


def plain(pairs: Pairs) -> list[float]:
    """WAR, UAR and macro F1 by counting."""
    present = {a for a, _ in pairs}
    return [
        sum(a == p for a, p in pairs) / len(pairs),
        sum(plain_recall(pairs, code) for code in present) / len(present),
        sum(plain_f1(pairs, code) for code in present) / len(present),
    ]


@quick
@given(some_pairs)
def test_figures_equal_plain_python(pairs: Pairs) -> None:
    figures = [overall(measure, answers(pairs)) for measure in MEASURES]
    assert figures == pytest.approx(plain(pairs))


@quick
@given(some_pairs)
def test_figures_equal_scikit_learn_where_every_class_occurs(pairs: Pairs) -> None:
    made = answers([*pairs, *((code, code) for code in range(N_CLASSES))])
    a, p = made.actual, made.predicted
    np.testing.assert_array_equal(measures.confusion(made), [confusion_matrix(a, p)])
    assert overall(measures.war, made) == pytest.approx(accuracy_score(a, p))
    assert overall(measures.uar, made) == pytest.approx(recall_score(a, p, average="macro"))
    assert overall(measures.macro_f1, made) == pytest.approx(f1_score(a, p, average="macro"))


@quick
@given(some_pairs)
def test_recalls_are_nan_for_absent_classes_alone(pairs: Pairs) -> None:
    present = {a for a, _ in pairs}
    expected = [plain_recall(pairs, c) if c in present else np.nan for c in range(N_CLASSES)]
    recalls = measures.recalls(measures.confusion(answers(pairs))[0])
    np.testing.assert_allclose(recalls, expected)


def test_a_class_absent_from_the_test_part_is_left_out() -> None:
    made = answers([(0, 0), (0, 2), (1, 1)])  # 2 is answered, but never the truth
    assert overall(measures.uar, made) == pytest.approx((1 / 2 + 1) / 2)
    assert overall(measures.macro_f1, made) == pytest.approx((2 / 3 + 1) / 2)


def test_over_folds_is_the_plain_mean() -> None:
    made = answers([(0, 0), (1, 0), (1, 0), (1, 0)], fold=[1, 0, 0, 0])
    assert overall(measures.war, made) == 0.5  # over clips it were 0.25
    assert overall(measures.uar, made) == 0.5


def test_a_fold_without_clips_is_left_out() -> None:
    made = answers([(0, 0), (1, 0), (1, 0)], fold=[0, 2, 2])
    for measure in MEASURES:
        assert overall(measure, made) == 0.5


@quick
@given(some_pairs, st.data())
def test_over_folds_equals_plain_python(pairs: Pairs, data: st.DataObject) -> None:
    n = len(pairs)
    folds = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    parts = [[pairs[i] for i in range(n) if folds[i] == fold] for fold in set(folds)]
    expected = np.mean([plain(part) for part in parts], axis=0)
    figures = [overall(measure, answers(pairs, folds)) for measure in MEASURES]
    assert figures == pytest.approx(expected.tolist())


def simulated(
    rng: np.random.Generator, n_subjects: int, per_subject: int, spread: float = 50.0
) -> Answers:
    """A model of accuracy 0.7; a small spread makes a subject's clips right or wrong together."""
    accuracy = rng.beta(0.7 * spread, 0.3 * spread, n_subjects)
    right = rng.random((n_subjects, per_subject)) < accuracy[:, None]
    group = np.repeat(np.arange(n_subjects), per_subject)
    return answers([(0, int(not ok)) for ok in right.ravel()], group=group.tolist())


def width(interval: tuple[float, float]) -> float:
    return interval[1] - interval[0]


@pytest.mark.parametrize("measure", MEASURES)
def test_an_interval_is_around_its_figure(measure: Callable[[Floats], Floats]) -> None:
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 3, 60)
    predicted = np.where(rng.random(60) < 0.6, actual, rng.integers(0, 3, 60))
    pairs = list(zip(actual.tolist(), predicted.tolist(), strict=True))
    made = answers(pairs, fold=(np.arange(60) % 3).tolist())
    low, high = bootstrap(measure, made)
    assert low < overall(measure, made) < high
    assert 0.1 < high - low < 0.5


def test_a_seed_fixes_the_interval() -> None:
    made = simulated(np.random.default_rng(0), 20, 3)
    first = bootstrap(measures.war, made, seed=1)
    assert first == bootstrap(measures.war, made, seed=1)
    assert first != bootstrap(measures.war, made, seed=2)


def test_a_model_that_is_always_right_has_no_spread() -> None:
    made = answers([(0, 0), (1, 1)] * 10)
    assert bootstrap(measures.uar, made) == (1.0, 1.0)


def test_fewer_subjects_give_a_wider_interval() -> None:
    few = simulated(np.random.default_rng(3), 15, 20, spread=0.01)
    many = simulated(np.random.default_rng(3), 150, 2, spread=0.01)
    assert len(few.actual) == len(many.actual)
    assert width(bootstrap(measures.war, few)) > 2 * width(bootstrap(measures.war, many))


def test_a_resample_has_as_many_whole_subjects_as_there_are() -> None:
    # Subject s has s + 1 clips, all in a cell of the confusion matrix that no other subject has.
    subjects = [s for s in range(12) for _ in range(s + 1)]
    made = answers([divmod(s, N_CLASSES) for s in subjects], group=subjects)
    assert measures.resampled_by(made) == "subjects"
    drawn = measures.resampled_confusion(made, 50, seed=0)
    assert drawn.shape == (50, 1, N_CLASSES, N_CLASSES)
    times = drawn.reshape(50, -1)[:, :12] / np.arange(1, 13)
    np.testing.assert_array_equal(times, times.round())
    np.testing.assert_array_equal(times.sum(axis=1), 12)
    assert len(np.unique(times, axis=0)) == 50


def test_whole_subjects_are_drawn_where_there_are_ten() -> None:
    pairs, group = [(0, k % 2) for k in range(10)] * 10, list(range(10)) * 10
    together, alone = answers(pairs, group=group), answers(pairs)
    assert measures.resampled_by(together) == "subjects"
    # Ten draws of 0 or 1 against a hundred: sqrt(10) times as wide.
    by_subject, by_clip = bootstrap(measures.war, together), bootstrap(measures.war, alone)
    assert width(by_subject) > 2 * width(by_clip)


def test_single_clips_are_drawn_where_there_are_nine_subjects() -> None:
    made = simulated(np.random.default_rng(0), 9, 10, spread=0.01)
    assert measures.resampled_by(made) == "clips"
    alone = replace(made, group=np.arange(90))
    assert bootstrap(measures.war, made) == bootstrap(measures.war, alone)


@pytest.mark.parametrize("spread", [1.0, 50.0])
def test_intervals_cover_the_truth_as_often_as_they_say(spread: float) -> None:
    rng = np.random.default_rng(5)
    n = 200
    covered = 0
    for _ in range(n):
        low, high = bootstrap(measures.war, simulated(rng, 20, 2, spread))
        covered += low <= 0.7 <= high
    assert 0.88 <= covered / n <= 0.99

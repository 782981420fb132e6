"""The figures, each by scikit-learn or counting as well, and what intervals are drawn from."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sk

from facewave.evaluation import intervals, measures
from facewave.evaluation.measures import MEASURES, Answers
from facewave.targets import Target

Floats = NDArray[np.float64]
Pairs = list[tuple[int, int]]

N_CLASSES = 7
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=50, deadline=None)


def answers(
    pairs: Pairs, fold: Sequence[int] | None = None, group: Sequence[int] | None = None
) -> Answers:
    """Pairs of actual and predicted codes; by default one fold, each clip its own subject."""
    actual, predicted = np.array(pairs, np.int64).reshape(-1, 2).T
    n = len(pairs)
    return Answers(
        actual,
        predicted,
        np.eye(N_CLASSES)[predicted],
        np.array([0] * n if fold is None else fold, np.int64),
        np.array(range(n) if group is None else group, np.int64),
    )


def random_answers(
    seed: int, n: int = 80, n_classes: int = N_CLASSES, n_folds: int = 1, digits: int = 16
) -> Answers:
    """Probabilities that know a little of the truth; few digits make ties."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, n_classes, n)
    scores = rng.dirichlet(np.ones(n_classes), n) + 0.3 * np.eye(n_classes)[actual]
    scores = (scores / scores.sum(1, keepdims=True)).round(digits) + 10.0**-digits
    probabilities = scores / scores.sum(1, keepdims=True)
    fold = rng.integers(0, n_folds, n)
    return Answers(actual, probabilities.argmax(1), probabilities, fold, np.arange(n))


def partly_unreadable(made: Answers, seed: int, share: float = 0.3) -> Answers:
    """The same model where some of its answers are no word."""
    lost = np.random.default_rng((seed, 1)).random(len(made.actual)) < share
    return replace(made, predicted=np.where(lost, made.n_classes, made.predicted))


def in_a_table(made: Answers, words: Sequence[str]) -> pd.DataFrame:
    """The table of answers that ``from_table`` reads, words sorted as scikit-learn does."""
    n = len(made.actual)
    columns = {
        "partition": made.fold.astype(str),
        "video_idx": [f"{i}" for i in range(n)],
        "file_path": [f"{i}.mp4" for i in range(n)],
        "subject": [f"s{one}" for one in made.group],
        "source": "",
        "actual": np.array(words, object)[made.actual],
        "predicted": np.array([*words, ""], object)[made.predicted],
    }
    shares = {f"p_{word}": made.probabilities[:, code] for code, word in enumerate(words)}
    return pd.DataFrame(columns | shares)


def bootstrap(name: str, made: Answers, resamples: int = 300, seed: int = 0) -> tuple[float, float]:
    measure = measures.war_and_uar if name in ("war", "uar") else measures.overall
    found = intervals.estimates(partial(measure, made), made.group, resamples, seed)[name]
    _, low, high = found.named(name).values()
    return low, high


def of_counts(made: Answers) -> list[float]:
    found = measures.overall(made)
    return [float(found[name]) for name in ("war", "uar", "macro_f1")]


@quick
@given(seeds, st.sampled_from([16, 1]), st.integers(2, 25))
def test_auc_is_how_often_a_clip_of_the_class_has_more_of_it(
    seed: int, digits: int, n: int
) -> None:
    made = random_answers(seed, n, digits=digits)
    found = []
    for code in range(N_CLASSES):
        score = made.probabilities[:, code]
        own, rest = score[made.actual == code], score[made.actual != code]
        won = [(x > y) + (x == y) / 2 for x in own for y in rest]
        found += [np.mean(won)] if won else []
    assert measures.auc(made).tolist() == pytest.approx(
        [np.mean(found) if found else np.nan], nan_ok=True
    )


def test_a_class_that_all_clips_have_or_none_has_no_auc() -> None:
    assert np.isnan(bootstrap("auc", answers([(2, 2), (2, 1), (2, 0)]))).all()
    made = random_answers(0, 60, n_folds=2)
    made.actual[made.fold == 1] = 3
    assert measures.overall(made)["auc"] == measures.auc(made)[0]


def test_log_loss_stops_at_what_four_digits_can_tell() -> None:
    made = replace(answers([(0, 1), (1, 1)]), probabilities=np.eye(N_CLASSES)[[1, 1]])
    assert measures.log_loss(made).tolist() == pytest.approx([-np.log(0.00005) / 2])


def test_calibration_error_by_hand() -> None:
    for pairs, shares, error in (
        # Two bins: said 0.9 (twice, one right), said 0.55 (right).
        ([(0, 0), (0, 1), (0, 0)], [[0.9, 0.1], [0.1, 0.9], [0.55, 0.45]], (0.8 + 0.45) / 3),
        # 0.6 and 0.55 are in (8/15, 9/15]; their gaps, of opposite sign, cancel in part.
        ([(1, 0), (0, 0)], [[0.6, 0.4], [0.55, 0.45]], (0.6 - 0.45) / 2),
    ):
        made = replace(answers(pairs), probabilities=np.array(shares))
        assert measures.calibration_error(made).tolist() == pytest.approx([error])
    # Uniform over two, and unreadable: half a point too sure. The other is right and sure.
    made = replace(answers([(0, 0), (1, 1)]), probabilities=np.array([[0.5, 0.5], [0, 1]]))
    lost = replace(made, predicted=np.array([2, 1]))
    assert measures.calibration_error(lost).tolist() == pytest.approx([0.25])
    assert measures.log_loss(lost).tolist() == pytest.approx([np.log(2) / 2])
    assert measures.auc(lost) == measures.auc(made) == [1.0]


@quick
@given(seeds, st.integers(1, 3), st.sampled_from([16, 1]), st.sampled_from([0.0, 0.3]))
def test_a_weight_is_how_often_a_clip_is_there(
    seed: int, n_folds: int, digits: int, lost: float
) -> None:
    made = partly_unreadable(random_answers(seed, 40, n_folds=n_folds, digits=digits), seed, lost)
    times = np.random.default_rng(seed).integers(0, 4, (3, 40))
    times[:, made.fold.argmax()] = 1  # the last fold has a clip, so that their number stays
    weighted = measures.by_fold(made, times.astype(float))
    recall = measures.overall(made, times.astype(float))["recall"]
    for r, one in enumerate(times):
        repeated = made.at(np.repeat(np.arange(40), one))
        expected = measures.by_fold(repeated)
        for name in MEASURES:
            np.testing.assert_allclose(weighted[name][r], expected[name], atol=1e-12)
        np.testing.assert_allclose(recall[r], measures.overall(repeated)["recall"])


@quick
@given(seeds)
def test_each_fold_is_measured_as_if_alone(seed: int) -> None:
    made = random_answers(seed, 50, n_folds=3)
    found = measures.by_fold(made)
    for k, fold in enumerate(np.unique(made.fold)):
        alone = made.at(made.fold == fold)
        alone.fold[:] = 0
        for name, values in measures.by_fold(alone).items():
            np.testing.assert_allclose(found[name][k], values[0])


def test_answers_from_a_table() -> None:
    table = pd.DataFrame(
        {
            "partition": ["2", "2", "1"],
            "video_idx": ["a", "b", "c"],
            "file_path": ["a.mp4", "b.mp4", "c.mp4"],
            "subject": ["s", "", "s"],
            "source": ["", "film", ""],
            "actual": ["sad", "happy", "sad"],
            "predicted": ["happy", "happy", "sad"],
            "p_happy": [0.6, 0.5, 0.3333],
            "p_sad": [0.4, 0.5, 0.3333],
        }
    )
    made = measures.from_table(table, ("happy", "sad"))
    assert made.actual.tolist() == [1, 0, 1]
    assert made.predicted.tolist() == [0, 0, 1]
    assert made.fold.tolist() == [0, 0, 1]
    assert made.group.tolist() == [0, 1, 0]
    np.testing.assert_allclose(made.probabilities, [[0.6, 0.4], [0.5, 0.5], [0.5, 0.5]])
    assert intervals.grouped_by(table) == "clips"
    assert intervals.grouped_by(table[table["subject"] != ""]) == "subjects"
    assert intervals.grouped_by(table[table["source"] != ""]) == "sources"
    assert intervals.grouped_by(table.assign(subject="s", source="film")) == "subjects"


@quick
@given(seeds, st.sampled_from([0.0, 0.3, 1.0]))
def test_an_unreadable_answer_is_a_wrong_one(seed: int, share: float) -> None:
    words = ("a", "b", "c", "d")
    original = partly_unreadable(random_answers(seed, 30, 4), seed, share)
    table = in_a_table(original, words)
    made = measures.from_table(table, words)
    actual, predicted = table["actual"], table["predicted"]
    present = [word for word in words if (actual == word).any()]
    by_word = {"labels": present, "average": "macro", "zero_division": 0.0}
    found = measures.overall(made)
    assert found["war"] == pytest.approx(sk.accuracy_score(actual, predicted))
    assert found["uar"] == pytest.approx(sk.recall_score(actual, predicted, **by_word))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(actual, predicted, **by_word))
    assert found["log_loss"] == pytest.approx(
        sk.log_loss(actual, made.probabilities, labels=list(words))
    )
    recalls = sk.recall_score(actual, predicted, labels=present, average=None)
    known = [words.index(word) for word in present]
    np.testing.assert_allclose(found["recall"][known], recalls)
    f1s = sk.f1_score(actual, predicted, labels=present, average=None, zero_division=0.0)
    np.testing.assert_allclose(found["f1"][known], f1s)
    counts = measures.confusion(made)
    assert counts.sum() == len(table)  # whoever answers, the denominator is the same
    answered = [*words, ""] if (predicted == "").any() else list(words)
    expected = sk.confusion_matrix(actual, predicted, labels=answered)[:4]
    np.testing.assert_array_equal(counts, [expected])
    for column, word in (("predicted", "calm"), ("actual", "")):  # no label is unreadable
        with pytest.raises(ValueError, match="convert"):
            measures.from_table(table.assign(**{column: word}), words)


def test_unreadable_answers_are_a_column_only_where_there_are_any() -> None:
    made = answers([(0, 0), (1, 0), (1, 1)], fold=[0, 0, 1])
    assert measures.confusion(made).shape == (2, N_CLASSES, N_CLASSES)
    lost = replace(made, predicted=np.array([0, N_CLASSES, 1]))
    counts = measures.confusion(lost)
    assert counts.shape == (2, N_CLASSES, N_CLASSES + 1)
    assert np.argwhere(counts).tolist() == [[0, 0, 0], [0, 1, N_CLASSES], [1, 1, 1]]
    # One resample need not have the clip: its column stays, since all are of one shape.
    assert measures.confusion(lost, np.array([[1.0, 0, 1]])).shape == (1, *counts.shape)


def test_means_are_over_the_folds_with_clips_and_the_classes_that_occur() -> None:
    made = answers([(0, 0), (1, 0), (1, 0), (1, 0)], fold=[2, 0, 0, 0])
    assert of_counts(made) == [0.5] * 3  # over clips it were 0.25
    made = answers([(0, 0), (0, 2), (1, 1)])  # 2 is answered, but never the truth
    assert of_counts(made)[1:] == pytest.approx([(1 / 2 + 1) / 2, (2 / 3 + 1) / 2])
    made = answers([(0, 0), (0, 1), (0, 1), (1, 1)], fold=[0, 1, 1, 1])
    recall = measures.overall(made)["recall"]  # over the clips of all folds
    assert recall[:2].tolist() == pytest.approx([1 / 3, 1])
    assert np.isnan(recall[2:]).all()


def test_an_interval_has_95_of_100_draws() -> None:
    drawn = np.arange(1001.0)
    assert intervals.interval(drawn).tolist() == [25, 975]
    with_gaps = np.stack([np.append(drawn, np.nan), np.full(1002, np.nan)], axis=1)
    assert intervals.interval(with_gaps)[:, 0].tolist() == [25, 975]
    assert np.isnan(intervals.interval(with_gaps)[:, 1]).all()


def test_a_resample_is_measured_as_its_clips_are() -> None:
    made = replace(random_answers(0, 60, 3, n_folds=3), group=np.arange(60) // 4)
    drawn = intervals.resampled(partial(measures.overall, made), made.group, 5, seed=3)
    (weights,) = intervals.draws(made.group, 5, seed=3)
    repeated = [made.at(np.repeat(np.arange(60), times.astype(int))) for times in weights]
    for name in MEASURES:
        expected = [measures.overall(one)[name] for one in repeated]
        np.testing.assert_allclose(drawn[name], expected)


def test_memory_is_bounded_and_the_draws_do_not_depend_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = np.arange(60)
    (whole,) = intervals.draws(group, 10, seed=0)
    monkeypatch.setattr(intervals, "_CHUNK", 60 * 4)
    parts = list(intervals.draws(group, 10, seed=0))
    assert [len(part) for part in parts] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (next(intervals.draws(group, 4, seed=1)) != parts[0]).any()


def test_a_resample_has_as_many_whole_subjects_as_there_are() -> None:
    # Subject s has s + 1 clips, all in a cell of the confusion matrix that no other subject has.
    subjects = [s for s in range(12) for _ in range(s + 1)]
    made = answers([divmod(s, N_CLASSES) for s in subjects], group=subjects)
    assert intervals.enough_groups(made.group)
    (weights,) = intervals.draws(made.group, 50, seed=0)
    drawn = measures.confusion(made, weights)
    assert drawn.shape == (50, 1, N_CLASSES, N_CLASSES)
    times = drawn.reshape(50, -1)[:, :12] / np.arange(1, 13)
    np.testing.assert_array_equal(times, times.round())
    np.testing.assert_array_equal(times.sum(axis=1), 12)
    assert len(np.unique(times, axis=0)) == 50


def test_whole_subjects_are_drawn_where_there_are_ten_else_single_clips() -> None:
    for n_subjects in (9, 10):
        n = 10 * n_subjects
        made = replace(random_answers(0, n), group=np.arange(n) // 10)
        assert intervals.enough_groups(made.group) == (n_subjects == 10)
        alone = replace(made, group=np.arange(n))
        assert (bootstrap("war", made) == bootstrap("war", alone)) == (n_subjects == 9)


@quick
@given(seeds, st.integers(1, 3))
def test_what_the_votes_say_counts_where_there_are_votes(seed: int, n_folds: int) -> None:
    made = random_answers(seed, 60, n_folds=n_folds, digits=2)
    rng = np.random.default_rng((seed, 2))
    votes = rng.multinomial(10, np.ones(N_CLASSES) / N_CLASSES, 60) / 10
    has_votes = rng.random(60) < 0.7
    voted = replace(made, votes=np.where(has_votes[:, None], votes, np.nan))
    found = measures.by_fold(voted)
    assert tuple(found) == (*MEASURES, *measures.OF_VOTES)
    assert tuple(measures.by_fold(made)) == MEASURES
    for fold in range(made.n_folds):
        inside = np.flatnonzero((made.fold == fold) & has_votes)
        if not len(inside):
            assert np.isnan(found["kl"][fold])
            assert np.isnan(found["top2"][fold])
            continue
        p = np.maximum(made.probabilities[inside], 0.5e-4)
        divergences = [stats.entropy(v, q) for v, q in zip(votes[inside], p, strict=True)]
        # SciPy makes q add up to 1 again, of which the floor takes next to nothing.
        assert found["kl"][fold] == pytest.approx(np.mean(divergences), abs=2e-3)
        labels = range(N_CLASSES)
        if not (np.sort(p, axis=1)[:, -2] == np.sort(p, axis=1)[:, -3]).any():  # ties
            expected = sk.top_k_accuracy_score(made.actual[inside], p, k=2, labels=labels)
            assert found["top2"][fold] == pytest.approx(expected)
    times = rng.integers(0, 3, 60)
    times[made.fold.argmax()] = 1
    repeated = measures.by_fold(voted.at(np.repeat(np.arange(60), times)))
    weighted = measures.by_fold(voted, times.astype(float))
    for name in measures.OF_VOTES:
        np.testing.assert_allclose(weighted[name], repeated[name])
    lost = replace(voted, predicted=np.full(60, N_CLASSES))  # unreadable answers are wrong
    assert not np.nan_to_num(measures.top2(lost)).any()


def test_votes_that_the_model_is_sure_of_diverge_by_nothing() -> None:
    votes = np.array([[0.6, 0.4, 0], [1, 0, 0], [0, 0, 1]])
    p = np.array([[0.6, 0.4, 0], [1, 0, 0], [1, 0, 0]])
    one = Answers(np.array([0, 0, 2]), p.argmax(1), p, np.arange(3), np.arange(3), votes)
    assert measures.kl(one).tolist() == pytest.approx([0, 0, -np.log(0.5e-4)])
    assert measures.top2(one).tolist() == [1, 1, 0]  # the first of equal ones


def test_the_columns_of_another_target_are_taken_for_those_of_the_classes() -> None:
    target = Target("quadrant", "words", ("up", "down"))
    columns = {"actual": "sad", "predicted": "sad", "p_sad": 1.0, "partition": "1"}
    columns |= {"actual_quadrant": "up", "predicted_quadrant": "down"}
    rows = pd.DataFrame(columns | {"p_quadrant_up": 0.25, "p_quadrant_down": 0.75}, index=[0])
    found = measures.of_target(rows, target)
    assert found.iloc[0][["actual", "predicted", "p_up", "p_down"]].tolist() == [
        *("up", "down", 0.25, 0.75)
    ]
    classes = Target("classes", "words", ("sad",))
    assert measures.of_target(rows, classes).iloc[0]["actual"] == "sad"

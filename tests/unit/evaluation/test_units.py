"""The figures of action units, each by scikit-learn as well."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from facewave.evaluation import intervals, units
from facewave.evaluation.continuous import Values
from facewave.evaluation.units import counted

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=30, deadline=None)


def random_values(seed: int, n: int = 60, n_folds: int = 2) -> Values:
    """Two units, the second rare and not known of every third clip; few digits make ties."""
    rng = np.random.default_rng(seed)
    actual = (rng.random((n, 2)) < [0.4, 0.1]).astype(float)
    predicted = np.clip(0.3 + 0.3 * actual + rng.normal(0, 0.2, (n, 2)), 0, 1).round(1)
    actual[::3, 1] = np.nan
    fold = np.arange(n) % n_folds
    return Values(actual, predicted, fold, np.arange(n))


@quick
@given(seeds)
def test_figures_equal_those_of_scikit_learn_where_the_unit_occurs(seed: int) -> None:
    made = random_values(seed)
    found = units.by_fold(counted(made))
    assert tuple(found) == units.MEASURES
    for fold, unit in np.ndindex(2, 2):
        inside = (made.fold == fold) & ~np.isnan(made.actual_nT[:, unit])
        actual, said = made.actual_nT[inside, unit] > 0, made.predicted_nT[inside, unit]
        assert found["prevalence"][fold, unit] == pytest.approx(actual.mean())
        if not actual.any():
            assert np.isnan(found["f1"][fold, unit])
            assert np.isnan(found["auc"][fold, unit])
            continue
        expected = sk.f1_score(actual, said >= 0.5, zero_division=0)
        assert found["f1"][fold, unit] == pytest.approx(expected)
        assert found["auc"][fold, unit] == pytest.approx(sk.roc_auc_score(actual, said))
    for name, value in found.items():
        np.testing.assert_allclose(value[:, 2], np.nanmean(value[:, :2], axis=1), err_msg=name)
        overall = units.overall(counted(made))[name]
        np.testing.assert_allclose(overall[2], value[:, 2].mean(), err_msg=name)
    assert units.mean_f1(counted(made))["f1"] == units.overall(counted(made))["f1"][2]


@quick
@given(seeds)
def test_a_weight_is_how_often_a_clip_is_there(seed: int) -> None:
    made = random_values(seed)
    times = np.random.default_rng(seed).integers(0, 3, (3, 60))
    weighted = units.by_fold(counted(made, by_group=False), times.astype(float))
    for r, one in enumerate(times):
        repeated = units.by_fold(counted(made.at(np.repeat(np.arange(60), one))))
        for name in units.MEASURES:
            np.testing.assert_allclose(weighted[name][r], repeated[name], err_msg=name)


@quick
@given(seeds, st.booleans())
def test_pairs_of_groups_are_drawn_as_their_clips_are(seed: int, too_many: bool) -> None:
    made = random_values(seed)
    made = replace(made, group=np.random.default_rng(seed).permutation(np.arange(60) % 15))
    grouped, alone = counted(made), counted(made, by_group=False)
    assert len(grouped.group) == 15
    (weights,) = intervals.draws(grouped.group, 30, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "_MOST", 5 if too_many else 2000)
        assert len(grouped.pairs) == (0 if too_many else 4)
        found = units.by_fold(grouped, weights)
    expected = units.by_fold(alone, weights[:, made.group])
    for name in units.MEASURES:
        np.testing.assert_allclose(found[name], expected[name], err_msg=name)
    assert not alone.pairs
    few = counted(replace(made, group=made.group % 3))
    assert len(few.group) == 60  # single clips are drawn
    assert not few.pairs


def test_half_is_there_and_what_never_occurs_is_left_out() -> None:
    actual = np.array([[1, 0], [0, 0], [1, 0]], float)
    predicted = np.array([[0.5, 0.9], [0.49, 0.9], [0.1, 0.9]])
    made = Values(actual, predicted, np.zeros(3, np.int64), np.arange(3))
    found = units.overall(counted(made))
    assert found["f1"].tolist() == pytest.approx([2 / 3, np.nan, 2 / 3], nan_ok=True)
    assert found["auc"].tolist() == pytest.approx([0.5, np.nan, 0.5], nan_ok=True)
    assert found["prevalence"].tolist() == pytest.approx([2 / 3, 0, 1 / 3])

"""The figures of continuous targets, each by SciPy or hand as well."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from facewave.evaluation import continuous, intervals
from facewave.evaluation.continuous import MEASURES, Values

Floats = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=50, deadline=None)


def values(
    actual: Sequence[Any] | Floats,
    predicted: Sequence[Any] | Floats,
    fold: Sequence[int] | None = None,
    group: Sequence[int] | None = None,
) -> Values:
    """One target (or rows of several); by default one fold, each clip its own subject."""
    n = len(actual)
    return Values(
        np.array(actual, float).reshape(n, -1),
        np.array(predicted, float).reshape(n, -1),
        np.array([0] * n if fold is None else fold, np.int64),
        np.array(range(n) if group is None else group, np.int64),
    )


def random_values(seed: int, n: int = 40, n_folds: int = 1, digits: int = 16) -> Values:
    """Two targets, of the second of which a third is not known; few digits make constants."""
    rng = np.random.default_rng(seed)
    actual = rng.uniform(-1, 1, (n, 2))
    predicted = (0.5 * actual + rng.normal(0, 0.3, (n, 2)) + 0.1).round(digits)
    actual = actual.round(digits)
    actual[rng.random(n) < 1 / 3, 1] = np.nan
    return Values(actual, predicted, rng.integers(0, n_folds, n), np.arange(n))


def of_one(name: str, made: Values, weights: Floats | None = None) -> float:
    """A figure of the only target."""
    return float(continuous.overall(made, weights)[name][..., 0])


def plain(x: Floats, y: Floats) -> dict[str, float]:
    """By the formulas, of values that vary."""
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return {
        "ccc": 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2),
        "pcc": float(stats.pearsonr(x, y)[0]),
        "rmse": np.sqrt(np.mean((x - y) ** 2)),
        "sagr": np.mean([(a > 0) == (b > 0) and (a < 0) == (b < 0) for a, b in zip(x, y)]),  # noqa: B905
    }


@quick
@given(seeds, st.integers(3, 40), st.sampled_from([16, 1]), st.sampled_from([0.0, 1e6]))
def test_figures_equal_formulas_and_scipy(seed: int, n: int, digits: int, offset: float) -> None:
    made = random_values(seed, n, digits=digits)
    x, y = made.actual_nT[:, 0] + offset, made.predicted_nT[:, 0] + offset
    x[:2], y[:2] = [offset, offset + 1], [offset + 1, offset]  # neither is constant
    found = {name: float(value[0]) for name, value in continuous.overall(values(x, y)).items()}
    assert list(found) == list(MEASURES)
    assert found == pytest.approx(plain(x, y), rel=1e-8, abs=1e-8)


def test_the_concordance_by_hand_and_of_constants() -> None:
    for actual, predicted, ccc in (
        # Means 1 and 2, variances 2/3 and 2/3 (1 and 1 with n - 1), covariance 2/3.
        ([0, 1, 2], [1, 2, 3], 2 * (2 / 3) / (2 / 3 + 2 / 3 + 1)),
        ([1, 2, 3], [0, 1, 2], 2 * (2 / 3) / (2 / 3 + 2 / 3 + 1)),
        ([1, 2, 4], [1, 2, 4], 1),
        ([-1, 0, 1], [1, 0, -1], -1),
        ([0.3, 0.3, 0.3], [0.3, 0.3, 0.3], np.nan),
        ([0.3, 0.3, 0.3], [0.7, 0.7, 0.7], 0),
        ([0.1, 0.2, 0.3], [0.7, 0.7, 0.7], 0),
        ([0.7, 0.7, 0.7], [0.1, 0.2, 0.3], 0),
        ([0.1], [0.1], np.nan),
        ([0.1], [0.2], 0),
    ):
        made = values(actual, predicted)
        assert of_one("ccc", made) == pytest.approx(ccc, nan_ok=True)
        constant = len(set(actual)) == 1 or len(set(predicted)) == 1
        assert np.isnan(of_one("pcc", made)) == constant
        rmse = np.sqrt(np.mean(np.subtract(actual, predicted) ** 2))
        assert of_one("rmse", made) == pytest.approx(rmse)


@quick
@given(st.floats(-100, 100), st.lists(st.integers(0, 5), min_size=3, max_size=8))
def test_a_draw_of_one_value_alone_is_constant_to_the_last_digit(
    constant: float, times: list[int]
) -> None:
    made = values([constant] * len(times) + [200], [constant] * len(times) + [300])
    weights = np.array([[*times, 0], [0] * len(times) + [3]], float)
    found = continuous.overall(made, weights)
    assert np.isnan(found["pcc"]).all()
    assert found["ccc"][:, 0].tolist() == pytest.approx([np.nan, 0], nan_ok=True)


def test_a_zero_has_the_sign_of_a_zero_alone() -> None:
    made = values([0.5, -0.5, 0, 0, 0, 0.5, -0.5, -0.1], [0.1, -0.1, 0, 0.1, -0.1, 0, 0, 0.1])
    assert of_one("sagr", made) == 3 / 8


@quick
@given(seeds, st.integers(1, 3), st.sampled_from([16, 0]))
def test_a_weight_is_how_often_a_clip_is_there(seed: int, n_folds: int, digits: int) -> None:
    made = random_values(seed, 25, n_folds, digits)
    times = np.random.default_rng(seed).integers(0, 3, (3, 25))
    times[:, made.fold.argmax()] = 1  # the last fold has a clip, so that their number stays
    weighted = continuous.by_fold(made, times.astype(float))
    for r, one in enumerate(times):
        clips = np.repeat(np.arange(25), one)
        repeated = Values(**{name: value[clips] for name, value in vars(made).items()})
        expected = continuous.by_fold(repeated)
        for name in MEASURES:
            np.testing.assert_allclose(weighted[name][r], expected[name], atol=1e-12)


@quick
@given(seeds)
def test_each_fold_and_target_is_measured_as_if_alone(seed: int) -> None:
    made = random_values(seed, 40, n_folds=3)
    found = continuous.by_fold(made)
    assert found["ccc"].shape == (made.n_folds, 2)
    for fold, target in np.ndindex(found["ccc"].shape):
        inside = (made.fold == fold) & ~np.isnan(made.actual_nT[:, target])
        alone = values(made.actual_nT[inside, target], made.predicted_nT[inside, target])
        for name in MEASURES if inside.any() else ():
            np.testing.assert_allclose(found[name][fold, target], of_one(name, alone))


def test_over_folds_is_the_plain_mean_of_what_is_defined() -> None:
    made = values([0, 1, 0, 1, 1, 3], [0, 1, 1, 0, 1, 2], fold=[0, 0, 2, 2, 2, 3])
    by_fold = continuous.by_fold(made)
    assert np.isnan(by_fold["rmse"][1, 0])  # no clip
    assert np.isnan(by_fold["pcc"][3, 0])  # one clip
    assert by_fold["rmse"][[0, 2, 3], 0].tolist() == pytest.approx([0, np.sqrt(2 / 3), 1])
    assert of_one("rmse", made) == pytest.approx((np.sqrt(2 / 3) + 1) / 3)
    assert of_one("pcc", made) == pytest.approx((1 + by_fold["pcc"][2, 0]) / 2)


def test_a_target_that_no_clip_has_has_no_figures() -> None:
    made = values([[1, np.nan], [2, np.nan], [4, np.nan]], [[1, 5], [2, 6], [3, 7]])
    drawn = intervals.resampled(partial(continuous.overall, made), made.group, 5, seed=0)
    for found in (continuous.overall(made), drawn):
        for name in MEASURES:
            assert np.isnan(found[name][..., 1]).all()
    assert continuous.overall(made)["rmse"][0] > 0


def test_values_from_a_table() -> None:
    table = pd.DataFrame(
        {
            "partition": ["2", "2", "1"],
            "video_idx": ["a", "b", "c"],
            "file_path": ["a.mp4", "b.mp4", "c.mp4"],
            "subject": ["s", "", "s"],
            "source": ["", "film", ""],
            "actual_score.stress": [3.0, np.nan, 5.0],
            "predicted_score.stress": [2.5, 3.5, 4.5],
            "actual_valence": [0.1, 0.2, 0.3],
            "predicted_valence": [-0.1, -0.2, -0.3],
        }
    )
    made = continuous.from_table(table, ("valence", "score.stress"))
    np.testing.assert_array_equal(made.actual_nT, [[0.1, 3], [0.2, np.nan], [0.3, 5]])
    np.testing.assert_array_equal(made.predicted_nT, [[-0.1, 2.5], [-0.2, 3.5], [-0.3, 4.5]])
    assert made.fold.tolist() == [0, 0, 1]
    assert made.group.tolist() == [0, 1, 0]

"""The figures of numbers, each by SciPy, torchmetrics or hand as well."""

from collections.abc import Sequence
from dataclasses import replace
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
from facewave.evaluation.continuous import Values, sums

Floats = NDArray[np.float64]
NAMES = ("ccc", "pcc", "icc", "rmse", "mae", "sagr")

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
    return float(continuous.overall(sums(made, by_group=False), weights)[name][..., 0])


def anova(x: Floats, y: Floats) -> float:
    """ICC(3,1) of two judges from the mean squares of a two-way analysis of variance."""
    table_n2 = np.column_stack([x, y])
    n, k = table_n2.shape
    of_clips = k * ((table_n2.mean(1) - table_n2.mean()) ** 2).sum()
    of_judges = n * ((table_n2.mean(0) - table_n2.mean()) ** 2).sum()
    of_rest = ((table_n2 - table_n2.mean()) ** 2).sum() - of_clips - of_judges
    bms, ems = of_clips / (n - 1), of_rest / ((n - 1) * (k - 1))
    return float((bms - ems) / (bms + (k - 1) * ems))


def plain(x: Floats, y: Floats) -> dict[str, float]:
    """By the formulas, of values that vary."""
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return {
        "ccc": 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2),
        "pcc": float(stats.pearsonr(x, y)[0]),
        "icc": anova(x, y),
        "rmse": np.sqrt(np.mean((x - y) ** 2)),
        "mae": np.mean(np.abs(x - y)),
        "sagr": np.mean([(a > 0) == (b > 0) and (a < 0) == (b < 0) for a, b in zip(x, y)]),  # noqa: B905
    }


@quick
@given(seeds, st.integers(3, 40), st.sampled_from([16, 1]), st.sampled_from([0.0, 1e6]))
def test_figures_equal_formulas_and_scipy(seed: int, n: int, digits: int, offset: float) -> None:
    made = random_values(seed, n, digits=digits)
    x, y = made.actual_nT[:, 0] + offset, made.predicted_nT[:, 0] + offset
    x[:2], y[:2] = [offset, offset + 1], [offset + 1, offset]  # neither is constant
    found = {name: of_one(name, values(x, y)) for name in NAMES}
    assert found == pytest.approx(plain(x, y), rel=1e-8, abs=1e-8)


def test_figures_equal_those_of_torchmetrics() -> None:
    import torch
    from torchmetrics import functional as other

    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    y = 0.5 * x + rng.normal(size=500) + 0.3
    made, pair = values(x, y), (torch.from_numpy(y), torch.from_numpy(x))
    for name, measure in (
        ("pcc", other.pearson_corrcoef),
        ("mae", other.mean_absolute_error),
        ("rmse", lambda *both: other.mean_squared_error(*both).sqrt()),
        ("ccc", other.concordance_corrcoef),  # of sample variances and population means
    ):
        tolerance = 2e-3 if name == "ccc" else 1e-9
        assert of_one(name, made) == pytest.approx(float(measure(*pair)), rel=tolerance)


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
    found = continuous.overall(sums(made), weights)
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
    weighted = continuous.by_fold(sums(made, by_group=False), times.astype(float))
    for r, one in enumerate(times):
        clips = np.repeat(np.arange(25), one)
        expected = continuous.by_fold(sums(made.at(clips)))
        for name in NAMES:
            np.testing.assert_allclose(weighted[name][r], expected[name], atol=1e-9)


@quick
@given(seeds, st.integers(1, 3))
def test_whole_groups_added_up_are_drawn_as_their_clips_are(seed: int, n_folds: int) -> None:
    made = random_values(seed, 60, n_folds)
    made = replace(made, group=np.random.default_rng(seed).permutation(np.arange(60) % 12))
    for one in (made, replace(made, group=made.group % 3)):  # few groups: single clips are drawn
        grouped, alone = sums(one), sums(one, by_group=False)
        assert len(grouped.group) == (12 if one is made else 60)
        found, expected = (
            intervals.estimates(partial(continuous.overall, of), of.group, 20, seed)
            for of in (grouped, alone)
        )
        for name in NAMES:
            for end, value in found[name].ends().items():
                np.testing.assert_allclose(value, expected[name].ends()[end], atol=1e-9)


@quick
@given(seeds)
def test_each_fold_and_target_is_measured_as_if_alone(seed: int) -> None:
    made = random_values(seed, 40, n_folds=3)
    found = continuous.by_fold(sums(made))
    assert found["ccc"].shape == (made.n_folds, 3)
    for fold, target in np.ndindex(made.n_folds, 2):
        inside = (made.fold == fold) & ~np.isnan(made.actual_nT[:, target])
        alone = values(made.actual_nT[inside, target], made.predicted_nT[inside, target])
        for name in NAMES if inside.any() else ():
            np.testing.assert_allclose(found[name][fold, target], of_one(name, alone), atol=1e-12)
    for name in NAMES:
        means = intervals.mean(found[name][:, :2])  # those that the fold has
        np.testing.assert_allclose(found[name][:, 2], means)


def test_over_folds_is_the_plain_mean_of_what_is_defined() -> None:
    made = values([0, 1, 0, 1, 1, 3], [0, 1, 1, 0, 1, 2], fold=[0, 0, 2, 2, 2, 3])
    by_fold = continuous.by_fold(sums(made))
    assert np.isnan(by_fold["rmse"][1, 0])  # no clip
    assert np.isnan(by_fold["pcc"][3, 0])  # one clip
    assert by_fold["rmse"][[0, 2, 3], 0].tolist() == pytest.approx([0, np.sqrt(2 / 3), 1])
    assert of_one("rmse", made) == pytest.approx((np.sqrt(2 / 3) + 1) / 3)
    assert of_one("pcc", made) == pytest.approx((1 + by_fold["pcc"][2, 0]) / 2)


def test_a_target_that_no_clip_has_has_no_figures() -> None:
    made = values([[1, np.nan], [2, np.nan], [4, np.nan]], [[1, 5], [2, 6], [3, 7]])
    drawn = intervals.resampled(partial(continuous.overall, sums(made)), made.group, 5, seed=0)
    for found in (continuous.overall(sums(made)), drawn):
        for name in NAMES:
            assert np.isnan(found[name][..., 1]).all()
    overall = continuous.overall(sums(made))
    assert overall["rmse"][0] == overall["rmse"][2] > 0


def test_a_model_that_does_not_answer_a_target_has_no_mean() -> None:
    made = values([[1, 1], [2, 5], [4, 2]], [[1, np.nan], [2, np.nan], [3, np.nan]])
    found = continuous.overall(sums(made))
    assert found["rmse"][0] > 0
    for name in NAMES:
        assert np.isnan(found[name][1:]).all()


def test_intensities_count_in_folds_where_the_unit_occurs() -> None:
    made = values([0, 0, 0, 1, 3, 0], [1, 2, 0, 1, 2, 0], fold=[0, 0, 0, 1, 1, 1])
    found = continuous.by_fold(sums(made, is_sparse=True))
    assert np.isnan(found["mae"][0]).all()
    assert found["mae"][1, 0] == pytest.approx(1 / 3)
    assert continuous.by_fold(sums(made))["mae"][0, 0] == 1


def test_a_constant_difference_costs_ccc_and_not_icc() -> None:
    made = values([1, 2, 4], [3, 4, 6])
    assert of_one("icc", made) == pytest.approx(1)
    assert of_one("ccc", made) < 0.5


def test_coverage_and_width_are_of_the_clips_with_an_interval() -> None:
    made = values([0, 1, 2, 0.7, np.nan], [0, 0, 0, 0, 0])
    low = np.array([[-1], [-1], [-1], [np.nan], [-1]])
    made = replace(made, low_nT=low, high_nT=low + 2)
    assert of_one("coverage", made) == pytest.approx(2 / 3)  # an end is within
    assert of_one("width", made) == 2
    assert np.isnan(of_one("coverage", values([0], [0])))
    # As float32 and with four digits, 0.7 is below itself.
    high = np.array([[np.float32(0.7)]], float)
    assert high < 0.7
    made = replace(values([0.7], [0]), low_nT=-high, high_nT=high)
    assert of_one("coverage", made) == 1


def test_conformal_intervals_cover_what_they_promise() -> None:
    # Split conformal prediction (Vovk et al. 2005) of exchangeable errors.
    rng = np.random.default_rng(0)
    coverages = []
    for _ in range(40):
        errors = rng.exponential(size=(2, 200)) * rng.choice([-1, 1], (2, 200))
        rank = int(np.ceil(0.9 * 201))
        half = np.full((200, 1), np.sort(np.abs(errors[0]))[rank - 1])
        made = replace(values(errors[1], np.zeros(200)), low_nT=-half, high_nT=half)
        coverages.append(of_one("coverage", made))
    assert np.mean(coverages) == pytest.approx(rank / 201, abs=0.01)


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

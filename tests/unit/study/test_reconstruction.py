"""What K numbers lose, against cases by hand and the residuals themselves."""

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.params import TransformName
from facewave.study import plots
from facewave.study.reconstruction import (
    KS,
    Moments,
    contenders,
    measured_of,
    moments,
    race,
    summary,
)
from facewave.wavelets.transform import LEARNT, Floats, Transform

QUARTILES = ("low", "median", "high")
EVEN = np.arange(64) / 30


def clip(values: Floats, file: str = "a", times: Floats = EVEN) -> Moments:
    return moments({"blendshapes": values}, times, file)


def losses(clips: list[Moments], transform: Transform, k: int | None = None) -> pd.DataFrame:
    return race(clips, {"one": transform}, [k or transform.k])


def box(position: int) -> Floats:
    """A movement (64, 2) that is one Haar function of 64 cells."""
    one = Transform("largest", "haar").inverse(np.eye(64)[:, [position]], EVEN)
    return one * np.array([1.0, -0.3]) + np.array([0.5, 2.0])


def test_what_lies_in_the_span_is_kept_whole_and_by_the_mean_not_at_all() -> None:
    values = np.array([[1.0, 0], [3, 1], [2, 5], [0, 0]]).repeat(16, axis=0)
    for name, lost in (("approximation", 0), ("largest", None), ("mean", 1)):
        found = losses([clip(values)], Transform(name, "haar", k=4))  # type: ignore[arg-type]
        if lost is None:
            assert found.empty  # nothing to learn from
        else:
            np.testing.assert_allclose(found[["variance", "velocity"]], lost, atol=1e-12)


def test_a_case_by_hand() -> None:
    """Frames 0 1 | 0 3: their means are 0.5 and 1.5, around 1."""
    values = np.array([[0.0], [1], [0], [3]])
    (row,) = losses(
        [clip(values, times=np.arange(4.0))], Transform(wavelet="haar", k=2)
    ).itertuples()
    assert row.variance == pytest.approx((0.25 + 0.25 + 2.25 + 2.25) / 6)
    assert row.velocity == pytest.approx((1 + 4 + 9) / (1 + 1 + 9))  # rebuilt: 0 1 0
    assert (row.contender, row.k, row.block, row.clip) == ("one", 2, "blendshapes", 0)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([name for name in get_args(TransformName) if name not in LEARNT]),
    st.sampled_from(["haar", "db2", "bior3.1"]),
    st.integers(4, 30),
    st.integers(3, 90),
    st.integers(0, 2**32 - 1),
)
def test_moments_give_what_the_channels_give(
    name: TransformName, wavelet: str, k: int, n_frames: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    times = rng.uniform(0.01, 0.1, n_frames).cumsum()
    values = rng.normal(size=(n_frames, 5)).cumsum(axis=0)
    transform = Transform(name, wavelet, k=k)
    (row,) = losses([clip(values, times=times)], transform).itertuples()
    left = values - transform.inverse(transform(values, times), times)
    whole = ((values - values.mean(axis=0)) ** 2).sum()
    assert row.variance == pytest.approx((left**2).sum() / whole, rel=1e-6, abs=1e-9)
    moves = (np.diff(values, axis=0) ** 2).sum()
    assert row.velocity == pytest.approx(
        (np.diff(left, axis=0) ** 2).sum() / moves, rel=1e-6, abs=1e-9
    )


def test_where_nothing_moves_there_is_nothing_to_lose() -> None:
    still, moves = np.full((64, 2), 0.3), np.sin(EVEN)[:, None]
    clips = [clip(still), clip(moves, "b")]
    found = losses(clips, Transform())
    assert found["variance"].isna().tolist() == [True, False]
    assert found["velocity"].isna().tolist() == [True, False]
    (row,) = summary(found).itertuples()
    assert row.clips == 1
    assert row.variance_low == row.variance_median == row.variance_high


def test_nothing_is_learnt_from_clips_of_one_file() -> None:
    """Two clips of one file move as no other does; three numbers would do for all there is."""
    clips = [clip(box(40), "same"), *(clip(box(5), f"other {i}") for i in range(5))]
    clips.append(clip(2 * box(40), "same"))
    apart = [Moments(one.moments, one.times_T, str(i)) for i, one in enumerate(clips)]
    for transform in (Transform("largest", "haar", k=3), Transform("pca", k=3)):
        lost = losses(clips, transform)["variance"].to_numpy()
        assert (lost[[0, 6]] > 0.99).all()
        assert (lost[1:6] < 0.02).all()
        assert (losses(apart, transform)["variance"] < 0.05).all()


def test_how_much_a_clip_moves_does_not_count() -> None:
    """One clip that moves a thousand times as much is outvoted by four."""
    clips = [clip(box(9), f"{i}") for i in range(4)]
    clips += [clip(1000 * box(33), "wild"), clip(box(9), "last")]
    for transform in (Transform("largest", "haar", k=2), Transform("pca", k=2)):
        lost = losses(clips, transform)["variance"]
        assert (lost > 0.5).tolist() == [False, False, False, False, True, False]


def test_each_block_learns_for_itself() -> None:
    clips = [
        moments({"blendshapes": box(5), "head": box(50)}, EVEN, file) for file in ("a", "b", "c")
    ]
    found = losses(clips, Transform("largest", "haar", k=2))
    assert found["block"].tolist() == ["blendshapes", "head"] * 3
    np.testing.assert_allclose(found["variance"], 0, atol=1e-9)


def test_impossible_sizes_are_left_out() -> None:
    clips = [clip(box(5), file) for file in ("a", "b")]
    racing = {"sym4": Transform("approximation", "sym4"), "pca": Transform("pca")}
    racing |= {"pyramid": Transform("pyramid"), "mean": Transform("mean")}
    found = race(clips, racing, [4, 8, 64, 65])
    sizes = {name: sorted(set(rows["k"])) for name, rows in found.groupby("contender")}
    assert sizes == {
        "sym4": [8, 64, 65],
        "pca": [4, 8, 64],
        "pyramid": [4, 8, 64],
        "mean": [4, 8, 64, 65],
    }


@pytest.mark.parametrize("clips", [[], [clip(box(5))], [clip(box(5)), clip(box(6))]])
def test_with_no_clips_or_those_of_one_file_the_race_ends_well(
    clips: list[Moments], tmp_path: Path
) -> None:
    found = race(clips, contenders(Transform()), KS)
    racing = {name for name, one in contenders(Transform()).items() if one.transform not in LEARNT}
    assert set(found["contender"]) == (racing if clips else set())
    kept = summary(found)
    shares = [f"{what}_{which}" for what in ("variance", "velocity") for which in QUARTILES]
    assert list(kept) == ["contender", "k", "block", *shares, "clips"]
    plots.reconstruction(kept, "none", tmp_path / "a.png")


def test_the_summary_is_quartiles_in_percent() -> None:
    rows = pd.DataFrame(
        {
            "contender": ["b"] * 5 + ["a"],
            "k": 4,
            "block": "head",
            "clip": [0, 1, 2, 3, 4, 0],
            "variance": [0.4, 0.1, 0.2, 0.3, 0.0, 1.0],
            "velocity": [0.5, 0.5, 0.5, 0.5, np.nan, 0.123456],
        }
    )
    first, second = summary(rows).itertuples()
    assert (first.contender, second.contender) == ("b", "a")  # in the order of the race
    assert (first.variance_low, first.variance_median, first.variance_high) == (10, 20, 30)
    assert (first.velocity_median, second.velocity_median) == (50, 12.35)
    assert (first.clips, second.clips) == (4, 1)


def test_the_configured_transform_comes_first_and_once() -> None:
    plain = contenders(Transform())
    for default, first in (
        (Transform(), "approximation bior3.1"),
        (Transform("largest", "db2"), "largest db2"),
        (Transform("largest", "db2", "periodic"), "largest db2"),  # it has no other ends
        (Transform("dct", "sym4", "periodic"), "dct"),  # it has no wavelet
        (Transform("approximation", "haar", "periodic"), "approximation haar periodic"),
        (Transform("energy", "db4"), "energy db4"),
        (Transform("mean_std"), "mean_std"),
    ):
        racing = contenders(default)
        assert next(iter(racing)) == first
        assert set(racing) == {first, *plain}
        assert len(set(racing.values())) == len(racing)
        assert (racing[first].transform, racing[first].k) == (default.transform, default.k)


def test_of_many_long_clips_some_are_measured() -> None:
    index = pd.DataFrame({"usable": True, "frames": [600] * 60 + [1201, 5000]})
    index.loc[3, "usable"] = False
    measured = measured_of(index)
    assert len(measured) == 20_000 // 600
    assert not measured & {3, 60, 61}
    assert measured != set(range(len(measured)))  # not the first ones
    assert measured == measured_of(index)
    assert measured == measured_of(index.set_index(pd.Index(range(100, 162))))

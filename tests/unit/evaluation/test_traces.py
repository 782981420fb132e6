"""Answers as traces: on signals whose figures are known."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from facewave.evaluation import traces as tracing
from facewave.evaluation.continuous import Values, overall, sums
from facewave.evaluation.intervals import draws
from facewave.evaluation.traces import Trace, filtered, traces

Floats = NDArray[np.float64]
NONE: Any = {"median_s": 0, "smooth_s": 0}


def windows(centres: Floats, values: Floats, file: str = "a.mp4") -> tuple[Any, Any]:
    """Answers about valence, 2 s each, and where they are in their file."""
    names = [f"{file} {i}" for i in range(len(centres))]
    rows = pd.DataFrame({"video_idx": names, "file_path": file, "partition": "1"})
    rows = rows.assign(subject=file, source="", predicted_valence=values)
    rows = rows.assign(low_valence=values - 0.5, high_valence=values + 0.5)
    places = pd.DataFrame({"start": centres - 1, "end": centres + 1}, index=names)
    return rows, places


def frames(time: Floats, values: Floats, file: str = "a.mp4") -> pd.DataFrame:
    return pd.DataFrame({"file_path": file, "time": time, "valence": values})


def ccc(found: list[Trace], rows: pd.DataFrame) -> float:
    return float(tracing.measured(found, rows).measure(None)["ccc"][0])


def test_a_late_rater_is_met_by_the_delay() -> None:
    # What the face shows at t, the rater writes down at t + 0.8.
    centres, time = np.arange(0, 60, 0.1), np.arange(5, 50, 0.04)
    rows, places = windows(centres, np.sin(centres))
    truth = frames(time, np.sin(time - 0.8))
    for delays, low, high in (
        ({"1": 0.8}, 0.9999, 1),
        ({}, 0.6, 0.75),  # cos(0.8)
        ({"split": 0.8}, 0.6, 0.75),  # another partition's
        ({"1": -0.8}, -0.1, 0.0),  # cos(1.6)
    ):
        found = traces(rows, places, truth, ["valence"], delays, **NONE)
        assert low <= ccc(found, rows) <= high
    (one,) = traces(rows, places, truth, ["valence"], {"1": 0.8}, **NONE)
    np.testing.assert_allclose(one.high_fT - one.low_fT, 1)
    np.testing.assert_allclose(one.predicted_fT, one.low_fT + 0.5)


def test_a_spike_vanishes_by_the_median_and_noise_by_the_mean() -> None:
    time = np.arange(0, 20, 0.5)
    ramp = 0.1 * time
    spiked = ramp.copy()
    spiked[17] = 50.0
    np.testing.assert_array_equal(filtered(time, spiked, 0, 0), spiked)
    np.testing.assert_array_equal(filtered(time, spiked, 0.9, 0), spiked)  # a window alone
    median = filtered(time, spiked, 1.0, 0)  # three windows
    assert np.abs(median - ramp).max() <= 0.05 + 1e-9
    np.testing.assert_allclose(median[2:15], ramp[2:15])
    smooth = filtered(time, spiked, 0, 1.0)
    assert smooth[17] == pytest.approx((ramp[16] + 50 + ramp[18]) / 3)
    assert smooth[0] == pytest.approx(ramp[:2].mean())  # fewer at the ends
    # The median goes first: what is left of the spike is not spread.
    both = filtered(time, spiked, 1.0, 2.0)
    np.testing.assert_allclose(both, filtered(time, median, 0, 2.0))
    assert np.isnan(filtered(time, np.full(40, np.nan), 1.0, 1.0)).all()
    # Windows are as near as their times are: beyond a gap is far away.
    gapped = np.array([0, 0.5, 1, 9, 9.5, 10])
    found = filtered(gapped, np.array([0.0, 0, 0, 6, 6, 6]), 0, 2.0)
    assert found.tolist() == [0, 0, 0, 6, 6, 6]


def test_frames_between_before_and_after_windows_and_those_to_be_ignored() -> None:
    rows, places = windows(np.array([4.0, 2.0]), np.array([0.4, 0.2]))
    truth = frames(np.array([0.0, 3.0, 9.0, 5.0]), np.array([0.2, 0.3, 0.4, np.nan]))
    (found,) = traces(rows, places, truth, ["valence"], {}, **NONE)
    assert found.time_f.tolist() == [0, 3, 5, 9]
    assert found.predicted_fT[:, 0].tolist() == pytest.approx([0.2, 0.3, 0.4, 0.4])
    measured = tracing.measured([found], rows).measure(None)
    assert measured["rmse"][0] == pytest.approx(0)  # the ignored frame is far off, and counts not
    assert measured["ccc"][0] == pytest.approx(1)
    # A whole file without windows is answered once.
    whole = places.assign(start=np.nan, end=np.nan).head(1)
    (alone,) = traces(rows.head(1), whole, truth, ["valence"], {}, **NONE)
    assert alone.predicted_fT[:, 0].tolist() == [0.4] * 4
    other = truth.assign(file_path="b.mp4")
    assert traces(rows, places, other, ["valence"], {}, **NONE) == []


def some_traces(n_videos: int, seed: int = 0) -> tuple[list[Trace], pd.DataFrame]:
    """Videos of several lengths in two folds, some of one subject; some frames are ignored."""
    rng = np.random.default_rng(seed)
    found = []
    for video in range(n_videos):
        n = int(rng.integers(20, 60))
        actual = rng.uniform(-1, 1, (n, 2))
        predicted = 0.5 * actual + rng.normal(0, 0.2, (n, 2)) + 0.1 * video / n_videos
        actual[rng.random((n, 2)) < 0.1] = np.nan
        nothing = np.full((n, 2), np.nan)
        partition = str(video // 2 % 2)
        found.append(
            Trace(f"{video}.mp4", partition, np.arange(n) / 25, actual, predicted, nothing, nothing)
        )
    rows = pd.DataFrame({"file_path": [trace.file_path for trace in found]})
    rows["video_idx"] = rows["file_path"]
    return found, rows.assign(subject=[f"s{video // 2}" for video in range(n_videos)], source="")


def test_all_frames_of_a_fold_are_one_and_resamples_draw_whole_videos() -> None:
    for n_videos, over in ((24, "subjects"), (6, "videos")):
        found, rows = some_traces(n_videos)
        assert tracing.interval_over(found, rows) == over
        measured = tracing.measured(found, rows)
        # The same by all frames as clips, each in the group of its video.
        video = np.repeat(np.arange(n_videos), [len(trace.time_f) for trace in found])
        unit = video // 2 if over == "subjects" else video
        assert len(measured.group) == unit.max() + 1
        pooled = Values(
            np.concatenate([trace.actual_fT for trace in found]),
            np.concatenate([trace.predicted_fT for trace in found]),
            video // 2 % 2,
            unit,
        )
        of = sums(pooled, by_group=False)
        (weights,) = draws(measured.group, 20, seed=3)
        for drawn in (None, weights):
            figures = measured.measure(drawn)
            expected = overall(of, None if drawn is None else drawn[:, unit])
            for name in tracing.MEASURES:
                np.testing.assert_allclose(figures[name], expected[name], atol=1e-12, err_msg=name)
        alone = [
            overall(sums(Values(trace.actual_fT, trace.predicted_fT, 0 * unit[:n], unit[:n])))
            for trace in found
            for n in [len(trace.time_f)]
        ]
        for name in tracing.MEASURES:
            by_video = np.stack([one[name] for one in alone])
            np.testing.assert_allclose(tracing.by_video(found)[name], by_video, atol=1e-12)
            plain = measured.measure(None)[f"videos_{name}"]
            np.testing.assert_allclose(plain, by_video.mean(axis=0))
            times_R = weights[:, np.arange(n_videos) // 2 if over == "subjects" else slice(None)]
            expected_R = times_R @ by_video / times_R.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(measured.measure(weights)[f"videos_{name}"], expected_R)


def test_a_target_that_is_not_answered_has_no_figures_and_no_mean() -> None:
    found, rows = some_traces(4)
    for trace in found:
        trace.predicted_fT[:, 1] = np.nan
    figures = tracing.measured(found, rows).measure(None)
    for name in tracing.MEASURES:
        assert figures[name][0] > 0
        assert np.isnan(figures[name][1:]).all()
        assert np.isnan(figures[f"videos_{name}"][1:]).all()

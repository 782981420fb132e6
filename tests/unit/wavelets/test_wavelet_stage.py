"""Stage wavelet as a command, on a tiny folder of trajectories."""

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave.landmarks.schema import EMPTY, Trajectory, between
from facewave.wavelets import schema
from facewave.wavelets.__main__ import main, measured_of
from facewave.wavelets.features import unusable
from facewave.wavelets.information import KS
from making import NAMES, contents, run, trajectory, write_landmarks, write_params

CLIPS = {
    "007": trajectory(23, seed=1, gaps=(0, 5, 6)),
    "empty": EMPTY,
    "blind": trajectory(15, seed=2, gaps=tuple(range(1, 15))),
    "long": trajectory(151, seed=3),
    "short": trajectory(4, seed=4),
}
K = 6
SETTINGS = {"mode": "approximation", "family": "haar", "boundary": "open", "k": K}
POINTS = 3000  # of each part of a clip's time, where it is sampled


@dataclass(frozen=True, eq=False)
class Done:
    project: Path
    process: subprocess.CompletedProcess[str]
    features: schema.Features


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    project = tmp_path_factory.mktemp("project")
    write_params(project, wavelets=SETTINGS)
    write_landmarks(project, CLIPS, unusable=("empty", "blind"))
    process = run(project, "-m", "facewave.wavelets", "demo")
    assert process.returncode == 0, process.stderr
    return Done(project, process, schema.read(project / "data/features/demo"))


def frames_at_moments(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which frame holds, at a great many moments of the clip at even distances."""
    halves = np.diff(times) / 2
    start, end = times[0] - halves[0], times[-1] + halves[-1]
    moments = start + (end - start) * (np.arange(K * POINTS) + 0.5) / (K * POINTS)
    return np.searchsorted(times[:-1] + halves, moments)


def filled(clip: Trajectory, values: NDArray[Any]) -> NDArray[np.float64]:
    """(T, C), straight lines over gaps."""
    valid, times = clip.valid_T, clip.times_T
    flat = values.reshape(len(times), -1)
    return np.stack([np.interp(times, times[valid], line[valid]) for line in flat.T], axis=1)


def means(clip: Trajectory, values: NDArray[Any]) -> NDArray[np.float64]:
    """Means over K equal parts of the time by brute force."""
    held = filled(clip, values)[frames_at_moments(clip.times_T)]
    return held.reshape(K, POINTS, *values.shape[1:]).mean(axis=1)


def steps(clip: Trajectory, values: NDArray[Any]) -> NDArray[np.float64]:
    """The K steps whose means over frames come nearest to the frames, by brute force."""
    frames = frames_at_moments(clip.times_T)
    lasts = np.bincount(frames)
    boxes = np.eye(K).repeat(POINTS, axis=0)
    over_frames = np.stack([np.bincount(frames, box) / lasts for box in boxes.T], axis=1)
    root = np.sqrt(lasts)[:, None]
    found = np.linalg.lstsq(root * over_frames, root * filled(clip, values))[0]
    return np.asarray(found.reshape(K, *values.shape[1:]), np.float64)


@pytest.mark.parametrize("name", ["007", "long"])
def test_numbers_are_those_of_the_nearest_steps(done: Done, name: str) -> None:
    at, clip = list(CLIPS).index(name), CLIPS[name]
    for block, values in (
        ("blendshapes", clip.blendshapes_TB),
        ("landmarks", clip.landmarks_TPC[:, 470:]),
    ):
        numbers = done.features.blocks[block][at]  # type: ignore[index]
        numbers = numbers[:, 470:] if block == "landmarks" else numbers
        np.testing.assert_allclose(numbers, steps(clip, values), atol=2e-3)


def test_functions_times_numbers_is_what_is_kept(done: Done) -> None:
    """In the frames of a clip that has as few as there are numbers: everything."""
    functions = done.features.functions_PN
    assert functions.dtype == np.float32
    assert functions.shape == (256, K)
    numbers = done.features.blocks["blendshapes"][3]
    middles = ((np.arange(K) + 0.5) / K * 256).astype(int)
    np.testing.assert_allclose((functions @ numbers)[middles], numbers, atol=1e-6)
    short = CLIPS["short"]
    edges = np.searchsorted(frames_at_moments(short.times_T), np.arange(5)) / (K * POINTS) * 256
    kept = functions @ done.features.blocks["blendshapes"][4]
    for frame in range(4):
        over = kept[round(edges[frame]) : round(edges[frame + 1])].mean(axis=0)
        np.testing.assert_allclose(over, short.blendshapes_TB[frame], atol=2e-3)


def test_timing_is_how_long_and_how_often(done: Done) -> None:
    timing = done.features.blocks["timing"]
    for at, clip in enumerate(CLIPS.values()):
        if at in (1, 2):
            assert np.isnan(timing[at]).all()
            continue
        times = clip.times_T
        lasts = times[-1] - times[0] + np.median(np.diff(times))
        expected = [np.log2(lasts), np.log2(len(times) / lasts)]
        np.testing.assert_allclose(timing[at], np.tile(expected, (K, 1)), rtol=1e-5)


def test_shapes_types_and_missing_clips(done: Done) -> None:
    shapes = {name: block.shape for name, block in done.features.blocks.items()}
    points = (5, K, 478, 3)
    assert shapes == {
        "blendshapes": (5, K, 52),
        "landmarks": points,
        "pose_free": points,
        "head": (5, K, 7),
        "timing": (5, K, 2),
    }
    for block in done.features.blocks.values():
        assert block.dtype == np.float32
        missing = np.isnan(block.reshape(5, -1))
        assert missing.all(axis=1).tolist() == [False, True, True, False, False]
        assert missing.any(axis=1).tolist() == [False, True, True, False, False]


def test_clips_keep_order_mask_and_reason(done: Done) -> None:
    folder = done.project / "data/features/demo"
    clips = pd.read_csv(folder / "clips.csv", dtype=str, keep_default_na=False)
    assert tuple(clips) == schema.CLIP_COLUMNS
    assert list(clips["video_idx"]) == list(CLIPS)
    assert list(clips["usable"]) == ["True", "False", "False", "True", "True"]
    assert list(clips["reason"]) == ["", "too few faces", "too few faces", "", ""]
    assert list(clips["frames"]) == ["23", "0", "15", "151", "4"]
    assert list(clips["filled"]) == ["0.1304", "", "", "0.0", "0.0"]  # 3 of 23 frames


def test_all_files_are_written(done: Done) -> None:
    arrays = [f"{name}.npy" for name in (*schema.BLOCKS, "functions")]
    files = [f"data/features/demo/{name}" for name in (*arrays, "clips.csv", "config.json")]
    files += [f"metrics/wavelet/demo.{suffix}" for suffix in ("json", "csv", "png")]
    written = {*contents(done.project)} - {"params.yaml"}
    assert {name for name in written if not name.startswith("data/landmarks")} == set(files)


def test_config_and_metrics_say_what_was_done(done: Done) -> None:
    folder = done.project
    config = json.loads((folder / "data/features/demo/config.json").read_text("utf-8"))
    assert config == SETTINGS | {"blendshapes": list(NAMES)}
    figures = json.loads((folder / "metrics/wavelet/demo.json").read_text("utf-8"))
    unexplained = figures.pop("unexplained")
    assert figures == {
        "clips": 3,
        "channels": 52 + 2 * 1434 + 7 + 2,
        "numbers_per_channel": K,
        "mean_frames_per_clip": 59.33,
        "compression_ratio": 9.89,
        "filled_share": 0.0435,  # 3 of 23 frames of one of three clips
        "clips_measured": 3,
    }
    assert next(iter(unexplained)) == "approximation haar"
    assert {"pca", "dct", "mean", "uniform", "block haar", "largest haar"} <= set(unexplained)
    for of_block in unexplained.values():
        assert set(of_block) == {"blendshapes", "landmarks", "pose_free", "head"}
        assert all(set(lost) == {"variance", "velocity"} for lost in of_block.values())
    table = pd.read_csv(folder / "metrics/wavelet/demo.csv")
    assert set(table["k"]) == {K, *KS}
    first = table.iloc[0]
    assert (first["contender"], first["k"], first["clips"]) == ("approximation haar", 4, 3)
    (row,) = table[
        (table["contender"] == "dct") & (table["k"] == K) & (table["block"] == "head")
    ].itertuples()
    assert unexplained["dct"]["head"]["velocity"] == row.velocity_median


def test_what_is_lost_is_what_the_numbers_do_not_keep(done: Done) -> None:
    """Of the longest clip, the file's own numbers and functions against its frames."""
    clip = CLIPS["long"]
    frames = frames_at_moments(clip.times_T)
    numbers = done.features.blocks["blendshapes"][3].repeat(POINTS, axis=0)
    lasts = np.bincount(frames)[:, None]
    kept = np.stack([np.bincount(frames, line) for line in numbers.T], axis=1) / lasts
    values = clip.blendshapes_TB
    lost = ((values - kept) ** 2).sum() / ((values - values.mean(axis=0)) ** 2).sum()
    table = pd.read_csv(done.project / "metrics/wavelet/demo.csv")
    chosen = (table["contender"] == "approximation haar") & (table["k"] == K)
    (row,) = table[chosen & (table["block"] == "blendshapes")].itertuples()
    assert row.variance_low <= 100 * lost <= row.variance_high * 2
    assert row.clips == 3


def test_a_second_run_on_one_thread_writes_the_same_bytes(
    done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(done.project)
    (done.project / "data/features/demo/landmarks.npy").unlink()
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    process = run(done.project, "-m", "facewave.wavelets", "demo")
    assert process.returncode == 0, process.stderr
    after = contents(done.project)
    assert [name for name in before if before[name] != after[name]] == []
    assert after.keys() == before.keys()


@pytest.mark.parametrize(
    ("mode", "numbers", "kept"), [("largest", 64, K), ("pca", 64, K), ("mean", 1, 1)]
)
def test_modes_that_learn_write_all_there_is_to_choose_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, numbers: int, kept: int
) -> None:
    even = replace(trajectory(64, seed=7), times_T=np.arange(64) / 30)
    write_params(tmp_path, wavelets=SETTINGS | {"mode": mode})
    write_landmarks(tmp_path, {"a": even, "b": trajectory(30, seed=8)})
    monkeypatch.chdir(tmp_path)
    main("demo")
    features = schema.read(tmp_path / "data/features/demo")
    assert {block.shape[:2] for block in features.blocks.values()} == {(2, numbers)}
    assert features.config["k"] == K  # which training keeps
    assert features.functions_PN.shape == (256, numbers)
    figures = json.loads((tmp_path / "metrics/wavelet/demo.json").read_text("utf-8"))
    assert figures["numbers_per_channel"] == kept
    assert figures["compression_ratio"] == round(47 / kept, 2)
    if mode == "largest":
        again = features.functions_PN @ features.blocks["blendshapes"][0]
        np.testing.assert_allclose(again.reshape(64, 4, 52)[:, 1], even.blendshapes_TB, atol=1e-5)


@pytest.mark.parametrize("mode", ["approximation", "pca"])
@pytest.mark.parametrize("left", ["none at all", "none usable", "one"])
def test_few_clips_or_none_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str, mode: str
) -> None:
    clips = {} if left == "none at all" else {"a": trajectory(20, seed=1)}
    write_params(tmp_path, wavelets=SETTINGS | {"mode": mode, "k": 7})
    write_landmarks(tmp_path, clips, unusable=("a",) if left == "none usable" else ())
    monkeypatch.chdir(tmp_path)
    main("demo")
    features = schema.read(tmp_path / "data/features/demo")
    assert len(features.clips) == len(clips)
    figures = json.loads((tmp_path / "metrics/wavelet/demo.json").read_text("utf-8"))
    assert figures["clips"] == figures["clips_measured"] == (left == "one")
    assert bool(figures["unexplained"]) == (left == "one")
    assert "pca" not in figures["unexplained"]  # there is nothing to learn from
    table = pd.read_csv(tmp_path / "metrics/wavelet/demo.csv")
    assert "variance_median" in table
    assert (tmp_path / "metrics/wavelet/demo.png").stat().st_size > 1000


def test_of_many_long_clips_some_are_measured() -> None:
    index = pd.DataFrame({"usable": True, "frames": [600] * 60 + [1201, 5000]})
    index.loc[3, "usable"] = False
    measured = measured_of(index)
    assert len(measured) == 20_000 // 600
    assert not measured & {3, 60, 61}
    assert measured != set(range(len(measured)))  # not the first ones
    assert measured == measured_of(index)


def test_a_part_of_a_clip_gives_what_its_frames_give_as_a_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trajectory(60, seed=5, gaps=(20, 31))
    times = whole.times_T
    part = between(whole, float(times[17]), float(times[41]))
    alone = replace(part, times_T=part.times_T - part.times_T[0])
    assert len(alone.times_T) == 24
    write_params(tmp_path, wavelets=SETTINGS)
    clips = {"part": whole, "alone": alone, "whole": whole, "end": whole}
    parts = {"part": (times[17], times[41]), "end": (times[41], np.nan)}
    write_landmarks(tmp_path, clips, parts=parts)
    monkeypatch.chdir(tmp_path)
    main("demo")
    features = schema.read(tmp_path / "data/features/demo")
    for block in features.blocks.values():
        assert np.isfinite(block).all()
        np.testing.assert_allclose(block[0], block[1], atol=1e-5)
        assert np.abs(block[0] - block[2]).max() > 0.01
        assert np.abs(block[3] - block[2]).max() > 0.01


def test_the_heads_pose_is_taken_out_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A face that keeps still on a head that turns, moves and comes nearer."""
    rng = np.random.default_rng(0)
    times = np.arange(40) / 20
    yaw, nearer = 0.4 * np.sin(times), 0.2 * (1 + 0.3 * times / 2)
    turned = Rotation.from_rotvec(yaw[:, None] * np.array([0, 1, 0])).as_matrix()
    face = rng.normal(scale=0.3, size=(478, 3))
    at = np.stack([0.5 + 0.1 * times / 2, -0.4 + 0 * times, 0 * times], axis=1)
    points = at[:, None] + nearer[:, None, None] * (face @ turned.transpose(0, 2, 1))
    pose = np.broadcast_to(np.eye(4), (40, 4, 4)).copy()
    pose[:, :3, :3] = turned
    moving = replace(
        trajectory(40),
        times_T=times,
        landmarks_TPC=(points * [1, -64 / 48, -1]).astype(np.float32),
        pose_T44=pose.astype(np.float32),
    )
    write_params(tmp_path, wavelets=SETTINGS)
    write_landmarks(tmp_path, {"a": moving})
    monkeypatch.chdir(tmp_path)
    main("demo")
    blocks = schema.read(tmp_path / "data/features/demo").blocks
    assert np.ptp(blocks["landmarks"][0], axis=0).max() > 0.02
    assert np.ptp(blocks["pose_free"][0], axis=0).max() < 1e-4
    head = blocks["head"][0]
    first, last = (Rotation.from_rotvec(head[k, :3]) for k in (0, -1))
    turns = means(moving, yaw)
    assert (first.inv() * last).magnitude() == pytest.approx(abs(turns[-1] - turns[0]), rel=0.03)
    assert head[-1, 6] / head[0, 6] == pytest.approx(1.27, abs=0.03)  # nearer by three tenths
    assert np.ptp(head[:, 3]) == pytest.approx(np.ptp(means(moving, at[:, 0])), abs=0.02)


def test_a_longer_gap_than_allowed_is_not_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_gap(*gap: int) -> Trajectory:
        return replace(trajectory(40, seed=6, gaps=gap), times_T=np.arange(40) / 10)

    clips = {
        "long": with_gap(*range(10, 16)),
        "short": with_gap(*range(10, 15), 20),
        "end": with_gap(*range(34, 40)),
        "none": with_gap(),
        "left out": with_gap(*range(20)),
        "part": with_gap(*range(20)),
    }
    write_params(tmp_path, wavelets=SETTINGS | {"max_gap_s": 0.5})
    parts = {"part": (2.0, 4.0)}
    write_landmarks(tmp_path, clips, unusable=("left out",), parts=parts)
    monkeypatch.chdir(tmp_path)
    main("demo")
    features = schema.read(tmp_path / "data/features/demo")
    said = "no face for 0.60 s: longer gaps than wavelets.max_gap_s (0.5) are not interpolated"
    table = features.clips.set_index("video_idx")
    assert list(table["usable"]) == [False, True, False, True, False, True]
    assert list(table["reason"]) == [said, "", said, "", "too few faces", ""]
    assert list(table["filled"].fillna(-1)) == [-1, 0.15, -1, 0, -1, 0]
    missing = np.isnan(features.blocks["blendshapes"]).all(axis=(1, 2))
    np.testing.assert_array_equal(missing, ~table["usable"])
    figures = json.loads((tmp_path / "metrics/wavelet/demo.json").read_text("utf-8"))
    assert figures["filled_share"] == 0.05


@pytest.mark.parametrize(
    ("gap", "reason", "said"),
    [(0.5, "", ""), (0.51, "", "no face for 0.51 s"), (9.0, "too few faces", "too few faces")],
)
def test_an_earlier_reason_stays(gap: float, reason: str, said: str) -> None:
    found = unusable({"reason": reason, "face_frames": 5, "longest_gap": gap}, 0.5)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_one_frame_with_a_face_gives_no_numbers() -> None:
    row = {"reason": "", "face_frames": 1, "longest_gap": 0.0}
    assert unusable(row, 0.5) == "a face in one frame only: nothing moves"


def test_without_trajectories_a_sentence_and_exit_2(tmp_path: Path) -> None:
    write_params(tmp_path)
    process = run(tmp_path, "-m", "facewave.wavelets", "demo")
    assert process.returncode == 2
    assert process.stderr == (
        "facewave: data/landmarks/demo/index.csv is not here. Make it with: dvc repro extract\n"
    )

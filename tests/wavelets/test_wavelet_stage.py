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
from facewave.wavelets.__main__ import main
from facewave.wavelets.features import unusable
from making import NAMES, contents, run, trajectory, write_landmarks, write_params

CLIPS = {
    "007": trajectory(23, seed=1, gaps=(0, 5, 6)),
    "empty": EMPTY,
    "blind": trajectory(15, seed=2, gaps=tuple(range(1, 15))),
    "long": trajectory(151, seed=3),
    "short": trajectory(4, seed=4),
}
K = 6


@dataclass(frozen=True, eq=False)
class Done:
    project: Path
    process: subprocess.CompletedProcess[str]
    features: schema.Features


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    project = tmp_path_factory.mktemp("project")
    write_params(project, wavelets={"k": K})
    write_landmarks(project, CLIPS, unusable=("empty", "blind"))
    process = run(project, "-m", "facewave.wavelets", "demo")
    assert process.returncode == 0, process.stderr
    return Done(project, process, schema.read(project / "data/features/demo"))


def means(clip: Trajectory, values: NDArray[Any]) -> NDArray[np.float64]:
    """Means over K equal parts of the time by brute force: the value at a great many moments."""
    valid, times = clip.valid_T, clip.times_T
    halves = np.diff(times) / 2
    start, end = times[0] - halves[0], times[-1] + halves[-1]
    moments = start + (end - start) * (np.arange(K * 3000) + 0.5) / (K * 3000)
    frame = np.searchsorted(times[:-1] + halves, moments)
    flat = values.reshape(len(times), -1)
    filled = np.stack([np.interp(times, times[valid], line[valid]) for line in flat.T], axis=1)
    return filled[frame].reshape(K, 3000, *values.shape[1:]).mean(axis=1)


@pytest.mark.parametrize("name", ["007", "long", "short"])
def test_numbers_are_means_of_the_whole_clip(done: Done, name: str) -> None:
    at, clip = list(CLIPS).index(name), CLIPS[name]
    shapes, points = clip.blendshapes_TB, clip.landmarks_TPC[:, 470:]
    np.testing.assert_allclose(
        done.features.blocks["blendshapes"][at], means(clip, shapes), atol=1e-3
    )
    np.testing.assert_allclose(
        done.features.blocks["landmarks"][at, :, 470:], means(clip, points), atol=1e-3
    )


def test_shapes_types_and_missing_clips(done: Done) -> None:
    shapes = {name: block.shape for name, block in done.features.blocks.items()}
    points = (5, K, 478, 3)
    assert shapes == {
        "blendshapes": (5, K, 52),
        "landmarks": points,
        "pose_free": points,
        "head": (5, K, 7),
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


def test_config_and_metrics_say_what_was_done(done: Done) -> None:
    folder = done.project
    config = json.loads((folder / "data/features/demo/config.json").read_text("utf-8"))
    expected = {"mode": "approximation", "family": "haar", "level": "auto", "k": K}
    assert config == expected | {"blendshapes": list(NAMES)}
    figures = json.loads((folder / "metrics/wavelet/demo.json").read_text("utf-8"))
    assert figures == {
        "clips": 3,
        "channels": 52 + 2 * 1434 + 7,
        "numbers_per_channel": K,
        "mean_frames_per_clip": 59.33,
        "filled_share": 0.0435,  # 3 of 23 frames of one of three clips
        "frames_per_number": 9.89,
    }


def test_a_second_run_writes_the_same_bytes(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(done.project)
    (done.project / "data/features/demo/landmarks.npy").unlink()
    monkeypatch.chdir(done.project)
    main("demo")
    assert contents(done.project) == before


def test_a_part_of_a_clip_gives_what_its_frames_give_as_a_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trajectory(60, seed=5, gaps=(20, 31))
    times = whole.times_T
    part = between(whole, float(times[17]), float(times[41]))
    alone = replace(part, times_T=part.times_T - part.times_T[0])
    assert len(alone.times_T) == 24
    write_params(tmp_path, wavelets={"k": K})
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
    write_params(tmp_path, wavelets={"k": K})
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
    write_params(tmp_path, wavelets={"k": K, "max_gap_s": 0.5})
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

"""Stage wavelet on a tiny folder of trajectories."""

import json
import re
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave.files import sha256
from facewave.landmarks.schema import EMPTY, Trajectory
from facewave.wavelets import schema
from facewave.wavelets.__main__ import main
from facewave.wavelets.features import features as features_of
from facewave.wavelets.features import unusable
from facewave.wavelets.transform import Transform
from making import NAMES, NO_ENCODER, contents, trajectory, write_landmarks, write_params

CLIPS = {
    "007": trajectory(23, seed=1, gaps=(0, 5, 6)),
    "empty": EMPTY,
    "blind": trajectory(15, seed=2, gaps=tuple(range(1, 15))),
    "long": trajectory(151, seed=3),
    "short": trajectory(4, seed=4),
}
K = 6
SETTINGS = {"transform": "approximation", "wavelet": "haar", "boundary": "open", "k": K,
            "sides": "apart"}  # fmt: skip
POINTS = 3000  # of each part of a clip's time, where it is sampled


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_params(folder, wavelets=SETTINGS)
    write_landmarks(folder, CLIPS, unusable=("empty", "blind"))
    with chdir(folder), redirect_stdout(StringIO()) as printed:
        main("demo")
    assert printed.getvalue().splitlines()[-1] == "demo: 3 of 5 clips usable"
    return folder


@pytest.fixture(scope="module")
def features(project: Path) -> schema.Features:
    return schema.read(project / "data/features/demo")


@pytest.fixture
def transformed(tmp_path: Path) -> Callable[..., schema.Features]:
    """Runs the stage on clips, with some settings changed."""

    def of(clips: dict[str, Trajectory], settings: Any = None, **places: Any) -> schema.Features:
        write_params(tmp_path, wavelets=SETTINGS | (settings or {}))
        write_landmarks(tmp_path, clips, **places)
        with chdir(tmp_path):
            main("demo")
        return schema.read(tmp_path / "data/features/demo")

    return of


def figures_of(project: Path) -> dict[str, Any]:
    return json.loads((project / "metrics/wavelet/demo.json").read_text("utf-8"))


def frames_at_moments(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which frame lasts at each of many evenly spaced moments of the clip."""
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


def test_numbers_are_those_of_the_nearest_steps(features: schema.Features) -> None:
    for at, name in ((0, "007"), (3, "long")):
        clip, blocks = CLIPS[name], {name: block[at] for name, block in features.blocks.items()}
        for numbers, values in (
            (blocks["blendshapes"], clip.blendshapes_TB),
            (blocks["landmarks"][:, 470:], clip.landmarks_TPC[:, 470:]),
        ):
            np.testing.assert_allclose(numbers, steps(clip, values), atol=2e-3)


def test_functions_times_numbers_is_what_is_kept(features: schema.Features) -> None:
    """In the frames of a clip that has as few as there are numbers: everything."""
    functions = features.functions_PN
    assert functions.dtype == np.float32
    assert functions.shape == (256, K)
    numbers = features.blocks["blendshapes"][3]
    middles = ((np.arange(K) + 0.5) / K * 256).astype(int)
    np.testing.assert_allclose((functions @ numbers)[middles], numbers, atol=1e-6)
    short = CLIPS["short"]
    edges = np.searchsorted(frames_at_moments(short.times_T), np.arange(5)) / (K * POINTS) * 256
    kept = functions @ features.blocks["blendshapes"][4]
    for frame in range(4):
        over = kept[round(edges[frame]) : round(edges[frame + 1])].mean(axis=0)
        np.testing.assert_allclose(over, short.blendshapes_TB[frame], atol=2e-3)


def test_timing_is_duration_and_frame_rate(features: schema.Features) -> None:
    timing = features.blocks["timing"]
    for at, clip in enumerate(CLIPS.values()):
        if at in (1, 2):
            assert np.isnan(timing[at]).all()
            continue
        times = clip.times_T
        lasts = times[-1] - times[0] + np.median(np.diff(times))
        expected = [np.log2(lasts), np.log2(len(times) / lasts)]
        np.testing.assert_allclose(timing[at], np.tile(expected, (K, 1)), rtol=1e-5)


def test_shapes_types_and_missing_clips(features: schema.Features) -> None:
    shapes = {name: block.shape for name, block in features.blocks.items()}
    points = (5, K, 478, 3)
    assert shapes == {
        "blendshapes": (5, K, 52),
        "landmarks": points,
        "pose_free": points,
        "points68": (5, K, 68, 2),
        "head": (5, K, 7),
        "timing": (5, K, 2),
    }
    for block in features.blocks.values():
        assert block.dtype == np.float32
        missing = np.isnan(block.reshape(5, -1))
        assert missing.all(axis=1).tolist() == [False, True, True, False, False]
        assert missing.any(axis=1).tolist() == [False, True, True, False, False]


def test_it_writes_its_files_and_what_it_did_and_the_same_bytes_again(project: Path) -> None:
    path = project / "data/features/demo/clips.csv"
    clips = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert tuple(clips) == schema.CLIP_COLUMNS
    assert list(clips["video_idx"]) == list(CLIPS)
    assert list(clips["usable"]) == ["True", "False", "False", "True", "True"]
    assert list(clips["reason"]) == ["", "too few faces", "too few faces", "", ""]
    assert list(clips["frames"]) == ["23", "0", "15", "151", "4"]
    assert list(clips["filled"]) == ["0.1304", "", "", "0.0", "0.0"]  # 3 of 23 frames
    arrays = [f"{name}.npy" for name in (*schema.BLOCKS, "functions")]
    files = [f"data/features/demo/{name}" for name in (*arrays, "clips.csv", "config.json")]
    before = contents(project)
    given = "params|data/(landmarks|appearance|voice)"
    written = {name for name in before if not re.match(given, name)}
    assert written == {*files, "metrics/wavelet/demo.json"}
    config = json.loads((project / "data/features/demo/config.json").read_text("utf-8"))
    sums = config.pop("sha256")
    assert sums.keys() == {Path(name).name for name in files}
    for name in sums.keys() - {"config.json"}:
        assert sums[name] == sha256(project / "data/features/demo" / name)
    assert config == SETTINGS | {
        "blendshapes": list(NAMES),
        "encoder": NO_ENCODER,
        "voice": NO_ENCODER,
    }
    assert figures_of(project) == {
        "clips": 3,
        "channels": 52 + 2 * 1434 + 136 + 7 + 2,
        "numbers_per_channel": K,
        "mean_frames_per_clip": 59.33,
        "compression_ratio": 9.89,
        "compression_of_60_s": 300.0,  # at 30 frames a second
        "filled_share": 0.0435,  # 3 of 23 frames of one of three clips
    }
    (project / "data/features/demo/landmarks.npy").unlink()
    with chdir(project):
        main("demo")
    assert contents(project) == before


def test_transforms_that_learn_write_all_there_is_to_choose_from(
    transformed: Callable[..., schema.Features], tmp_path: Path
) -> None:
    even = replace(trajectory(64, seed=7), times_T=np.arange(64) / 30)
    clips = {"a": even, "b": trajectory(30, seed=8)}
    for name, numbers, kept in (
        ("largest", 64, K),
        ("pca", 64, K),
        ("mean", 1, 1),
        ("energy", K, K),
    ):
        features = transformed(clips, {"transform": name})
        assert {block.shape[:2] for block in features.blocks.values()} == {(2, numbers)}
        assert features.config["k"] == K  # which training keeps
        assert features.functions_PN.shape == (0 if name == "energy" else 256, numbers)
        figures = figures_of(tmp_path)
        assert figures["numbers_per_channel"] == kept
        assert figures["compression_ratio"] == round(47 / kept, 2)
        if name == "largest":
            again = (features.functions_PN @ features.blocks["blendshapes"][0]).reshape(64, 4, 52)
            np.testing.assert_allclose(again[:, 1], even.blendshapes_TB, atol=1e-5)


def test_few_clips_or_none_are_no_mistake(
    transformed: Callable[..., schema.Features], tmp_path: Path
) -> None:
    one = {"a": trajectory(20, seed=1)}
    for clips, unusable_ones, usable in (({}, (), 0), (one, ("a",), 0), (one, (), 1)):
        features = transformed(clips, {"k": 7}, unusable=unusable_ones)
        assert len(features.clips) == len(clips)
        assert figures_of(tmp_path)["clips"] == usable


def test_the_heads_pose_is_removed_and_kept(
    transformed: Callable[..., schema.Features],
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
    blocks = transformed({"a": moving}).blocks
    assert np.ptp(blocks["landmarks"][0], axis=0).max() > 0.02
    assert np.ptp(blocks["pose_free"][0], axis=0).max() < 1e-4
    head = blocks["head"][0]
    first, last = (Rotation.from_rotvec(head[k, :3]) for k in (0, -1))
    turns = means(moving, yaw)
    assert (first.inv() * last).magnitude() == pytest.approx(abs(turns[-1] - turns[0]), rel=0.03)
    assert head[-1, 6] / head[0, 6] == pytest.approx(1.27, abs=0.03)  # nearer by three tenths
    assert np.ptp(head[:, 3]) == pytest.approx(np.ptp(means(moving, at[:, 0])), abs=0.02)


def test_a_longer_gap_than_allowed_is_not_filled(
    transformed: Callable[..., schema.Features], tmp_path: Path
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
    parts = {"part": (2.0, 4.0)}
    features = transformed(clips, {"max_gap_s": 0.5}, unusable=("left out",), parts=parts)
    reason = "no face for 0.60 s: longer gaps than wavelets.max_gap_s (0.5) are not interpolated"
    table = features.clips.set_index("video_idx")
    assert list(table["usable"]) == [False, True, False, True, False, True]
    assert list(table["reason"]) == [reason, "", reason, "", "too few faces", ""]
    assert list(table["filled"].fillna(-1)) == [-1, 0.15, -1, 0, -1, 0]
    missing = np.isnan(features.blocks["blendshapes"]).all(axis=(1, 2))
    np.testing.assert_array_equal(missing, ~table["usable"])
    assert figures_of(tmp_path)["filled_share"] == 0.05
    row = {"reason": "", "face_frames": 1, "longest_gap": 0.5}
    assert unusable(row, 0.5) == "a face in one frame only: nothing moves"
    assert unusable(row | {"face_frames": 2}, 0.5) == ""


def test_only_the_chosen_blocks_are_computed() -> None:
    clip, picture = CLIPS["007"], SimpleNamespace(width=64, height=48)
    everything = features_of(clip, picture, Transform("dct", k=5))
    assert list(everything) == list(schema.BLOCKS)
    for names in (["head"], ["timing", "blendshapes"], ["pose_free", "landmarks"]):
        some = features_of(clip, picture, Transform("dct", k=5), names)  # type: ignore[arg-type]
        assert set(some) == set(names)
        for name, block in some.items():
            np.testing.assert_array_equal(block, everything[name])


def test_merged_sides_are_written_with_their_own_shapes_and_names(
    transformed: Callable[..., schema.Features], tmp_path: Path
) -> None:
    clip = CLIPS["007"]
    features = transformed({"a": clip, "b": CLIPS["short"]}, {"sides": "merged"}, unusable=("b",))
    points = (2, K, 253, 3)
    assert {name: block.shape for name, block in features.blocks.items()} == {
        "blendshapes": (2, K, 32),
        "landmarks": points,
        "pose_free": points,
        "points68": (2, K, 39, 2),
        "head": (2, K, 7),
        "timing": (2, K, 2),
    }
    names = features.config["blendshapes"]
    assert features.config["sides"] == "merged"
    assert figures_of(tmp_path)["channels"] == 32 + 2 * 759 + 78 + 7 + 2
    both = clip.blendshapes_TB[:, [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]]
    for name, values in (
        ("eyeBlink", both.mean(axis=1)),
        ("jawOpen", clip.blendshapes_TB[:, NAMES.index("jawOpen")]),
    ):
        numbers = features.blocks["blendshapes"][0, :, names.index(name)]
        np.testing.assert_allclose(numbers, steps(clip, values[:, None])[:, 0], atol=2e-3)
    assert np.isnan(features.blocks["landmarks"][1]).all()


def test_block_drops_frames_without_a_face_first() -> None:
    """As the earlier formula did: its numbers are those of the other frames, joined."""
    clip, picture = CLIPS["007"], SimpleNamespace(width=64, height=48)
    numbers = features_of(clip, picture, Transform("block", "haar", k=10))
    joined = clip.blendshapes_TB[clip.valid_T].astype(np.float64)
    assert len(joined) == 20
    expected = joined.reshape(10, 2, 52).mean(axis=1)  # level 1 of 20 frames
    np.testing.assert_allclose(numbers["blendshapes"], expected, atol=1e-6)
    interpolated = filled(clip, clip.blendshapes_TB)[:20].reshape(10, 2, 52).mean(axis=1)
    assert np.abs(interpolated - expected).max() > 0.01
    rate = len(clip.times_T) / 2 ** numbers["timing"][0, 0]  # of all its frames
    np.testing.assert_allclose(2 ** numbers["timing"][:, 1], rate, rtol=1e-5)

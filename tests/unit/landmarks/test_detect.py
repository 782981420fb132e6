"""Decoding and detection with the real decoder and the real landmarker."""

from collections.abc import Generator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from test_landmarks_schema import assert_equal

from facewave.landmarks import detect as detecting
from facewave.landmarks.detect import detect
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory
from facewave.params import Landmarks
from facewave.video import Clip
from making import SETTINGS
from running import ROOT

DEMO_CLIP = ROOT / "data/raw/demo/clips/1.mp4"
FPS = 25.0  # of pictures
BLOCKS = ("sharpness_T", "landmarks_TPC", "blendshapes_TB", "pose_T44")  # NaN without a face


def seen(
    clip: Path, model: Path, fps: float = FPS, settings: Landmarks = SETTINGS
) -> tuple[ClipFacts, Trajectory]:
    """What is detected in a clip."""
    found = detect(clip, model, fps, settings)
    return found.facts, found.trajectory()


def write_noise(
    path: Path, n_frames: int, fps: float = 25, size: tuple[int, int] = (64, 48)
) -> None:
    """A small video without a face."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, size)
    rng = np.random.default_rng(0)
    for _ in range(n_frames):
        writer.write(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    writer.release()


@pytest.mark.parametrize("content", [b"", b"just text", bytes(5000)])
def test_what_is_no_video_says_so(tmp_path: Path, content: bytes, landmarker: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    facts, trajectory = seen(tmp_path / "a.mp4", landmarker)
    assert facts.problem.startswith("cannot be opened")
    assert len(trajectory.times_T) == 0


def test_a_truncated_clip_keeps_its_frames_and_says_so(tmp_path: Path, landmarker: Path) -> None:
    whole = DEMO_CLIP.read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])  # its header lies in front
    facts, trajectory = seen(tmp_path / "a.mp4", landmarker)
    assert 0 < len(trajectory.times_T) < 0.9 * facts.declared_frames
    assert facts.problem == (
        f"truncated: {len(trajectory.times_T)} of {facts.declared_frames} frames can be decoded"
    )


def test_a_variable_frame_rate_is_no_truncation(tmp_path: Path, landmarker: Path) -> None:
    with av.open(tmp_path / "a.mkv", "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in [
            *range(12),
            *range(12, 60, 6),
        ]:  # later most frames are left out
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * i, np.uint8))
            frame.pts, frame.time_base = i, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    facts, trajectory = seen(tmp_path / "a.mkv", landmarker)
    assert len(trajectory.times_T) == 20
    assert facts.declared_frames > 40  # what the header makes of its duration
    assert facts.problem == ""


def test_no_face_is_nan_never_zero(tmp_path: Path, landmarker: Path) -> None:
    write_noise(tmp_path / "a.mp4", 5)
    facts, trajectory = seen(tmp_path / "a.mp4", landmarker)
    assert not facts.problem
    assert not trajectory.valid_T.any()
    assert len(trajectory.times_T) == 5
    assert not trajectory.faces_T.any()
    for name in BLOCKS:
        assert np.isnan(getattr(trajectory, name)).all()


def test_a_demo_clip_shows_a_face_the_same_each_time(landmarker: Path) -> None:
    facts, first = seen(DEMO_CLIP, landmarker)
    assert not facts.problem
    assert first.valid_T.mean() > 0.9
    assert first.landmarks_TPC.shape[1:] == (478, 3)
    assert first.names[0] == "_neutral"
    assert len(set(first.names)) == 52
    points = first.landmarks_TPC[first.valid_T]
    assert 0 < points[..., :2].min() < points[..., :2].max() < 1  # in picture widths and heights
    assert ((first.blendshapes_TB >= 0) & (first.blendshapes_TB <= 1))[first.valid_T].all()
    np.testing.assert_allclose(first.pose_T44[first.valid_T][:, 3], [[0, 0, 0, 1]] * len(points))
    assert_equal(seen(DEMO_CLIP, landmarker)[1], first)


@pytest.mark.parametrize(
    ("name", "frames", "face_frames"),
    [
        ("single_face.mp4", 72, range(72, 73)),
        ("face_noface.mov", 169, range(65, 80)),  # a face in the first 43 %
        ("no_face.mp4", 95, range(1)),
        ("liveportrait_d18.mp4", 216, range(210, 217)),
    ],
)
def test_real_clips(
    real_clips: Path, landmarker: Path, name: str, frames: int, face_frames: range
) -> None:
    facts, trajectory = seen(real_clips / name, landmarker)
    assert not facts.problem
    assert len(trajectory.times_T) == frames
    assert trajectory.valid_T.sum() in face_frames
    assert (np.diff(trajectory.times_T) > 0).all()
    assert trajectory.times_T[0] == 0


def test_uneven_frame_times_are_kept(real_clips: Path, landmarker: Path) -> None:
    _, trajectory = seen(real_clips / "face_noface.mov", landmarker)
    steps = np.diff(trajectory.times_T)
    assert steps.min() < 0.9 * np.median(steps)  # 24 and 30 frames a second by turns


def write_frames(folder: Path, first: int = 1, every: int = 1) -> list[float]:
    """Every n-th frame of the demo clip as numbered PNGs; return their times in the clip."""
    folder.mkdir()
    times = []
    for number, time, picture in Clip(DEMO_CLIP, FPS).frames():
        if number % every == 0:
            assert picture is not None
            path = folder / f"{number + first:05}.png"
            assert cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            times.append(time)
    return times


@pytest.fixture(scope="module")
def video(landmarker: Path) -> tuple[ClipFacts, Trajectory]:
    return seen(DEMO_CLIP, landmarker)


def test_a_folder_of_a_videos_frames_gives_what_the_video_gives(
    tmp_path: Path, landmarker: Path, video: tuple[ClipFacts, Trajectory]
) -> None:
    write_frames(tmp_path / "clip")
    facts, trajectory = seen(tmp_path / "clip", landmarker, video[0].fps)
    assert facts == video[0]  # among them size, frame rate and number of frames
    np.testing.assert_allclose(trajectory.times_T, video[1].times_T, atol=1e-9)
    assert_equal(replace(trajectory, times_T=video[1].times_T), video[1])


def test_a_folder_is_detected_the_same_each_time_and_gaps_keep_their_time(
    tmp_path: Path, landmarker: Path
) -> None:
    times = write_frames(tmp_path / "clip", first=40, every=6)
    (fps,) = {Clip(DEMO_CLIP, FPS).fps}
    facts, trajectory = seen(tmp_path / "clip", landmarker, fps)
    assert (facts.problem, facts.declared_frames) == ("", len(times))
    assert trajectory.valid_T.all()
    np.testing.assert_allclose(trajectory.times_T, times, atol=1e-4)
    assert_equal(seen(tmp_path / "clip", landmarker, fps)[1], trajectory)


def test_a_broken_picture_is_a_frame_without_a_face(tmp_path: Path, landmarker: Path) -> None:
    n_frames = len(write_frames(tmp_path / "clip", every=6))
    broken = sorted((tmp_path / "clip").iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:100])
    facts, trajectory = seen(tmp_path / "clip", landmarker)
    assert facts.problem == ""
    assert trajectory.valid_T.tolist() == [t != 2 for t in range(n_frames)]
    for name in BLOCKS:
        block = getattr(trajectory, name)
        assert np.isnan(block[2]).all()
        assert np.isfinite(np.delete(block, 2, axis=0)).all()


def test_one_picture_is_a_clip_of_one_frame(tmp_path: Path, landmarker: Path) -> None:
    write_frames(tmp_path / "clip", every=1000)
    facts, trajectory = seen(tmp_path / "clip/00001.png", landmarker)
    assert (facts.problem, facts.declared_frames) == ("", 1)
    assert trajectory.times_T.tolist() == [0.0]
    assert trajectory.valid_T.tolist() == [True]


def test_an_empty_folder_says_that_it_cannot_be_opened(tmp_path: Path, landmarker: Path) -> None:
    facts, trajectory = seen(tmp_path, landmarker)
    assert facts.problem.startswith("cannot be opened")
    assert_equal(trajectory, EMPTY)


@pytest.mark.parametrize("rate", [10.0, 12.5, 4.0])
def test_at_a_lower_rate_every_nth_frame_is_looked_at(
    landmarker: Path, video: tuple[ClipFacts, Trajectory], rate: float
) -> None:
    (fps,) = {video[0].fps}
    facts, trajectory = seen(DEMO_CLIP, landmarker, settings=replace(SETTINGS, fps=rate))
    assert facts == video[0]  # all of it was decoded: not truncated
    parts = np.floor(video[1].times_T * rate + 1e-6)
    expected = np.flatnonzero(np.diff(parts, prepend=-1))
    assert fps / rate - 1 < np.diff(expected).mean() < fps / rate + 1
    np.testing.assert_array_equal(trajectory.frames_T, expected)
    np.testing.assert_array_equal(trajectory.times_T, video[1].times_T[expected])
    assert trajectory.valid_T.all()
    away = np.abs(trajectory.landmarks_TPC - video[1].landmarks_TPC[expected])
    assert away.max() < 0.05  # the same face, smoothed over other frames


def test_a_rate_above_the_clips_takes_every_frame(
    landmarker: Path, video: tuple[ClipFacts, Trajectory]
) -> None:
    assert_equal(seen(DEMO_CLIP, landmarker, settings=replace(SETTINGS, fps=200.0))[1], video[1])


def test_what_is_truncated_is_so_at_any_rate(tmp_path: Path, landmarker: Path) -> None:
    whole = DEMO_CLIP.read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])
    said, full = seen(tmp_path / "a.mp4", landmarker)
    assert said.problem.startswith("truncated: ")
    for rate in (5.0, 15.0):
        facts, trajectory = seen(tmp_path / "a.mp4", landmarker, FPS, replace(SETTINGS, fps=rate))
        assert facts == said
        assert 0 < len(trajectory.times_T) < len(full.times_T)


def face_size(trajectory: Trajectory) -> float:
    """In picture widths: the clips used here are square."""
    extent = np.ptp(trajectory.landmarks_TPC[trajectory.valid_T][..., :2], axis=1)
    return float(np.sqrt(extent.prod(axis=1)).mean())


def test_shrunk_pictures_give_nearly_the_same_points(tmp_path: Path, landmarker: Path) -> None:
    (tmp_path / "clip").mkdir()
    for number, _, picture in Clip(DEMO_CLIP, FPS).frames():
        assert picture is not None
        large = cv2.resize(picture[..., ::-1], (896, 896), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(tmp_path / f"clip/{number}.bmp"), large)
    facts, whole = seen(tmp_path / "clip", landmarker)
    shrunk, small = seen(tmp_path / "clip", landmarker, FPS, replace(SETTINGS, max_side=448))
    assert facts == shrunk  # the clip's size stays the clip's
    np.testing.assert_array_equal(whole.valid_T, small.valid_T)
    away = (whole.landmarks_TPC - small.landmarks_TPC)[whole.valid_T][..., :2]
    assert 0 < np.sqrt((away**2).sum(axis=-1)).mean() < 0.015 * face_size(whole)


def test_a_picture_that_is_small_enough_stays_as_it_is(
    landmarker: Path, video: tuple[ClipFacts, Trajectory]
) -> None:
    for side in (224, 500):
        settings = replace(SETTINGS, max_side=side)
        assert_equal(seen(DEMO_CLIP, landmarker, FPS, settings)[1], video[1])


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((224, 224), 64, (64, 64)), ((90, 1000), 64, (6, 64)), ((1000, 3), 100, (100, 1))],
)
def test_the_longer_side_is_shrink(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    small = detecting._shrink(picture, side)
    assert small.shape == (*expected, 3)
    assert small.dtype == np.uint8
    assert abs(small.mean() - picture.mean()) < 4
    assert small.std() < 0.6 * picture.std()  # every pixel counts: noise is averaged
    assert detecting._shrink(picture, "source") is picture


@pytest.mark.parametrize("memory", [1, 1 << 24])
def test_neither_chunks_nor_the_temporary_file_change_anything(
    tmp_path: Path,
    landmarker: Path,
    video: tuple[ClipFacts, Trajectory],
    memory: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detecting, "CHUNK", 7)
    monkeypatch.setattr(detecting, "_IN_MEMORY", memory)
    found = detect(DEMO_CLIP, landmarker, FPS, SETTINGS)
    lengths = [len(chunk.times_T) for chunk in found.chunks()]
    assert set(lengths[:-1]) == {7}
    assert sum(lengths) == len(video[1].times_T)
    assert_equal(found.trajectory(), video[1])
    assert_equal(found.trajectory(), video[1])  # once more, from the same file


def test_frame_numbers_are_those_of_the_source(
    landmarker: Path, video: tuple[ClipFacts, Trajectory]
) -> None:
    assert video[1].frames_T.tolist() == list(range(video[0].declared_frames))
    assert (video[1].faces_T == video[1].valid_T).all()
    sharp = np.flatnonzero(np.isfinite(video[1].sharpness_T))
    assert sharp[0] == 0
    assert set(np.diff(sharp)) <= {5, 6}  # five times a second
    assert (video[1].sharpness_T[sharp] > 0).all()


def test_time_is_counted_from_the_first_frame(
    landmarker: Path, video: tuple[ClipFacts, Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(Clip):
        def _read(self) -> Generator[float]:
            yield from (5 + time for time in super()._read())

    monkeypatch.setattr(detecting, "Clip", Late)
    facts, trajectory = seen(DEMO_CLIP, landmarker)
    assert facts == video[0]
    np.testing.assert_allclose(trajectory.times_T, video[1].times_T, atol=1e-9)


@pytest.mark.parametrize("rate", ["source", 10.0])
def test_a_clip_shorter_than_a_wrong_header_says_is_not_truncated(
    landmarker: Path, monkeypatch: pytest.MonkeyPatch, rate: Any
) -> None:
    """All frames of the header can be decoded: only its frame rate is wrong."""

    class Slow(Clip):
        def __init__(self, path: Path, fps: float) -> None:
            super().__init__(path, fps)
            self.fps /= 2

    monkeypatch.setattr(detecting, "Clip", Slow)
    facts, _ = seen(DEMO_CLIP, landmarker, FPS, replace(SETTINGS, fps=rate))
    assert facts.problem == ""

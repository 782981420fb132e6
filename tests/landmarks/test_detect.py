"""Decoding and detection with the real decoder and the real landmarker."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from test_landmarks_schema import assert_equal

from facewave.landmarks.detect import detect
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory
from facewave.video import Clip
from running import ROOT

DEMO_CLIP = ROOT / "data/raw/demo/clips/1.mp4"
FPS = 25.0  # of pictures


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
    facts, trajectory = detect(tmp_path / "a.mp4", landmarker, FPS)
    assert facts.problem.startswith("cannot be opened")
    assert len(trajectory.times_T) == 0


def test_a_truncated_clip_keeps_its_frames_and_says_so(tmp_path: Path, landmarker: Path) -> None:
    whole = DEMO_CLIP.read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])  # its header lies in front
    facts, trajectory = detect(tmp_path / "a.mp4", landmarker, FPS)
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
    facts, trajectory = detect(tmp_path / "a.mkv", landmarker, FPS)
    assert len(trajectory.times_T) == 20
    assert facts.declared_frames > 40  # what the header makes of its duration
    assert facts.problem == ""


def test_no_face_is_nan_never_zero(tmp_path: Path, landmarker: Path) -> None:
    write_noise(tmp_path / "a.mp4", 5)
    facts, trajectory = detect(tmp_path / "a.mp4", landmarker, FPS)
    assert not facts.problem
    assert not trajectory.valid_T.any()
    assert len(trajectory.times_T) == 5
    for block in (trajectory.landmarks_TPC, trajectory.blendshapes_TB, trajectory.pose_T44):
        assert np.isnan(block).all()


def test_a_demo_clip_shows_a_face_the_same_each_time(landmarker: Path) -> None:
    facts, first = detect(DEMO_CLIP, landmarker, FPS)
    assert not facts.problem
    assert first.valid_T.mean() > 0.9
    assert first.landmarks_TPC.shape[1:] == (478, 3)
    assert first.names[0] == "_neutral"
    assert len(set(first.names)) == 52
    seen = first.landmarks_TPC[first.valid_T]
    assert 0 < seen[..., :2].min() < seen[..., :2].max() < 1  # in picture widths and heights
    assert ((first.blendshapes_TB >= 0) & (first.blendshapes_TB <= 1))[first.valid_T].all()
    np.testing.assert_allclose(first.pose_T44[first.valid_T][:, 3], [[0, 0, 0, 1]] * len(seen))
    assert_equal(detect(DEMO_CLIP, landmarker, FPS)[1], first)


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
    facts, trajectory = detect(real_clips / name, landmarker, FPS)
    assert not facts.problem
    assert len(trajectory.times_T) == frames
    assert trajectory.valid_T.sum() in face_frames
    assert (np.diff(trajectory.times_T) > 0).all()
    assert trajectory.times_T[0] == 0


def test_uneven_frame_times_are_kept(real_clips: Path, landmarker: Path) -> None:
    _, trajectory = detect(real_clips / "face_noface.mov", landmarker, FPS)
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
    return detect(DEMO_CLIP, landmarker, FPS)


def test_a_folder_of_a_videos_frames_gives_what_the_video_gives(
    tmp_path: Path, landmarker: Path, video: tuple[ClipFacts, Trajectory]
) -> None:
    write_frames(tmp_path / "clip")
    facts, trajectory = detect(tmp_path / "clip", landmarker, fps=video[0].fps)
    assert facts == video[0]  # among them size, frame rate and number of frames
    np.testing.assert_allclose(trajectory.times_T, video[1].times_T, atol=1e-9)
    assert_equal(replace(trajectory, times_T=video[1].times_T), video[1])


def test_a_folder_is_detected_the_same_each_time_and_gaps_keep_their_time(
    tmp_path: Path, landmarker: Path
) -> None:
    times = write_frames(tmp_path / "clip", first=40, every=6)
    (fps,) = {Clip(DEMO_CLIP, FPS).fps}
    facts, trajectory = detect(tmp_path / "clip", landmarker, fps)
    assert (facts.problem, facts.declared_frames) == ("", len(times))
    assert trajectory.valid_T.all()
    np.testing.assert_allclose(trajectory.times_T, times, atol=1e-4)
    assert_equal(detect(tmp_path / "clip", landmarker, fps)[1], trajectory)


def test_a_broken_picture_is_a_frame_without_a_face(tmp_path: Path, landmarker: Path) -> None:
    n_frames = len(write_frames(tmp_path / "clip", every=6))
    broken = sorted((tmp_path / "clip").iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:100])
    facts, trajectory = detect(tmp_path / "clip", landmarker, FPS)
    assert facts.problem == ""
    assert trajectory.valid_T.tolist() == [t != 2 for t in range(n_frames)]
    for block in (trajectory.landmarks_TPC, trajectory.blendshapes_TB, trajectory.pose_T44):
        assert np.isnan(block[2]).all()
        assert np.isfinite(np.delete(block, 2, axis=0)).all()


def test_one_picture_is_a_clip_of_one_frame(tmp_path: Path, landmarker: Path) -> None:
    write_frames(tmp_path / "clip", every=1000)
    facts, trajectory = detect(tmp_path / "clip/00001.png", landmarker, FPS)
    assert (facts.problem, facts.declared_frames) == ("", 1)
    assert trajectory.times_T.tolist() == [0.0]
    assert trajectory.valid_T.tolist() == [True]


def test_an_empty_folder_says_that_it_cannot_be_opened(tmp_path: Path, landmarker: Path) -> None:
    facts, trajectory = detect(tmp_path, landmarker, FPS)
    assert facts.problem.startswith("cannot be opened")
    assert_equal(trajectory, EMPTY)

"""Real clips: faces are found where they are, and alike however the camera was held."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.landmarks.detect import detect
from facewave.landmarks.headpose import angles, separate
from facewave.video import Clip
from making import SETTINGS
from running import ROOT
from trajectories import assert_equal

Floats = NDArray[np.float64]


def test_faces_are_found_in_the_right_frames(real_clips: Path, landmarker: Path) -> None:
    for name, frames, face_frames in (
        ("single_face.mp4", 72, range(72, 73)),
        ("face_noface.mov", 169, range(65, 80)),  # a face in the first 43 %
        ("no_face.mp4", 95, range(1)),
        ("liveportrait_d18.mp4", 216, range(210, 217)),
    ):
        detection = detect(real_clips / name, landmarker, 25.0, SETTINGS)
        trajectory = detection.person("center").trajectory()
        assert not detection.facts.problem
        assert len(trajectory.times_T) == frames
        assert trajectory.valid_T.sum() in face_frames
        steps = np.diff(trajectory.times_T)
        assert steps.min() > 0
        assert trajectory.times_T[0] == 0
        uneven = name == "face_noface.mov"  # 24 and 30 frames a second by turns
        assert (steps.min() < 0.9 * np.median(steps)) == uneven


def test_a_real_face_is_nearly_the_same_turned_and_shrunk(
    real_clips: Path, landmarker: Path, tmp_path: Path
) -> None:
    clip = real_clips / "liveportrait_d0.mp4"
    source = Clip(clip, 25.0)
    for number, _, picture in source.frames():
        assert picture is not None
        side = picture.shape[0]
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), 15, 0.7)
        found = cv2.warpAffine(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), matrix, (side, side))
        assert cv2.imwrite(str(tmp_path / f"{number:03}.png"), found)
    raw: list[Floats] = []
    free: list[Floats] = []
    for path, roll in ((clip, -1), (tmp_path, 14)):
        seen = detect(path, landmarker, source.fps, SETTINGS).person("center").trajectory()
        assert seen.valid_T.all()
        assert angles(seen.pose_T44)[:, 2].mean() == pytest.approx(roll, abs=2)
        raw.append(seen.landmarks_TPC.astype(float))
        free.append(separate(seen.landmarks_TPC, seen.pose_T44, 1.0).pose_free_TPC)

    def change(one_TPC: Floats, other_TPC: Floats) -> float:
        """In parts of what a coordinate does over time, the median."""
        changed = np.sqrt(((other_TPC - one_TPC) ** 2).mean(axis=0))
        return float(np.median(changed / one_TPC.std(axis=0)))

    # 0.36 and 4.8 were measured. The landmarker itself sees a turned face a little differently.
    assert change(*free) < 0.5
    assert change(*raw) > 3


DEMO_CLIP = ROOT / "data/raw/demo/clips/1.mp4"


def write_frames(folder: Path, side: int, suffix: str) -> Path:
    """The demo clip's frames as numbered pictures."""
    folder.mkdir()
    for number, _, picture in Clip(DEMO_CLIP, 25.0).frames():
        assert picture is not None
        sized = cv2.resize(picture[..., ::-1], (side, side), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / f"{number}.{suffix}"), sized)
    return folder


def test_frames_as_pictures_and_shrunk(landmarker: Path, tmp_path: Path) -> None:
    video = detect(DEMO_CLIP, landmarker, 25.0, SETTINGS)
    whole = video.person("center").trajectory()
    pictures = detect(
        write_frames(tmp_path / "a", 224, "png"), landmarker, video.facts.fps, SETTINGS
    )
    assert pictures.facts == video.facts  # size, frame rate and number of frames
    same = pictures.person("center").trajectory()
    np.testing.assert_allclose(same.times_T, whole.times_T, atol=1e-9)
    assert_equal(replace(same, times_T=whole.times_T), whole)

    large = write_frames(tmp_path / "b", 896, "bmp")
    full, shrunk = (
        detect(large, landmarker, 25.0, replace(SETTINGS, max_side=side, fps=5.0))
        for side in ("source", 448)
    )
    assert full.facts == shrunk.facts  # the clip's size stays the clip's
    points, others = (seen.person("center").trajectory().landmarks_TPC for seen in (full, shrunk))
    distance = np.linalg.norm((points - others)[..., :2], axis=-1)
    assert 0 < distance.mean() < 0.015 * np.ptp(points[..., 1], axis=1).mean()

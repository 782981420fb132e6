"""MediaPipe finds the faces in the squares that are cut out for language models."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from facewave import params
from facewave.landmarks import schema
from facewave.landmarks.detect import detect
from facewave.landmarks.landmarker import Landmarker
from facewave.prompts.frames import Shown, show
from making import REPOSITORY, SETTINGS

OPTIONS = replace(
    params.load(REPOSITORY / "params.yaml").train.language, frames=4, picture="face", side=224
)
DEMO = REPOSITORY / "data/trajectories/demo"
CLIPS = REPOSITORY / "data/raw/demo"


def assert_face_within(landmarker: Path, shown: Shown) -> None:
    """MediaPipe finds the face in each square, with room about it."""
    for picture in shown.pictures:
        with Landmarker(landmarker.read_bytes(), 1) as looking:
            (face,) = looking.look(picture, 0)
        low, high = face.landmarks_PC[:, :2].min(axis=0), face.landmarks_PC[:, :2].max(axis=0)
        assert (low > 0.05).all()
        assert (high < 0.95).all()
        assert 0.4 < (high - low).max() < 0.75  # 1 / 1.6 of the largest


def test_faces_are_in_their_squares(real_clips: Path, landmarker: Path) -> None:
    row: Any = schema.read_index(DEMO).set_index("video_idx").loc["21"]
    trajectory = schema.read_row(DEMO, row)
    real = real_clips / "single_face.mp4"
    seen = detect(real, landmarker, 25, replace(SETTINGS, fps=2.0)).trajectory()
    for clip, start, duration, shown in (
        (CLIPS / row["file_path"], row["start"], row["duration"], trajectory),
        (CLIPS / row["file_path"], 0.5, 0.5, schema.between(trajectory, 0.5, 1.0)),
        (real, math.nan, schema.duration(seen.times_T), seen),
    ):
        assert_face_within(landmarker, show(clip, 25, start, duration, shown, OPTIONS, 0))

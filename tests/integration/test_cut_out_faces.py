"""MediaPipe finds the faces in the squares that are cut out for language models."""

import math
from dataclasses import replace
from pathlib import Path

from facewave import params
from facewave.landmarks import schema
from facewave.landmarks.detect import detect
from facewave.landmarks.landmarker import Landmarker
from facewave.prompts.frames import show
from making import REPOSITORY, SETTINGS

OPTIONS = replace(
    params.load(REPOSITORY / "params.yaml").train.language, frames=4, picture="face", side=224
)


def test_real_faces_are_in_their_squares(real_clips: Path, landmarker: Path) -> None:
    for name in ("single_face.mp4", "liveportrait_d19.mp4"):
        clip = real_clips / name
        seen = detect(clip, landmarker, 25, replace(SETTINGS, fps=2.0)).trajectory()
        duration = schema.duration(seen.times_T)
        shown = show(clip, 25, math.nan, duration, seen, OPTIONS, 0)
        part = schema.between(seen, 0.5, 1.0)
        shown.pictures.extend(show(clip, 25, 0.5, 0.5, part, OPTIONS, 0).pictures)
        for picture in shown.pictures:
            with Landmarker(landmarker.read_bytes(), 1) as one_picture:
                (face,) = one_picture.look(picture, 0)
            low, high = face.landmarks_PC[:, :2].min(axis=0), face.landmarks_PC[:, :2].max(axis=0)
            assert (low > 0.05).all()
            assert (high < 0.95).all()
            assert 0.4 < (high - low).max() < 0.75  # 1 / 1.6 of the largest

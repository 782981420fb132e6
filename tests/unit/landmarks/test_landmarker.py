"""Answers read from memory are those of MediaPipe's own objects, bit by bit."""

from pathlib import Path

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from facewave.landmarks.landmarker import Landmarker
from facewave.video import Clip
from running import ROOT

FRAMES = 12


def test_both_ways_of_reading_agree_bit_by_bit(landmarker: Path) -> None:
    model = landmarker.read_bytes()
    clip = Clip(ROOT / "data/raw/demo/clips/3.mp4", fps=25.0)
    pictures = [picture for _, _, picture in clip.frames() if picture is not None][:FRAMES]
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with vision.FaceLandmarker.create_from_options(options) as theirs, Landmarker(model, 1) as ours:
        for t, picture in enumerate(pictures):
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
            answer = theirs.detect_for_video(image, 40 * t)
            (face,) = ours.look(picture, 40 * t)
            points = [(p.x, p.y, p.z) for p in answer.face_landmarks[0]]
            scores = [shape.score for shape in answer.face_blendshapes[0]]
            np.testing.assert_array_equal(face.landmarks_PC, np.array(points, np.float32))
            np.testing.assert_array_equal(face.blendshapes_B, np.array(scores, np.float32))
            np.testing.assert_array_equal(face.pose_44, answer.facial_transformation_matrixes[0])
        assert ours.names == tuple(shape.category_name for shape in answer.face_blendshapes[0])
    assert face.landmarks_PC.shape == (478, 3)
    assert face.landmarks_PC.dtype == np.float32


def test_a_picture_without_a_face_has_none(landmarker: Path) -> None:
    with Landmarker(landmarker.read_bytes(), 1) as ours:
        assert ours.look(np.zeros((64, 48, 3), np.uint8), 0) == []
        assert ours.names == ()

"""The engine ``litert`` sees what ``mediapipe`` sees."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave.landmarks import engines
from facewave.landmarks.engines.engine import Face
from facewave.video import Clip
from running import ROOT

CLIPS = ROOT / "data/raw/demo/clips"
Picture = NDArray[np.uint8]


def pictures(name: str, count: int) -> list[Picture]:
    frames = Clip(CLIPS / name, fps=25.0).frames()
    return [picture for (_, _, picture), _ in zip(frames, range(count), strict=False) if
            picture is not None]  # fmt: skip


@pytest.fixture(scope="module")
def scenes() -> dict[str, list[Picture]]:
    """A face; one that goes, comes back turned, small and at an edge; two side by side."""
    face = pictures("1.mp4", 24)
    height, width = face[0].shape[:2]
    turn = cv2.getRotationMatrix2D((width * 0.35, height * 0.4), 35, 0.7)
    turned = [cv2.warpAffine(picture, turn, (width, height)) for picture in face[:8]]
    black = [np.zeros_like(face[0])] * 3
    wide = [cv2.copyMakeBorder(picture[:, width // 5 :], 0, 0, 0, width, cv2.BORDER_CONSTANT)
            for picture in face[:8]]  # fmt: skip
    beside = [np.hstack(pair) for pair in zip(face[:8], pictures("4.mp4", 8), strict=True)]
    return {
        "one": face,
        "gone and back": face[:6] + black + [picture.astype(np.uint8) for picture in turned],
        "at the edge": [picture.astype(np.uint8) for picture in wide],
        "two": beside,
    }


def apart(one: Face, other: Face, picture: Picture) -> list[float]:
    """Landmarks in shares of the face's width, degrees, and each blendshape: how far apart."""
    size = np.array(picture.shape[1::-1])
    points, others = (face.landmarks_PC[:, :2] * size for face in (one, other))
    distance = np.sqrt(((points - others) ** 2).sum(axis=1).mean()) / np.ptp(points[:, 0])
    turns = Rotation.from_matrix(np.stack([one.pose_44[:3, :3], other.pose_44[:3, :3]]))
    degrees = np.degrees((turns[0] * turns[1].inv()).magnitude())
    return [distance, degrees, *np.abs(one.blendshapes_B - other.blendshapes_B)]


@pytest.mark.parametrize(
    ("scene", "faces"), [("one", 1), ("gone and back", 1), ("at the edge", 1), ("two", 5)]
)
def test_it_sees_what_mediapipe_sees(
    scene: str, faces: int, scenes: dict[str, list[Picture]], landmarker: Path
) -> None:
    model = landmarker.read_bytes()
    measured = []
    with (
        engines.get("mediapipe").landmarker(model, faces) as theirs,
        engines.get("litert").landmarker(model, faces) as ours,
    ):
        for number, picture in enumerate(scenes[scene]):
            expected, answer = (one.look(picture, 40 * number) for one in (theirs, ours))
            assert len(answer) == len(expected), number
            measured += [apart(*pair, picture) for pair in zip(expected, answer, strict=True)]
            assert ours.names == theirs.names
    assert len(measured) >= 8
    landmarks, degrees, *shapes = np.array(measured).T
    assert landmarks.max() < 0.001
    assert degrees.max() < 0.2
    assert np.median(shapes) < 0.001
    assert np.quantile(shapes, 0.99) < 0.02


def test_what_other_clips_showed_changes_nothing(
    scenes: dict[str, list[Picture]], landmarker: Path
) -> None:
    answers = []
    for scene in ("one", "two", "one"):
        with engines.get("litert").landmarker(landmarker.read_bytes(), 1) as ours:
            seen = [ours.look(picture, 40 * t) for t, picture in enumerate(scenes[scene][:6])]
        answers.append(np.array([face.landmarks_PC for faces in seen for face in faces]))
    np.testing.assert_array_equal(answers[0], answers[2])
    assert not (answers[0] == answers[1]).all()


def test_a_second_face_is_noticed_by_both(
    scenes: dict[str, list[Picture]], landmarker: Path
) -> None:
    for name in ("mediapipe", "litert"):
        lookout = engines.get(name).lookout(landmarker.read_bytes())
        assert lookout.several(scenes["two"][0])
        assert not lookout.several(scenes["one"][0])
        assert not lookout.several(np.zeros((48, 64, 3), np.uint8))

"""The engine ``litert`` sees what ``mediapipe`` sees."""

from collections.abc import Iterable
from itertools import islice
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
    """A face; one that goes, comes back turned, small and at an edge; one at an edge."""
    face = pictures("1.mp4", 24)
    height, width = face[0].shape[:2]
    turn = cv2.getRotationMatrix2D((width * 0.35, height * 0.4), 35, 0.7)
    turned = [cv2.warpAffine(picture, turn, (width, height)) for picture in face[:8]]
    black = [np.zeros_like(face[0])] * 3
    wide = [cv2.copyMakeBorder(picture[:, width // 5 :], 0, 0, 0, width, cv2.BORDER_CONSTANT)
            for picture in face[:8]]  # fmt: skip
    return {
        "one": face,
        "gone and back": face[:6] + black + [picture.astype(np.uint8) for picture in turned],
        "at the edge": [picture.astype(np.uint8) for picture in wide],
    }


def apart(one: Face, other: Face, picture: Picture) -> list[float]:
    """Landmarks in shares of the face's width, degrees, and each blendshape: how far apart."""
    size = np.array(picture.shape[1::-1])
    points, others = (face.landmarks_PC[:, :2] * size for face in (one, other))
    distance = np.sqrt(((points - others) ** 2).sum(axis=1).mean()) / np.ptp(points[:, 0])
    turns = Rotation.from_matrix(np.stack([one.pose_44[:3, :3], other.pose_44[:3, :3]]))
    degrees = np.degrees((turns[0] * turns[1].inv()).magnitude())
    return [distance, degrees, *np.abs(one.blendshapes_B - other.blendshapes_B)]


def differences(clip: Iterable[tuple[int, Picture]], model: bytes) -> NDArray[np.float64]:
    """How far the engines are apart in each frame with a face, (F, 54); they see the same ones."""
    measured = []
    with (
        engines.landmarker("mediapipe", model, True) as theirs,
        engines.landmarker("litert", model, True) as ours,
    ):
        for milliseconds, picture in clip:
            expected, seen = (one.look(picture, milliseconds) for one in (theirs, ours))
            assert len(expected) == min(1, len(seen)), milliseconds
            assert ours.names == theirs.names
            nearest = [apart(expected[0].face, sighting.face, picture) for sighting in seen]
            measured += [min(nearest)] if nearest else []
    return np.array(measured).reshape(-1, 54)


def assert_equal(differences_FV: NDArray[np.float64]) -> None:
    landmarks, degrees, *shapes = differences_FV.T
    assert np.median(landmarks) < 0.001
    assert landmarks.max() < 0.005
    assert degrees.max() < 0.2
    assert np.median(shapes) < 0.001
    assert np.quantile(shapes, 0.99) < 0.02


@pytest.mark.parametrize(
    ("scene", "faces"), [("one", 24), ("gone and back", 14), ("at the edge", 8)]
)
def test_it_sees_what_mediapipe_sees(
    scene: str, faces: int, scenes: dict[str, list[Picture]], landmarker: Path
) -> None:
    clip = [(40 * number, picture) for number, picture in enumerate(scenes[scene])]
    measured = differences(clip, landmarker.read_bytes())
    assert len(measured) == faces
    assert_equal(measured)
    assert measured[:, 0].max() < 0.001


def test_it_sees_what_mediapipe_sees_in_real_clips(landmarker: Path, real_clips: Path) -> None:
    for name, faces in (
        ("single_face.mp4", 48), ("face_noface.mov", 48), ("no_face.mp4", 0),
        ("liveportrait_d0.mp4", 48), ("liveportrait_d18.mp4", 48),
        ("WolfgangLanger_Pexels.mp4", 48),
    ):  # fmt: skip
        frames = islice(Clip(real_clips / name, fps=25.0).frames(), 48)
        clip = [(round(1000 * time), picture) for _, time, picture in frames
                if picture is not None]  # fmt: skip
        measured = differences(clip, landmarker.read_bytes())
        assert len(measured) == faces, name
        if faces:
            assert_equal(measured)


def test_what_other_clips_showed_changes_nothing(
    scenes: dict[str, list[Picture]], landmarker: Path
) -> None:
    answers = []
    for scene in ("one", "at the edge", "one"):
        with engines.landmarker("litert", landmarker.read_bytes(), True) as ours:
            seen = [ours.look(picture, 40 * t) for t, picture in enumerate(scenes[scene][:6])]
        assert all(sighting.track == 0 for faces in seen for sighting in faces)
        answers.append(np.array([face.landmarks_PC for faces in seen for _, face, _ in faces]))
    np.testing.assert_array_equal(answers[0], answers[2])
    assert not (answers[0] == answers[1]).all()


def test_points_that_are_not_smoothed_are_as_they_come(
    scenes: dict[str, list[Picture]], landmarker: Path
) -> None:
    model = landmarker.read_bytes()
    with (
        engines.landmarker("litert", model, True) as smooth,
        engines.landmarker("litert", model, False) as raw,
    ):
        seen = [
            [one.look(picture, 40 * t)[0].face.landmarks_PC for one in (smooth, raw)]
            for t, picture in enumerate(scenes["one"])
        ]
    smooth_TPC, raw_TPC = np.moveaxis(np.array(seen), 1, 0)
    np.testing.assert_array_equal(smooth_TPC[0], raw_TPC[0])
    steps = [np.abs(np.diff(points, n=2, axis=0)).mean() for points in (smooth_TPC, raw_TPC)]
    assert steps[0] < 0.9 * steps[1]


def test_a_small_face_and_a_turned_one_are_seen_in_every_frame(
    scenes: dict[str, list[Picture]], landmarker: Path
) -> None:
    face = scenes["one"][:8]
    upright, small = [], []
    for picture in face:
        shrunk = cv2.resize(picture, (56, 56), interpolation=cv2.INTER_AREA)
        around = cv2.copyMakeBorder(shrunk, 500, 164, 900, 324, cv2.BORDER_REPLICATE)
        small.append(around.astype(np.uint8))
    model = landmarker.read_bytes()
    with engines.landmarker("mediapipe", model, True) as theirs:
        assert theirs.look(small[0], 0) == []
    for turns in range(5):
        clip = small if turns == 4 else [np.rot90(picture, turns).copy() for picture in face]
        with engines.landmarker("litert", model, True) as ours:
            seen = [ours.look(picture, 40 * t) for t, picture in enumerate(clip)]
        assert [track for faces in seen for track, *_ in faces] == [seen[0][0].track] * 8, turns
        points_PC = seen[-1][0].face.landmarks_PC[:, :2] * clip[-1].shape[1::-1]
        for _ in range(turns % 4):  # back to where they are in the upright picture
            points_PC = np.column_stack([face[0].shape[0] - points_PC[:, 1], points_PC[:, 0]])
        upright.append(points_PC)
    expected = [*[upright[0]] * 4, upright[0] / 4 + (900, 500)]
    width = np.ptp(upright[0][:, 0])
    for points_PC, where, side in zip(upright, expected, (1, 1, 1, 1, 0.25), strict=True):
        assert np.linalg.norm(points_PC - where, axis=1).mean() < 0.05 * side * width


def test_a_real_face_upside_down_is_not_taken_for_an_upright_one(
    landmarker: Path, real_clips: Path
) -> None:
    """MediaPipe takes it for one, as the detector does, whose box is half a face away."""
    frames = Clip(real_clips / "liveportrait_d18.mp4", fps=25.0).frames()
    picture = next(picture for _, _, picture in frames if picture is not None)
    seen = []
    for turned in (picture, np.rot90(picture, 2).copy()):
        with engines.landmarker("litert", landmarker.read_bytes(), True) as ours:
            *_, (last,) = (ours.look(turned, 40 * t) for t in range(3))
        seen.append(last.face.landmarks_PC)
    upright, reverse = seen
    width = np.ptp(upright[:, 0])
    assert np.linalg.norm(1 - reverse[:, :2] - upright[:, :2], axis=1).mean() < 0.02 * width

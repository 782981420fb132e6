"""Pose and expression separated, exactly, on synthetic heads."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave.landmarks.headpose import angles, from_openface, separate, to_openface
from facewave.landmarks.schema import POINTS

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
ASPECTS = st.floats(0.4, 2.5)
quick = settings(max_examples=25)
RIGHT, LEFT = (33, 133, 198, 127, 234, 109, 67, 54), (263, 362, 420, 356, 454, 338, 297, 284)
UPWARDS = (4, 195, 197, 6, 168, 10)  # the middle of a face, from the nose's tip to the forehead
RIGID = [*RIGHT, *LEFT, *UPWARDS]
RIM, BRIDGE = [10, 109, 338, 67, 297], [6, 197, 195]


class Made(NamedTuple):
    """What the landmarker would give of a made face that is moved."""

    landmarks_TPC: Any  # in double precision, so that rounding hides nothing
    pose_T44: NDArray[np.float32]
    aspect: float


def face(rng: np.random.Generator, n_frames: int) -> Floats:
    """A symmetric head from the front whose other points move as they like."""
    shape = rng.normal(0, 0.5, (POINTS, 3))
    for number, (right, left) in enumerate(zip(RIGHT, LEFT, strict=True)):
        x, y, z = 0.5 + 0.1 * number, 0.1 * number, rng.normal(0, 0.3)
        shape[right], shape[left] = (-x, y, z), (x, y, z)
    for number, point in enumerate(UPWARDS):
        shape[point] = (0, 0.2 * number - 0.5, rng.normal(0, 0.3))
    expression = rng.normal(0, 0.1, (n_frames, POINTS, 3))
    expression[:, RIGID] = 0
    return np.asarray(shape + expression)


def moved(
    face_TPC: Floats, rng: np.random.Generator, aspect: float, turns: Rotation | None = None
) -> Made:
    """The face turned, shifted and scaled, each frame otherwise, as the landmarker gives it."""
    count = len(face_TPC)
    turns = turns or Rotation.random(count, rng)
    scale, shift = rng.uniform(0.05, 0.4, count), rng.normal(0, 0.5, (count, 3))
    found = np.einsum("tij,tpj->tpi", turns.as_matrix(), face_TPC)
    found = scale[:, None, None] * found + shift[:, None]
    pose = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    pose[:, :3, :3] = turns.as_matrix()
    pose[:, :3, 3] = rng.normal(0, 10, (count, 3))
    return Made(found * (1, -aspect, -1), pose, aspect)


@quick
@given(SEEDS, ASPECTS)
def test_what_is_left_is_the_made_face_upright_and_from_the_front(seed: int, aspect: float) -> None:
    rng = np.random.default_rng(seed)
    made = face(rng, 5)
    found = separate(*moved(made, rng, aspect)).pose_free_TPC
    again = separate(*moved(made, rng, 1.5 * aspect)).pose_free_TPC  # however the head moves
    np.testing.assert_allclose(again, found, atol=1e-5)
    centred = made - made[:, RIGID].mean(axis=1, keepdims=True)
    centred /= np.sqrt((centred[:, RIGID] ** 2).sum(axis=2).mean())
    # All but how far it looks up, of which a made head knows nothing.
    np.testing.assert_allclose(found[..., 0], centred[..., 0], atol=1e-5)
    actual, expected = (np.hypot(points[..., 1], points[..., 2]) for points in (found, centred))
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    up = found[:, RIM].mean(axis=1) - found[:, BRIDGE].mean(axis=1)
    back = np.degrees(np.arctan2(-up[:, 2], up[:, 1]))
    np.testing.assert_allclose(back, 17, atol=1e-3)  # as foreheads lean


@quick
@given(SEEDS, ASPECTS)
def test_mistakes_of_the_landmarkers_pose_change_nothing(seed: int, aspect: float) -> None:
    rng = np.random.default_rng(seed)
    clip = moved(face(rng, 6), rng, aspect)
    wrong = clip.pose_T44.copy()
    always, now = Rotation.random(None, rng), Rotation.from_rotvec(rng.normal(0, 0.1, (6, 3)))
    wrong[:, :3, :3] = (Rotation.from_matrix(wrong[:, :3, :3]) * now * always).as_matrix()
    found = separate(clip.landmarks_TPC, wrong, aspect)
    np.testing.assert_allclose(found.pose_free_TPC, separate(*clip).pose_free_TPC, atol=1e-5)


def test_the_landmarkers_pose_tells_apart_what_has_no_mean() -> None:
    """Four ways to hold a head that cancel each other out; its rigid points are so nearly."""
    rng = np.random.default_rng(0)
    made = face(rng, 4)
    made += rng.normal(0, 0.02, made.shape)
    halves = Rotation.from_rotvec(np.pi * np.array([(0, 0, 0), *np.eye(3)]))
    found = separate(*moved(made, rng, 1.0, halves))
    upright = separate(*moved(made, rng, 1.0, Rotation.from_rotvec(np.zeros((4, 3)))))
    np.testing.assert_allclose(found.pose_free_TPC, upright.pose_free_TPC, atol=1e-5)


@quick
@given(SEEDS, st.integers(1, 12), ASPECTS)
def test_the_parts_give_the_landmarks_again(seed: int, n_frames: int, aspect: float) -> None:
    """Also where the stable points move: in noise."""
    rng = np.random.default_rng(seed)
    clip = moved(rng.normal(0, 0.5, (n_frames, POINTS, 3)), rng, aspect)
    head = separate(*clip)
    turned = np.einsum("tij,tpj->tpi", head.rotation_T33, head.pose_free_TPC)
    parts = head.translation_T3[:, None] + head.scale_T[:, None, None] * turned
    np.testing.assert_allclose(parts, clip.landmarks_TPC / (1, -aspect, -1), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(head.rotation_T33), 1)
    squares = head.rotation_T33 @ head.rotation_T33.transpose(0, 2, 1)
    np.testing.assert_allclose(squares, [np.eye(3)] * n_frames, atol=1e-12)
    stable = head.pose_free_TPC[:, RIGID]
    np.testing.assert_allclose(stable.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((stable**2).sum(axis=2).mean(axis=1), 1)
    assert (head.scale_T > 0).all()


@quick
@given(SEEDS, st.floats(0.1, 0.9))
def test_frames_without_a_face_stay_so_and_change_no_other(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    clip = moved(face(rng, 10), rng, 1.5)
    gone = rng.random(10) < share
    gone[rng.integers(10)] = False
    landmarks, pose = clip.landmarks_TPC.copy(), clip.pose_T44.copy()
    landmarks[gone & (np.arange(10) % 3 < 2), 7] = np.nan
    pose[gone & (np.arange(10) % 3 > 0)] = np.nan
    found = separate(landmarks, pose, clip.aspect)
    alone = separate(landmarks[~gone], pose[~gone], clip.aspect)
    for name, values in vars(found).items():
        assert np.isnan(values[gone]).all()
        np.testing.assert_array_equal(values[~gone], vars(alone)[name])
    assert np.isfinite(alone.pose_free_TPC).all()
    for n_frames in (0, 3):  # no face at all
        head = separate(landmarks[:n_frames] * np.nan, pose[:n_frames] * np.nan, 1.0)
        assert [values.shape for values in vars(head).values()] == [
            (n_frames, POINTS, 3), (n_frames, 3, 3), (n_frames, 3), (n_frames,)
        ]  # fmt: skip
        assert all(np.isnan(values).all() for values in vars(head).values())
        assert np.isnan(angles(pose[:n_frames] * np.nan)).all()
        assert angles(pose[:n_frames] * np.nan).shape == (n_frames, 3)


def test_angles_of_known_heads() -> None:
    half, rest = 0.5, 0.75**0.5
    for nose, top, expected in (
        ((0, 0, 1), (0, 1, 0), (0, 0, 0)),
        ((half, 0, rest), (0, 1, 0), (30, 0, 0)),  # the nose to the picture's right
        ((0, half, rest), (0, rest, -half), (0, 30, 0)),  # the nose up
        ((0, 0, 1), (-half, rest, 0), (0, 0, 30)),  # the top to the picture's left
    ):
        pose = np.full((3, 4, 4), np.nan, np.float32)
        pose[0], pose[1] = np.diag((1, 1, -1, 1)), np.eye(4)  # a mirror image is no rotation
        pose[1, :3, 0], pose[1, :3, 1], pose[1, :3, 2] = np.cross(top, nose), top, nose
        assert np.isnan(angles(pose)[[0, 2]]).all()
        np.testing.assert_allclose(angles(pose)[1], expected, atol=1e-4)
    turns = [Rotation.from_euler(axis, 25, degrees=True) for axis in "yxz"]
    pose[1, :3, :3] = (turns[0] * turns[1].inv() * turns[2]).as_matrix()  # one after the other
    np.testing.assert_allclose(angles(pose)[1], 25, atol=1e-4)


def test_openface_s_pose_goes_there_and_back() -> None:
    """A face 50 cm away, to the right and below, that turns about each axis; one frame without."""
    pose_T6 = np.array([[100, 50, 500, *turn] for turn in 0.3 * np.eye(3)] + [[np.nan] * 6])
    pose_T44 = from_openface(pose_T6)
    np.testing.assert_allclose(pose_T44[:3, :3, 3], [[10, -5, -50]] * 3)
    np.testing.assert_allclose(
        angles(pose_T44)[:3], np.degrees([[0, -0.3, 0], [-0.3, 0, 0], [0, 0, -0.3]]), atol=1e-4
    )
    np.testing.assert_allclose(to_openface(pose_T44), pose_T6, atol=1e-5)

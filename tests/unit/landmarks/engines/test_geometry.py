"""The facial transformation: known ones are found again."""

import math
import struct

import numpy as np
from scipy.spatial.transform import Rotation

from facewave.landmarks.engines import geometry

RNG = np.random.default_rng(0)
POINTS = RNG.normal(0, 5, (468, 3))
WEIGHTS = np.where(np.arange(468) % 9, 0, RNG.uniform(0.1, 1, 468))
TURN = Rotation.from_euler("yxz", [25, -10, 15], degrees=True).as_matrix()


def test_a_known_similarity_is_found_by_the_points_that_weigh() -> None:
    target = 1.7 * POINTS @ TURN.T + (1, -2, -40)
    target[WEIGHTS == 0] = 0
    found = geometry.similarity(POINTS, target, WEIGHTS)
    np.testing.assert_allclose(found[:3, :3], 1.7 * TURN, atol=1e-9)
    np.testing.assert_allclose(found[:, 3], [1, -2, -40, 1], atol=1e-9)
    mirrored = geometry.similarity(POINTS, POINTS * (-1, 1, 1), WEIGHTS)
    assert np.linalg.det(mirrored[:3, :3]) > 0  # never a mirror image


def test_the_pose_of_a_face_seen_by_the_camera() -> None:
    face = geometry.Canonical(POINTS, WEIGHTS)
    width, height, shift = 640, 360, np.array([6.0, -3.0, -60.0])
    seen = POINTS @ TURN.T + shift
    tall = 2 * math.tan(math.radians(31.5))
    flat = seen[:, :2] / -seen[:, 2:]  # at the near plane
    x, y = flat[:, 0] / (tall * width / height) + 0.5, 0.5 - flat[:, 1] / tall
    # Depths as the landmarker gives them: relative, in the scale of x where the face is.
    z = -(seen[:, 2] - shift[2]) / -shift[2] / (tall * width / height)
    points = np.column_stack([x, y, z])
    landmarks = np.vstack([points, np.repeat(points.mean(axis=0)[None], 10, axis=0)])
    pose = geometry.pose(landmarks.astype(np.float32), width, height, face)
    assert pose is not None
    assert pose.dtype == np.float32
    turned = Rotation.from_matrix(pose[:3, :3]) * Rotation.from_matrix(TURN).inv()
    assert np.degrees(turned.magnitude()) < 0.5
    np.testing.assert_allclose(pose[:3, 3], shift, atol=1)
    point = np.full((478, 3), 0.5, np.float32)
    assert geometry.pose(point, width, height, face) is None


def test_the_standard_face_is_read_from_a_protocol_buffer() -> None:
    numbers = np.arange(300 * 5, dtype=np.float32)
    mesh = b"\x08\x00" + b"".join(b"\x1d" + struct.pack("<f", number) for number in numbers)
    mesh += b"\x20\xac\x02"  # an index of a triangle, 300
    size = len(mesh)
    content = b"\x18\x01\x0a" + bytes([size & 127 | 128, size >> 7]) + mesh
    content += b"\x12\x08\x08\x85\x02\x15" + struct.pack("<f", 0.25)  # point 261 weighs 0.25
    face = geometry.read(content)
    np.testing.assert_array_equal(face.points_PC, numbers.reshape(-1, 5)[:, :3])
    assert (face.weights_P.sum(), face.weights_P[261]) == (0.25, 0.25)

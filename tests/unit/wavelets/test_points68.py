"""The 68 points as a shape, and as a subset of the mesh."""

import numpy as np
from scipy.spatial.transform import Rotation

from facewave.wavelets import points68, schema
from facewave.wavelets.features import channels
from facewave.wavelets.points68 import MESH, PARTNERS, POINTS, of_mesh, shape
from making import trajectory
from tool_tables import face68


def test_the_points_have_their_mirror_images() -> None:
    np.testing.assert_array_equal(PARTNERS[PARTNERS], np.arange(68))
    assert (np.arange(68) == PARTNERS).sum() == 10
    assert len(POINTS) == 39
    assert len(set(MESH)) == 68
    mirrored = schema._PARTNERS[MESH]  # in the mesh they are as they are among the 68
    np.testing.assert_array_equal(mirrored, MESH[PARTNERS])
    # In the drawn face, a point and its mirror image are on two sides of the middle.
    face = shape(face68()[None])[0]
    np.testing.assert_allclose(face[:, 0], -face[PARTNERS, 0], atol=0.1)
    np.testing.assert_allclose(face[:, 1], face[PARTNERS, 1], atol=0.1)
    assert face[8, 1] < face[33, 1] < face[27, 1]  # chin, nose, bridge: y is up


def test_a_shape_has_no_position_size_or_roll() -> None:
    face = face68()
    turn = Rotation.from_euler("z", 25, degrees=True).as_matrix()[:2, :2]
    moved = np.stack([face, 3 * face + 50, face @ turn.T, np.full_like(face, np.nan)])
    shapes = shape(moved)
    np.testing.assert_allclose(shapes[1:3], shapes[[0, 0]], atol=1e-12)
    np.testing.assert_allclose(shapes[:3].mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((shapes[:3] ** 2).sum(axis=2).mean(axis=1), 1)
    np.testing.assert_allclose(shapes[:3, 36, 1], shapes[:3, 45, 1], atol=1e-12)
    assert np.isnan(shapes[3]).all()


def test_the_mesh_gives_the_same_shape_whatever_the_picture_s_form() -> None:
    pixels = face68() + 1.0
    for width, height in ((640, 480), (480, 640)):
        mesh = np.zeros((1, 478, 3))
        mesh[0, MESH, :2] = pixels / (width, height)
        np.testing.assert_allclose(shape(of_mesh(mesh, width / height)), shape(pixels[None]))


def test_merged_sides_are_the_mean_of_a_face_and_its_mirror_image() -> None:
    clip = trajectory(9, seed=3, gaps=(2,))
    picture = type("Picture", (), {"width": 64, "height": 48})
    values = channels(clip, picture, ["points68"])["points68"].reshape(-1, 68, 2)
    merged = schema.merge("points68", values, clip.names)
    mirror_image = values[:, points68.PARTNERS] * (-1, 1)
    np.testing.assert_allclose(merged, (values + mirror_image)[:, points68.POINTS] / 2)
    config = {"sides": "apart", "transform": "mean", "blendshapes": []}
    numbers = values[None].astype(np.float32)
    twice = schema.mirrored("points68", schema.mirrored("points68", numbers, config), config)
    np.testing.assert_array_equal(twice, numbers)

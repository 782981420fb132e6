"""Regions on a real face of the demo, and what of the mesh is drawn, looked at as a picture."""

from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facewave.study import face_map
from facewave.study.face_map import REGIONS, region_of_blendshape, region_of_points
from facewave.wavelets import schema
from making import NAMES

Array = NDArray[Any]


CONTOURS = {
    "FACE_OVAL": face_map.OUTLINE,
    "LEFT_EYE": face_map.LEFT_EYE,
    "RIGHT_EYE": face_map.RIGHT_EYE,
    "LEFT_IRIS": face_map.LEFT_IRIS[1:],
    "RIGHT_IRIS": face_map.RIGHT_IRIS[1:],
    "LEFT_EYEBROW": face_map.LEFT_BROW,
    "RIGHT_EYEBROW": face_map.RIGHT_BROW,
    "LIPS": (*face_map.OUTER_LIPS, *face_map.INNER_LIPS),
    "NOSE": (*face_map.BRIDGE, *face_map.NOSTRILS),
}


def test_contours_are_mediapipes() -> None:
    from mediapipe.tasks.python.vision import face_landmarker  # takes seconds to load

    for name, points in CONTOURS.items():
        listed = getattr(face_landmarker.FaceLandmarksConnections, f"FACE_LANDMARKS_{name}")
        edges = {frozenset((edge.start, edge.end)) for edge in listed}
        assert set().union(*edges) == set(points)
        if name in ("FACE_OVAL", "LEFT_EYE", "RIGHT_EYE"):
            loop = zip(points, (*points[1:], points[0]), strict=True)
            assert {frozenset(pair) for pair in loop} == edges


def test_the_mean_face_is_whole_again_where_sides_are_merged(face: Array) -> None:
    merged = schema.merge("pose_free", face, NAMES)
    blocks = {"pose_free": np.stack([merged, 0 * merged])[None].astype(np.float32)}
    clips = pd.DataFrame({"usable": [True]})
    nothing = np.empty((0, 2), np.float32)  # of energy, whose first number is the mean
    features = schema.Features(nothing, blocks, clips, {"sides": "merged"})  # type: ignore[arg-type]
    found = face_map.mean_face(features, np.array([0]))
    assert found.shape == (478, 3)
    np.testing.assert_allclose(found, face, atol=0.1)
    np.testing.assert_allclose(found[list(schema.MIDDLE), 0], 0, atol=1e-6)


def test_every_blendshape_has_its_region() -> None:
    found = {name: region_of_blendshape(name) for name in NAMES}
    assert {name for name, region in found.items() if region not in REGIONS} == {"_neutral"}
    assert found["_neutral"] == ""
    assert set(found.values()) == {"", *REGIONS}
    expected = {
        "browInnerUp": "brows",
        "eyeSquintLeft": "eyes",
        "noseSneerRight": "nose",
        "cheekPuff": "cheeks",
        "jawOpen": "jaw",
        "mouthShrugLower": "mouth",
    }
    assert {name: found[name] for name in expected} == expected
    for name in schema.channels_of(NAMES, "merged"):
        assert region_of_blendshape(name) in ("", *REGIONS)
    with pytest.raises(ValueError, match="'tongueOut' is not a blendshape"):
        region_of_blendshape("tongueOut")


def test_contours_lie_in_their_regions(face: Array) -> None:
    found = region_of_points(face)
    for region, contours in {
        "eyes": (face_map.LEFT_EYE, face_map.RIGHT_EYE, face_map.LEFT_IRIS, face_map.RIGHT_IRIS),
        "brows": (face_map.LEFT_BROW, face_map.RIGHT_BROW, (151, 10, 103, 332)),  # and the forehead
        "mouth": (face_map.OUTER_LIPS, face_map.INNER_LIPS),
        "nose": (face_map.BRIDGE, face_map.NOSTRILS),
        "cheeks": ((50, 280, 234, 454, 36, 266),),
        "jaw": ((152, 175, 199, 172, 397),),
    }.items():
        for contour in contours:
            assert set(found[list(contour)]) == {region}


def test_regions_are_as_large_as_one_would_think_and_alike_on_both_sides(face: Array) -> None:
    found = region_of_points(face)
    assert found.shape == (478,)
    sizes = {region: int((found == region).sum()) for region in REGIONS}
    assert sum(sizes.values()) == 478
    assert min(sizes.values()) > 30
    for region in REGIONS:
        x = face[found == region, 0] - face[168, 0]
        assert abs(int((x > 0.06).sum()) - int((x < -0.06).sum())) <= 3
    # From the top down.
    heights = [face[found == region, 1].mean() for region in REGIONS if region != "cheeks"]
    assert heights == sorted(heights, reverse=True)


def drawn(face: Array, values: Array) -> tuple[Array, Any]:
    """The mesh as a picture, (H, W, 3), and from a point of the face to its colour there."""
    figure = Figure((6, 6), dpi=100)
    axes = figure.add_subplot()
    face_map.draw_mesh(axes, face, values, "fall")
    figure.savefig(raw := BytesIO(), format="rgba")
    picture = np.frombuffer(raw.getvalue(), np.uint8).reshape(600, 600, 4)[:, :, :3].astype(int)

    def colour(x: float, y: float) -> Array:
        column, row = axes.transData.transform((x, y))
        around = picture[int(600 - row) - 3 : int(600 - row) + 3, int(column) - 3 : int(column) + 3]
        return np.median(around.reshape(-1, 3), axis=0)

    assert [each.get_ylabel() for each in figure.axes if each is not axes] == ["fall"]
    return picture, colour


def middle(face: Array, *points: int) -> Array:
    return face[list(points), :2].mean(0)


def test_the_picture_has_each_regions_colour(face: Array) -> None:
    found = region_of_points(face)
    values = np.select(
        [found == "mouth", found == "brows", found == "jaw"], [8.0, 0.0, np.nan], default=-1.0
    )
    _, colour = drawn(face, values)
    red = colour(*middle(face, 17, 18))  # below the lip
    assert red[0] > 100
    assert red[1:].max() < 60
    forehead = colour(*middle(face, 151, 9, 108, 337))
    assert forehead[0] > 250
    assert 200 < forehead[1] > forehead[2] + 20  # pale yellow
    np.testing.assert_allclose(colour(*middle(face, 50, 205, 101)), forehead)  # below 0 is as 0
    chin = colour(*middle(face, 199, 175))
    np.testing.assert_allclose(chin, 0xD9, atol=8)
    assert (colour(*middle(face, *face_map.LEFT_IRIS)) < 80).all()
    assert (colour(*middle(face, *face_map.INNER_LIPS)) < 80).all()


def test_left_and_right_up_and_down_are_as_in_a_picture(face: Array) -> None:
    values = np.zeros(478)
    values[face[:, 0] > 0.1] = 1.0
    _, colour = drawn(face, values)
    assert colour(*middle(face, 280, 425))[1] < 60
    assert colour(*middle(face, 50, 205))[1] > 200
    picture, _ = drawn(face, values)
    reddish = (picture[:, :, 0] > 100) & (picture[:, :, 1] < 40)
    assert reddish[:, 330:].sum() > 20 * reddish[:, 150:330].sum()  # the bar is left of these


def test_nothing_is_drawn_outside_the_outline_nor_over_the_irises(face: Array) -> None:
    triangles = face_map._triangles(face[:, :2])
    assert len(triangles) > 700
    assert triangles.max() < 468
    corners = face[triangles][:, :, :2]
    one, other = (corners[:, i] - corners[:, 0] for i in (1, 2))
    areas = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() / 2
    outline = face[list(face_map.OUTLINE), :2]
    x, y = outline.T
    area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    assert areas == pytest.approx(area, rel=0.03)


def test_a_face_without_any_importance_is_drawn_pale(face: Array) -> None:
    for value in (0.0, -1.0, np.nan):
        picture, colour = drawn(face, np.full(478, value))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
        pale = colour(*middle(face, 50, 205, 101))
        assert np.isnan(value) or pale[1] > max(240, pale[2] + 20)

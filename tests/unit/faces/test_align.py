"""Where a face is, and the squares that are cut out: known positions, sizes and turns."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.faces import align
from facewave.landmarks import schema as landmarks
from making import DEMO

SIZE = np.array([400.0, 300.0])


def face() -> NDArray[np.float64]:
    """The points of a demo clip's first face, (478, 2), in pixels of a picture of 400 x 300."""
    return landmarks.read_clip(DEMO, 0, 1).landmarks_TPC[0, :, :2] * SIZE


def turned(points: NDArray[np.float64], degrees: float, scale: float = 1.0) -> NDArray[np.float64]:
    """Points turned clockwise in the picture, enlarged, and shifted."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return scale * points @ turn.T + [30, -20]


def test_the_box_s_square_is_as_long_as_its_longer_side_and_higher() -> None:
    points = np.array([[[10, 100], [50, 20], [30, 60]]], np.float32)
    assert align.squares(points, "box").tolist() == [[30, 56, 80, 0]]
    assert np.isnan(align.squares(np.full((2, 5, 2), np.nan), "box")).all()


def test_the_points_square_follows_the_head_and_nothing_else() -> None:
    points = face()
    (before,) = align.squares(points[None], "points")
    assert before[3] == pytest.approx(0, abs=5)
    for degrees, scale in ((30, 1.0), (-50, 0.5), (120, 2.0)):
        (after,) = align.squares(turned(points, degrees, scale)[None], "points")
        middle = turned(before[None, :2].astype(float), degrees, scale)[0]
        assert after[:2] == pytest.approx(middle, abs=0.01)
        assert after[2] == pytest.approx(scale * before[2], rel=1e-5)
        assert (after[3] - before[3] - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1e-3)
    open_mouth = points.copy()
    open_mouth[152] += [0, 40]  # the chin
    assert align.squares(open_mouth[None], "points")[0].tolist() == before.tolist()
    (box,) = align.squares(points[None], "box")
    assert before[:3] == pytest.approx(box[:3], rel=0.25)
    assert np.isnan(align.squares(np.full((1, 478, 2), np.nan), "points")).all()


def test_a_square_is_cut_out_pixel_by_pixel_with_its_margin() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (60, 80, 3), np.uint8)
    square = np.array([40.0, 30.0, 16.0, 0.0])
    np.testing.assert_array_equal(align.cut(picture, square, 0, 16), picture[22:38, 32:48])
    np.testing.assert_array_equal(align.cut(picture, square, 0.25, 24), picture[18:42, 28:52])
    halved = cv2.resize(picture[22:38, 32:48], (8, 8), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(align.cut(picture, square, 0, 8), halved)
    corner = align.cut(picture, np.array([0.0, 0.0, 8.0, 0.0]), 0, 8)
    assert (corner[:4, :4] == picture[0, 0]).all()  # the edges are repeated
    np.testing.assert_array_equal(corner[4:, 4:], picture[:4, :4])


def test_a_turned_face_comes_out_upright() -> None:
    points, picture = turned(face(), 25), np.zeros((300, 400, 3), np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x), round(y)), 2, (255, 255, 255), -1)
    (square,) = align.squares(points[None], "points")
    upright = align.cut(picture, square, 0.3, 200)
    eyes = [turned(points, 0)[at] - [30, -20] for at in (33, 263)]
    angle = math.radians(float(square[3]))
    back = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    zoom = 200 / (1.6 * square[2])
    for eye in eyes:
        x, y = (100 + zoom * back @ (eye - square[:2])).round().astype(int)
        assert upright[y - 3 : y + 4, x - 3 : x + 4].max() > 100
    assert back[1] @ (eyes[1] - eyes[0]) == pytest.approx(0, abs=6)  # level


def test_the_middle_of_squares_is_what_a_narrower_margin_would_have_cut_out() -> None:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (24, 32, 3), np.uint8)
    picture = cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC)
    square = np.array([160.0, 120.0, 100.0, 0.0])
    wide = align.cut(picture, square, 0.3, 160)
    narrow = align.middle([wide, wide], 0.3, 0.0, 50)
    assert narrow.shape == (2, 50, 50, 3)
    expected = align.cut(picture, square, 0.0, 50).astype(int)
    assert np.abs(narrow[0] - expected).mean() < 2
    np.testing.assert_array_equal(align.middle([wide], 0.3, 0.3, 160)[0], wide)


def test_brightness_is_that_of_the_face() -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[22:38, 32:48] = 102
    assert align.brightness(picture, np.array([40.0, 30.0, 16.0, 0.0])) == pytest.approx(0.4)

"""Regions: from boxes and points, cut out and mapped back."""

import math

import cv2
import numpy as np
import pytest

from facewave.landmarks.engines import regions
from facewave.landmarks.engines.regions import Region


def test_a_region_encloses_a_face_and_turns_with_its_eyes() -> None:
    points = np.zeros((478, 3), np.float32)
    points[:, 0], points[:, 1] = 100, 50
    points[7, :2], points[8, :2] = (80, 40), (120, 120)
    points[33, :2], points[263, :2] = (90, 60), (110, 80)
    assert regions.of_landmarks(points) == Region(100, 80, 120, 120, math.pi / 4)
    box = np.array([10, 20, 50, 40], np.float32)
    eyes = np.array([[30, 40], [30, 20], *[[0, 0]] * 4], np.float32)
    assert regions.of_detection(box, eyes) == Region(30, 30, 60, 30, -math.pi / 2)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_what_is_cut_out_is_mapped_back_to_where_it_was(angle: float) -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    cv2.circle(picture, (170, 90), 6, (255, 255, 255), -1)
    region = Region(160, 100, 120, 120, angle)
    y, x = np.nonzero(region.cut(picture, 64, cv2.BORDER_REPLICATE)[..., 0] > 127)
    point = np.array([[x.mean(), y.mean(), 16]], np.float32)
    np.testing.assert_allclose(region.project(point, 64, 1.0), [[170, 90, 30]], atol=0.4)
    corners = np.array([[0, 0, 0], [64, 64, 0]], np.float32)
    turn = complex(math.cos(angle), math.sin(angle)) * complex(60, 60)
    expected = [[160 - turn.real, 100 - turn.imag, 0], [160 + turn.real, 100 + turn.imag, 0]]
    np.testing.assert_allclose(region.project(corners, 64, 1.0), expected, atol=1e-4)
    depth = region.project(point, 64, 1.5)[0, 2]  # in a picture that is no square
    assert depth == pytest.approx(30 * math.hypot(math.cos(angle), 1.5 * math.sin(angle)))


def test_outside_a_picture_is_its_edge_or_black() -> None:
    picture = np.full((40, 60, 3), 200, np.uint8)
    region = regions.whole(60, 40)
    assert region == Region(30, 20, 60, 60)
    assert (region.cut(picture, 60, cv2.BORDER_REPLICATE) == 200).all()
    rows = region.cut(picture, 60, cv2.BORDER_CONSTANT)[:, 30, 0]
    assert (rows[:9] == 0).all()
    assert (rows[10:50] == 200).all()
    assert (rows[51:] == 0).all()


def test_of_two_regions_of_one_face_the_later_stays() -> None:
    tracked = [Region(50, 50, 40, 40), Region(200, 50, 40, 40)]
    near, far = Region(55, 50, 40, 40, 1.0), Region(70, 50, 40, 40)
    assert regions.overlap(tracked[0], near) == pytest.approx(35 / 45)
    assert regions.overlap(tracked[0], tracked[1]) == 0
    assert regions.associate(tracked, [near], 0.5) == [tracked[1], near]
    assert regions.associate(tracked, [far], 0.5) == [*tracked, far]
    assert regions.associate([], [near, near], 0.5) == [near]

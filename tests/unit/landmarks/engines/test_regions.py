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


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (300, 300), (1920, 1080), (37, 500)])
def test_views_show_all_of_a_picture_and_any_small_face_whole(size: tuple[int, int]) -> None:
    whole, turned, *tiles = regions.views(*size)
    assert whole == [regions.whole(*size)]
    assert turned == [regions.whole(*size, k * math.pi / 2) for k in (1, 2, 3)]
    for parts, level in zip((1, 2, 4), tiles, strict=True):
        side = min(size) / parts
        assert {(view.width, view.height, view.angle) for view in level} == {(side, side, 0.0)}
        assert len(set(level)) == len(level)
        # A face of a third of the side lies in one view at least, wherever it is.
        corners = np.array([(view.x - side / 2, view.y - side / 2) for view in level])
        assert (corners >= -1e-9).all()
        assert (corners + side <= np.array(size) + 1e-9).all()
        face = side / 3
        xs, ys = (np.linspace(0, length - face, 40) for length in size)
        for low in np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2):
            inside = (corners <= low + 1e-6) & (low + face <= corners + side + 1e-6)
            assert inside.all(axis=1).any(), (parts, low)


def test_a_region_of_a_view_is_where_it_shows_it_in_the_picture() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(picture, (500, 100), 12, (255, 255, 255), -1)
    for view in (region for level in regions.views(640, 480) for region in level):
        shown = view.cut(picture, 256, cv2.BORDER_CONSTANT)[..., 0] > 127
        if shown.any():
            y, x = np.nonzero(shown)
            spot = Region((x.mean() + 0.5) / 256, (y.mean() + 0.5) / 256, 0.1, 0.2, 0.3)
            region = spot.within(view)
            if 0.1 < spot.x < 0.9 and 0.1 < spot.y < 0.9:  # all of it is shown
                assert (region.x, region.y) == pytest.approx((500, 100), abs=3)
            assert (region.width, region.height) == (0.1 * view.width, 0.2 * view.width)
            assert region.angle == view.angle + 0.3


def test_regions_of_one_face_are_nearer_than_two_faces_can_be() -> None:
    face = Region(100, 100, 150, 150)  # 100 pixels wide: the rest is margin
    for x, width, same in ((139, 150, True), (141, 150, False), (119, 75, True), (121, 75, False)):
        other = Region(x, 100, width, 300, 1.0)
        assert regions.same(face, other) == regions.same(other, face) == same, x
    assert not regions.same(face, Region(130, 130, 150, 150))  # 42 pixels away

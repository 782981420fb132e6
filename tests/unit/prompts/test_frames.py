"""Frames shown of a clip: when they are, which they are, and that the face is in them."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facewave import params
from facewave.errors import UserError
from facewave.landmarks import schema
from facewave.prompts.frames import Picture, Shown, draw_seed, grid, moments, show
from making import REPOSITORY, write_video

LANGUAGE = replace(
    params.load(REPOSITORY / "params.yaml").train.language,
    frames=4,
    sampling="uniform",
    picture="face",
    side=64,
)
WHOLE = replace(LANGUAGE, picture="whole")
LEFT, RIGHT = (0.1, 0.4, 0.2, 0.6), (0.8, 0.4, 0.9, 0.6)  # faces: left, top, right, bottom
FPS = 10.0
GREY, FACE = 100, 200

Sampling = Literal["uniform", "random", "middle"]
Box = tuple[float, float, float, float]  # left, top, right, bottom in picture widths and heights

NAN = math.nan


def write(folder: Path, *pictures: Picture) -> Path:
    """A clip of pictures, BGR, in a new folder."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    for number, picture in enumerate(pictures):
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def write_pictures(folder: Path, levels: Sequence[int], size: tuple[int, int] = (64, 48)) -> Path:
    """A clip of plain grey pictures."""
    return write(folder, *(np.full((size[1], size[0], 3), n, np.uint8) for n in levels))


def write_faces(folder: Path, boxes: Sequence[Box], width: int, height: int) -> Path:
    """A clip of grey pictures with a light rectangle each."""
    pictures = np.full((len(boxes), height, width, 3), GREY, np.uint8)
    for picture, (left, top, right, bottom) in zip(pictures, boxes, strict=True):
        rows = slice(round(top * height), round(bottom * height))
        picture[rows, round(left * width) : round(right * width)] = FACE
    return write(folder, *pictures)


def followed(boxes: Sequence[Box | None], fps: float = FPS) -> schema.Trajectory:
    """The trajectory of faces whose points fill these boxes; None: no face."""
    seen = schema.blank(len(boxes))
    rng = np.random.default_rng(0)
    for t, box in enumerate(boxes):
        if box:
            points = rng.random((schema.POINTS, 2))
            points[:2] = [(0, 0), (1, 1)]
            seen.landmarks_TPC[t, :, :2] = box[:2] + points * (np.array(box[2:]) - box[:2])
            seen.landmarks_TPC[t, :, 2] = 0
            seen.valid_T[t] = True
    return replace(seen, times_T=np.arange(len(boxes)) / fps)


def levels(shown: Shown) -> list[int]:
    """Each picture's level, in its middle."""
    return [int(p[p.shape[0] // 2, p.shape[1] // 2, 0]) for p in shown.pictures]


def extent(picture: Picture) -> Box:
    """Where the light rectangle is, in pixels."""
    rows, columns = np.nonzero(picture[..., 0] > (GREY + FACE) / 2)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@given(st.floats(5e-324, 1e9), st.integers(0, 64), st.integers(0, 2**32 - 1))
@example(5e-324, 2, 0)
def test_moments_rise_inside_the_clip(duration: float, count: int, seed: int) -> None:
    for sampling in get_args(Sampling):
        found = moments(duration, count, sampling, seed)
        assert found.shape == (count,)
        assert found.dtype == np.float64
        assert ((found >= 0) & (found < duration)).all()
        assert (np.diff(found) >= 0).all()
        np.testing.assert_array_equal(found, moments(duration, count, sampling, seed))


@given(st.floats(0.01, 1e4), st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_moments_are_where_they_are_said_to_be(duration: float, count: int, seed: int) -> None:
    part, number = duration / count, np.arange(count)
    uniform = moments(duration, count, "uniform", seed)
    np.testing.assert_allclose(uniform, (number + 0.5) * part)
    drawn = moments(duration, count, "random", seed)
    assert (np.floor(drawn / part * (1 + 1e-12)) - number <= 1e-9).all()
    assert (drawn >= number * part * (1 - 1e-12)).all()
    middle = moments(duration, count, "middle", seed)
    np.testing.assert_allclose(middle, duration / 3 + uniform / 3)
    assert moments(3.0, 3, "middle", 0) == pytest.approx([7 / 6, 9 / 6, 11 / 6])


def test_seeds_decide_random_moments_alone_and_differ() -> None:
    spread = np.array([moments(1.0, 2, "random", seed) for seed in range(500)])
    assert spread.mean(axis=0) == pytest.approx([0.25, 0.75], abs=0.03)
    assert spread.std(axis=0) == pytest.approx([0.144, 0.144], abs=0.02)  # 0.5 / sqrt(12)
    assert len({tuple(moments(2.0, 4, "uniform", seed)) for seed in range(50)}) == 1
    for duration in (0.0, -1.0, NAN):
        assert moments(duration, 3, "random", 0).tolist() == [0, 0, 0]
    assert draw_seed(0, 0, "1") == 0x8DC72DE8
    ways = {(s, e, v) for s in range(5) for e in range(5) for v in ("", "1", "2", "11", "ü/1 2")}
    drawn = {draw_seed(*way) for way in ways}
    assert len(drawn) == len(ways)
    assert all(0 <= seed < 2**32 for seed in drawn)


def test_the_first_frames_from_the_moments_on_are_shown_or_the_last(tmp_path: Path) -> None:
    clip = write_pictures(tmp_path, range(10, 20))
    shown = show(clip, FPS, NAN, 1.0, None, WHOLE, 0)
    assert levels(shown) == [12, 14, 17, 19]
    assert shown.times_F == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert shown.duration == 1
    assert {picture.shape for picture in shown.pictures} == {(48, 64, 3)}
    assert levels(show(clip, FPS, NAN, 3.0, None, WHOLE, 0)) == [14, 14, 14, 14]
    assert levels(show(clip, FPS, 0.5, 1.0, None, WHOLE, 0)) == [17, 19, 19, 19]
    longer = followed([(0.2, 0.2, 0.8, 0.8)] * 20)  # as a file that was whole once
    assert levels(show(clip, FPS, NAN, 2.0, longer, LANGUAGE, 0)) == [12, 17, 17, 17]
    clip = write_pictures(tmp_path, [50])
    shown = show(clip, FPS, NAN, 1.0, None, replace(WHOLE, frames=1, sampling="middle"), 0)
    assert levels(shown) == [50]
    shown = show(clip / "0.png", FPS, NAN, 0.0, followed([None]), LANGUAGE, 0)
    assert levels(shown) == [50] * 4
    assert shown.times_F.tolist() == [0] * 4


def test_a_row_shows_frames_of_its_part_that_the_extraction_looked_at(tmp_path: Path) -> None:
    clip = write_pictures(tmp_path, range(10, 40))
    sparse = followed([(0.2, 0.2, 0.8, 0.8)] * 5, fps=FPS / 2)  # every other frame
    for options in (LANGUAGE, WHOLE):
        shown = show(clip, FPS, NAN, 1.0, sparse, options, 0)
        assert shown.times_F == pytest.approx([0, 0.2, 0.6, 0.8])
        assert levels(shown) == [10, 12, 16, 18]
    whole = followed([(0.2, 0.2, 0.8, 0.8)] * 30)
    for start in (0.0, 0.7, 1.1):  # as many frames as there are show each once
        part = schema.between(whole, start - 0.05, start + 1.55)
        assert len(part.times_T) == 16
        options = replace(LANGUAGE, frames=16)
        first = 10 + round(10 * start)
        assert levels(show(clip, FPS, start, 1.6, part, options, 0)) == [*range(first, first + 16)]
    part = schema.between(whole, 1.0, 2.0)
    for trajectory, times, expected in (
        (part, [0.1, 0.3, 0.6, 0.8], [21, 23, 26, 28]),
        (whole, [0.1, 0.3, 0.6, 0.8], [21, 23, 26, 28]),
        (followed([LEFT] * 17, fps=8), [0.125, 0.375, 0.625, 0.875], [22, 24, 27, 29]),
        (None, [0.125, 0.375, 0.625, 0.875], [22, 24, 27, 29]),
    ):
        shown = show(clip, FPS, 1.0, 1.0, trajectory, LANGUAGE, 0)
        assert shown.times_F == pytest.approx(times)
        assert levels(shown) == expected
    # A row that begins between two frames begins with the second; at 0.75, 1.25, 1.75, 2.25 s.
    part = schema.between(followed([(0.2, 0.2, 0.8, 0.8)] * 4, fps=1), 0.5, 2.5)
    shown = show(clip, 1, 0.5, 2.0, part, LANGUAGE, 0)
    assert levels(shown) == [11, 11, 11, 12]
    assert shown.times_F == pytest.approx([0.5, 0.5, 0.5, 1.5])
    faces: list[Box] = [LEFT] * 10 + [RIGHT] * 10
    clip = write_faces(tmp_path, faces, 400, 200)
    for picture in show(clip, FPS, 1.0, 1.0, followed(faces), LANGUAGE, 0).pictures:
        assert extent(picture) == pytest.approx((12, 12, 52, 52), abs=1)


def test_what_cannot_be_decoded_is_black_and_a_missing_clip_is_named(tmp_path: Path) -> None:
    trajectories = (None, schema.EMPTY, followed([(0.2, 0.2, 0.8, 0.8)] * 20))
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.png").write_text("no picture")
    write_video(tmp_path / "cut.mp4")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "cut.mp4").read_bytes()[:600])
    for clip, trajectory, duration, options in product(
        list(tmp_path.iterdir()), trajectories, (2.0, 0.0, NAN), (LANGUAGE, WHOLE)
    ):
        shown = show(clip, FPS, NAN, duration, trajectory, options, 0)
        assert [picture.shape for picture in shown.pictures] == [(64, 64, 3)] * 4
        assert not np.any(shown.pictures)
        assert np.isfinite(shown.times_F).all()
    clip = write_pictures(tmp_path / "empty", range(10, 14))
    assert not np.any(show(clip, FPS, 5.0, 1.0, None, WHOLE, 0).pictures)  # after its end
    (clip / "1.png").write_bytes(b"no picture")
    for options, height in ((LANGUAGE, 64), (WHOLE, 48)):
        shown = show(clip, FPS, NAN, 0.4, followed([(0.4, 0.4, 0.6, 0.6)] * 4), options, 0)
        assert levels(shown) == [10, 0, 12, 13]
        assert not shown.pictures[1].any()
        assert {picture.shape for picture in shown.pictures} == {(height, 64, 3)}
    with pytest.raises(UserError, match=r"gone\.mp4 is not here"):
        show(tmp_path / "gone.mp4", FPS, NAN, 1.0, None, LANGUAGE, 0)
    shown = show(tmp_path / "gone", FPS, NAN, 1.0, None, replace(LANGUAGE, frames=0), 0)
    assert (shown.pictures, shown.times_F.shape, shown.duration) == ([], (0,), 1.0)


def test_pictures_are_resized_red_first_and_of_one_size(tmp_path: Path) -> None:
    for size, side, expected in (
        ((64, 48), 32, (24, 32)),
        ((48, 64), 32, (32, 24)),
        ((64, 48), 128, (96, 128)),
        ((300, 2), 30, (1, 30)),
    ):
        clip = write_pictures(tmp_path, [80, 90], size)
        shown = show(clip, FPS, NAN, 0.2, None, replace(WHOLE, side=side), 0)
        assert {picture.shape for picture in shown.pictures} == {(*expected, 3)}
        assert {picture.dtype for picture in shown.pictures} == {np.dtype(np.uint8)}
    stripes = np.zeros((112, 112, 3), np.uint8)
    stripes[:, ::4] = 200
    clip, options = write(tmp_path, stripes), replace(WHOLE, side=28, frames=1)
    (picture,) = show(clip, FPS, NAN, 0.1, None, options, 0).pictures
    assert (picture == 50).all()
    red = np.full((48, 64, 3), (60, 20, 200), np.uint8)  # OpenCV writes blue first
    clip = write(tmp_path, red)
    for options in (LANGUAGE, WHOLE):
        shown = show(clip, FPS, NAN, 0.1, followed([(0.4, 0.4, 0.6, 0.6)]), options, 0)
        assert shown.pictures[0][24, 32].tolist() == [200, 20, 60]
    clip = write(tmp_path, np.full((32, 64, 3), 80, np.uint8), np.full((64, 32, 3), 90, np.uint8))
    both = followed([(0.25, 0.25, 0.75, 0.75)] * 2)
    shown = show(clip, FPS, NAN, 0.2, both, replace(WHOLE, frames=2), 0)
    assert [picture.shape for picture in shown.pictures] == [(64, 64, 3)] * 2
    assert levels(shown) == [80, 90]
    assert (shown.pictures[0][:16] == 0).all()
    assert (shown.pictures[0][16:48] == 80).all()
    assert (shown.pictures[1][:, 16:48] == 90).all()
    assert (shown.pictures[1][:, 48:] == 0).all()


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """A face, all of it in the picture."""
    width, height = draw(st.floats(0.05, 0.9)), draw(st.floats(0.05, 0.9))
    left, top = draw(st.floats(0, 1 - width)), draw(st.floats(0, 1 - height))
    return left, top, left + width, top + height


@settings(max_examples=60)
@given(
    st.lists(boxes(), min_size=1, max_size=4), st.sampled_from([(160, 160), (200, 120), (120, 200)])
)
def test_the_face_is_in_the_square_at_one_scale(faces: list[Box], size: tuple[int, int]) -> None:
    width, height = size
    extents = [max((r - x) * width, (b - y) * height) for x, y, r, b in faces]
    length = min(math.ceil(1.6 * max(extents)), max(size))  # pixels of the picture
    zoom = max(2, math.ceil(28 / length))  # enlarged, so that no pixel is lost
    side = zoom * length
    with tempfile.TemporaryDirectory() as folder:
        clip = write_faces(Path(folder), faces, width, height)
        options = replace(LANGUAGE, frames=len(faces), side=side)
        shown = show(clip, FPS, NAN, len(faces) / FPS, followed(faces), options, 0)
    assert [picture.shape for picture in shown.pictures] == [(side, side, 3)] * len(faces)
    for picture, (x, y, r, b) in zip(shown.pictures, faces, strict=True):
        if round(x * width) == round(r * width) or round(y * height) == round(b * height):
            continue  # the rectangle has no pixel
        left, top, right, bottom = extent(picture)
        # All of it is there, at the scale of the largest, up to the rounding of its edges.
        assert (right - left) / zoom == pytest.approx((r - x) * width, abs=2.5)
        assert (bottom - top) / zoom == pytest.approx((b - y) * height, abs=2.5)
        # It is in the middle, unless the square was shifted into the picture.
        for low, high, at, whole in (
            (left, right, (x + r) / 2 * width, width),
            (top, bottom, (y + b) / 2 * height, height),
        ):
            if length / 2 + 1 < at < whole - length / 2 - 1:
                assert (low + high) / 2 / zoom == pytest.approx(length / 2, abs=2)
        # Black is only what a square longer than the picture's shorter side leaves.
        black = (picture.max(axis=2) < GREY / 2).mean()
        assert black == pytest.approx(max(0, length - min(size)) / length, abs=0.02)


def test_squares_are_where_the_face_is_nearest_in_time_if_anywhere(tmp_path: Path) -> None:
    clip = write_faces(tmp_path, [LEFT, LEFT, RIGHT, RIGHT], 400, 200)
    seen = followed([LEFT, None, None, RIGHT])
    shown = show(clip, FPS, NAN, 0.4, seen, LANGUAGE, 0)
    assert [extent(p) for p in shown.pictures] == [pytest.approx((12, 12, 52, 52), abs=1)] * 4
    seen = followed([LEFT, None, None, None])
    shown = show(clip, FPS, NAN, 0.4, seen, LANGUAGE, 0)
    assert [bool((p > 150).any()) for p in shown.pictures] == [True, True, False, False]
    half_out: Box = (-0.2, 0.3, 0.2, 0.7)
    clip = write_faces(tmp_path, [(0.0, 0.3, 0.2, 0.7)], 200, 200)
    shown = show(clip, FPS, NAN, 0.1, followed([half_out]), LANGUAGE, 0)
    assert extent(shown.pictures[0]) == pytest.approx((0, 12, 20, 52), abs=1)
    far: Box = (5.0, -30.0, 5.0, -30.0)
    assert (show(clip, FPS, NAN, 0.1, followed([far]), LANGUAGE, 0).pictures[0] == GREY).all()
    clip = write_pictures(tmp_path, range(10, 14))
    for trajectory in (None, schema.EMPTY, followed([None] * 4)):
        shown = show(clip, FPS, NAN, 0.4, trajectory, LANGUAGE, 0)
        assert {picture.shape for picture in shown.pictures} == {(48, 64, 3)}


@given(st.integers(1, 26))
def test_a_grid_has_every_picture_at_its_place(count: int) -> None:
    numbered = [np.full((3, 5, 3), 1 + at, np.uint8) for at in range(count)]
    found = grid(numbered)
    rows, columns = found.shape[0] // 3, found.shape[1] // 5
    assert found.shape == (3 * rows, 5 * columns, 3)
    assert found.dtype == np.uint8
    assert columns - rows in (0, 1)
    assert (rows - 1) * columns < count <= rows * columns
    cells: NDArray[np.uint8] = found.reshape(rows, 3, columns, 5, 3).swapaxes(1, 2)
    flat = cells.reshape(rows * columns, -1)
    expected = [*range(1, count + 1), *[0] * (rows * columns - count)]
    np.testing.assert_array_equal(flat, np.repeat(np.array(expected)[:, None], 45, axis=1))


def test_smaller_pictures_of_a_grid_have_black_around_them() -> None:
    found = grid([np.full((2, 4, 3), 7, np.uint8), np.full((4, 2, 3), 9, np.uint8)])
    rows = [[0, 0, 0, 0, 0, 9, 9, 0], [7, 7, 7, 7, 0, 9, 9, 0]]
    assert found[..., 0].tolist() == [*rows, *rows[::-1]]
    with pytest.raises(ValueError, match=r".+"):
        grid([])

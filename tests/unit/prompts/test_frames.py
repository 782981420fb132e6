"""Frames shown of a clip: when they are, which they are, and that the face is in them."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facewave import params
from facewave.errors import UserError
from facewave.faces.schema import Faces
from facewave.prompts import frames
from facewave.prompts.frames import Shown, draw_seed, grid, moments
from facewave.prompts.stills import Picture
from making import REPOSITORY, write_video

LANGUAGE = replace(
    params.load(REPOSITORY / "params.yaml").train.language,
    frames=4,
    sampling="uniform",
    picture="face",
    side=64,
)
WHOLE = replace(LANGUAGE, picture="whole")
FPS = 10.0

Sampling = Literal["uniform", "random", "middle"]

NAN = math.nan


def show(clip: Path, *arguments: Any) -> Shown:
    """Frames of a clip whose key is its path."""
    return frames.show(clip, str(clip), *arguments)


def write(folder: Path, *pictures: Picture) -> Path:
    """A clip of pictures, BGR, in a new folder."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    for number, picture in enumerate(pictures):
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def write_pictures(folder: Path, levels: Sequence[int], size: tuple[int, int] = (64, 48)) -> Path:
    """A clip of plain grey pictures."""
    return write(folder, *(np.full((size[1], size[0], 3), n, np.uint8) for n in levels))


def levels(shown: Shown) -> list[int]:
    """Each picture's level, in its middle."""
    return [int(p[p.shape[0] // 2, p.shape[1] // 2, 0]) for p in shown.pictures]


def faces_of(levels: Sequence[int], fps: float, first: float = 0.0) -> Faces:
    """Plain grey faces of 64 pixels, ``fps`` a second from ``first`` on; level 0: no face."""
    pictures = [
        cv2.imencode(".png", np.full((64, 64, 3), level, np.uint8))[1].tobytes() if level else None
        for level in levels
    ]
    times = first + np.arange(len(levels)) / fps
    squares = np.zeros((len(levels), 5), np.float32)
    return Faces(np.arange(len(levels), dtype=np.int32), times, pictures, squares)


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
    clip = write_pictures(tmp_path, [50])
    shown = show(clip, FPS, NAN, 1.0, None, replace(WHOLE, frames=1, sampling="middle"), 0)
    assert levels(shown) == [50]
    shown = show(clip / "0.png", FPS, NAN, 0.0, faces_of([0], FPS), LANGUAGE, 0)
    assert levels(shown) == [50]  # of a single picture no copies
    assert shown.times_F.tolist() == [0]


def test_the_cut_out_faces_nearest_in_time_are_shown_and_no_clip_is_opened(
    tmp_path: Path,
) -> None:
    nowhere, faces = tmp_path / "gone.mp4", faces_of(range(10, 20), 5)
    shown = show(nowhere, FPS, NAN, 2.0, faces, LANGUAGE, 0)  # at 0.25, 0.75, 1.25, 1.75 s
    assert levels(shown) == [11, 14, 16, 19]
    assert shown.times_F == pytest.approx([0.2, 0.8, 1.2, 1.8])
    assert {picture.shape for picture in shown.pictures} == {(64, 64, 3)}
    assert {p.shape for p in show(nowhere, FPS, NAN, 2.0, faces, replace(LANGUAGE, side=28), 0)
            .pictures} == {(28, 28, 3)}  # fmt: skip
    # A part's times are the clip's; rows without a face are passed over.
    shown = show(nowhere, FPS, 1.0, 2.0, faces_of([21, 0, 0, 0, 25], 2, first=1.0), LANGUAGE, 0)
    assert levels(shown) == [21, 21, 25, 25]
    assert shown.times_F == pytest.approx([0, 0, 2, 2])
    clip = write_pictures(tmp_path, range(50, 60))
    for without in (None, faces_of([0, 0], 5), faces_of([], 5)):
        assert levels(show(clip, FPS, NAN, 1.0, without, LANGUAGE, 0)) == [52, 54, 57, 59]
    assert levels(show(clip, FPS, NAN, 1.0, faces, WHOLE, 0)) == [52, 54, 57, 59]


def test_what_cannot_be_decoded_is_black_and_a_missing_clip_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.png").write_text("no picture")
    write_video(tmp_path / "cut.mp4")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "cut.mp4").read_bytes()[:600])
    for clip, duration, options in product(
        list(tmp_path.iterdir()), (2.0, 0.0, NAN), (LANGUAGE, WHOLE)
    ):
        shown = show(clip, FPS, NAN, duration, None, options, 0)
        n_shown = 1 if clip.suffix == ".png" else 4
        assert [picture.shape for picture in shown.pictures] == [(64, 64, 3)] * n_shown
        assert not np.any(shown.pictures)
        assert np.isfinite(shown.times_F).all()
    clip = write_pictures(tmp_path / "empty", range(10, 14))
    assert not np.any(show(clip, FPS, 5.0, 1.0, None, WHOLE, 0).pictures)  # after its end
    (clip / "1.png").write_bytes(b"no picture")
    shown = show(clip, FPS, NAN, 0.4, None, WHOLE, 0)
    assert levels(shown) == [0, 12, 13, 13]
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
    shown = show(clip, FPS, NAN, 0.1, None, WHOLE, 0)
    assert shown.pictures[0][24, 32].tolist() == [200, 20, 60]
    content = cv2.imencode(".png", red)[1].tobytes()
    face = replace(faces_of([1], FPS), pictures_F=[content])
    shown = show(clip, FPS, NAN, 0.1, face, LANGUAGE, 0)
    assert shown.pictures[0][24, 32].tolist() == [200, 20, 60]
    broad, high = np.full((32, 64, 3), 80, np.uint8), np.full((64, 32, 3), 90, np.uint8)
    clip = write(tmp_path, broad, broad, high)
    shown = show(clip, FPS, NAN, 0.25, None, replace(WHOLE, frames=2), 0)
    assert [picture.shape for picture in shown.pictures] == [(64, 64, 3)] * 2
    assert levels(shown) == [80, 90]
    assert (shown.pictures[0][:16] == 0).all()
    assert (shown.pictures[0][16:48] == 80).all()
    assert (shown.pictures[1][:, 16:48] == 90).all()
    assert (shown.pictures[1][:, 48:] == 0).all()


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

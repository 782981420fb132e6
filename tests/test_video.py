"""Clips from one end to the other: a video, one picture, a folder of pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.pictures import files_of, is_pictures
from facewave.video import Clip
from making import write_video


def write_picture(path: Path, red: int = 200, size: tuple[int, int] = (64, 48)) -> None:
    """A picture of one colour: ``red``, 20 of green, 60 of blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), (60, 20, red), np.uint8))


def reds(clip: Clip) -> list[int | None]:
    """Each frame's red, None for a picture that is none."""
    return [None if picture is None else int(picture[0, 0, 0]) for _, _, picture in clip.frames()]


def times(clip: Clip) -> list[float]:
    return [time for _, time, _ in clip.frames()]


def test_a_video_has_the_containers_times_and_facts(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    clip = Clip(tmp_path / "a.mp4", fps=5)
    assert clip.opened
    assert (clip.fps, clip.width, clip.height, clip.declared_frames) == (30, 64, 48, 12)
    frames = list(clip.frames())
    np.testing.assert_allclose([time for _, time, _ in frames], np.arange(12) / 30, atol=1e-4)
    for _, _, picture in frames:
        assert picture is not None
        assert picture.shape == (48, 64, 3)
        assert picture.dtype == np.uint8
        square = picture[20, :].max(axis=0)  # orange: much red, little blue
        assert square[0] > 150 > 100 > square[2]


@pytest.mark.parametrize("content", [b"", b"just text", bytes(5000)])
def test_what_is_no_video_is_not_opened(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    clip = Clip(tmp_path / "a.mp4", fps=25)
    assert not clip.opened
    assert list(clip.frames()) == []


@pytest.mark.parametrize("name", ["a.png", "00017.JPG", "b.bmp", "b.webp", "b.jpeg"])
def test_one_picture_is_a_clip_of_one_frame(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / name)
    clip = Clip(tmp_path / name, fps=10)
    assert clip.opened
    assert (clip.fps, clip.width, clip.height, clip.declared_frames) == (10, 64, 48, 1)
    ((_, time, picture),) = clip.frames()
    assert time == 0
    assert picture is not None
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture.mean((0, 1)), (200, 20, 60), atol=4)  # red first


def test_a_folders_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 100, 8):
        write_picture(tmp_path / f"frame_{number}.png", red=number)
    assert reds(Clip(tmp_path, fps=25)) == [8, 9, 10, 100]


def test_numbers_give_the_times_and_gaps_take_time(tmp_path: Path) -> None:
    for number in (3, 4, 8):
        write_picture(tmp_path / f"{number:05}.png")
    assert times(Clip(tmp_path, fps=10)) == pytest.approx([0, 0.1, 0.5])
    assert times(Clip(tmp_path, fps=20)) == pytest.approx([0, 0.05, 0.25])


@pytest.mark.parametrize(
    "names", [("left", "middle", "right"), ("a1", "b1", "c2"), ("still", "still1", "still9")]
)
def test_names_that_tell_no_time_give_even_times(tmp_path: Path, names: tuple[str, ...]) -> None:
    for red, name in enumerate(names, start=1):
        write_picture(tmp_path / f"{name}.png", red=red)
    assert reds(Clip(tmp_path, fps=10)) == [1, 2, 3]
    assert times(Clip(tmp_path, fps=10)) == pytest.approx([0, 0.1, 0.2])


def test_a_broken_picture_is_a_frame_that_shows_nothing(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_picture(tmp_path / f"{number}.png", red=number)
    (tmp_path / "2.png").write_bytes(b"no picture")
    clip = Clip(tmp_path, fps=10)
    assert clip.opened
    assert clip.declared_frames == 3
    assert reds(clip) == [1, None, 3]
    assert times(clip) == pytest.approx([0, 0.1, 0.2])


def test_an_empty_folder_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    clip = Clip(tmp_path, fps=10)
    assert not clip.opened
    assert (clip.width, clip.height, clip.declared_frames) == (0, 0, 0)
    assert list(clip.frames()) == []


def test_a_broken_picture_alone_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    clip = Clip(tmp_path / "a.png", fps=10)
    assert not clip.opened
    assert reds(clip) == [None]


def test_other_files_in_a_folder_are_no_frames(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", red=7)
    (tmp_path / "2.txt").write_text("a note")
    (tmp_path / "3.mp4").write_bytes(b"")
    assert [path.name for path in files_of(tmp_path)] == ["1.png"]
    assert reds(Clip(tmp_path, fps=10)) == [7]


def test_pictures_are_told_by_their_names(tmp_path: Path) -> None:
    assert is_pictures(tmp_path)
    assert is_pictures(Path("a/b.JPEG"))
    assert not is_pictures(Path("a/b.mp4"))
    assert files_of(Path("a/b.mp4")) == [Path("a/b.mp4")]


@given(st.sets(st.integers(0, 10**12), min_size=1, max_size=8), st.integers(1, 120))
def test_a_frames_time_is_its_distance_from_the_first(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], fps: int
) -> None:
    folder = tmp_path_factory.mktemp("clip")
    for number in numbers:
        (folder / f"f{number}.png").touch()
    expected = [(number - min(numbers)) / fps for number in sorted(numbers)]
    assert times(Clip(folder, fps)) == pytest.approx(expected)

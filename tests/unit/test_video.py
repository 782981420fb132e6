"""Clips from one end to the other: a video, one picture, a folder of pictures."""

import math
import struct
import zlib
from collections.abc import Generator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave import unreadable
from facewave.pictures import files_of, is_pictures
from facewave.video import Clip
from making import write_video

TASKS = Path("/proc/self/task")


def write_picture(path: Path, red: int = 200, size: tuple[int, int] = (64, 48)) -> None:
    """A picture of one colour: ``red``, 20 of green, 60 of blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), (60, 20, red), np.uint8))


def reds(clip: Clip, rate: float = math.inf) -> list[int | None]:
    """Each frame's red, None for a picture that is none."""
    pictures = [picture for _, _, picture in clip.frames(rate)]
    return [None if picture is None else int(picture[0, 0, 0]) for picture in pictures]


def times(clip: Clip) -> list[float]:
    return [time for _, time, _ in clip.frames()]


def facts(clip: Clip) -> tuple[bool, float, int, int, int]:
    return not clip.problem, clip.fps, clip.width, clip.height, clip.declared_frames


def test_a_video_has_the_containers_times_and_facts_a_picture_its_own(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    clip = Clip(tmp_path / "a.mp4", fps=5)
    assert facts(clip) == (True, 30, 64, 48, 12)
    frames = list(clip.frames())
    np.testing.assert_allclose([time for _, time, _ in frames], np.arange(12) / 30, atol=1e-4)
    for _, _, picture in frames:
        assert picture is not None
        assert (picture.shape, picture.dtype.name) == ((48, 64, 3), "uint8")
        square = picture[20, :].max(axis=0)  # orange: much red, little blue
        assert square[0] > 150 > 100 > square[2]
    for name in ("a.png", "00017.JPG", "b.bmp", "b.webp", "b.jpeg"):  # a picture is one frame
        write_picture(tmp_path / name)
        clip = Clip(tmp_path / name, fps=10)
        assert facts(clip) == (True, 10, 64, 48, 1)
        ((_, time, picture),) = clip.frames()
        assert time == 0
        assert picture is not None
        assert (picture.shape, picture.dtype.name) == ((48, 64, 3), "uint8")
        np.testing.assert_allclose(picture.mean((0, 1)), (200, 20, 60), atol=4)  # red first


def test_what_is_no_video_or_picture_is_not_opened(tmp_path: Path) -> None:
    for content in (b"", b"just text", bytes(5000)):
        (tmp_path / "a.mp4").write_bytes(content)
        clip = Clip(tmp_path / "a.mp4", fps=25)
        assert clip.problem
        assert list(clip.frames()) == []
    (tmp_path / "a.png").write_bytes(b"no picture")
    alone = Clip(tmp_path / "a.png", fps=10)
    assert alone.problem
    assert reds(alone) == [None]
    (tmp_path / "a.png").unlink()
    empty = Clip(tmp_path, fps=10)  # other files in a folder are no frames
    assert facts(empty) == (False, 10, 0, 0, 0)
    assert list(empty.frames()) == []


def test_a_folders_pictures_come_in_the_order_of_their_numbers_which_give_their_times(
    tmp_path: Path,
) -> None:
    (tmp_path / "2.txt").write_text("a note")
    (tmp_path / ".3.png").write_bytes(b"hidden")
    for number in (10, 9, 100, 8):
        write_picture(tmp_path / f"frame_{number:02}.png", red=number)
    assert reds(Clip(tmp_path, fps=25)) == [8, 9, 10, 100]
    assert reds(Clip(tmp_path, fps=10), 5) == [8, 10, 100]  # at 0, 0.2 and 9.2 s
    assert times(Clip(tmp_path, fps=10)) == pytest.approx([0, 0.1, 0.2, 9.2])
    assert files_of(tmp_path)[0].name == "frame_08.png"
    assert is_pictures(tmp_path)
    assert is_pictures(Path("a/b.JPEG"))
    assert not is_pictures(Path("a/b.mp4"))
    assert files_of(Path("a/b.mp4")) == [Path("a/b.mp4")]
    for names in (("left", "middle", "right"), ("a1", "b1", "c2"), ("still", "still1", "still9")):
        folder = tmp_path / names[0]  # names that say nothing about time
        for red, name in enumerate(names, start=1):
            write_picture(folder / f"{name}.png", red=red)
        assert reds(Clip(folder, fps=10)) == [1, 2, 3]
        assert times(Clip(folder, fps=10)) == pytest.approx([0, 0.1, 0.2])


def test_pictures_are_ordered_by_all_numbers_and_timed_by_the_one_that_varies(
    tmp_path: Path,
) -> None:
    orders: dict[str, tuple[str, list[int]]] = {
        "running numbers": ("{}.png", [1, 2, 10, 11]),
        "the face last": ("frame_{}_0.png", [1, 2, 10, 11]),
        "a word last": ("frame{}_crop.png", [1, 2, 10, 11]),
        "a number before": ("take7-{}.png", [8, 9, 10, 11]),
    }
    for name, (pattern, numbers) in orders.items():
        for number in numbers:
            write_picture(tmp_path / name / pattern.format(number), red=10 * number)
        clip = Clip(tmp_path / name, fps=10)
        assert reds(clip) == [10 * number for number in numbers], name
        assert times(Clip(tmp_path / name, 10)) == pytest.approx(
            [(number - numbers[0]) / 10 for number in numbers]
        ), name
    for red, name in enumerate(("0.00", "0.12", "1.00", "10.5"), start=1):  # two numbers vary
        write_picture(tmp_path / "seconds" / f"{name}.png", red=red)
    assert reds(Clip(tmp_path / "seconds", 10)) == [1, 2, 3, 4]
    assert times(Clip(tmp_path / "seconds", 10)) == pytest.approx([0, 0.1, 0.2, 0.3])
    (tmp_path / "seconds/0.50.png").symlink_to("0.50.png")  # to itself: no picture
    assert len(files_of(tmp_path / "seconds")) == 4


def test_what_is_no_clip_is_named_for_what_it_is(tmp_path: Path) -> None:
    write_video(tmp_path / "whole.mp4")
    whole = (tmp_path / "whole.mp4").read_bytes()
    write_picture(tmp_path / "whole.png")
    write_picture(tmp_path / "whole.jpg")
    contents = {
        "lfs.flv": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        "dvc.mp4": (b"outs:\n- md5: 0123\n  path: dvc.mp4\n", "dvc pull"),
        "page.mp4": (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "a web page"),
        "zeros.mp4": (bytes(100_000), "nothing but zeros"),
        "raw.mp4": (b"\0\0\0\1\x67" + b"x" * 99, "a raw stream"),
        "mxf.mp4": (bytes.fromhex("060e2b34") + b"x" * 99, "MXF"),
        "part.mp4": (whole[: whole.index(b"moov")], "without its index"),
        "drm.mp4": (whole[:28] + b"pssh" + bytes(99), "encrypted"),
        "empty.mp4": (b"", "0 bytes"),
        "half.png": ((tmp_path / "whole.png").read_bytes()[:-20], "not a picture"),
        "half.jpg": ((tmp_path / "whole.jpg").read_bytes()[:-20], "not a picture"),
    }
    for name, (content, problem) in contents.items():
        (tmp_path / name).write_bytes(content)
        clip = Clip(tmp_path / name, 25)
        assert problem in clip.problem, name
        assert [picture for _, _, picture in clip.frames() if picture is not None] == [], name
    wide = bytearray((tmp_path / "whole.png").read_bytes())
    wide[16:24] = struct.pack(">2I", 20_000, 7_000)
    wide[29:33] = struct.pack(">I", zlib.crc32(wide[12:29]))
    (tmp_path / "whole.png").write_bytes(wide)
    assert "140 megapixels" in Clip(tmp_path / "whole.png", 25).problem
    wide[29] ^= 1  # a header that is damaged may claim any size: OpenCV would believe it
    (tmp_path / "whole.png").write_bytes(wide)
    assert not unreadable.is_whole(tmp_path / "whole.png")


def test_a_video_whose_rest_cannot_be_read_ends_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "a.mp4")
    clip = Clip(tmp_path / "a.mp4", 25)
    packets = clip._packets

    def damaged() -> Generator[av.Packet]:
        yield next(packets)
        raise av.BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(clip, "_packets", damaged())
    assert 1 <= len(list(clip.frames())) <= 2


def test_pictures_that_change_in_the_middle_are_what_they_are_alone(tmp_path: Path) -> None:
    alone: set[bytes] = set()
    sizes = ((64, 48), (62, 46), (96, 80), (64, 48))
    for number, size in enumerate(sizes):
        with av.open(str(tmp_path / f"{number}.ts"), "w") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.width, stream.height = size
            for seed in range(3):
                noise = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))
            container.mux(stream.encode(None))
        pictures = [picture for *_, picture in Clip(tmp_path / f"{number}.ts", 25).frames()]
        alone |= {picture.tobytes() for picture in pictures if picture is not None}
    parts = [(tmp_path / f"{number}.ts").read_bytes() for number in range(len(sizes))]
    (tmp_path / "all.ts").write_bytes(b"".join(parts))
    together = [picture for *_, picture in Clip(tmp_path / "all.ts", 25).frames()]
    assert {picture.shape[1::-1] for picture in together if picture is not None} == set(sizes)
    assert {picture.tobytes() for picture in together if picture is not None} <= alone


@pytest.mark.skipif(not TASKS.exists(), reason="threads are counted where Linux lists them")
def test_decoding_takes_one_thread(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    before = len(list(TASKS.iterdir()))
    for _ in Clip(tmp_path / "a.mp4", 25).frames():
        assert len(list(TASKS.iterdir())) == before


def test_a_broken_picture_is_a_frame_that_shows_nothing(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_picture(tmp_path / f"{number}.png", red=number)
    (tmp_path / "2.png").write_bytes(b"no picture")
    lying = bytearray((tmp_path / "3.png").read_bytes())
    lying[16:24] = struct.pack(">2I", 60_000, 60_000)  # more pixels than OpenCV will decode
    lying[29:33] = struct.pack(">I", zlib.crc32(lying[12:29]))
    (tmp_path / "3.png").write_bytes(lying)
    clip = Clip(tmp_path, fps=10)
    assert facts(clip) == (True, 10, 64, 48, 4)
    assert reds(clip) == [1, None, None, 4]
    assert times(clip) == pytest.approx([0, 0.1, 0.2, 0.3])
    stills = Clip(tmp_path, 10).stills([0, 0.1, 0.3])
    assert [picture.shape for picture in stills] == [(48, 64, 3), (1, 1, 3), (48, 64, 3)]
    assert not stills[1].any()


class Timed(Clip):
    """A clip whose container has these times (s), in place of a file."""

    def __init__(self, marks: list[float], fps: float = 25.0) -> None:
        self.decoded, self.fps, self.marks = 0, fps, marks
        self.declared_frames, self._pictures = len(marks), []

    def _read(self) -> Generator[float]:
        yield from self.marks

    def _picture(self, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.full((1, 1, 3), number % 256, np.uint8)


marks = st.lists(st.sampled_from([0.0, 0.0005, 0.033, 0.04, 0.1, 1.7]), min_size=1, max_size=60)


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=40, unique=True).map(sorted),
    st.sampled_from([1, 2.5, 7, 10, 12.5, 24, 25, 29.97, 30, 60]),
    st.sampled_from([1, 3, 10, 12.5, 25, 30, 100]),
)
def test_a_rate_takes_the_first_frame_of_each_part_of_a_second(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], fps: float, rate: float
) -> None:
    folder = tmp_path_factory.mktemp("clip")
    for number in numbers:
        (folder / f"{number}.png").touch()
    every = [(number, time) for number, time, _ in Clip(folder, fps).frames()]
    distances = [(number - numbers[0]) / fps for number in numbers]  # from the first
    assert [time for _, time in every] == pytest.approx(distances)
    clip = Clip(folder, fps)
    some = [(number, time) for number, time, _ in clip.frames(rate)]
    assert clip.decoded == len(numbers)  # all were read
    expected, parts = [], set()
    for number, time in every:  # by counting whole numbers of frames: no rounding
        part = math.floor(Fraction(numbers[number] - numbers[0]) / Fraction(fps).limit_denominator(
            1000) * Fraction(rate))  # fmt: skip
        if part not in parts:
            parts.add(part)
            expected.append((number, time))
    assert some == expected
    late = Timed([3.0 + t / 25 for t in range(100)])  # it need not begin at 0
    assert [number for number, _, _ in late.frames(12.5)] == list(range(0, 100, 2))


@given(marks, st.integers(1, 200), st.booleans(), st.sampled_from([0.0, 25.0, 30.0, 90_000.0]))
def test_times_rise_by_a_millisecond_at_least_and_do_not_drift(
    steps: list[float], many: int, back: bool, fps: float
) -> None:
    given = np.cumsum([*steps, 0.04 * many, 5.0])
    if back:
        given[len(given) // 2 :] -= given[-1] / 2
    found = times(Timed(given.tolist(), fps))
    assert len(found) == len(given)
    assert all(b - a >= 0.000999 for a, b in pairwise(found))
    if not back and fps == 25:  # a time later than all before is what counts
        assert found[-1] == pytest.approx(given[-1], abs=1e-9)
        assert found[0] == given[0]


def test_sound_times_stay_and_others_are_filled_in() -> None:
    sound = [0.0, 0.033, 0.0667, 0.1, 0.35, 0.351, 9.0]
    assert times(Timed(sound)) == sound
    repeated = times(Timed([0.0, 0.04, 0.04, 0.08, 0.12]))
    assert repeated[:2] == [0, 0.04]
    assert 0.04 < repeated[2] <= 0.08
    assert repeated[3] == pytest.approx(0.08, abs=0.0011)
    assert repeated[4] == 0.12
    for wrong in (0.0, 5000.0):  # falls back once, or is wild
        filled = times(Timed([0.0, 0.04, 0.08, wrong, 0.16, 0.2]))
        assert filled == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2])
    slow = Timed([0.0, 30.0, 60.0])
    slow.declared_frames = 2000  # 80 s: so a long step is not wild
    assert times(slow) == [0.0, 30.0, 60.0]
    assert times(Timed([0.0] * 200, fps=50)) == pytest.approx([t / 50 for t in range(200)])
    assert times(Timed([7.0] * 9, fps=50)) == pytest.approx([7 + t / 50 for t in range(9)])
    for fps in (0.0, 0.5, 90_000.0, math.nan):  # impossible rates
        assert times(Timed([0.0] * 50, fps)) == pytest.approx([t / 25 for t in range(50)])


def test_stills_are_the_first_frames_from_given_times_on(tmp_path: Path) -> None:
    for number in (5, 6, 7, 8, 12, 13):
        write_picture(tmp_path / f"{number}.png", red=10 * number)

    def stills(*wanted: float) -> list[int]:
        return [int(picture[0, 0, 0]) for picture in Clip(tmp_path, 10).stills(wanted)]

    assert stills(0, 0.1, 0.3, 0.7) == [50, 60, 80, 120]
    assert stills(0.05, 0.15) == [60, 70]
    assert stills(0.2, 0.2, 0.21) == [70, 70, 80]
    assert stills(0.4, 0.7, 0.8, 0.9, 2) == [120, 120, 130]  # the clip ends before
    assert stills(9) == []
    assert stills() == []
    assert stills(0.0999, 0.3001) == [60, 80]  # a millisecond less or more is rounding
    write_video(tmp_path / "a.mp4")
    frames = [picture for _, _, picture in Clip(tmp_path / "a.mp4", 25).frames()]
    found = Clip(tmp_path / "a.mp4", 25).stills([t / 30 for t in (0, 3, 11)])
    for picture, t in zip(found, (0, 3, 11), strict=True):
        np.testing.assert_array_equal(picture, frames[t])

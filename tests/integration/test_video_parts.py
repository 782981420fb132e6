"""Parts of videos that are decoded on their own are those of the whole, whatever the container."""

import math
from pathlib import Path

import numpy as np
import pytest

import splicing
from facewave import marks
from facewave.app.timeline.parts import divided
from facewave.video import Clip, Frame

OPEN = {"x264-params": "open-gop=1:bframes=3:keyint=12:min-keyint=12:scenecut=0"}
UNEVEN = np.cumsum(np.random.default_rng(0).integers(10, 90, 90)).tolist()
FORMS: dict[str, tuple[str, dict[str, str], list[int] | None]] = {
    "a.mp4": ("libx264", {"bf": "2"}, None),
    "open.mp4": ("libx264", OPEN, None),  # pictures of one part lean on the part before
    "a.mkv": ("libx264", {}, None),
    "open.ts": ("libx264", OPEN, None),
    "a.mpg": ("mpeg2video", {"bf": "2"}, None),
    "a.avi": ("mpeg4", {}, None),
    "jpeg.avi": ("mjpeg", {}, None),
    "a.webm": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}, None),
    "a.mov": ("libx265", {"x265-params": "log-level=none:keyint=12:bframes=3"}, None),
    "uneven.mp4": ("libx264", {}, UNEVEN),
    "uneven.mkv": ("libx264", {}, UNEVEN),
}


@pytest.fixture(scope="module")
def pictures() -> list[splicing.Picture]:
    some = splicing.pictures_of(splicing.DEMO / "10.mp4", 45, side=64)
    return [*some, *some[::-1]]


def by_parts(path: Path, rate: float) -> tuple[int, list[Frame]]:
    parts = divided(marks.marks(path), 0.9)
    return len(parts), [frame for part in parts for frame in Clip(path, 25, part).frames(rate)]


def test_parts_have_the_frames_of_the_whole(
    tmp_path: Path, pictures: list[splicing.Picture]
) -> None:
    for name, (codec, options, times_ms) in FORMS.items():
        path = splicing.write(tmp_path / name, pictures, codec, options, 12, times_ms)
        for rate in (math.inf, 7):
            whole = list(Clip(path, 25).frames(rate))
            count, parts = by_parts(path, rate)
            assert count >= 3, name
            assert [frame[:2] for frame in parts] == [frame[:2] for frame in whole], name
            for one, other in zip(parts, whole, strict=True):
                assert one.picture is not None
                assert other.picture is not None
                np.testing.assert_array_equal(one.picture, other.picture, name)


def test_avi_that_does_not_tell_when_pictures_are_shown_is_read_in_one_piece(
    tmp_path: Path, pictures: list[splicing.Picture]
) -> None:
    path = splicing.write(tmp_path / "a.avi", pictures, "libx264", {"bf": "2"}, 12)
    assert divided(marks.marks(path), 0.9) == [None]


def test_a_part_that_is_not_where_it_was_is_a_problem(
    tmp_path: Path, pictures: list[splicing.Picture]
) -> None:
    path = splicing.write(tmp_path / "a.mp4", pictures, keyframe_every=12)
    _, part, *_ = divided(marks.marks(path), 0.9)
    assert part is not None
    clip = Clip(path, 25, part._replace(start=part.start + 1))
    assert clip.problem
    assert list(clip.frames()) == []


def test_a_damaged_middle_costs_some_frames_of_its_own_part(
    tmp_path: Path, pictures: list[splicing.Picture]
) -> None:
    path = splicing.write(tmp_path / "a.mp4", pictures, keyframe_every=12)
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 300] = bytes(300)
    path.write_bytes(content)
    count, frames = by_parts(path, math.inf)
    assert count >= 3
    numbers = [frame.number for frame in frames]
    assert len(numbers) == len(set(numbers))
    assert set(range(24)) | set(range(72, 90)) <= set(numbers)

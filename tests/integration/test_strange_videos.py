"""Forms that clips come in, each made here: decoded upright, whole, at the right times."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image

from facewave.marks import frame_times
from facewave.video import Clip
from running import ROOT

N_FRAMES = 12
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Upright pictures of a face, 160 x 224, so that width and height can be told apart."""
    clip = Clip(ROOT / "data/raw/demo/clips/1.mp4", 25)
    frames = [picture for _, _, picture in clip.frames() if picture is not None]
    return [np.ascontiguousarray(frame[:, 32:192]) for frame in frames[:N_FRAMES]]


def encode(
    path: Path,
    pictures: Iterable[Picture],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    marks: list[int] | None = None,
    fps: int = 25,
    options: dict[str, str] | None = None,
    pixel: Fraction | None = None,
) -> Path:
    """A video of RGB (or RGBA) pictures; ``marks`` are frame times in ms."""
    frames = list(pictures)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        if pixel is not None:  # as wide as high, unless it is told
            stream.codec_context.sample_aspect_ratio = pixel
        stream.codec_context.time_base = Fraction(1, 1000) if marks else Fraction(1, fps)
        for i, picture in enumerate(frames):
            kind = "rgba" if picture.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(picture, kind).reformat(format=pixels)
            frame.pts = marks[i] if marks else i
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def decoded(path: Path) -> list[Picture]:
    return [picture for _, _, picture in Clip(path, 25).frames() if picture is not None]


def times(path: Path) -> list[float]:
    return [time for _, time, _ in Clip(path, 25).frames()]


def away(one: Picture, other: Picture) -> float:
    """Mean difference of pictures at 16 x 16 pixels, where codecs leave no trace."""
    small = [
        cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA) for picture in (one, other)
    ]
    return float(np.abs(small[0].astype(float) - small[1].astype(float)).mean())


def grey(picture: Picture) -> Picture:
    plane = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.repeat(plane[..., None], 3, axis=2).astype(np.uint8)


def with_alpha(picture: Picture) -> Picture:
    """Half transparent in its upper half."""
    alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
    alpha[: len(picture) // 2] = 128
    return np.concatenate([picture, alpha], axis=2)


@dataclass(frozen=True)
class Form:
    """How a video is written, and how far its pictures may be from the originals."""

    suffix: str
    codec: str
    pixels: str
    alpha: bool = False
    colour: bool = True
    size: tuple[int, int] = (160, 224)
    slack: float = 4.0
    options: dict[str, str] = field(default_factory=dict)


FORMS = {
    "plain": Form("mp4", "libx264", "yuv420p"),
    "10 bit": Form("mp4", "libx264", "yuv420p10le"),
    "10 bit hevc": Form("mp4", "libx265", "yuv420p10le", options={"x265-params": "log-level=none"}),
    "4:2:2": Form("mov", "libx264", "yuv422p"),
    "odd sizes": Form("mkv", "libx264", "yuv444p", size=(161, 225)),
    "odd sizes 4:2:0": Form("webm", "libvpx-vp9", "yuv420p", size=(161, 225)),
    "grey": Form("mp4", "libx264", "gray", colour=False, slack=8),
    "alpha": Form("webm", "libvpx-vp9", "yuva420p", alpha=True),
    "rgb": Form("mp4", "libx265", "gbrp", options={"x265-params": "log-level=none"}),
    "gif": Form("gif", "gif", "rgb8", slack=16),
    "motion jpeg": Form("avi", "mjpeg", "yuvj420p", options={"q": "2"}),
    "flash": Form("flv", "flv1", "yuv420p", slack=6),
    "mpeg": Form("mpg", "mpeg1video", "yuv420p", slack=6),
    "transport stream": Form("ts", "libx264", "yuv420p"),
    "av1": Form("mp4", "libsvtav1", "yuv420p", options={"preset": "12"}),
    "b frames": Form("mp4", "libx264", "yuv420p", options={"bf": "3", "g": "12"}),
}


def test_every_form_shows_the_pictures(tmp_path: Path, pictures: list[Picture]) -> None:
    for name, form in FORMS.items():
        sources = [cv2.resize(picture, form.size).astype(np.uint8) for picture in pictures]
        path = encode(
            tmp_path / f"{name}.{form.suffix}",
            [with_alpha(picture) if form.alpha else picture for picture in sources],
            form.codec,
            form.pixels,
            options=form.options,
        )
        clip = Clip(path, 25)
        assert (clip.width, clip.height) == form.size, name
        for picture, source in zip(decoded(path), sources, strict=True):
            assert picture.shape == (form.size[1], form.size[0], 3), name
            assert picture.dtype == np.uint8
            assert away(picture, source if form.colour else grey(source)) < form.slack, name
        seconds = np.array(times(path))
        assert seconds - seconds[0] == pytest.approx(np.arange(N_FRAMES) / 25, abs=0.02), name
    form = FORMS["odd sizes 4:2:0"]
    path = encode(tmp_path / f"one.{form.suffix}", pictures[:1], form.codec, form.pixels)
    assert times(path) == [0]


# What players do with a picture, as the matrix of the track's header has it.
MATRICES = {
    90: (0, 1, 0, -1, 0, 0),
    180: (-1, 0, 0, 0, -1, 0),
    270: (0, -1, 0, 1, 0, 0),
}
BACK = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


def turn(path: Path, degrees: int) -> None:
    """Have the header say that the picture is to be turned clockwise."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: behind flags, times, track and volume
    a, b, u, c, d, v = (value << 16 for value in MATRICES[degrees])
    before = struct.unpack(">9i", content[at : at + 36])
    assert before == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    content[at : at + 36] = struct.pack(">9i", a, b, u, c, d, v, 0, 0, 1 << 30)
    path.write_bytes(content)


def test_a_turned_video_is_seen_upright(tmp_path: Path, pictures: list[Picture]) -> None:
    for degrees, suffix in zip(MATRICES, ("mp4", "mov", "mp4"), strict=True):
        lying = [np.ascontiguousarray(cv2.rotate(picture, BACK[degrees])) for picture in pictures]
        path = encode(tmp_path / f"{degrees}.{suffix}", [p.astype(np.uint8) for p in lying])
        assert decoded(path)[0].shape == lying[0].shape  # not turned yet
        turn(path, degrees)
        for picture, source in zip(decoded(path), pictures, strict=True):
            assert picture.shape == source.shape
            assert away(picture, source) < 4
        clip = Clip(path, 25)
        assert (clip.width, clip.height) == (160, 224)  # as it is seen


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path, pictures: list[Picture]) -> None:
    for degrees in (0, 90):
        stored = [cv2.rotate(picture, BACK[90]) if degrees else picture for picture in pictures]
        narrow = [cv2.resize(p, (p.shape[1] // 2, p.shape[0])).astype(np.uint8) for p in stored]
        path = encode(tmp_path / f"{degrees}.mp4", narrow, pixel=Fraction(2, 1))
        if degrees:
            turn(path, degrees)
        clip = Clip(path, 25)
        assert clip.width / clip.height == pictures[0].shape[1] / pictures[0].shape[0]
        for found, source in zip(decoded(path), pictures, strict=True):
            assert found.shape[:2] == (clip.height, clip.width)
            assert away(found, source) < 4
    # No camera has pixels of such a shape: the header is not believed.
    clip = Clip(encode(tmp_path / "a.mp4", pictures, pixel=Fraction(1000, 1)), 25)
    assert (clip.height, clip.width) == pictures[0].shape[:2]


UNEVEN = [0, 40, 80, 130, 135, 300, 301, 900, 1000, 1042, 1083, 1500]


def test_frame_times_are_the_containers(tmp_path: Path, pictures: list[Picture]) -> None:
    for suffix, codec in (("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx-vp9")):
        path = encode(tmp_path / f"uneven.{suffix}", pictures, codec, marks=UNEVEN)
        assert times(path) == pytest.approx([mark / 1000 for mark in UNEVEN], abs=0.0011)
    for suffix in ("mp4", "mkv"):  # recorded at 10 frames a second, announced as 50
        marks = [100 * t for t in range(N_FRAMES)]
        path = encode(tmp_path / f"wrong.{suffix}", pictures, marks=marks, fps=50)
        assert times(path) == pytest.approx(np.arange(N_FRAMES) / 10, abs=0.0011)


def in_mode(picture: Picture, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(grey(picture)[..., 0].astype(np.uint16) * 257)
    if mode == "RGBA":
        return Image.fromarray(with_alpha(picture))
    return Image.fromarray(picture).convert(mode)


def test_every_kind_of_picture_is_decoded(tmp_path: Path, pictures: list[Picture]) -> None:
    kinds = ["L png", "L jpg", "RGBA png", "RGBA webp", "LA png", "P png", "I;16 png", "CMYK jpg"]
    for kind in (*kinds, "RGB bmp", "RGB webp"):
        mode, suffix = kind.split()
        folder = tmp_path / kind
        folder.mkdir()
        for number, picture in enumerate(pictures[:4]):
            in_mode(picture, mode).save(folder / f"{number}.{suffix}")
        colourless = mode in ("L", "LA", "I;16")
        for picture, source in zip(decoded(folder), pictures[:4], strict=True):
            assert picture.shape == source.shape
            assert picture.dtype == np.uint8
            assert away(picture, grey(source) if colourless else source) < 8, kind


def test_a_photograph_that_lies_on_its_side_is_turned(
    tmp_path: Path, pictures: list[Picture]
) -> None:
    """As cameras write them: the picture as the sensor lay, and a note how to turn it."""
    for orientation, degrees in ((6, 90), (3, 180), (8, 270)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        lying = cv2.rotate(pictures[0], BACK[degrees]).astype(np.uint8)
        Image.fromarray(lying).save(tmp_path / "1.jpg", exif=exif)
        clip = Clip(tmp_path / "1.jpg", 25)
        assert (clip.width, clip.height) == (160, 224)
        (picture,) = decoded(tmp_path / "1.jpg")
        assert away(picture, pictures[0]) < 4


def test_pictures_of_one_clip_may_differ_in_size(tmp_path: Path, pictures: list[Picture]) -> None:
    sizes = [(160, 224), (320, 448), (200, 280), (120, 168)]
    for number, picture in enumerate(pictures):
        sized = cv2.resize(picture, sizes[number % 4])
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), sized[..., ::-1])
    assert [picture.shape[1::-1] for picture in decoded(tmp_path)] == 3 * sizes
    clip = Clip(tmp_path, 25)
    assert (clip.width, clip.height) == (160, 224)  # of the first


def test_a_clip_cut_without_encoding_it_anew_is_whole(
    tmp_path: Path, pictures: list[Picture]
) -> None:
    whole = encode(tmp_path / "whole.mp4", pictures, options={"bf": "0"})
    cut = tmp_path / "cut.mp4"
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    with av.open(whole) as source, av.open(cut, "w", options=options) as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:  # the first five frames come before time 0: an edit list
                packet.pts -= round(0.2 / packet.time_base)
                packet.dts -= round(0.2 / packet.time_base)
                packet.stream = copied
                target.mux(packet)
    clip = Clip(cut, 25)
    shown = [picture for _, _, picture in clip.frames()]
    assert len(shown) == len(pictures) - 5 < clip.declared_frames
    assert clip.duration == pytest.approx(len(shown) / 25, abs=0.005)  # what the edit list shows
    np.testing.assert_array_equal(shown[0], decoded(whole)[5])
    assert frame_times(cut) == pytest.approx(times(cut), abs=1e-6)


def test_the_stream_that_is_shown_by_default_is_read(
    tmp_path: Path, pictures: list[Picture]
) -> None:
    path = tmp_path / "two.mkv"
    with av.open(path, "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, size, is_default in zip(streams, (64, 160), (False, True), strict=True):
            stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
            stream.disposition = Disposition.default if is_default else Disposition(0)
        for stream in streams:
            for picture in pictures:
                small = cv2.resize(picture, (stream.width, stream.height)).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(small)))
            container.mux(stream.encode())
    assert Clip(path, 25).width == 160
    assert len(decoded(path)) == len(pictures)

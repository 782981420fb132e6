"""Recordings spliced from clips, one after the other or side by side, with cuts at known frames."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.video import Clip
from running import ROOT

FPS = 25
DEMO = ROOT / "data/raw/demo/clips"
Picture = NDArray[np.uint8]


def pictures_of(clip: Path, count: int | None = None, side: int = 224) -> list[Picture]:
    """The first pictures of a clip, each (side, side, 3); None: all."""
    frames = Clip(clip, FPS).frames()
    chosen = [frame.picture for frame, _ in zip(frames, range(count or 10**6), strict=False)]
    return [fitted(picture, side) for picture in chosen if picture is not None]


def pictures(name: str, seconds: float) -> list[Picture]:
    """The pictures of a clip of the demo, 25 a second, back and forth until the time is over."""
    frames = Clip(DEMO / f"{name}.mp4", FPS).frames(FPS)
    shown = [frame.picture for frame in frames if frame.picture is not None]
    around = [*shown, *shown[-2:0:-1]]
    return [around[i % len(around)] for i in range(round(seconds * FPS))]


def side_by_side(*films: Sequence[Picture]) -> Iterator[Picture]:
    """Several films as one, beside each other."""
    return map(np.hstack, zip(*films, strict=True))


def camera(path: Path) -> Path:
    """What Chromium's pretended camera shows over and over: a .mjpeg of one person."""
    return write(path, pictures("21", 4.0), "mjpeg")


def fitted(picture: Picture, side: int) -> Picture:
    """A picture in the middle of a black square."""
    scale = side / max(picture.shape[:2])
    width, height = (round(scale * length) for length in picture.shape[1::-1])
    sized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = sized
    return square


def write(
    path: Path,
    pictures: Iterable[Picture],
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    keyframe_every: int = 25,
    times_ms: Sequence[int] | None = None,
    fps: int = FPS,
) -> Path:
    """Encode pictures; at ``times_ms``, or evenly."""
    second = Fraction(1, 1000) if times_ms else Fraction(1, fps)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        stream.codec_context.time_base = second
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = times_ms[number] if times_ms else number, second
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path

"""What videos of what was seen share: colours, text, hatching, and a writer of frames."""

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import av
import cv2
import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from facewave.errors import UserError

# By the file's suffix: what browsers play, and its options. The same frames give the same bytes:
# on one thread, and of x264 without the macroblock tree, which differs from run to run, and without
# what differs between CPUs.
ENCODERS = {
    ".mp4": ("libx264", {"crf": "24", "preset": "veryfast", "threads": "1",
                         "x264-params": "mbtree=0:cpu-independent=1"}),
    ".webm": ("libvpx-vp9", {"crf": "30", "b": "0", "cpu-used": "6", "threads": "1"}),
}  # fmt: skip
_TIME_BASE = Fraction(1, 90_000)  # s: that of MPEG
_BT601 = 5  # how RGB becomes YUV, in FFmpeg's and swscale's numbers
_LIMITED = 1  # the range of YUV

LOWEST, HIGHEST = 480, 720  # pixels of the picture's height: others are scaled, to be legible
MARGIN = 14  # pixels
_SMALL, _LARGE = 64, 160  # pixels of a face's width from which it has points, and larger ones
GREEN, AMBER, RED = (80, 200, 110), (245, 175, 60), (235, 85, 85)  # RGB
BACK, GREY, PALE, WHITE = (24, 26, 30), (62, 66, 74), (150, 156, 166), (238, 240, 244)
_TEXT = 15  # pixels
_HATCH = 5  # pixels between a gap's lines
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # s

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]


def suffix() -> str:
    """What videos end in, unless a file is named: VP9 where FFmpeg lacks H.264."""
    return ".mp4" if "libx264" in av.codecs_available else ".webm"


def size(height: int, width: int) -> tuple[int, int]:
    """Height and width of a picture in a video: legible, and even."""
    scale = min(max(LOWEST, height), HIGHEST) / height
    return 2 * round(height * scale / 2), 2 * round(width * scale / 2)


def face(canvas: Picture, landmarks_PC: NDArray[np.float32], of: Color) -> tuple[int, int]:
    """Draw a face's points and the box around them, and return the box's upper left corner.

    ``landmarks_PC`` are in picture widths and heights, ``of`` is the colour.
    """
    points = np.round(landmarks_PC[:, :2] * canvas.shape[1::-1]).astype(int)
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    if right - left >= _SMALL:  # else they would hide the face
        for x, y in points.tolist():
            cv2.circle(canvas, (x, y), int(right - left >= _LARGE), of, -1, cv2.LINE_AA)
    cv2.rectangle(canvas, (left, top), (right, bottom), of, 2)
    return left, top


def encode(timed: Iterable[tuple[float, Picture]], path: Path) -> None:
    """Write RGB pictures, all of one size, each at its time (s from the first).

    The last is shown as long as the others are in the median, 1 s if it is alone. One picture is
    held at a time.

    Raises:
        UserError: FFmpeg lacks the codec of the file's suffix.
    """
    codec, options = ENCODERS[path.suffix]
    if codec not in av.codecs_available:
        others = ", ".join(s for s, (name, _) in ENCODERS.items() if name in av.codecs_available)
        raise UserError(f"PyAV has no {codec} here. Name a file with another suffix: {others}")
    lasting: dict[int, int] = {}  # start -> how long, in ticks
    flags = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if path.suffix == ".mp4" else {})
    with av.open(path, "w", options=flags) as container:
        stream: Any = None

        def put(frame: av.VideoFrame | None) -> None:
            for packet in stream.encode(frame):
                packet.duration = lasting.pop(packet.pts)  # else the last frame would be a flash
                container.mux(packet)

        before: tuple[float, Picture] | None = None
        steps: list[float] = []
        for now in chain(timed, [None]):
            if before is not None:
                time, picture = before
                steps += [] if now is None else [now[0] - time]
                after = time + (median(steps) if steps else 1.0) if now is None else now[0]
                if stream is None:
                    stream = container.add_stream(codec, options=options)
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt, stream.codec_context.time_base = "yuv420p", _TIME_BASE
                    stream.codec_context.colorspace = _BT601
                    stream.codec_context.color_range = _LIMITED
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace=_BT601, threads=1)
                start, end = round(time / _TIME_BASE), round(after / _TIME_BASE)
                frame.pts, frame.time_base, lasting[start] = start, _TIME_BASE, end - start
                put(frame)
            before = now
        if stream is not None:
            put(None)


def hatched(bar: Picture) -> NDArray[np.bool_]:
    """Which pixels of a bar are a gap's lines, (height, width)."""
    rows, columns = np.indices(bar.shape[:2])
    return np.less((rows + columns) % _HATCH, 2)


def ticks(strip: Picture, length: float, top: int) -> None:
    """Draw the axis of a strip that is ``length`` s long between its margins, from ``top`` on."""
    left, right = MARGIN, strip.shape[1] - MARGIN
    step = next((s for s in _STEPS if length / s <= 12), _STEPS[-1])
    for tick in np.arange(0, length + step / 1000, step):
        x = left + round(tick / max(length, 1e-9) * (right - left))
        strip[top : top + 5, x : x + 1] = PALE
        anchor = "lt" if tick == 0 else "rt" if right - x < 12 else "mt"
        write(strip, f"{tick:g} s" if tick == 0 else f"{tick:g}", (x, top + 8), PALE, anchor)


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", _TEXT)


def box(text: str, anchor: str) -> tuple[int, int, int, int]:
    """Where a text is around its anchor: left, top, right and bottom, in pixels."""
    left, top, right, bottom = _font().getbbox(text, anchor=anchor)
    return int(left), int(top), int(right), int(bottom)


def write(canvas: Picture, text: str, at: tuple[int, int], color: Color, anchor: str) -> None:
    """Write on a picture; ``anchor`` is Pillow's: where in the text ``at`` (x, y) is."""
    left, top, right, bottom = box(text, anchor)
    x0, y0 = max(0, at[0] + left - 1), max(0, at[1] + top - 1)
    x1, y1 = at[0] + right + 2, at[1] + bottom + 2
    part = canvas[y0:y1, x0:x1]
    image = Image.fromarray(part)
    ImageDraw.Draw(image).text((at[0] - x0, at[1] - y0), text, color, _font(), anchor)
    part[:] = np.asarray(image)

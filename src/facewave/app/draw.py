"""``facewave draw CLIP``: a video of what was seen: points, blendshapes with their values, gaps.

Right of the picture are the blendshapes that move most, from 0 to 1; below is the clip's time, with
hatched gaps: red without a face, amber where there were other faces only. So are the blendshapes'
bars of such frames. Where a model is named, what it answers stands above the bars: the word of the
window around each moment, and valence and arousal as a point of their plane.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from facewave import params, plane
from facewave.app import answers, predict
from facewave.app.seen import look
from facewave.errors import UserError
from facewave.files import replacing
from facewave.landmarks.schema import Trajectory, duration
from facewave.models.knowledge import with_unit
from facewave.targets import PLANE
from facewave.training.schema import Trained
from facewave.video import Clip

# By the file's suffix: what browsers play, and its options. The same frames give the same bytes:
# on one thread, and of x264 without the macroblock tree, which differs from run to run, and without
# what differs between CPUs.
_ENCODERS = {
    ".mp4": ("libx264", {"crf": "24", "preset": "veryfast", "threads": "1",
                         "x264-params": "mbtree=0:cpu-independent=1"}),
    ".webm": ("libvpx-vp9", {"crf": "30", "b": "0", "cpu-used": "6", "threads": "1"}),
}  # fmt: skip
_TIME_BASE = Fraction(1, 90_000)  # s: that of MPEG
_BT601 = 5  # how RGB becomes YUV, in FFmpeg's and swscale's numbers
_LIMITED = 1  # the range of YUV

_BARS = 14  # the blendshapes that move most
_LOWEST, _HIGHEST = 480, 720  # pixels of the picture's height: others are scaled, to be legible
_PANEL, _STRIP = 440, 58  # pixels, right of the picture and below it
_MARGIN, _NAME, _VALUE = 14, 242, 44  # pixels: of the panel, of a name and of a value in it
_TEXT = 15  # pixels
_GREEN, _AMBER, _RED = (80, 200, 110), (245, 175, 60), (235, 85, 85)  # RGB
_BACK, _GREY, _PALE, _WHITE = (24, 26, 30), (62, 66, 74), (150, 156, 166), (238, 240, 244)
_HATCH = 5  # pixels between a gap's lines
_TOP, _SIDE = 64, 128  # pixels above the bars, and of the plane, for which there is more above them
_HOP = 0.2  # s between two answers
_SMALL, _LARGE = 64, 160  # pixels of a face's width from which it has points, and larger ones

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]


def draw(clip: Path, out: Path, fps: float, model: str | None = None) -> None:
    """Write a video of the frames that were looked at, at the times that they have in the clip.

    Args:
        clip: a video, or pictures.
        out: a .mp4 file (H.264) or a .webm file (VP9), both in yuv420p.
        fps: of a folder of pictures.
        model: whose answers are drawn, as ``facewave predict --model`` names it; None: nobody's.

    Raises:
        UserError: the clip cannot be decoded, the video cannot be written, or there is no such
            model.
    """
    settings = params.for_clips()
    if out.suffix not in _ENCODERS:
        raise UserError(f"{out}: no video can be written there. Name a .mp4 or .webm file.")
    seen, facts = look(clip, fps, settings)
    if facts.problem:
        print(f"{clip}: {facts.problem}")
    if not len(seen.times_T):
        raise UserError(f"{clip}: there is no frame to draw.")
    said = _Said.of(clip, fps, model) if model else None
    source = Clip(clip, fps)
    frames = tqdm(
        source.frames(settings.landmarks.rate), "draw", len(seen.times_T), unit="frame", leave=False
    )
    pictures = (frame.picture for frame in frames)
    with replacing(out) as temporary:
        _encode(_drawn(pictures, seen, said), seen.times_T, temporary)
    gaps_T = ~seen.valid_T
    others = int((gaps_T & (seen.faces_T > 0)).sum())
    only_others = f" ({others} with other faces only)" if others else ""
    print(f"{out}: {len(gaps_T)} frames, {gaps_T.sum()} of them without the face{only_others}")


def suffix() -> str:
    """What a clip's name gets, unless a file is named: VP9 where FFmpeg lacks H.264."""
    return f".seen{'.mp4' if 'libx264' in av.codecs_available else '.webm'}"


def _encode(pictures: Iterable[Picture], times_T: NDArray[np.float64], path: Path) -> None:
    """Write RGB pictures, all of one size, at their times (s from the first)."""
    codec, options = _ENCODERS[path.suffix]
    if codec not in av.codecs_available:
        others = ", ".join(s for s, (name, _) in _ENCODERS.items() if name in av.codecs_available)
        raise UserError(f"PyAV has no {codec} here. Name a file with another suffix: {others}")
    ticks = [round(time / _TIME_BASE) for time in [*times_T, duration(times_T) or 1.0]]
    lasting = {start: end - start for start, end in pairwise(ticks)}
    flags = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if path.suffix == ".mp4" else {})
    with av.open(path, "w", options=flags) as container:
        stream: Any = None

        def encode(frame: av.VideoFrame | None) -> None:
            for packet in stream.encode(frame):
                packet.duration = lasting[packet.pts]  # else the last frame would be a flash
                container.mux(packet)

        for start, picture in zip(ticks, pictures, strict=False):
            if stream is None:
                stream = container.add_stream(codec, options=options)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt, stream.codec_context.time_base = "yuv420p", _TIME_BASE
                stream.codec_context.colorspace = _BT601
                stream.codec_context.color_range = _LIMITED
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=_BT601, threads=1)
            frame.pts, frame.time_base = start, _TIME_BASE
            encode(frame)
        encode(None)


@dataclass(frozen=True, eq=False)
class _Said:
    """What a model answered.

    Attributes:
        middles: of the windows, or of the whole clip if it is not longer than one (s).
        texts: of each, the word and how likely it is.
        points: of each, valence and arousal, NaN where there are none, (n, 2).
    """

    middles: NDArray[np.float64]
    texts: list[str]
    points: NDArray[np.float64]

    @classmethod
    def of(cls, clip: Path, fps: float, model: str) -> "_Said":
        options = predict.Options(model, fps, hop=_HOP)
        trained, tables = predict.ask([clip], options)
        (table,) = tables
        rows = table if len(table) == 1 else table.iloc[1:]
        middles = (rows["start"] + rows["end"]).to_numpy(float) / 2
        points = np.array([answers.point(row) for _, row in rows.iterrows()])
        return cls(middles, [_word(row, trained) for _, row in rows.iterrows()], points)

    @property
    def has_plane(self) -> bool:
        """Whether there is any point."""
        return not np.isnan(self.points).all()

    def at(self, time: float) -> int:
        """The window around a moment (s): the one with the nearest middle."""
        return int(np.abs(np.nan_to_num(self.middles) - time).argmin())


def _word(row: pd.Series, model: Trained) -> str:
    """The first word that was answered, with its likelihood, or the word that is nearest."""
    main = answers.first(model)
    if not row["answered_from"]:
        return "no answer"
    if main is None:
        at = answers.point(row)
        return "" if np.isnan(at).any() else f"near {plane.nearest(*at)}"
    share = "" if model.writes else f" {row[list(main.numbers)].max():.0%}"
    return f"{row[main.predicted]}{share}"


def _drawn(
    pictures: Iterable[Picture | None], seen: Trajectory, said: _Said | None
) -> Iterator[Picture]:
    """The frames of the video; a picture that cannot be decoded is black."""
    moving = np.argsort(-np.nan_to_num(seen.blendshapes_TB).std(axis=0), kind="stable")[:_BARS]
    canvas: Picture | None = None
    for t, picture in enumerate(pictures):
        if canvas is None:
            canvas = _background(picture, seen, moving, said)
            edges = _edges(seen, _MARGIN, canvas.shape[1] - _MARGIN)
        if picture is None:
            picture = np.zeros((2, 2, 3), np.uint8)
        whole = canvas.copy()
        height, width = canvas.shape[0] - _STRIP, canvas.shape[1] - _PANEL
        whole[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        _points(whole[:height, :width], seen, t)
        _bars(whole[:height, width:], seen, t, moving, _top(said))
        if said is not None:
            _answer(whole[:height, width:], said, float(seen.times_T[t]))
        whole[height + 6 : height + 28, edges[t] - 1 : edges[t] + 2] = _WHITE  # the present
        yield whole


def _background(
    first: Picture | None, seen: Trajectory, moving: NDArray[np.intp], said: _Said | None
) -> Picture:
    """What is the same in every frame: the bars' names and scale, the plane, and the timeline."""
    height, width = (9, 16) if first is None else first.shape[:2]
    scale = min(max(_LOWEST, height), _HIGHEST) / height
    width, height = 2 * round(width * scale / 2), 2 * round(height * scale / 2)
    whole = np.full((height + _STRIP, width + _PANEL, 3), _BACK, np.uint8)
    panel, strip = whole[:height, width:], whole[height:]
    top, step, left, right = _layout(panel, _top(said))
    for share in (0.0, 0.5, 1.0):
        x = left + round(share * (right - left))
        panel[top - 6 : top + len(moving) * step, x] = _GREY
        _text(panel, f"{share:g}", (x, top - 10), _PALE, "ms")
    for row, channel in enumerate(moving):
        middle = top + row * step + step // 2
        name = with_unit(seen.names[channel]) if seen.names else ""
        _text(panel, name, (_MARGIN, middle), _WHITE, "lm")
        panel[middle - 5 : middle + 6, left : right + 1] = _GREY
    _timeline(strip, seen)
    if said is not None and said.has_plane:
        _plane(panel, said)
    return whole


def _top(said: _Said | None) -> int:
    """Where the bars begin, in pixels from the top."""
    return _TOP + _SIDE - 4 if said is not None and said.has_plane else _TOP


def _layout(panel: Picture, top: int) -> tuple[int, int, int, int]:
    """Of the bars: their top, the height of each with its gap, their left and right ends."""
    step = (panel.shape[0] - top - _MARGIN) // _BARS
    return top, step, _MARGIN + _NAME, panel.shape[1] - _MARGIN - _VALUE


def _points(canvas: Picture, seen: Trajectory, t: int) -> None:
    """The face's points and the box around them, or why there are none."""
    if not seen.valid_T[t]:
        cv2.rectangle(canvas, (0, 0), (canvas.shape[1] - 1, canvas.shape[0] - 1), _RED, 4)
        text = "another face" if seen.faces_T[t] else "no face"
        canvas[10:38, 10 : 20 + 9 * len(text)] = _BACK
        _text(canvas, text, (16, 24), _AMBER if seen.faces_T[t] else _RED, "lm")
        return
    points = np.round(seen.landmarks_TPC[t, :, :2] * canvas.shape[1::-1]).astype(int)
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    if right - left >= _SMALL:  # else they would hide the face
        for x, y in points.tolist():
            cv2.circle(canvas, (x, y), int(right - left >= _LARGE), _GREEN, -1, cv2.LINE_AA)
    cv2.rectangle(canvas, (left, top), (right, bottom), _GREEN, 2)


def _place(panel: Picture, point: NDArray[np.float64]) -> tuple[int, int]:
    """Where a valence and an arousal are, x and y in pixels."""
    valence, arousal = np.clip(point, -1, 1).tolist()
    left, top = panel.shape[1] - _MARGIN - _VALUE - _SIDE, _MARGIN
    return left + round((1 + valence) / 2 * _SIDE), top + round((1 - arousal) / 2 * _SIDE)


def _plane(panel: Picture, said: _Said) -> None:
    """The plane of valence (to the right) and arousal (upwards), with the whole clip's path."""
    (left, top), (right, bottom) = (_place(panel, np.array(at)) for at in ([-1, 1], [1, -1]))
    x, y = _place(panel, np.zeros(2))
    cv2.rectangle(panel, (left, top), (right, bottom), _GREY, 1)
    cv2.line(panel, (left, y), (right, y), _GREY)
    cv2.line(panel, (x, top), (x, bottom), _GREY)
    _text(panel, "arousal", (x + 4, top + 10), _PALE, "lm")
    _text(panel, "valence", (left - 6, y), _PALE, "rm")
    known = said.points[~np.isnan(said.points).any(axis=1)]
    path = np.array([_place(panel, point) for point in known], np.int32)
    cv2.polylines(panel, [path], False, _PALE, 1, cv2.LINE_AA)


def _answer(panel: Picture, said: _Said, time: float) -> None:
    """What was answered of the window around a moment."""
    at = said.at(time)
    _text(panel, said.texts[at], (_MARGIN, 48 if said.has_plane else 40), _WHITE, "lm")
    if np.isnan(said.points[at]).any():
        return
    for row, (name, value) in enumerate(zip(PLANE[:2], said.points[at], strict=True)):
        _text(panel, f"{name} {value:.2f}", (_MARGIN, 78 + 22 * row), _PALE, "lm")
    cv2.circle(panel, _place(panel, said.points[at]), 5, _AMBER, -1, cv2.LINE_AA)


def _bars(
    panel: Picture, seen: Trajectory, t: int, moving: NDArray[np.intp], bars_top: int
) -> None:
    """The time, and the blendshapes' values, [0, 1], of one frame."""
    top, step, left, right = _layout(panel, bars_top)
    _text(panel, f"{seen.times_T[t]:.2f} s", (_MARGIN, 24), _WHITE, "lm")
    for row, channel in enumerate(moving):
        middle = top + row * step + step // 2
        value = float(seen.blendshapes_TB[t, channel])
        known = bool(seen.valid_T[t])
        if known:
            end = left + round(min(max(value, 0.0), 1.0) * (right - left))
            panel[middle - 5 : middle + 6, left : end + 1] = _GREEN
        else:
            bar = panel[middle - 5 : middle + 6, left : right + 1]
            bar[_hatched(bar)] = _AMBER if seen.faces_T[t] else _RED
        shown = f"{value:.2f}" if known else "-"
        _text(panel, shown, (panel.shape[1] - _MARGIN, middle), _WHITE if known else _PALE, "rm")


def _timeline(strip: Picture, seen: Trajectory) -> None:
    """Where the face is (green), where others are (amber), where none is (red), in the clip's time.

    Gaps are hatched, so that they can be told apart without colours.
    """
    left, right = _MARGIN, strip.shape[1] - _MARGIN
    edges = _edges(seen, left, right)
    hatched = _hatched(strip[10:24])
    for t, (valid, faces) in enumerate(zip(seen.valid_T, seen.faces_T, strict=True)):
        some = slice(edges[t], max(edges[t + 1], edges[t] + 1))
        bar = strip[10:24, some]
        bar[:] = _GREEN if valid else _GREY
        if not valid:
            bar[hatched[:, some]] = _AMBER if faces else _RED
    length = duration(seen.times_T)
    step = next((s for s in _STEPS if length / s <= 12), _STEPS[-1])
    for tick in np.arange(0, length + step / 1000, step):
        x = left + round(tick / max(length, 1e-9) * (right - left))
        strip[25:30, x : x + 1] = _PALE
        anchor = "lt" if tick == 0 else "rt" if right - x < 12 else "mt"
        _text(strip, f"{tick:g} s" if tick == 0 else f"{tick:g}", (x, 33), _PALE, anchor)


def _hatched(bar: Picture) -> NDArray[np.bool_]:
    """Which pixels of a bar are a gap's lines, (height, width)."""
    rows, columns = np.indices(bar.shape[:2])
    return np.less((rows + columns) % _HATCH, 2)


_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # s


def _edges(seen: Trajectory, left: int, right: int) -> list[int]:
    """Where each frame begins in the timeline, and where the last one ends, in pixels."""
    length = max(duration(seen.times_T), 1e-9)
    shares = np.append((seen.times_T - seen.times_T[0]) / length, 1.0)
    return np.round(left + shares * (right - left)).astype(int).tolist()


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", _TEXT)


def _text(canvas: Picture, text: str, at: tuple[int, int], color: Color, anchor: str) -> None:
    """Write on a picture; ``anchor`` is Pillow's: where in the text ``at`` (x, y) is."""
    left, top, right, bottom = _font().getbbox(text, anchor=anchor)
    x0, y0 = max(0, at[0] + int(left) - 1), max(0, at[1] + int(top) - 1)
    x1, y1 = at[0] + int(right) + 2, at[1] + int(bottom) + 2
    part = canvas[y0:y1, x0:x1]
    image = Image.fromarray(part)
    ImageDraw.Draw(image).text((at[0] - x0, at[1] - y0), text, color, _font(), anchor)
    part[:] = np.asarray(image)

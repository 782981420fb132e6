"""``facewave draw CLIP``: a video of what was seen: points, blendshapes with their values, gaps.

Right of the picture are the blendshapes that move most, from 0 to 1; below is the clip's time, with
hatched gaps: red without a face, amber where there were other faces only. So are the blendshapes'
bars of such frames. Where a model is named, what it answers stands above the bars: the word of the
window around each moment, and valence and arousal as a point of their plane.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from facewave import params, plane
from facewave.app import answers, predict
from facewave.app.canvas import (
    AMBER,
    BACK,
    ENCODERS,
    GREEN,
    GREY,
    MARGIN,
    PALE,
    RED,
    WHITE,
    Picture,
    encode,
    face,
    hatched,
    size,
    ticks,
    write,
)
from facewave.app.canvas import suffix as video_suffix
from facewave.app.seen import look
from facewave.errors import UserError
from facewave.files import replacing
from facewave.landmarks.schema import Trajectory, duration
from facewave.models.knowledge import with_unit
from facewave.targets import PLANE
from facewave.training.schema import Trained
from facewave.video import Clip

_BARS = 14  # the blendshapes that move most
_PANEL, _STRIP = 440, 58  # pixels, right of the picture and below it
_NAME, _VALUE = 242, 44  # pixels: of a name and of a value in the panel
_TOP, _SIDE = 64, 128  # pixels above the bars, and of the plane, for which there is more above them
_HOP = 0.2  # s between two answers


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
    if out.suffix not in ENCODERS:
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
        times = seen.times_T.tolist()
        encode(zip(times, _drawn(pictures, seen, said), strict=False), temporary)
    gaps_T = ~seen.valid_T
    others = int((gaps_T & (seen.faces_T > 0)).sum())
    only_others = f" ({others} with other faces only)" if others else ""
    print(f"{out}: {len(gaps_T)} frames, {gaps_T.sum()} of them without the face{only_others}")


def suffix() -> str:
    """What a clip's name gets, unless a file is named: VP9 where FFmpeg lacks H.264."""
    return f".seen{video_suffix()}"


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
            edges = _edges(seen, MARGIN, canvas.shape[1] - MARGIN)
        if picture is None:
            picture = np.zeros((2, 2, 3), np.uint8)
        whole = canvas.copy()
        height, width = canvas.shape[0] - _STRIP, canvas.shape[1] - _PANEL
        whole[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        _points(whole[:height, :width], seen, t)
        _bars(whole[:height, width:], seen, t, moving, _top(said))
        if said is not None:
            _answer(whole[:height, width:], said, float(seen.times_T[t]))
        whole[height + 6 : height + 28, edges[t] - 1 : edges[t] + 2] = WHITE  # the present
        yield whole


def _background(
    first: Picture | None, seen: Trajectory, moving: NDArray[np.intp], said: _Said | None
) -> Picture:
    """What is the same in every frame: the bars' names and scale, the plane, and the timeline."""
    height, width = (9, 16) if first is None else first.shape[:2]
    height, width = size(height, width)
    whole = np.full((height + _STRIP, width + _PANEL, 3), BACK, np.uint8)
    panel, strip = whole[:height, width:], whole[height:]
    top, step, left, right = _layout(panel, _top(said))
    for share in (0.0, 0.5, 1.0):
        x = left + round(share * (right - left))
        panel[top - 6 : top + len(moving) * step, x] = GREY
        write(panel, f"{share:g}", (x, top - 10), PALE, "ms")
    for row, channel in enumerate(moving):
        middle = top + row * step + step // 2
        name = with_unit(seen.names[channel]) if seen.names else ""
        write(panel, name, (MARGIN, middle), WHITE, "lm")
        panel[middle - 5 : middle + 6, left : right + 1] = GREY
    _timeline(strip, seen)
    if said is not None and said.has_plane:
        _plane(panel, said)
    return whole


def _top(said: _Said | None) -> int:
    """Where the bars begin, in pixels from the top."""
    return _TOP + _SIDE - 4 if said is not None and said.has_plane else _TOP


def _layout(panel: Picture, top: int) -> tuple[int, int, int, int]:
    """Of the bars: their top, the height of each with its gap, their left and right ends."""
    step = (panel.shape[0] - top - MARGIN) // _BARS
    return top, step, MARGIN + _NAME, panel.shape[1] - MARGIN - _VALUE


def _points(canvas: Picture, seen: Trajectory, t: int) -> None:
    """The face's points and the box around them, or why there are none."""
    if not seen.valid_T[t]:
        cv2.rectangle(canvas, (0, 0), (canvas.shape[1] - 1, canvas.shape[0] - 1), RED, 4)
        text = "another face" if seen.faces_T[t] else "no face"
        canvas[10:38, 10 : 20 + 9 * len(text)] = BACK
        write(canvas, text, (16, 24), AMBER if seen.faces_T[t] else RED, "lm")
        return
    face(canvas, seen.landmarks_TPC[t], GREEN)


def _place(panel: Picture, point: NDArray[np.float64]) -> tuple[int, int]:
    """Where a valence and an arousal are, x and y in pixels."""
    valence, arousal = np.clip(point, -1, 1).tolist()
    left, top = panel.shape[1] - MARGIN - _VALUE - _SIDE, MARGIN
    return left + round((1 + valence) / 2 * _SIDE), top + round((1 - arousal) / 2 * _SIDE)


def _plane(panel: Picture, said: _Said) -> None:
    """The plane of valence (to the right) and arousal (upwards), with the whole clip's path."""
    (left, top), (right, bottom) = (_place(panel, np.array(at)) for at in ([-1, 1], [1, -1]))
    x, y = _place(panel, np.zeros(2))
    cv2.rectangle(panel, (left, top), (right, bottom), GREY, 1)
    cv2.line(panel, (left, y), (right, y), GREY)
    cv2.line(panel, (x, top), (x, bottom), GREY)
    write(panel, "arousal", (x + 4, top + 10), PALE, "lm")
    write(panel, "valence", (left - 6, y), PALE, "rm")
    known = said.points[~np.isnan(said.points).any(axis=1)]
    path = np.array([_place(panel, point) for point in known], np.int32)
    cv2.polylines(panel, [path], False, PALE, 1, cv2.LINE_AA)


def _answer(panel: Picture, said: _Said, time: float) -> None:
    """What was answered of the window around a moment."""
    at = said.at(time)
    write(panel, said.texts[at], (MARGIN, 48 if said.has_plane else 40), WHITE, "lm")
    if np.isnan(said.points[at]).any():
        return
    for row, (name, value) in enumerate(zip(PLANE[:2], said.points[at], strict=True)):
        write(panel, f"{name} {value:.2f}", (MARGIN, 78 + 22 * row), PALE, "lm")
    cv2.circle(panel, _place(panel, said.points[at]), 5, AMBER, -1, cv2.LINE_AA)


def _bars(
    panel: Picture, seen: Trajectory, t: int, moving: NDArray[np.intp], bars_top: int
) -> None:
    """The time, and the blendshapes' values, [0, 1], of one frame."""
    top, step, left, right = _layout(panel, bars_top)
    write(panel, f"{seen.times_T[t]:.2f} s", (MARGIN, 24), WHITE, "lm")
    for row, channel in enumerate(moving):
        middle = top + row * step + step // 2
        value = float(seen.blendshapes_TB[t, channel])
        known = bool(seen.valid_T[t])
        if known:
            end = left + round(min(max(value, 0.0), 1.0) * (right - left))
            panel[middle - 5 : middle + 6, left : end + 1] = GREEN
        else:
            bar = panel[middle - 5 : middle + 6, left : right + 1]
            bar[hatched(bar)] = AMBER if seen.faces_T[t] else RED
        shown = f"{value:.2f}" if known else "-"
        write(panel, shown, (panel.shape[1] - MARGIN, middle), WHITE if known else PALE, "rm")


def _timeline(strip: Picture, seen: Trajectory) -> None:
    """Where the face is (green), where others are (amber), where none is (red), in the clip's time.

    Gaps are hatched, so that they can be told apart without colours.
    """
    left, right = MARGIN, strip.shape[1] - MARGIN
    edges = _edges(seen, left, right)
    lines = hatched(strip[10:24])
    for t, (valid, faces) in enumerate(zip(seen.valid_T, seen.faces_T, strict=True)):
        some = slice(edges[t], max(edges[t + 1], edges[t] + 1))
        bar = strip[10:24, some]
        bar[:] = GREEN if valid else GREY
        if not valid:
            bar[lines[:, some]] = AMBER if faces else RED
    ticks(strip, duration(seen.times_T), 25)


def _edges(seen: Trajectory, left: int, right: int) -> list[int]:
    """Where each frame begins in the timeline, and where the last one ends, in pixels."""
    length = max(duration(seen.times_T), 1e-9)
    shares = np.append((seen.times_T - seen.times_T[0]) / length, 1.0)
    return np.round(left + shares * (right - left)).astype(int).tolist()

"""``facewave draw CLIP``: a video of what was seen: points, blendshapes as bars, gaps."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facewave import params
from facewave.app.seen import look
from facewave.errors import UserError
from facewave.files import replacing
from facewave.landmarks.schema import Trajectory, duration
from facewave.video import Clip

_BARS = 16  # the blendshapes that move most
_PANEL = 300  # pixels, right of the picture
_TIMELINE = 24  # pixels, below it
_MIN_HEIGHT = 360  # of the picture: smaller ones are enlarged, to be legible
_GREEN, _AMBER, _RED = (90, 200, 90), (40, 170, 240), (70, 70, 220)  # BGR
_GREY, _WHITE = (60, 60, 60), (235, 235, 235)

Picture = NDArray[np.uint8]


def draw(clip: Path, out: Path, fps: float) -> None:
    """Write an .mp4 file of the frames that were looked at, in order, at their mean rate.

    ``fps`` is that of a folder of pictures.

    Raises:
        UserError: the clip cannot be decoded, or the video cannot be written.
    """
    settings = params.load()
    seen, facts = look(clip, fps, settings)
    if facts.problem:
        print(f"{clip}: {facts.problem}")
    if not len(seen.times_T):
        raise UserError(f"{clip}: there is no frame to draw.")
    rows = range(len(seen.times_T))
    rate = len(seen.times_T) / duration(seen.times_T) if len(seen.times_T) > 1 else 1.0
    moving = np.argsort(-np.nan_to_num(seen.blendshapes_TB).std(axis=0), kind="stable")
    source = Clip(clip, fps)
    writer = None
    with replacing(out) as temporary:
        frames = tqdm(source.frames(settings.landmarks.rate), "draw", len(rows), unit="frame")
        for t, (_, _, picture) in zip(rows, frames, strict=False):
            if picture is None:
                picture = np.zeros((source.height, source.width, 3), np.uint8)
            drawn = _frame(picture, seen, t, moving[:_BARS])
            if writer is None:
                height, width = drawn.shape[:2]
                code = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(temporary), code, rate, (width, height))
                if not writer.isOpened():
                    raise UserError(f"{out}: no video can be written there. Name an .mp4 file.")
            # Pictures of a folder may differ in size.
            writer.write(cv2.resize(drawn, (width, height)))
        if writer is not None:
            writer.release()
    gaps_T = ~seen.valid_T
    others = int((gaps_T & (seen.faces_T > 0)).sum())
    only_others = f" ({others} with other faces only)" if others else ""
    print(f"{out}: {len(gaps_T)} frames, {gaps_T.sum()} of them without the face{only_others}")


def _frame(picture: Picture, seen: Trajectory, t: int, shown: NDArray[np.intp]) -> Picture:
    """One frame: the picture with points, the panel beside it, the timeline below both."""
    scale = max(1.0, _MIN_HEIGHT / picture.shape[0])
    size = (2 * round(picture.shape[1] * scale / 2), 2 * round(picture.shape[0] * scale / 2))
    canvas = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), size)
    if seen.valid_T[t]:
        points = np.round(seen.landmarks_TPC[t, :, :2] * size).astype(int)
        for x, y in points.tolist():
            cv2.circle(canvas, (x, y), 1, _GREEN, -1, cv2.LINE_AA)
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        cv2.rectangle(canvas, (left, top), (right, bottom), _GREEN, 1)
    else:
        _text(canvas, "another face" if seen.faces_T[t] else "no face", (10, 24), _RED, 0.7)
    width, height = size
    whole = np.full((height + _TIMELINE, width + _PANEL, 3), 24, np.uint8)
    whole[:height, :width] = canvas
    _bars(whole[:height, width:], seen, t, shown)
    _timeline(whole[height:], seen, t)
    return whole


def _bars(panel: Picture, seen: Trajectory, t: int, shown: NDArray[np.intp]) -> None:
    """The blendshapes' values, [0, 1], of one frame."""
    step = panel.shape[0] // (len(shown) + 1)
    _text(panel, f"{seen.times_T[t]:.2f} s", (10, step - 6), _WHITE)
    for row, channel in enumerate(shown, start=1):
        bottom = (row + 1) * step - 6
        value = float(np.nan_to_num(seen.blendshapes_TB[t, channel]))
        cv2.rectangle(panel, (150, bottom - 9), (_PANEL - 10, bottom), _GREY, -1)
        end = 150 + round(value * (_PANEL - 160))
        cv2.rectangle(panel, (150, bottom - 9), (end, bottom), _GREEN, -1)
        _text(panel, seen.names[channel] if seen.names else "", (10, bottom), _WHITE)


def _timeline(strip: Picture, seen: Trajectory, t: int) -> None:
    """Frames with the face in green, with other faces only in amber, with none in red; and t."""
    width, count = strip.shape[1], len(seen.valid_T)
    for i, (valid, faces) in enumerate(zip(seen.valid_T, seen.faces_T, strict=True)):
        left = i * width // count
        strip[8:16, left : max((i + 1) * width // count, left + 1)] = (
            _GREEN if valid else _AMBER if faces else _RED
        )
    at = t * width // count
    strip[2:22, at : at + 3] = _WHITE


def _text(
    canvas: Picture, text: str, at: tuple[int, int], color: tuple[int, int, int], size: float = 0.4
) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)

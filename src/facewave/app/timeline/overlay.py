"""A video of what was seen of everybody in a recording, and of what a model answers.

Each person has a colour, the same in every frame: of the points, the box, its label with number and
word, and of the bar below, which tells when who is in sight. Memory does not grow with the length.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from matplotlib.colors import to_rgb
from tqdm import tqdm

from facewave.app.canvas import (
    BACK,
    GREY,
    MARGIN,
    WHITE,
    Color,
    Picture,
    box,
    encode,
    face,
    size,
    ticks,
    write,
)
from facewave.app.timeline.schema import Recording, Timeline
from facewave.app.timeline.stretches import in_sight, spoken, stretches
from facewave.files import replacing
from facewave.landmarks.schema import Trajectory
from facewave.video import Clip, Frame

_AT_ONCE = 10.0  # s of trajectories that are held in memory
_MOST = 6  # people with a bar below
_BAR, _AXIS, _EDGE = 16, 28, 6  # pixels: a person's bar with its gap, the axis, and above the bars
_PEOPLE = (  # one after the other; legible on dark, and seen on skin; page.css has them, too
    *("#62c4f5", "#ffa64d", "#4fd6a5", "#f08bd0", "#f2e05a"),
    *("#a9a9ff", "#ff8a80", "#b6e35b", "#5fe0e0", "#d8b99a"),
)
_LABEL = 24  # pixels of a label's height
_ROUNDING = 1e-6  # s


def write_video(timeline: Timeline, path: Path, fps: float = 25.0, rate: float = math.inf) -> None:
    """Write a .mp4 file (H.264) or a .webm file (VP9).

    Args:
        timeline: what is drawn.
        path: of the video.
        fps: of a recording that is a folder of pictures.
        rate: at most so many frames a second were looked at (``landmarks.rate``).

    Raises:
        UserError: FFmpeg lacks the codec.
    """
    with replacing(path) as temporary:
        encode(_frames(timeline, fps, rate), temporary)


def _frames(timeline: Timeline, fps: float, rate: float) -> Iterator[tuple[float, Picture]]:
    """The frames of the video with their times (s)."""
    recording, said = timeline.recording, stretches(timeline)
    people = recording.people["person"].tolist()
    source = Clip(recording.path, fps)
    bar = tqdm(source.frames(rate), "draw", recording.frames, unit="frame", leave=False)
    background: Picture | None = None
    start = None
    for part, frames in groupby(_from_first(bar), key=lambda timed: int(timed[0] // _AT_ONCE)):
        low, high = part * _AT_ONCE, (part + 1) * _AT_ONCE
        seen = _seen(recording, people, low, high)
        some = said[(said["start"] < high) & (said["end"] > low)]
        now = list(some.drop(columns="reason").itertuples(index=False, name=None))
        for time, frame in frames:
            if background is None:
                background = _background(frame.picture, recording, people)
                start = time
            whole = background.copy()
            strip = _strip(people)
            height = whole.shape[0] - strip
            if frame.picture is not None:
                shape = (whole.shape[1], height)
                whole[:height] = cv2.resize(frame.picture, shape, interpolation=cv2.INTER_AREA)
            labels = []
            for person, (trajectory, rows) in seen.items():
                at = rows.get(frame.number)
                if at is None or not trajectory.valid_T[at]:
                    continue
                corner = face(whole[:height], trajectory.landmarks_TPC[at], color(person))
                labels.append((corner, f"{person} {_word(now, person, time)}".strip(), person))
            for corner, text, person in labels:  # above all faces
                _label(whole[:height], corner, text, color(person))
            _present(whole[height:], time, recording.duration)
            yield time - (start or 0.0), whole


def _from_first(frames: Iterable[Frame]) -> Iterator[tuple[float, Frame]]:
    """Frames with their times from the first (s)."""
    first = None
    for frame in frames:
        first = frame.time if first is None else first
        yield frame.time - first, frame


def _seen(
    recording: Recording, people: list[int], start: float, end: float
) -> dict[int, tuple[Trajectory, dict[int, int]]]:
    """Of each person in sight in [start, end): the trajectory, and the row of each frame."""
    tracks = recording.tracks
    there = tracks[(tracks["end"] >= start) & (tracks["start"] <= end)]["person"].unique()
    found = {}
    for person in people:
        if person in there:
            seen = recording.trajectory(person, max(0.0, start - _ROUNDING), end + _ROUNDING)
            found[person] = seen, {int(frame): at for at, frame in enumerate(seen.frames_T)}
    return found


def color(person: int) -> Color:
    """A person's own, RGB."""
    red, green, blue = (round(255 * share) for share in to_rgb(_PEOPLE[person % len(_PEOPLE)]))
    return red, green, blue


def _word(said: Iterable[tuple[int, float, float, str, float]], who: int, time: float) -> str:
    """What somebody shows at a time, with its score, of some stretches."""
    now = ((word, score) for person, start, end, word, score in said
           if person == who and start <= time < end)  # fmt: skip
    return spoken(*next(now, ("", math.nan)))


def _label(canvas: Picture, corner: tuple[int, int], text: str, of: Color) -> None:
    """Write above the upper left corner of a box, inside the picture."""
    width = box(text, "lm")[2] + 12
    left = min(max(0, corner[0] - 1), max(0, canvas.shape[1] - width))
    top = min(max(0, corner[1] - _LABEL), canvas.shape[0] - _LABEL)
    canvas[top : top + _LABEL, left : left + width] = BACK
    write(canvas, text, (left + 6, top + _LABEL // 2), of, "lm")


def _strip(people: list[int]) -> int:
    """The height of what is below the picture, in pixels; even."""
    return _EDGE + _BAR * max(1, min(len(people), _MOST)) + _AXIS


def _background(first: Picture | None, recording: Recording, people: list[int]) -> Picture:
    """What is the same in every frame: when who is in sight, and the axis of time."""
    height, width = size(*((9, 16) if first is None else first.shape[:2]))
    whole = np.full((height + _strip(people), width, 3), BACK, np.uint8)
    strip = whole[height:]
    for row, person in enumerate(people[:_MOST]):
        top = _EDGE + row * _BAR
        strip[top : top + _BAR - 4, MARGIN : width - MARGIN] = GREY
        for start, end in in_sight(recording, person):
            left, right = (_x(strip, time, recording.duration) for time in (start, end))
            strip[top : top + _BAR - 4, left : max(right, left + 1)] = color(person)
    ticks(strip, recording.duration, strip.shape[0] - _AXIS)
    return whole


def _x(strip: Picture, time: float, length: float) -> int:
    """Where a time is, in pixels."""
    width = strip.shape[1] - 2 * MARGIN
    return MARGIN + round(min(max(time / max(length, 1e-9), 0.0), 1.0) * width)


def _present(strip: Picture, time: float, length: float) -> None:
    x = _x(strip, time, length)
    strip[2 : strip.shape[0] - _AXIS, x - 1 : x + 2] = WHITE

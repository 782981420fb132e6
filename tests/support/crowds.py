"""Videos of several faces, made of clips of one face each, with the truth of who is where.

A face is an oval with soft edges, cut out of its clip with hair and collar, that moves over a
coloured background. Of two that meet, the later one passes in front.

Legend of names: T frames, N people.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import motmetrics
import numpy as np
from numpy.typing import NDArray

from facewave.landmarks.detect import Detection
from facewave.landmarks.engines.mediapipe import Landmarker
from facewave.video import Clip
from running import ROOT

WIDTH, HEIGHT, FPS = 1280, 720, 25
_REAL = ("liveportrait_d0", "liveportrait_d11", "liveportrait_d18", "liveportrait_d19",
         "liveportrait_d20", "single_face")  # fmt: skip
# The demo's faces are all one woman's, so they are dyed: gains of red, green and blue.
_DYED = {"2": (1.0, 0.6, 0.5), "5": (0.5, 0.9, 0.6), "15": (0.6, 0.7, 1.0), "20": (1.0, 1.0, 1.0),
         "60": (1.0, 0.5, 1.0), "80": (0.5, 0.5, 0.5)}  # fmt: skip
_FRAMES = 50  # of each clip, then the same backwards
_SIDE = 400  # pixels of a cut-out
_EDGE = 0.15  # of the oval's radius, over which it fades
_SEEN = 0.5  # of a face at least, or it is not there

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]


class Place(NamedTuple):
    """Where a face is: its centre and size in pixels, and its quarter turns to the left.

    The size is the square root of the area of its points' box, as of ``face_px``.
    """

    x: float
    y: float
    size: float
    turns: int = 0


Walk = Callable[[int], Place | None]  # somebody's place in each frame of a shot


@dataclass(frozen=True, eq=False)
class Face:
    """One person's face.

    Attributes:
        pictures: cut-outs, squares of two sizes of the face.
        boxes: of the points in each: left, top, right and bottom as shares of the side.
    """

    pictures: list[Picture]
    boxes: list[Floats]

    def at(self, frame: int, turns: int) -> tuple[Picture, Floats]:
        """The cut-out of a frame and its box."""
        around = 2 * len(self.pictures) - 2
        index = min(frame % around, -frame % around)
        left, top, right, bottom = self.boxes[index]
        for _ in range(turns % 4):
            left, top, right, bottom = top, 1 - right, bottom, 1 - left
        return np.rot90(self.pictures[index], turns), np.array([left, top, right, bottom])


@dataclass(frozen=True)
class Shot:
    """A part of a video between cuts: everybody's path, the one who passes in front last."""

    n_frames: int
    paths: Mapping[int, Walk]
    background: int = 0  # seed


@dataclass(frozen=True, eq=False)
class Crowd:
    """A video and its truth.

    Attributes:
        clip: its file.
        boxes_TN4: left, top, right and bottom of each person's points in pixels; NaN where less
            than half of the face is in the picture and not covered.
    """

    clip: Path
    boxes_TN4: Floats


class Score(NamedTuple):
    """How well people were followed: CLEAR MOT and identity measures, at a overlap of a half.

    Bernardin and Stiefelhagen (2008, 10.1155/2008/246309); Ristani et al. (2016, arXiv:1609.01775).
    """

    switches: int  # times that a person's number changed
    idf1: float
    missed: int  # faces that were there and not seen
    invented: int  # faces that were seen and not there
    people: int  # who were seen


def cut_out(clip: Path, model: Path, gains: Sequence[float] = (1.0, 1.0, 1.0)) -> Face:
    """The face of a clip that shows one from its start, as MediaPipe's landmarker sees it."""
    source = Clip(clip, FPS)
    frames, seen = [], []
    with Landmarker(model.read_bytes()) as landmarker:
        for (_, time, picture), _ in zip(source.frames(), range(_FRAMES), strict=False):
            assert picture is not None
            (sighting,) = landmarker.look(picture, round(1000 * time))
            frames.append(picture)
            seen.append(sighting.face.landmarks_PC)
    boxes_T4 = boxes(np.array(seen), source.width, source.height)
    sizes_T2 = boxes_T4[:, 2:] - boxes_T4[:, :2]
    size = float(np.median(np.sqrt(sizes_T2.prod(axis=1))))
    x, y = np.median(boxes_T4[:, :2] + sizes_T2 / 2, axis=0)
    scale = _SIDE / (2 * size)
    matrix = np.array([[scale, 0, _SIDE / 2 - scale * x], [0, scale, _SIDE / 2 - scale * y]])
    cuts = [
        cv2.warpAffine(frame, matrix, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
        for frame in frames
    ]
    pictures = [(cut * np.array(gains)).astype(np.uint8) for cut in cuts]
    corners = boxes_T4.reshape(-1, 2, 2) * scale + matrix[:, 2]
    return Face(pictures, list(corners.reshape(-1, 4) / _SIDE))


def boxes(landmarks_TPC: NDArray[np.float32], width: int, height: int) -> Floats:
    """The box of the points in each frame, (T, 4), in pixels; NaN without a face."""
    points = landmarks_TPC[..., :2].astype(float) * (width, height)
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)


def people(folder: Path | None, model: Path) -> list[Face]:
    """Six people: of the real clips in a folder; without one, of the demo's clips."""
    if folder is not None:
        return [cut_out(folder / f"{name}.mp4", model) for name in _REAL]
    demo = ROOT / "data/raw/demo/clips"
    return [cut_out(demo / f"{name}.mp4", model, gains) for name, gains in _DYED.items()]


def film(path: Path, faces: Sequence[Face], shots: Iterable[Shot]) -> Crowd:
    """Write a video of shots with cuts between them; people are numbered as ``faces`` are."""
    truth: list[Floats] = []
    with av.open(path, "w") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"crf": "18", "preset": "veryfast"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for shot in shots:
            background = _background(shot.background)
            for t in range(shot.n_frames):
                picture, boxes_N4 = _picture(background, faces, shot, t, len(truth))
                frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = len(truth), Fraction(1, FPS)
                container.mux(stream.encode(frame))
                truth.append(boxes_N4)
        container.mux(stream.encode())
    return Crowd(path, np.array(truth))


def _background(seed: int) -> Picture:
    """Smooth colours."""
    few = np.random.default_rng(seed).integers(100, 180, (5, 9, 3), dtype=np.uint8)
    return cv2.resize(few, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _picture(
    background: Picture, faces: Sequence[Face], shot: Shot, t: int, frame: int
) -> tuple[Picture, Floats]:
    """A frame of a shot, and the boxes (N, 4) of those who are in it."""
    picture = background.copy()
    front = np.full(picture.shape[:2], -1, np.int8)  # whose face a pixel shows
    boxes_N4 = np.full((len(faces), 4), np.nan)
    for person, path in shot.paths.items():
        if place := path(t):
            cut, box = faces[person].at(frame, place.turns)
            side = round(2 * place.size)
            way = cv2.INTER_AREA if side < len(cut) else cv2.INTER_CUBIC
            left, top = round(place.x - side / 2), round(place.y - side / 2)
            sized = cv2.resize(cut, (side, side), interpolation=way)
            _paste(picture, front, sized, left, top, person)
            boxes_N4[person] = box * side + (left, top, left, top)
    for person in (person for person, path in shot.paths.items() if path(t)):
        left, top, right, bottom = boxes_N4[person].round().astype(int)
        shown = front[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] == person
        if shown.sum() < _SEEN * (right - left) * (bottom - top):
            boxes_N4[person] = np.nan
    return picture, boxes_N4


def _paste(
    picture: Picture, front: NDArray[np.int8], cut: Picture, left: int, top: int, person: int
) -> None:
    """Draw an oval cut-out."""
    side = len(cut)
    from_middle = (np.arange(side) + 0.5) / (side / 2) - 1
    radius = np.hypot(from_middle[:, None], from_middle)
    opacity = ((1 - radius) / _EDGE).clip(0, 1).astype(np.float32)
    # What of it lies in the picture.
    part = (slice(max(0, -top), max(0, HEIGHT - top)), slice(max(0, -left), max(0, WIDTH - left)))
    opacity, cut = opacity[part], cut[part]
    height, width = opacity.shape
    if opacity.size:
        place = slice(max(0, top), max(0, top) + height), slice(max(0, left), max(0, left) + width)
        below = picture[place].astype(np.float32)
        picture[place] = np.rint(below + opacity[..., None] * (cut - below))
        front[place][opacity > 0.5] = person


def stay(x: float, y: float, size: float = 200, turns: int = 0) -> Walk:
    """Stand still."""
    return lambda t: Place(x, y, size, turns)


def walk(
    start: tuple[float, float], end: tuple[float, float], n_frames: int, size: float = 180
) -> Walk:
    """Move in a straight line, there in so many frames, and on."""
    way = np.subtract(end, start) / n_frames
    return lambda t: Place(start[0] + t * way[0], start[1] + t * way[1], size)


def within(path: Walk, start: int, end: int) -> Walk:
    """A path of which only the frames start <= t < end are there."""
    return lambda t: path(t) if start <= t < end else None


def waves(phase: int, size: float) -> Walk:
    """Walk to and fro, up and down."""
    return lambda t: Place(
        640 + 450 * math.sin(math.tau * (t / 100 + phase / 4) + phase),
        360 + 120 * math.cos(math.tau * (t / 77 + phase / 3)),
        size,
    )


def swell(x: float, y: float, size: float, more: float) -> Walk:
    """Come nearer by so many pixels and go back, or the other way round, in 100 frames."""
    return lambda t: Place(x, y, size + more * (1 - math.cos(math.tau * t / 100)) / 2)


_LEFT, _MIDDLE, _RIGHT = (300, 360), (640, 360), (950, 370)
SCENES = {
    "two cross": [Shot(80, {0: walk((200, 360), (1080, 360), 80),
                            1: walk((1080, 370), (200, 370), 80)})],
    "two alike cross": [Shot(80, {2: walk((200, 360), (1080, 360), 80),
                                  3: walk((1080, 370), (200, 370), 80)})],
    "one leaves and comes back": [
        Shot(120, {4: stay(900, 380), 0: lambda t: Place(abs(12 * (t - 60)) - 320, 350, 180)})
    ],
    "both leave and come back on the other side": [
        Shot(40, {0: stay(*_LEFT), 1: stay(*_RIGHT)}),
        Shot(40, {}),
        Shot(40, {1: stay(*_LEFT), 0: stay(*_RIGHT)}),
    ],
    "one comes nearer, one goes away": [Shot(100, {0: swell(350, 360, 80, 220),
                                                   5: swell(950, 360, 300, -220)})],
    "one comes later, for a while": [Shot(100, {0: stay(350, 360),
                                                5: within(stay(900, 360, 230), 30, 80)})],
    "cuts": [
        Shot(30, {0: stay(*_LEFT), 1: stay(*_RIGHT)}, 0),
        Shot(30, {2: stay(*_LEFT), 5: stay(*_RIGHT)}, 1),
        Shot(30, {1: stay(*_LEFT), 0: stay(*_RIGHT)}, 2),
        Shot(30, {2: stay(*_MIDDLE, 250)}, 3),
        Shot(30, {3: stay(*_MIDDLE, 250)}, 4),
    ],
    "four walk about": [Shot(150, {i: waves(i, 110 + 20 * i) for i in range(4)})],
}  # fmt: skip
"""Scenes for ``film``: of six people, at 25 frames a second."""


def score(crowd: Crowd, seen: Detection) -> Score:
    """Compare who was seen with the truth."""
    facts = seen.facts
    found_PT4 = np.array(
        [boxes(p.trajectory().landmarks_TPC, facts.width, facts.height) for p in seen.people]
    )
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for t, truth_N4 in enumerate(crowd.boxes_TN4):
        there = np.flatnonzero(np.isfinite(truth_N4[:, 0]))
        found = np.flatnonzero(np.isfinite(found_PT4[:, t, 0]))
        accumulator.update(there, found, _apart(truth_N4[there], found_PT4[found, t]))
    names = ["num_switches", "idf1", "num_misses", "num_false_positives"]
    row = motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0]
    count = int(np.isfinite(found_PT4[..., 0]).any(axis=1).sum())
    return Score(int(row.iloc[0]), float(row.iloc[1]), int(row.iloc[2]), int(row.iloc[3]), count)


def _apart(one_N4: Floats, other_M4: Floats) -> Floats:
    """One less the overlap (intersection over union) of boxes, (N, M); NaN if below a half."""
    first, second = (np.hstack([b[:, :2], b[:, 2:] - b[:, :2]]) for b in (one_N4, other_M4))
    apart = 1 - motmetrics.distances.boxiou(first[:, None], second[None])
    return np.where(apart > 0.5, np.nan, apart)

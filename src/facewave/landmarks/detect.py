"""One clip -> the trajectory of one face: decoded by ``video``, looked at by an engine.

Memory does not grow with the clip: whose face is followed is known only at its end, so all faces go
to a temporary file until then.
"""

import math
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.errors import native_log_off
from facewave.landmarks import engines, follow, quality, schema
from facewave.landmarks.engines.engine import Face, Lookout
from facewave.landmarks.schema import CHUNK, ClipFacts, Trajectory
from facewave.params import EngineName, Landmarks
from facewave.video import Clip

FACES = 5  # looked for in a clip that shows more than one
_LOOK_OUT_S = 1.0  # how often a second face is looked for
_SHARP_S = 0.2  # how often sharpness is measured
_TRUNCATED_BELOW = 0.9  # of what the header promises, which is off by a few frames where sound is
_IN_MEMORY = 1 << 24  # bytes, 2,700 sightings; more go to a temporary file
_SIGHTING = np.dtype(  # fields as in a Trajectory
    [
        ("sharpness_T", "<f4"),
        ("landmarks_TPC", "<f4", (schema.POINTS, schema.COORDINATES)),
        ("blendshapes_TB", "<f4", (schema.BLENDSHAPES,)),
        ("pose_T44", "<f4", (4, 4)),
    ]
)


class _Sightings:
    """All faces seen in a clip."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._tracks = follow.Tracks()
        self._next_sharp = -math.inf
        self._order: list[tuple[int, int, float]] = []  # row, track, prominence of each

    def add(self, row: int, time: float, picture: NDArray[np.uint8], faces: list[Face]) -> int:
        """Store the faces of a frame; return their number, without faces that were found twice."""
        height, width = picture.shape[:2]
        spots = [quality.spot(face.landmarks_PC, width, height) for face in faces]
        tracks = self._tracks.place(time, spots)
        measured = bool(faces) and time >= self._next_sharp
        if measured:
            self._next_sharp = time + _SHARP_S
        for face, spot, track in zip(faces, spots, tracks, strict=True):
            if track is not None:
                sharp = quality.sharpness(picture, spot) if measured else math.nan
                values = (sharp, face.landmarks_PC, face.blendshapes_B, face.pose_44)
                self._file.write(np.array(values, _SIGHTING).tobytes())
                prominence = follow.prominence(self._rule, spot, width, height)
                self._order.append((row, track, prominence))
        return len(set(tracks) - {None})

    def followed(self, n_frames: int) -> NDArray[np.int64]:
        """Each frame's sighting of the followed face, -1 for none."""
        sightings = np.full(n_frames, -1)
        order = np.array(self._order, [("row", "i8"), ("track", "i8"), ("prominence", "f8")])
        chosen = np.flatnonzero(follow.followed(order["row"], order["track"], order["prominence"]))
        sightings[order["row"][chosen]] = chosen
        return sightings

    def read(self, which: NDArray[np.int64]) -> NDArray[Any]:
        """Some sightings, in increasing order and near each other in the file."""
        self._file.seek(int(which[0]) * _SIGHTING.itemsize)
        content = self._file.read(int(which[-1] - which[0] + 1) * _SIGHTING.itemsize)
        return np.frombuffer(content, _SIGHTING)[which - which[0]]


@dataclass(frozen=True, eq=False)
class Detection:
    """What was seen of a clip."""

    facts: ClipFacts  # with a problem if it cannot be opened or ends too early
    names: tuple[str, ...]  # of the blendshapes, none if no face was seen
    _frames: NDArray[Any]  # number, time and faces of each
    _sightings: _Sightings

    def chunks(self) -> Iterator[Trajectory]:
        """The followed face's trajectory, CHUNK frames at a time."""
        followed = self._sightings.followed(len(self._frames))
        for start in range(0, len(self._frames), CHUNK):
            part = slice(start, start + CHUNK)
            which, valid = followed[part], followed[part] >= 0
            chunk = replace(
                schema.blank(len(which), self.names),
                frames_T=self._frames["number"][part],
                times_T=self._frames["time"][part],
                valid_T=valid,
                faces_T=self._frames["faces"][part],
            )
            if valid.any():
                values = self._sightings.read(which[valid])
                for name in _SIGHTING.fields or ():
                    getattr(chunk, name)[valid] = values[name]
            yield chunk

    def trajectory(self) -> Trajectory:
        """The whole trajectory in one piece."""
        return schema.joined(list(self.chunks()))


@native_log_off()
def detect(clip: Path, model: Path, fps: float, settings: Landmarks, faces: int = 1) -> Detection:
    """Detect the face in the frames of a clip: a video, a picture or a folder of pictures.

    First as if the clip had a single face, which is fast and smooth; if a second face appears, once
    more for up to ``FACES`` faces. ``model`` is the landmarker's file, ``fps`` is of pictures.
    """
    source = Clip(clip, fps)
    frames: list[tuple[int, float, int]] = []  # number, time, faces
    sightings = _Sightings(settings.whose)
    milliseconds, next_look = -1, -math.inf
    # A new landmarker for each clip: it follows faces from frame to frame and cannot be reset.
    with engines.get(settings.engine).landmarker(model.read_bytes(), faces) as landmarker:
        for number, time, picture in source.frames(settings.rate):
            count = 0
            if picture is not None:
                picture = _shrink(picture, settings.max_side)
                if faces == 1 and time >= next_look:
                    next_look = time + _LOOK_OUT_S
                    if _lookout(model, settings.engine).several(picture):
                        return detect(clip, model, fps, settings, FACES)
                # The landmarker wants whole, increasing milliseconds.
                milliseconds = max(milliseconds + 1, round(time * 1000))
                seen = landmarker.look(picture, milliseconds)
                count = sightings.add(len(frames), time, picture, seen)
            frames.append((number, time, count))
    table = np.array(frames, [("number", "i4"), ("time", "f8"), ("faces", "i2")])
    table["time"] -= table["time"][:1]
    return Detection(_facts(source, table["time"]), landmarker.names, table, sightings)


def _shrink(picture: NDArray[np.uint8], side: float | str) -> NDArray[np.uint8]:
    """The picture with its longer side at most ``side`` pixels."""
    scale = 1.0 if isinstance(side, str) else side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(scale * length)) for length in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


@cache
def _lookout(model: Path, engine: EngineName) -> Lookout:
    return engines.get(engine).lookout(model.read_bytes())


def _facts(source: Clip, times_T: NDArray[np.float64]) -> ClipFacts:
    """The header's facts, and the problems that only decoding shows."""
    facts = ClipFacts(source.fps, source.width, source.height, source.declared_frames)
    if source.problem:
        return replace(facts, problem=source.problem)
    # Too few frames prove nothing: with variable frame rates headers count nominal ones, and of a
    # clip that was cut without encoding it anew those that are not shown as well.
    fewer = source.decoded < _TRUNCATED_BELOW * facts.declared_frames
    if fewer and schema.duration(times_T) < _TRUNCATED_BELOW * source.duration:
        count = f"{source.decoded} of {facts.declared_frames}"
        return replace(facts, problem=f"truncated: {count} frames can be decoded")
    return facts

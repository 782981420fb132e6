"""One clip -> a trajectory of each person in it: decoded by ``video``, looked at by an engine.

Memory does not grow with the clip: who is who is known only at its end, so all faces go to a
temporary file until then.
"""

import math
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.errors import native_log_off
from facewave.landmarks import engines, follow, people, quality, schema
from facewave.landmarks.engines.engine import Landmarker, Sighting
from facewave.landmarks.engines.tracker import Models
from facewave.landmarks.people import Track
from facewave.landmarks.schema import CHUNK, ClipFacts, Trajectory
from facewave.params import Landmarks
from facewave.video import Clip, Frame

_MEASURE_S = 0.2  # how often a face's sharpness is measured, and how it looks
_SHAPES = 8  # sightings from which the shape of a face is told
TRUNCATED_BELOW = 0.9  # of what the header promises, which is off by a few frames where sound is
_IN_MEMORY = 1 << 24  # bytes, 2,700 sightings; more go to a temporary file
_SIGHTING = np.dtype(  # fields as in a Trajectory
    [
        ("sharpness_T", "<f4"),
        ("landmarks_TPC", "<f4", (schema.POINTS, schema.COORDINATES)),
        ("blendshapes_TB", "<f4", (schema.BLENDSHAPES,)),
        ("pose_T44", "<f4", (4, 4)),
    ]
)


class Sightings:
    """All faces seen in a clip."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._measure_at: dict[int, float] = {}  # track: when its picture is looked at again
        self._order: list[tuple[int, int, tuple[float, ...]]] = []  # row, track, prominence
        self._tracks: dict[int, people.Track] = {}
        self._aspect = 1.0  # of the pictures: width over height

    def add(self, row: int, time: float, picture: NDArray[np.uint8], seen: list[Sighting]) -> None:
        """Store the faces of a frame."""
        height, width = picture.shape[:2]
        self._aspect = width / height
        for track, face, shot in seen:
            spot = quality.spot(face.landmarks_PC, width, height)
            sharp = math.nan
            if time >= self._measure_at.get(track, -math.inf):
                self._measure_at[track] = time + _MEASURE_S
                sharp = quality.sharpness(picture, spot)
                known = self._tracks.get(track, people.track(time, spot, shot))
                self._tracks[track] = known.seen_as(people.looks(picture, spot))
            self._tracks[track] = replace(self._tracks[track], end=time, last=spot)
            values = (sharp, face.landmarks_PC, face.blendshapes_B, face.pose_44)
            self._file.write(np.array(values, _SIGHTING).tobytes())
            prominence = tuple(follow.prominence(r, spot, width, height) for r in follow.RULES)
            self._order.append((row, track, prominence))

    def people(self, n_frames: int) -> list[tuple[NDArray[np.int64], dict[str, float]]]:
        """Each person's sighting in every frame, -1 for none, and how much it counts by each rule.

        There is always one person, who may never be seen.
        """
        tracks = list(self._tracks.values())
        if len(tracks) > 1:
            tracks = [track for track, _ in self.tracks().values()]
        numbers = dict(zip(self._tracks, people.link(tracks), strict=True))
        count = max(numbers.values(), default=0) + 1
        sightings, sums = np.full((count, n_frames), -1), np.zeros((count, len(follow.RULES)))
        for at, (row, track, prominence) in enumerate(self._order):
            sightings[numbers[track], row] = at
            sums[numbers[track]] += prominence
        return [
            (which, dict(zip(follow.RULES, map(float, sums_R.round(6)), strict=True)))
            for which, sums_R in zip(sightings, sums, strict=True)
        ]

    def tracks(self) -> dict[int, tuple[Track, NDArray[np.int64]]]:
        """Each track with the shape of its face, and its sightings."""
        sightings: dict[int, list[int]] = {track: [] for track in self._tracks}
        for at, (_, track, _) in enumerate(self._order):
            sightings[track].append(at)
        return {
            of: (replace(track, shape=self._shape(sightings[of])), np.array(sightings[of]))
            for of, track in self._tracks.items()
        }

    def rows(self, which: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of some sightings, as ``add`` was given them."""
        return np.array([self._order[at][0] for at in which], np.int64)

    def _shape(self, sightings: list[int]) -> NDArray[np.float64]:
        """The shape of the face in some sightings."""
        some = sightings[:: max(1, len(sightings) // _SHAPES)]
        values = np.concatenate([self.read(np.array([at])) for at in some])
        return people.shape(values["landmarks_TPC"], values["pose_T44"], self._aspect)

    def fill(self, chunk: Trajectory, which: NDArray[np.int64]) -> None:
        """Write some sightings, as ``read``, into the valid frames of a chunk."""
        values = self.read(which)
        for name in _SIGHTING.fields or ():
            getattr(chunk, name)[chunk.valid_T] = values[name]

    def read(self, which: NDArray[np.int64]) -> NDArray[Any]:
        """Some sightings, in increasing order and near each other in the file."""
        self._file.seek(int(which[0]) * _SIGHTING.itemsize)
        content = self._file.read(int(which[-1] - which[0] + 1) * _SIGHTING.itemsize)
        return np.frombuffer(content, _SIGHTING)[which - which[0]]


@dataclass(frozen=True, eq=False)
class Person:
    """A person of a clip."""

    prominence: dict[str, float]  # how much it counts by each rule of landmarks.whose
    _names: tuple[str, ...]
    _frames: NDArray[Any]
    _sightings: Sightings
    _which: NDArray[np.int64]  # sighting of each frame, -1 for none

    def chunks(self) -> Iterator[Trajectory]:
        """The person's trajectory, CHUNK frames at a time."""
        for start in range(0, len(self._frames), CHUNK):
            part = slice(start, start + CHUNK)
            which, valid = self._which[part], self._which[part] >= 0
            chunk = replace(
                schema.blank(len(which), self._names),
                frames_T=self._frames["number"][part],
                times_T=self._frames["time"][part],
                valid_T=valid,
                faces_T=self._frames["faces"][part],
            )
            if valid.any():
                self._sightings.fill(chunk, which[valid])
            yield chunk

    def trajectory(self) -> Trajectory:
        """The whole trajectory in one piece."""
        return schema.joined(list(self.chunks()))


@dataclass(frozen=True, eq=False)
class Detection:
    """What was seen of a clip."""

    facts: ClipFacts  # with a problem if it cannot be opened or ends too early
    names: tuple[str, ...]  # of the blendshapes, none if no face was seen
    people: tuple[Person, ...]  # at least one, who is never seen where there is no face

    def person(self, whose: str) -> Person:
        """The one who counts most by a rule of landmarks.whose."""
        return max(self.people, key=lambda person: person.prominence[whose])


@native_log_off()
def detect(
    clip: Path, model: Path, fps: float, settings: Landmarks, models: Models | None = None
) -> Detection:
    """Follow all faces in a clip: a video, a picture or a folder of pictures.

    ``model`` is the landmarker's file, ``fps`` is of pictures; ``models`` answer in place of the
    engine's own.
    """
    source = Clip(clip, fps)
    frames: list[tuple[int, float, int]] = []  # number, time, faces
    sightings = Sightings()
    following = engines.landmarker(settings.engine, model.read_bytes(), settings.smooth, models)
    with following as landmarker:
        for frame, shrunk, seen in looks(source, landmarker, settings):
            if shrunk is not None:
                sightings.add(len(frames), frame.time, shrunk, seen)
            frames.append((frame.number, frame.time, len(seen)))
    table = np.array(frames, [("number", "i4"), ("time", "f8"), ("faces", "i2")])
    table["time"] -= table["time"][:1]
    names = landmarker.names
    seen_people = tuple(
        Person(prominence, names, table, sightings, which)
        for which, prominence in sightings.people(len(table))
    )
    promised = ClipFacts(source.fps, source.width, source.height, source.declared_frames)
    length = schema.duration(table["time"])
    problem = source.problem or cut_off(promised, source.duration, source.decoded, length)
    return Detection(replace(promised, problem=problem), names, seen_people)


def looks(
    source: Clip, landmarker: Landmarker, settings: Landmarks
) -> Iterator[tuple[Frame, NDArray[np.uint8] | None, list[Sighting]]]:
    """Each frame that is looked at, its picture as the landmarker saw it (or None), its faces."""
    milliseconds = -1
    for frame in source.frames(settings.rate):
        if frame.picture is None:
            yield frame, None, []
            continue
        shrunk = _shrink(frame.picture, settings.max_side)
        # The landmarker wants whole, increasing milliseconds.
        milliseconds = max(milliseconds + 1, round(frame.time * 1000))
        yield frame, shrunk, landmarker.look(shrunk, milliseconds)


def _shrink(picture: NDArray[np.uint8], side: float | str) -> NDArray[np.uint8]:
    """The picture with its longer side at most ``side`` pixels."""
    scale = 1.0 if isinstance(side, str) else side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(scale * length)) for length in picture.shape[1::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def cut_off(facts: ClipFacts, promised_s: float, decoded: int, length_s: float) -> str:
    """What is wrong with a clip that is shorter than its header promises, "" if it is not.

    Args:
        facts: what the header says,
        promised_s: also of the duration.
        decoded: frames.
        length_s: of these.
    """
    # Too few frames prove nothing: with variable frame rates headers count nominal ones, and of a
    # clip that was cut without encoding it anew those that are not shown as well.
    fewer = decoded < TRUNCATED_BELOW * facts.declared_frames
    if fewer and length_s < TRUNCATED_BELOW * promised_s:
        return f"truncated: {decoded} of {facts.declared_frames} frames can be decoded"
    return ""

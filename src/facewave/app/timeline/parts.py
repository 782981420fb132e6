"""A part of a recording -> the tracks of all faces in it, and their cut-out pictures.

A part begins with a keyframe and is decoded once, on its own; what is seen of it is kept in the
cache (kept.py), and no more of it is ever in memory than a few seconds.
"""

import hashlib
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock
from numpy.typing import NDArray

from facewave import assets, pool, shards
from facewave.app.timeline import shots
from facewave.app.timeline.kept import (
    FACES,
    FRAME,
    VERSION,
    WRITING,
    Seen,
    faces_of,
    is_kept,
    write,
)
from facewave.errors import UserError, native_log_off
from facewave.faces import crop
from facewave.faces.schema import CHUNK as FACES_CHUNK
from facewave.landmarks import cache, detect, engines, quality, schema
from facewave.landmarks.engines.engine import Sighting
from facewave.landmarks.schema import CHUNK, ClipFacts
from facewave.marks import Marks
from facewave.params import Params
from facewave.video import Clip, Frame, Part

LENGTH_S = 60.0  # of a part, about: it begins with the first keyframe after that
STILL_S = 0.04  # how long a frame lasts that is the only one
_USUAL = 25  # steps between frames of which the median is usual


def divided(marks: Marks, length_s: float) -> list[Part | None]:
    """Parts of a recording of about this length; [None] if it can only be read in one piece."""
    if not marks.whole or not marks.shown or not marks.shown[0].is_keyframe:
        return [None]
    if any(mark.pts == after.pts for mark, after in zip(marks.shown, marks.shown[1:])):  # noqa: B905
        return [None]
    times = [marks.time(mark.pts) for mark in marks.shown]
    firsts = [0]
    for number, mark in enumerate(marks.shown):
        if mark.is_keyframe and times[number] - times[firsts[-1]] >= length_s:
            firsts.append(number)
    if len(firsts) == 1:
        return [None]
    ends = [*(marks.shown[number].pts for number in firsts[1:]), None]
    before = [-math.inf, *(times[number - 1] for number in firsts[1:])]
    return [
        Part(marks.shown[number].pts, end, number, times[0], last)
        for number, end, last in zip(firsts, ends, before, strict=True)
    ]


def key(digest: str, fps: float, part: Part | None, settings: Params) -> str:
    """The name under which a part is kept, by the SHA-256 of the recording."""
    look, version = settings.landmarks, (VERSION, cache.VERSION, crop.VERSION)
    identity: dict[str, Any] = {"clip": digest, "version": version, "faces": asdict(settings.faces)}
    identity |= {"landmarker": assets.LANDMARKER.sha256, "engine": look.engine, "fps": fps}
    identity |= {"rate": look.fps, "max_side": look.max_side, "smooth": look.smooth}
    identity |= {"part": None if part is None else [part.start, part.end]}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@native_log_off()
def look(
    file: Path, video: Path, fps: float, part: Part | None, model: Path, settings: Params,
    version: int, tell: Callable[[float], object] = lambda _: None,
) -> None:  # fmt: skip
    """Look at a part, unless it is in the cache, and keep what is seen.

    Args:
        file: ``place`` of its key.
        video: the recording.
        fps: of pictures.
        part: None: all of it.
        model: the landmarker's file.
        settings: params.yaml.
        version: VERSION of whoever asks.
        tell: is called with the time of every frame that was looked at (s).
    """
    if version != VERSION:
        raise UserError(pool.OTHER_VERSION)
    # Of two runs of one recording the second waits; a killed one gives its lock up.
    lock = FileLock(file.with_suffix(".lock"))
    file.parent.mkdir(parents=True, exist_ok=True)
    with lock:
        if not is_kept(file):
            for left in file.parent.glob(f".{file.stem}*"):  # of a run that was killed
                left.unlink()
            _look(file, Clip(video, fps, part), part, model, settings, tell)
    Path(lock.lock_file).unlink(missing_ok=True)


def _look(
    file: Path, source: Clip, part: Part | None, model: Path, settings: Params,
    tell: Callable[[float], object],
) -> None:  # fmt: skip
    """Look at a part's frames, and keep what is seen."""
    sightings, watch = detect.Sightings(), shots.Watch()
    frames: list[tuple[int, float, int]] = []
    segment, number_of = 0, dict[tuple[int, int], int]()  # (track, segment) -> piece
    steps = deque[float](maxlen=_USUAL)
    following = engines.landmarker(
        settings.landmarks.engine, model.read_bytes(), settings.landmarks.smooth
    )
    with (
        shards.shard(faces_of(file), lambda at: shards.Writer(at, FACES, WRITING)) as writer,
        following as landmarker,
    ):
        cutting = _Faces(writer, settings, None if part is None else part.origin)
        for frame, shrunk, seen in detect.looks(source, landmarker, settings.landmarks):
            step = frame.time - frames[-1][1] if frames else 0.0
            is_hole = bool(steps) and bool(quality.is_hole(np.array(step), median(steps)))
            segment += watch.add(frame.time, shrunk) or is_hole
            if frames:
                steps.append(step)
            seen = [
                one._replace(track=number_of.setdefault((one.track, segment), len(number_of)))
                for one in seen
            ]
            if shrunk is not None:
                sightings.add(len(frames), frame.time, shrunk, seen)
            cutting.add(frame, seen)
            frames.append((frame.number, frame.time, len(seen)))
            tell(frame.time)
        cutting.write()
        writer.end(file.stem, {})
    table = np.array(frames, FRAME)
    facts = ClipFacts(source.fps, source.width, source.height, source.declared_frames)
    facts = replace(facts, problem=source.problem)
    pieces = sightings.tracks()
    with schema.shard(file, landmarker.names) as of_tracks:
        for number, (_, which) in pieces.items():
            for chunk in _chunks(sightings, which, table, landmarker.names):
                of_tracks.add(chunk)
            of_tracks.end_clip(f"{number}", facts, {})
    lasts_T = _lasting(table["time"])
    rows = {number: sightings.rows(which) for number, (_, which) in pieces.items()}
    write(
        file,
        Seen(
            facts, source.duration, source.decoded, landmarker.names, table, watch.changes(),
            ends(watch.first), ends(watch.last),
            {number: track for number, (track, _) in pieces.items()},
            {number: track for (track, _), number in number_of.items() if number in pieces},
            {number: len(rows_n) for number, rows_n in rows.items()},
            {number: float(lasts_T[rows_n].sum()) for number, rows_n in rows.items()},
        ),
    )  # fmt: skip


class _Faces:
    """Cuts out the first face of each piece in each interval, and writes them."""

    def __init__(self, writer: shards.Writer, settings: Params, origin: float | None) -> None:
        self._writer, self._settings, self._origin = writer, settings.faces, origin
        self._intervals: dict[int, int] = {}  # piece: the last interval in which it was cut out
        self._rows: list[tuple[int, int, bytes | None, NDArray[np.float32]]] = []

    def add(self, frame: Frame, seen: list[Sighting]) -> None:
        """The faces of a frame."""
        if self._origin is None:
            self._origin = frame.time
        interval = crop.interval(frame.time - self._origin, self._settings.fps)
        for piece, face, _ in seen:
            if self._intervals.get(piece) == interval:
                continue
            self._intervals[piece] = interval
            try:
                cut = crop.face(frame.picture, face.landmarks_PC[:, :2], self._settings)
            except ValueError:
                cut = None, np.full(5, np.nan, np.float32)
            self._rows.append((piece, frame.number, *cut))
        if len(self._rows) >= FACES_CHUNK:
            self.write()

    def write(self) -> None:
        """Write what is not yet written."""
        if self._rows:
            pieces, frames, pictures, squares = zip(*self._rows, strict=True)
            columns = [pieces, frames, pictures, *np.stack(squares).T]
            arrays = [pa.array(c, kind.type) for c, kind in zip(columns, FACES, strict=True)]
            self._writer.add_rows(pa.table(arrays, schema=self._writer.schema))
            self._rows = []


def _chunks(
    sightings: detect.Sightings, which: NDArray[np.int64], table: NDArray[Any],
    names: tuple[str, ...],
) -> Iterator[schema.Trajectory]:  # fmt: skip
    """A piece's sightings, CHUNK at a time."""
    for start in range(0, len(which), CHUNK):
        some = which[start : start + CHUNK]
        of = table[sightings.rows(some)]
        chunk = replace(
            schema.blank(len(some), names),
            frames_T=of["number"],
            times_T=of["time"],
            valid_T=np.ones(len(some), bool),
            faces_T=of["faces"],
        )
        sightings.fill(chunk, some)
        yield chunk


def _lasting(times_T: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long each frame is there (s): until the next, but before a hole as long as usual."""
    steps = np.diff(times_T)
    usual = float(np.median(steps)) if len(steps) else STILL_S
    lasts = np.where(quality.is_hole(steps, usual), usual, steps)
    return np.append(lasts, usual)[: len(times_T)]


def ends(
    some: Iterable[tuple[float, NDArray[np.uint8]]],
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Times and small pictures of an end of a part."""
    known = list(some)
    times = np.array([time for time, _ in known], np.float64)
    return times, np.array([picture for _, picture in known], np.uint8)

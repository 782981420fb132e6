"""What is kept of a recording's part in the cache: three files.

- ``<key>.parquet``: the sightings of each piece of a track, as landmarks/schema.py has a clip's
  frames; a piece is an entry, with row groups of its own. Where there may be a cut, one ends.
- ``<key>-faces.parquet``: the first face of each piece in each 1 / ``faces.fps`` s of the
  recording, as faces/schema.py has a clip's.
- ``<key>.npz``, written last: the frames, how the pictures change, and the pieces.
"""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facewave import shards
from facewave.app.timeline import shots
from facewave.files import cache_folder, replacing
from facewave.landmarks import people, schema
from facewave.landmarks.follow import Spot
from facewave.landmarks.schema import ClipFacts

VERSION = 2  # of what is kept: raise it with every change
SQUARE = ("x", "y", "side", "angle", "brightness")
FACES = pa.schema(
    [("piece", pa.int32()), ("frame", pa.int32()), ("picture", pa.binary())]
    + [(name, pa.float32()) for name in SQUARE],
    {"format": str(VERSION)},
)
WRITING = {"compression": "none", "use_dictionary": False, "write_statistics": False}
FRAME = np.dtype([("number", "i4"), ("time", "f8"), ("faces", "i2")])
_NUMBERS = 5  # of a piece


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen of a part, without the faces themselves.

    Attributes:
        facts: what the header says of the whole recording; ``problem`` if it cannot be opened.
        promised_s: the header's duration.
        decoded: frames.
        names: of the blendshapes.
        frames: that were looked at (``FRAME``); times as ``Clip`` tells them.
        changes: of the pictures.
        first, last: small pictures of both ends: their times, and (n, S, S, C).
        pieces: of tracks, number -> what was seen of it; its shot is 0.
        track_of: of which track each is.
        face_frames: of each piece.
        seen_s: how long they last.
    """

    facts: ClipFacts
    promised_s: float
    decoded: int
    names: tuple[str, ...]
    frames: NDArray[Any]
    changes: shots.Changes
    first: tuple[NDArray[np.float64], NDArray[np.uint8]]
    last: tuple[NDArray[np.float64], NDArray[np.uint8]]
    pieces: dict[int, people.Track]
    track_of: dict[int, int]
    face_frames: dict[int, int]
    seen_s: dict[int, float]


def place(key: str) -> Path:
    """The file of a part's sightings, whether it exists or not."""
    return cache_folder("timeline") / key[:2] / f"{key}.parquet"


def faces_of(file: Path) -> Path:
    """The file of a part's faces, beside that of its sightings."""
    return file.with_name(f"{file.stem}-faces.parquet")


def is_kept(file: Path) -> bool:
    """Whether a part is in the cache, whole."""
    try:
        told = shards.metadata(file)
    except (FileNotFoundError, shards.DamagedError):
        return False
    faces = shards.entries(faces_of(file), str(VERSION))
    return bool(told and faces) and read(file) is not None


def faces_in(
    file: Path, pieces: set[int]
) -> Iterator[tuple[int, bytes | None, NDArray[np.float32]]]:
    """Frame, picture and square of the faces of some pieces of a part, in order of time."""
    for table in shards.tables(faces_of(file)):
        chosen = np.isin(table["piece"].to_numpy(), list(pieces))
        some = table.filter(pa.array(chosen))
        squares = np.stack([some[name].to_numpy() for name in SQUARE], axis=1)
        pictures = some["picture"].to_pylist()
        yield from zip(some["frame"].to_pylist(), pictures, squares, strict=True)


def sightings_in(
    file: Path, pieces: set[int], first: int, last: int
) -> Iterator[schema.Trajectory]:
    """The sightings of some pieces of a part in frames with first <= number <= last."""
    for entry in shards.entries(file, schema.FORMAT):
        if int(entry.key) in pieces:
            for chunk in schema.chunks(file, entry.row_group, entry.row_groups):
                inside = (chunk.frames_T >= first) & (chunk.frames_T <= last)
                if inside.any():
                    yield chunk[inside]


def write(file: Path, seen: Seen) -> None:
    """Keep what was seen of a part; the file of its sightings is there already."""
    header = (
        *(seen.facts.fps, seen.facts.width, seen.facts.height, seen.facts.declared_frames),
        *(seen.promised_s, seen.decoded),
    )
    each = seen.pieces.items()
    numbers = [
        (track.start, track.end, track.count, seen.face_frames[number], seen.seen_s[number])
        for number, track in each
    ]
    content: dict[str, Any] = {
        "header": np.array(header, np.float64),
        "texts": np.array([seen.facts.problem, *seen.names], str),
        "frames": seen.frames,
        "changes": np.stack([seen.changes.step_T, seen.changes.lasting_T]),
        "first_times": seen.first[0], "first": seen.first[1],
        "last_times": seen.last[0], "last": seen.last[1],
        "pieces": np.array([(n, seen.track_of[n]) for n in seen.pieces], np.int64).reshape(-1, 2),
        "numbers": np.array(numbers, np.float64).reshape(-1, _NUMBERS),
        "spots": np.array([(*t.first, *t.last) for _, t in each], np.float64).reshape(-1, 6),
        "looks": np.array([t.looks for _, t in each], np.float64),
        "shapes": np.array([t.shape for _, t in each], np.float64),
    }  # fmt: skip
    with replacing(file.with_suffix(".npz")) as temporary, temporary.open("wb") as opened:
        np.savez(opened, **content)


def read(file: Path) -> Seen | None:
    """What was seen of a part, None if it is not in the cache, damaged or of another form."""
    try:
        with np.load(file.with_suffix(".npz"), allow_pickle=False) as kept:
            return _seen({name: kept[name] for name in kept.files})
    except (FileNotFoundError, LookupError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _seen(content: Mapping[str, NDArray[Any]]) -> Seen:
    fps, width, height, declared, promised_s, decoded = content["header"].tolist()
    problem, *names = content["texts"].tolist()
    pieces, track_of, face_frames, seen_s = {}, {}, {}, {}
    for at, (number, track_of_it) in enumerate(content["pieces"].tolist()):
        track_of[number] = track_of_it
        start, end, count, face_frames[number], seen_s[number] = content["numbers"][at].tolist()
        first, last = np.split(content["spots"][at], 2)
        pieces[number] = people.Track(
            start, end, Spot(*first.tolist()), Spot(*last.tolist()),
            content["looks"][at], int(count), 0, content["shapes"][at],
        )  # fmt: skip
        face_frames[number] = int(face_frames[number])
    return Seen(
        ClipFacts(fps, int(width), int(height), int(declared), problem), promised_s, int(decoded),
        tuple(names), content["frames"], shots.Changes(*content["changes"]),
        (content["first_times"], content["first"]), (content["last_times"], content["last"]),
        pieces, track_of, face_frames, seen_s,
    )  # fmt: skip

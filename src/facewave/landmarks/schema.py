"""The contract of data/landmarks/<dataset>/: trajectories in shards, an index beside them.

``part-*.parquet`` holds one row per frame that was looked at, never dropped, about the person
that landmarks.whose chooses: frame (its number in the source), time (s), valid (whether that face
was found), faces (how many were seen), sharpness (five times a second), landmarks (478 x 3, x and y
in picture widths and heights, z on x's scale), blendshapes (52, in [0, 1]) and pose (the 4 x 4
facial transformation matrix, row by row, cm); the last four float32, NaN where ``valid`` is false.
A clip has its own row groups, of up to ``CHUNK`` frames. The file's metadata has the blendshapes'
names (``blendshapes``) and an ``Entry`` for each clip (``clips``), as JSON. ``index.csv`` has one
row per clip or part of a clip: where it lies and how good it is (``INDEX``). With ``whose: all``
the other people of the clips are in the shards as well, and ``people.csv`` is the same index of
them.

Of a dataset of another tool's tracks, shards have the columns that the tool's files fill, and one
for each block of its signals (action_units, gaze, points68, head, other: lists of float32, NaN
where ``valid`` is false), whose channels' names are in the file's metadata (``channels``). Nobody
knows the picture's size there: width and height are 1, and points are in pixels.

Of a dataset whose clips are rows of a table of features there are no shards; ``functionals.npy``
(n, D) has their numbers in the order of the index, ``functionals.json`` the columns' names.

Legend of names: T frames, P points, C coordinates, B blendshapes.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facewave import shards
from facewave.errors import UserError
from facewave.files import read_csv, replacing, write_json
from facewave.landmarks.headpose import Head, separate
from facewave.params import Block, Measure

POINTS, COORDINATES, BLENDSHAPES = 478, 3, 52
# Attribute of a Trajectory -> column of a shard, type, and shape of one frame.
_COLUMNS: dict[str, tuple[str, type[np.generic], tuple[int, ...]]] = {
    "frames_T": ("frame", np.int32, ()),
    "times_T": ("time", np.float64, ()),
    "valid_T": ("valid", np.bool_, ()),
    "faces_T": ("faces", np.int16, ()),
    "sharpness_T": ("sharpness", np.float32, ()),
    "landmarks_TPC": ("landmarks", np.float32, (POINTS, COORDINATES)),
    "blendshapes_TB": ("blendshapes", np.float32, (BLENDSHAPES,)),
    "pose_T44": ("pose", np.float32, (4, 4)),
}
_WRITING = {"compression": "zstd", "compression_level": 3, "use_dictionary": False}
FORMAT = "1"  # of the files: raise it with every change, and every clip is detected again
MEASURED = "2"  # the meaning of MEASURES: raise it with every change, and all clips are remeasured
CHUNK = 1024  # frames, 6 MB: what is held in memory of a clip, however long it is
# What is measured of each row's part of its clip; params.yaml may limit any of them.
MEASURES: dict[Measure, str] = {
    "frames": "frames looked at",
    "face_frames": "frames with the followed face",
    "face_share": "share of the frames with the followed face",
    "others_share": "share of the frames with other faces only",
    "duration": "seconds, the last frame included",
    "longest_gap": "seconds without the followed face, holes between frames included",
    "face_px": "pixels, the square root of the face's area, median",
    "sharpness": "spread of the Laplacian of the grey face at 128 x 128 pixels, median",
    "yaw": "degrees away from the camera to the side, 95th percentile",
    "pitch": "degrees up or down, 95th percentile",
    "roll": "degrees in the picture's plane, 95th percentile",
    "jumps": "moves by more than half a face's size from one frame with a face to the next",
    "still": "blendshapes that never move by more than 0.001",
}
INDEX = (
    "video_idx",
    "file_path",  # below the dataset's root
    "key",  # name in the cache of detections
    "shard",  # part-*.parquet; empty if no frame could be decoded
    "row_group",  # the first
    "row_groups",  # how many
    *("start", "end"),  # of the labelled part, s from the first frame; empty: all of it
    *MEASURES,
    *("fps", "width", "height", "declared_frames"),  # as in ClipFacts
    "problem",  # what went wrong in decoding, or empty
    "usable",  # good enough to learn from
    "reason",  # why not
)


@dataclass(frozen=True)
class Layout:
    """What a shard has beside or without the landmarker's columns.

    Attributes:
        channels: the names of the channels of each block of another tool's signals.
        absent: the attributes of a Trajectory that the shard has no column for.
    """

    channels: Mapping[Block, tuple[str, ...]] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    @property
    def described(self) -> dict[str, list[str]]:
        """The channels' names, by block, for a config.json."""
        return {str(block): list(names) for block, names in self.channels.items()}

    @property
    def measurable(self) -> set[Measure]:
        """Which of the MEASURES can be known."""
        unknown: set[Measure] = set()
        if "sharpness_T" in self.absent:
            unknown |= {"sharpness"}
        if "blendshapes_TB" in self.absent:
            unknown |= {"still"}
        if "pose_T44" in self.absent:
            unknown |= {"yaw", "pitch", "roll"}
        if "landmarks_TPC" in self.absent and "points68" not in self.channels:
            unknown |= {"face_px", "jumps"}
        return set(MEASURES) - unknown


LANDMARKER = Layout()


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What was seen of one clip, frame by frame, as in a shard's columns.

    What the layout lacks is NaN, without taking memory; ``signals`` are those of another tool,
    block -> (T, C).
    """

    frames_T: NDArray[np.int32]
    times_T: NDArray[np.float64]  # s from the first frame, strictly increasing
    valid_T: NDArray[np.bool_]
    faces_T: NDArray[np.int16]
    sharpness_T: NDArray[np.float32]
    landmarks_TPC: NDArray[np.float32]
    blendshapes_TB: NDArray[np.float32]
    pose_T44: NDArray[np.float32]
    names: tuple[str, ...]  # of the blendshapes
    signals: Mapping[Block, NDArray[np.float32]] = field(default_factory=dict)
    layout: Layout = LANDMARKER

    def __getitem__(self, frames: slice | NDArray[np.bool_]) -> "Trajectory":
        """The trajectory in some frames only."""
        return _mapped([self], lambda arrays: arrays[0][frames])


def _mapped(
    parts: Sequence[Trajectory], change: Callable[[list[NDArray[Any]]], NDArray[Any]]
) -> Trajectory:
    """The trajectory whose arrays are made of those of some parts, of one layout."""
    first = parts[0]
    there = [name for name in _COLUMNS if name not in first.layout.absent]
    arrays: Any = {name: change([getattr(part, name) for part in parts]) for name in there}
    arrays |= nothing(len(arrays["times_T"]), first.layout)
    signals = {name: change([part.signals[name] for part in parts]) for name in first.signals}
    return replace(first, **arrays, signals=signals)


def nothing(n_frames: int, layout: Layout) -> dict[str, NDArray[np.float32]]:
    """What a layout lacks, attribute -> NaN in every frame; it takes no memory."""
    return {
        name: np.broadcast_to(np.float32(np.nan), (n_frames, *shape))
        for name, (_, _, shape) in _COLUMNS.items()
        if name in layout.absent
    }


def blank(n_frames: int, names: tuple[str, ...] = ()) -> Trajectory:
    """``n_frames`` frames at time 0 in which nothing was seen, to be filled in."""
    arrays: Any = {
        name: np.full((n_frames, *shape), np.nan if dtype is np.float32 else 0, dtype)
        for name, (_, dtype, shape) in _COLUMNS.items()
    }
    arrays["frames_T"] += np.arange(n_frames, dtype=np.int32)
    return Trajectory(**arrays, names=names)


EMPTY = blank(0)


def duration(times_T: NDArray[np.float64]) -> float:
    """Seconds from the first frame to the end of the last, which lasts as long as the median."""
    if len(times_T) < 2:
        return 0.0
    return float(times_T[-1] - times_T[0] + np.median(np.diff(times_T)))


@dataclass(frozen=True)
class ClipFacts:
    """What the header says of a clip, and what went wrong in decoding."""

    fps: float
    width: int
    height: int
    declared_frames: int
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """A clip of a shard."""

    key: str  # its name in the cache of detections
    row_group: int  # its first
    row_groups: int  # how many; 0 without frames
    facts: ClipFacts
    measures: dict[str, float]  # of the whole clip (MEASURES); empty in the cache
    # How much each person of the clip counts by each rule of landmarks.whose (follow.RULES).
    people: list[dict[str, float]]


class ShardWriter(shards.Writer):
    """Appends clips to one shard."""

    def __init__(self, file: Path, names: tuple[str, ...], layout: Layout) -> None:
        metadata = {"blendshapes": json.dumps(names), "format": FORMAT, "measured": MEASURED}
        if layout.channels:
            metadata["channels"] = json.dumps(layout.channels)
        shapes: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
            column: (kind, shape)
            for name, (column, kind, shape) in _COLUMNS.items()
            if name not in layout.absent
        }
        shapes |= {block: (np.float32, (len(c),)) for block, c in layout.channels.items()}
        columns = []
        for column, (dtype, shape) in shapes.items():
            kind = pa.from_numpy_dtype(dtype)
            columns.append((column, pa.list_(kind, math.prod(shape)) if shape else kind))
        # Byte-stream-split groups the slowly changing exponents: 30 % smaller than zstd alone.
        arrays = [f"{column}.list.element" for column, (_, shape) in shapes.items() if shape]
        encoding = {"column_encoding": dict.fromkeys(arrays, "BYTE_STREAM_SPLIT")}
        super().__init__(file, pa.schema(columns, metadata), _WRITING | encoding)

    def add(self, trajectory: Trajectory) -> None:
        """Write the next chunk of a clip."""
        absent = trajectory.layout.absent
        arrays = [getattr(trajectory, name) for name in _COLUMNS if name not in absent]
        columns = [shards.column(values) for values in (*arrays, *trajectory.signals.values())]
        self.add_rows(pa.table(columns, schema=self.schema))

    def end_clip(
        self,
        key: str,
        facts: ClipFacts,
        measures: dict[str, float],
        people: Sequence[dict[str, float]] = (),
    ) -> None:
        """End a clip, of which all chunks have been added; the rest as in an ``Entry``."""
        about = {"facts": asdict(facts), "measures": measures, "people": list(people)}
        self.end(key, about)


def shard(
    path: Path, names: tuple[str, ...], layout: Layout = LANDMARKER
) -> AbstractContextManager[ShardWriter]:
    """A shard that replaces ``path`` when the block ends without an error."""
    return shards.shard(path, lambda file: ShardWriter(file, names, layout))


def write_clip(
    path: Path,
    facts: ClipFacts,
    chunks: Iterable[Trajectory],
    names: tuple[str, ...],
    layout: Layout = LANDMARKER,
    people: Sequence[dict[str, float]] = (),
) -> None:
    """Write one clip as a shard of its own, as the cache does; its key is the file's name."""
    with shard(path, names, layout) as writer:
        for chunk in chunks:
            writer.add(chunk)
        writer.end_clip(path.stem, facts, {}, people)


def entries(path: Path) -> list[Entry]:
    """The clips of a shard; none if it is missing, damaged or of another format."""
    return [
        Entry(
            *(entry.key, entry.row_group, entry.row_groups),
            ClipFacts(**entry.about["facts"]),
            entry.about["measures"],
            entry.about.get("people", []),
        )
        for entry in shards.entries(path, FORMAT)
    ]


def is_measured(path: Path) -> bool:
    """Whether a shard's measures have today's meaning."""
    return bool(shards.metadata(path).get(b"measured") == MEASURED.encode())


def chunks(path: Path, first: int = 0, count: int | None = None) -> Iterator[Trajectory]:
    """A clip of a shard, row group by row group: ``count`` from ``first`` on (None: all)."""
    for table in shards.tables(path, first, count):
        names, layout = tuple(json.loads(table.schema.metadata[b"blendshapes"])), _layout(table)
        arrays: Any = {
            name: shards.array(table, column, shape)
            for name, (column, _, shape) in _COLUMNS.items()
            if name not in layout.absent
        }
        arrays |= nothing(len(table), layout)
        signals = {b: shards.array(table, b, (len(c),)) for b, c in layout.channels.items()}
        yield Trajectory(**arrays, names=names, signals=signals, layout=layout)


def read_clip(path: Path, first: int = 0, count: int | None = None) -> Trajectory:
    """A clip of a shard in one piece (``EMPTY`` for a one-clip shard without frames)."""
    return joined(list(chunks(path, first, count)))


def joined(parts: list[Trajectory]) -> Trajectory:
    """The chunks of a clip in one piece; ``EMPTY`` if there are none."""
    if len(parts) < 2:
        return parts[0] if parts else EMPTY
    return _mapped(parts, np.concatenate)


def between(trajectory: Trajectory, start: float, end: float) -> Trajectory:
    """The part of a trajectory with start <= time < end (s from the first frame); NaN: no limit."""
    return trajectory[shards.within(trajectory.times_T, start, end)]


def read_row(folder: Path, row: Any) -> Trajectory:
    """The trajectory of a row of a folder's index; of a part, the times stay those of the clip."""
    whole = read_clip(folder / row.shard, int(row.row_group), int(row.row_groups))
    return between(whole, row.start, row.end)


def without_pose(trajectory: Trajectory, row: Any) -> Head:
    """The head's pose apart from the face; ``row`` has the picture's width and height."""
    return separate(trajectory.landmarks_TPC, trajectory.pose_T44, row.width / row.height)


def read_names(path: Path) -> tuple[str, ...]:
    """The blendshapes' names in a shard."""
    return tuple(json.loads(shards.metadata(path)[b"blendshapes"]))


def read_layout(path: Path) -> Layout:
    """What a shard has beside or without the landmarker's columns."""
    return _layout(pq.read_schema(path).empty_table())


def _layout(table: pa.Table) -> Layout:
    channels = json.loads(table.schema.metadata.get(b"channels", b"{}"))
    there = set(table.column_names)
    absent = frozenset(name for name, (column, _, _) in _COLUMNS.items() if column not in there)
    return Layout({block: tuple(names) for block, names in channels.items()}, absent)


def read_facts(path: Path) -> ClipFacts:
    """The facts of a one-clip shard."""
    return entries(path)[0].facts


def write_functionals(
    folder: Path, numbers_nD: NDArray[np.float32], columns: Sequence[str]
) -> None:
    """Write the numbers of a dataset whose clips are rows of a table of features.

    Args:
        folder: of the dataset.
        numbers_nD: in the order of the index, NaN where a clip is not usable.
        columns: their D names.
    """
    with replacing(folder / "functionals.npy") as temporary, temporary.open("wb") as file:
        np.save(file, numbers_nD)
    write_json(folder / "functionals.json", list(columns))


def read_functionals(folder: Path) -> tuple[NDArray[np.float32], list[str]]:
    """What ``write_functionals`` wrote.

    Raises:
        UserError: it is not there, or damaged.
    """
    try:
        numbers_nD = np.load(folder / "functionals.npy", allow_pickle=False)
        return numbers_nD, list(json.loads((folder / "functionals.json").read_text("utf-8")))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not here. Make it with: dvc repro extract") from None
    except ValueError as error:
        raise UserError(
            f"{folder} is damaged ({error}). Make it again: dvc repro -f extract"
        ) from None


def read_index(folder: Path) -> pd.DataFrame:
    """The index of a folder of shards; row_group and row_groups are missing without frames.

    Raises:
        UserError: there is none, or it lacks a column.
    """
    path = folder / "index.csv"
    text = ("video_idx", "file_path", "key", "shard", "problem", "reason")
    try:
        index = read_csv(path, text, dict.fromkeys(("row_group", "row_groups"), "Int64"))
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: dvc repro extract") from None
    if missing := [name for name in INDEX if name not in index]:
        raise UserError(f"{path}: column {missing[0]!r} is missing. Run: dvc repro extract")
    return index

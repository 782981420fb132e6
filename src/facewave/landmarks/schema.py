"""The contract of data/landmarks/<dataset>/: trajectories in shards, an index beside them.

``part-*.parquet`` holds one row per frame that was looked at, never dropped, about the one face
that is followed: frame (its number in the source), time (s), valid (the followed face is there),
faces (how many were seen), sharpness, landmarks (478 x 3, x and y in picture widths and heights, z
on x's scale), blendshapes (52, in [0, 1]) and pose (the 4 x 4 facial transformation matrix, row by
row, cm); the last four float32, NaN where ``valid`` is false (sharpness is there five times a
second). A clip has its own row groups, of up to ``CHUNK`` frames. The file's metadata has the
blendshapes' names (``blendshapes``) and an ``Entry`` for each clip (``clips``), as JSON.
``index.csv`` has one row per clip: where it lies and how good it is (``INDEX``).

Legend of names: T frames, P points, C coordinates, B blendshapes.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.files import replacing
from facewave.landmarks.headpose import Head, separate
from facewave.params import Measure

POINTS, COORDINATES, BLENDSHAPES, POSE = 478, 3, 52, 16
_WIDTHS = {"landmarks": POINTS * COORDINATES, "blendshapes": BLENDSHAPES, "pose": POSE}
_SCHEMA = pa.schema(
    [
        ("frame", pa.int32()),
        ("time", pa.float64()),
        ("valid", pa.bool_()),
        ("faces", pa.int16()),
        ("sharpness", pa.float32()),
    ]
    + [(name, pa.list_(pa.float32(), width)) for name, width in _WIDTHS.items()]
)
# Byte-stream-split puts the slowly changing exponents side by side: 30 % smaller than zstd alone.
_WRITING = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": False,
    "column_encoding": {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in _WIDTHS},
}
FORMAT = "1"  # of the files: raise it when it changes, and every clip is detected anew
MEASURED = "1"  # what MEASURES mean: raise it when that changes, and every clip is measured anew
CHUNK = 1024  # frames, 6 MB: what is in memory of a clip, however long it is
# What is measured of each row's part of its clip; params.yaml may set limits to any of them.
MEASURES: dict[Measure, str] = {
    "frames": "frames looked at",
    "face_frames": "frames with the followed face",
    "face_share": "share of the frames with the followed face",
    "others_share": "share of the frames with other faces only",
    "duration": "seconds, the last frame included",
    "longest_gap": "seconds without the followed face",
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
    "shard",  # part-*.parquet, or empty: no frame could be decoded
    "row_group",  # its first
    "row_groups",  # how many
    "start",  # of the part that the label is about, in s from the first frame; empty: all of it
    "end",
    *MEASURES,
    "fps",  # as the header has it
    "width",
    "height",
    "declared_frames",  # as the header has it
    "problem",  # what went wrong in decoding, or empty
    "usable",  # good enough to learn from
    "reason",  # why not
)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What was seen of one clip: the followed face, frame by frame.

    Attributes:
        frames_T: each frame's number in the source, int32.
        times_T: seconds from the first frame, strictly increasing, float64.
        valid_T: whether the followed face was found, bool.
        faces_T: how many faces were seen, int16.
        sharpness_T: spread of the Laplacian of the grey face (quality.py), float32, five times a
            second, else NaN.
        landmarks_TPC: (T, 478, 3) float32, NaN without a face.
        blendshapes_TB: (T, 52) float32, NaN without a face.
        pose_T44: (T, 4, 4) float32, NaN without a face.
        names: the 52 blendshapes' names.
    """

    frames_T: NDArray[np.int32]
    times_T: NDArray[np.float64]
    valid_T: NDArray[np.bool_]
    faces_T: NDArray[np.int16]
    sharpness_T: NDArray[np.float32]
    landmarks_TPC: NDArray[np.float32]
    blendshapes_TB: NDArray[np.float32]
    pose_T44: NDArray[np.float32]
    names: tuple[str, ...]


def blank(n_frames: int, names: tuple[str, ...] = ()) -> Trajectory:
    """So many frames at time 0 in which nothing was seen, to be filled in."""
    return Trajectory(
        frames_T=np.arange(n_frames, dtype=np.int32),
        times_T=np.zeros(n_frames),
        valid_T=np.zeros(n_frames, bool),
        faces_T=np.zeros(n_frames, np.int16),
        sharpness_T=np.full(n_frames, np.nan, np.float32),
        landmarks_TPC=np.full((n_frames, POINTS, COORDINATES), np.nan, np.float32),
        blendshapes_TB=np.full((n_frames, BLENDSHAPES), np.nan, np.float32),
        pose_T44=np.full((n_frames, 4, 4), np.nan, np.float32),
        names=names,
    )


EMPTY = blank(0)


def duration(times_T: NDArray[np.float64]) -> float:
    """Seconds from the first frame to the end of the last, which lasts as long as the median."""
    if len(times_T) < 2:
        return 0.0
    return float(times_T[-1] - times_T[0] + np.median(np.diff(times_T)))


@dataclass(frozen=True)
class ClipFacts:
    """What is known of a clip beside its frames: the header's frame count, and any trouble."""

    fps: float
    width: int
    height: int
    declared_frames: int
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """A clip of a shard.

    Attributes:
        key: its name in the cache of detections.
        row_group, row_groups: its first one, and how many it has; 0 without frames.
        facts: of the clip.
        measures: of the whole clip (MEASURES), none in the cache.
    """

    key: str
    row_group: int
    row_groups: int
    facts: ClipFacts
    measures: dict[str, float]


class ShardWriter:
    """Appends clips to one parquet file, each in row groups of its own."""

    def __init__(self, file: Path, names: tuple[str, ...]) -> None:
        schema = _SCHEMA.with_metadata(
            {"blendshapes": json.dumps(names), "format": FORMAT, "measured": MEASURED}
        )
        self._writer = pq.ParquetWriter(file, schema, **_WRITING)
        self._row_groups = 0
        self._entries: list[Entry] = []

    def begin(self, key: str, facts: ClipFacts) -> None:
        """A clip begins; its chunks follow, if it has any."""
        self._entries.append(Entry(key, self._row_groups, 0, facts, {}))

    def end(self, measures: dict[str, float]) -> None:
        """The clip ends, and these are its measures."""
        entry = self._entries[-1]
        count = self._row_groups - entry.row_group
        self._entries[-1] = replace(entry, row_groups=count, measures=measures)

    def close(self) -> None:
        """Finish the file."""
        entries = json.dumps([asdict(entry) for entry in self._entries])
        self._writer.add_key_value_metadata({"clips": entries})
        self._writer.close()

    def add(self, trajectory: Trajectory) -> None:
        """Write a chunk of the clip."""
        blocks = {
            "landmarks": trajectory.landmarks_TPC,
            "blendshapes": trajectory.blendshapes_TB,
            "pose": trajectory.pose_T44,
        }
        table = pa.table(
            [
                pa.array(trajectory.frames_T),
                pa.array(trajectory.times_T),
                pa.array(trajectory.valid_T),
                pa.array(trajectory.faces_T),
                pa.array(trajectory.sharpness_T),
                *(
                    pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), _WIDTHS[name])
                    for name, block in blocks.items()
                ),
            ],
            schema=self._writer.schema,
        )
        self._writer.write_table(table, row_group_size=len(trajectory.times_T))
        self._row_groups += 1


@contextmanager
def shard(path: Path, names: tuple[str, ...]) -> Iterator[ShardWriter]:
    """A shard that appears at ``path`` whole, once the block has ended well."""
    with replacing(path) as temporary:
        writer = ShardWriter(temporary, names)
        try:
            yield writer
        finally:
            writer.close()


def write_clip(
    path: Path, facts: ClipFacts, chunks: Iterable[Trajectory], names: tuple[str, ...]
) -> None:
    """Write one clip as a shard of its own, as the cache has it; its key is the file's name."""
    with shard(path, names) as writer:
        writer.begin(path.stem, facts)
        for chunk in chunks:
            writer.add(chunk)
        writer.end({})


def entries(path: Path) -> list[Entry]:
    """The clips of a shard; none of one that is missing, damaged or of another version."""
    try:
        metadata = pq.read_metadata(path).metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return []
    if metadata.get(b"format") != FORMAT.encode():
        return []
    found = json.loads(metadata[b"clips"])
    return [Entry(**one | {"facts": ClipFacts(**one["facts"])}) for one in found]


def is_measured(path: Path) -> bool:
    """Whether the measures of a shard are what they are now."""
    return bool(pq.read_metadata(path).metadata.get(b"measured") == MEASURED.encode())


def chunks(path: Path, first: int = 0, count: int | None = None) -> Iterator[Trajectory]:
    """A clip of a shard, row group by row group.

    Args:
        path: the shard.
        first: the clip's first row group.
        count: how many it has; None: all that follow.
    """
    with pq.ParquetFile(path) as file:
        names = _names(file.schema_arrow)
        end = file.num_row_groups if count is None else first + count
        for row_group in range(first, end):
            yield _trajectory(file.read_row_group(row_group), names)


def read_clip(path: Path, first: int = 0, count: int | None = None) -> Trajectory:
    """A clip of a shard in one piece (``EMPTY`` of a one-clip shard without frames)."""
    parts = list(chunks(path, first, count))
    return joined(parts) if parts else EMPTY


def joined(parts: list[Trajectory]) -> Trajectory:
    """The chunks of a clip in one piece."""
    if len(parts) == 1:
        return parts[0]
    arrays = [name for name, value in vars(parts[0]).items() if isinstance(value, np.ndarray)]
    whole: Any = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
    return replace(parts[0], **whole)


def _trajectory(table: pa.Table, names: tuple[str, ...]) -> Trajectory:
    blocks = {}
    for name, width in _WIDTHS.items():
        flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        blocks[name] = flat.reshape(-1, width)
    return Trajectory(
        frames_T=table["frame"].to_numpy(),
        times_T=table["time"].to_numpy(),
        valid_T=table["valid"].to_numpy(),
        faces_T=table["faces"].to_numpy(),
        sharpness_T=table["sharpness"].to_numpy(),
        landmarks_TPC=blocks["landmarks"].reshape(-1, POINTS, COORDINATES),
        blendshapes_TB=blocks["blendshapes"],
        pose_T44=blocks["pose"].reshape(-1, 4, 4),
        names=names,
    )


def within(times_T: NDArray[np.float64], start: float, end: float) -> slice:
    """The frames with start <= time < end (s from the first frame); NaN: no limit."""
    return slice(
        0 if np.isnan(start) else int(np.searchsorted(times_T, start)),
        len(times_T) if np.isnan(end) else int(np.searchsorted(times_T, end)),
    )


def between(trajectory: Trajectory, start: float, end: float) -> Trajectory:
    """The part of a trajectory with start <= time < end (s from the first frame); NaN: no limit."""
    part = within(trajectory.times_T, start, end)
    arrays = {name: value for name, value in vars(trajectory).items() if name != "names"}
    return replace(trajectory, **{name: value[part] for name, value in arrays.items()})


def read_row(folder: Path, row: Any) -> Trajectory:
    """The trajectory of a row of a folder's index: the clip's, or the part that the row is about.

    Times stay those of the whole clip.
    """
    whole = read_clip(folder / row.shard, int(row.row_group), int(row.row_groups))
    return between(whole, row.start, row.end)


def without_pose(trajectory: Trajectory, row: Any) -> Head:
    """A trajectory taken apart into the head's pose and the face without it.

    Args:
        trajectory: of the clip, or of a part of it.
        row: of the index, or the clip's facts: its picture's width and height.
    """
    return separate(trajectory.landmarks_TPC, trajectory.pose_T44, row.width / row.height)


def read_names(path: Path) -> tuple[str, ...]:
    """The blendshapes' names, as a shard has them."""
    return _names(pq.read_schema(path))


def _names(shard: pa.Schema) -> tuple[str, ...]:
    return tuple(json.loads(shard.metadata[b"blendshapes"]))


def read_facts(path: Path) -> ClipFacts:
    """The facts of a one-clip shard."""
    return entries(path)[0].facts


def read_index(folder: Path) -> pd.DataFrame:
    """The index of a folder of shards; row_group(s) are empty for a clip without frames.

    Raises:
        UserError: there is none, or it lacks a column.
    """
    path = folder / "index.csv"
    text = dict.fromkeys(("video_idx", "file_path", "key", "shard", "problem", "reason"), str)
    try:
        index = pd.read_csv(path, dtype=text | dict.fromkeys(("row_group", "row_groups"), "Int64"))
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: dvc repro extract") from None
    if missing := [name for name in INDEX if name not in index]:
        raise UserError(
            f"{path}: column {missing[0]!r} is missing. Make it again: dvc repro extract"
        )
    index[list(text)] = index[list(text)].fillna("")
    return index

"""The contract of data/landmarks/<dataset>/: trajectories in shards, an index beside them.

``part-*.parquet`` holds one row per *source frame*, never dropped, and one row group per clip:
frame, time (s), valid, landmarks (478 x 3, x and y in picture widths and heights, z on x's scale),
blendshapes (52, in [0, 1]) and pose (the 4 x 4 facial transformation matrix, row by row, cm), the
last three float32; NaN where there is no face. The blendshapes' names stand in the file's metadata.
``index.csv`` has one row per clip: where it lies and how good it is (``INDEX``).

Legend of names: T frames, P points, C coordinates, B blendshapes.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.files import replacing

POINTS, COORDINATES, BLENDSHAPES, POSE = 478, 3, 52, 16
_WIDTHS = {"landmarks": POINTS * COORDINATES, "blendshapes": BLENDSHAPES, "pose": POSE}
_SCHEMA = pa.schema(
    [("frame", pa.int32()), ("time", pa.float64()), ("valid", pa.bool_())]
    + [(name, pa.list_(pa.float32(), width)) for name, width in _WIDTHS.items()]
)
# Byte-stream-split puts the slowly changing exponents side by side: 30 % smaller than zstd alone.
_WRITING = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": False,
    "column_encoding": {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in _WIDTHS},
}
INDEX = (
    "video_idx",
    "file_path",  # below the dataset's root
    "key",  # name in the cache of detections
    "shard",  # part-*.parquet, or empty: no frame could be decoded
    "row_group",
    "start",  # of the part that the label is about, in s from the first frame; empty: all of it
    "end",
    "frames",
    "face_frames",  # frames with a face
    "face_share",
    "duration",  # seconds, the last frame included
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
    """What was seen of one clip.

    Attributes:
        times_T: seconds from the first frame, strictly increasing, float64.
        valid_T: whether a face was found, bool.
        landmarks_TPC: (T, 478, 3) float32, NaN without a face.
        blendshapes_TB: (T, 52) float32, NaN without a face.
        pose_T44: (T, 4, 4) float32, NaN without a face.
        names: the 52 blendshapes' names.
    """

    times_T: NDArray[np.float64]
    valid_T: NDArray[np.bool_]
    landmarks_TPC: NDArray[np.float32]
    blendshapes_TB: NDArray[np.float32]
    pose_T44: NDArray[np.float32]
    names: tuple[str, ...]


EMPTY = Trajectory(
    times_T=np.zeros(0),
    valid_T=np.zeros(0, bool),
    landmarks_TPC=np.zeros((0, POINTS, COORDINATES), np.float32),
    blendshapes_TB=np.zeros((0, BLENDSHAPES), np.float32),
    pose_T44=np.zeros((0, 4, 4), np.float32),
    names=(),
)


def duration(trajectory: Trajectory) -> float:
    """Seconds from the first frame to the end of the last, which lasts as long as the median."""
    times = trajectory.times_T
    if len(times) < 2:
        return 0.0
    return float(times[-1] - times[0] + np.median(np.diff(times)))


@dataclass(frozen=True)
class ClipFacts:
    """What is known of a clip beside its frames: the header's frame count, and any trouble."""

    fps: float
    width: int
    height: int
    declared_frames: int
    problem: str = ""


class ShardWriter:
    """Appends clips to one parquet file, each as a row group."""

    def __init__(self, file: Path, names: tuple[str, ...], facts: ClipFacts | None = None) -> None:
        metadata = {"blendshapes": json.dumps(names)}
        if facts is not None:
            metadata["clip"] = json.dumps(asdict(facts))
        self._writer = pq.ParquetWriter(file, _SCHEMA.with_metadata(metadata), **_WRITING)
        self.row_groups = 0

    def add(self, trajectory: Trajectory) -> int:
        """Write one clip with at least one frame; return its row group."""
        n_frames = len(trajectory.times_T)
        blocks = {
            "landmarks": trajectory.landmarks_TPC,
            "blendshapes": trajectory.blendshapes_TB,
            "pose": trajectory.pose_T44,
        }
        table = pa.table(
            [
                pa.array(np.arange(n_frames, dtype=np.int32)),
                pa.array(trajectory.times_T),
                pa.array(trajectory.valid_T),
                *(
                    pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), _WIDTHS[name])
                    for name, block in blocks.items()
                ),
            ],
            schema=self._writer.schema,
        )
        self._writer.write_table(table, row_group_size=n_frames)
        self.row_groups += 1
        return self.row_groups - 1

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


@contextmanager
def shard(
    path: Path, names: tuple[str, ...], facts: ClipFacts | None = None
) -> Iterator[ShardWriter]:
    """A shard that appears at ``path`` whole, once the block has ended well."""
    with replacing(path) as temporary:
        writer = ShardWriter(temporary, names, facts)
        try:
            yield writer
        finally:
            writer.close()


def read_clip(path: Path, row_group: int = 0) -> Trajectory:
    """Read one clip of a shard (``EMPTY`` of a one-clip shard without frames)."""
    with pq.ParquetFile(path) as file:
        if file.num_row_groups == 0:
            return EMPTY
        table = file.read_row_group(row_group)
        names = _names(file.schema_arrow)
    blocks = {}
    for name, width in _WIDTHS.items():
        flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        blocks[name] = flat.reshape(-1, width)
    return Trajectory(
        times_T=table["time"].to_numpy(),
        valid_T=table["valid"].to_numpy(),
        landmarks_TPC=blocks["landmarks"].reshape(-1, POINTS, COORDINATES),
        blendshapes_TB=blocks["blendshapes"],
        pose_T44=blocks["pose"].reshape(-1, 4, 4),
        names=names,
    )


def between(trajectory: Trajectory, start: float, end: float) -> Trajectory:
    """The frames with start <= time < end (s from the first frame); NaN: no limit."""
    times = trajectory.times_T
    part = slice(
        0 if np.isnan(start) else int(np.searchsorted(times, start)),
        len(times) if np.isnan(end) else int(np.searchsorted(times, end)),
    )
    return Trajectory(
        times_T=times[part],
        valid_T=trajectory.valid_T[part],
        landmarks_TPC=trajectory.landmarks_TPC[part],
        blendshapes_TB=trajectory.blendshapes_TB[part],
        pose_T44=trajectory.pose_T44[part],
        names=trajectory.names,
    )


def read_row(folder: Path, row: Any) -> Trajectory:
    """The trajectory of a row of a folder's index: the clip's, or the part that the row is about.

    Times stay those of the whole clip.
    """
    return between(read_clip(folder / row.shard, int(row.row_group)), row.start, row.end)


def read_names(path: Path) -> tuple[str, ...]:
    """The blendshapes' names, as a shard has them."""
    return _names(pq.read_schema(path))


def _names(shard: pa.Schema) -> tuple[str, ...]:
    return tuple(json.loads(shard.metadata[b"blendshapes"]))


def read_facts(path: Path) -> ClipFacts:
    """The facts in a one-clip shard."""
    return ClipFacts(**json.loads(pq.read_schema(path).metadata[b"clip"]))


def read_index(folder: Path) -> pd.DataFrame:
    """The index of a folder of shards; row_group is nullable, empty for a clip without frames.

    Raises:
        UserError: there is none, or it lacks a column.
    """
    path = folder / "index.csv"
    text = dict.fromkeys(("video_idx", "file_path", "key", "shard", "problem", "reason"), str)
    try:
        index = pd.read_csv(path, dtype=text | {"row_group": "Int64"})
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: dvc repro extract") from None
    if missing := [name for name in INDEX if name not in index]:
        raise UserError(
            f"{path}: column {missing[0]!r} is missing. Make it again: dvc repro extract"
        )
    index[list(text)] = index[list(text)].fillna("")
    return index

"""What was ever detected, kept under the hash of the clip's bytes, the landmarker, the settings.

One small parquet file per clip, in a folder of the user's own, shared by all checkouts and
experiments, so a clip is never detected twice. ``FACEWAVE_CACHE`` moves the folder.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq

from facewave.errors import UserError
from facewave.files import sha256
from facewave.landmarks import model_file
from facewave.landmarks.schema import (
    EMPTY,
    ClipFacts,
    Trajectory,
    read_clip,
    read_index,
    shard,
)
from facewave.pictures import files_of, is_pictures

FOLDER = "FACEWAVE_CACHE"
# Whatever else changes a result. Raise the version when detect.py changes what it finds.
SETTINGS = {"version": 1, "mode": "video", "num_faces": 1}


def folder() -> Path:
    """Where the cache lies: $FACEWAVE_CACHE, or the user's cache folder."""
    try:
        home = os.environ.get(FOLDER) or platformdirs.user_cache_dir("facewave")
    except RuntimeError:  # a container's user without a home
        raise UserError(f"there is no home folder; set {FOLDER} to one you may write to") from None
    return Path(home).absolute() / "landmarks"


def key(clip: Path, fps: float, digest: Callable[[Path], str] = sha256) -> str:
    """The name under which a clip's trajectory is kept.

    Args:
        clip: a video, a picture or a folder of pictures.
        fps: of pictures.
        digest: SHA-256 of a file.
    """
    identity: dict[str, object] = {"landmarker": model_file.SHA256, **SETTINGS}
    if is_pictures(clip):  # their names tell when each is
        identity |= {"clip": [(file.name, digest(file)) for file in files_of(clip)], "fps": fps}
    else:
        identity |= {"clip": digest(clip)}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def place(name: str) -> Path:
    """The file of a key, whether it is there or not."""
    return folder() / name[:2] / f"{name}.parquet"


def has(name: str) -> bool:
    """Whether a key's trajectory is there; a file that another program cut short does not count."""
    try:
        pq.read_metadata(place(name))
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True


def put(name: str, facts: ClipFacts, trajectory: Trajectory) -> None:
    """Keep one clip's trajectory."""
    with shard(place(name), trajectory.names, facts) as writer:
        if len(trajectory.times_T):
            writer.add(trajectory)


def pack(dataset: str) -> Path:
    """Where a dataset's shipped trajectories lie, if there are any.

    A pack is a copy of a folder that stage extract wrote. It serves machines that cannot detect,
    and saves time on the others; being a cache, it is no dependency of the stage.
    """
    return Path("data/trajectories") / dataset


def fill(shipped: Path) -> set[str]:
    """Put into the cache what a pack has, and the cache lacks; return the pack's keys."""
    if not (shipped / "index.csv").exists():
        return set()
    index = read_index(shipped)
    sound = index["key"].str.fullmatch(r"[0-9a-f]{64}")
    sound &= index["shard"].str.fullmatch(r"part-\d{5}\.parquet|")
    if not sound.all():  # both become paths
        raise UserError(
            f"{shipped}/index.csv, row {sound.idxmin() + 2}: key or shard is not as stage extract "
            "writes them. Copy a folder that it wrote, or remove this one."
        )
    for row in index.itertuples():
        if not has(row.key):
            facts = ClipFacts(row.fps, row.width, row.height, row.declared_frames, row.problem)
            put(
                row.key,
                facts,
                read_clip(shipped / row.shard, row.row_group) if row.shard else EMPTY,
            )
    return set(index["key"])

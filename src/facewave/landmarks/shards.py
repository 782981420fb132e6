"""data/landmarks/<dataset>/: many clips in few files, of which only the changed ones are rewritten.

Which shard holds a clip, and where, follows from the keys of all clips alone: the same clips give
the same bytes, whatever was there before, and one more clip changes one shard.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from facewave.files import write_csv
from facewave.landmarks import cache, quality, schema
from facewave.landmarks.schema import ClipFacts, Entry
from facewave.params import Landmarks

_CLIPS = 500  # of a shard, at most on average: about 250 MB; few files keep DVC fast


def gather(keys: Iterable[str], folder: Path) -> dict[str, tuple[str, Entry]]:
    """Make a folder's shards hold these cached clips alone; return each one's shard and entry."""
    wanted = sorted(set(keys))
    bits = max(0, (len(wanted) - 1) // _CLIPS).bit_length()
    shards: dict[str, list[str]] = defaultdict(list)
    for key in wanted:
        shards[f"part-{int(key[:8], 16) >> (32 - bits):05d}.parquet"].append(key)
    clips: dict[str, tuple[str, Entry]] = {}
    for name, shard_keys in shards.items():
        present = [entry.key for entry in schema.entries(folder / name)]
        if present != shard_keys or not schema.is_measured(folder / name):
            _write(folder / name, shard_keys)
        clips |= {entry.key: (name, entry) for entry in schema.entries(folder / name)}
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():  # superfluous shards, and halves that a kill has left
        if file.name not in {*shards, "index.csv"}:
            file.unlink()
    return clips


def index(
    rows: pd.DataFrame, folder: Path, limits: Landmarks, problems: Mapping[str, str]
) -> pd.DataFrame:
    """Gather the rows' clips, judge them, and write the index (schema.INDEX) beside them.

    ``rows`` has video_idx, file_path, key, start and end, and may name a clip several times;
    ``problems`` has the keys of clips that are not in the cache, and why.
    """
    clips = gather((key for key in rows["key"] if key not in problems), folder)
    loaded, frames = "", quality.NONE  # the last clip of which a row is a part
    records = []
    for row in rows.itertuples():
        failed = Entry(row.key, 0, 0, ClipFacts(0.0, 0, 0, 0, problems.get(row.key, "")), {})
        shard, entry = clips.get(row.key, ("", failed))
        facts, measures = entry.facts, entry.measures or quality.measure(quality.NONE)
        if entry.row_groups and not (math.isnan(row.start) and math.isnan(row.end)):
            if loaded != row.key:
                chunks = schema.chunks(folder / shard, entry.row_group, entry.row_groups)
                loaded = row.key
                frames = np.concatenate([quality.frames_of(chunk, facts) for chunk in chunks])
            measures = quality.measure(frames, row.start, row.end)
        reason = quality.judge(measures, facts.problem, limits)
        place = {"shard": shard, "row_group": entry.row_group, "row_groups": entry.row_groups}
        records.append(
            {name: getattr(row, name) for name in ("video_idx", "file_path", "key", "start", "end")}
            | (place if entry.row_groups else {"shard": ""})
            | measures
            | asdict(facts)
            | {"fps": round(facts.fps, 4), "usable": not reason, "reason": reason}
        )
    table = pd.DataFrame(records, columns=list(schema.INDEX))
    whole = ["row_group", "row_groups", "frames", "face_frames", "jumps", "still"]
    table = table.astype(dict.fromkeys(whole, "Int64"))
    write_csv(folder / "index.csv", table)
    return table


def _write(file: Path, keys: list[str]) -> None:
    cached = [cache.place(key) for key in keys]
    names = next(filter(None, map(schema.read_names, cached)), ())
    with schema.shard(file, names) as writer:
        for key, clip in zip(keys, cached, strict=True):
            facts = schema.read_facts(clip)
            frames = []
            for chunk in schema.chunks(clip):
                writer.add(chunk)
                frames.append(quality.frames_of(chunk, facts))
            measures = quality.measure(np.concatenate(frames)) if frames else {}
            writer.end_clip(key, facts, measures)

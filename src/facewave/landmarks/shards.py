"""data/landmarks/<dataset>/: the shards of the cached clips, measured, and their index."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from facewave import shards
from facewave.files import write_csv
from facewave.landmarks import cache, quality, schema
from facewave.landmarks.schema import ClipFacts, Entry
from facewave.params import Landmarks


def gather(keys: Iterable[str], folder: Path) -> dict[str, tuple[str, Entry]]:
    """Make a folder's shards hold these cached clips alone; return each one's shard and entry."""
    files = shards.gather(keys, folder, _is_current, _write)
    return {entry.key: (file.name, entry) for file in files for entry in schema.entries(file)}


def _is_current(file: Path, keys: list[str]) -> bool:
    there = [entry.key for entry in schema.entries(file)] == keys
    return there and schema.is_measured(file) and shards.is_whole(file)


def index(
    rows: pd.DataFrame,
    folder: Path,
    limits: Landmarks,
    problems: Mapping[str, str],
    others: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> pd.DataFrame:
    """Gather the rows' clips, judge them, and write the index (schema.INDEX) beside them.

    ``rows`` has video_idx, file_path, key, start and end, and may name a clip several times;
    ``problems`` has the keys of clips that are not in the cache, and why. ``others`` are the keys
    of the other people of each key's clip: people.csv is their index, where there are any.
    """
    known = [key for key in rows["key"] if key not in problems]
    clips = gather([*known, *(key for name in known for key in others.get(name, ()))], folder)
    shards_there = {shard for shard, _ in clips.values()}
    for layout in (schema.read_layout(folder / shard) for shard in sorted(shards_there)[:1]):
        limits = quality.applicable(limits, layout)
    table = _index(rows, clips, folder, limits, problems)
    write_csv(folder / "index.csv", table)
    everybody = rows.assign(key=[others.get(key, []) for key in rows["key"]]).explode("key")
    if len(everybody := everybody.dropna(subset=["key"])):
        write_csv(folder / "people.csv", _index(everybody, clips, folder, limits, problems))
    return table


def _index(
    rows: pd.DataFrame,
    clips: Mapping[str, tuple[str, Entry]],
    folder: Path,
    limits: Landmarks,
    problems: Mapping[str, str],
) -> pd.DataFrame:
    """Where each row's clip is and how good it is."""
    loaded, frames = "", quality.NONE  # the last clip of which a row is a part
    records = []
    for row in rows.itertuples():
        failed = Entry(row.key, 0, 0, ClipFacts(0.0, 0, 0, 0, problems.get(row.key, "")), {}, [])
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
    return table.astype(dict.fromkeys(whole, "Int64"))


def _write(file: Path, keys: list[str]) -> None:
    cached = [cache.place(key) for key in keys]
    names = next(filter(None, map(schema.read_names, cached)), ())
    # The clips of a dataset have one layout (extract.py).
    with schema.shard(file, names, schema.read_layout(cached[0])) as writer:
        for key, clip in zip(keys, cached, strict=True):
            (entry,) = schema.entries(clip)
            frames = []
            for chunk in schema.chunks(clip):
                writer.add(chunk)
                frames.append(quality.frames_of(chunk, entry.facts))
            measures = quality.measure(np.concatenate(frames)) if frames else {}
            writer.end_clip(key, entry.facts, measures, entry.people)

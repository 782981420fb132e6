"""data/landmarks/<dataset>/: many clips in few files, of which only those are written that change.

Which shard a clip is in, and where, follows from the keys of all clips alone: the same clips give
the same bytes, however they came together, and one more clip changes one shard.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from facewave.files import write_csv
from facewave.landmarks import cache, quality, schema
from facewave.landmarks.schema import ClipFacts, Entry
from facewave.params import Landmarks

_CLIPS = 500  # of a shard, at most on average: about 250 MB; few files keep DVC fast


def gather(keys: Iterable[str], folder: Path) -> dict[str, tuple[str, Entry]]:
    """Bring a folder's shards up to date with the cache.

    Args:
        keys: of the clips that shall be there.
        folder: what is there and not wanted is removed.

    Returns:
        Each clip's shard and entry.
    """
    wanted = sorted(set(keys))
    bits = max(0, (len(wanted) - 1) // _CLIPS).bit_length()
    parts: dict[str, list[str]] = defaultdict(list)
    for key in wanted:
        parts[f"part-{int(key[:8], 16) >> (32 - bits):05d}.parquet"].append(key)
    found: dict[str, tuple[str, Entry]] = {}
    for name, mine in parts.items():
        held = schema.entries(folder / name)
        if [entry.key for entry in held] != mine or not schema.is_measured(folder / name):
            _write(folder / name, mine)
        found |= {entry.key: (name, entry) for entry in schema.entries(folder / name)}
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():  # shards that are too many, and halves that a kill has left
        if file.name not in {*parts, "index.csv"}:
            file.unlink()
    return found


def index(
    rows: pd.DataFrame, folder: Path, limits: Landmarks, problems: Mapping[str, str]
) -> pd.DataFrame:
    """Gather the rows' clips, judge them, and write the index beside them.

    Args:
        rows: video_idx, file_path, key, start and end; rows may share a clip, which is kept once.
        folder: where to.
        limits: what makes a clip usable.
        problems: key -> why a clip is not in the cache.

    Returns:
        The index as written (schema.INDEX).
    """
    found = gather((key for key in rows["key"] if key not in problems), folder)
    clip, frames = "", quality.NONE  # the last one of which rows are about parts
    records = []
    for row in rows.itertuples():
        if row.key in problems:
            facts = ClipFacts(0.0, 0, 0, 0, problems[row.key])
            shard, entry = "", Entry(row.key, 0, 0, facts, {})
        else:
            shard, entry = found[row.key]
        facts, measures = entry.facts, entry.measures or quality.measure(quality.NONE)
        if entry.row_groups and not (math.isnan(row.start) and math.isnan(row.end)):
            if clip != row.key:
                chunks = schema.chunks(folder / shard, entry.row_group, entry.row_groups)
                clip = row.key
                frames = quality.joined([quality.frames_of(chunk, facts) for chunk in chunks])
            measures = quality.measure(frames, row.start, row.end)
        reason = quality.judge(measures, facts.problem, limits)
        records.append(
            {
                "video_idx": row.video_idx,
                "file_path": row.file_path,
                "key": row.key,
                "shard": shard if entry.row_groups else "",
                "row_group": entry.row_group if entry.row_groups else None,
                "row_groups": entry.row_groups or None,
                "start": row.start,
                "end": row.end,
                **measures,
                "fps": round(facts.fps, 4),
                "width": facts.width,
                "height": facts.height,
                "declared_frames": facts.declared_frames,
                "problem": facts.problem,
                "usable": not reason,
                "reason": reason,
            }
        )
    table = pd.DataFrame(records, columns=list(schema.INDEX))
    whole = ["row_group", "row_groups", "frames", "face_frames", "jumps", "still"]
    table = table.astype(dict.fromkeys(whole, "Int64"))
    write_csv(folder / "index.csv", table)
    return table


def _write(file: Path, keys: list[str]) -> None:
    places = [cache.place(key) for key in keys]
    names = next(filter(None, map(schema.read_names, places)), ())
    with schema.shard(file, names) as writer:
        for key, place in zip(keys, places, strict=True):
            facts = schema.read_facts(place)
            seen = []
            writer.begin(key, facts)
            for chunk in schema.chunks(place):
                writer.add(chunk)
                seen.append(quality.frames_of(chunk, facts))
            writer.end(quality.measure(quality.joined(seen)) if seen else {})

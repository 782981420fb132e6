"""Stage extract: ``python -m facewave.landmarks DATASET``.

Reads   data/labels/<dataset>.csv, the clips, and data/trajectories/<dataset>/ if it is there
Writes  data/landmarks/<dataset>/       shards and their index (landmarks/schema.py)
        metrics/extract/<dataset>.json  clips, frames, and every clip left out with its reason
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from facewave import params
from facewave.errors import explain
from facewave.files import write_csv, write_json
from facewave.labels import schema as labels
from facewave.landmarks import cache, schema
from facewave.landmarks.extract import ensure
from facewave.landmarks.quality import assess

_NAMED = 20  # so many clips are named one by one
_CLIPS_PER_SHARD = 500  # about 250 MB; few files keep DVC fast


def main(name: str) -> None:
    """Extract one dataset."""
    settings = params.load()
    entry = params.dataset(settings, name)
    rows = labels.with_trajectories(labels.read(Path("data/labels") / f"{name}.csv"))
    files = rows["file_path"].drop_duplicates()
    clips = [Path(entry.root) / path for path in files]
    shipped = cache.fill(cache.pack(name))
    found = ensure(clips, name, entry.fps, settings.landmarks.time_limit_s)
    key_of = dict(zip(files, found.keys, strict=True))

    index = assemble(
        rows.assign(key=rows["file_path"].map(key_of)),
        Path("data/landmarks") / name,
        settings.landmarks,
        found.problems,
    )
    out = index[~index["usable"]]
    once = index.drop_duplicates("key")  # rows may be about parts of one clip
    write_json(
        Path("metrics/extract") / f"{name}.json",
        {
            "clips": len(index),
            "usable": int(index["usable"].sum()),
            "frames": int(index["frames"].sum()),
            "face_share": round(index["face_frames"].sum() / max(1, index["frames"].sum()), 4),
            "left_out": {row.video_idx: row.reason for row in out.itertuples()},
        },
    )
    from_pack = int(once["key"].isin(shipped - found.detected).sum())
    came = f"{from_pack} came with the dataset ({cache.pack(name)}), " if shipped else ""
    cached = len(once) - from_pack - len(found.detected)
    print(
        f"{name}: {len(once)} clips: {came}{cached} from the cache ({cache.folder()}), "
        f"{len(found.detected)} detected now"
    )
    if 0 < len(found.detected) <= _NAMED:
        now = index.loc[index["key"].isin(found.detected), "file_path"]
        print(f"  detected now: {', '.join(now)}")
    for row in out.itertuples():
        print(f"  left out: {row.file_path}: {row.reason}")


def assemble(
    rows: pd.DataFrame,
    folder: Path,
    limits: params.Landmarks,
    problems: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Gather the clips' trajectories from the cache into shards with an index.

    Args:
        rows: video_idx, file_path, key, start and end; rows may share a clip, which is kept once.
        folder: where to; what is there is replaced.
        limits: what makes a clip usable.
        problems: key -> why a clip is not in the cache.

    Returns:
        The index as written (schema.INDEX).
    """
    shutil.rmtree(folder, ignore_errors=True)
    lost = problems or {}
    records: dict[int, dict[str, object]] = {}
    by_key = list(rows.reset_index(drop=True).groupby("key", sort=False))
    for start in range(0, len(by_key), _CLIPS_PER_SHARD):
        shard = f"part-{start // _CLIPS_PER_SHARD:05d}.parquet"
        some = by_key[start : start + _CLIPS_PER_SHARD]
        there = [key for key, _ in some if key not in lost]
        names = next(filter(None, (schema.read_names(cache.place(key)) for key in there)), ())
        with schema.shard(folder / shard, names) as writer:
            for key, about in some:
                if key in lost:
                    facts, trajectory = schema.ClipFacts(0.0, 0, 0, 0, lost[key]), schema.EMPTY
                else:
                    facts = schema.read_facts(cache.place(key))
                    trajectory = schema.read_clip(cache.place(key))
                has_frames = len(trajectory.times_T) > 0
                row_group = writer.add(trajectory) if has_frames else None
                for row in about.itertuples():
                    records[row.Index] = {
                        "video_idx": row.video_idx,
                        "file_path": row.file_path,
                        "key": key,
                        "shard": shard if has_frames else "",
                        "row_group": row_group,
                        "start": row.start,
                        "end": row.end,
                        "fps": round(facts.fps, 4),
                        "width": facts.width,
                        "height": facts.height,
                        "declared_frames": facts.declared_frames,
                        "problem": facts.problem,
                        **assess(schema.between(trajectory, row.start, row.end), facts, limits),
                    }
    index = pd.DataFrame([records[i] for i in sorted(records)], columns=list(schema.INDEX))
    index = index.astype({"row_group": "Int64"})
    write_csv(folder / "index.csv", index)
    return index


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

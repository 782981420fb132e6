"""Stage extract: ``python -m facewave.landmarks DATASET``.

Reads   data/labels/<dataset>.csv, the clips, and data/trajectories/<dataset>/ if it is there
Writes  data/landmarks/<dataset>/       shards and their index (landmarks/schema.py)
        metrics/extract/<dataset>.json  clips, frames, and every clip left out with its reason
"""

import shutil
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
    root = Path(params.dataset(settings, name).root)
    rows = labels.with_trajectories(labels.read(Path("data/labels") / f"{name}.csv"))
    clips = [root / path for path in rows["file_path"]]
    shipped = cache.fill(cache.pack(name))
    keys, detected = ensure(clips, name)

    index = assemble(rows, keys, Path("data/landmarks") / name, settings.landmarks)
    out = index[~index["usable"]]
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
    from_pack = int(index["key"].isin(shipped - detected).sum())
    came = f"{from_pack} came with the dataset ({cache.pack(name)}), " if shipped else ""
    cached = len(index) - from_pack - len(detected)
    print(
        f"{name}: {len(index)} clips: {came}{cached} from the cache ({cache.folder()}), "
        f"{len(detected)} detected now"
    )
    if 0 < len(detected) <= _NAMED:
        now = index.loc[index["key"].isin(detected), "file_path"]
        print(f"  detected now: {', '.join(now)}")
    for row in out.itertuples():
        print(f"  left out: {row.file_path}: {row.reason}")


def assemble(
    rows: pd.DataFrame, keys: list[str], folder: Path, limits: params.Landmarks
) -> pd.DataFrame:
    """Gather the clips' trajectories from the cache into shards with an index.

    Returns:
        The index as written (schema.INDEX).
    """
    shutil.rmtree(folder, ignore_errors=True)
    records = []
    for start in range(0, len(keys), _CLIPS_PER_SHARD):
        shard = f"part-{start // _CLIPS_PER_SHARD:05d}.parquet"
        some = slice(start, start + _CLIPS_PER_SHARD)
        names = next(filter(None, (schema.read_names(cache.place(key)) for key in keys[some])), ())
        with schema.shard(folder / shard, names) as writer:
            for key, row in zip(keys[some], rows.iloc[some].itertuples(), strict=True):
                facts = schema.read_facts(cache.place(key))
                trajectory = schema.read_clip(cache.place(key))
                has_frames = len(trajectory.times_T) > 0
                records.append(
                    {
                        "video_idx": row.video_idx,
                        "file_path": row.file_path,
                        "key": key,
                        "shard": shard if has_frames else "",
                        "row_group": writer.add(trajectory) if has_frames else None,
                        "fps": round(facts.fps, 4),
                        "width": facts.width,
                        "height": facts.height,
                        "declared_frames": facts.declared_frames,
                        "problem": facts.problem,
                        **assess(trajectory, facts, limits),
                    }
                )
    index = pd.DataFrame(records, columns=list(schema.INDEX)).astype({"row_group": "Int64"})
    write_csv(folder / "index.csv", index)
    return index


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

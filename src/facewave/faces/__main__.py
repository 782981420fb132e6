"""Stage crop: ``python -m facewave.faces DATASET``.

Reads   data/landmarks/<dataset>/, and the clips
Writes  data/faces/<dataset>/          pictures of the followed faces (faces/schema.py)
        metrics/crop/<dataset>.json    how many, their brightness, every clip without any
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from facewave import params
from facewave.errors import explain
from facewave.faces import crop
from facewave.faces.schema import KIND
from facewave.files import locked, write_json
from facewave.pool import require_finished
from facewave.shards import mended
from facewave.workspace import Dataset

METRICS = Path("metrics/crop")


def main(name: str) -> None:
    """Cut out the faces of one dataset."""
    settings = params.load()
    dataset = Dataset(name, settings)
    rows = dataset.read_index()
    rows = rows[rows["shard"] != ""].rename(columns={"key": "trajectory"})
    rows["key"] = [crop.key(key, settings.faces) for key in rows["trajectory"]]
    sources = {
        row.key: crop.Source(
            *((dataset.root / row.file_path).absolute(), row.trajectory),
            *((dataset.landmarks / row.shard).absolute(), row.row_group, row.row_groups),
        )
        for row in rows.itertuples()
    }
    paths = dict(zip(rows["key"], rows["file_path"], strict=True))

    def cut_out() -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
        problems = crop.ensure(sources, dataset.faces, name, dataset.entry.fps, settings)
        require_finished(problems, paths)
        return KIND.gather(rows, dataset.faces, problems)

    with locked(dataset.faces):
        index, clips = mended(cut_out)
        write_json(dataset.faces / "config.json", asdict(settings.faces))
    failed = index[index["problem"] != ""]
    brightness = [clip["brightness"] for clip in clips.values() if clip["faces"]]
    quantiles = pd.Series(brightness).quantile([0.05, 0.5, 0.95]).round(4).tolist()
    n_faces = sum(clip["faces"] for clip in clips.values())
    summary = {
        "clips": len(clips),
        "faces": n_faces,
        "brightness": dict(zip(("p5", "median", "p95"), quantiles, strict=True)) if n_faces else {},
        "problems": dict(zip(failed["video_idx"], failed["problem"], strict=True)),
    }
    write_json(METRICS / f"{name}.json", summary)
    print(f"{name}: {n_faces} faces of {len(clips)} clips")
    for row in failed.itertuples():
        print(f"  no faces: {row.file_path}: {row.problem}")


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

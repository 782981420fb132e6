"""Stage embed: ``python -m facewave.appearance DATASET``.

Reads   data/faces/<dataset>/
Writes  data/appearance/<dataset>/     what the encoder sees of them (appearance/schema.py)
        metrics/embed/<dataset>.json   the encoder, how much it saw, every clip without any
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from facewave import params
from facewave.appearance import embed, encoders
from facewave.appearance.schema import KIND, NONE, Config
from facewave.assets import MissingAssetError
from facewave.errors import explain
from facewave.faces import schema as faces
from facewave.files import locked, write_json
from facewave.pool import require_finished
from facewave.shards import mended
from facewave.workspace import Dataset

METRICS = Path("metrics/embed")


def main(name: str) -> None:
    """Look at the faces of one dataset."""
    settings = params.load()
    dataset = Dataset(name, settings)
    rows = faces.KIND.read_index(dataset.faces)
    with locked(dataset.appearance):
        try:
            config, index, clips = _look(rows, dataset, settings)
        except MissingAssetError as error:  # all else works without it
            print(f"{name}: no encoder has run: {error} After that, run: dvc repro -f embed")
            config = Config(NONE)
            index, clips = KIND.gather(rows.iloc[:0], dataset.appearance, {})
        write_json(dataset.appearance / "config.json", asdict(config))
    failed = index[index["problem"] != ""]
    n_faces = sum(clip["faces"] for clip in clips.values())
    summary = {
        "encoder": config.encoder,
        "clips": len(clips),
        "faces": n_faces,
        "problems": dict(zip(failed["video_idx"], failed["problem"], strict=True)),
    }
    write_json(METRICS / f"{name}.json", summary)
    if config.encoder != NONE:
        print(
            f"{name}: encoder {config.encoder} has looked at {n_faces} faces of {len(clips)} clips"
        )
    for row in failed.itertuples():
        print(f"  not looked at: {row.file_path}: {row.problem}")


def _look(
    rows: pd.DataFrame, dataset: Dataset, settings: params.Params
) -> tuple[Config, pd.DataFrame, dict[str, dict[str, Any]]]:
    """What looks at the faces, the index, and what the clips' entries say, by key."""
    name = settings.appearance.encoder
    if name == NONE or not dataset.entry.has_pictures:
        return Config(NONE), *KIND.gather(rows.iloc[:0], dataset.appearance, {})
    encoder = encoders.load(name)
    rows = rows[rows["shard"] != ""].rename(columns={"key": "faces_key"})
    rows["key"] = [embed.key(key, encoder) for key in rows["faces_key"]]
    margin = faces.read_config(dataset.faces)["margin"]
    sources = {
        row.key: embed.Source(
            *((dataset.faces / row.shard).absolute(), row.row_group, row.row_groups, margin)
        )
        for row in rows.itertuples()
    }
    paths = dict(zip(rows["key"], rows["file_path"], strict=True))

    def look() -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
        problems = embed.ensure(
            sources, dataset.appearance, dataset.name, margin, encoder, settings
        )
        require_finished(problems, paths)
        return KIND.gather(rows, dataset.appearance, problems)

    return embed.describe(encoder), *mended(look)


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

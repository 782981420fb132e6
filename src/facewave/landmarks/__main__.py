"""Stage extract: ``python -m facewave.landmarks DATASET``.

Reads   data/labels/<dataset>.csv, the clips, and data/trajectories/<dataset>/ if it exists
Writes  data/landmarks/<dataset>/       shards and their index (landmarks/schema.py); of
                                        landmarks.whose: all the other people's, too (people.csv)
        metrics/extract/<dataset>.json  clips, frames, measures, every excluded clip with its reason
        metrics/extract/<dataset>.csv   the measures of every clip
        metrics/extract/<dataset>.png   the worst clip by each measure
"""

from pathlib import Path

import pandas as pd

from facewave import params
from facewave.errors import explain
from facewave.files import locked, write_csv, write_json
from facewave.functionals import read
from facewave.labels import schema as labels
from facewave.landmarks import cache, functionals, plots, shards
from facewave.landmarks.extract import Ensured, ensure, read_tracks
from facewave.landmarks.schema import MEASURES
from facewave.pool import require_finished
from facewave.shards import mended
from facewave.workspace import Dataset

_NAMED = 20  # detected clips that are named one by one


def main(name: str) -> None:
    """Extract one dataset."""
    settings = params.load()
    dataset = Dataset(name, settings)
    fps, folder = dataset.entry.fps, dataset.landmarks
    rows = labels.with_trajectories(dataset.read_labels())
    if dataset.entry.features:
        _take_over(dataset, rows, dataset.entry.features)
        return
    files = rows["file_path"].drop_duplicates()
    clips = [dataset.root / path for path in files]
    with locked(folder):
        limits = settings.landmarks.for_dataset(dataset.entry)

        def extract() -> tuple[Ensured, pd.DataFrame]:
            # A machine that pulled the shards has nothing to detect.
            places, tracks = ([dataset.pack], folder), dataset.entry.tracks
            if tracks:
                ensured = read_tracks(clips, name, tracks, settings.landmarks, *places)
            else:
                ensured = ensure(clips, name, fps, settings.landmarks, *places)
            keys = dict(zip(files, ensured.keys, strict=True))
            require_finished(ensured.problems, {key: path for path, key in keys.items()})
            keyed = rows.assign(key=rows["file_path"].map(keys))
            return ensured, shards.index(keyed, folder, limits, ensured.problems, ensured.others)

        ensured, index = mended(extract)
    _write_metrics(dataset, index)
    _report(dataset, index, ensured)


def _take_over(dataset: Dataset, rows: pd.DataFrame, features: params.FeatureTable) -> None:
    """Take the clips' numbers from the dataset's table of features: there is nothing to detect."""
    with locked(dataset.landmarks):
        table = read(dataset.root, features, dataset.entry.columns.values())
        index = functionals.index(rows, table, dataset)
    _write_metrics(dataset, index)
    print(f"{dataset.name}: {len(index)} clips, {len(table.columns)} columns of {table.path}")
    _print_usable(dataset, index)


def _write_metrics(dataset: Dataset, index: pd.DataFrame) -> None:
    metrics, name = Path("metrics/extract"), dataset.name
    measured = {} if dataset.entry.features else _measured(index)
    write_json(metrics / f"{name}.json", _summary(index) | measured)
    columns = ["video_idx", "file_path", *MEASURES, "usable", "reason"]
    write_csv(metrics / f"{name}.csv", index[columns])
    picture = metrics / f"{name}.png"
    root = dataset.root if dataset.entry.has_pictures else None
    plots.worst(index, root, dataset.landmarks, dataset.entry.fps, picture)


def _summary(index: pd.DataFrame) -> dict[str, object]:
    return {
        "clips": len(index),
        "usable": int(index["usable"].sum()),
        "left_out": {row.video_idx: row.reason for row in index[~index["usable"]].itertuples()},
    }


def _measured(index: pd.DataFrame) -> dict[str, object]:
    frames = index["frames"].sum()
    quantiles = index[list(MEASURES)].astype(float).quantile([0.05, 0.5, 0.95]).round(4)
    return {
        "frames": int(frames),
        "face_share": round(float(index["face_frames"].sum() / max(1, frames)), 4),
        "measures": {
            name: dict(zip(("p5", "median", "p95"), quantiles[name], strict=True))
            for name in MEASURES
            if quantiles[name].notna().all()
        },
    }


def _report(dataset: Dataset, index: pd.DataFrame, ensured: Ensured) -> None:
    clips = index.drop_duplicates("key")  # rows may be about parts of one clip
    detected, from_pack = ensured.detected, len(ensured.packed)
    came = f"{from_pack} came with the dataset ({dataset.pack}), " if from_pack else ""
    did = "detected" if dataset.entry.has_pictures else "read"
    cached = len(clips) - from_pack - len(detected)
    print(
        f"{dataset.name}: {len(clips)} clips: {came}{cached} from the cache ({cache.folder()}), "
        f"{len(detected)} {did} now"
    )
    if 0 < len(detected) <= _NAMED:
        now = index.loc[index["key"].isin(detected), "file_path"].unique()
        print(f"  {did} now: {', '.join(now)}")
    _print_usable(dataset, index)


def _print_usable(dataset: Dataset, index: pd.DataFrame) -> None:
    for row in index[~index["usable"]].itertuples():
        print(f"  left out: {row.file_path}: {row.reason}")
    print(f"{dataset.name}: {index['usable'].sum()} of {len(index)} usable")


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

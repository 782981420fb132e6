"""Stage listen: ``python -m facewave.voice DATASET``.

Reads   data/labels/<dataset>.csv, the clips
Writes  data/voice/<dataset>/           what is heard in them (voice/schema.py)
        metrics/listen/<dataset>.json   how much speech there is, every clip without sound
"""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from facewave import hashes, params
from facewave.assets import MissingAssetError
from facewave.errors import explain
from facewave.files import locked, write_csv, write_json
from facewave.labels import schema as labels
from facewave.pictures import is_pictures
from facewave.pool import require_finished
from facewave.shards import mended
from facewave.sound import NO_SOUND
from facewave.voice import listen
from facewave.voice.schema import HOP_S, KIND, MEASURES, Config
from facewave.workspace import Dataset, Stored

METRICS = Path("metrics/listen")


def main(name: str) -> None:
    """Listen to one dataset."""
    settings = params.load()
    dataset = Dataset(name, settings)
    rows = labels.with_trajectories(dataset.read_labels())
    if not dataset.entry.has_pictures:  # but other tools' tables
        rows = rows.iloc[:0]
    with locked(dataset.voice):
        listener = listen.Listener(settings.voice)
        config = listener.describe()
        try:
            index = mended(lambda: _heard(rows, dataset, listener, settings))
        except MissingAssetError as error:  # all else works without it
            print(f"{name}: nothing has listened: {error} After that, run: dvc repro -f listen")
            index = _index(rows.assign(key=""), {"": f"nothing has listened: {error}"}, dataset)
        if (index["shard"] == "").all():
            config = Config()
        write_json(dataset.voice / "config.json", asdict(config))
    without = index[index["problem"] != ""]
    heard = index[index["problem"] == ""].drop_duplicates("key")
    seconds = round(float(heard["rows"].sum()) * HOP_S, 2)
    median = heard[list(MEASURES)].astype(float).median().round(4)
    summary = {
        "encoder": config.encoder,
        "clips": len(heard),
        "seconds": seconds,
        "median": median.dropna().to_dict(),
        "problems": dict(zip(without["video_idx"], without["problem"], strict=True)),
    }
    write_json(METRICS / f"{name}.json", summary)
    print(f"{name}: {len(heard)} clips have sound, {seconds:g} s; {len(without)} rows have none")


def _heard(
    rows: pd.DataFrame, dataset: Dataset, listener: listen.Listener, settings: params.Params
) -> pd.DataFrame:
    """Listen to the clips of some rows of the label table; return their index."""
    clips: dict[str, Path] = {}
    keys: dict[str, str] = {}  # by file_path
    problems: dict[str, str] = {}
    with hashes.remembered(hashes.of_clips()) as digest:
        files = rows["file_path"].drop_duplicates()
        for path in tqdm(files, f"hash {dataset.name}", unit="clip", leave=False):
            clip = dataset.root / path
            if is_pictures(clip):
                keys[path] = path
                problems[path] = NO_SOUND
            else:
                keys[path] = listener.key(digest(clip))
                clips[keys[path]] = clip
    failed = listen.ensure(clips, dataset.voice, dataset.name, listener, settings)
    require_finished(failed, {key: path for path, key in keys.items()})
    keyed = rows.assign(key=rows["file_path"].map(keys))
    return _index(keyed, problems | failed, dataset)


def _index(rows: pd.DataFrame, problems: dict[str, str], dataset: Dataset) -> pd.DataFrame:
    """Write the shards and the index; each row has the measures of its part."""
    index, _ = KIND.gather(rows, dataset.voice, problems)
    if "unheard" in index:
        index["problem"] = index["problem"].where(index["problem"] != "", index.pop("unheard"))
    else:  # no clip has an entry
        index["rows"] = pd.Series(dtype="Int64")
    index.loc[index["problem"] != "", ["shard", "row_group", "row_groups"]] = ["", pd.NA, pd.NA]
    stored = Stored(dataset.voice, "voice", index.set_index("video_idx", drop=False))
    parts = (stored.read(video_idx) for video_idx in index["video_idx"])
    measures = [voice.measures() if voice else dict.fromkeys(MEASURES) for voice in parts]
    index = index.join(pd.DataFrame(measures, index.index, MEASURES, dtype=float))
    write_csv(dataset.voice / "index.csv", index)
    return index


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

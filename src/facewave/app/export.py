"""``facewave export`` and ``export-npy``: a dataset's numbers for other tools."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from facewave import params
from facewave.errors import UserError
from facewave.files import for_spreadsheets, replacing, write_csv
from facewave.params import Block
from facewave.wavelets.schema import POINTS, Features
from facewave.workspace import Dataset

_HEAD = (*(f"rotation_{axis}" for axis in "xyz"), *(f"position_{axis}" for axis in "xyz"), "size")


def export(dataset: str, out: Path, blocks: Sequence[str] = ()) -> None:
    """Write labels and features as one table, a row per row of the label table.

    First the label table's columns (labels/schema.py); then ``usable`` and ``reason``, of the
    features; then the numbers, ``<block>.<step>.<channel>``, steps from 0, which are missing where
    the clip is not usable or was not looked at.

    Args:
        dataset: of params.yaml.
        out: a .csv or .parquet file.
        blocks: which features; (): all that the dataset has.

    Raises:
        UserError: the file has another suffix, there are no labels or features, or there is no
            such block.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise UserError(f"--out is {out}; name a .csv or .parquet file.")
    handle = Dataset(dataset, params.load())
    labels, features = handle.read_labels(), handle.read_features()
    if strange := [name for name in blocks if name not in features.blocks]:
        raise UserError(
            f"--blocks names {strange[0]}; data/features/{dataset} has "
            f"{', '.join(features.blocks)}."
        )
    chosen = {
        name: block for name, block in features.blocks.items() if name in blocks or not blocks
    }
    columns = [
        f"{name}.{step}.{channel}"
        for name, block in chosen.items()
        for step, channel in product(range(block.shape[1]), channels(name, features))
    ]
    numbers = np.concatenate([block.reshape(len(block), -1) for block in chosen.values()], axis=1)
    of_clips = features.clips.set_index("video_idx")[["usable", "reason"]]
    of_clips = of_clips.join(pd.DataFrame(numbers, of_clips.index, columns))
    # An excluded row may have the id of another one, whose clip these numbers are of.
    others = labels["video_idx"].duplicated(keep=False) & (labels["excluded"] != "")
    of_rows = of_clips.reindex(labels["video_idx"].mask(others))
    of_rows = of_rows.assign(usable=of_rows["usable"].eq(True), reason=of_rows["reason"].fillna(""))
    table = pd.concat([labels, of_rows.set_axis(labels.index)], axis=1)
    if out.suffix == ".csv":
        write_csv(out, for_spreadsheets(table))
    else:
        with replacing(out) as temporary:
            table.to_parquet(temporary, index=False)
    usable = int(table["usable"].sum())
    numbers_of = f"{len(columns)} numbers each ({', '.join(chosen)})"
    print(f"{out}: {len(table)} clips, {usable} of them usable, {numbers_of}")


def channels(name: Block, features: Features) -> list[str]:
    """The names of a block's channels, in order: points are ``x_33``, as extract names them.

    Channels that nobody has named are numbered from 0.
    """
    of_encoder = features.config["encoder"]["channels"]
    if name in of_encoder:
        return list(of_encoder[name])
    if isinstance(names := features.config.get(name), list):
        return [str(channel) for channel in names]
    match name:
        case "landmarks" | "pose_free":
            merged = features.config["sides"] == "merged"
            points = POINTS if merged else range(features.blocks[name].shape[2])
            return [f"{axis}_{point}" for point, axis in product(points, "xyz")]
        case "head":
            return list(_HEAD)
        case "timing":
            return ["log2_duration", "log2_fps"]
        case _:
            return [str(at) for at in range(features.blocks[name][0, 0].size)]


def export_npy(dataset: str, out: Path) -> None:
    """Write the usable clips as an object array of dicts.

    Each is ``{'file_path': str, 'landmarks': (K, 478, 3), 'blendshapes': (K, 52)}``, float32. Such
    a file is a pickle inside: reading it needs ``np.load(..., allow_pickle=True)``, which runs any
    code that its maker put in. This project writes the format for others and never reads it.

    Raises:
        UserError: there are no features, none of a face, or left and right are merged in them.
    """
    features = Dataset(dataset, params.load()).read_features()
    if not {"landmarks", "blendshapes"} <= features.blocks.keys():
        raise UserError(
            f"data/features/{dataset} has no landmarks and blendshapes, which the exchange format "
            f"consists of, but {', '.join(features.blocks)}. Name a dataset of videos."
        )
    if features.config["sides"] == "merged":
        raise UserError(
            "the exchange format has 478 points and 52 blendshapes, but data/features/"
            f"{dataset} has left and right merged. Set wavelets.sides: apart (and, for numbers in "
            "temporal order, wavelets.transform: approximation) in params.yaml, and run: dvc repro "
            f"wavelet@{dataset}"
        )
    usable = np.flatnonzero(features.clips["usable"])
    blocks = {name: features.blocks[name] for name in ("landmarks", "blendshapes")}
    records = np.empty(len(usable), object)
    for i, row in enumerate(usable):
        records[i] = {"file_path": features.clips["file_path"].iloc[row]} | {
            name: np.array(block[row]) for name, block in blocks.items()
        }
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.save(file, records)
    shapes = ", ".join(f"{name} {block.shape[1:]}" for name, block in blocks.items())
    print(
        f"{out}: {len(records)} clips, {shapes}\n"
        "Reading it needs pickle (np.load with allow_pickle), which can run code: say so when you "
        "pass it on, and read only such files as you trust. facewave itself never reads one."
    )

"""``facewave export-npy``: the exchange format of other projects."""

from pathlib import Path

import numpy as np

from facewave import params
from facewave.errors import UserError
from facewave.files import replacing
from facewave.workspace import Dataset


def export(dataset: str, out: Path) -> None:
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

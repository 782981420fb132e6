"""``facewave export-npy``: the exchange format that others use."""

from pathlib import Path

import numpy as np

from facewave.files import replacing
from facewave.wavelets import schema as wavelets


def export(dataset: str, out: Path) -> None:
    """Write usable clips as an object array of dicts.

    Each is ``{'file_path': str, 'landmarks': (K, 478, 3), 'blendshapes': (K, 52)}``, float32. Such
    a file is a pickle inside: reading it needs ``np.load(..., allow_pickle=True)``, which runs
    whatever its maker put in, so read only files you trust. This project writes the format and
    never reads it; its own features are plain arrays.
    """
    features = wavelets.read(Path("data/features") / dataset)
    clips, blocks = features.clips, features.blocks
    usable = np.flatnonzero(clips["usable"])
    records = np.empty(len(usable), object)
    for i, at in enumerate(usable):
        records[i] = {
            "file_path": clips["file_path"].iloc[at],
            "landmarks": np.array(blocks["landmarks"][at]),
            "blendshapes": np.array(blocks["blendshapes"][at]),
        }
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.save(file, records)
    print(
        f"{out}: {len(records)} clips, landmarks {blocks['landmarks'].shape[1:]}, blendshapes "
        f"{blocks['blendshapes'].shape[1:]}\n"
        "Reading it needs pickle (np.load with allow_pickle), which can run code: pass it on as "
        "what it is, and read only such files as you trust. facewave itself never reads one."
    )

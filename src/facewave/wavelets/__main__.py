"""Stage wavelet: ``python -m facewave.wavelets DATASET``.

Reads   data/landmarks/<dataset>/        trajectories (T, 478, 3) and (T, 52), any T
Writes  data/features/<dataset>/         (n, K, 478, 3), (n, K, 52), mask and quality
        metrics/wavelet/<dataset>.json   how much was condensed into how little
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from tqdm import tqdm

from facewave import params
from facewave.errors import explain
from facewave.files import write_csv, write_json
from facewave.landmarks import schema as landmarks
from facewave.wavelets.features import features
from facewave.wavelets.schema import CLIP_COLUMNS
from facewave.wavelets.transform import Transform


def main(name: str) -> None:
    """Transform one dataset."""
    settings = params.load()
    params.dataset(settings, name)
    transform = Transform(**asdict(settings.wavelets))
    source, folder = Path("data/landmarks") / name, Path("data/features") / name
    index = landmarks.read_index(source)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (len(index), transform.k)
    points = _array(folder / "landmarks.npy", *shape, landmarks.POINTS, landmarks.COORDINATES)
    shapes = _array(folder / "blendshapes.npy", *shape, landmarks.BLENDSHAPES)
    for i, row in enumerate(tqdm(index.itertuples(), f"wavelet {name}", len(index), unit="clip")):
        if not row.usable:
            points[i], shapes[i] = np.nan, np.nan
            continue
        trajectory = landmarks.read_clip(source / row.shard, row.row_group)
        points[i], shapes[i] = features(trajectory, transform)
    points.flush()
    shapes.flush()

    write_csv(folder / "clips.csv", index[list(CLIP_COLUMNS)])
    shards = index.loc[index["shard"] != "", "shard"]
    names = landmarks.read_names(source / shards.iloc[0]) if len(shards) else ()
    write_json(folder / "config.json", asdict(transform) | {"blendshapes": names})
    usable = index[index["usable"]]
    frames = usable["frames"].mean() if len(usable) else 0.0
    write_json(
        Path("metrics/wavelet") / f"{name}.json",
        {
            "clips": len(usable),
            "channels": landmarks.POINTS * landmarks.COORDINATES + landmarks.BLENDSHAPES,
            "numbers_per_channel": transform.k,
            "mean_frames_per_clip": round(frames, 2),
            "frames_per_number": round(frames / transform.k, 2),
        },
    )


def _array(path: Path, *shape: int) -> "np.memmap[Any, np.dtype[np.float32]]":
    """A float32 .npy file to be filled clip by clip, however many there are."""
    return open_memmap(path, "w+", np.float32, shape)


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

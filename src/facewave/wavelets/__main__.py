"""Stage wavelet: ``python -m facewave.wavelets DATASET``.

Reads   data/landmarks/<dataset>/        trajectories (T, 478, 3) and (T, 52), any T
Writes  data/features/<dataset>/         blocks (n, K, ...), mask and quality
        metrics/wavelet/<dataset>.json   how much was condensed into how little
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facewave import params
from facewave.errors import explain
from facewave.files import replacing, write_csv, write_json
from facewave.landmarks import schema as landmarks
from facewave.wavelets.features import features, unusable
from facewave.wavelets.schema import BLOCKS, CLIP_COLUMNS
from facewave.wavelets.transform import Transform


def main(name: str) -> None:
    """Transform one dataset."""
    settings = params.load()
    params.dataset(settings, name)
    chosen = settings.wavelets
    transform = Transform(chosen.mode, chosen.family, chosen.level, chosen.k)
    source, folder = Path("data/landmarks") / name, Path("data/features") / name
    index = landmarks.read_index(source)
    index["reason"] = [unusable(row, chosen.max_gap_s) for row in index.to_dict("records")]
    index["usable"] = index["reason"] == ""
    index["filled"] = (1 - index["face_share"]).where(index["usable"]).round(4)
    with ExitStack() as files:
        write = {
            block: files.enter_context(
                _array(folder / f"{block}.npy", len(index), transform.k, *shape)
            )
            for block, shape in BLOCKS.items()
        }
        for row in tqdm(index.itertuples(), f"wavelet {name}", len(index), unit="clip"):
            if row.usable:
                numbers = features(landmarks.read_row(source, row), row, transform)
            for block, shape in BLOCKS.items():
                missing = np.full((transform.k, *shape), np.nan, np.float32)
                write[block](numbers[block] if row.usable else missing)

    write_csv(folder / "clips.csv", index[list(CLIP_COLUMNS)])
    shards = index.loc[index["shard"] != "", "shard"].unique()
    names = next(filter(None, (landmarks.read_names(source / shard) for shard in shards)), ())
    write_json(folder / "config.json", asdict(transform) | {"blendshapes": names})
    usable = index[index["usable"]]
    frames = usable["frames"].mean() if len(usable) else 0.0
    write_json(
        Path("metrics/wavelet") / f"{name}.json",
        {
            "clips": len(usable),
            "channels": sum(math.prod(shape) for shape in BLOCKS.values()),
            "numbers_per_channel": transform.k,
            "mean_frames_per_clip": round(frames, 2),
            "filled_share": round(float(usable["filled"].mean()), 4) if len(usable) else 0.0,
            "frames_per_number": round(frames / transform.k, 2),
        },
    )


@contextmanager
def _array(path: Path, *shape: int) -> Iterator[Callable[[NDArray[np.float32]], object]]:
    """A float32 .npy file that is written clip by clip, however many there are.

    Not a memory map: where the disk is full, that ends the process without a word.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield lambda clip: file.write(clip.astype("<f4").tobytes())


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))

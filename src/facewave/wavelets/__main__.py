"""Stage wavelet: ``python -m facewave.wavelets DATASET``.

Reads   data/landmarks/<dataset>/        trajectories (T, 478, 3) and (T, 52), any T
Writes  data/features/<dataset>/         blocks (n, N, ...), mask and quality
        metrics/wavelet/<dataset>.json   how much was condensed into how little, and what was lost
        metrics/wavelet/<dataset>.csv    what is lost by every transform, over K
        metrics/wavelet/<dataset>.png    the same as curves
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import params
from facewave.errors import explain
from facewave.files import replacing, write_csv, write_json
from facewave.landmarks import schema as landmarks
from facewave.wavelets import plots
from facewave.wavelets.features import channels, features, unusable
from facewave.wavelets.information import KS, contenders, moving, race, summary
from facewave.wavelets.schema import BLOCKS, CLIP_COLUMNS
from facewave.wavelets.transform import Transform

METRICS = Path("metrics/wavelet")
_POINTS = 256  # of a clip's time, in functions.npy
# What is measured: clips in a shuffled order, up to so many frames in all (half a minute), and none
# of more than so many (their moments would take 50 MB).
_FRAMES, _LONGEST = 20_000, 1_200


def main(name: str) -> None:
    """Transform one dataset, and measure what that keeps of it."""
    settings = params.load()
    about = params.dataset(settings, name).about
    chosen = settings.wavelets
    transform = Transform(chosen.transform, chosen.wavelet, chosen.boundary, chosen.k)
    source, folder = Path("data/landmarks") / name, Path("data/features") / name
    index = landmarks.read_index(source)
    index["reason"] = [unusable(row, chosen.max_gap_s) for row in index.to_dict("records")]
    index["usable"] = index["reason"] == ""
    index["filled"] = (1 - index["face_share"]).where(index["usable"]).round(4)
    measured, clips = measured_of(index), []
    with ExitStack() as files:
        write = {
            block: files.enter_context(
                _array(folder / f"{block}.npy", len(index), transform.numbers, *shape)
            )
            for block, shape in BLOCKS.items()
        }
        for row in tqdm(index.itertuples(), f"wavelet {name}", len(index), unit="clip"):
            if row.usable:
                trajectory = landmarks.read_row(source, row)
                numbers = features(trajectory, row, transform)
                if row.Index in measured:
                    blocks = channels(trajectory, row)
                    clips.append(moving(blocks, trajectory.times_T, row.file_path))
            for block, shape in BLOCKS.items():
                missing = np.full((transform.numbers, *shape), np.nan, np.float32)
                write[block](numbers[block] if row.usable else missing)

    with replacing(folder / "functions.npy") as temporary, temporary.open("wb") as file:
        np.save(file, transform.over_time(_POINTS))
    write_csv(folder / "clips.csv", index[list(CLIP_COLUMNS)])
    shards = index.loc[index["shard"] != "", "shard"].unique()
    names = next(filter(None, (landmarks.read_names(source / shard) for shard in shards)), ())
    write_json(folder / "config.json", asdict(transform) | {"blendshapes": names})
    usable = index[index["usable"]]
    frames = usable["frames"].mean() if len(usable) else 0.0
    k = min(transform.k, transform.numbers)  # of mean and mean_std, whatever wavelets.k is
    condensed: dict[str, Any] = {
        "clips": len(usable),
        "channels": sum(math.prod(shape) for shape in BLOCKS.values()),
        "numbers_per_channel": k,
        "mean_frames_per_clip": round(frames, 2),
        "compression_ratio": round(frames / k, 2),
        "filled_share": round(float(usable["filled"].mean()), 4) if len(usable) else 0.0,
    }
    racing = contenders(transform)
    ks = sorted({*KS, transform.k})
    lost = [race(clips, {one: racing[one]}, ks) for one in tqdm(racing, f"information {name}")]
    kept = summary(pd.concat(lost))
    write_csv(METRICS / f"{name}.csv", kept)
    write_json(METRICS / f"{name}.json", condensed | _information(kept, transform.k, len(clips)))
    plots.curves(kept, f"{name} ({about}), n = {len(clips)} clips", METRICS / f"{name}.png")


def measured_of(index: pd.DataFrame) -> set[int]:
    """The rows of the clips whose loss is measured."""
    fitting = index.loc[index["usable"] & (index["frames"] <= _LONGEST), "frames"]
    shuffled = fitting.sample(frac=1, random_state=0)
    return set(shuffled.index[shuffled.cumsum() <= _FRAMES])


def _information(kept: pd.DataFrame, k: int, n_clips: int) -> dict[str, Any]:
    """What is lost with K numbers: median over clips, for each transform and block, in percent."""
    unexplained: dict[str, Any] = {}
    for row in kept[kept["k"] == k].itertuples():
        unexplained.setdefault(row.contender, {})[row.block] = {
            "variance": row.variance_median,
            "velocity": row.velocity_median,
        }
    return {"clips_measured": n_clips, "unexplained": unexplained}


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
    # The products are small: threads cost more than they bring.
    with threadpool_limits(1):
        explain(lambda: main(params.dataset_argument()))

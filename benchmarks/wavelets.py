"""What the transform costs: ``python benchmarks/wavelets.py``.

Synthetic clips of 90 frames and 1,486 channels (478 points, 52 blendshapes), random walks. In each
round, so that ratios hold on a machine that others share: an approximation of many clips at once of
all channels, with frame times that all clips share and with times of each clip's own (whose fit
must be computed anew); transforms energy and block; PyWavelets called for each channel, on a few
clips; and reading clips, from shards as stage wavelet does and from plain .npy, one file per clip.
Then how time and peak memory grow when clips are read and transformed one after the other, the same
hundred over and over. One thread, except for reading parquet.
"""

import argparse
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import pywt
from threadpoolctl import threadpool_limits

from facewave.landmarks import schema
from facewave.wavelets.transform import Floats, Transform, block_level

FRAMES, FPS, DISTINCT = 90, 30.0, 100
SIZES = (100, 1_000, 10_000)
BY_CHANNEL = 3  # clips
TIMES = np.arange(FRAMES) / FPS


def made(seed: int) -> schema.Trajectory:
    """A clip of random walks."""
    rng = np.random.default_rng(seed)
    blank = schema.blank(FRAMES, tuple(map(str, range(schema.BLENDSHAPES))))
    points = 0.5 + rng.normal(scale=0.003, size=blank.landmarks_TPC.shape).cumsum(axis=0)
    shapes = 0.5 + rng.normal(scale=0.02, size=blank.blendshapes_TB.shape).cumsum(axis=0)
    return replace(
        blank,
        times_T=TIMES,
        valid_T=np.ones(FRAMES, bool),
        landmarks_TPC=points.astype(np.float32),
        blendshapes_TB=shapes.astype(np.float32),
        pose_T44=np.tile(np.eye(4, dtype=np.float32), (FRAMES, 1, 1)),
    )


def flat(clip: schema.Trajectory) -> Floats:
    """All its channels, (T, 1486)."""
    points = clip.landmarks_TPC.reshape(FRAMES, -1)
    return np.hstack([points, clip.blendshapes_TB]).astype(np.float64)


def write(folder: Path) -> list[SimpleNamespace]:
    """Shard and arrays, and the rows of an index."""
    facts = schema.ClipFacts(fps=FPS, width=64, height=48, declared_frames=FRAMES)
    rows = []
    with schema.shard(folder / "part-00000.parquet", made(0).names) as writer:
        for i in range(DISTINCT):
            clip = made(i)
            writer.add(clip)
            writer.end_clip(str(i), facts, {})
            np.save(folder / f"{i}.npy", flat(clip).astype(np.float32))
            place = {"shard": "part-00000.parquet", "row_group": i, "row_groups": 1}
            rows.append(SimpleNamespace(**place, start=np.nan, end=np.nan))
    return rows


def by_channel(values_TC: Floats, wavelet: str) -> Floats:
    """PyWavelets for each channel, with the level and the numbers of transform block."""
    level = block_level(len(values_TC))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.stack([pywt.wavedec(line, wavelet, level=level)[0][:10] for line in values_TC.T])


def own_times(seed: int) -> Floats:
    """Frame times that no other clip has."""
    return TIMES + np.random.default_rng(seed).uniform(0, 0.3 / FPS, FRAMES)


def each(count: int, work: Callable[[int], object]) -> float:
    """Seconds a clip."""
    start = time.perf_counter()
    for i in range(count):
        work(i)
    return (time.perf_counter() - start) / count


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="What the transform costs.")
    parser.add_argument("--rounds", type=int, default=3, help="medians are printed")
    arguments = parser.parse_args()
    fit = Transform("approximation")
    energy, block = Transform("energy", "haar"), Transform("block", fit.wavelet)
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        folder = Path(name)
        rows = write(folder)
        values = [flat(made(i)) for i in range(DISTINCT)]
        works: dict[str, tuple[int, Callable[[int], object]]] = {
            "approximation, times shared": (DISTINCT, lambda i: fit(values[i], TIMES)),
            "approximation, own times": (
                DISTINCT,
                lambda i: fit(values[i], own_times(i)),
            ),
            "energy": (DISTINCT, lambda i: energy(values[i], TIMES)),
            "block": (DISTINCT, lambda i: block(values[i], TIMES)),
            "PyWavelets by channel": (
                BY_CHANNEL,
                lambda i: by_channel(values[i], fit.wavelet),
            ),
            "reading from shards": (DISTINCT, lambda i: schema.read_row(folder, rows[i])),
            "reading from .npy": (DISTINCT, lambda i: np.load(folder / f"{i}.npy")),
        }
        rounds = [
            {name: each(count, work) for name, (count, work) in works.items()}
            for _ in range(arguments.rounds)
        ]
        print(f"{fit.name}; {FRAMES} frames, {values[0].shape[1]} channels", end="; ")
        print(f"medians of {arguments.rounds} rounds")
        shown = ("PyWavelets by channel", "reading from shards", "reading from .npy")
        print(f"{'':26} {'ms/clip':>8}  over: " + "  ".join(f"{other:>21}" for other in shown))
        for name in works:
            spent = median(one[name] for one in rounds)
            over = [median(one[name] / one[other] for one in rounds) for other in shown]
            cells = "  ".join(f"{ratio:21.4f}" for ratio in over)
            print(f"{name:26} {1e3 * spent:8.2f}        {cells}")
        print(f"\n{'clips':>8} {'read, s':>8} {'transform, s':>13} {'ms/clip':>8} {'peak, MB':>9}")
        values.clear()
        for size in SIZES:
            seconds, marks = np.zeros(2), np.zeros(3)
            for i in range(size):
                marks[0] = time.perf_counter()
                clip = schema.read_row(folder, rows[i % DISTINCT])
                marks[1] = time.perf_counter()
                fit(flat(clip), own_times(i))
                marks[2] = time.perf_counter()
                seconds += np.diff(marks)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            each_ms = 1e3 * seconds.sum() / size
            print(f"{size:8,} {seconds[0]:8.1f} {seconds[1]:13.1f} {each_ms:8.2f} {peak:9.0f}")


if __name__ == "__main__":
    main()

"""How fast many clips are side by side on a GPU: ``python benchmarks/batches.py CLIP [CLIP ...]``.

The models alone, with copying to and from the device, by the size of a batch; and all of detection
in one process by the number of clips side by side: frames a second, the share of the time in which
a batch is answered (the others wait), and how many inputs a batch had. The processor's time for
decoding is of a run that does nothing else; what is left is the graph between the models, and
waiting. On a GPU also stage extract, with all its processes. Without a GPU nothing is measured,
unless with ``--device cpu``. FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from facewave import assets, files, params
from facewave.landmarks import batches, extract
from facewave.landmarks.detect import detect
from facewave.landmarks.engines.on_torch import Models
from facewave.landmarks.engines.tracker import ModelName
from facewave.video import Clip

FPS = 25.0
INPUTS: dict[ModelName, tuple[int, ...]] = {"landmarks": (256, 256, 3), "blendshapes": (146, 2)}


class Timed:
    """Models that note how long they take, and for how many inputs."""

    def __init__(self, models: Models) -> None:
        self.canonical, self._models = models.canonical, models
        self.seconds, self.sizes = 0.0, list[int]()

    def __call__(self, name: ModelName, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The models' answer."""
        start = time.perf_counter()
        answer = self._models(name, inputs)
        self.seconds += time.perf_counter() - start
        self.sizes += [len(inputs)] if name == "landmarks" else []
        return answer


def alone(models: Models, size: int, rounds: int) -> dict[str, float]:
    """Milliseconds of each model for a batch."""
    spent: dict[str, float] = {}
    for name, shape in INPUTS.items():
        inputs = np.random.default_rng(0).random((size, *shape), dtype=np.float32)
        models(name, inputs)  # what the first call prepares
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            models(name, inputs)
            times.append(time.perf_counter() - start)
        spent[name] = 1e3 * median(times)
    return spent


def decoding(clips: list[Path]) -> tuple[int, float]:
    """Frames, and the processor's milliseconds for each, on one core."""
    start = time.process_time()
    frames = sum(1 for clip in clips for _ in Clip(clip, FPS).frames())
    return frames, 1e3 * (time.process_time() - start) / frames


def whole(clips: list[Path], model: Path, timed: Timed, count: int) -> tuple[float, float]:
    """Wall-clock and processor seconds of detection with N clips side by side."""
    settings = replace(params.load().landmarks, engine="litert")
    start, busy = time.perf_counter(), time.process_time()
    tasks = [(clip, model, FPS, settings) for clip in clips]
    batches.side_by_side(detect, tasks, timed, count)
    return time.perf_counter() - start, time.process_time() - busy


def stage(clips: list[Path]) -> float:
    """Seconds of stage extract on the GPU, with a cold cache, processes started."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[files.CACHE] = str(Path(folder) / "cache")
        copies = [Path(folder) / f"{i}-{clip.name}" for i, clip in enumerate(clips)]
        for i, (copy, clip) in enumerate(zip(copies, clips, strict=True)):
            copy.write_bytes(clip.read_bytes() + i.to_bytes(4, "big"))  # of no video's concern
        settings = replace(params.load().landmarks, engine="litert", device="cuda")
        start = time.perf_counter()
        extract.ensure(copies, "benchmark", FPS, settings)
        return time.perf_counter() - start


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="How fast many clips are side by side.")
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 4, 16, 32, 64, 128])
    parser.add_argument("--copies", type=int, default=1, help="of each clip, to fill large batches")
    parser.add_argument("--rounds", type=int, default=5, help="of each model; medians are printed")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("not measured: torch finds no GPU")
        return
    clips, place = given.clips * given.copies, assets.get(assets.LANDMARKER)
    models = Models(place.read_bytes(), given.device)
    kind = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
    frames, decode = decoding(clips)
    print(f"{kind}: {len(clips)} clips, {frames} frames; decoding {decode:.2f} ms a frame")
    print(f"{'batch':>6} {'landmarks, ms':>14} {'blendshapes, ms':>16} {'frames/s':>9}")
    for size in given.sizes:
        spent = alone(models, size, given.rounds)
        rate = 1e3 * size / sum(spent.values())
        print(f"{size:6} {spent['landmarks']:14.1f} {spent['blendshapes']:16.1f} {rate:9.0f}")
    print(f"{'clips':>6} {'frames/s':>9} {'models':>7} {'of it a batch':>14} {'cores':>6}")
    for count in given.sizes:
        if count <= len(clips):
            timed = Timed(models)
            clock, busy = whole(clips, place, timed, count)
            share, mean = timed.seconds / clock, float(np.mean(timed.sizes))
            print(f"{count:6} {frames / clock:9.0f} {share:7.0%} {mean:14.1f} {busy / clock:6.1f}")
    if given.device == "cuda":
        print(f"stage extract: {frames / stage(clips):.0f} frames a second")


if __name__ == "__main__":
    main()

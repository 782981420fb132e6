"""What many labelled windows cost: ``python benchmarks/windows.py``.

A corpus of traces, as Aff-Wild2 is at every fifth frame: windows of long clips, each with a valence
and an arousal. Labels and features are made up (synthetic: the numbers are noise around them), the
stages train, predict and evaluate are the real ones, each in a process of its own, whose time and
largest memory are printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks

ROOT = Path(__file__).parents[1]
NAME = "windows"
STEPS, CHANNELS = 7, 32  # of the default inputs and transform
A_CLIP = 250  # windows
FRAMES = 5  # from one window to the next
HOP_S, WINDOW_S = 0.2, 2.0
PARTS = ("train",) * 8 + ("val", "test")
STAGES = ("training", "prediction", "evaluation")


def write(n: int, train: dict[str, Any], resamples: int) -> None:
    """A project of n windows in the working folder."""
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((ROOT / "params.yaml").read_text("utf-8"))
    entry = {"reader": "table", "root": "raw", "about": "synthetic windows", "synthetic": True}
    content |= {"datasets": {NAME: entry}}
    content["train"] |= {"dataset": NAME, "partitions": ["split"], "baselines": []} | train
    content["train"] |= {"targets": ["valence", "arousal"]}
    content["train"]["network"] |= {"epochs": 5, "batch_size": 256}
    content["evaluate"]["resamples"] = resamples
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)

    rng = np.random.default_rng(0)
    affect_n2 = np.tanh(rng.normal(0, 0.5, (n, 2))).round(3)
    clip = np.arange(n) // A_CLIP
    start = (np.arange(n) % A_CLIP) * HOP_S
    names = [f"{c}/{i}" for i, c in enumerate(clip)]
    paths = [f"{c}.mp4" for c in clip]
    table = pd.DataFrame(
        {
            "file_path": paths, "video_idx": names, "dataset": NAME, "valence": affect_n2[:, 0],
            "arousal": affect_n2[:, 1], "subject": [str(c) for c in clip], "start": start,
            "end": start + WINDOW_S, "split": np.array(PARTS)[clip % len(PARTS)],
            "rank": (np.arange(n) + 0.5) / n,
        }
    )  # fmt: skip
    folder = Path("data/labels")
    folder.mkdir(parents=True)
    labels.write(folder / f"{NAME}.csv", table, ())
    frame = np.repeat(np.arange(n), FRAMES)  # as many frames a window, each with its numbers
    times = start[frame] + WINDOW_S / 2 + np.tile(np.arange(FRAMES), n) * HOP_S / FRAMES
    every = {"file_path": np.array(paths)[frame], "time": times}
    every |= {"valence": affect_n2[frame, 0], "arousal": affect_n2[frame, 1]}
    labels.write_frames(folder / f"{NAME}.csv", pd.DataFrame(every))

    folder = Path("data/features") / NAME
    folder.mkdir(parents=True)
    block = np.lib.format.open_memmap(
        folder / "blendshapes.npy", "w+", np.float32, (n, STEPS, CHANNELS)
    )
    loadings = rng.normal(0, 0.1, (2, STEPS, CHANNELS))
    for rows in np.array_split(np.arange(n), max(1, n // 10_000)):
        signal = np.tensordot(affect_n2[rows], loadings, 1)
        block[rows] = signal + rng.normal(0, 0.3, (len(rows), STEPS, CHANNELS))
    block.flush()
    np.save(folder / "functions.npy", np.zeros((0, STEPS), np.float32))
    clips = table[["video_idx", "file_path"]].assign(
        usable=True, reason="", frames=50, face_share=1.0, duration=WINDOW_S, fps=25.0, filled=0.0
    )
    clips.to_csv(folder / "clips.csv", index=False)
    config = content["wavelets"] | {
        "blendshapes": [f"b{i}" for i in range(CHANNELS)],
        "blocks": ["blendshapes"],
        "encoder": {"name": "none", "identity": None, "channels": {}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    folder = Path("data/landmarks") / NAME
    folder.mkdir(parents=True)
    index = table[["video_idx", "file_path", "start", "end"]].reindex(
        columns=list(landmarks.INDEX), fill_value=1
    )
    index.assign(usable=True, reason="", problem="", shard="").to_csv(
        folder / "index.csv", index=False
    )
    folder = Path("data/faces") / NAME
    folder.mkdir(parents=True)


def measure(stage: str) -> tuple[float, float]:
    """Seconds and GiB of a stage's process."""
    command = [sys.executable, "-m", f"facewave.{stage}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{stage}: {errors[-2000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 2**20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What many labelled windows cost.")
    parser.add_argument("--windows", nargs="+", type=int, default=[5_000, 50_000, 500_000])
    parser.add_argument("--models", nargs="+", default=["logistic", "mlp"])
    parser.add_argument("--resamples", type=int, default=2000)
    given = parser.parse_args()
    header = " ".join(f"{stage + ', s':>14} {'GiB':>5}" for stage in STAGES)
    print(f"{'windows':>8} {'model':>9} {header}", flush=True)
    for n in given.windows:
        for model in given.models:
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                write(n, {"model": model}, given.resamples)
                figures = [measure(stage) for stage in STAGES]
                os.chdir("/")
            cells = " ".join(f"{seconds:14.1f} {memory:5.1f}" for seconds, memory in figures)
            print(f"{n:8,} {model:>9} {cells}", flush=True)


if __name__ == "__main__":
    main()

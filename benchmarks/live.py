"""How late are live answers? ``python benchmarks/live.py CLIP [--seconds 60] [--save-video]``.

A video is played as a camera runs, and answered by ``facewave live`` in a process of its own, on
the processors that it is let (``taskset -c 0,1``). Latency is from the moment a frame is due to the
answer that includes it. The load of the machine stands beside the figures: answers are late by
whatever else runs.

FACEWAVE_ASSETS: the folder of the landmarker and of the encoder fer.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def watched(clip: Path, seconds: float, save_video: bool) -> dict[str, Any]:
    """The summary of one run."""
    command = [sys.executable, "-m", "facewave.app.cli", "live", str(clip.absolute()), "--json"]
    command += ["--seconds", str(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        if save_video:
            command += ["--out", f"{folder}/answers.jsonl", "--save-video"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    summary: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])["summary"]
    return summary


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save-video", action="store_true")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores; clip: load before, frames a second, dropped; latency in ms")
    for clip in given.clip:
        for _ in range(given.repeats):
            load = os.getloadavg()[0]
            of = watched(clip, given.seconds, given.save_video)
            latency = of["latency_ms"] or dict.fromkeys(("median", "p95", "highest"), float("nan"))
            print(
                f"{clip.name}: {load:.1f}, {of['fps']:.1f}, {of['dropped_share']:.1%}; n = "
                f"{of['answers']}, median {latency['median']:.0f}, 95th percentile "
                f"{latency['p95']:.0f}, highest {latency['highest']:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

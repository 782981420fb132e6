"""What whole pictures of clips take: decoded and kept, then read in later epochs.

``python benchmarks/whole_pictures.py CLIPS``, in the project's folder.
"""

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from facewave import params
from facewave.files import CACHE
from facewave.prompts.frames import draw_seed, show
from facewave.video import Clip

ROUNDS, EPOCHS = 5, 4


def main(clips: list[Path]) -> None:
    """Print milliseconds of a core a clip, their ratio and what is kept."""
    durations = {clip: Clip(clip, 25).duration for clip in clips}
    settings = replace(params.load().train.language, picture="whole")
    for sampling in ("uniform", "random"):
        drawn, rows = replace(settings, sampling=sampling), []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as cache:
                os.environ[CACHE] = cache
                times = [time.process_time()]
                for epoch in range(EPOCHS):
                    for clip, duration in durations.items():
                        seed = draw_seed(0, epoch, clip.name)
                        show(clip, str(clip), 25.0, 0.0, duration, None, drawn, seed)
                    times.append(time.process_time())
                kept = sum(file.stat().st_size for file in Path(cache).rglob("*.parquet"))
            first, *later = 1e3 * np.diff(times) / len(clips)
            rows.append((first, np.mean(later), first / np.mean(later), kept / len(clips) / 1e3))
        first, after, ratio, kept = np.median(rows, axis=0)
        least, most = np.array(rows)[:, 2].min(), np.array(rows)[:, 2].max()
        print(
            f"{sampling}: first {first:.1f} ms, later {after:.1f} ms, ratio {ratio:.0f} "
            f"({least:.0f} to {most:.0f}), {kept:.0f} kB"
        )


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])

"""What sampling and shrinking cost: ``python benchmarks/fidelity.py CLIP [CLIP ...]``.

Each clip is detected as it is, then with fewer frames a second (``landmarks.fps``) or smaller
pictures (``landmarks.max_side``). What is lost is the share of the variance over time that the
coarser trajectory, linear between its frames, leaves unexplained at the full one's frames: over all
channels of a group, ``sum (x - y)^2 / sum (x - mean x)^2``; and the same for the velocity, the
differences from frame to frame. Median and range over clips. Beside them, the landmarker's own
unrest: the clip detected after one brightness level was added to all its pictures.
FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave import assets, params
from facewave.landmarks.detect import detect
from facewave.landmarks.schema import Trajectory
from facewave.video import Clip

FPS = 25.0
VARIANTS: dict[str, dict[str, Any]] = {
    "fps 15": {"fps": 15.0},
    "fps 10": {"fps": 10.0},
    "fps 5": {"fps": 5.0},
    "max_side 640": {"max_side": 640},
    "max_side 320": {"max_side": 320},
    "max_side 160": {"max_side": 160},
}


def brighter(clip: Path, folder: Path) -> Path:
    """The clip's frames, one level brighter, as pictures."""
    folder.mkdir()
    for number, _, picture in Clip(clip, FPS).frames():
        if picture is not None:
            cv2.imwrite(str(folder / f"{number:05}.png"), cv2.add(picture[..., ::-1], 1))
    return folder


def lost(full: Trajectory, coarse: Trajectory) -> list[float]:
    """Unexplained shares: blendshapes, their velocity, landmarks, their velocity."""
    both = full.valid_T
    times, known = full.times_T[both], coarse.valid_T
    shares = []
    for name in ("blendshapes_TB", "landmarks_TPC"):
        x = getattr(full, name)[both].reshape(both.sum(), -1).astype(float)
        y = getattr(coarse, name)[known].reshape(known.sum(), -1).astype(float)
        between = np.stack([np.interp(times, coarse.times_T[known], line) for line in y.T], axis=1)
        for a, b in ((x, between), (np.diff(x, axis=0), np.diff(between, axis=0))):
            shares.append(float(((a - b) ** 2).sum() / ((a - a.mean(axis=0)) ** 2).sum()))
    return shares


def line(name: str, shares: list[list[float]], ratio: float) -> None:
    """Print a row."""
    table: NDArray[np.float64] = 100 * np.array(shares)
    cells = [
        f"{np.median(column):6.1f} [{column.min():5.1f}, {column.max():5.1f}]" for column in table.T
    ]
    print(f"{name:22} {'  '.join(cells)} {ratio:7.2f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What sampling and shrinking cost.")
    parser.add_argument("clips", nargs="+", type=Path)
    clips = parser.parse_args().clips
    settings, model = params.load().landmarks, assets.get(assets.LANDMARKER)
    detect(clips[0], model, FPS, settings)  # what is loaded once
    start = time.perf_counter()
    full = [detect(clip, model, FPS, settings).person("center").trajectory() for clip in clips]
    whole = time.perf_counter() - start
    groups = ("blendshapes", "their velocity", "landmarks", "their velocity")
    print(f"{len(clips)} clips; percent of variance lost, median [least, most]; share of the time")
    print(f"{'':22} " + "  ".join(f"{group:>22}" for group in groups) + f" {'time':>7}")
    with tempfile.TemporaryDirectory() as folder:
        shares = []
        for i, (clip, seen) in enumerate(zip(clips, full, strict=True)):
            again = brighter(clip, Path(folder) / str(i))
            other = (
                detect(again, model, Clip(clip, FPS).fps, settings).person("center").trajectory()
            )
            shares.append(lost(seen, replace(other, times_T=seen.times_T)))
        line("one level brighter", shares, 1.0)
    for name, change in VARIANTS.items():
        start = time.perf_counter()
        coarse = [
            detect(clip, model, FPS, replace(settings, **change)).person("center").trajectory()
            for clip in clips
        ]
        ratio = (time.perf_counter() - start) / whole
        line(name, [lost(a, b) for a, b in zip(full, coarse, strict=True)], ratio)


if __name__ == "__main__":
    main()

"""What many clips that are all in the cache cost: ``python benchmarks/growth.py``.

Synthetic clips of a few kilobytes, and a cache that has an entry of so many frames for each (one
file, linked). The first run hashes the clips and writes shards and index; the second finds nothing
to do; in the third there is one clip more, whose detection would come on top.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from facewave import files, params
from facewave.landmarks import cache, extract, schema, shards

FPS = 25.0


def clip(folder: Path, i: int) -> Path:
    """A file that is another one for each i, and not quite new."""
    path = folder / f"{i}.mp4"
    path.write_bytes(f"{i}".encode() * 1000)
    then = time.time() - 60
    os.utime(path, (then, then))
    return path


def keep(clips: list[Path], frames: int, settings: params.Landmarks) -> None:
    """Entries in the cache."""
    rng = np.random.default_rng(0)
    seen = schema.blank(frames, tuple(map(str, range(schema.BLENDSHAPES))))
    seen.times_T[:] = np.arange(frames) / FPS
    seen.valid_T[:] = True
    seen.landmarks_TPC[:] = rng.normal(size=seen.landmarks_TPC.shape)
    seen.blendshapes_TB[:] = rng.random(seen.blendshapes_TB.shape)
    seen.pose_T44[:] = np.eye(4)
    facts = schema.ClipFacts(fps=FPS, width=64, height=48, declared_frames=frames)
    one = cache.place(cache.key(clips[0], FPS, settings))
    schema.write_clip(one, facts, [seen], seen.names)
    for other in clips[1:]:
        entry = cache.place(cache.key(other, FPS, settings))
        entry.parent.mkdir(parents=True, exist_ok=True)
        if not entry.exists():
            os.link(one, entry)


def run(clips: list[Path], out: Path, settings: params.Landmarks) -> tuple[float, float, int]:
    """Seconds of looking for the clips, seconds of gathering them, and shards written."""
    before = {file.name: file.stat().st_mtime_ns for file in out.glob("part-*")}
    start = time.perf_counter()
    found = extract.ensure(clips, "growth", FPS, settings, [out])
    middle = time.perf_counter()
    assert not found.detected
    rows = pd.DataFrame({"video_idx": [path.stem for path in clips], "key": found.keys})
    rows = rows.assign(file_path=[path.name for path in clips], start=np.nan, end=np.nan)
    shards.index(rows, out, settings, {})
    end = time.perf_counter()
    after = {file.name: file.stat().st_mtime_ns for file in out.glob("part-*")}
    return middle - start, end - middle, sum(before.get(name) != at for name, at in after.items())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What many clips in the cache cost.")
    parser.add_argument("--clips", nargs="+", type=int, default=[1_000, 10_000, 40_000])
    parser.add_argument("--frames", type=int, default=1, help="of each clip")
    given = parser.parse_args()
    settings = params.load().landmarks
    print(f"{'clips':>8} {'run':>14} {'look, s':>8} {'gather, s':>10} {'shards written':>15}")
    for count in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            os.environ[files.CACHE] = str(Path(folder) / "cache")
            clips = [clip(Path(folder), i) for i in range(count + 1)]
            keep(clips, given.frames, settings)
            for name, some in (
                ("first", clips[:-1]),
                ("nothing to do", clips[:-1]),
                ("one clip more", clips),
            ):
                look, gather, written = run(some, Path(folder) / "out", settings)
                print(f"{count:8,} {name:>14} {look:8.2f} {gather:10.2f} {written:15}")


if __name__ == "__main__":
    main()

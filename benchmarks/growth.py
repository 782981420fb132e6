"""What a run over clips costs that are all in the cache: ``python benchmarks/growth.py``.

Synthetic clips of a few kilobytes, and a cache that has an entry for each (one file, linked). The
first run reads and hashes the clips, the next ones only look whether they changed.
"""

import os
import tempfile
import time
from pathlib import Path

from facewave.landmarks import cache, extract, schema

SIZES = (1_000, 10_000, 40_000)
FPS = 25.0


def prepare(folder: Path, clips: int) -> list[Path]:
    """Clips, and their entries in the cache."""
    made = []
    then = time.time() - 60
    for i in range(clips):
        made.append(folder / f"{i}.mp4")
        made[-1].write_bytes(f"{i}".encode() * 1000)
        os.utime(made[-1], (then, then))
    facts = schema.ClipFacts(fps=FPS, width=64, height=48, declared_frames=0)
    cache.put(cache.key(made[0], FPS), facts, schema.EMPTY)
    one = cache.place(cache.key(made[0], FPS))
    for clip in made[1:]:
        entry = cache.place(cache.key(clip, FPS))
        entry.parent.mkdir(parents=True, exist_ok=True)
        os.link(one, entry)
    return made


def main() -> None:
    """Print the table."""
    print(f"{'clips':>8} {'first run, s':>13} {'nothing to do, s':>17} {'us a clip':>10}")
    for clips in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            os.environ[cache.FOLDER] = str(Path(folder) / "cache")
            made = prepare(Path(folder), clips)
            seconds = []
            for _ in range(2):
                start = time.perf_counter()
                assert not extract.ensure(made, "growth", FPS, limit=600).detected
                seconds.append(time.perf_counter() - start)
        first, again = seconds
        print(f"{clips:8,} {first:13.2f} {again:17.2f} {1e6 * again / clips:10.0f}")


if __name__ == "__main__":
    main()

"""What a job of the page costs: ``FACEWAVE_ASSETS=... python benchmarks/page_jobs.py CLIP``.

The parts of one job, of which starting and loading are done before a clip comes; and how long
several people wait who send the clip at once, one job at a time and two.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from facewave.app.page.jobs import OVER, Jobs
from facewave.app.page.limits import Limits
from facewave.app.page.process import Worker
from facewave.app.page.uploads import Upload

ROUNDS = 3
PEOPLE = 6


async def parts(clip: Path, folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds of a job's parts, by the clock and of a core, each from the end of the last one."""
    folder.mkdir()
    shutil.copy(clip, folder / clip.name)
    task: dict[str, Any] = {"what": "answer", "folder": str(folder), "clip": clip.name,
                            "name": clip.name, "models": ["untrained"], "keep": False,
                            "seconds": 1800.0}  # fmt: skip
    start = time.perf_counter()
    worker = await Worker.start(Limits())
    marks: dict[str, tuple[float, float]] = {}
    async for message in worker.run(task):
        now = time.perf_counter() - start, used(worker._process.pid)
        if "ready" in message:
            marks["start and load"] = now
        elif "stage" in message:
            marks.setdefault("to the first frame", now)
        elif "failed" in message:
            marks["follow, answer, write"] = now
    steps = zip(marks, pairwise([(0.0, 0.0), *marks.values()]), strict=True)
    return {name: (after[0] - before[0], after[1] - before[1]) for name, (before, after) in steps}


def used(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def together(clip: Path, folder: Path, at_once: int) -> tuple[float, float]:
    """Seconds until the first of several people has an answer, and until the last has."""
    folder.mkdir()
    jobs = Jobs(folder, Limits(), at_once)
    jobs.open()
    await asyncio.sleep(6)
    start, ends = time.perf_counter(), []

    async def one(number: int) -> None:
        job = jobs.reserve(str(number), clip.stat().st_size)
        path = job.folder / clip.name
        shutil.copy(clip, path)
        await jobs.submit(job, Upload(["untrained"], name=clip.name, path=path))
        while job.state not in OVER:
            await asyncio.sleep(0.02)
        if job.state != "done":
            raise SystemExit(job.sentence)
        ends.append(time.perf_counter() - start)

    await asyncio.gather(*map(one, range(PEOPLE)))
    await jobs.close()
    return min(ends), max(ends)


def main(clip: Path) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        rounds = [asyncio.run(parts(clip, Path(home) / str(number))) for number in range(ROUNDS)]
        table = Table("part of a job", "seconds (median)", "of a core")
        for name in rounds[0]:
            clock, core = (median(one[name][at] for one in rounds) for at in (0, 1))
            table.add_row(name, f"{clock:.2f}", f"{core:.2f}")
        Console().print(table)
        table = Table(f"{PEOPLE} people at once", "first answer (s)", "last answer (s)")
        for at_once in (1, 2):
            first, last = asyncio.run(together(clip, Path(home) / f"by-{at_once}", at_once))
            table.add_row(f"{at_once} at a time", f"{first:.1f}", f"{last:.1f}")
        Console().print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

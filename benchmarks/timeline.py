"""What a timeline takes: ``PYTHONPATH=tests/support python benchmarks/timeline.py [MINUTES]``.

Time over the video's time, at 1280 x 720 and 25 frames a second, of real clips shown forwards and
backwards again and again: one person, and four at a time in the quarters of the picture. Seconds
of the clock, and of processors: these say what two cores alone would take. Then the first
answer to a clip of 3 s, by a process that begins (its start included) and by one that has
answered another clip; four hours of synthetic video at one frame a second; and the linking of
thousands of tracks.

FACEWAVE_ASSETS: the folder of the landmarker and the encoder. FACEWAVE_TEST_CLIPS: real clips.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, cycle, islice
from pathlib import Path

import cv2
import joblib
import numpy as np

import splicing
from facewave import params
from facewave.landmarks import headpose, people
from facewave.landmarks.follow import Spot

CLIPS = ("liveportrait_d0", "liveportrait_d11", "liveportrait_d18", "liveportrait_d20")
WIDTH, HEIGHT, FPS = 1280, 720, 25

ANSWER = """
import sys, time
from pathlib import Path
from facewave import params
from facewave.app.models import choose
from facewave.app.timeline.answer import Options, answer
from facewave.app.timeline.recording import follow
for path in sys.argv[1:]:
    start = time.perf_counter()
    settings = params.for_clips()
    recording = follow(Path(path), 25, settings, progress=False)
    followed = time.perf_counter()
    timeline = answer(recording, choose(None), Options(), settings)
    assert len(timeline.whole) == 1
    print(followed - start, time.perf_counter() - start)
"""


def forever(clip: Path, side: int, width: int) -> Iterator[splicing.Picture]:
    """A clip again and again, in the middle of pictures of this width."""
    some = splicing.pictures_of(clip, 75, side)
    margin = (width - side) // 2
    framed = [cv2.copyMakeBorder(p, 0, 0, margin, margin, cv2.BORDER_CONSTANT) for p in some]
    return cycle([*framed, *framed[::-1]])


def quarters(clips: list[Path]) -> Iterator[splicing.Picture]:
    """Four clips at a time."""
    four = [forever(clip, HEIGHT // 2, WIDTH // 2) for clip in clips]
    for a, b, c, d in zip(*four, strict=True):
        yield np.concatenate([np.concatenate([a, b], 1), np.concatenate([c, d], 1)])


def spent() -> tuple[float, float]:
    """Seconds of the clock, and of processors in this process and those that have ended."""
    uses = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return time.perf_counter(), sum(use.ru_utime + use.ru_stime for use in uses)


def over_video(scratch: Path, name: str, pictures: Iterator[splicing.Picture], n: int) -> None:
    """Follow and answer ``n`` pictures as a video."""
    from facewave.app.models import choose
    from facewave.app.timeline.answer import Options, answer
    from facewave.app.timeline.recording import follow

    fast = {"preset": "ultrafast", "crf": "20"}
    path = splicing.write(scratch / f"{name}.mp4", islice(pictures, n), "libx264", fast, 50)
    settings = params.for_clips()
    before = spent()
    recording = follow(path, 25, settings, progress=False)
    followed = spent()
    timeline = answer(recording, choose(None), Options(), settings)
    answered = spent()
    steps = (before, followed), (followed, answered)
    clock, cpu = ([b[at] - a[at] for a, b in steps] for at in (0, 1))
    ratio = sum(clock) / recording.duration
    print(
        f"|{name}|{recording.duration:.0f}|{len(recording.people)}|{len(timeline.windows)}"
        f"|{clock[0]:.0f}|{clock[1]:.1f}|{ratio:.2f}|{cpu[0]:.0f}|{cpu[1]:.1f}"
        f"|{sum(cpu) / recording.duration / 2:.2f}|",
        flush=True,
    )


def first_answer(scratch: Path, clips: list[Path]) -> None:
    """The clips have their first 3 s alone, so that one is not in the cache of another."""
    paths = [
        splicing.write(scratch / f"short-{at}.mp4", islice(forever(clip, HEIGHT, WIDTH), 75))
        for at, clip in enumerate(clips[:3])
    ]
    before = time.perf_counter()
    command = [sys.executable, "-c", ANSWER, *map(str, paths)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    took = time.perf_counter() - before
    rows = [tuple(map(float, line.split())) for line in told.splitlines()]
    cold = took - sum(total for _, total in rows[1:])
    print(f"first answer to 3 s of 720p: {cold:.1f} s cold, {rows[2][1]:.1f} s warm, "
          f"of which following {rows[0][0]:.1f} and {rows[2][0]:.1f} s")  # fmt: skip


def hours(scratch: Path) -> None:
    """Four hours of a demo face and of nobody, in turns of a minute, at one frame a second."""
    from facewave.app.timeline.recording import follow

    face = splicing.pictures_of(splicing.DEMO / "5.mp4", 60, 160)
    nobody = [np.full((160, 160, 3), 90, np.uint8)] * 60
    pictures = islice(cycle(chain(face, nobody)), 14_400)
    path = splicing.write(scratch / "hours.mp4", pictures, keyframe_every=10, fps=1)
    before = spent()
    recording = follow(path, 25, params.for_clips(), progress=False)
    clock, cpu = (b - a for a, b in zip(before, spent(), strict=True))
    print(f"{recording.duration / 3600:.1f} h at 1 frame a second: {clock:.0f} s, "
          f"{cpu:.0f} s of processors; {len(recording.shots)} shots, "
          f"{len(recording.people)} people")  # fmt: skip


def linked(count: int) -> None:
    """Link so many tracks of 20 people, one after another."""
    rng = np.random.default_rng(0)
    spot, one = Spot(100, 100, 50), np.zeros((len(headpose.STABLE), 3))
    looks = rng.dirichlet(np.full(432, 0.02), 20)
    tracks = [
        replace(people.track(2.0 * at, spot, at), end=2.0 * at + 1, looks=looks[at % 20], shape=one)
        for at in range(count)
    ]
    before = time.perf_counter()
    found = len(set(people.link(tracks)))
    print(f"{count} tracks linked to {found} people in {time.perf_counter() - before:.1f} s")


def main(minutes: float = 3) -> None:
    """Print all figures."""
    clips = [Path(os.environ["FACEWAVE_TEST_CLIPS"]) / f"{name}.mp4" for name in CLIPS]
    n = round(60 * minutes * FPS)
    print(f"{joblib.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["FACEWAVE_CACHE"] = str(scratch / "cache")
        for count in (500, 2000, 4000):
            linked(count)
        first_answer(scratch, clips)
        print("|video|s|people|windows|follow s|answer s|clock / video|follow CPU s|answer CPU s"
              "|CPU / 2 / video|")  # fmt: skip
        over_video(scratch, "one", forever(clips[0], HEIGHT, WIDTH), n)
        over_video(scratch, "four", quarters(clips), n)
        hours(scratch)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))

"""How small a face may be: ``python benchmarks/small_faces.py [CLIP ...]``.

With PYTHONPATH=tests/support. Six people, one at a time, pasted at several sizes into a picture of
1280 x 720, where they move for half a second; a face counts as found in a frame if the box of its
points overlaps the true one by a half. In percent of all frames, by the engine litert, by the same
without searching (the detector sees the whole picture alone), and by mediapipe. Sizes are the
square root of the area of the points' box.

With CLIPs that show one large face: the processor's milliseconds a frame of a whole detection
(decoding included): as it is, with looking for others in the whole picture alone, and with never
looking for others; the least of several runs in turn.

FACEWAVE_ASSETS: the landmarker's folder. FACEWAVE_TEST_CLIPS: real clips of six people; without
them, the demo's faces in six colours.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import crowds
from facewave import assets, params
from facewave.landmarks.detect import detect
from facewave.landmarks.engines import regions, tracker
from facewave.params import Landmarks

SIZES = (20, 25, 32, 40, 50, 64, 80, 100, 125, 160, 200, 250)
FRAMES = 12
RUNS = 5


@contextmanager
def without(module: Any, name: str, instead: Callable[..., Any]) -> Iterator[None]:
    """Replace a function for a while."""
    before = getattr(module, name)
    setattr(module, name, instead)
    try:
        yield
    finally:
        setattr(module, name, before)


def whole_only(width: int, height: int) -> list[list[regions.Region]]:
    """The first level of ``regions.views``."""
    return [[regions.whole(width, height)]]


def nobody_else(*_: Any) -> Any:
    """Find nobody."""
    yield from ()
    return {}


def found(faces: list[crowds.Face], size: int, model: Path, ways: list[Landmarks]) -> list[float]:
    """The percentage of frames in which faces of a size are found, in each way."""
    counts = [0] * (len(ways) + 1)
    with tempfile.TemporaryDirectory() as scratch:
        for person in range(len(faces)):
            start = (320 + 110 * person, 230 + 40 * person)
            path = crowds.walk(start, (start[0] + 24, start[1] + 24), FRAMES, size)
            shot = crowds.Shot(FRAMES, {person: path}, person)
            crowd = crowds.film(Path(scratch) / "a.mp4", faces, [shot])

            def seen(settings: Landmarks) -> int:
                detection = detect(crowd.clip, model, crowds.FPS, settings)  # noqa: B023
                return FRAMES - crowds.score(crowd, detection).missed  # noqa: B023

            with without(regions, "views", whole_only):
                counts[-1] += seen(ways[0])
            for number, settings in enumerate(ways):
                counts[number] += seen(settings)
    return [100 * count / (FRAMES * len(faces)) for count in counts]


def cost(clip: Path, model: Path, settings: Landmarks) -> tuple[list[float], int]:
    """Milliseconds a frame of each of the three, and the number of frames."""
    find = tracker.Tracker._find

    def first_only(self: tracker.Tracker, *arguments: Any) -> Any:
        return nobody_else() if arguments[-1] else find(self, *arguments)

    ways: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (regions, "views", regions.views),
        (regions, "views", whole_only),
        (tracker.Tracker, "_find", first_only),
    )
    spent: list[list[float]] = [[], [], []]
    for _ in range(RUNS):
        for way, times in zip(ways, spent, strict=True):
            with without(*way):
                start = time.process_time()
                detection = detect(clip, model, crowds.FPS, settings)
                times.append(time.process_time() - start)
    frames = len(detection.people[0].trajectory().times_T)
    return [1000 * min(times) / frames for times in spent], frames


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="How small a face may be.")
    parser.add_argument("clips", nargs="*", type=Path)
    given = parser.parse_args()
    model, settings = assets.get(assets.LANDMARKER), params.load().landmarks
    ours, theirs = (replace(settings, engine=name) for name in ("litert", "mediapipe"))
    folder = os.environ.get("FACEWAVE_TEST_CLIPS")
    faces = crowds.people(Path(folder) if folder else None, model)
    print("|size, px|litert|litert without searching|mediapipe|", "|---|---|---|---|", sep="\n")
    for size in SIZES:
        searching, reference, whole = found(faces, size, model, [ours, theirs])
        print(f"|{size}|{searching:.0f}|{whole:.0f}|{reference:.0f}|", flush=True)
    print("\n|clip|frames|ms a frame|whole picture alone|nobody else|", "|---|---|---|---|---|",
          sep="\n")  # fmt: skip
    for clip in given.clips:
        (all_of_it, whole, alone), frames = cost(clip, model, ours)
        cells = [clip.name, frames, f"{all_of_it:.2f}", *(f"{ms:.2f} ({all_of_it / ms:.3f})"
                 for ms in (whole, alone))]  # fmt: skip
        print("|".join(["", *map(str, cells), ""]), flush=True)


if __name__ == "__main__":
    main()

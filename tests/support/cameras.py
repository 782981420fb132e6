"""Cameras without a camera, and what stands in for the clock, the follower and the screen."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any, Self

import numpy as np

from facewave.app.live.clock import Clock
from facewave.app.live.screens import State
from facewave.app.live.sources import Frame
from facewave.landmarks import schema
from facewave.landmarks.engines.engine import Face, Sighting
from making import DEMO

SEEN = schema.read_clip(DEMO, 0, schema.entries(DEMO)[0].row_groups)


CLIP = "liveportrait_d19.mp4"
FACEWAVE = [sys.executable, "-m", "facewave.app.cli", "live"]


class Jumping(Clock):
    """A clock that goes on only when somebody waits, at once."""

    def __init__(self) -> None:
        self.time = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float, stop: Event) -> None:
        self.waits.append(seconds)
        self.time += max(0.0, seconds)


def frame(number: int, fps: float = 25.0, captured: float = 0.0) -> Frame:
    """A grey picture."""
    return Frame(number, number / fps, captured, np.full((120, 160, 3), 128, np.uint8))


def frames(count: int, fps: float = 25.0, clock: Jumping | None = None) -> Iterator[Frame]:
    """Grey pictures, captured when they are asked for."""
    for number in range(count):
        if clock:
            clock.wait(1 / fps, Event())
        yield frame(number, fps, clock.now() if clock else 0.0)


def face(number: int, x: float = 0.0, scale: float = 1.0) -> Face:
    """The face of a frame of the demo's first clip, moved to the right by ``x`` widths."""
    at = number % len(SEEN.times_T)
    points_PC = SEEN.landmarks_TPC[at] * np.float32(scale)
    points_PC = points_PC + np.array([x, 0, 0], np.float32)
    return Face(points_PC, SEEN.blendshapes_TB[at], SEEN.pose_T44[at])


class Follower:
    """A landmarker that sees a face wherever a script says so: frame number -> tracks."""

    names = SEEN.names

    def __init__(self, absent: frozenset[int] = frozenset(), tracks: int = 1) -> None:
        self._absent, self._tracks, self.looked = absent, tracks, 0
        self.milliseconds: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def look(self, picture: Any, milliseconds: int) -> list[Sighting]:
        number, self.looked = self.looked, self.looked + 1
        self.milliseconds.append(milliseconds)
        if number in self._absent:
            return []
        return [Sighting(track, face(number, 0.4 * track)) for track in range(self._tracks)]


class Noting:
    """A screen that keeps what it is told, and presses keys: count of shows -> keys."""

    def __init__(self, presses: Mapping[int, str] | None = None) -> None:
        self.records: list[dict[str, Any]] = []
        self.states = 0
        self._presses = presses or {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def tell(self, record: Mapping[str, Any]) -> None:
        self.records.append(dict(record))

    def show(self, state: State) -> list[str]:
        self.states += 1
        return list(self._presses.get(self.states, ""))


def ended(folder: Path, *arguments: str) -> tuple[list[dict[str, Any]], str, int]:
    """The records and messages of ``facewave live``, and its exit status, once it has ended."""
    command = [*FACEWAVE, *arguments]
    ran = subprocess.run(
        command, cwd=folder, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120
    )
    return [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr, ran.returncode

"""A timeline by hand: two people, 24 s, three shots, gaps, words, numbers and action units."""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from facewave.app.timeline.schema import PEOPLE, SHOTS, TRACKS, Recording, Timeline
from facewave.landmarks import schema as landmarks
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.targets import Target, number

LENGTH, FPS = 24.0, 25.0
SEEN = {0: [(0.0, 12.0), (15.0, 24.0)], 1: [(6.0, 20.0)]}  # person -> when in sight (s)
PLACES = {0: (0.3, 0.5), 1: (0.7, 0.4)}  # of the faces' middles, as shares of the picture
WORDS = ("happy", "sad", "neutral")
TARGETS = (
    Target("classes", "words", WORDS),
    number("valence"),
    number("arousal"),
    Target("aus", "presence", ("AU06", "AU12")),
)


@dataclass(frozen=True, eq=False)
class Made(Recording):
    """A recording whose faces stand still."""

    fps: float = FPS

    def trajectory(self, person: int, start: float, end: float) -> Trajectory:
        """A grid of 478 points a fifth of the picture wide, around the person's place."""
        numbers = np.arange(round(self.duration * self.fps))
        numbers = numbers[(numbers / self.fps >= start - 1e-9) & (numbers / self.fps < end - 1e-9)]
        seen = landmarks.blank(len(numbers))
        seen.frames_T[:], seen.times_T[:] = numbers, numbers / self.fps
        for low, high in SEEN[person]:
            seen.valid_T[(seen.times_T >= low - 1e-9) & (seen.times_T < high - 1e-9)] = True
        grid = np.stack([np.arange(landmarks.POINTS) % 22, np.arange(landmarks.POINTS) // 22])
        points_P2 = np.array(PLACES[person]) + 0.2 * (grid.T / 21 - 0.5)
        seen.landmarks_TPC[seen.valid_T, :, :2] = points_P2
        seen.faces_T[:] = seen.valid_T
        return seen


def recording(path: Path = Path("talk.mp4"), length: float = LENGTH, fps: float = FPS) -> Made:
    """Three shots; person 0 is away between 12 and 15 s, person 1 there from 6 to 20 s."""
    edges = [0.0, 6.0, 15.0, length]
    shots = [(n, a, b, round(a * fps), round(b * fps) - 1)
             for n, (a, b) in enumerate(pairwise(edges))]  # fmt: skip
    tracks = [
        (person, shot, max(a, low), min(b, high), round(max(a, low) * fps),
         round(min(b, high) * fps) - 1, round((min(b, high) - max(a, low)) * fps))
        for person, spans in SEEN.items()
        for low, high in spans
        for shot, a, b, *_ in shots
        if min(b, high) > max(a, low)
    ]  # fmt: skip
    people = [
        (person, spans[0][0], spans[-1][1], sum(b - a for a, b in spans),
         round(sum(b - a for a, b in spans) * fps), sum(row[0] == person for row in tracks))
        for person, spans in SEEN.items()
    ]  # fmt: skip
    return Made(
        path, "a5" * 32, ClipFacts(fps, 640, 480, round(length * fps)), length, round(length * fps),
        pd.DataFrame(shots, columns=list(SHOTS)), pd.DataFrame(tracks, columns=list(TRACKS)),
        pd.DataFrame(people, columns=list(PEOPLE)), fps,
    )  # fmt: skip


def timeline(
    of: Recording | None = None, targets: tuple[Target, ...] = TARGETS, window: float = 3.0
) -> Timeline:
    """Person 0 is happy, then sad; person 1 neutral, and not answered at first."""
    of = of or recording()
    rows = []
    for person, spans in SEEN.items():
        for start in np.arange(0, of.duration - window + 1e-9):
            inside = sum(max(0, min(b, start + window) - max(a, start)) for a, b in spans)
            if inside <= 0:
                continue
            usable = inside > 1
            row = {
                "person": person, "start": float(start), "end": float(start + window),
                "frames": round(window * FPS), "face_frames": round(inside * FPS),
                "face_share": inside / window, "duration": window, "usable": usable,
                "reason": "" if usable else "a face in 33% of the frames: fewer than 50%",
                "answered_from": "face" if usable else "", "doubt": math.nan,
            }  # fmt: skip
            rows.append(row | _answers(person, float(start) + window / 2, usable, targets))
    windows = pd.DataFrame(rows)
    return Timeline(
        *(of, "mlp, learnt from talks", "# A card", False, True, targets, window, 1.0, 3.0),
        windows,
        windows.iloc[:0],
    )


def _answers(
    person: int, middle: float, usable: bool, targets: tuple[Target, ...]
) -> dict[str, object]:
    """What is answered of the window around a time."""
    word = "neutral" if person else "happy" if middle < 9 else "sad"
    valence = 0.1 if person else 0.8 * math.cos(middle / 4)
    values: dict[str, object] = {}
    for target in targets:
        if target.is_words:
            shares = {name: 0.62 if name == word else 0.19 for name in target.names}
            values |= {str(target.predicted): word if usable else ""}
            given = [shares[name] for name in target.names]
        elif target.kind == "number":
            given = [valence if target.name == "valence" else 0.3 * math.sin(middle / 3)]
        else:
            given = [0.25] * len(target.names)
        if target.ends:
            given += [given[0] - 0.3, given[0] + 0.3]
        columns = [*target.numbers, *target.ends]
        values |= dict(zip(columns, given if usable else [math.nan] * len(given), strict=True))
    return values

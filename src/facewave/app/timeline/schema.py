"""What is known of a recording, and what a model answers over its time.

All times are seconds from the recording's first frame, all frames are numbered from 0 in the
source. People are numbered from 0, whoever is in sight longest first.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from facewave.faces.schema import Faces
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.targets import Target

SHOTS = ("shot", "start", "end", "first", "last")  # first and last frame
TRACKS = ("person", "shot", "start", "end", "first", "last", "face_frames")
PEOPLE = ("person", "start", "end", "seen_s", "face_frames", "tracks")  # first and last in sight
WINDOWS = (
    *("person", "start", "end", "frames", "face_frames", "face_share", "duration"),
    *("usable", "reason", "answered_from", "doubt"),  # then the model's answers
)
"""A row for each person and window in which the person is seen or the model answers without a face.

``doubt`` is the entropy of the first target of words as a share of the highest, in [0, 1]; NaN
where there are no words. The answers' columns are those of ``facewave predict`` (app/answers.py),
smoothed by the timeline's rule.
"""


@dataclass(frozen=True, eq=False)
class Recording(ABC):
    """What is seen of a recording.

    Attributes:
        path: of the video.
        sha256: of its bytes.
        facts: what its header says, and what went wrong in decoding.
        duration: the last frame included (s).
        frames: that were looked at.
        shots: a row each (``SHOTS``), in order; together they are the whole recording.
        tracks: a row for each stretch in which a face was followed without a break (``TRACKS``).
        people: a row for each person (``PEOPLE``).
        holes: where frames are missing: the end of the frame before, and the next one's start (s).
        missing: frames that the header promises and that cannot be decoded, if they are many.
    """

    path: Path
    sha256: str
    facts: ClipFacts
    duration: float
    frames: int
    shots: pd.DataFrame
    tracks: pd.DataFrame
    people: pd.DataFrame
    holes: tuple[tuple[float, float], ...] = field(default=(), kw_only=True)
    missing: int = field(default=0, kw_only=True)

    @abstractmethod
    def trajectory(self, person: int, start: float, end: float) -> Trajectory:
        """A person's trajectory in [start, end), a row for every frame looked at.

        It reads no more of the cache than it needs. ``times_T`` are those of the recording.
        """

    def faces(self, person: int, start: float, end: float) -> Iterator[Faces]:
        """A person's cut-out faces in [start, end), some rows at a time, as stage crop has them.

        There are none unless they are kept.
        """
        return iter(())


@dataclass(frozen=True, eq=False)
class Timeline:
    """What a model answers over a recording.

    Attributes:
        recording: what is seen of it.
        model: the model in a line (``Trained.line``).
        card: its card, Markdown.
        calibrated: whether numbers for words are probabilities, not mere scores.
        synthetic: whether it learnt from synthetic clips.
        targets: what it was asked.
        window, hop, smooth: seconds; the rule of smoothing stands in ``answer.py``.
        windows: ``WINDOWS`` and the answers, by person and start.
        whole: the same of each person's whole clip, for recordings of at most ``WHOLE_S``; else it
            has no rows.
    """

    recording: Recording
    model: str
    card: str
    calibrated: bool
    synthetic: bool
    targets: tuple[Target, ...]
    window: float
    hop: float
    smooth: float
    windows: pd.DataFrame
    whole: pd.DataFrame


WHOLE_S = 60.0

"""The quality of a clip, limit by limit."""

from dataclasses import replace

import numpy as np
import pytest

from facewave.landmarks.quality import assess
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory, duration
from facewave.params import Landmarks

FACTS = ClipFacts(fps=25.0, width=224, height=224, declared_frames=50)
LIMITS = Landmarks(time_limit_s=600.0, min_face_frames=10, min_face_share=0.9)


def seen(n_frames: int, n_faces: int) -> Trajectory:
    return replace(EMPTY, times_T=np.arange(n_frames) / 25, valid_T=np.arange(n_frames) < n_faces)


@pytest.mark.parametrize(
    ("frames", "faces", "reason"),
    [
        (50, 50, ""),
        (50, 45, ""),
        (50, 44, "a face in 88% of the frames, less than 90%"),
        (9, 9, "a face in 9 frames, fewer than 10"),
        (10, 10, ""),
        (50, 0, "no face in any frame"),
    ],
)
def test_limits(frames: int, faces: int, reason: str) -> None:
    found = assess(seen(frames, faces), FACTS, LIMITS)
    assert (found["usable"], found["reason"]) == (not reason, reason)
    assert (found["frames"], found["face_frames"]) == (frames, faces)


def test_a_decoding_problem_comes_first_whatever_was_seen() -> None:
    found = assess(seen(50, 50), replace(FACTS, problem="truncated: 50 of 90 frames"), LIMITS)
    assert not found["usable"]
    assert found["reason"] == "truncated: 50 of 90 frames"


def test_the_last_frame_lasts_too() -> None:
    assert duration(seen(50, 50)) == pytest.approx(2.0)
    assert duration(seen(1, 1)) == 0

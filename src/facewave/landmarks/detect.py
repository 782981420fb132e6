"""One clip -> one trajectory: OpenCV decodes, MediaPipe's FaceLandmarker looks at every frame."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from facewave.landmarks.landmarker import Face, Landmarker
from facewave.landmarks.schema import (
    BLENDSHAPES,
    COORDINATES,
    POINTS,
    ClipFacts,
    Trajectory,
    duration,
)
from facewave.video import Clip

# A clip is called truncated below this share of what its header promises; headers of sound files
# are off by a few frames (edit lists).
_TRUNCATED_BELOW = 0.9


def detect(clip: Path, model: Path, fps: float) -> tuple[ClipFacts, Trajectory]:
    """Find the face in every frame.

    A new landmarker for each clip: in VIDEO mode it follows the face from frame to frame and
    cannot be reset.

    Args:
        clip: a video, a picture or a folder of pictures.
        model: the landmarker's file.
        fps: of pictures.

    Returns:
        The clip's facts (with a problem if it cannot be opened or ends too early) and its
        trajectory, with no frames if nothing could be decoded.
    """
    source = Clip(clip, fps)
    facts = ClipFacts(
        fps=source.fps,
        width=source.width,
        height=source.height,
        declared_frames=source.declared_frames,
        problem="" if source.opened else "cannot be opened: not a video, or damaged or cut off",
    )
    times: list[float] = []
    rows: list[Face | None] = []
    milliseconds = -1
    with _quiet(), Landmarker(model.read_bytes(), faces=1) as landmarker:
        for time, picture in source.frames():
            # The landmarker wants whole, increasing milliseconds; containers may repeat a time.
            milliseconds = max(milliseconds + 1, round(time * 1000))
            times.append(milliseconds / 1000 if times and time <= times[-1] else time)
            if picture is None:
                rows.append(None)
                continue
            seen = landmarker.look(picture, milliseconds)
            rows.append(seen[0] if seen else None)
    trajectory = _assemble(times, rows, landmarker.names)
    return _judge(facts, trajectory), trajectory


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MediaPipe's native log, which no setting of its own silences, off the terminal."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _judge(facts: ClipFacts, trajectory: Trajectory) -> ClipFacts:
    """Add what only decoding shows: no frames at all, or an end long before the promised one."""
    frames = len(trajectory.times_T)
    if facts.problem:
        return facts
    if not frames:
        return replace(facts, problem="no frame can be decoded")
    # Fewer frames alone are no sign: with variable frame rates headers count nominal ones.
    promised = facts.declared_frames / facts.fps if facts.fps > 0 else 0.0
    fewer = frames < _TRUNCATED_BELOW * facts.declared_frames
    if fewer and duration(trajectory) < _TRUNCATED_BELOW * promised:
        return replace(
            facts, problem=f"truncated: {frames} of {facts.declared_frames} frames can be decoded"
        )
    return facts


def _assemble(times: list[float], rows: list[Face | None], names: tuple[str, ...]) -> Trajectory:
    n_frames = len(rows)
    landmarks = np.full((n_frames, POINTS, COORDINATES), np.nan, np.float32)
    blendshapes = np.full((n_frames, BLENDSHAPES), np.nan, np.float32)
    pose = np.full((n_frames, 4, 4), np.nan, np.float32)
    for t, row in enumerate(rows):
        if row is not None:
            landmarks[t], blendshapes[t] = row.landmarks_PC, row.blendshapes_B
            pose[t] = row.pose_44
    valid = np.array([row is not None for row in rows], bool)
    seconds = np.array(times, np.float64)
    return Trajectory(seconds - seconds[:1], valid, landmarks, blendshapes, pose, names)

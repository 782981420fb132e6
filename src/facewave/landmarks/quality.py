"""Whether a clip's trajectory is good enough to learn from, and if not, why. Pure."""

from typing import Any

from facewave.landmarks.schema import ClipFacts, Trajectory, duration
from facewave.params import Landmarks


def assess(trajectory: Trajectory, facts: ClipFacts, limits: Landmarks) -> dict[str, Any]:
    """The quality columns of the index: counts, shares, and a reason where a limit is missed."""
    frames = len(trajectory.times_T)
    face_frames = int(trajectory.valid_T.sum())
    share = face_frames / frames if frames else 0.0
    if facts.problem:
        reason = facts.problem
    elif face_frames == 0:
        reason = "no face in any frame"
    elif face_frames < limits.min_face_frames:
        reason = f"a face in {face_frames} frames, fewer than {limits.min_face_frames}"
    elif share < limits.min_face_share:
        reason = f"a face in {share:.0%} of the frames, less than {limits.min_face_share:.0%}"
    else:
        reason = ""
    return {
        "frames": frames,
        "face_frames": face_frames,
        "face_share": round(share, 4),
        "duration": round(duration(trajectory), 4),
        "usable": not reason,
        "reason": reason,
    }

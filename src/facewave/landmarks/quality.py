"""How good a clip's trajectory is: measures, and the limits that make it usable or not. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.landmarks.follow import Spot
from facewave.landmarks.headpose import angles
from facewave.landmarks.schema import (
    BLENDSHAPES,
    MEASURES,
    ClipFacts,
    Trajectory,
    duration,
    within,
)
from facewave.params import Landmarks

_SIDE = 128  # pixels: near the 256 that the landmarker looks at, and quick
_JUMP = 0.5  # of the face's size
_STILL = 1e-3  # of a blendshape's range [0, 1]: less is rounding

Measures = dict[str, float]


def spot(landmarks_PC: NDArray[np.float32], width: int, height: int) -> Spot:
    """Where a face is in a picture of that many pixels."""
    x, y = landmarks_PC[:, 0], landmarks_PC[:, 1]
    left, right = width * float(x.min()), width * float(x.max())
    top, bottom = height * float(y.min()), height * float(y.max())
    return Spot((left + right) / 2, (top + bottom) / 2, math.sqrt((right - left) * (bottom - top)))


def sharpness(picture: NDArray[np.uint8], face: Spot) -> float:
    """Standard deviation of the Laplacian of the grey face at 128 x 128 pixels; NaN outside.

    Its square is the focus measure of Pech-Pacheco et al. (2000, ICPR), at one size for all faces.
    """
    x, y, size = face
    half = size / 2
    rows = slice(max(0, round(y - half)), max(0, round(y + half)))
    columns = slice(max(0, round(x - half)), max(0, round(x + half)))
    part = picture[rows, columns]
    if not part.size:
        return math.nan
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    # Halved, then interpolated: a third of the time of INTER_AREA.
    while min(grey.shape) >= 2 * _SIDE:
        grey = cv2.pyrDown(grey)
    small = cv2.resize(grey, (_SIDE, _SIDE))
    return float(cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_16S))[1][0, 0])


@dataclass(frozen=True, eq=False)
class Frames:
    """What the measures need of each frame of a clip, small beside the landmarks.

    Attributes:
        times_T, valid_T, faces_T, sharpness_T, blendshapes_TB: as in the trajectory.
        face_T3: middle and size of the face, in pixels.
        angles_T3: yaw, pitch, roll in degrees.
    """

    times_T: NDArray[np.float64]
    valid_T: NDArray[np.bool_]
    faces_T: NDArray[np.int16]
    sharpness_T: NDArray[np.float32]
    blendshapes_TB: NDArray[np.float32]
    face_T3: NDArray[np.float64]
    angles_T3: NDArray[np.float64]


NONE = Frames(
    times_T=np.zeros(0),
    valid_T=np.zeros(0, bool),
    faces_T=np.zeros(0, np.int16),
    sharpness_T=np.zeros(0, np.float32),
    blendshapes_TB=np.zeros((0, BLENDSHAPES), np.float32),
    face_T3=np.zeros((0, 3)),
    angles_T3=np.zeros((0, 3)),
)


def frames_of(chunk: Trajectory, facts: ClipFacts) -> Frames:
    """What the measures need of a clip's chunk."""
    spots = [spot(face, facts.width, facts.height) for face in chunk.landmarks_TPC]
    return Frames(
        chunk.times_T,
        chunk.valid_T,
        chunk.faces_T,
        chunk.sharpness_T,
        chunk.blendshapes_TB,
        np.array(spots).reshape(-1, 3),
        angles(chunk.pose_T44),
    )


def joined(parts: Sequence[Frames]) -> Frames:
    """The chunks of a clip in one piece."""
    return Frames(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Frames))
    )


def measure(frames: Frames, start: float = math.nan, end: float = math.nan) -> Measures:
    """The measures (schema.MEASURES) of a clip, or of its part with start <= time < end (s).

    NaN where there is nothing to measure.
    """
    part = within(frames.times_T, start, end)
    times, valid = frames.times_T[part], frames.valid_T[part]
    count, length = len(times), duration(times)
    seen = np.flatnonzero(valid)
    face, shapes = frames.face_T3[part][seen], frames.blendshapes_TB[part][seen]
    sharp = frames.sharpness_T[part][np.isfinite(frames.sharpness_T[part])]
    turned = np.abs(frames.angles_T3[part][seen])
    ways = np.hypot(*np.diff(face[:, :2], axis=0).T)
    found = {
        "frames": count,
        "face_frames": len(seen),
        "face_share": len(seen) / count if count else 0.0,
        "others_share": np.mean(~valid & (frames.faces_T[part] > 0)) if count else 0.0,
        "duration": length,
        "longest_gap": _longest_gap(times, seen, length),
        "face_px": np.median(face[:, 2]) if len(seen) else math.nan,
        "sharpness": np.median(sharp) if len(sharp) else math.nan,
        "jumps": int((ways > _JUMP * face[:-1, 2]).sum()),
        "still": int((np.ptp(shapes, axis=0) <= _STILL).sum()) if len(seen) > 1 else math.nan,
    }
    for axis, name in enumerate(("yaw", "pitch", "roll")):
        found[name] = np.percentile(turned[:, axis], 95) if len(seen) else math.nan
    return {name: round(float(found[name]), 4) for name in MEASURES}


def judge(measures: Mapping[str, Any], problem: str, limits: Landmarks) -> str:
    """Why a clip is not usable, "" if it is."""
    if problem:
        return problem
    if not measures["face_frames"]:
        return "no face in any frame"
    for name, limit in limits.at_least.items():
        if math.isnan(measures[name]):
            return f"{name} is not known ({MEASURES[name]})"
        if measures[name] < limit:
            return f"{name} is {measures[name]:g}, less than {limit:g} ({MEASURES[name]})"
    for name, limit in limits.at_most.items():
        if math.isnan(measures[name]):
            return f"{name} is not known ({MEASURES[name]})"
        if measures[name] > limit:
            return f"{name} is {measures[name]:g}, more than {limit:g} ({MEASURES[name]})"
    return ""


def _longest_gap(times_T: NDArray[np.float64], seen: NDArray[np.intp], length: float) -> float:
    """Seconds of the longest stretch without the face, those at both ends among them."""
    if not len(seen):
        return length
    edges = np.append(times_T, times_T[0] + length)  # a frame lasts until the next
    known = [-1, *seen, len(times_T)]
    return float(max(edges[b] - edges[a + 1] for a, b in pairwise(known)))

"""How good a clip's trajectory is: measures, and limits that decide if it is usable. Pure."""

import math
import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave import shards
from facewave.landmarks import schema
from facewave.landmarks.follow import Spot
from facewave.landmarks.headpose import angles
from facewave.landmarks.schema import BLENDSHAPES, MEASURES, ClipFacts, Layout, Trajectory
from facewave.params import Landmarks

_SIDE = 128  # pixels: near the landmarker's 256, and fast
_JUMP = 0.5  # of the face's size
_STILL = 1e-3  # of a blendshape's range [0, 1]: less is rounding
_LEAP = 5.0  # median steps between frames: a longer one is a hole
_LONGEST_S = 86_400.0  # no clip of a face lasts longer than a day
# What the measures need of each frame of a clip, small beside the landmarks.
_FRAME = np.dtype(
    [
        ("time", "f8"),
        ("valid", "?"),
        ("faces", "i2"),
        ("sharpness", "f4"),
        ("blendshapes", "f4", (BLENDSHAPES,)),
        ("spot", "f8", (3,)),  # the face's centre and size, in pixels
        ("angles", "f8", (3,)),  # yaw, pitch and roll, in degrees
    ]
)
NONE: NDArray[Any] = np.zeros(0, _FRAME)


def spot(landmarks_PC: NDArray[np.float32], width: int, height: int) -> Spot:
    """Where a face is in a picture of ``width`` x ``height`` pixels."""
    x, y = landmarks_PC[:, 0], landmarks_PC[:, 1]
    left, right = width * float(x.min()), width * float(x.max())
    top, bottom = height * float(y.min()), height * float(y.max())
    return Spot((left + right) / 2, (top + bottom) / 2, math.sqrt((right - left) * (bottom - top)))


def sharpness(picture: NDArray[np.uint8], face: Spot) -> float:
    """Standard deviation of the Laplacian of the grey face at 128 x 128 pixels.

    Its square is the focus measure of Pech-Pacheco et al. (2000, ICPR), at one size for all faces.
    NaN for a face outside the picture.
    """
    x, y, half = face.x, face.y, face.size / 2
    rows = slice(max(0, round(y - half)), max(0, round(y + half)))
    columns = slice(max(0, round(x - half)), max(0, round(x + half)))
    if not picture[rows, columns].size:
        return math.nan
    grey = cv2.cvtColor(picture[rows, columns], cv2.COLOR_RGB2GRAY)
    # Halving, then interpolating takes a third of the time of INTER_AREA.
    while min(grey.shape) >= 2 * _SIDE:
        grey = cv2.pyrDown(grey)
    small = cv2.resize(grey, (_SIDE, _SIDE))
    return float(cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_16S))[1][0, 0])


def frames_of(chunk: Trajectory, facts: ClipFacts) -> NDArray[Any]:
    """What the measures need of a clip's chunk, frame by frame; ``np.concatenate`` joins chunks."""
    frames = np.empty(len(chunk.times_T), _FRAME)
    frames["time"], frames["valid"] = chunk.times_T, chunk.valid_T
    frames["faces"], frames["sharpness"] = chunk.faces_T, chunk.sharpness_T
    frames["blendshapes"] = chunk.blendshapes_TB
    points = chunk.landmarks_TPC
    if "landmarks_TPC" in chunk.layout.absent:
        absent = np.full((len(points), 2), np.nan, np.float32)
        points = chunk.signals.get("points68", absent).reshape(len(points), 2, -1).swapaxes(1, 2)
    spots = [spot(face, facts.width, facts.height) for face in points]
    frames["spot"] = np.array(spots).reshape(-1, 3)
    frames["angles"] = angles(chunk.pose_T44)
    return frames


def measure(
    frames: NDArray[Any], start: float = math.nan, end: float = math.nan
) -> dict[str, float]:
    """The MEASURES of a clip, or of its part with start <= time < end (s); NaN: of nothing."""
    frames = frames[shards.within(frames["time"], start, end)]
    seen = np.flatnonzero(frames["valid"])
    count, length, faces = len(frames), schema.duration(frames["time"]), frames[seen]
    sharp = frames["sharpness"][np.isfinite(frames["sharpness"])]
    moves = np.hypot(*np.diff(faces["spot"][:, :2], axis=0).T)
    others = ~frames["valid"] & (frames["faces"] > 0)
    still, jumps = math.nan, math.nan
    if len(seen) > 1 and np.isfinite(faces["blendshapes"]).any():
        still = np.sum(np.ptp(faces["blendshapes"], axis=0) <= _STILL)
    if not len(seen) or np.isfinite(faces["spot"]).any():
        jumps = (moves > _JUMP * faces["spot"][:-1, 2]).sum()
    values = {
        "frames": count,
        "face_frames": len(seen),
        "face_share": len(seen) / count if count else 0.0,
        "others_share": others.mean() if count else 0.0,
        "duration": length,
        "longest_gap": _longest_gap(frames["time"], seen, length),
        "face_px": np.median(faces["spot"][:, 2]) if len(seen) else math.nan,
        "sharpness": np.median(sharp) if len(sharp) else math.nan,
        "jumps": jumps,
        "still": still,
    }
    for axis, name in enumerate(("yaw", "pitch", "roll")):
        turned = np.abs(faces["angles"][:, axis])
        values[name] = np.percentile(turned, 95) if len(seen) else math.nan
    return {name: round(float(values[name]), 4) for name in MEASURES}


def applicable(limits: Landmarks, layout: Layout) -> Landmarks:
    """The limits on what can be measured of clips of a layout."""
    known = layout.measurable
    at_least = {name: limit for name, limit in limits.at_least.items() if name in known}
    at_most = {name: limit for name, limit in limits.at_most.items() if name in known}
    return replace(limits, at_least=at_least, at_most=at_most)


def judge(measures: Mapping[str, Any], problem: str, limits: Landmarks) -> str:
    """Why a clip is not usable, "" if it is."""
    if problem:
        return problem
    if measures["duration"] > _LONGEST_S:
        days = measures["duration"] / _LONGEST_S
        return (
            f"its frames span {days:.3g} days: their times, or the numbers of pictures, are wrong"
        )
    if not measures["face_frames"]:
        return "no face in any frame"
    limited = [(*limit, "less", operator.lt) for limit in limits.at_least.items()]
    limited += [(*limit, "more", operator.gt) for limit in limits.at_most.items()]
    for name, limit, word, beyond in limited:
        if math.isnan(measures[name]):
            return f"{name} is not known ({MEASURES[name]})"
        if beyond(measures[name], limit):
            return f"{name} is {measures[name]:g}, {word} than {limit:g} ({MEASURES[name]})"
    return ""


def is_hole(steps: NDArray[np.float64], usual: float) -> NDArray[np.bool_]:
    """Which steps between frames are holes, by what is ``usual``: frames are missing there."""
    return steps > _LEAP * usual


def _longest_gap(times_T: NDArray[np.float64], seen: NDArray[np.intp], length: float) -> float:
    """Seconds of the longest stretch without the face, at the ends of the clip too.

    A frame lasts until the next, but no longer than usual before a hole.
    """
    if not len(seen):
        return length
    starts = np.append(times_T, times_T[0] + length)
    steps = np.diff(starts)
    usual = np.quantile(steps[:-1], 0.5, method="lower") if len(steps) > 1 else length
    ends = starts[:-1] + np.where(is_hole(steps, usual), usual, steps)
    ends[-1] = starts[-1]
    return float(max(starts[[*seen, len(times_T)]] - [starts[0], *ends[seen]]))

"""What moves in a face over time, as the page draws it: curves, a scalogram, points of contours.

Legend of names: T frames, B blendshapes, P points, N numbers a trajectory, G moments of a curve.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pywt
from numpy.typing import NDArray

from facewave.app.timeline.schema import Recording
from facewave.models.knowledge import with_unit
from facewave.wavelets.transform import Transform, fill_gaps

_CURVES = 6
_MOMENTS = 600  # of a curve, at most
_COLUMNS, _ROWS = 300, 32  # of a scalogram, at most
_WAVELET = "cmor1.5-1.0"  # Morlet's, complex: its magnitudes do not swing with the phase
_PART_S = 60.0  # of a recording that is in memory at a time

# The outlines of a face in MediaPipe's mesh (FaceLandmarksConnections), each in the order in which
# its points are joined; those of ``True`` are closed.
_OUTLINES: tuple[tuple[bool, tuple[int, ...]], ...] = (
    (True, (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
            152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)),
    (True, (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398)),
    (True, (133, 155, 154, 153, 145, 144, 163, 7, 33, 246, 161, 160, 159, 158, 157, 173)),
    (False, (276, 283, 282, 295, 285)),
    (False, (336, 296, 334, 293, 300)),
    (False, (46, 53, 52, 65, 55)),
    (False, (107, 66, 105, 63, 70)),
    (True, (61, 185, 40, 39, 37, 0, 267, 269, 270, 409,
            291, 375, 321, 405, 314, 17, 84, 181, 91, 146)),
    (True, (78, 191, 80, 81, 82, 13, 312, 311, 310, 415,
            308, 324, 318, 402, 317, 14, 87, 178, 88, 95)),
)  # fmt: skip
CONTOURS = tuple(dict.fromkeys(point for _, line in _OUTLINES for point in line))
EDGES = tuple(
    (CONTOURS.index(one), CONTOURS.index(other))
    for is_closed, line in _OUTLINES
    for one, other in pairwise((*line, line[0]) if is_closed else line)
)
_WHOLE = 65535  # a picture's width and height


def moving(recording: Recording, person: int, span: tuple[float, float]) -> dict[str, Any]:
    """A person's blendshapes that move most, what a few numbers keep of them, and a scalogram.

    Args:
        recording: what is seen.
        person: a number of ``recording.people``.
        span: when the person is first and last in sight (s).

    Returns:
        ``curve`` and ``scalogram``, for JSON; {} if the face is in fewer than two frames.
    """
    times_T, valid_T, values_TB, names = _blendshapes(recording, person, span)
    if valid_T.sum() < 2:
        return {}
    filled_TB = fill_gaps(values_TB.astype(np.float64), valid_T, times_T)
    order = np.argsort(-filled_TB.std(axis=0), kind="stable")[:_CURVES]
    transform = Transform()
    numbers = transform(filled_TB[:, order], times_T)
    kept_TB = transform.inverse(numbers, times_T)
    lost, whole = ((filled_TB[:, order] - kept_TB) ** 2).sum(), filled_TB[:, order].var(axis=0)
    varies = whole.sum() > 1e-12  # else it stands still
    at = np.unique(np.linspace(0, len(times_T) - 1, min(_MOMENTS, len(times_T))).round()).astype(
        int
    )
    shown = np.where(valid_T[:, None], filled_TB, np.nan)
    curve = {
        "person": person,
        "times": rounded(times_T[at]),
        "names": [with_unit(names[channel]) for channel in order],
        "values": [rounded(shown[at, channel]) for channel in order],
        "kept": [rounded(kept_TB[at, row]) for row in range(len(order))],
        "k": transform.k,
        "wavelet": transform.wavelet,
        "unexplained": round(float(lost / len(times_T) / whole.sum()), 4) if varies else 0.0,
    }
    of_first = scalogram(filled_TB[:, order[0]], times_T)
    return {
        "curve": curve,
        "scalogram": {"person": person, "name": with_unit(names[order[0]]), **of_first},
    }


def scalogram(values_T: NDArray[np.float64], times_T: NDArray[np.float64]) -> dict[str, Any]:
    """Magnitudes of the continuous wavelet transform (Morlet) by period and time.

    Periods are from four frames to the whole length, each a constant factor longer than the last.
    """
    count = min(len(times_T), 2 * _COLUMNS)
    grid_G = np.linspace(times_T[0], times_T[-1], count)
    line_G = np.interp(grid_G, times_T, values_T)
    step = float(grid_G[1] - grid_G[0])
    length = step * count
    periods = np.geomspace(min(4 * step, length), length, _ROWS if length > 4 * step else 1)
    scales = periods / step * pywt.central_frequency(_WAVELET)
    coefficients, _ = pywt.cwt(line_G - line_G.mean(), scales, _WAVELET, step, method="fft")
    every = math.ceil(count / _COLUMNS)
    return {
        "times": rounded(grid_G[::every]),
        "periods_s": rounded(periods),
        "values": [rounded(row) for row in np.abs(coefficients)[:, ::every]],
    }


def write_points(recording: Recording, file: Path) -> dict[str, Any]:
    """Write the contours' points of all people, and say where each person's are; for JSON.

    For each frame with the face ``file`` has P pairs of little-endian uint16: x and y as shares of
    the picture's width and height, times 65535, those outside of it at its edge.
    """
    people, times, offset = [], np.empty(0), 0
    with file.open("wb") as out:
        for person in recording.people["person"]:
            seen = recording.trajectory(int(person), 0.0, recording.duration + 1)
            times = seen.times_T
            at = np.flatnonzero(seen.valid_T)
            points_TPC = seen.landmarks_TPC[at][:, CONTOURS, :2]
            whole = np.round(np.clip(np.nan_to_num(points_TPC), 0, 1) * _WHOLE).astype("<u2")
            people.append({"person": int(person), "frames": at.tolist(), "offset": offset})
            offset += out.write(whole.tobytes())
    return {
        "times": rounded(times),
        "edges": [list(edge) for edge in EDGES],
        "count": len(CONTOURS),
        "people": people,
    }


def rounded(values: NDArray[Any]) -> list[float | None]:
    """Numbers for JSON, None where one is not known."""
    return [
        round(float(value), 4) if math.isfinite(value) else None for value in np.asarray(values)
    ]


def _blendshapes(
    recording: Recording, person: int, span: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float32], tuple[str, ...]]:
    """Times, whether the face is there, blendshapes and their names, read part by part."""
    names: tuple[str, ...] = ()
    parts = []
    for start in np.arange(span[0], span[1] + 1e-3, _PART_S):
        seen = recording.trajectory(person, float(start), min(start + _PART_S, span[1] + 1e-3))
        if len(seen.times_T):
            parts.append((seen.times_T, seen.valid_T, seen.blendshapes_TB))
            names = names or seen.names
    if not parts:
        return np.empty(0), np.empty(0, bool), np.empty((0, 0), np.float32), names
    times, valid, values = (np.concatenate(some) for some in zip(*parts, strict=True))
    return times, valid, values, names

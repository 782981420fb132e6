"""One clip's trajectory -> its numbers, as every stage and the command line take them. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewave.landmarks import schema as landmarks
from facewave.wavelets.transform import Transform, fill_gaps


def features(
    trajectory: landmarks.Trajectory, transform: Transform
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One clip's numbers: landmarks (K, 478, 3) and blendshapes (K, 52), gaps interpolated."""
    n_frames = len(trajectory.times_T)
    n_points = landmarks.POINTS * landmarks.COORDINATES
    points = trajectory.landmarks_TPC.reshape(n_frames, n_points)
    channels = np.hstack([points, trajectory.blendshapes_TB])
    channels = fill_gaps(channels.astype(np.float64), trajectory.valid_T, trajectory.times_T)
    numbers = transform(channels, trajectory.times_T).astype(np.float32)
    return (
        numbers[:, :n_points].reshape(-1, landmarks.POINTS, landmarks.COORDINATES),
        numbers[:, n_points:],
    )


def unusable(row: Mapping[str, Any], max_gap_s: float) -> str:
    """Why a clip gives no numbers, "" if it does.

    Args:
        row: with the measures of schema.MEASURES, and the reason why it is not usable already.
        max_gap_s: longer gaps are not interpolated.
    """
    if row["reason"]:
        return str(row["reason"])
    if row["face_frames"] < 2:
        return "a face in one frame only: nothing moves"
    if row["longest_gap"] <= max_gap_s:
        return ""
    return (
        f"no face for {row['longest_gap']:.2f} s: longer gaps than wavelets.max_gap_s "
        f"({max_gap_s:g}) are not interpolated"
    )

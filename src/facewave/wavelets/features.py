"""One clip's trajectory -> its numbers, as every stage and the command line take them. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave.landmarks.schema import Trajectory, duration, without_pose
from facewave.params import Block
from facewave.wavelets.schema import BLOCKS
from facewave.wavelets.transform import Floats, Transform, fill_gaps


def features(
    trajectory: Trajectory, picture: Any, transform: Transform
) -> dict[Block, NDArray[np.float32]]:
    """One clip's numbers, a block each: (N, ...), gaps interpolated.

    Args:
        trajectory: with a face in two frames at least.
        picture: its ``width`` and ``height``, in pixels: a row of the index, or a clip's facts.
        transform: how.
    """
    times_T = trajectory.times_T
    numbers = {}
    for name, values_TC in channels(trajectory, picture).items():
        of_block = transform(values_TC, times_T).astype(np.float32)
        numbers[name] = of_block.reshape(-1, *BLOCKS[name])
    lasts = duration(times_T)
    timing = np.log2([lasts, len(times_T) / lasts]).astype(np.float32)
    return numbers | {"timing": np.tile(timing, (transform.numbers, 1))}


def channels(trajectory: Trajectory, picture: Any) -> dict[Block, Floats]:
    """What moves, (T, C) a block, gaps interpolated; arguments as of ``features``."""
    head = without_pose(trajectory, picture)
    turned = np.full(head.translation_T3.shape, np.nan)
    seen = np.isfinite(head.scale_T)
    if seen.any():
        turned[seen] = Rotation.from_matrix(head.rotation_T33[seen]).as_rotvec()
    blocks: dict[Block, Floats] = {
        "blendshapes": trajectory.blendshapes_TB.astype(np.float64),
        "landmarks": trajectory.landmarks_TPC.astype(np.float64),
        "pose_free": head.pose_free_TPC,
        "head": np.column_stack([turned, head.translation_T3, head.scale_T]),
    }
    filled = {}
    for name, block in blocks.items():
        values_TC = block.reshape(len(block), -1)
        seen = np.isfinite(values_TC).min(axis=1)
        filled[name] = fill_gaps(values_TC, seen, trajectory.times_T)
    return filled


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

"""One clip's trajectory -> its numbers, as every stage and the command line compute them. Pure.

Legend of names: T frames, C channels, N numbers per channel.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave.landmarks.schema import Trajectory, duration, without_pose
from facewave.params import Block
from facewave.wavelets.schema import BLOCKS
from facewave.wavelets.transform import Floats, Transform, fill_gaps


def features(
    trajectory: Trajectory,
    picture: Any,
    transform: Transform,
    names: Collection[Block] = tuple(BLOCKS),
) -> dict[Block, NDArray[np.float32]]:
    """One clip's numbers, name -> (N, ...), with gaps interpolated.

    Args:
        trajectory: with a face in at least two frames.
        picture: has ``width`` and ``height``, in pixels: a row of the index, or a clip's facts.
        transform: what turns a trajectory into numbers.
        names: which blocks.
    """
    times_T = trajectory.times_T
    numbers: dict[Block, NDArray[np.float32]] = {
        name: transform(values_TC, times_T).astype(np.float32).reshape(-1, *BLOCKS[name])
        for name, values_TC in channels(trajectory, picture, names).items()
    }
    if "timing" in names:
        seconds = duration(times_T)
        timing = np.log2([seconds, len(times_T) / seconds]).astype(np.float32)
        numbers["timing"] = np.tile(timing, (transform.numbers, 1))
    return numbers


def channels(
    trajectory: Trajectory, picture: Any, names: Collection[Block] = tuple(BLOCKS)
) -> dict[Block, Floats]:
    """The blocks that move, name -> (T, C), with gaps interpolated; see ``features``."""
    blocks: dict[Block, NDArray[Any]] = {
        "blendshapes": trajectory.blendshapes_TB,
        "landmarks": trajectory.landmarks_TPC,
    }
    if {"pose_free", "head"} & set(names):
        head = without_pose(trajectory, picture)
        rotation_T3 = np.full(head.translation_T3.shape, np.nan)
        seen_T = np.isfinite(head.scale_T)
        if seen_T.any():
            rotation_T3[seen_T] = Rotation.from_matrix(head.rotation_T33[seen_T]).as_rotvec()
        blocks["pose_free"] = head.pose_free_TPC
        blocks["head"] = np.column_stack([rotation_T3, head.translation_T3, head.scale_T])
    filled = {}
    for name in (block for block in blocks if block in names):
        values_TC = blocks[name].astype(np.float64).reshape(len(blocks[name]), -1)
        filled[name] = fill_gaps(values_TC, np.isfinite(values_TC).min(axis=1), trajectory.times_T)
    return filled


def unusable(row: Mapping[str, Any], max_gap_s: float) -> str:
    """Why a clip gives no numbers, by its row of the index; "" if it does."""
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

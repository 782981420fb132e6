"""One clip's trajectory -> its numbers, as every stage and the command line compute them. Pure.

Legend of names: T frames, C channels, N numbers per channel.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave.appearance.schema import Appearance
from facewave.landmarks.schema import Trajectory, duration, without_pose
from facewave.params import SOUNDS, Block, Sides
from facewave.voice.schema import NO_PITCH, PITCH, Voice
from facewave.wavelets.points68 import of_mesh, shape
from facewave.wavelets.schema import SEEN, merge, shapes
from facewave.wavelets.transform import Floats, Transform, fill_gaps


def features(
    trajectory: Trajectory,
    picture: Any,
    transform: Transform,
    names: Collection[Block] | None = None,
) -> dict[Block, NDArray[np.float32]]:
    """One clip's numbers, name -> (N, ...), with gaps interpolated (by ``block``: dropped).

    Args:
        trajectory: with a face in at least two frames.
        picture: has ``width`` and ``height``, in pixels: a row of the index, or a clip's facts.
        transform: what turns a trajectory into numbers.
        names: which blocks; None: all that the trajectory gives.
    """
    made = shapes(transform.sides, trajectory.layout)
    names = made if names is None else names
    seen = trajectory[trajectory.valid_T] if transform.transform == "block" else trajectory
    numbers: dict[Block, NDArray[np.float32]] = {}
    for name, values_TC in moving_channels(seen, picture, transform.sides, names).items():
        kept = transform(values_TC, seen.times_T).astype(np.float32)
        numbers[name] = kept.reshape(-1, *made[name])
    if "timing" in names:
        seconds = duration(trajectory.times_T)
        rate = len(trajectory.times_T) / seconds
        timing = np.log2([seconds, rate]).astype(np.float32)
        numbers["timing"] = np.tile(timing, (transform.numbers, 1))
    return numbers


def seen_features(
    appearance: Appearance, transform: Transform, names: Collection[Block] = SEEN
) -> dict[Block, NDArray[np.float32]]:
    """What an encoder saw of one clip as numbers, name -> (N, C), with gaps interpolated.

    A face that was seen once only stays as it is.

    Args:
        appearance: with a face in at least one row.
        transform: what turns a trajectory into numbers.
        names: of blocks; those that the encoder has not are left out.
    """
    numbers: dict[Block, NDArray[np.float32]] = {}
    for name, values_FC in seen_channels(appearance, names).items():
        times_F = appearance.times_F
        if appearance.valid_F.sum() == 1:
            values_FC, times_F = values_FC[[0, 0]], np.array([0.0, 1.0])
        numbers[name] = transform(values_FC, times_F).astype(np.float32)
    return numbers


def seen_channels(appearance: Appearance, names: Collection[Block]) -> dict[Block, Floats]:
    """What an encoder saw over time, name -> (F, C), with gaps interpolated; see above."""
    blocks = {"expression": appearance.expression_FW, "appearance": appearance.appearance_FE}
    valid_F = appearance.valid_F
    filled: dict[Block, Floats] = {}
    for name in (name for name in SEEN if name in names and blocks[name].shape[1]):
        values_FC = blocks[name].astype(np.float64)
        if valid_F.sum() > 1:
            filled[name] = fill_gaps(values_FC, valid_F, appearance.times_F)
        else:
            filled[name] = np.repeat(values_FC[valid_F], len(valid_F), axis=0)
    return filled


def moving_channels(
    trajectory: Trajectory, picture: Any, sides: Sides, names: Collection[Block]
) -> dict[Block, Floats]:
    """The blocks that move, name -> (T, C), as ``channels``, their sides merged or not."""
    return _with_sides(channels(trajectory, picture, names), trajectory, sides)


def observed_channels(
    trajectory: Trajectory, picture: Any, sides: Sides, names: Collection[Block]
) -> dict[Block, Floats]:
    """The same as they were seen, without knowledge of later frames: NaN where there is no face.

    But for ``pose_free`` and ``head``, which are relative to the face's mean over the trajectory.
    """
    return _with_sides(_observed(trajectory, picture, names), trajectory, sides)


def _with_sides(
    moving: Mapping[Block, Floats], trajectory: Trajectory, sides: Sides
) -> dict[Block, Floats]:
    if sides == "apart":
        return dict(moving)
    apart = shapes("apart", trajectory.layout)
    return {
        name: merge(name, values_TC.reshape(-1, *apart[name]), trajectory.names).reshape(
            len(values_TC), -1
        )
        for name, values_TC in moving.items()
    }


def heard_features(
    voice: Voice, transform: Transform, names: Collection[Block] = SOUNDS
) -> dict[Block, NDArray[np.float32]]:
    """What is heard in one clip as numbers, name -> (N, C), with gaps interpolated.

    So is the pitch where there is no voice, about which ``voicing`` tells; of a clip without any
    voice it is the middle of the pitches that are looked for.

    Args:
        voice: with sound in at least two rows.
        transform: what turns a trajectory into numbers.
        names: of blocks; those that the voice has not are left out.
    """
    return {
        name: transform(values_TC, voice.times_T).astype(np.float32)
        for name, values_TC in heard_channels(voice, names).items()
    }


def heard_channels(voice: Voice, names: Collection[Block]) -> dict[Block, Floats]:
    """What is heard over time, name -> (T, C), with gaps interpolated; see above."""
    filled: dict[Block, Floats] = {}
    for name in (name for name in voice.blocks if name in names):
        values_TC = voice.blocks[name].astype(np.float64)
        if name == "prosody":
            pitch_T = values_TC[:, [PITCH]]
            voiced_T = np.isfinite(pitch_T[:, 0])
            if voiced_T.sum() > 1:
                values_TC[:, [PITCH]] = fill_gaps(pitch_T, voiced_T, voice.times_T)
            else:
                values_TC[:, PITCH] = pitch_T[voiced_T].sum() if voiced_T.any() else NO_PITCH
        filled[name] = fill_gaps(values_TC, voice.valid_T, voice.times_T)
    return filled


def channels(
    trajectory: Trajectory, picture: Any, names: Collection[Block] | None = None
) -> dict[Block, Floats]:
    """The blocks that move, name -> (T, C), with gaps interpolated; see ``features``."""
    return {
        name: fill_gaps(values_TC, np.isfinite(values_TC).min(axis=1), trajectory.times_T)
        for name, values_TC in _observed(trajectory, picture, names).items()
    }


def _observed(
    trajectory: Trajectory, picture: Any, names: Collection[Block] | None
) -> dict[Block, Floats]:
    """The blocks that move, NaN where there is no face."""
    given = shapes("apart", trajectory.layout)
    names = [name for name in given if names is None or name in names]
    blocks: dict[Block, NDArray[Any]] = {
        "blendshapes": trajectory.blendshapes_TB,
        "landmarks": trajectory.landmarks_TPC,
    }
    if "points68" in names:
        points = trajectory.signals.get("points68")
        if points is None:
            mesh = trajectory.landmarks_TPC.astype(np.float64)
            blocks["points68"] = shape(of_mesh(mesh, picture.width / picture.height))
        else:
            flat = points.astype(np.float64).reshape(len(points), 2, -1)
            blocks["points68"] = shape(flat.swapaxes(1, 2))
    signals: dict[Block, NDArray[Any]] = {
        name: values for name, values in trajectory.signals.items() if name != "points68"
    }
    if {"pose_free", "head"} & set(names) - set(signals):
        head = without_pose(trajectory, picture)
        rotation_T3 = np.full(head.translation_T3.shape, np.nan)
        seen_T = np.isfinite(head.scale_T)
        if seen_T.any():
            rotation_T3[seen_T] = Rotation.from_matrix(head.rotation_T33[seen_T]).as_rotvec()
        blocks["pose_free"] = head.pose_free_TPC
        blocks["head"] = np.column_stack([rotation_T3, head.translation_T3, head.scale_T])
    blocks |= signals
    return {
        name: blocks[name].astype(np.float64).reshape(len(blocks[name]), -1)
        for name in names
        if name in blocks
    }


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

"""The contract of data/features/<dataset>/: the same handful of numbers for every clip.

One array per block (``BLOCKS``), (n, N, ...) float32, a plain .npy that can be memory-mapped, NaN
for a clip that is not usable; N is K, but 64 for transforms of which training keeps K
(transform.py). ``functions.npy`` (P, N) has the functions whose coefficients the numbers are, in P
equal parts of a clip's time: functions @ numbers is what the numbers keep of a trajectory; it has
no rows if there are no such functions. ``clips.csv`` has one row for each of the n: video_idx,
file_path, the mask ``usable`` with its reason, frames, face_share, duration, fps and ``filled``,
the share of its frames that were interpolated; ``config.json`` has the transform's settings and
the blendshapes' names.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.params import Block

# What is transformed, and its shape in every frame.
BLOCKS: dict[Block, tuple[int, ...]] = {
    "blendshapes": (52,),
    "landmarks": (478, 3),  # as the landmarker gives them
    "pose_free": (478, 3),  # without the head's pose
    "head": (7,),  # rotation vector (rad), position of the centre (picture widths), size
    "timing": (2,),  # log2 of the clip's duration (s) and frame rate, repeated N times
}
CLIP_COLUMNS = (
    *("video_idx", "file_path", "usable", "reason"),
    *("frames", "face_share", "duration", "fps", "filled"),
)


@dataclass(frozen=True, eq=False)
class Features:
    """A dataset's features.

    Attributes:
        functions_PN: the functions whose coefficients the numbers are, over a clip's time.
        blocks: name -> (n, N, ...) float32, memory-mapped.
        clips: n rows, ``CLIP_COLUMNS``.
        config: the transform's settings, and ``blendshapes``, the 52 names.
    """

    functions_PN: NDArray[np.float32]
    blocks: dict[Block, NDArray[np.float32]]
    clips: pd.DataFrame
    config: dict[str, Any]


def read(folder: Path) -> Features:
    """Read a features folder.

    Raises:
        UserError: a file is missing or damaged.
    """
    try:
        clips = pd.read_csv(
            folder / "clips.csv", dtype=dict.fromkeys(("video_idx", "file_path", "reason"), str)
        )
        clips["reason"] = clips["reason"].fillna("")
        config = json.loads((folder / "config.json").read_text("utf-8"))
        blocks = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in BLOCKS}
        functions_PN = np.load(folder / "functions.npy")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not here. Make it with: dvc repro wavelet") from None
    except ValueError as error:  # cut short, or an array of objects, which only pickle could read
        raise UserError(
            f"{folder} is damaged ({error}). Make it again: dvc repro wavelet"
        ) from None
    if {len(block) for block in blocks.values()} != {len(clips)}:
        raise UserError(
            f"{folder}: its files have different lengths. Make it again: dvc repro wavelet"
        )
    return Features(functions_PN, blocks, clips, config)


def join(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """The rows of a label table that have features, with ``at`` (their position) and ``usable``."""
    positions = features.clips[["video_idx", "usable"]].assign(at=range(len(features.clips)))
    return table.merge(positions, on="video_idx")

"""The contract of data/features/<dataset>/: the same handful of numbers for every clip.

``landmarks.npy`` (n, K, 478, 3) and ``blendshapes.npy`` (n, K, 52), float32, plain .npy that can
be memory-mapped, NaN for a clip that is not usable; ``clips.csv`` has one row for each of the n:
video_idx, file_path, the mask ``usable`` with its reason, frames, face_share, duration, fps and
``filled``, the share of its frames that were interpolated;
``config.json`` has the transform's settings and the blendshapes' names.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError

CLIP_COLUMNS = (
    "video_idx",
    "file_path",
    "usable",
    "reason",
    "frames",
    "face_share",
    "duration",
    "fps",
    "filled",
)


@dataclass(frozen=True, eq=False)
class Features:
    """A dataset's features, arrays memory-mapped.

    Attributes:
        landmarks: (n, K, 478, 3) float32.
        blendshapes: (n, K, 52) float32.
        clips: n rows, ``CLIP_COLUMNS``.
        config: the transform's settings, and ``blendshapes``, the 52 names.
    """

    landmarks: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    clips: pd.DataFrame
    config: dict[str, Any]


def read(folder: Path) -> Features:
    """Read a features folder.

    Raises:
        UserError: it is not there or not whole.
    """
    try:
        clips = pd.read_csv(
            folder / "clips.csv", dtype=dict.fromkeys(("video_idx", "file_path", "reason"), str)
        )
        clips["reason"] = clips["reason"].fillna("")
        config = json.loads((folder / "config.json").read_text("utf-8"))
        landmarks = np.load(folder / "landmarks.npy", mmap_mode="r")
        blendshapes = np.load(folder / "blendshapes.npy", mmap_mode="r")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not here. Make it with: dvc repro wavelet") from None
    except ValueError as error:  # cut short, or an array of objects, which only pickle could read
        raise UserError(
            f"{folder} is damaged ({error}). Make it again: dvc repro wavelet"
        ) from None
    if not len(clips) == len(landmarks) == len(blendshapes):
        raise UserError(
            f"{folder}: its files have different lengths. Make it again: dvc repro wavelet"
        )
    return Features(landmarks, blendshapes, clips, config)


def join(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """The rows of a label table that have features: columns ``at`` (their place) and ``usable``."""
    places = features.clips[["video_idx", "usable"]].assign(at=range(len(features.clips)))
    return table.merge(places, on="video_idx")

"""The contract of data/features/<dataset>/: the same handful of numbers for every clip.

One array per block (``shapes``), (n, N, ...) float32, a plain .npy that can be memory-mapped; NaN
for a clip that is not usable, in blocks of the sound for one that is not heard; N is K, but 7 at
most of ``energy``, and 64 for transforms of which training keeps K (transform.py).
``functions.npy`` (P, N) has the functions whose coefficients the numbers are, in P equal parts of a
clip's time: functions @ numbers is what the numbers keep of a trajectory; it has no rows if there
are no such functions. ``clips.csv`` has one row for each of the n: video_idx, file_path, the mask
``usable`` of its face with the reason, the mask ``heard`` of its sound, frames, face_share,
duration, fps and ``filled``, the share of its frames that were interpolated; ``config.json`` has
the transform's settings, the names of the channels of ``blendshapes``, ``encoder``: its name,
identity and channels, and ``voice``, the same of what was heard. Of another tool's tracks it also
has the names of the ``blocks``, which are those that the tool's signals give, and under the name of
each the names of its channels.

Of a table of features (facewave/functionals.py) there is one block, ``functionals`` (n, 1, D), its
numbers as they are: ``blocks`` of ``config.json`` says so, ``functionals`` names the columns.

Sides. The mirror image of a clip shows the same emotion. With ``sides: merged`` what is paired left
and right in a face is one trajectory, the mean of a clip and its mirror image: 20 pairs of
blendshapes (``mouthSmileLeft`` and ``mouthSmileRight`` become ``mouthSmile``), 225 pairs of
points (``POINTS`` are those that are kept; of the 28 in the middle x stands still) and 29 pairs of
the 68. The head's pose, the timing and other tools' signals stay as they are.

Legend of names: n clips, T frames, N numbers per channel, C channels, P points.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.files import opened, read_csv
from facewave.landmarks.schema import LANDMARKER, Layout
from facewave.params import SOUNDS, Block, Sides
from facewave.wavelets import points68

Floats = NDArray[np.float64]
_Array = TypeVar("_Array", NDArray[np.float32], NDArray[np.float64])

# What is transformed, and its shape in every frame with ``sides: apart``.
BLOCKS: dict[Block, tuple[int, ...]] = {
    "blendshapes": (52,),
    "landmarks": (478, 3),  # as the landmarker gives them
    "pose_free": (478, 3),  # without the head's pose
    "points68": (68, 2),  # of the iBUG markup, as a shape (points68.py)
    "head": (7,),  # rotation vector (rad), position of the centre (picture widths), size
    "timing": (2,),  # log2 of the clip's duration (s) and frame rate, repeated N times
}
# What an encoder sees of a face (appearance/schema.py), where there is one: as many channels as it
# has words and other numbers, and as its embedding has.
SEEN: tuple[Block, ...] = ("expression", "appearance")
# Of MediaPipe's mesh: the points in the middle of the face, and the irises' on the person's left in
# the order of those on the right. The other points up to 247 are on the right; those from 248 on
# are, in the same order, their mirror images on the left (in its canonical face exactly).
MIDDLE = (0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 94, 151, 152, 164, 168,
          175, 195, 197, 199, 200)  # fmt: skip
_LEFT_IRIS = (473, 476, 475, 474, 477)
_RIGHT = (*(point for point in range(248) if point not in MIDDLE), *range(468, 473))
_LEFT = (*range(248, 468), *_LEFT_IRIS)
POINTS = np.array([*range(248), *range(468, 473)])  # of merged sides: without those on the left
_PARTNERS = np.arange(BLOCKS["landmarks"][0])  # which point each is the mirror image of
_PARTNERS[[*_RIGHT, *_LEFT]] = [*_LEFT, *_RIGHT]
# Block -> which point each is the mirror image of, and those of merged sides.
_MIRRORS: dict[Block, tuple[NDArray[np.intp], NDArray[np.intp]]] = {
    "landmarks": (_PARTNERS, POINTS),
    "pose_free": (_PARTNERS, POINTS),
    "points68": (points68.PARTNERS, points68.POINTS),
}
# x and its mirror image add up to this: in a picture to its width; without the head's pose x is
# measured from the middle of the face.
_SUMS: dict[Block, float] = {"landmarks": 1.0, "pose_free": 0.0, "points68": 0.0}
# Transforms of which only the first number is a value; the others are amounts of movement, the same
# for a trajectory and its mirror image.
TIMELESS = ("energy", "mean_std")
CLIP_COLUMNS = (
    *("video_idx", "file_path", "usable", "reason", "heard"),
    *("frames", "face_share", "duration", "fps", "filled"),
)


def shapes(sides: Sides, layout: Layout = LANDMARKER) -> dict[Block, tuple[int, ...]]:
    """The blocks that trajectories of a layout give, and their shape in every frame."""
    there: dict[Block, tuple[int, ...]] = {
        name: shape for name, shape in BLOCKS.items() if _gives(layout, name)
    }
    there |= {name: (len(names),) for name, names in layout.channels.items() if name != "points68"}
    if sides == "merged":
        there |= {"blendshapes": (32,)} if "blendshapes" in there else {}
        there |= {
            name: (len(kept), BLOCKS[name][1])
            for name, (_, kept) in _MIRRORS.items()
            if name in there
        }
    return there


def _gives(layout: Layout, block: Block) -> bool:
    """Whether trajectories of a layout give one of ``BLOCKS``."""
    if layout == LANDMARKER or block == "timing":
        return True
    match block:
        case "blendshapes":
            return "blendshapes_TB" not in layout.absent
        case "points68":
            return block in layout.channels or "landmarks_TPC" not in layout.absent
        case "landmarks":  # nobody knows the picture that they are shares of
            return False
        case "head" if block in layout.channels:  # as the tool has it
            return True
        case _:
            return not {"landmarks_TPC", "pose_T44"} & layout.absent


def merged_name(blendshape: str) -> str:
    """The name of a blendshape whose left and right are merged."""
    return blendshape.removesuffix("Left").removesuffix("Right")


def channels_of(blendshapes: Sequence[str], sides: Sides) -> list[str]:
    """The names of the channels of block ``blendshapes``, from those of the landmarker's."""
    if sides == "apart":
        return list(blendshapes)
    return list(dict.fromkeys(map(merged_name, blendshapes)))


def merge(block: Block, values: Floats, blendshapes: Sequence[str]) -> Floats:
    """The mean of a block and its mirror image, without what it then has twice.

    Args:
        block: which one.
        values: (..., *shape), as with ``sides: apart``.
        blendshapes: the landmarker's names.

    Returns:
        (..., *shape), as with ``sides: merged``.
    """
    if block not in ("blendshapes", *_SUMS):
        return values
    whole = (values + _exchanged(block, values, blendshapes)) / 2
    if block in _SUMS:
        return whole[..., _MIRRORS[block][1], :]
    names = list(map(merged_name, blendshapes))
    return whole[..., [names.index(name) for name in dict.fromkeys(names)]]


def mirrored(
    block: Block, numbers_nN: NDArray[np.float32], config: Mapping[str, Any]
) -> NDArray[np.float32]:
    """The numbers of the clips' mirror images, exactly.

    Args:
        block: blendshapes, pose_free, points68, timing, or what is heard.
        numbers_nN: (n, N, *shape), made with ``sides: apart``.
        config: of the features.

    Raises:
        UserError: the block is another, or its sides are merged.
    """
    alike = ("timing", *SOUNDS)  # in a clip and its mirror image
    mirrored_blocks = ("blendshapes", "pose_free", "points68", *alike)
    if config["sides"] == "merged" or block not in mirrored_blocks:
        raise UserError(
            "params.yaml: train.mirror mirrors blendshapes, pose_free, points68 and timing (sound "
            "stays as it is), with "
            f"wavelets.sides: apart; not {block} with sides {config['sides']}. Set train.mirror: "
            "false, or change train.inputs."
        )
    if block in alike:
        return numbers_nN
    exchanged = _exchanged(block, numbers_nN, config["blendshapes"])
    if config["transform"] in TIMELESS:
        exchanged[:, 1:] = np.abs(exchanged[:, 1:])
    return exchanged


def for_both_sides(
    numbers_NC: NDArray[np.float32], blendshapes: Sequence[str], sides: Sides
) -> NDArray[np.float32]:
    """Numbers of block ``blendshapes``, (N, C), as one channel for each of the landmarker's."""
    if sides == "apart":
        return numbers_NC
    channels = channels_of(blendshapes, sides)
    return numbers_NC[:, [channels.index(merged_name(name)) for name in blendshapes]]


def unfolded(points_PC: Floats) -> Floats:
    """The whole face (478, 3) of points without the head's pose whose sides are merged."""
    face = np.empty((len(_PARTNERS), points_PC.shape[1]))
    face[POINTS] = points_PC
    face[[*_LEFT]] = face[[*_RIGHT]] * (-1, 1, 1)
    return face


def _exchanged(block: Block, values: _Array, blendshapes: Sequence[str]) -> _Array:
    """The block of the mirror image: left and right exchanged."""
    if block == "blendshapes":
        return values[..., [blendshapes.index(_other_side(name)) for name in blendshapes]]
    mirror_image = values[..., _MIRRORS[block][0], :]
    mirror_image[..., 0] = _SUMS[block] - mirror_image[..., 0]
    return mirror_image


def _other_side(blendshape: str) -> str:
    name = merged_name(blendshape)
    return {f"{name}Left": f"{name}Right", f"{name}Right": f"{name}Left"}.get(blendshape, name)


@dataclass(frozen=True, eq=False)
class Features:
    """A dataset's features.

    Attributes:
        functions_PN: the functions whose coefficients the numbers are, over a clip's time.
        blocks: name -> (n, N, ...) float32, memory-mapped.
        clips: n rows, ``CLIP_COLUMNS``.
        config: the transform's settings, ``blendshapes``, the names of that block's channels, and
            ``encoder``: what looked at the faces, and the names of the channels of ``SEEN``;
            ``voice``: what was heard, and those of the blocks of the sound.
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
        clips = read_csv(folder / "clips.csv", text=("video_idx", "file_path", "reason"))
        clips = clips[list(CLIP_COLUMNS)]
        config = opened(json.loads((folder / "config.json").read_text("utf-8")), folder)
        names = [
            *config.get("blocks", BLOCKS),
            *(name for name in SEEN if name in config["encoder"]["channels"]),
            *(name for name in SOUNDS if name in config["voice"]["channels"]),
        ]
        blocks = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
        functions_PN = np.load(folder / "functions.npy")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not here. Make it with: dvc repro wavelet") from None
    # Cut short, of an earlier version, or an array of objects, which only pickle could read.
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder} is damaged or of an earlier version ({error}). Make it again: dvc repro "
            "wavelet"
        ) from None
    if {len(block) for block in blocks.values()} != {len(clips)}:
        raise UserError(
            f"{folder}: its files have different lengths. Make it again: dvc repro wavelet"
        )
    return Features(functions_PN, blocks, clips, config)


def join(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """The rows of a label table that have features.

    Added are ``at`` (their position), ``usable``, ``heard``, and ``face_share``, by which training
    weights them.
    """
    columns = ["video_idx", "usable", "heard", "face_share"]
    positions = features.clips[columns].assign(at=range(len(features.clips)))
    return table.merge(positions, on="video_idx")

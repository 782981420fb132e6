"""Which numbers of a clip speaking moves: those of the lips and of the jaw. Pure.

- Of blendshapes and of the mesh's points, those of the regions mouth and jaw (``face_map``).
- Of the 68 points the lips, and the outline between the corners of the jaw.
- Of action units, in tracks and in tables of features, those of the lower face by their numbers in
  FACS (Ekman and Friesen 1978): lips and chin 10 to 18, 20 and 22 to 28, tongue and jaw 19 and 29
  to 37; a column is a unit's by its name, such as AU12_r.

Other inputs have no channels of the mouth: the head's pose, the timing, gaze, and whatever looks at
a whole face, as an encoder does, or hears a voice.
"""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from facewave.params import Block
from facewave.study.face_map import region_of_blendshape, regions
from facewave.wavelets import points68
from facewave.wavelets.schema import Features

_REGIONS = ("mouth", "jaw")
_POINTS68 = (*range(3, 14), *range(48, 68))
_UNITS = {*range(10, 21), *range(22, 38)}
_UNIT = re.compile(r"au_?0*(\d+)", re.IGNORECASE)


def channels(
    features: Features, names: Iterable[Block], at: NDArray[np.int64]
) -> dict[Block, NDArray[np.bool_]]:
    """Block -> which of its channels are the mouth's, in a moment's shape.

    Args:
        features: of a dataset.
        names: of blocks; those that have no channel of the mouth are left out.
        at: positions of usable clips, whose mean face says where the mesh's points are.
    """
    config = features.config
    masks: dict[Block, NDArray[np.bool_]] = {}
    for block in names:
        match block:
            case "blendshapes":
                of_names = [region_of_blendshape(name) in _REGIONS for name in config[block]]
                mask = np.array(of_names, bool)
            case "landmarks" | "pose_free":
                mask = np.isin(regions(features, at), _REGIONS)
            case "points68":
                is_merged = config["sides"] == "merged"
                mask = np.isin(points68.POINTS if is_merged else range(68), _POINTS68)
            case "action_units" | "functionals":
                mask = are_units(config[block])
            case _:
                continue
        if mask.any():
            moment = features.blocks[block].shape[2:]
            masks[block] = np.broadcast_to(mask.reshape(-1, *(1,) * (len(moment) - 1)), moment)
    return masks


def are_units(names: Iterable[str]) -> NDArray[np.bool_]:
    """Which columns have a name that begins with an action unit of the mouth."""
    found = (_UNIT.match(name) for name in names)
    return np.array([unit is not None and int(unit[1]) in _UNITS for unit in found], bool)

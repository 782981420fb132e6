"""Which channels are the mouth's, in every block that has some."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.params import Block
from facewave.study import mouth
from facewave.study.face_map import INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from facewave.wavelets import points68
from facewave.wavelets.schema import BLOCKS, POINTS, Features, channels_of
from making import NAMES

UNITS = ("AU01_r", "AU09_r", "AU10_r", "AU12_c", "AU25", "au_26_intensity", "AU45_r", "AU06_c",
         "Audio12", "au12x", "AU112", "speech")  # fmt: skip
OF_MOUTH = {"AU10_r", "AU12_c", "AU25", "au_26_intensity", "au12x"}


def features(face_PC: NDArray[Any], sides: str, **more: list[str]) -> Features:
    """One clip of one step, in all blocks."""
    blocks: dict[Block, Any] = {name: np.zeros((1, 1, *shape)) for name, shape in BLOCKS.items()}
    blocks["pose_free"] = face_PC[None, None]
    if sides == "merged":
        blocks["pose_free"] = blocks["landmarks"] = face_PC[None, None, POINTS]
        blocks["points68"] = blocks["points68"][:, :, points68.POINTS]
        blocks["blendshapes"] = blocks["blendshapes"][..., :32]
    blocks |= {name: np.zeros((1, 1, len(names))) for name, names in more.items()}  # type: ignore[misc]
    config = {"sides": sides, "blendshapes": channels_of(NAMES, "merged" if sides == "merged" else
                                                         "apart")}  # fmt: skip
    return Features(np.ones((1, 1), np.float32), blocks, pd.DataFrame(), config | more)


def test_lips_and_jaw_of_every_block_and_of_nothing_else(face: NDArray[np.float64]) -> None:
    for sides in ("apart", "merged"):
        made = features(face, sides, action_units=list(UNITS), functionals=list(UNITS))
        found = mouth.channels(made, list(made.blocks), np.array([0]))
        assert set(found) == {"blendshapes", "landmarks", "pose_free", "points68", "action_units",
                              "functionals"}  # fmt: skip
        for name, mask in found.items():
            assert mask.shape == made.blocks[name].shape[2:]
        chosen = {
            name for name, is_mouth in zip(made.config["blendshapes"], found["blendshapes"],
                                           strict=True) if is_mouth
        }  # fmt: skip
        assert chosen == {n for n in made.config["blendshapes"] if n.startswith(("mouth", "jaw"))}
        for name in ("action_units", "functionals"):
            assert {unit for unit, is_one in zip(UNITS, found[name], strict=True) if is_one} == (
                OF_MOUTH
            )
        points = POINTS if sides == "merged" else np.arange(478)
        for name in ("landmarks", "pose_free"):
            moved = set(points[found[name].all(axis=1)])
            assert found[name].any(axis=1).sum() == len(moved)  # whole points
            assert {*OUTER_LIPS, *INNER_LIPS, 152} & {*points} <= moved  # 152: the chin
            assert not moved & {*LEFT_EYE, *RIGHT_EYE, *LEFT_BROW, 1, 4, 10}  # nose and forehead
            assert 0.2 < len(moved) / len(points) < 0.5
        # The 68 are points of the mesh, in the same regions.
        kept = points68.POINTS if sides == "merged" else np.arange(68)
        lips = found["points68"][:, 0]
        assert lips[kept >= 48].all()
        assert not lips[(kept >= 17) & (kept < 48)].any()
        assert lips[kept == 8].all()
        assert not lips[kept == 0].any()


def test_blocks_without_a_mouth_and_tracks_without_a_mesh(face: NDArray[np.float64]) -> None:
    made = features(face, "apart", action_units=["AU01_r", "AU45_r"], gaze=["x", "y"])
    names: list[Block] = ["head", "timing", "gaze", "action_units"]
    assert mouth.channels(made, names, np.array([0])) == {}
    del made.blocks["pose_free"]
    assert list(mouth.channels(made, ["points68", "head"], np.array([0]))) == ["points68"]

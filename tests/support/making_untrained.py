"""Clips whose faces and appearance are made by hand, for models that answer without training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave import params
from facewave.appearance.schema import Appearance, Config
from facewave.landmarks.schema import Trajectory
from facewave.targets import PLANE, Target
from facewave.training import parts
from facewave.training.untrained import Given
from facewave.workspace import Clips
from making import NAMES, REPOSITORY, trajectory

TRAIN = params.load(REPOSITORY / "params.yaml").train
ENCODER = Config("tiny", ("angry", "happy", "sad", "neutral"), ("valence",), 2, {"v": 1}, {})


@dataclass(frozen=True, eq=False)
class Handmade(Clips):
    """Clips with the appearance and the trajectories that a test gives them."""

    looks: Mapping[str, Appearance] = field(default_factory=dict)
    moves: Mapping[str, Trajectory] = field(default_factory=dict)
    config: Config = ENCODER

    def appearance(self, video_idx: str) -> Appearance | None:
        """What the test says that the encoder saw."""
        return self.looks.get(video_idx)

    def trajectory(self, video_idx: str) -> Trajectory | None:
        """What the test says that the landmarker saw."""
        return self.moves.get(video_idx)

    def encoder(self) -> Config:
        """What the test says has looked."""
        return self.config


def look(*answers: Sequence[float] | None) -> Appearance:
    """Frames with probabilities of ``ENCODER``'s words; None for one without a face."""
    width = len(ENCODER.words) + len(ENCODER.numbers)
    rows = [np.full(width, np.nan) if p is None else [*np.log(p), 0.5] for p in answers]
    valid = np.array([answer is not None for answer in answers])
    seen = np.zeros((len(rows), 2), np.float32)
    return Appearance(np.arange(len(rows)) / 5, valid, np.array(rows, np.float32), seen)


def move(shown: Mapping[str, float], frames: int = 4, without: tuple[int, ...] = ()) -> Trajectory:
    """A clip whose blendshapes stand still at 0 but for some; frames ``without`` show no face."""
    made = trajectory(frames, gaps=without)
    values = np.array([shown.get(name, 0.0) for name in NAMES], np.float32)
    blendshapes = np.where(made.valid_T[:, None], values, np.nan).astype(np.float32)
    return replace(made, blendshapes_TB=blendshapes)


def handmade(
    words: Sequence[str],
    actual: Sequence[str],
    looks: Sequence[Appearance | None] = (),
    moves: Sequence[Trajectory | None] = (),
    config: Config = ENCODER,
) -> Handmade:
    """Clips "0", "1", ... with labels of ``words``; one with None has no face."""
    n = len(actual)
    names = [str(i) for i in range(n)]
    table = pd.DataFrame(
        {
            "video_idx": names,
            "file_path": [f"{name}.mp4" for name in names],
            "label": pd.array([words.index(word) for word in actual], "Int64"),
            "actual": actual,
            "excluded": "",
            "votes": "",
            "quadrant": "",
            **dict.fromkeys(PLANE, np.nan),
            "rank": 0.5,
            "usable": True,
            "at": range(n),
        },
        index=range(100, 100 + n),
    )
    seen = {name: each for name, each in zip(names, looks, strict=False) if each}
    moved = {name: each for name, each in zip(names, moves, strict=False) if each}
    nothing = (Path(), 25.0, Path(), pd.DataFrame(), {"k": 3})
    return Handmade(table, {}, *nothing, looks=seen, moves=moved, config=config)


def given(
    clips: Clips,
    targets: Sequence[Target],
    train: Sequence[int],
    val: Sequence[int] = (),
    folder: Path = Path(),
    **groups: Any,
) -> Given:
    """What a model is made from; ``groups`` change groups of section train."""
    at = np.arange(len(clips))
    settings = replace(
        TRAIN, **{name: replace(getattr(TRAIN, name), **keys) for name, keys in groups.items()}
    )
    truth_nW = parts.truth_of(clips, targets, soft=False)
    prior_W = parts.prior(targets, truth_nW[list(train)])
    which = (np.isin(at, train), np.isin(at, val), truth_nW, prior_W, tuple(targets))
    return Given(clips, *which, settings, folder, {"dataset": "demo", "partition": "1"})

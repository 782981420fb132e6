"""Toy projects whose clips have sound, made in code."""

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from facewave import params
from facewave.files import read_csv, write_csv, write_json
from facewave.voice.listen import Listener
from facewave.voice.schema import CHANNELS
from making import Floats32, Toy, toy, trajectory, write_landmarks, write_params, write_toy

BANDS = len(CHANNELS["mel"])


def write_voices(project: Path, mel: dict[str, Floats32]) -> None:
    """Give clips of data/features/demo/ blocks of sound: ``mel``, (N, BANDS); the others are 0.

    No other clip is heard.
    """
    folder = project / "data/features/demo"
    clips = read_csv(folder / "clips.csv", text=("video_idx", "file_path", "reason"))
    heard = clips["video_idx"].isin(mel).to_numpy()
    steps = np.load(folder / "blendshapes.npy", mmap_mode="r").shape[1]
    for name, channels in CHANNELS.items():
        block = np.full((len(clips), steps, len(channels)), np.nan, np.float32)
        block[heard] = 0
        for row in np.flatnonzero(heard) if name == "mel" else ():
            block[row] = mel[clips["video_idx"].iloc[row]]
        np.save(folder / f"{name}.npy", block)
    write_csv(folder / "clips.csv", clips.assign(heard=heard))
    listener = Listener(params.load(project / "params.yaml").voice)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["voice"] = listener.describe().described
    write_json(folder / "config.json", config)


def write_voiced_toy(
    project: Path, faceless: Collection[str] = (), silent: Collection[str] = ()
) -> Toy:
    """A toy project whose clips have a voice, but for those named; its trajectories are random."""
    write_params(project)
    made = toy()
    made.usable[:] = ~made.table["video_idx"].isin(faceless)
    write_toy(project, made)
    voices = _telling(made.table, made.blendshapes.shape[1])
    write_voices(project, {name: one for name, one in voices.items() if name not in silent})
    clips = {name: trajectory(12, seed) for seed, name in enumerate(made.table["video_idx"])}
    write_landmarks(project, clips | {"undecided": trajectory(12)}, unusable=tuple(faceless))
    return made


def _telling(table: pd.DataFrame, steps: int, seed: int = 0) -> dict[str, Floats32]:
    """A voice for each clip that tells its label: one band is louder."""
    rng = np.random.default_rng(seed)
    voices = {}
    for row in table.itertuples():
        voices[row.video_idx] = rng.normal(size=(steps, BANDS)).astype(np.float32)
        voices[row.video_idx][:, row.label] += 3
    return voices

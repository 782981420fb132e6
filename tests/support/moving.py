"""A toy project whose faces move: what the study reads, made by the real stages."""

from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.training.__main__ import main as train
from facewave.wavelets.features import features
from facewave.wavelets.transform import Transform
from making import TOY_TRAIN, toy, trajectory, write_features, write_landmarks, write_params

TOY_NETWORK = {"epochs": 4, "hidden": 8, "lr": 0.01}
FRAMES = 12
PICTURE = ClipFacts(fps=30.0, width=64, height=48, declared_frames=FRAMES)
TRANSFORM = Transform("approximation", "haar", k=4)
PARTITIONS: list[int] = [1, 2, 3]
STUDY: dict[str, Any] = {
    "transforms": ["approximation", "energy"],
    "k": [2, 4],
    "inputs": [["blendshapes"], ["blendshapes", "head"]],
    "models": ["logistic"],
    "targets": [],
    "removed": [0.125, 0.5],
    "every": [3],
}
SECTIONS: dict[str, dict[str, Any]] = {
    "wavelets": {"transform": "approximation", "wavelet": "haar", "k": 4, "sides": "apart"},
    "train": TOY_TRAIN | {"network": TOY_NETWORK, "partitions": PARTITIONS},
    "evaluate": {"resamples": 40},
}


def write_study_params(project: Path, **study: Any) -> None:
    """params.yaml of the project, with other keys in section ``study``."""
    write_params(project, **SECTIONS, study=STUDY | study)


def moving(code: int, seed: int, size: float = 0.06) -> Trajectory:
    """A face whose blendshape of this number rises over the clip."""
    seen = trajectory(FRAMES, seed=seed, gaps=(3,))
    seen.blendshapes_TB[:, code] += size * np.arange(FRAMES, dtype=np.float32)
    return seen


def write_moving_project(project: Path) -> None:
    """Labels, trajectories, features and models of ``making.toy``'s clips."""
    made = toy()
    seen = [moving(code, seed) for seed, code in enumerate(made.table["label"])]
    write_study_params(project)
    write_clips(project, made.table, seen)
    numbers = [features(one, PICTURE, TRANSFORM)["blendshapes"] for one in seen]
    write_features(project, made.table, made.usable, np.stack(numbers))
    with chdir(project):
        train()


def write_clips(project: Path, table: pd.DataFrame, seen: list[Trajectory]) -> None:
    """data/labels/demo.csv and data/landmarks/demo/; the first clip is not usable."""
    labels.write(project / "data/labels/demo.csv", table, WORDS)
    names = table["video_idx"].tolist()
    write_landmarks(project, dict(zip(names, seen, strict=True)), unusable=(names[0],))


def by_subject(n_subjects: int = 12, each: int = 5) -> tuple[pd.DataFrame, list[Trajectory]]:
    """Clips of people who always show the same emotion: faces tell people apart, nothing else."""
    rng = np.random.default_rng(0)
    subject = np.arange(n_subjects * each) // each
    fold, code = subject % 3 + 1, subject // 3 % 3
    names = [f"{i:03}" for i in range(len(subject))]
    table = pd.DataFrame(
        {
            "video_idx": names,
            "file_path": [f"clips/{name}.mp4" for name in names],
            "label": code,
            "actual": [WORDS[k] for k in code],
            "dataset": "demo",
            "subject": [f"s{s}" for s in subject],
            "fold": fold,
            "split": "train",
            "rank": 0.5,
            "excluded": "",
        }
    )
    faces = rng.normal(size=(n_subjects, 52)).astype(np.float32)
    seen = [trajectory(FRAMES, seed=i) for i in range(len(subject))]
    return table, [
        replace(one, blendshapes_TB=one.blendshapes_TB + faces[s])
        for one, s in zip(seen, subject, strict=True)
    ]

"""Clips with frames missing, as in bad video, and the trained models' answers to them. Pure."""

from collections.abc import Mapping
from dataclasses import fields
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from facewave.landmarks.schema import Trajectory
from facewave.params import Evaluate, Study
from facewave.study.clips import Change, Trajectories, unchanged
from facewave.study.runs import answer
from facewave.study.scores import Score, columns_of, figures
from facewave.training.schema import Trained
from facewave.wavelets.transform import Transform


def removal(
    trajectories: Trajectories,
    models: Mapping[str, Mapping[str | int, Trained]],
    score: Score,
    study: Study,
    evaluate: Evaluate,
) -> pd.DataFrame:
    """The trained models on test clips with fewer frames than they were trained on.

    A model that normalises by each person's own clips takes these as they are in the condition,
    with as many frames missing as in the clip that is answered.

    Args:
        trajectories: of the dataset.
        models: role -> partition -> model, all with the same inputs.
        score: what answers are counted by.
        study: which frames are removed.
        evaluate: the bootstrap.

    Returns:
        ``columns``, one row per condition and role.
    """
    rows = []
    model = next(model for by_partition in models.values() for model in by_partition.values())
    transform = Transform(**{field.name: model.wavelets[field.name] for field in fields(Transform)})
    for condition, change in tqdm(conditions(study).items(), "frames removed", unit="condition"):
        clips = trajectories.clips(transform, model.inputs, change)
        for role, by_partition in models.items():
            tables = [
                answer(trained, clips.select(clips.parts(name) == "test"), name)
                for name, trained in by_partition.items()
            ]
            answers = pd.concat(tables, ignore_index=True)
            kind = next(iter(by_partition.values())).kind
            row = {"condition": condition, "role": role, "model": kind}
            rows.append(row | figures(score, score.tested(answers), evaluate))
    return pd.DataFrame(rows, columns=list(columns(score)))


def columns(score: Score) -> tuple[str, ...]:
    """Of the table of ``removal``."""
    return ("condition", "role", "model", *columns_of(score.measures))


def conditions(study: Study) -> dict[str, Change]:
    """What is done to the clips, by name."""
    shares = {f"{100 * share:g}% removed": partial(without, share) for share in study.removed}
    steps = {f"1 of {step} frames": partial(every, step) for step in study.every}
    return {"all frames": unchanged, **shares, **steps}


def without(share: float, trajectory: Trajectory, seed: int) -> Trajectory:
    """A random share of the frames, in [0, 1), removed; two with a face are kept."""
    kept_T = np.random.default_rng(seed).random(len(trajectory.times_T)) >= share
    kept_T[np.flatnonzero(trajectory.valid_T)[[0, -1]]] = True
    return trajectory[kept_T]


def every(step: int, trajectory: Trajectory, seed: int) -> Trajectory:
    """Every ``step``-th frame, as from a slower camera; at least two with a face are kept.

    The first frame is ``seed`` modulo ``step``.
    """
    kept_T = np.arange(len(trajectory.times_T)) % step == seed % step
    if trajectory.valid_T[kept_T].sum() < 2:
        kept_T[np.flatnonzero(trajectory.valid_T)[[0, -1]]] = True
    return trajectory[kept_T]

"""Clips with frames taken away, as bad video has it. Pure."""

from dataclasses import fields, replace

import numpy as np

from facewave.landmarks.schema import Trajectory


def without(share: float, trajectory: Trajectory, seed: int) -> Trajectory:
    """A share of the frames taken away, drawn by chance; two with a face stay.

    Args:
        share: of the frames, in [0, 1).
        trajectory: with a face in two frames at least.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    kept = rng.random(len(trajectory.times_T)) >= share
    faces = np.flatnonzero(trajectory.valid_T)
    kept[faces[[0, -1]]] = True
    return _only(trajectory, kept)


def every(step: int, trajectory: Trajectory, seed: int) -> Trajectory:
    """Every ``step``-th frame, as of a slower camera; two with a face stay.

    Args:
        step: 1: all of them.
        trajectory: with a face in two frames at least.
        seed: which of the first ``step`` frames it begins with, by the rest of a division.
    """
    kept = np.arange(len(trajectory.times_T)) % step == seed % step
    faces = np.flatnonzero(trajectory.valid_T)
    if trajectory.valid_T[kept].sum() < 2:
        kept[faces[[0, -1]]] = True
    return _only(trajectory, kept)


def _only(trajectory: Trajectory, kept_T: np.ndarray) -> Trajectory:
    names = [field.name for field in fields(trajectory) if field.name != "names"]
    return replace(trajectory, **{name: getattr(trajectory, name)[kept_T] for name in names})

"""Clips with several targets, each of them a function of a few hidden numbers, and gaps."""

import numpy as np
import torch
from numpy.typing import NDArray

from facewave.targets import Target, number
from facewave.training.fit import Samples
from making import words

CLASSES = words("happy", "sad", "angry")
VALENCE, SCORE = number("valence"), number("score.a")
UNITS = Target("aus", "presence", ("AU1", "AU12"))
STRENGTHS = Target("strengths", "intensity", ("AU4", "AU6"))
TARGETS = (CLASSES, VALENCE, SCORE, UNITS, STRENGTHS)
STEPS, CHANNELS = 4, 3
# Where each target's columns are.
COLUMNS = {"classes": slice(0, 3), "valence": slice(3, 4), "score.a": slice(4, 5),
           "aus": slice(5, 7), "strengths": slice(7, 9)}  # fmt: skip


def samples(n: int, seed: int, missing: float = 0.0, noise: float = 0.2) -> Samples:
    """n clips of ``TARGETS``; each target is missing of the given share of them, at random."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 4))
    mixing = np.random.default_rng(99).normal(size=(4, STEPS * CHANNELS))
    inputs = hidden @ mixing + noise * rng.normal(size=(n, STEPS * CHANNELS))
    truth = np.column_stack(
        [
            np.eye(3)[hidden[:, :3].argmax(axis=1)],
            np.tanh(hidden[:, 0]),
            50 + 10 * hidden[:, 2],
            hidden[:, 3] > 0,
            hidden[:, 1] > 0,
            2 + hidden[:, 0],
            3 * hidden[:, 3],
        ]
    )
    for columns in COLUMNS.values():
        truth[rng.random(n) < missing, columns] = np.nan
    return of(inputs.reshape(n, STEPS, CHANNELS), truth)


def of(inputs: NDArray[np.float64], truth: NDArray[np.float64]) -> Samples:
    """Clips that all show a face throughout."""
    quality = torch.ones(len(truth))
    return Samples(torch.from_numpy(inputs).float(), torch.from_numpy(truth).float(), quality)


def ccc(truth: NDArray[np.floating], answers: NDArray[np.floating]) -> float:
    """The concordance correlation coefficient (Lin, 1989)."""
    both = np.mean((truth - truth.mean()) * (answers - answers.mean()))
    apart = (truth.mean() - answers.mean()) ** 2
    return float(2 * both / (truth.var() + answers.var() + apart))

"""Answers of models that are right a given share of the time, as stage predict leaves them."""

from pathlib import Path

import numpy as np
import pandas as pd

from facewave.prediction import schema
from facewave.targets import CLASSES, Target

WORDS = ("happy", "sad", "NA")  # a word that looks like a missing value


def answers(**shares: float) -> pd.DataFrame:
    """Of roles with these shares of right answers, in two folds and a split.

    There are 16 subjects of 6 clips each.
    """
    rng = np.random.default_rng(0)
    at = np.arange(96)
    subject, actual = at // 6, at % 3
    inside = {"split": subject < 4, "1": subject % 2 == 0, "2": subject % 2 == 1}
    tables = []
    for role, share in shares.items():
        predicted = np.where(rng.random(96) < share, actual, (actual + 1) % 3)
        table = pd.DataFrame(
            {
                "video_idx": [f"{i:02}" for i in at],
                "file_path": [f"clips/{i:02}.mp4" for i in at],
                "subject": [f"s{s}" for s in subject],
                "source": "",
                "actual": np.array(WORDS)[actual],
                "predicted": np.array(WORDS)[predicted],
            }
        )
        for code, word in enumerate(WORDS):
            table[f"p_{word}"] = np.where(predicted == code, 0.8, 0.1)
        tables += [table[rows].assign(partition=p, role=role) for p, rows in inside.items()]
    return pd.concat(tables, ignore_index=True)


def write(table: pd.DataFrame, folder: Path = schema.ROOT) -> None:
    """Write answers.csv and models.json."""
    roles = {role: {"kind": "mlp"} for role in table["role"].unique()}
    words = tuple(name.removeprefix("p_") for name in table if name.startswith("p_"))
    models = schema.Models("demo", "made", (Target(CLASSES, "words", words),), roles)
    schema.write(table.assign(answered_from="face"), models, folder)

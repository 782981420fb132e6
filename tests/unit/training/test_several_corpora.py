"""A toy union: one corpus has words, another valence and arousal, a third action units."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave.prediction import schema as answers
from facewave.prediction.__main__ import main as predict
from facewave.targets import Target
from facewave.training import schema
from facewave.training.__main__ import main as train
from making import TOY_TRAIN, Toy, toy, trajectory, write_landmarks, write_params, write_toy

UNITS = ("AU4", "AU12")
STUDENTS = 2


def union(made: Toy) -> Toy:
    """The toy's clips, each third of its people with other labels: all follow from the word."""
    table = made.table.copy()
    codes = table["label"].to_numpy(int)
    corpus = pd.factorize(table["subject"])[0] % 3
    valence = np.linspace(-0.8, 0.8, codes.max() + 1)[codes]
    table["dataset"] = np.array(["words", "numbers", "units"])[corpus]
    table["valence"] = np.where(corpus == 1, valence, np.nan)
    table["arousal"] = np.where(corpus == 1, -valence / 2, np.nan)
    table["aus"] = [
        json.dumps({unit: int(code == at) for at, unit in enumerate(UNITS)}) * int(where == 2)
        for code, where in zip(codes, corpus, strict=True)
    ]
    table["actual"] = table["actual"].where(corpus == 0, "")
    table["label"] = table["label"].where(corpus == 0, pd.NA)
    return Toy(table, made.usable, made.blendshapes)


def test_corpora_that_label_different_things_are_learnt_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    targets = ["classes", "valence", "arousal", "aus"]
    asked: dict[str, Any] = {"targets": targets, "partitions": ["split"], "baselines": []}
    asked |= {"students": STUDENTS, "network": TOY_TRAIN["network"] | {"numbers": "mse"}}
    write_params(tmp_path, train=TOY_TRAIN | asked)
    made = union(toy(n_subjects=75))
    write_toy(tmp_path, made)
    write_landmarks(tmp_path, dict.fromkeys(made.table["video_idx"], trajectory(2)))
    train()
    predict()
    table, models = answers.read()
    assert set(models.roles) == {"model", "majority", "teacher", "student-1", "student-2"}
    assert [models.roles[role]["kind"] for role in ("model", "teacher")] == ["students", "mlp"]
    error: dict[str, dict[str, float]] = {role: {} for role in models.roles}
    for target in models.targets:
        rows = answers.answering(table, target)
        assert 0 < rows["video_idx"].nunique() < table["video_idx"].nunique()
        for role, of_role in rows.groupby("role"):
            error[str(role)][target.name] = _error(of_role, target)
    for role in set(error) - {"majority"}:
        for name in targets:
            assert error[role][name] < 0.85 * error["majority"][name], (role, name)
    members = schema.load(schema.folder("split", "model")).describe()["members"]
    assert list(members) == [f"student-{number}" for number in (1, 2)]


def _error(rows: pd.DataFrame, target: Target) -> float:
    if target.is_words:
        return float((rows[target.actual[0]] != rows[target.predicted]).mean())
    actual, predicted = (rows[list(names)].to_numpy() for names in (target.actual, target.numbers))
    return float(np.nanmean((actual - predicted) ** 2))

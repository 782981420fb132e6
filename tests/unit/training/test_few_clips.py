"""Two or three clips of each word go through every stage, and no stage breaks."""

import json
from pathlib import Path

import numpy as np
import pytest

from facewave.app.results import show
from facewave.errors import UserError
from facewave.evaluation.__main__ import main as evaluate
from facewave.labels import splits
from facewave.labels.readers.dfew import WORDS
from facewave.landmarks.schema import BLENDSHAPES
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.training import schema
from facewave.training.__main__ import main as train
from making import (
    toy,
    trajectory,
    write_features,
    write_labels,
    write_landmarks,
    write_params,
)


def write_project(
    project: Path, each: int, subjects: int, model: str, partition: str | int = "split"
) -> None:
    """As many clips of three words, of as many subjects; 0: nobody knows who is in them."""
    table = toy().table.head(3 * each).copy()
    table["subject"] = [f"s{i // 3 % subjects}" if subjects else "" for i in range(3 * each)]
    kept = table.assign(source="", quadrant="", part="", fold=np.nan)
    table = table.assign(**splits.assign(kept, project / "folds.json", folds=5, seed=0))
    write_labels(project, table, WORDS[:3])
    shapes = np.random.default_rng(0).normal(size=(len(table), 10, BLENDSHAPES))
    write_features(project, table, np.ones(len(table), bool), shapes.astype(np.float32))
    write_landmarks(project, {name: trajectory(12) for name in table["video_idx"]})
    settings = {"model": model, "baselines": ["svm", "trees"], "partitions": [partition]}
    small = {"network": {"epochs": 2}, "trees": {"stages": 3}}
    write_params(project, train=settings | small, evaluate={"resamples": 20})


def test_two_clips_of_each_word_are_learnt_tested_and_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, 2, 0, "mlp")
    train()
    predict()
    evaluate()
    show()
    assert "UAR is the mean recall of 3 classes." in capsys.readouterr().out
    report = json.loads(Path("metrics/evaluate/report.json").read_text("utf-8"))
    summary = report["tasks"]["classes"]["split"]
    assert (summary["n"], summary["chance"]) == (3, 0.3333)


def test_three_subjects_fill_three_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, 3, 3, "gru", partition=1)
    train()
    predict()
    answers, _ = prediction.read()
    assert answers.groupby("role")["subject"].agg(list).map(len).to_dict() == dict.fromkeys(
        ("model", "majority", "svm", "trees"), 3
    )
    assert answers["subject"].nunique() == 1


def test_one_subject_trains_and_nothing_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, 5, 1, "logistic")
    train()
    assert schema.load(schema.folder("split", "model")).describe()["about"]["clips"] == 15
    with pytest.raises(
        UserError, match=r"split has no test clip with .* Add clips of other subjects"
    ):
        predict()

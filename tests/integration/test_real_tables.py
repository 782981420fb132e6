"""Stages on real tables of features, which are not part of the project."""

import json
import os
from pathlib import Path

import pytest

from features_project import STAGES_OF_A_DATASET, run, write_project

TABLES = os.environ.get("FACEWAVE_TEST_TABLES", "")


@pytest.mark.skipif(not TABLES, reason="no real table: set FACEWAVE_TEST_TABLES to their folder")
def test_action_units_of_ravdess_on_the_published_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, Path(TABLES) / "ravdess-au", partitions=[1, 2, 3, 4, 5])
    run(*STAGES_OF_A_DATASET, "training", "prediction", "evaluation")
    tasks = json.loads(Path("metrics/evaluate/report.json").read_text("utf-8"))["tasks"]
    report = tasks["classes"]["folds"]
    assert (report["n"], report["subjects"], report["unusable"]) == (1440, 24, 0)
    sizes = [figures["n"] for figures in report["model"]["fold"].values()]
    assert sizes == [300, 300, 300, 300, 240]
    for role in ("model", "svm"):  # the published MLP of the same numbers has 60.3
        assert 0.55 < report[role]["uar"] < 0.62, role

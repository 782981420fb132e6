"""The table at the end of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facewave.app.results import show
from facewave.errors import UserError
from facewave.files import write_json


def figures(
    name: str, war: float, uar: float, macro_f1: float, auc: float | None
) -> dict[str, Any]:
    values = {"war": war, "uar": uar, "macro_f1": macro_f1}
    others = {"auc": auc, "log_loss": 1.3, "calibration_error": 0.054}
    return {
        "name": name,
        "recall": {"happy": 1.0},
        **values,
        **others,
        **{f"{name}_low": value - 0.1 for name, value in values.items()},
        **{f"{name}_high": value + 0.05 for name, value in values.items()},
    }


def summary(**changes: Any) -> dict[str, Any]:
    return {
        "n": 12,
        "subjects": 4,
        "unusable": 1,
        "interval_over": "clips",
        "model": figures("mlp", 0.8125, 0.75, 0.7, 0.9),
        "majority": figures("majority", 0.25, 0.2, 0.15, None),
    } | changes


Shown = Callable[[dict[str, Any]], str]


@pytest.fixture
def shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shown:
    """What is printed of a report."""

    def printed(report: dict[str, Any]) -> str:
        write_json(tmp_path / "metrics/evaluate/report.json", report)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "80")  # none of the table's rows may need more
        show()
        return capsys.readouterr().out

    return printed


def test_every_protocol_with_its_clips_and_what_was_measured(shown: Shown) -> None:
    folds = summary(n=97, subjects=30, unusable=0, interval_over="subjects")
    folds["model"]["fold"] = {"1": {}, "2": {}}
    metrics = {"dataset": "demo: synthetic clips", "split": summary(), "folds": folds}
    out = shown(metrics)
    assert "demo: synthetic clips" in out
    (split,) = (line for line in out.splitlines() if "80/10/10 split" in line)
    (mean,) = (line for line in out.splitlines() if "Mean over folds 1, 2:" in line)
    for line, n, subjects, drawn in ((split, 12, 4, "clips"), (mean, 97, 30, "subjects")):
        assert f"{n} test clips of {subjects} subjects" in line
        assert "95 %" in line
        assert line.endswith(f"over {drawn}")
    assert "1 of them unusable and answered from class frequencies" in split
    assert "without" not in mean
    assert "report.json" in out
    assert "data/answers/answers.csv" in out
    assert "metrics/evaluate/plots" in out


def test_every_role_with_its_intervals(shown: Shown) -> None:
    metrics = {"dataset": "demo: x", "split": summary(), "folds": summary()}
    out = shown(metrics)
    rows = [" ".join(line.split()) for line in out.splitlines()]
    expected = [
        "in % WAR UAR macro F1 AUC ECE",
        "model (mlp) 81.2 [71, 86] 75.0 [65, 80] 70.0 [60, 75] 90.0 5.4",
        "majority 25.0 [15, 30] 20.0 [10, 25] 15.0 [5, 20] - 5.4",
    ]
    assert [row for row in rows if row in expected] == 2 * expected


def test_one_protocol_alone_brackets_and_no_subjects(shown: Shown) -> None:
    for key in ("split", "folds"):
        out = shown({"dataset": "dfew: [acted] clips", key: summary(subjects=None)})
        assert ("80/10/10" in out) == (key == "split")
        assert ("ean over folds" in out) == (key == "folds")
        assert "[acted] clips" in out
        assert "12 test clips, 1 of them" in out
        assert "subject" not in out


def test_without_metrics_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"report\.json is missing\. Make it with: make repro"):
        show()


def numbers(**changes: Any) -> dict[str, Any]:
    """Of a regression."""
    model = {"ccc": 0.4567, "pcc": 0.5, "rmse": 0.25, "sagr": 0.75}
    model |= {f"{name}_low": -0.001 for name in dict(model)}
    model |= {f"{name}_high": 0.888 for name in list(model)[:4]}
    floor = model | {"pcc": None, "pcc_low": None, "pcc_high": None, "rmse_low": None}
    return {
        "n": 12,
        "subjects": 4,
        "unusable": 0,
        "interval_over": "clips",
        "model": {"name": "tiny-qwen2.5-vl", "score.stress": model},
        "mean": {"name": "mean", "score.stress": floor},
    } | changes


def test_a_regression_s_targets_with_their_intervals(shown: Shown) -> None:
    metrics: dict[str, Any] = {
        "dataset": "demo: x",
        "targets": ["score.stress"],
        "split": numbers(),
    }
    metrics["folds"] = numbers(n=86)
    metrics["folds"]["model"]["fold"] = {"1": {}, "2": {}}
    out = shown(metrics)
    rows = [" ".join(line.split()) for line in out.splitlines()]
    expected = [
        "model: tiny-qwen2.5-vl",
        "CCC PCC RMSE SAGR",
        "score.stress",
        "model 0.46 0.50 0.25 0.75",
        "[0.00, 0.89] [0.00, 0.89] [0.00, 0.89] [0.00, 0.89]",
        "mean 0.46 - 0.25 0.75",
        "[0.00, 0.89] [0.00, 0.89]",
    ]
    assert [row for row in rows if row in expected] == 2 * expected
    assert "80/10/10 split: 12 test clips of 4 subjects; in brackets" in out
    assert "Mean over folds 1, 2: 86 test clips" in out
    tables = [line for line in out.splitlines() if "0.46" in line or "0.89" in line]
    assert all(len(line) <= 80 for line in tables)

"""The table at the end of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facewave.app.results import show
from facewave.errors import UserError
from facewave.files import write_json
from making_results import PLANE, multitask, numbers, regressed, report, several


def bounded(war: float, uar: float, macro_f1: float, **others: Any) -> dict[str, Any]:
    """Figures with their intervals, and others."""
    values = {"war": war, "uar": uar, "macro_f1": macro_f1}
    low = {f"{name}_low": value - 0.1 for name, value in values.items()}
    high = {f"{name}_high": value + 0.05 for name, value in values.items()}
    return others | {"calibration_error": 0.054} | values | low | high


MODEL = bounded(0.8125, 0.75, 0.7, auc=0.9, name="mlp")
SPLIT: dict[str, Any] = {
    **{"n": 12, "subjects": 4, "unusable": 1, "interval_over": "clips", "model": MODEL},
    "majority": bounded(0.25, 0.2, 0.15, auc=None, name="majority"),
    **{"classes": 5, "absent": ["fear"], "chance": 0.2},
}
OVER_FOLDS = SPLIT | {"n": 97, "subjects": 30, "unusable": 0, "interval_over": "subjects"}
OVER_FOLDS["model"] = MODEL | {
    "fold": {"1": {"absent": ["fear"]}, "2": {"absent": ["fear", "[sad]", "angry"]}}
}


def of(dataset: str, **content: Any) -> dict[str, Any]:
    """report.json of the corpus's words alone."""
    task = {"kind": "words", "names": ["happy", "sad"]} | content
    return {"dataset": dataset, "tasks": {"classes": task}}


Shown = Callable[[dict[str, Any]], str]


@pytest.fixture
def shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shown:
    """What is printed of a report."""

    def printed(content: dict[str, Any]) -> str:
        write_json(tmp_path / "metrics/evaluate/report.json", content)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "80")  # none of the table's rows may need more
        show()
        return capsys.readouterr().out

    return printed


def test_every_protocol_and_role_with_intervals(shown: Shown) -> None:
    out = shown(of("demo: [acted] clips", split=SPLIT, folds=OVER_FOLDS))
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert rows[0] == "demo: [acted] clips"
    drawn = "in brackets 95 % intervals by bootstrap over"
    unusable = "1 of them unusable and answered from class frequencies"
    assert f"80/10/10 split: 12 test clips of 4 subjects, {unusable}; {drawn} clips" in rows
    assert f"Mean over folds 1, 2: 97 test clips of 30 subjects; {drawn} subjects" in rows
    expected = [
        "in % WAR UAR macro F1 AUC ECE",
        "model (mlp) 81.2 [71, 86] 75.0 [65, 80] 70.0 [60, 75] 90.0 5.4",
        "majority 25.0 [15, 30] 20.0 [10, 25] 15.0 [5, 20] - 5.4",
        "chance 20.0",
    ]
    assert [row for row in rows if row in expected] == 2 * expected
    over = "UAR is the mean recall of 5 classes; no test clip is fear."
    assert over in rows
    of_folds = "Where a fold lacks some, its UAR is over the others: no [sad], angry in fold 2."
    assert f"{over} {of_folds}" in rows
    for text in ("report.json", "data/answers/answers.csv", "metrics/evaluate/plots"):
        assert text in out
    for key in ("split", "folds"):
        out = shown(of("dfew: x", **{key: SPLIT | {"subjects": None}}))
        assert ("80/10/10" in out) == (key == "split")
        assert ("ean over folds" in out) == (key == "folds")
        assert "12 test clips, 1 of them" in out
        assert "subject" not in out
    Path("metrics/evaluate/report.json").unlink()
    with pytest.raises(UserError, match=r"report\.json is missing\. Make it with: make repro"):
        show()


def test_folds_training_and_what_others_report(shown: Shown) -> None:
    folds: dict[str, dict[str, Any]] = {
        name: {"absent": [], "uar": uar} for name, uar in (("1", 0.6), ("2", 0.9), ("3", None))
    }
    learnt = {"train": {"war": 1.0, "uar": 0.99}, "val": {"war": None, "uar": None}}
    summary = OVER_FOLDS | {"model": MODEL | {"fold": folds, "fitted": learnt}}
    others = [
        {
            "method": "[MAE]",
            "inputs": "video",
            "war": 74.43,
            "uar": None,
            "chosen": "on test",
            "differs": [],
        },
        {
            "method": "S2D",
            "inputs": "video",
            "war": 1.0,
            "uar": 2.0,
            "chosen": "unclear",
            "differs": ["n 1", "folds a"],
        },
    ]
    out = shown(of("x", folds=summary, published={"here": "[6] classes", "rows": others}))
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "UAR of the model by fold: 1: 60.0, 2: 90.0." in rows
    assert "UAR of the model: 99.0 in training, 75.0 in test." in rows
    assert "[MAE] (video) 74.4 - on test no known difference" in rows
    assert "S2D (video) 1.0 2.0 unclear n 1, folds a" in rows
    assert "What others report (here: [6] classes)" in rows


def test_numbers_with_their_intervals_in_80_columns(shown: Shown) -> None:
    content = regressed(PLANE, folds=numbers(("1", "2", "3"), targets=PLANE, off=-0.5))
    summary = content["tasks"]["numbers"]["folds"]
    figures: dict[str, Any] = {"ccc": -0.4567, "pcc": 0.5, "rmse": 0.25, "mae": 0.2, "sagr": 0.75}
    for name in list(figures):
        figures |= {f"{name}_low": -0.001, f"{name}_high": -0.888}
    figures |= {"coverage": 0.87, "width": 1.0}
    floor = figures | {"pcc": None, "coverage": None, "rmse_low": None}
    both = {"valence": figures, "arousal": figures, "mean": figures}
    summary["model"] |= both
    summary["majority"] |= both | {"valence": floor}
    summary["known"]["valence"] = 30
    traced = {"videos": 12, "frames": 1234, "interval_over": "videos"}
    summary["model"]["traces"] = traced | both
    out = shown(content)
    rows = [" ".join(line.split()) for line in out.splitlines()]
    expected = [
        "CCC PCC RMSE MAE SAGR cover",
        "valence",
        "model -0.46 [0.00, -0.89] 0.50 0.25 [0.00, -0.89] 0.20 75 % 87 %",
        "majority -0.46 [0.00, -0.89] - 0.25 0.20 75 % -",
    ]
    assert [row for row in rows if row in expected][:4] == expected
    assert any(
        row.endswith("prediction interval. Clips with a number: valence 30.") for row in rows
    )
    assert "CCC as traces, over 1,234 frames of 12 videos; intervals over videos" in rows
    assert "model" + 3 * " -0.46 [0.00, -0.89]" in rows
    assert "unusable and answered from training means" in out
    assert all(len(line) <= 80 for line in out.splitlines() if "0.46" in line)


def test_several_tasks_each_under_their_name(shown: Shown) -> None:
    content = report(multitask(), folds=several())
    content["tasks"]["classes"]["folds"]["model"] |= {
        **{"kl": 0.456, "kl_low": 0.4, "kl_high": 0.5},
        **{"top2": 0.875, "top2_low": 0.8, "top2_high": 0.9},
    }
    row = {"method": "EmoNet", "inputs": "pictures", "chosen": "on test", "differs": []}
    of_numbers = {"rows": [row | {"ccc_valence": 0.82, "ccc_arousal": None}], "here": "x"}
    content["tasks"]["numbers"]["published"] = of_numbers
    del content["tasks"]["aus"]["folds"]["model"]  # it does not answer
    out = shown(content)
    rows = [" ".join(line.split()) for line in out.splitlines()]
    names = ["classes", "quadrant", "numbers", "action units"]
    assert [row for row in rows if row in names] == names
    assert (
        "Of clips with votes, 87.5 % (80 to 90) have their word among the two most probable; "
        "divergence of the probabilities from the votes 0.46 nats (0.40 to 0.50)." in rows
    )
    assert "EmoNet (pictures) 0.820 - on test no known difference" in rows
    assert "in % F1 AUC occurs" in rows
    (mean,) = (row for row in rows if row.startswith("mean of"))
    assert mean.startswith("mean of majority 0.0 [0, 0] 50.0 [50, 50] ")
    tables = [line for line in out.splitlines() if " [" in line and "nats" not in line]
    assert max(map(len, tables)) <= 80


def test_what_normalises_by_the_people_who_are_tested_is_said(shown: Shown) -> None:
    content = of("demo", split=SPLIT)
    assert "so it is" not in shown(content)
    assert "\nmodel: so it is\n" in shown(content | {"normalized": {"model": "so it is"}})

"""What is told of a regression: its figures beside those of the floor, and the files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.evaluation import regression
from making import REPOSITORY, write_params

TARGETS = ("valence", "score.stress")
SETTINGS = params.Evaluate(resamples=50, seed=0)


def answers(partitions: tuple[str, ...] = ("1", "2"), n: int = 12) -> pd.DataFrame:
    """Of n clips of each partition; valence is answered well, stress by chance."""
    rng = np.random.default_rng(0)
    total = n * len(partitions)
    actual = rng.uniform(-1, 1, (total, 2)) * (1, 20)
    rows = pd.DataFrame(
        {
            "partition": np.repeat(partitions, n),
            "role": "model",
            "video_idx": [f"{at}" for at in range(total)],
            "file_path": [f"clips/{at}.mp4" for at in range(total)],
            "subject": [f"s{at}" for at in range(total)],
            "source": "",
            "answered_from": "face",
        }
    )
    given = np.stack([0.8 * actual[:, 0], rng.uniform(-20, 20, total)], 1)
    means = np.repeat(rng.uniform(0.1, 0.3, len(partitions)), n)
    for at, target in enumerate(TARGETS):
        rows[f"actual_{target}"] = actual[:, at]
        rows[f"predicted_{target}"] = given[:, at]
        rows[f"mean_{target}"] = means
    return rows


def summary(rows: pd.DataFrame) -> dict[str, Any]:
    return regression.summarize(rows, "tiny-smolvlm", TARGETS, SETTINGS)


def ccc(actual: Any, predicted: Any) -> float:
    """Lin's, by numpy."""
    covariance = np.cov(actual, predicted, ddof=0)
    apart = (np.mean(actual) - np.mean(predicted)) ** 2
    return float(2 * covariance[0, 1] / (np.trace(covariance) + apart))


def test_figures_of_each_fold_and_their_mean() -> None:
    rows = answers()
    found = summary(rows)
    assert (found["n"], found["subjects"], found["interval_over"]) == (24, 24, "subjects")
    assert found["model"]["name"] == "tiny-smolvlm"
    for target in TARGETS:
        of_folds = [
            ccc(one[f"actual_{target}"], one[f"predicted_{target}"])
            for _, one in rows.groupby("partition")
        ]
        told = [found["model"]["fold"][fold][target]["ccc"] for fold in ("1", "2")]
        assert told == pytest.approx(of_folds, abs=1e-4)
        assert found["model"][target]["ccc"] == pytest.approx(np.mean(of_folds), abs=1e-4)
    assert found["model"]["valence"]["ccc"] > 0.9
    assert [one["n"] for one in found["model"]["fold"].values()] == [12, 12]
    low, high = (found["model"]["valence"][f"ccc_{end}"] for end in ("low", "high"))
    assert low < found["model"]["valence"]["ccc"] < high


def test_the_floor_gives_each_fold_its_training_mean() -> None:
    rows = answers()
    found = summary(rows)["mean"]
    assert found["name"] == "mean"
    error = [
        np.sqrt(((one["actual_valence"] - one["mean_valence"]) ** 2).mean())
        for _, one in rows.groupby("partition")
    ]
    assert found["valence"]["rmse"] == pytest.approx(np.mean(error), abs=1e-4)
    # A constant in each fold: no correlation, and so no concordance.
    assert (found["valence"]["ccc"], found["valence"]["pcc"]) == (0, None)


def test_of_one_part_there_are_no_folds_and_few_groups_are_single_clips() -> None:
    rows = answers(("split",)).assign(subject=["a", "b"] * 6)
    found = summary(rows)
    assert "fold" not in found["model"]
    assert (found["subjects"], found["interval_over"]) == (2, "clips")
    assert summary(rows.assign(subject=["a", ""] * 6))["subjects"] is None


@pytest.mark.parametrize("folds", [True, False])
def test_files_and_what_is_drawn(tmp_path: Path, folds: bool) -> None:
    own = vars(params.load(REPOSITORY / "params.yaml").train.language) | {
        "objective": "mse",
        "targets": list(TARGETS),
    }
    own["lora"] = vars(own["lora"])
    write_params(
        tmp_path, train={"model": "tiny-smolvlm", "language": own}, evaluate={"resamples": 50}
    )
    loaded = params.load(tmp_path / "params.yaml")
    rows = answers(("split", "1", "2") if folds else ("split",))
    shown = regression.write(rows, {"language": {"mode": "x"}}, loaded, "a test", tmp_path)
    assert set(shown["partition"]) == ({"1", "2"} if folds else {"split"})
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    short = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    keys = ["split", "folds"] if folds else ["split"]
    assert list(report) == ["dataset", "targets", "language", *keys]
    assert list(short) == ["dataset", *keys]
    for key in keys:
        for role in ("model", "mean"):
            for target in TARGETS:
                figures = report[key][role][target]
                names = ("ccc", "pcc", "rmse", "sagr")
                assert short[key][role][target] == {name: figures[name] for name in names}
    written = pd.read_csv(tmp_path / "predictions.csv", dtype={"partition": str})
    assert list(written)[:3] == ["partition", "role", "video_idx"]
    assert len(written) == len(rows)
    assert (tmp_path / "plots/regression.png").exists()

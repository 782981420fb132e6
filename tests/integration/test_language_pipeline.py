"""Language models through the real stages: the modes one after the other, beside the classifiers.

Tiny models with random weights: what they answer means nothing.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from running import run

# The stages that differ from a classifier's; study and report have tests of their own.
QUICK = {
    "train.partitions": "[split]",
    "train.language.epochs": "2",
    "train.language.lr": "0.01",
    "train.language.frames": "2",
}


def experiment(folder: Path, name: str, train: dict[str, str], *, ok: bool = True) -> str:
    """``dvc exp run`` with settings of section ``train``."""
    settings = QUICK | {f"train.{key}": value for key, value in train.items()}
    options = [word for key, value in settings.items() for word in ("-S", f"{key}={value}")]
    return run(folder, "dvc", "exp", "run", "--name", name, *options, "evaluate", ok=ok)


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics/evaluate/metrics.json").read_text())["split"]


def config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "models/trained/split/model/config.json").read_text())


@pytest.mark.parametrize("kind", ["tiny-paligemma2", "tiny-qwen2.5-vl"])
def test_zero_shot_pretrain_finetune(workspace: Path, kind: str) -> None:
    before = metrics(workspace)
    experiment(workspace, "zero", {"model": kind, "mode": "zero_shot"})
    zero = metrics(workspace)
    assert zero["model"]["name"] == kind
    assert zero["n"] == before["n"]  # the same test clips
    assert zero["logistic"] == before["logistic"]
    answers = pd.read_csv(workspace / "metrics/evaluate/predictions.csv")
    model = answers[answers["role"] == "model"]
    assert set(model["answered_from"]) <= {"face", "frames"}  # none from the prior
    assert config(workspace)["language"]["faces"] is None

    said = experiment(workspace, "pre", {"model": kind, "mode": "pretrain", "subset": "[0,0.5]"})
    assert re.search(rf"[\d,]+ of [\d,]+ parameters of {kind} are trained \([\d.]+%\)", said)
    assert config(workspace)["language"]["lora"] is None
    losses = workspace / "metrics/train/split/plots/metrics"
    assert {"train_loss.tsv", "val_loss.tsv"} <= {file.name for file in losses.iterdir()}
    weights = workspace / "models/trained/split/model/model.safetensors"
    assert weights.stat().st_size < 500_000  # the adapter, not the backbone
    shutil.copytree(workspace / "models/trained", workspace / "models/pretrained")

    start = {"language.start": "models/pretrained", "mode": "finetune", "model": kind}
    said = experiment(workspace, "overlap", start | {"subset": "[0.4,1]"}, ok=False)
    assert "share clips" in said
    start |= {"subset": "[0.5,1]"}
    said = experiment(workspace, "other", start | {"language.adapter": "transformer"}, ok=False)
    assert "was trained with another faces" in said
    experiment(workspace, "fine", start | {"language.adapter": "linear"})
    assert config(workspace)["language"]["lora"]["rank"] == 8
    assert metrics(workspace)["model"]["name"] == kind
    compared = run(workspace, "dvc", "metrics", "diff", "zero", "fine", "--all")
    assert "split.model.uar" in compared
    assert "split.logistic.uar" in compared
    run(workspace, "facewave", "compare", "zero", "fine")


def test_generation_and_few_shot(workspace: Path) -> None:
    how = {"language.answers": "generation", "language.examples": "2", "language.grid": "true"}
    experiment(workspace, "written", how | {"model": "tiny-smolvlm", "mode": "zero_shot"})
    answers = pd.read_csv(workspace / "metrics/evaluate/predictions.csv", keep_default_na=False)
    model = answers[answers["role"] == "model"]
    assert set(model["predicted"]) == {""}  # it knows no word
    figures = metrics(workspace)["model"]
    assert figures["war"] == figures["uar"] == 0  # unreadable is wrong
    assert len(config(workspace)["shots"]) == 3


def test_other_transcripts_train_again_and_telling_ones_are_refused(workspace: Path) -> None:
    """Sidecar files reach the prompt; where only some classes have one, the run stops."""
    table = pd.read_csv(workspace / "data/labels/demo.csv", keep_default_na=False)
    known = table[table["excluded"] == ""]
    for path, word in zip(known["file_path"], known["actual"], strict=True):
        if word != "neutral":
            (workspace / "data/raw/demo" / path).with_suffix(".txt").write_text("Some words.")
    run(workspace, "dvc", "repro", "clean@demo")
    how = {"model": "tiny-qwen2.5-vl", "mode": "zero_shot", "language.transcript": "known"}
    said = experiment(workspace, "telling", how, ok=False)
    assert "neutral" in said
    assert "transcript: none" in said
    for path in known["file_path"]:
        (workspace / "data/raw/demo" / path).with_suffix(".txt").write_text("Some words.")
    experiment(workspace, "all", how)
    assert config(workspace)["settings"]["transcript"] == "known"

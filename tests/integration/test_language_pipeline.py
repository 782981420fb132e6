"""Language models through the real stages, beside the classifiers.

Tiny models with random weights: what they answer means nothing.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from running import run

KIND = "tiny-qwen2.5-vl"
QUICK = {"language.epochs": "2", "language.lr.new": "0.01", "language.frames": "2"}


def experiment(folder: Path, name: str, train: dict[str, str], *, ok: bool = True) -> str:
    """``dvc exp run`` up to evaluate, with settings of section ``train``."""
    options = [f"-Strain.{key}={value}" for key, value in (QUICK | train).items()]
    return run(folder, "dvc", "exp", "run", "--name", name, *options, "evaluate", ok=ok)


def metrics(folder: Path) -> dict[str, Any]:
    report = json.loads((folder / "metrics/evaluate/report.json").read_text())
    return report["tasks"]["classes"]["split"]


def config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "models/trained/split/model/config.json").read_text())


def answers(folder: Path) -> pd.DataFrame:
    """The model's, by clip."""
    table = pd.read_csv(folder / "data/answers/answers.csv", keep_default_na=False)
    return table[table["role"] == "model"]


def test_pretrain_and_finetune(workspace: Path) -> None:
    pretrain = {"model": KIND, "subset": "[0,0.5]", "language.mode": "pretrain"}
    output = experiment(workspace, "pre", pretrain)
    assert re.search(rf"[\d,]+ of [\d,]+ parameters of {KIND} are trained \([\d.]+%\)", output)
    assert config(workspace)["model"]["lora"] is None
    losses = workspace / "metrics/train/split/plots/metrics"
    assert {"train_loss.tsv", "val_loss.tsv"} <= {file.name for file in losses.iterdir()}
    weights = workspace / "models/trained/split/model/model.safetensors"
    assert weights.stat().st_size < 500_000  # the adapter, not the backbone

    shutil.copytree(workspace / "models/trained", workspace / "models/pretrained")
    finetune = {"model": KIND, "subset": "[0.5,1]", "language.mode": "finetune",
                "language.start": "models/pretrained",
                "language.adapter": "linear"}  # fmt: skip
    output = experiment(workspace, "overlap", finetune | {"subset": "[0.4,1]"}, ok=False)
    assert "share clips" in output
    # A failed run leaves its settings in params.yaml: the next names them all.
    unlike = finetune | {"language.adapter": "transformer"}
    output = experiment(workspace, "unlike", unlike, ok=False)
    assert "was trained with another" in output
    experiment(workspace, "fine", finetune)
    assert config(workspace)["model"]["lora"]["rank"] == 8
    assert metrics(workspace)["model"]["name"] == KIND
    difference = run(workspace, "dvc", "metrics", "diff", "pre", "fine", "--all")
    assert "uar" in difference
    run(workspace, "facewave", "compare", "pre", "fine")


def test_zero_shot_with_transcripts_and_generation_after_examples(workspace: Path) -> None:
    """Sidecar files reach the prompt; a random model writes no word."""
    before = metrics(workspace)
    labels = pd.read_csv(workspace / "data/labels/demo.csv", keep_default_na=False)
    for path in labels.loc[labels["excluded"] == "", "file_path"]:
        (workspace / "data/raw/demo" / path).with_suffix(".txt").write_text("Some words.")
    zero_shot = {"model": "tiny-paligemma2", "language.mode": "zero_shot"}
    experiment(workspace, "zero", zero_shot | {"language.transcript": "known"})
    assert metrics(workspace)["n"] == before["n"]  # the same test clips
    assert metrics(workspace)["logistic"] == before["logistic"]
    assert config(workspace)["settings"]["transcript"] == "known"
    assert config(workspace)["model"]["faces"] is None
    assert set(answers(workspace)["answered_from"]) <= {"face", "frames"}  # none from the prior

    generation = {"model": "tiny-smolvlm", "language.answers": "generation"}
    experiment(
        workspace,
        "written",
        zero_shot | generation | {"language.examples": "2", "language.grid": "true"},
    )
    assert set(answers(workspace)["predicted"]) == {""}
    figures = metrics(workspace)["model"]
    assert figures["war"] == figures["uar"] == 0  # unreadable is wrong
    assert len(config(workspace)["shots"]) == 3

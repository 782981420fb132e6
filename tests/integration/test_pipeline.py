"""The whole of it, as its users run it: DVC on a fresh clone, experiments, a shared bucket."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from moto.server import ThreadedMotoServer
from ruamel.yaml import YAML

from running import AS_SOMEBODY, ROOT, change_params, clone, commit, run, stages_run

STAGES = list(YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"])
FROM_TRAIN_ON = set(STAGES[STAGES.index("train") :])


def test_a_fresh_clone_comes_out_as_committed(tmp_path: Path) -> None:
    """With all settings as committed, and a cache of detections that is empty."""
    clone(tmp_path / "facewave")
    run(tmp_path / "facewave", "dvc", "repro", env={"FACEWAVE_ASSETS": ""})
    assert run(tmp_path / "facewave", "git", "status", "--porcelain") == ""


def test_the_metrics_are_what_a_demo_should_show() -> None:
    report = json.loads((ROOT / "metrics/evaluate/report.json").read_text())
    assert "synthetic" in report["dataset"]
    folds = report["tasks"]["classes"]["folds"]
    model, floor = folds["model"], folds["majority"]
    assert folds["n"] > 70
    assert model["war_low"] > floor["war_high"]  # clearly above chance
    assert model["war_high"] < 1  # clearly below perfect


def test_a_note_runs_nothing_and_a_label_cleans(workspace: Path) -> None:
    for name in ("note.txt", "clips/note.md"):
        (workspace / "data/raw/demo" / name).write_text("a note", "utf-8")
    assert stages_run(run(workspace, "dvc", "repro", "extract@demo")) == []
    table = workspace / "data/raw/demo/annotation.csv"
    table.write_text(table.read_text("utf-8") + "\n", "utf-8")
    assert stages_run(run(workspace, "dvc", "repro", "clean@demo")) == ["clean@demo"]


def test_what_changed_runs_and_no_more(workspace: Path) -> None:
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("\nlabels:", "\n# a remark\nlabels:"))
    assert stages_run(run(workspace, "dvc", "repro")) == []

    change_params(workspace, **{"train.network.lr": 0.002})
    assert set(stages_run(run(workspace, "dvc", "repro"))) == FROM_TRAIN_ON
    changed = run(workspace, "git", "diff", "--name-only").splitlines()
    assert "metrics/evaluate/metrics.json" in changed
    # No run of the study's logistic regression depends on it: none was made again.
    assert "metrics/study/runs.csv" not in changed
    difference = run(workspace, "dvc", "params", "diff")
    assert "train.network.lr" in difference
    assert "train.network.epochs" not in difference

    change_params(workspace, **{"wavelets.k": 5})
    output = run(workspace, "dvc", "repro", "evaluate")
    assert {"wavelet@demo", "train", "evaluate"} <= set(stages_run(output))
    assert not {"clean@demo", "extract@demo"} & set(stages_run(output))
    assert "war" in run(workspace, "dvc", "metrics", "diff", "--all")

    params.write_text(params.read_text().replace("    lr: 0.002", "    learning_rate: 0.002"))
    output = run(workspace, "dvc", "repro", ok=False)
    assert "train.network.learning_rate: unknown key" in output
    assert "Traceback" not in output


def test_an_added_clip_is_the_only_one_detected(workspace: Path, landmarker: Path) -> None:
    raw = workspace / "data/raw/demo"
    table = raw / "annotation.csv"
    row = next(line for line in table.read_text().splitlines() if line.split(",")[7] == "7")
    clip = (raw / "clips/7.mp4").read_bytes()
    # A free-space box at the end: the same pictures, other bytes, so a new clip.
    (raw / "clips/500.mp4").write_bytes(clip + (12).to_bytes(4) + b"free" + b"more")
    fields = row.split(",")
    fields[7] = "500"
    table.write_text(table.read_text() + ",".join(fields) + "\n")
    env = {"FACEWAVE_ASSETS": str(landmarker.parent)}
    output = run(workspace, "dvc", "repro", "wavelet", env=env)
    assert {"clean@demo", "extract@demo", "wavelet@demo"} <= set(stages_run(output))
    assert " 1 detected now" in output
    stored = json.loads((ROOT / "data/labels/demo.folds.json").read_text())
    assert json.loads((workspace / "data/labels/demo.folds.json").read_text()) == stored


def test_experiments_are_queued_shown_and_compared(workspace: Path) -> None:
    run(workspace, "dvc", "exp", "run", "--name", "plain", "-S", "train.model=logistic", "evaluate")
    run(workspace, "dvc", "exp", "run", "--queue", "--name", "g", "-S", "wavelets.k=4,6", "wavelet")
    run(workspace, "dvc", "queue", "start", "--jobs", "1")
    run(workspace, "dvc", "queue", "logs", "g-1", "--follow")
    run(workspace, "dvc", "queue", "logs", "g-2", "--follow")
    run(workspace, "dvc", "queue", "stop", "--kill")
    assert run(workspace, "dvc", "queue", "status").count("Success") == 2
    table = run(workspace, "dvc", "exp", "show", "--csv")
    shown = pd.read_csv(io.StringIO(table)).set_index("Experiment")
    assert shown.loc[["g-1", "g-2"], "wavelets.k"].tolist() == [4, 6]
    assert shown.loc["plain", "train.model"] == "logistic"
    difference = run(workspace, "dvc", "metrics", "diff", "HEAD", "plain", "--all")
    assert re.search(r"\bwar +[\d.]+ +[\d.]+ ", difference)


def test_numbers_are_learnt_beside_or_instead_of_words(workspace: Path) -> None:
    targets = "train.targets=[valence,arousal,aus]"
    run(workspace, "dvc", "exp", "run", "--name", "numbers", "-S", targets)
    report = json.loads((workspace / "metrics/evaluate/report.json").read_text())
    assert list(report["tasks"]) == ["numbers", "aus"]
    numbers = report["tasks"]["numbers"]["split"]
    assert set(numbers["model"]) >= {"valence", "arousal", "mean"}
    assert "valence" in (workspace / "metrics/report.html").read_text("utf-8")
    compared = run(workspace, "facewave", "compare", "model", "majority", "--task", "numbers")
    assert "CCC" in compared
    answers = pd.read_csv(workspace / "data/answers/answers.csv")
    predicted = answers.loc[answers["role"] == "model", ["predicted_valence", "predicted_arousal"]]
    assert predicted.abs().to_numpy().max() <= 1
    refused = run(
        workspace, "dvc", "exp", "run", "-S", "train.targets=[score.stress]", "evaluate", ok=False
    )
    assert "no clip has 'score.stress'" in refused


def test_plots_and_artifacts_are_where_dvc_yaml_says(workspace: Path, tmp_path: Path) -> None:
    page = run(workspace, "dvc", "plots", "show", "-o", str(tmp_path / "plots"))
    assert "index.html" in page
    html = (tmp_path / "plots/index.html").read_text()
    assert "https:" not in html  # it opens without a network
    pictures = {path.name.split("_")[-1] for path in (tmp_path / "plots/static").iterdir()}
    assert {"confusion.png", "curves.png", "clip.png"} <= pictures
    assert "VegaError" not in html

    version = ("emotion-classifier@v1.0.0", "-m", "first")
    run(workspace, "git", *AS_SOMEBODY, "tag", "-a", *version)
    run(workspace, "dvc", "artifacts", "get", ".", "emotion-classifier", "-o", f"{tmp_path}/model")
    files = {file.name for file in (tmp_path / "model").iterdir()}
    assert files == {"README.md", "config.json", "model.safetensors"}


@pytest.fixture
def bucket() -> Iterator[tuple[str, dict[str, str]]]:
    """A bucket on a real S3-protocol server on loopback: its endpoint, and the credentials."""
    import boto3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    credentials = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
                   "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="k", aws_secret_access_key="s",
        region_name="us-east-1",
    )  # fmt: skip
    client.create_bucket(Bucket="lab")
    yield endpoint, credentials
    server.stop()


def test_a_colleague_pulls_from_the_bucket_and_has_nothing_to_do(
    workspace: Path, tmp_path: Path, bucket: tuple[str, dict[str, str]]
) -> None:
    endpoint, credentials = bucket
    run(workspace, "dvc", "remote", "add", "--default", "lab", "s3://lab/facewave")
    run(workspace, "dvc", "remote", "modify", "lab", "endpointurl", endpoint)
    commit(workspace, "a bucket")
    assert "pushed" in run(workspace, "dvc", "push", env=credentials)

    elsewhere = tmp_path / "elsewhere"
    run(tmp_path, "git", "clone", "-q", str(workspace), str(elsewhere))
    run(elsewhere, "dvc", "pull", env=credentials)
    output = run(elsewhere, "dvc", "repro", env={"FACEWAVE_CACHE": str(tmp_path / "empty")})
    assert stages_run(output) == []
    assert run(elsewhere, "git", "status", "--porcelain") == ""

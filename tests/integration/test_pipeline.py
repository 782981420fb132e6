"""The whole of it, as its users run it: DVC on a fresh clone, experiments, a shared bucket."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

from running import ROOT, run

FROM_TRAIN_ON = ["train", "evaluate", "study", "report"]


def ran(output: str) -> list[str]:
    """The stages that DVC ran, but for the listings, which it always makes."""
    return [name for name in re.findall(r"Running stage '([^']+)'", output) if "list@" not in name]


def test_a_fresh_clone_comes_out_as_committed(project: Path) -> None:
    assert run(project, "git", "status", "--porcelain") == ""


def test_a_second_run_does_nothing(project: Path) -> None:
    output = run(project, "dvc", "repro")
    assert ran(output) == []
    assert run(project, "git", "status", "--porcelain") == ""


def test_a_note_runs_nothing_and_a_label_cleans(workspace: Path) -> None:
    for name in ("note.txt", "clips/note.md"):
        (workspace / "data/raw/demo" / name).write_text("a note", "utf-8")
    assert ran(run(workspace, "dvc", "repro", "extract@demo")) == []
    table = workspace / "data/raw/demo/annotation.csv"
    table.write_text(table.read_text("utf-8") + "\n", "utf-8")
    assert ran(run(workspace, "dvc", "repro", "clean@demo")) == ["clean@demo"]


def test_the_metrics_are_what_a_demo_should_show(project: Path) -> None:
    metrics = json.loads((project / "metrics/evaluate/report.json").read_text())
    assert "synthetic" in metrics["dataset"]
    model, floor = metrics["folds"]["model"], metrics["folds"]["majority"]
    assert metrics["folds"]["n"] > 70
    assert model["war_low"] > floor["war_high"]  # clearly above chance
    assert model["war_high"] < 1  # clearly below perfect


def change(folder: Path, before: str, after: str) -> None:
    params = (folder / "params.yaml").read_text()
    assert before in params
    (folder / "params.yaml").write_text(params.replace(before, after))


def test_another_learning_rate_trains_and_evaluates_only(workspace: Path) -> None:
    change(workspace, "lr: 0.001", "lr: 0.002")
    assert ran(run(workspace, "dvc", "repro")) == FROM_TRAIN_ON
    changed = run(workspace, "git", "diff", "--name-only").splitlines()
    assert "metrics/evaluate/metrics.json" in changed
    # No run of the study's logistic regression follows from it: none was made again.
    assert "metrics/study/runs.csv" not in changed
    assert "train.lr" in run(workspace, "dvc", "params", "diff")
    assert "train.epochs" not in run(workspace, "dvc", "params", "diff")


def test_another_k_does_not_extract_again(workspace: Path) -> None:
    change(workspace, "k: 10 ", "k: 12 ")
    assert ran(run(workspace, "dvc", "repro")) == ["wavelet@demo", *FROM_TRAIN_ON]
    assert "folds.model.war" in run(workspace, "dvc", "metrics", "diff", "--all")


def test_a_comment_runs_nothing(workspace: Path) -> None:
    change(workspace, "\nlabels:", "\n# a remark\nlabels:")
    assert ran(run(workspace, "dvc", "repro")) == []


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
    output = run(workspace, "dvc", "repro", env={"FACEWAVE_ASSETS": str(landmarker.parent)})
    assert ran(output) == ["clean@demo", "extract@demo", "wavelet@demo", *FROM_TRAIN_ON]
    assert " 1 detected now" in output
    stored = json.loads((ROOT / "data/labels/demo.folds.json").read_text())
    assert json.loads((workspace / "data/labels/demo.folds.json").read_text()) == stored


def test_experiments_are_queued_shown_and_compared(workspace: Path) -> None:
    quick = ["-S", "train.partitions=[split]", "-S", "train.epochs=2", "-S", "study.k=[5]"]
    quick += ["-S", "study.transforms=[dct]", "-S", "study.removed=[]", "-S", "study.every=[]"]
    run(workspace, "dvc", "exp", "run", "--name", "plain", "-S", "train.model=logistic", *quick)
    run(workspace, "dvc", "exp", "run", "--queue", "--name", "g", "-S", "wavelets.k=4,6", *quick)
    run(workspace, "dvc", "queue", "start", "--jobs", "1")
    run(workspace, "dvc", "queue", "logs", "g-1", "--follow")
    run(workspace, "dvc", "queue", "logs", "g-2", "--follow")
    run(workspace, "dvc", "queue", "stop", "--kill")
    assert run(workspace, "dvc", "queue", "status").count("Success") == 2
    shown = pd.read_csv(io.StringIO(run(workspace, "dvc", "exp", "show", "--csv"))).set_index(
        "Experiment"
    )
    assert shown.loc[["g-1", "g-2"], "wavelets.k"].tolist() == [4, 6]
    assert shown.loc["plain", "split.model.name"] == "logistic"
    difference = run(workspace, "dvc", "metrics", "diff", "g-1", "plain", "--all")
    assert re.search(r"split\.model\.war +[\d.]+ +[\d.]+ ", difference)


def test_plots_and_artifacts_are_where_dvc_yaml_says(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "plots"
    page = run(project, "dvc", "plots", "show", "-o", str(out))
    assert "index.html" in page
    html = (out / "index.html").read_text()
    for title in ("Confusion over the test parts", "Loss of the first partition"):
        assert title in html
    pictures = {path.name.split("_")[-1] for path in (out / "static").iterdir()}
    assert {"confusion.png", "curves.png", "clip.png"} <= pictures
    assert "VegaError" not in html


def test_the_trained_model_is_an_artifact(workspace: Path, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    run(workspace, *git, "tag", "-a", "emotion-classifier@v1.0.0", "-m", "first")
    got = tmp_path / "got"
    run(workspace, "dvc", "artifacts", "get", ".", "emotion-classifier", "-o", str(got))
    assert {file.name for file in got.iterdir()} == {"config.json", "model.safetensors"}


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
    run(workspace, "git", "-c", "user.name=t", "-c", "user.email=t@example.org",
        "commit", "-qam", "a bucket")  # fmt: skip
    assert "pushed" in run(workspace, "dvc", "push", env=credentials)

    elsewhere = tmp_path / "elsewhere"
    run(tmp_path, "git", "clone", "-q", str(workspace), str(elsewhere))
    run(elsewhere, "dvc", "pull", env=credentials)
    output = run(elsewhere, "dvc", "repro", env={"FACEWAVE_CACHE": str(tmp_path / "empty")})
    assert ran(output) == []
    assert run(elsewhere, "git", "status", "--porcelain") == ""


def test_a_mistake_in_params_stops_the_run_with_a_sentence(workspace: Path) -> None:
    change(workspace, "  lr: 0.001", "  learning_rate: 0.001")
    output = run(workspace, "dvc", "repro", ok=False)
    assert "train.learning_rate: unknown key" in output
    assert "Traceback" not in output

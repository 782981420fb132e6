"""Pseudo-labels from a model, a table and their vote, by the commands as a person runs them."""

import json
import shutil
from pathlib import Path

import pytest

from facewave.files import read_csv
from facewave.labels import schema as labels
from facewave.pseudo import schema
from making import run, trained_project, trajectory, write_landmarks, write_params


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A toy project after training, the clip without a label among its trajectories."""
    folder = Path(shutil.copytree(trained_project(), tmp_path / "project"))
    names = labels.read(folder / "data/labels/demo.csv")["video_idx"]
    write_landmarks(folder, {name: trajectory(12, seed=i) for i, name in enumerate(names)})
    return folder


def command(project: Path, *arguments: str) -> str:
    done = run(project, "-m", "facewave.app.cli", "pseudo-label", "demo", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_vote_of_a_model_and_a_table_teaches(project: Path) -> None:
    table = labels.read(project / "data/labels/demo.csv").set_index("video_idx")
    tested = table.index[(table["split"] == "test") & (table["excluded"] == "")]
    said = {"undecided": "She looks scared."} | {
        name: f"I think, {table.loc[name, 'actual']}" for name in tested
    }
    rows = [f'{name},"{text}"' for name, text in said.items()]
    answers = project / "api.csv"
    answers.write_text("\n".join(["video_idx,answer", *rows, "nobody,sad"]) + "\n", "utf-8")
    assert "clips, 1 without a label" in command(project, "--track", "model")
    printed = command(project, "--track", "api", "--answers", "api.csv")
    row = len(rows) + 2
    assert printed.startswith(f"api.csv: no clip of the dataset: 1 row ({row}).\n")
    assert f"agreement with {len(tested)} known labels: WAR 100.0 %" in printed
    options = ("--track", "votes", "--vote", "model,api", "--refusals", "previous")
    assert f"{len(said)} clips" in command(project, *options)

    parts = {"partitions": ["split", 1, 2, 3]}  # the toy has three folds
    write_params(project, pseudo={"track": "votes"}, train=parts)
    done = run(project, "-m", "facewave.pseudo")
    assert done.returncode == 0, done.stderr
    made = schema.read(project / "data/pseudo")
    of_tracks = made.known["track"].value_counts().to_dict()
    assert of_tracks == dict.fromkeys(("votes", "model", "api"), len(tested))
    # A tie: the model alone gives probabilities.
    model = read_csv(project / "data/tracks/demo/model.csv").set_index("video_idx")
    assert model.loc["undecided", "predicted"] != "fear"
    assert made.labels.loc["undecided", "word"] == model.loc["undecided", "predicted"]
    assert made.labels.loc["undecided", "source"] == "vote of model"
    assert made.lineage["before"] == [["demo", "split"]]
    counts = json.loads((project / "metrics/pseudo.json").read_text("utf-8"))
    assert counts["answers"] == 1
    write_params(project, pseudo={"track": "vote"}, train=parts)
    done = run(project, "-m", "facewave.pseudo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no track 'vote' of demo; there are api, model, votes" in done.stderr

"""Networks whose inputs are read meanwhile, through stages train and predict of a toy project."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

import toy_streamed
from facewave import params
from facewave.errors import UserError
from facewave.files import write_json
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.training import schema, streamed_setup
from facewave.training.__main__ import main as train
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.streamed_trainer import Part, fit
from facewave.workspace import Dataset
from making import TOY_TRAIN, contents, toy, trajectory, write_landmarks, write_params, write_toy
from toy_streamed import PointExamples, TrainedPoints, same

SETUP: Any = streamed_setup  # with the names that it imports


def settings(**changes: Any) -> None:
    training = TOY_TRAIN | {
        "partitions": ["split"],
        "model": "resnet18",
        "network": {"epochs": 4, "lr": 0.01, "batch_size": 8},
        "targets": ["classes"],
    }
    write_params(Path(), train=training | changes)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project here in which networks over faces look at points instead."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(schema._MODULES, TrainedPoints.type, toy_streamed.__name__)
    made = toy()
    write_toy(tmp_path, made)
    clips = {name: trajectory(12) for name in ("undecided", *made.table["video_idx"])}
    write_landmarks(tmp_path, clips, unusable=("000",))
    settings()
    return tmp_path


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Part, Part]]:
    """Seed, training and validation part of each fit, in order."""
    calls: list[tuple[int, Part, Part]] = []

    def watched(module: Any, train: Part, val: Part, settings: Any, *rest: Any) -> Any:
        calls.append((settings.seed, train, val))
        return fit(module, train, val, settings, *rest)

    monkeypatch.setattr(SETUP, "fit", watched)
    return calls


def load(role: str) -> TrainedPoints:
    model = schema.load(schema.folder("split", role))
    assert isinstance(model, TrainedPoints)
    return model


def test_a_network_is_trained_beside_classifiers_and_answers_its_test_part(project: Path) -> None:
    train()
    model = load("model")
    assert {path.name for path in (project / "models/trained/split").iterdir()} == {
        "model", "majority", "logistic"}  # fmt: skip
    about = model.about
    assert model.learnt_from == {("demo", "split")}
    assert about["clips"] == about["labelled"] == 36
    assert about["weights"] == {"name": "none"}
    assert about["fitted"]["train"]["war"] > 0.5
    assert set(about["fitted"]) == {"train", "val"}
    described = model.describe()
    assert described["parameters"] == 8 * 3 + 8 + 16 + 8 * 7 + 7
    assert "resnet18" in model.card()
    curve = project / "metrics/train/split/plots/metrics/val_loss.tsv"
    assert len(curve.read_text().splitlines()) == 1 + 4
    assert not list((project / "models/checkpoints/split").glob("model-*"))
    predict()
    answers, models = prediction.read()
    assert models.roles["model"]["parameters"] == described["parameters"]
    rows = answers[answers["role"] == "model"]
    probabilities = [f"p_{word}" for word in WORDS]
    np.testing.assert_allclose(rows[probabilities].sum(axis=1), 1, atol=1e-3)
    unusable = rows[rows["answered_from"] == "prior"]
    assert len(unusable) == 1
    floor = answers[(answers["role"] == "majority")].set_index("video_idx")
    for row in unusable.itertuples():
        assert floor.loc[row.video_idx, probabilities].tolist() == pytest.approx(
            unusable[probabilities].iloc[0].tolist()
        )


def test_the_same_project_gives_the_same_bytes_and_nothing_is_trained_twice(
    project: Path, fits: list[Any]
) -> None:
    train()
    before = contents(project / "models/trained")
    train()
    assert len(fits) == 1
    assert contents(project / "models/trained") == before
    shutil.rmtree("models/checkpoints")
    train()
    assert len(fits) == 2
    assert contents(project / "models/trained") == before
    chosen: dict[str, Any] = {}
    changes: list[dict[str, Any]] = [
        {"vision": {"ema": 0.5}},
        {"seed": 1},
        {"imbalance": "sampler"},
    ]
    for number, change in enumerate(changes, start=3):
        chosen |= change
        settings(**chosen)
        train()
        assert len(fits) == number, change
    settings(**chosen, logistic={"c": 9.0}, fusion={"layers": 1}, pca=2)
    train()
    assert len(fits) == number


def test_what_a_killed_stage_has_trained_is_not_trained_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(partitions=["split", 1])
    train()
    whole = contents(project / "models/trained")
    shutil.rmtree("models")
    done = []

    def killed(*arguments: Any) -> None:
        report = arguments[-1]

        def dying(epoch: int, figures: dict[str, float]) -> None:
            report(epoch, figures)
            done.append(epoch)
            if len(done) == 6:  # in the second partition
                raise KeyboardInterrupt

        fit(*arguments[:-1], dying)  # type: ignore[call-arg]

    monkeypatch.setattr(SETUP, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert len(list((project / "models/checkpoints/1").glob("model-*/*"))) == 1
    train()
    assert done == [0, 1, 2, 3, 0, 1, 0, 1, 2, 3]  # the first is reported, not trained again
    assert contents(project / "models/trained") == whole
    curve = project / "metrics/train/1/plots/metrics/val_loss.tsv"
    assert len(curve.read_text().splitlines()) == 1 + 4


def test_networks_are_members_of_an_ensemble_and_a_killed_one_is_gone_on_with(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three members, one after the other, one of them the model; killed while the second learns."""
    kinds = ["resnet18", "mobilenet_v2", "densenet121"]
    chosen: dict[str, Any] = {"ensemble": {"roles": kinds, "by": "stacking", "median_s": "learnt"}}
    settings(baselines=[*kinds[1:], "ensemble"], **chosen)
    train()
    whole = contents(project / "models/trained")
    model = load_any("ensemble")
    assert isinstance(model, TrainedEnsemble)
    assert list(model.members) == ["model", *kinds[1:]]
    assert (model.inputs, model.needs_pictures) == ((), True)
    assert model.combined.stacking
    assert model.combined.stacking.is_known.sum() == 3
    assert (
        "| answers by | a regression over resnet18, mobilenet_v2, densenet121, fitt" in model.card()
    )
    predict()
    answers, models = prediction.read()
    assert models.roles["ensemble"]["median_s"] == 0
    right = answers.assign(right=answers["predicted"] == answers["actual"]).groupby("role")["right"]
    assert right.mean()["ensemble"] > 0.8 > right.mean()["majority"]
    shutil.rmtree("models")
    begun: list[str] = []

    def killed(module: Any, *arguments: Any) -> None:
        *others, report = arguments

        def dying(epoch: int, figures: dict[str, float]) -> None:
            report(epoch, figures)
            begun.append(f"{module.kind} {epoch}")
            if len(begun) == 6:
                raise KeyboardInterrupt

        fit(module, *others, dying)  # type: ignore[call-arg]

    monkeypatch.setattr(SETUP, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        train()
    train()
    first, second, third = ([f"{kind} {epoch}" for epoch in range(4)] for kind in kinds)
    assert begun == [*first, *second[:2], *second, *third]  # what is done is reported again
    assert contents(project / "models/trained") == whole


def test_an_ensemble_is_weighed_on_all_clips_that_its_networks_judge(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a picture nothing moves, so classifiers cannot judge it, but networks do."""
    path = project / "data/features/demo/clips.csv"
    table = pd.read_csv(path, dtype={"video_idx": str})
    parts = labels.read(project / "data/labels/demo.csv").set_index("video_idx")["split"]
    is_picture = table["video_idx"].map(parts).eq("val")
    table.assign(usable=table["usable"] & ~is_picture).to_csv(path, index=False)
    seen = lambda model, clips: np.full(len(clips), "face")  # noqa: E731
    monkeypatch.setattr(TrainedPoints, "answered_from", seen)
    chosen = {"roles": ["resnet18", "mobilenet_v2"], "by": "stacking"}
    settings(baselines=["mobilenet_v2", "ensemble"], ensemble=chosen)
    train()
    model = load_any("ensemble")
    assert isinstance(model, TrainedEnsemble)
    assert model.combined.stacking
    assert model.combined.stacking.is_known.sum() == 3


def test_students_learn_what_their_teacher_says_where_nobody_labelled(
    project: Path, fits: list[tuple[int, Part, Part]]
) -> None:
    path = project / "data/labels/demo.csv"
    table = labels.read(path)
    is_unlabelled = table["split"].eq("train") & (np.arange(len(table)) % 3 == 0)
    hidden = table.assign(actual=table["actual"].mask(is_unlabelled, ""),
                          label=table["label"].mask(is_unlabelled))  # fmt: skip
    labels.write(path, hidden, WORDS)
    settings(students=2, seed=5, teacher={"temperature": 2.0})
    train()
    assert [seed for seed, *_ in fits] == [5, 6, 7]
    teacher, *students = (learnt for _, learnt, _ in fits)
    names, labelled = (cast(PointExamples, one.examples).names for one in (students[0], teacher))
    assert len(labelled) < len(names) == 36
    trained = load("teacher")
    known_n = torch.tensor([name in labelled for name in names])
    assert torch.equal(students[0].truth_nW[known_n], teacher.truth_nW)
    taught = students[0].truth_nW[~known_n]
    clips = Dataset("demo", params.load()).clips()
    clips = clips.select(clips.table["video_idx"].isin(names))
    expected = trained.answers(clips, 2.0)[~known_n]
    torch.testing.assert_close(taught, expected)
    assert not same(load("student-1").module.state_dict(), load("student-2").module.state_dict())
    model = schema.load(schema.folder("split", "model"))
    assert isinstance(model, TrainedEnsemble)
    assert list(model.members) == ["student-1", "student-2"]
    assert model.needs_pictures
    predict()


def test_labels_that_a_network_learnt_before_do_not_leak(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = project / "data/features/demo/config.json"
    identity = {"trained": {}, "learnt_from": [["demo", "split"], ["other", "1"]]}
    encoder = {"name": "trained:copy", "identity": identity, "channels": {}}
    write_json(config, json.loads(config.read_text()) | {"encoder": encoder})
    settings(model="mlp", partitions=["split", 1])
    train()  # it takes nothing of the encoder
    assert load_any("model").learnt_from == {("demo", "split")}
    settings(model="mlp", partitions=["split", 1], inputs=["blendshapes", "appearance"])
    with pytest.raises(UserError, match=r"the encoder of the faces learnt from partition split"):
        train()
    settings(model="mlp", partitions=["split", 1], baselines=["pretrained"])
    with pytest.raises(UserError, match=r"Set train\.partitions: \[split\]"):
        train()


def test_weights_are_not_trained_on_where_they_know_other_clips_than_those_of_training(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train()
    lineage = load("model").lineage
    assert lineage.before == [["demo", "split"]]
    assert (len(lineage.learnt), len(lineage.validated)) == (36, 12)
    fresh = TrainedPoints.fresh.__func__  # type: ignore[attr-defined]

    def started(cls: Any, *arguments: Any) -> TrainedPoints:
        model: TrainedPoints = fresh(cls, *arguments)
        model.lineage = replace(lineage, before=[["a_union", "7"]])
        return model

    monkeypatch.setattr(TrainedPoints, "fresh", classmethod(started))
    train()
    model = load("model")
    assert model.about["before"] == [["a_union", "7"]]
    assert model.lineage == replace(lineage, before=[["a_union", "7"], ["demo", "split"]])
    settings(partitions=[1])
    with pytest.raises(UserError, match=r"weights names learnt from partition 7 of a_union, and"):
        train()
    settings()
    path = project / "data/labels/demo.csv"
    table = labels.read(path)
    parts = {"train": "train", "val": "test", "test": "val"}  # as after another seed
    labels.write(path, table.assign(split=table["split"].map(parts)), WORDS)
    with pytest.raises(UserError, match="12 of those clips are in the validation or test part"):
        train()


def load_any(role: str) -> schema.Trained:
    return schema.load(schema.folder("split", role))


def test_what_cannot_be_trained_or_read_is_a_sentence(project: Path) -> None:
    train()
    folder = schema.folder("split", "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"is damaged .*Train it again"):
        load("model")
    config = json.loads((folder / "config.json").read_text())
    assert config["type"] == "face_network"
    table = pd.read_csv(project / "data/features/demo/clips.csv")
    table["usable"] = False
    table.to_csv(project / "data/features/demo/clips.csv", index=False)
    settings(baselines=[], model="resnet18")
    with pytest.raises(UserError, match=r"has no usable training clip|no training clip that"):
        train()

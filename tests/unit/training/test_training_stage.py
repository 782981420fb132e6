"""Stage train on a toy project: what it writes, what it does not look at, and what it keeps."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.training import classifier_roles as stage
from facewave.training import schema
from facewave.training.__main__ import main as train
from facewave.training.classifier import TrainedClassifier
from making import TOY_TRAIN, Toy, contents, toy, trained_project, write_params, write_toy

STAGE: Any = stage  # with the names that it imports
ROLES = ("model", "majority", "logistic")


@pytest.fixture(scope="module")
def trained() -> Path:
    return trained_project()


@pytest.fixture
def project(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained project, as the current directory."""
    folder = Path(shutil.copytree(trained, tmp_path / "project"))
    monkeypatch.chdir(folder)
    return folder


def settings(network: dict[str, Any] | None = None, **changes: Any) -> None:
    """The toy project's params.yaml with other settings of section train."""
    groups = {"network": TOY_TRAIN["network"] | (network or {})}
    write_params(Path(), train=TOY_TRAIN | {"partitions": ["split"]} | groups | changes)


def load(partition: str | int, role: str, project: Path = Path()) -> TrainedClassifier:
    model = schema.load(project / schema.folder(partition, role))
    assert isinstance(model, TrainedClassifier)
    return model


def shuffled_test_part(made: Toy, part: str | int) -> Toy:
    """The same clips, but the classes and numbers of a test part are permuted."""
    rng = np.random.default_rng(7)
    table = made.table.copy()
    is_test = (table["split"] == "test") if part == "split" else (table["fold"] == part)
    at = np.flatnonzero(is_test & made.usable)
    moved = rng.permutation(at)
    table.loc[at, ["label", "actual"]] = table.loc[moved, ["label", "actual"]].to_numpy()
    assert (table["label"] != made.table["label"]).sum() > len(at) / 3
    blendshapes = made.blendshapes.copy()
    blendshapes[at] = 100 * blendshapes[rng.permutation(at)]
    return Toy(table, made.usable, blendshapes)


def test_every_partition_has_every_role_and_the_prior_of_its_training_clips(trained: Path) -> None:
    for partition in ("split", 1, 2):
        for role in ROLES:
            found = load(partition, role, trained)
            assert found.kind == {"model": "mlp"}.get(role, role)
            shape = (0, ()) if role == "majority" else (10, (52,))
            assert (found.config.steps, found.config.widths, found.config.kept) == (*shape, 0)
            assert (found.inputs, found.wavelets["wavelet"]) == (("blendshapes",), "haar")
            assert len(found.wavelets["blendshapes"]) == 52
            assert found.learnt_from == {("demo", str(partition))}
            assert found.about["synthetic"]
            assert not found.calibrated
            learnt = found.about["clips"], found.about["people"]
            assert learnt == {"split": (36, 12), 1: (18, 6), 2: (20, 7)}[partition]
            card = trained / "models/trained" / str(partition) / role / "README.md"
            assert card.read_text() == found.card()
            state = found.module.state_dict().items()
            assert all(np.isfinite(x.numpy()).all() for name, x in state if name != "margin")
        curve = trained / f"metrics/train/{partition}/plots/metrics/val_loss.tsv"
        assert len(curve.read_text().splitlines()) == 1 + 12
    assert len(contents(trained / "models/trained")) == 3 * len(ROLES) * 3
    table = toy().table
    # Clip 000 has no face; it is in the split's test part, and in fold 2's training part.
    for partition, is_train in (("split", table["split"] == "train"), (2, table["fold"] == 1)):
        counts = table.loc[is_train & toy().usable, "label"].value_counts().sort_index()
        expected = np.append(counts + 1, 4 * [1]) / (counts.sum() + 7)
        for role in ROLES:
            prior = load(partition, role, trained).module.prior
            np.testing.assert_allclose(prior.answer, expected, rtol=1e-5)


def test_training_parts_alone_leave_a_trace_and_bytes_repeat(trained: Path, project: Path) -> None:
    for partition in ("split", 1):
        settings(partitions=[partition])
        write_toy(project, shuffled_test_part(toy(), partition))
        shutil.rmtree("models/checkpoints", ignore_errors=True)
        train()
        for folder in ("models/trained", "metrics/train"):
            before = contents(trained / folder / str(partition))
            assert contents(project / folder / str(partition)) == before
            assert [path.name for path in (project / folder).iterdir()] == [str(partition)]
    settings(partitions=[2])
    write_toy(project, shuffled_test_part(toy(), 1))  # fold 1 trains where fold 2 is the test
    train()
    for role in ("model", "logistic"):
        path = schema.folder(2, role) / "model.safetensors"
        assert (trained / path).read_bytes() != path.read_bytes()


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of classifiers that the stage fits, in order."""
    kinds: list[str] = []
    fit = STAGE.fit

    def watched(config: Any, *rest: Any) -> Any:
        kinds.append(config.kind)
        return fit(config, *rest)

    monkeypatch.setattr(stage, "fit", watched)
    return kinds


def test_a_finished_role_is_trained_again_only_if_it_follows_from_something_new(
    project: Path, fitted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings()
    train()
    assert fitted == []  # also with fewer partitions
    before, everything = contents(Path("models/trained")), ["mlp", "majority", "logistic"]

    def in_code(folder: str) -> Callable[[], None]:
        def change() -> None:
            code = Path(shutil.copytree(stage._CODE[0].parents[1], project / folder))
            with (code / folder).open("a") as file:
                file.write("# changed\n")
            names = [path.relative_to(stage._CODE[0].parents[1]) for path in stage._CODE]
            monkeypatch.setattr(stage, "_CODE", [code / name for name in names])

        return change

    expected: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: None, []),
        (lambda: settings(language={"clip": 0.5, "prompt": "{labels}"}), []),
        (lambda: settings(svm={"c": 9.0}, trees={"stages": 3}), []),
        (lambda: settings(logistic={"c": 0.2}), ["logistic"]),
        (lambda: settings({"epochs": 3, "soft_labels": True}), ["mlp", "logistic"]),
        (lambda: settings(inputs=["landmarks"]), everything),
        (lambda: settings(inputs=["pose_free"]), everything),  # the same numbers, another name
        (lambda: settings(seed=1, subset=[0.0, 0.5]), everything),
        (lambda: settings(baselines=[]), ["mlp", "majority"]),
        (settings, ["logistic"]),
        (lambda: write_toy(project, shuffled_test_part(toy(), "split")), []),
        (lambda: write_toy(project, toy()), []),
        (schema.folder("split", "logistic").joinpath("config.json").unlink, ["logistic"]),
        (schema.folder("split", "majority").joinpath("model.safetensors").unlink, ["majority"]),
        (lambda: (schema.folder("split", "model") / "model.safetensors").write_bytes(b""), ["mlp"]),
        (lambda: shutil.rmtree("metrics/train/split"), ["mlp"]),
        (in_code("models/vlm/model.py"), []),
        (in_code("prompts/frames.py"), []),
        (in_code("models/classifiers/heads.py"), everything),
        (in_code("training/losses.py"), everything),
    ]
    for number, (change, kinds) in enumerate(expected):
        change()
        fitted.clear()
        train()
        assert fitted == kinds, number
    assert contents(Path("models/trained")) == before


def test_a_killed_stage_trains_the_unfinished_roles(
    trained: Path, project: Path, fitted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree("models")
    watched = STAGE.fit

    def killed(config: Any, *rest: Any) -> Any:
        if len(fitted) == 4:
            raise KeyboardInterrupt
        return watched(config, *rest)

    with monkeypatch.context() as context:
        context.setattr(stage, "fit", killed)
        with pytest.raises(KeyboardInterrupt):
            train()
    assert not schema.folder(1, "majority").exists()
    fitted.clear()
    train()
    assert fitted == ["majority", "logistic", "mlp", "majority", "logistic"]
    for folder in ("models", "metrics"):
        assert contents(project / folder) == contents(trained / folder)


def test_mistakes_get_a_sentence_and_leave_the_models(project: Path) -> None:
    before = contents(project / "models")
    made = toy()
    classless = made.table.assign(label=None, actual="")
    untrained = made.table.assign(split=made.table["split"].replace("train", "test"))
    path = Path("data/labels/demo.csv")
    changes: list[tuple[Callable[[], object], str]] = [
        (lambda: labels.write(path, classless, ()), "no clip has 'classes'; there are none"),
        (lambda: write_toy(project, replace(made, table=untrained)), "no usable training clip"),
        (path.with_suffix(".words.json").unlink, "demo.words.json is not here"),
        (Path("data/features/demo/clips.csv").unlink, "clips.csv is not here.*dvc repro wavelet"),
    ]
    for change, message in changes:
        change()
        with pytest.raises(UserError, match=message):
            train()
        if "no usable" not in message:
            assert contents(project / "models") == before
        write_params(project, train=TOY_TRAIN | {"partitions": ["split", 1, 2]})

"""Stage train as a command on a toy project: what it writes, and what it does not look at."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from facewave.errors import explain
from facewave.labels import schema as labels
from facewave.training import schema
from facewave.training.__main__ import main
from facewave.training.checkpoints import Checkpoint, Saved
from making import TOY_TRAIN, Toy, contents, run, toy, trained_project, write_params, write_toy

ROLES = ("model", "majority", "logistic")


@pytest.fixture(scope="module")
def trained() -> Path:
    return trained_project()


def train(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage once more, in this process."""
    monkeypatch.chdir(project)
    explain(main)


def copy(trained: Path, place: Path) -> Path:
    return Path(shutil.copytree(trained, place / "copy"))


def shuffled_test_part(made: Toy, part: str | int) -> Toy:
    """The same clips, but the words and numbers of a test part changed hands."""
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


def test_every_partition_has_every_role(trained: Path) -> None:
    for partition in ("split", 1, 2):
        for role in ROLES:
            loaded = schema.load(trained / schema.folder(partition, role))
            assert loaded.config.kind == {"model": "mlp"}.get(role, role)
            shape = (0, ()) if role == "majority" else (10, (52,))
            assert (loaded.config.steps, loaded.config.widths) == shape
            assert loaded.config.kept == 0
            assert loaded.inputs == ("blendshapes",)
            assert loaded.wavelets["family"] == "haar"
            assert len(loaded.wavelets["blendshapes"]) == 52
    files = contents(trained / "models/trained")
    assert len(files) == 3 * len(ROLES) * 2


def test_the_prior_counts_the_usable_training_clips(trained: Path) -> None:
    prior = schema.load(trained / schema.folder("split", "majority"))
    table = toy().table
    n = (table["split"] == "train").sum()
    counts = table.loc[table["split"] == "train", "label"].value_counts()
    expected = [(counts.get(code, 0) + 1) / (n + 7) for code in range(7)]
    probabilities = prior.probabilities(np.zeros((1, 520), np.float32))
    np.testing.assert_allclose(probabilities[0], expected, rtol=1e-5)


def test_an_unusable_clip_is_not_trained_on(trained: Path) -> None:
    # Clip 000 is in the test part of the split and fold 1, but in fold 2's training part.
    prior = schema.load(trained / schema.folder(2, "majority"))
    table = toy().table
    counts = table.loc[table["fold"] == 1, "label"].value_counts() - (np.arange(3) == 0)
    expected = np.append((counts.sort_index() + 1) / (counts.sum() + 7), 4 * [1 / 27])
    probabilities = prior.probabilities(np.zeros((1, 520), np.float32))
    np.testing.assert_allclose(probabilities[0], expected, rtol=1e-5)
    state = schema.load(trained / schema.folder(2, "model")).module.state_dict()
    assert all(np.isfinite(tensor.numpy()).all() for tensor in state.values())


def test_curves_are_written_for_each_epoch(trained: Path) -> None:
    for partition in ("split", "1", "2"):
        lines = (trained / f"metrics/train/{partition}/plots/metrics/val_loss.tsv").read_text()
        assert len(lines.splitlines()) == 1 + 12


@pytest.mark.parametrize("partition", ["split", 1])
def test_test_parts_leave_no_trace_and_bytes_repeat(
    partition: str | int, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy(trained, tmp_path)
    write_params(project, train=TOY_TRAIN | {"partitions": [partition]})
    write_toy(project, shuffled_test_part(toy(), partition))
    train(project, monkeypatch)
    for folder in ("models/trained", "metrics/train"):
        before = contents(trained / folder / str(partition))
        assert contents(project / folder / str(partition)) == before
        assert [path.name for path in (project / folder).iterdir()] == [str(partition)]


def test_training_parts_do_leave_a_trace(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy(trained, tmp_path)
    write_params(project, train=TOY_TRAIN | {"partitions": [2]})
    write_toy(project, shuffled_test_part(toy(), 1))  # fold 1 trains where fold 2 is the test
    train(project, monkeypatch)
    before, after = (contents(p / "models/trained/2") for p in (trained, project))
    for role in ("model", "logistic"):
        name = f"{role}/model.safetensors"
        assert before[name] != after[name]


def test_both_inputs_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = ["blendshapes", "landmarks"]
    write_params(
        tmp_path, train={"inputs": inputs, "partitions": ["split"], "model": "logistic", "c": 1.0}
    )
    write_toy(tmp_path, toy(n_subjects=10))
    train(tmp_path, monkeypatch)
    loaded = schema.load(schema.folder("split", "model"))
    assert (loaded.config.steps, loaded.config.widths) == (10, (52, 478 * 3))
    assert loaded.inputs == tuple(inputs)
    assert json.loads((tmp_path / "metrics/train/split/metrics.json").read_text()) == {}


def learns_steps(project: Path, mode: str) -> None:
    """The toy's numbers as if the wavelet stage had left a choice to training."""
    path = project / "data/features/demo/config.json"
    config = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(config | {"mode": mode, "k": 4}), "utf-8")


@pytest.mark.parametrize("mode", ["largest", "pca"])
def test_of_a_mode_that_learns_k_numbers_are_kept_by_the_training_part_alone(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"partitions": [1], "pca": 5, "epochs": 2, "baselines": ["trees"], "trees": 3}
    write_params(tmp_path, train=TOY_TRAIN | settings)
    found = []
    for made in (toy(), shuffled_test_part(toy(), 1), shuffled_test_part(toy(), 2)):
        write_toy(tmp_path, made)
        learns_steps(tmp_path, mode)
        train(tmp_path, monkeypatch)
        found.append(contents(tmp_path / "models/trained"))
        for role in ("model", "trees"):
            loaded = schema.load(schema.folder(1, role))
            assert (loaded.config.steps, loaded.config.kept, loaded.config.pca) == (10, 4, 5)
            matrix = loaded.module.state_dict()["compress.matrices"][0]
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(4), atol=1e-6)
    assert found[0] == found[1]  # another test part
    assert found[0] != found[2]  # another training part


def test_votes_are_learnt_if_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {}
    for name, votes, soft in (
        ("none", "", False),
        ("certain", '{"%s": 10}', True),
        ("split", '{"%s": 6, "fear": 4}', True),
        ("not asked", '{"%s": 6, "fear": 4}', False),
    ):
        made = toy()
        made.table["votes"] = [votes.replace("%s", word) for word in made.table["actual"]]
        write_toy(tmp_path, made)
        settings = {"partitions": ["split"], "epochs": 2, "soft_labels": soft}
        write_params(tmp_path, train=TOY_TRAIN | settings)
        train(tmp_path, monkeypatch)
        weights[name] = contents(tmp_path / "models/trained/split/model")["model.safetensors"]
    assert weights["none"] == weights["certain"] == weights["not asked"]
    assert weights["none"] != weights["split"]


def test_a_training_that_is_killed_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"model": "gru", "baselines": ["svm"], "partitions": ["split", 1]}
    epochs = {"epochs": 60, "patience": 60, "batch_size": 8, "lr": 0.001}
    for name in ("killed", "whole"):
        project = tmp_path / name
        project.mkdir()
        write_params(project, train=TOY_TRAIN | settings | epochs)
        write_toy(project, toy())
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "facewave.training"]
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(command, cwd=killed, stdout=log, stderr=subprocess.STDOUT)
    second = killed / "models/checkpoints/1/model.safetensors"
    while process.poll() is None and epochs_in(second) < 3:
        time.sleep(0.01)
    process.kill()
    process.wait()
    log.close()
    assert process.returncode == -signal.SIGKILL, (tmp_path / "log").read_text()
    at_kill = epochs_in(second)
    assert 3 <= at_kill < 60
    assert not (killed / "models/trained/1").exists()

    steps: list[int] = []
    write = Checkpoint.write

    def watched(self: Checkpoint, saved: Saved) -> None:
        assert self._path != Path("models/checkpoints/split/model.safetensors")
        steps.append(len(saved.facts["history"]))
        write(self, saved)

    with monkeypatch.context() as watching:
        watching.setattr(Checkpoint, "write", watched)
        train(killed, monkeypatch)
    assert min(filter(None, steps)) > at_kill
    train(whole, monkeypatch)
    for folder in ("models", "metrics"):
        assert contents(killed / folder) == contents(whole / folder)
    assert not (killed / "models/checkpoints").exists()


def epochs_in(path: Path) -> int:
    """How many epochs a checkpoint holds; 0 if it is not there."""
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        return len(json.loads(file.metadata()["facts"])["history"])


def clips_learnt_from(project: Path) -> dict[int, float]:
    """How many clips of each word the prior of the split has counted, as it tells itself."""
    prior = schema.load(project / schema.folder("split", "majority"))
    shares = prior.probabilities(np.zeros((1, 520), np.float32))[0]
    return {code: float(share / shares[6]) - 1 for code, share in enumerate(shares[:3])}


SLICES = ((0.0, 1.0), (0.0, 0.5), (0.5, 1.0))


def test_a_subset_is_a_slice_of_the_training_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = toy()
    write_toy(tmp_path, made)
    learnt, weights = [], []
    for subset in SLICES:
        write_params(
            tmp_path,
            train=TOY_TRAIN | {"epochs": 3, "partitions": ["split"], "subset": list(subset)},
        )
        train(tmp_path, monkeypatch)
        learnt.append(clips_learnt_from(tmp_path))
        weights.append(contents(tmp_path / "models/trained/split/model")["model.safetensors"])
    assert len(set(weights)) == 3

    clips = made.table[made.table["split"] == "train"]
    assert len(clips) == 36
    for (first, last), found in zip(SLICES, learnt, strict=True):
        ranks = clips["rank"]
        counts = clips.loc[(first <= ranks) & (ranks < last), "label"].value_counts()
        assert found == pytest.approx(counts.to_dict(), abs=1e-3)
        assert counts.tolist() == 3 * [12 * (last - first)]


def test_validation_is_whole_whatever_the_subset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = toy()
    made.table.loc[made.table["split"] == "val", "rank"] = 0.9  # outside of the subset
    write_toy(tmp_path, made)
    write_params(
        tmp_path, train=TOY_TRAIN | {"epochs": 1, "partitions": ["split"], "subset": [0, 0.5]}
    )
    train(tmp_path, monkeypatch)
    figures = json.loads((tmp_path / "metrics/train/split/metrics.json").read_text())
    assert "val_loss" in figures


def test_captions_are_refused_as_inputs(trained: Path, tmp_path: Path) -> None:
    project = copy(trained, tmp_path)
    before = contents(project / "models")
    write_params(project, train=TOY_TRAIN | {"inputs": ["blendshapes", "captions"]})
    process = run(project, "-m", "facewave.training")
    assert process.returncode == 2
    assert process.stderr == (
        "facewave: params.yaml: train.inputs: it should have no captions: they tell the label (in "
        "MAFW all but neutral clips have one) and are a track of their own, never an "
        "input of a main run, not ['blendshapes', 'captions'].\n"
    )
    assert contents(project / "models") == before


def test_a_dataset_without_words_cannot_be_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = toy()
    write_params(tmp_path)
    write_toy(tmp_path, made)
    table = made.table.assign(label=None, actual="")
    labels.write(tmp_path / "data/labels/demo.csv", table, words=())
    with pytest.raises(SystemExit) as stop:
        train(tmp_path, monkeypatch)
    assert stop.value.code == 2
    assert "demo has no words to learn" in capsys.readouterr().err


def with_part(made: Toy, part: str, replacement: str) -> Toy:
    table = made.table.copy()
    table["split"] = table["split"].replace(part, replacement)
    return Toy(table, made.usable, made.blendshapes)


def test_without_a_validation_part_the_last_epoch_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(tmp_path, train={"partitions": ["split"], "epochs": 2})
    write_toy(tmp_path, with_part(toy(), "val", "train"))
    train(tmp_path, monkeypatch)
    assert schema.load(schema.folder("split", "model")).config.kind == "mlp"


def test_without_a_training_part_a_sentence_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_params(tmp_path, train={"partitions": ["split"]})
    write_toy(tmp_path, with_part(toy(), "train", "test"))
    with pytest.raises(SystemExit) as stop:
        train(tmp_path, monkeypatch)
    assert stop.value.code == 2
    assert "no usable training clip" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        ("data/labels/demo.csv", "clean"),
        ("data/labels/demo.words.json", "clean"),
        ("data/features/demo/clips.csv", "wavelet"),
    ],
)
def test_without_its_inputs_a_sentence_and_exit_2(
    missing: str,
    stage: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = copy(trained, tmp_path)
    before = contents(project / "models")
    (project / missing).unlink()
    with pytest.raises(SystemExit) as stop:
        train(project, monkeypatch)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"facewave: {missing} is not here.")
    assert contents(project / "models") == before

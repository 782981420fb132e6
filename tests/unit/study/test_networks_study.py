"""Depth against overfit: what networks over faces know by heart."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from facewave import params
from facewave.errors import UserError
from facewave.models.vision import build
from facewave.models.vision.network import FaceNetworkConfig
from facewave.params import Params
from facewave.study import __main__ as stage
from facewave.study import face_network, kept, networks, plots
from facewave.study.networks import COLUMNS, POOLED
from facewave.study.scores import score_of
from facewave.training import checkpoints
from facewave.training.leaks import Lineage, keys
from facewave.workspace import Clips, Dataset
from making import TOY_TRAIN, toy, trajectory, write_faces, write_landmarks, write_params, write_toy

BOTH = ["mobilenet_v2", "resnet18"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy project with random faces, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    made = toy(n_subjects=5)
    write_toy(tmp_path, made)
    names = ["undecided", *made.table["video_idx"]]
    write_landmarks(tmp_path, {name: trajectory(12) for name in names}, unusable=("000",))
    write_faces(tmp_path, names)
    return tmp_path


def load(
    kinds: list[str],
    partitions: list[Any] | None = None,
    epochs: int = 1,
    weights: str = "none",
) -> Params:
    vision = {"width": 0.125, "side": 32, "frames": 1, "weights": weights}
    network = {"epochs": epochs, "batch_size": 16, "hidden": 8}
    training = {"partitions": partitions or ["split"], "network": network, "vision": vision}
    write_params(
        Path(), train=TOY_TRAIN | training, study={"networks": kinds}, evaluate={"resamples": 50}
    )
    return params.load()


def study(loaded: Params) -> pd.DataFrame:
    partitions = stage._partitions(loaded.train)
    table = networks.of_dataset(loaded, Dataset("demo", loaded), partitions)
    plots.networks(table, "demo", kept.OUT / "plots/networks.png")
    return table


def test_each_network_is_trained_and_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    table = study(load(BOTH))
    assert table.columns.tolist() == list(COLUMNS)
    assert table["network"].tolist() == BOTH
    assert table["partition"].tolist() == ["split", "split"]
    assert (table["parameters"] > 10_000).all()
    assert (table["n"] == 3).all()
    assert np.allclose(table["gap"], table["train"] - table["figure"], atol=2e-4)
    assert table["validation"].between(0, 1).all()
    assert (project / "metrics/study/plots/networks.png").exists()
    assert not list(checkpoints.ROOT.glob("study-*"))

    def trained(kind: str, *_: Any) -> None:
        raise UserError(f"{kind} is trained")

    monkeypatch.setattr(face_network, "trained", trained)
    assert study(load(BOTH)).equals(table)
    for other in (load(BOTH[::-1]), load(["resnet18"]), load(BOTH, epochs=2)):
        with pytest.raises(UserError, match="is trained"):
            study(other)


def test_pseudo_labels_do_not_teach_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught: list[Any] = []

    def trained(*arguments: Any) -> None:
        taught.append(arguments[-1])
        raise UserError("enough")

    monkeypatch.setattr(face_network, "trained", trained)
    with pytest.raises(UserError, match="enough"):
        study(load(["resnet18"]))
    assert taught == ["labels"]


def test_figures_follow_from_the_weights_and_the_networks_code(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(*_: Any) -> pd.DataFrame:
        made.append(1)
        return pd.DataFrame(columns=list(COLUMNS))

    monkeypatch.setattr(networks, "networks", counted)
    monkeypatch.setattr(networks, "_VISION", project / "vision")
    files = [project / "vision/emofan.py", project / "mine.pth"]
    files[0].parent.mkdir()
    for file in files:
        file.write_text("1")
    loaded = load(["resnet18"], weights=str(files[1]))
    study(loaded)
    for number, file in enumerate(files, start=2):
        file.write_text("2")
        study(loaded)
        study(loaded)
        assert len(made) == number, file


def test_weights_that_know_the_labels_of_test_clips_are_not_studied(project: Path) -> None:
    (target,) = Dataset("demo", load([])).targets
    network = build(FaceNetworkConfig("resnet18", (target,), width=0.125, side=32))
    clips = Dataset("demo", load([])).clips()
    learnt = keys(clips.select((clips.parts(1) == "train").to_numpy()))
    lineage = Lineage([["demo", "1"]], learnt)
    save_file(network.state_dict(), "mine.safetensors", lineage.described())
    for partitions in ([1, 2], [2]):
        with pytest.raises(UserError, match=r"weights names learnt from partition 1 of demo.* 2 o"):
            study(load(["resnet18"], partitions, weights="mine.safetensors"))


def test_without_networks_there_is_an_empty_table(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "networks", None)
    loaded = load([])
    for path in (project / "data").rglob("*.*"):
        path.unlink()  # nothing is needed
    assert study(loaded).empty
    assert kept.OUT.joinpath("networks.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert not (project / "metrics/study/plots/networks.png").exists()


class ByHeart:
    """Knows the clips that it learnt from, and says of others what their first letter says."""

    def __init__(self, clips: Clips, dataset: Dataset) -> None:
        self.module, self.targets = torch.nn.Linear(2, 3), dataset.targets
        self._known = set(clips.table["video_idx"])

    def judged(self, clips: Clips) -> np.ndarray[Any, Any]:
        return clips.table["usable"].to_numpy(bool)

    def answer(self, clips: Clips) -> pd.DataFrame:
        (target,) = self.targets
        codes = pd.Index(target.names).get_indexer(clips.table["actual"])
        codes[~clips.table["video_idx"].isin(self._known).to_numpy()] = 0
        table = pd.DataFrame(np.eye(target.width)[codes], clips.table.index, list(target.numbers))
        return table.assign(predicted=np.array(target.names)[codes], answered_from="face")


def test_the_gap_is_what_is_known_by_heart(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(["resnet18"], ["split", 1, 2])
    dataset = Dataset("demo", loaded)

    def trained(
        kind: str, targets: Any, clips: Clips, partition: str | int, *_: Any
    ) -> tuple[Any, Clips]:
        learnt = clips.select((clips.parts(partition) == "train").to_numpy())
        return ByHeart(learnt, dataset), learnt

    monkeypatch.setattr(face_network, "trained", trained)
    table = networks.networks(
        ["resnet18"],
        dataset.clips(),
        score_of(dataset.targets),
        [1, 2],
        loaded.train,
        loaded.evaluate,
        "x",
    )
    assert table["partition"].tolist() == ["1", "2", POOLED]
    assert (table["train"] == 1).all()
    assert np.allclose(table[["figure", "validation", "chance"]], 1 / 3, atol=1e-4)
    assert np.allclose(table["gap"], 2 / 3, atol=1e-4)
    assert table["n"].tolist() == [6, 6, 12]
    assert table["folds"].tolist() == [1, 1, 2]
    assert (table["parameters"] == 9).all()

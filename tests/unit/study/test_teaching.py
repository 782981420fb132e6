"""What networks owe to pseudo-labels: good ones help, bad ones harm, and where it turns shows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.params import Params
from facewave.study import face_network, kept, teaching
from facewave.study.hidden import hide, returned
from facewave.study.teaching import ALL, COLUMNS, LABELS, LOSSES, STAGES, TOGETHER
from facewave.training import checkpoints, parts
from facewave.workspace import Clips, Dataset
from making import TOY_TRAIN, toy, trajectory, write_faces, write_landmarks, write_params, write_toy

ERRORS = [0.5, 0.0, 1.0]
TINY = {"width": 0.125, "side": 32, "frames": 1}


def make(folder: Path, subjects: int, faces: int | None = None) -> None:
    """A toy project of two corpora: of the first few subjects, and of all the others.

    The first look otherwise: their first three blendshapes are shifted.
    ``faces``: how many clips have faces, if not all.
    """
    made = toy(n_subjects=subjects)
    number = made.table["subject"].str[1:].astype(int)
    made.table["dataset"] = np.where(number < 5, "pictures", "film")
    made.blendshapes[number < 5, :, :3] += np.array([1.5, 0, -1.5], np.float32)
    write_toy(folder, made)
    names = ["undecided", *made.table["video_idx"]]
    write_landmarks(folder, {name: trajectory(2) for name in names}, unusable=("000",))
    write_faces(folder, names[:faces])


def load(networks: list[str], hidden: str = "film", **changes: Any) -> Params:
    training = {"network": {"epochs": 1, "batch_size": 16, "hidden": 8}, "vision": TINY}
    study = {"networks": networks, "hidden": hidden, "errors": ERRORS, "losses": ["dice"]} | changes
    write_params(
        Path(),
        train=TOY_TRAIN | training | {"partitions": ["split"]},
        study={"teaching": study},
        evaluate={"resamples": 50},
    )
    return params.load()


def study(loaded: Params) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    torch.set_num_threads(1)
    summary = teaching.of_dataset(loaded, Dataset("demo", loaded), ["split"])
    return summary, *(pd.read_csv(kept.OUT / f"{name}.csv") for name in ("teaching", "losses"))


class Nearest:
    """Answers with the class of the nearest mean of what it was taught, by three blendshapes."""

    def __init__(self, clips: Clips, classes: Any, which: Any, start: "Nearest | None") -> None:
        truth_nW = parts.truth_of(clips, [classes], False, which)
        known_n = ~np.isnan(truth_nW).all(axis=1)
        counts_W = truth_nW[known_n].sum(axis=0)
        sums_WD = truth_nW[known_n].T @ self.inputs(clips)[known_n]
        self.means_WD = np.where(counts_W > 0, sums_WD.T / np.maximum(counts_W, 1), 99.0).T
        self.targets = [classes]
        if start:
            self.means_WD = 0.9 * self.means_WD + 0.1 * start.means_WD

    @staticmethod
    def inputs(clips: Clips) -> Any:
        return clips.inputs(["blendshapes"])[:, 0, :3]

    def answer(self, clips: Clips) -> pd.DataFrame:
        (target,) = self.targets
        near_nW = -((self.inputs(clips)[:, None] - self.means_WD) ** 2).sum(axis=2)
        table = pd.DataFrame(near_nW, clips.table.index, list(target.numbers))
        return table.assign(predicted=np.array(target.names)[near_nW.argmax(axis=1)])


def taught_nearest(
    kind: str, targets: Any, clips: Clips, partition: Any, settings: Any, folder: Path,
    which: Any, start: Any,
) -> tuple[Nearest, Clips]:  # fmt: skip
    assert (which == "pseudo") == (start is not None)  # the second stage goes on from the first
    learnt = clips.select((clips.parts(partition) == "train").to_numpy())
    return Nearest(learnt, targets[0], which, start), learnt


def test_good_pseudo_labels_help_and_bad_ones_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, subjects=100, faces=1)
    monkeypatch.setattr(face_network, "trained", taught_nearest)
    summary, table, losses = study(load(["resnet18"], losses=["dice", "cross_entropy"]))
    assert table.columns.tolist() == list(COLUMNS)
    assert losses.columns.tolist() == list(LOSSES)
    whole = table[table["corpus"] == "all"].set_index(["way", "error"])
    assert whole["n"].eq(60).all()
    assert whole["groups"].eq(20).all()
    assert whole["chance"].eq(0.2).all()  # three of seven words occur
    for way in (TOGETHER, STAGES):
        figures = whole.loc[way]
        assert figures.index.tolist() == [0, 0.5, 1]
        assert figures["accuracy"].tolist() == pytest.approx([1, 0.5, 0], abs=0.01)
        good, _, bad = figures.itertuples()
        assert good.difference_low > 0, way
        assert bad.difference_high < 0, way
        assert good.p < 0.05 > bad.p
        assert 0.2 < good.turns_at < 0.7
        assert good.turns_at_low <= good.turns_at <= good.turns_at_high
    together, everything = whole.loc[(TOGETHER, 0.0)], whole.loc[ALL].iloc[0]
    same = ["figure", "low", "high", "difference"]
    assert together[same].tolist() == everything[same].tolist()  # the same labels
    assert everything["against"] == LABELS
    corpora = set(table["corpus"])
    assert corpora == {"all", "pictures", "film"}  # domain shift
    assert table.groupby("corpus")["n"].first().drop("all").sum() == 60
    assert {(row["network"], row["way"]) for row in summary["teaching"]} == {
        ("resnet18", TOGETHER),
        ("resnet18", STAGES),
    }
    ways = losses[losses["corpus"] == "all"][["way", "loss", "against"]].fillna("")
    assert ways.to_numpy().tolist() == [
        [LABELS, "dice", ""],
        [LABELS, "cross_entropy", "dice"],
        [STAGES, "dice", ""],
        [STAGES, "cross_entropy", "dice"],
    ]
    assert losses.loc[losses["way"] == STAGES, "error"].eq(0).all()  # the fewest mistakes
    for name in ("teaching", "losses"):
        assert (kept.OUT / f"plots/{name}.png").exists()


def test_what_is_hidden_neither_trains_nor_validates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, subjects=20, faces=1)
    loaded = load([])
    clips = Dataset("demo", loaded).clips()
    (classes,) = Dataset("demo", loaded).targets
    without, unhidden = hide(clips, "split", "film")
    back, right = returned(without, unhidden, classes, 0.25, seed=0)
    part, is_film = clips.parts("split"), clips.table["dataset"] == "film"
    truth = clips.table["actual"]
    for name, expected in (("train", True), ("val", True), ("test", False)):
        rows = (part == name) & is_film
        assert rows.any()
        assert (without.table.loc[rows, "actual"] == "").eq(expected).all(), name
        assert (back.table.loc[rows, "pseudo"] != "").eq(name == "train").all(), name
    for some in (without, unhidden, back):
        assert some.table.loc[~is_film, "actual"].equals(truth[~is_film])
    trains, validates = ((part == name) & is_film for name in ("train", "val"))
    assert unhidden.table.loc[trains, "actual"].equals(truth[trains])
    assert (unhidden.table.loc[validates, "actual"] == "").all()
    agree = back.table.loc[trains, "pseudo"] == truth[trains]
    assert agree.mean() == right == pytest.approx(0.75, abs=0.02)


def test_real_networks_are_taught_resumed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, subjects=7)
    loaded = load(["resnet18"], errors=[0.5], losses=["cross_entropy"])
    trained, calls = face_network.trained, SimpleNamespace(n=0)

    def killed(*arguments: Any) -> Any:
        calls.n += 1
        if calls.n == 3:
            raise KeyboardInterrupt
        return trained(*arguments)

    monkeypatch.setattr(face_network, "trained", killed)
    with pytest.raises(KeyboardInterrupt):
        study(loaded)
    assert list(checkpoints.ROOT.glob("study-*/*/*.safetensors"))
    monkeypatch.setattr(face_network, "trained", trained)
    _, table, losses = study(loaded)
    assert table[table["corpus"] == "all"]["way"].tolist() == [LABELS, TOGETHER, STAGES, ALL]
    assert table["turns_at"].isna().all()  # one error is no curve
    assert losses[losses["corpus"] == "all"]["way"].tolist() == [LABELS, STAGES]
    assert not list(checkpoints.ROOT.glob("study-*"))

    def refused(*_: Any) -> Any:
        raise UserError("it is trained")

    monkeypatch.setattr(face_network, "trained", refused)
    assert study(loaded)[1].equals(table)
    for other in (load(["resnet18"], errors=[0.4]), load(["resnet18"], "pictures", errors=[0.5])):
        with pytest.raises(UserError, match="it is trained"):
            study(other)


def test_what_cannot_be_taught_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, subjects=5)
    for loaded, said in (
        (load([]), ""),
        (load(["resnet18"], "none"), "study.teaching.hidden and pseudo.track are none"),
    ):
        assert study(loaded)[0] == {}
        assert kept.OUT.joinpath("teaching.csv").read_text() == ",".join(COLUMNS) + "\n"
        assert kept.OUT.joinpath("losses.csv").read_text() == ",".join(LOSSES) + "\n"
        assert said in capsys.readouterr().out
    with pytest.raises(UserError, match=r"'clips', of which partition split has no training clip"):
        study(load(["resnet18"], "clips"))

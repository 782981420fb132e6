"""An ensemble against the best of its members, and answers while a video runs."""

import shutil
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.files import read_csv
from facewave.labels.readers.dfew import WORDS
from facewave.params import Params
from facewave.study import __main__ as stage
from facewave.study import combination, kept, online
from facewave.study.scores import MACRO_F1, UAR
from facewave.training import schema
from facewave.training.__main__ import main as train
from facewave.training.schema import answers_of
from facewave.workspace import Clips, Dataset
from making import TOY_TRAIN, trained_project, write_params

MEMBERS = ["logistic", "mlp"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project with an ensemble of two classifiers on two folds."""
    folder = tmp_path_factory.mktemp("ensemble") / "project"
    shutil.copytree(trained_project(), folder)
    with chdir(folder):
        load()
        train()
    return folder


@pytest.fixture
def project(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the current directory."""
    monkeypatch.chdir(trained)
    return trained


def load(**changes: Any) -> Params:
    chosen: dict[str, Any] = {"model": "ensemble", "baselines": MEMBERS}
    chosen |= {"ensemble": {"roles": MEMBERS, "by": "f1"}, "partitions": [1, 2]}
    write_params(Path(), train=TOY_TRAIN | chosen | changes, evaluate={"resamples": 50})
    return params.load()


def study(loaded: Params) -> dict[str, pd.DataFrame]:
    stage._ensembles(loaded, Dataset("demo", loaded))
    return {name: read_csv(kept.OUT / f"{name}.csv") for name in ("combination", "online")}


def test_members_and_ways_are_compared_with_the_best_on_validation(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load()
    table = study(loaded)["combination"]
    assert table.columns.tolist() == list(combination.COLUMNS)
    of_f1 = table[table["measure"] == MACRO_F1]
    assert of_f1["model"].tolist() == [*MEMBERS, combination.BEST, *["ensemble"] * 5]
    assert of_f1["by"].tolist()[3:] == ["mean", "weighted", "f1", "stacking", "vote"]
    assert (of_f1["n"] == 42).all()
    assert (of_f1["folds"] == 2).all()
    assert of_f1["figure"].between(0.5, 1).all()
    best = of_f1[of_f1["model"] == combination.BEST]
    assert best["difference"].isna().all()
    assert table["difference"].notna().sum() == 7 * 3
    others = of_f1[of_f1["model"] != combination.BEST]
    np.testing.assert_allclose(
        others["difference"], others["figure"] - best["figure"].iloc[0], atol=2e-4
    )
    assert table.loc[table["chance"].notna(), "measure"].unique().tolist() == [UAR]
    (against,) = others["against"].unique()
    named = [name for name in MEMBERS if name in against]
    assert best["validation"].iloc[0] >= others["validation"].iloc[:2].max()
    assert named
    assert (project / "metrics/study/plots/combination.png").exists()
    assert "online.csv is empty: no test clips are moments of one file." in capsys.readouterr().out


def test_it_is_what_the_ensemble_answers_and_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load()
    table = study(loaded)["combination"]
    clips = Dataset("demo", loaded).clips()
    right = []
    for partition in (1, 2):
        test = clips.select((clips.parts(partition) == "test").to_numpy())
        answers = schema.load(schema.folder(partition, "model")).answer(test)
        right.append((answers["predicted"] == test.table["actual"]).mean())
    row = table[(table["by"] == "f1") & (table["measure"] == "war")].iloc[0]
    assert row["figure"] == pytest.approx(np.mean(right), abs=1e-4)

    def made(*_: object) -> None:
        raise AssertionError("it is made again")

    monkeypatch.setattr(combination, "ways", made)
    assert study(loaded)["combination"].equals(table)


def test_labels_of_test_clips_choose_neither_member_nor_width(project: Path) -> None:
    loaded = load()
    dataset = Dataset("demo", loaded)
    asked = (tuple(dataset.targets), [1], loaded.train, loaded.evaluate)
    clips = dataset.clips()
    is_test = (clips.parts(1) == "test").to_numpy()
    words = clips.table["actual"].unique()
    turned = dict(zip(words, np.roll(words, 1), strict=True))
    swapped = clips.table["actual"].where(~is_test, clips.table["actual"].map(turned))
    other = replace(clips, table=clips.table.assign(actual=swapped))
    one, two = (combination.ways(some, *asked) for some in (clips, other))
    pd.testing.assert_frame_equal(
        one[["model", "validation", "against"]], two[["model", "validation", "against"]]
    )
    assert not one["figure"].equals(two["figure"])


def test_without_an_ensemble_there_is_an_empty_table(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = study(load(model="mlp", baselines=["logistic"], ensemble={"roles": ["logistic"]}))
    assert all(table.empty for table in tables.values())
    assert kept.OUT.joinpath("combination.csv").read_text() == ",".join(combination.COLUMNS) + "\n"
    assert "combination.csv is empty: there is no ensemble." in capsys.readouterr().out


def test_without_a_validation_clip_nothing_chooses_and_the_table_is_empty(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load()
    dataset = Dataset("demo", loaded)
    clips, targets = dataset.clips(), tuple(dataset.targets)
    assert combination.lacking(clips, targets, [1, 2], loaded.train) == ""
    without = clips.select((clips.parts(2) != "val").to_numpy())
    reason = combination.lacking(without, targets, [1, 2], loaded.train)
    assert reason.startswith("no validation clip of partition 2 has a word")


@pytest.mark.parametrize("surer", MEMBERS)
def test_of_equally_good_members_the_surer_is_the_best(
    project: Path, monkeypatch: pytest.MonkeyPatch, surer: str
) -> None:
    loaded = load()
    dataset = Dataset("demo", loaded)
    monkeypatch.setattr(
        schema, "load", lambda folder: Right(dataset.targets, 0.9 if folder.name == surer else 0.6)
    )
    asked = (tuple(dataset.targets), [1], loaded.train, loaded.evaluate)
    table = combination.ways(dataset.clips(), *asked)
    assert table["against"].dropna().unique().tolist() == [surer]


class Right(schema.Trained):
    """Right about every clip, and this sure of it."""

    type = kind = "mlp"
    inputs, wavelets, about = (), {}, {}

    def __init__(self, targets: Any, sure: float) -> None:
        self.targets, self.sure = tuple(targets), sure

    def answer(self, clips: Clips) -> pd.DataFrame:
        (target,) = self.targets
        codes = pd.Index(target.names).get_indexer(clips.table["actual"])
        others = (1 - self.sure) / (target.width - 1)
        shares = np.where(np.eye(target.width)[codes], self.sure, others)
        return answers_of(clips, np.full(len(clips), "face"), self.targets, shares)

    describe = save = load = None  # type: ignore[assignment]


class Flickering(schema.Trained):
    """Right about most moments; every fourth says another word."""

    type = kind = "mlp"
    inputs, wavelets, about = (), {}, {}

    def __init__(self, targets: Any) -> None:
        self.targets = tuple(targets)

    def answer(self, clips: Clips) -> pd.DataFrame:
        (target,) = self.targets
        codes = pd.Index(target.names).get_indexer(clips.table["actual"])
        moment = (clips.table["start"] * 5).round().to_numpy(int)
        said = np.where(moment % 4 == 1, (codes + 1) % 3, codes)
        shares = np.where(np.eye(target.width)[said], 0.9, 0.1 / (target.width - 1))
        return answers_of(clips, np.full(len(clips), "face"), self.targets, shares)

    describe = save = load = None  # type: ignore[assignment]


def test_offline_is_better_than_online_and_both_than_each_moment_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(model="mlp", baselines=["logistic"], ensemble={"roles": ["logistic"]})
    dataset = Dataset("demo", loaded)
    clips = dataset.clips()
    rows = clips.table.loc[clips.table.index.repeat(12)].reset_index(drop=True)
    moment = np.arange(len(rows)) % 12
    rows = rows.assign(start=moment / 5, end=moment / 5 + 1,
                       actual=np.where(moment < 6, rows["actual"], WORDS[0]))  # fmt: skip
    some = replace(clips, table=rows)
    monkeypatch.setattr(schema, "load", lambda folder: Flickering(dataset.targets))
    partitions: list[str | int] = ["split", 1]
    asked = (some, tuple(dataset.targets), partitions, loaded.train)
    assert online.lacking(*asked) == ""
    table = online.ways(*asked, loaded.evaluate)
    assert table.columns.tolist() == list(online.COLUMNS)
    of_f1 = table[table["measure"] == MACRO_F1].set_index("way")
    assert of_f1["width_s"].tolist() == ["", "0.5, 0.5", "0.5, 0.5"]
    alone, late, offline = of_f1["figure"]
    assert offline > late > alone
    assert of_f1.loc[online.ONLINE, "difference"] == pytest.approx(late - offline, abs=2e-4)
    assert np.isnan(of_f1.loc[online.OFFLINE, "difference"])

"""What answers without training, through stages train and predict of a toy project."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave.appearance.schema import Appearance, Config
from facewave.errors import UserError
from facewave.labels.readers.dfew import WORDS
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.training import schema
from facewave.training.__main__ import main as train
from facewave.workspace import Clips, Stored
from making import TOY_TRAIN, contents, toy, trained_project, write_params
from making_untrained import look

ENCODER = Config("tiny", WORDS, (), 2, {"v": 1}, {})
FACELESS = "000"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the toy project, as the current directory; its encoder knows every second label."""
    shutil.copytree(trained_project(), tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    codes = toy().table.set_index("video_idx")["label"]

    def appearance(clips: Clips, video_idx: str) -> Appearance | None:
        if video_idx == FACELESS:
            return None
        answer = np.full(len(WORDS), 0.1)
        answer[codes[video_idx] if int(video_idx) % 2 else 0] = 0.4
        return replace(look(), **seen(answer))

    monkeypatch.setattr(Clips, "appearance", appearance)
    monkeypatch.setattr(Clips, "encoder", lambda clips: ENCODER)
    monkeypatch.setattr(Stored, "index", pd.DataFrame({"key": "a"}, codes.index))
    return tmp_path / "project"


def seen(answer: np.ndarray) -> dict[str, Any]:
    return {"valid_F": np.ones(1, bool), "expression_FW": np.log(answer)[None].astype(np.float32)}


def settings(**changes: Any) -> None:
    chosen: dict[str, Any] = {
        "model": "ensemble",
        "baselines": ["pretrained", "knowledge", "logistic"],
    }
    chosen |= {"ensemble": {"roles": ["pretrained", "logistic"], "by": "weighted"}}
    training = TOY_TRAIN | {"partitions": ["split", 1]} | chosen | changes
    write_params(Path(), train=training, evaluate={"resamples": 20})


def test_all_stages_take_them_like_any_other_role(project: Path) -> None:
    settings(pretrained={"correction": "test"})
    train()
    predict()
    answers, models = prediction.read()
    kinds = {role: about["kind"] for role, about in models.roles.items()}
    names = ("majority", "pretrained", "knowledge", "logistic")
    assert kinds == {"model": "ensemble"} | {name: name for name in names}
    assert models.transductive == ["model", "pretrained"]
    faceless = answers[answers["video_idx"] == FACELESS]
    assert faceless.loc[faceless["role"] == "pretrained", "answered_from"].unique() == ["prior"]
    assert faceless.loc[faceless["role"] == "knowledge", "answered_from"].unique() == ["face"]
    others = answers[answers["video_idx"] != FACELESS]
    assert set(others.loc[others["role"] != "majority", "answered_from"]) == {"face"}
    by_role = others.groupby("role")[["predicted", "actual"]].apply(
        lambda rows: (rows["predicted"] == rows["actual"]).mean()
    )
    assert by_role["pretrained"] > 0.5 > by_role["majority"]
    assert sum(models.roles["model"]["weights"].values()) == pytest.approx(1)


def test_they_are_made_again_alike_and_follow_what_they_are_made_from(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    split = {"partitions": ["split"]}
    settings(**split)
    train()
    before = contents(Path("models/trained"))
    train()
    assert contents(Path("models/trained")) == before
    assert "no probability" not in capsys.readouterr().out

    def changed() -> set[str]:
        train()
        after = contents(Path("models/trained"))
        return {Path(path).parent.name for path in before if before[path] != after.get(path)}

    settings(**split, pretrained={"correction": "train"})
    assert changed() == {"pretrained", "model"}
    settings(**split, knowledge={"standardise": "train"})
    assert changed() == {"knowledge"}
    settings(**split, ensemble={"roles": ["pretrained", "knowledge"], "by": "vote"})
    assert changed() == {"model"}
    settings(**split)
    renewed = replace(ENCODER, identity={"v": 2}, words=("contempt", *WORDS[1:]))
    monkeypatch.setattr(Clips, "encoder", lambda clips: renewed)
    with pytest.raises(UserError, match=r"tiny \(or another version of it\) has looked at these"):
        predict()
    assert changed() == {"pretrained", "model"}
    assert f"pretrained: knows nothing of {WORDS[0]}: they get" in capsys.readouterr().out
    predict()


def test_an_ensemble_is_in_the_place_of_another_model_and_gives_it_back(project: Path) -> None:
    before = contents(Path("models/trained"))
    settings()
    train()
    assert schema.load(schema.folder("split", "model")).kind == "ensemble"
    write_params(Path(), train=TOY_TRAIN | {"partitions": ["split", 1, 2]})
    train()
    assert contents(Path("models/trained")) == before


def test_without_the_encoder_a_sentence_says_what_to_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(project)
    settings()
    with pytest.raises(UserError, match=r"no encoder has looked at the faces\. Name one in app"):
        train()
    Path("data/appearance/demo/config.json").unlink()
    with pytest.raises(UserError, match=r"data/appearance/demo/config.json is not here.*embed"):
        train()

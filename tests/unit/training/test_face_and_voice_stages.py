"""Early, late and Transformer fusion through stages train and predict of a toy with sound."""

import atexit
import shutil
import tempfile
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.labels.readers.dfew import WORDS
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.training import schema, streamed_setup
from facewave.training.__main__ import main as train
from facewave.training.fusion import TrainedFusion
from facewave.workspace import Clips, Dataset
from making import TOY_TRAIN, contents, edit, write_params
from making_voices import write_voiced_toy, write_voices

P = [f"p_{word}" for word in WORDS]
FACELESS, SILENT, NEITHER = "000", "015", "030"  # of the split's test part
JUDGED = {FACELESS: "voice", SILENT: "face", NEITHER: "prior"}
SETTINGS: dict[str, Any] = {
    "model": "fusion",
    "baselines": ["late_fusion", "logistic"],
    "inputs": ["blendshapes", "mel"],
    "partitions": ["split"],
    "network": {"epochs": 6, "hidden": 8, "lr": 0.01},
    "fusion": {"layers": 1},
}


def settings(**changes: Any) -> None:
    write_params(Path(), train=TOY_TRAIN | SETTINGS | changes)


@cache
def trained() -> Path:
    """A toy project after stages train and predict. To change it, take a copy."""
    folder = tempfile.TemporaryDirectory(prefix="facewave-voices-")
    atexit.register(folder.cleanup)
    project = Path(folder.name)
    write_voiced_toy(project, faceless=(FACELESS, NEITHER), silent=(SILENT, NEITHER))
    with chdir(project):
        settings()
        train()
        predict()
    return project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the current directory."""
    shutil.copytree(trained(), tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def answers() -> dict[str, pd.DataFrame]:
    """The answers of each role, by clip."""
    table, _ = prediction.read()
    return {role: rows.set_index("video_idx") for role, rows in table.groupby("role")}


def dataset_clips() -> Clips:
    return Dataset("demo", params.load()).clips()


def test_each_role_answers_by_what_a_clip_has(project: Path) -> None:
    of_role = answers()
    assert set(of_role) == {"model", "majority", "late_fusion", "logistic", "face", "voice"}
    for role in ("model", "late_fusion", "logistic", "majority"):
        expected = dict.fromkeys(of_role[role].index, "face and voice") | JUDGED
        assert of_role[role]["answered_from"].to_dict() == expected, role
    for sense, other in (("face", FACELESS), ("voice", SILENT)):
        expected = dict.fromkeys(of_role[sense].index, sense) | {other: "prior", NEITHER: "prior"}
        assert of_role[sense]["answered_from"].to_dict() == expected
    # Both tell the label: they are learnt from, each by itself and both together.
    for role, rows in of_role.items():
        right = (rows["predicted"] == rows["actual"]).mean()
        assert right > 0.6 if role != "majority" else right < 0.5, (role, right)
    prior = of_role["majority"].loc[NEITHER, P].to_numpy(float)
    for role in ("model", "logistic"):
        np.testing.assert_allclose(of_role[role].loc[NEITHER, P].to_numpy(float), prior, atol=1e-3)
    model: Any = schema.load(schema.folder("split", "model"))
    clips = dataset_clips()
    learnt = clips.select(((clips.parts("split") == "train") & clips.table["heard"]).to_numpy())
    mean = learnt.inputs(["mel"]).mean(axis=0)
    np.testing.assert_allclose(model.module.scales["voice"].mean, mean, atol=1e-5)


def test_late_fusion_is_the_mean_and_where_one_is_missing_the_other_alone(project: Path) -> None:
    of_role = answers()
    face, voice, late = (of_role[role][P] for role in ("face", "voice", "late_fusion"))
    both = late.index.difference(list(JUDGED))
    least = 1e-4  # what a probability counts as
    pooled = np.sqrt(face.loc[both].clip(least) * voice.loc[both].clip(least)).to_numpy()
    pooled /= pooled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(late.loc[both], pooled, atol=3e-3)
    for name, alone in ((SILENT, face), (FACELESS, voice)):
        np.testing.assert_allclose(late.loc[name], alone.loc[name], atol=3e-3)
    _, models = prediction.read()
    described = models.roles["late_fusion"]
    assert described["kind"] == "late_fusion"
    assert described["members"]["face"]["inputs"] == ["blendshapes"]
    assert described["members"]["voice"]["inputs"] == ["mel"]
    # Weights are fitted to those validation clips that both can judge.
    settings(late_fusion={"by": "weighted", "of": "mlp"})
    train()
    weighted: Any = schema.load(schema.folder("split", "late_fusion"))
    assert weighted.combined.weights_M.sum() == pytest.approx(1)
    assert {member.kind for member in weighted.members.values()} == {"mlp"}


def test_a_heard_clip_teaches_though_it_has_no_face(project: Path) -> None:
    names = dataset_clips().table
    learnt = names[(names["split"] == "train") & (names["video_idx"] != "undecided")]
    faceless = learnt["video_idx"].iloc[:3].tolist()
    clips = pd.read_csv("data/features/demo/clips.csv", dtype={"video_idx": str})
    hidden = clips["video_idx"].isin(faceless)
    clips.loc[hidden, "usable"] = False
    clips.to_csv("data/features/demo/clips.csv", index=False)
    blendshapes = np.load("data/features/demo/blendshapes.npy")
    blendshapes[hidden] = np.nan
    np.save("data/features/demo/blendshapes.npy", blendshapes)
    edit(Path("data/features/demo/config.json"), str)
    network = {"epochs": 2, "hidden": 4}
    for changes in ({}, {"normalize": "person", "pca": 3, "model": "mlp", "baselines": []}):
        settings(network=network, **changes)
        train()
        for role in ("model", *schema.roles(params.load().train)):
            model = schema.load(schema.folder("split", role))
            n_expected = len(learnt) - (3 if role == "face" else 0)
            assert model.about["clips"] == n_expected, (changes, role)
            found = model.answer(dataset_clips())
            assert np.isfinite(found[P].to_numpy(float)).all()


def test_a_killed_run_comes_to_the_same_bytes_and_a_loaded_network_to_the_same_answers(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(Path("models/trained"))
    shutil.rmtree("models")
    fit: Any = streamed_setup.fit  # type: ignore[attr-defined]

    def killed(*arguments: Any) -> None:
        def dying(epoch: int, figures: dict[str, float]) -> None:
            if epoch == 3:
                raise KeyboardInterrupt

        fit(*arguments[:-1], dying)

    with monkeypatch.context() as dangerous:
        dangerous.setattr(streamed_setup, "fit", killed)
        with pytest.raises(KeyboardInterrupt):
            train()
    assert list(Path("models/checkpoints/split").glob("model-*/*"))
    train()
    assert contents(Path("models/trained")) == before
    model = schema.load(schema.folder("split", "model"))
    assert isinstance(model, TrainedFusion)
    clips = dataset_clips()
    found = model.answer(clips)
    for row in (0, 5, 16, 31):  # one by one
        alone = model.answer(clips.select([row]))
        np.testing.assert_allclose(alone[P].iloc[0], found[P].iloc[row], atol=1e-5)
    # It is trained again when its settings change, and its rivals are not.
    settings(fusion={"layers": 1, "missing": 0.5})
    train()
    after = contents(Path("models/trained"))
    changed = {Path(path).parent.name for path in before if before[path] != after[path]}
    assert changed == {"model"}


def test_what_cannot_be_is_said(project: Path) -> None:
    for inputs, lacking in ((["blendshapes"], "voice"), (["mel"], "face")):
        for kind in ("fusion", "late_fusion"):
            settings(model=kind, baselines=[], inputs=inputs)
            with pytest.raises(UserError, match=f"{kind} joins .* no block of the {lacking}"):
                train()
    settings(inputs=["blendshapes", "speech"])
    with pytest.raises(UserError, match="names speech, which the features do not have"):
        train()
    write_voices(Path(), {})
    settings(baselines=["late_fusion"])
    with pytest.raises(UserError, match="no usable training clip for voice"):
        train()

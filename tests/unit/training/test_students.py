"""Teacher and students, ambiguous clips, and delays, through stages train and predict of a toy."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.targets import Target
from facewave.training import classifier_roles as stage
from facewave.training import delay, schema
from facewave.training.__main__ import main as train
from facewave.training.fit import Samples
from facewave.workspace import Dataset
from making import TOY_TRAIN, toy, trajectory, write_landmarks, write_params, write_toy

STAGE: Any = stage  # with the names that it imports
VALENCE = dict(zip(WORDS[:3], (-0.8, 0.1, 0.7), strict=True))
TEMPERATURE = 3.0
SETTINGS: dict[str, Any] = {
    "partitions": ["split"],
    "baselines": [],
    "targets": ["classes", "valence"],
    "teacher": {"temperature": TEMPERATURE},
}


def settings(ambiguous: str = "exclude", **changes: Any) -> None:
    training = TOY_TRAIN | {"network": {"epochs": 3, "hidden": 8, "lr": 0.01}} | SETTINGS
    training |= {"students": 2} | changes
    write_params(Path(), train=training, labels={"ambiguous": ambiguous})


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The label table of a project here.

    Of the training clips half have a word, the others a valence, and some neither; of those to test
    some have neither, too. "undecided" has votes for two words.
    """
    monkeypatch.chdir(tmp_path)
    made = toy()
    write_toy(tmp_path, made)
    path = tmp_path / "data/labels/demo.csv"
    table = labels.read(path)
    at = np.arange(len(table))
    has_word, has_valence = at % 2 == 0, at % 2 == 1
    nothing = table["subject"].isin(["s1", "s10"])  # of training and test
    table["valence"] = table["actual"].map(VALENCE).where(has_valence & ~nothing)
    lacks_word = ~has_word | nothing
    table = table.assign(
        actual=table["actual"].mask(lacks_word, ""), label=table["label"].mask(lacks_word)
    )
    table.loc[0, ["split", "votes", "valence"]] = ["train", '{"happy": 3, "sad": 1}', np.nan]
    labels.write(path, table, WORDS)
    names = ["undecided", *made.table["video_idx"]]
    clips = {name: trajectory(12, seed=i) for i, name in enumerate(names)}
    write_landmarks(tmp_path, clips, unusable=(names[1],))
    return table


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, Samples, Samples]]:
    """Kind, seed, training and validation part of each fit, in order."""
    calls: list[tuple[str, int, Samples, Samples]] = []
    fit = STAGE.fit

    def watched(config: Any, train: Samples, val: Samples, settings: Any, *rest: Any) -> Any:
        calls.append((config.kind, settings.seed, train, val))
        return fit(config, train, val, settings, *rest)

    monkeypatch.setattr(stage, "fit", watched)
    return calls


def test_students_learn_labels_and_where_there_are_none_their_teacher_s_answers(
    table: pd.DataFrame, fits: list[tuple[str, int, Samples, Samples]]
) -> None:
    settings()
    train()
    assert [(kind, seed) for kind, seed, *_ in fits] == [
        ("majority", 0), ("mlp", 0), ("mlp", 1), ("mlp", 2),
    ]  # fmt: skip
    of_floor, of_teacher, first, second = (part for *_, part, _ in fits)
    np.testing.assert_array_equal(first.truth_nW, second.truth_nW)
    np.testing.assert_array_equal(of_floor.truth_nW, of_teacher.truth_nW)
    clips = Dataset("demo", params.load()).clips()
    usable = clips.select(clips.table["usable"])
    truth = STAGE.parts.truth_of(usable, asked(), soft=False)
    is_train = (usable.table["split"] == "train").to_numpy()
    known = ~np.isnan(truth[is_train])
    assert (~known.any(axis=1)).sum() == 3 + 1  # one subject, and "undecided"
    np.testing.assert_array_equal(
        of_teacher.truth_nW, truth[is_train][known.any(axis=1)].astype("f")
    )
    # Where a label is known the students learn it, and else what the teacher answers, softened.
    taught = first.truth_nW.numpy()
    np.testing.assert_array_equal(taught[known], truth[is_train][known].astype("f"))
    teacher: Any = schema.load(schema.folder("split", schema.TEACHER))
    with torch.inference_mode():
        answers = teacher.module.read(teacher.module(first.inputs_nND), TEMPERATURE).numpy()
        sharp = teacher.module.answers(first.inputs_nND).numpy()
    np.testing.assert_allclose(taught[~known], answers[~known], rtol=1e-5)
    lacks = ~known[:, 0]
    assert (taught[lacks, :7].max(axis=1) < sharp[lacks, :7].max(axis=1)).all()
    # Nobody validates by answers of the teacher, nor by clips without any label.
    for *_, val in fits:
        assert torch.equal(val.truth_nW.isnan(), fits[0][3].truth_nW.isnan())
        assert not val.truth_nW.isnan().all(1).any()
        assert val.truth_nW.isnan().any()


def asked() -> list[Target]:
    return Dataset("demo", params.load()).targets


def test_teacher_students_and_their_mean_stand_beside_each_other(table: pd.DataFrame) -> None:
    settings()
    train()
    predict()
    answers, models = prediction.read()
    roles = ["model", "majority", "teacher", "student-1", "student-2"]
    assert list(models.roles) == roles
    assert [models.roles[role]["kind"] for role in roles] == ["students", "majority"] + ["mlp"] * 3
    clips = {role: schema.load(schema.folder("split", role)).about["clips"] for role in roles}
    assert clips["student-1"] == clips["model"] == clips["teacher"] + 4
    # Only labelled clips are tested.
    tested = table[(table["split"] == "test") & (table["excluded"] == "")]
    tested = tested[(tested["actual"] != "") | tested["valence"].notna()]
    assert 0 < len(tested) < 12
    for _, rows in answers.groupby("role"):
        assert rows["video_idx"].tolist() == tested["video_idx"].tolist()
    # The model is the students' mean: of numbers, and of log probabilities.
    seen = answers[answers["answered_from"] == "face"].set_index("role")
    probabilities = [f"p_{word}" for word in WORDS]
    one, other = seen.loc["student-1"], seen.loc["student-2"]
    assert (one["predicted_valence"].to_numpy() != other["predicted_valence"].to_numpy()).all()
    mean = (one["predicted_valence"].to_numpy() + other["predicted_valence"].to_numpy()) / 2
    found = seen.loc["model"]
    np.testing.assert_allclose(found["predicted_valence"], mean, atol=1e-4)
    pooled = np.sqrt(one[probabilities].to_numpy() * other[probabilities].to_numpy())
    pooled /= pooled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found[probabilities], pooled, atol=2e-3)


@pytest.mark.slow
def test_what_follows_from_the_teacher_is_made_again_with_it(
    table: pd.DataFrame, fits: list[tuple[str, int, Samples, Samples]]
) -> None:
    settings()
    train()
    for changes, seeds in (
        ({}, []),
        ({"students": 3}, [3]),
        ({"students": 1}, []),
        ({"students": 1, "teacher": {"temperature": 1.0}}, [1]),
        ({"students": 1, "seed": 5}, [5, 6]),
    ):
        fits.clear()
        settings(**changes)
        train()
        assert [seed for kind, seed, *_ in fits if kind != "majority"] == seeds, changes
    assert sorted(path.name for path in Path("models/trained/split").iterdir()) == [
        "majority", "model", "student-1", "teacher",
    ]  # fmt: skip


def test_ambiguous_clips_teach_the_shares_of_their_votes_and_are_never_tested(
    table: pd.DataFrame, fits: list[tuple[str, int, Samples, Samples]]
) -> None:
    shares = torch.tensor([0.0] * 7)
    shares[WORDS.index("happy")], shares[WORDS.index("sad")] = 0.75, 0.25
    for ambiguous in ("soft", "exclude"):
        fits.clear()
        settings(ambiguous, students=0, model="logistic")
        train()
        assert sorted(kind for kind, *_ in fits) == ["logistic", "majority"]
        for *_, part, _ in fits:
            is_soft = (part.truth_nW[:, :7] == shares).all(1)
            assert is_soft.sum() == (ambiguous == "soft")
    part = table.assign(split=table["split"].mask(table["video_idx"] == "undecided", "test"))
    labels.write(Path("data/labels/demo.csv"), part, WORDS)
    settings("soft", students=0, model="logistic")
    train()
    predict()
    assert "undecided" not in set(prediction.read()[0]["video_idx"])


def test_votes_are_the_labels_of_networks_alone(
    table: pd.DataFrame, fits: list[tuple[str, int, Samples, Samples]]
) -> None:
    voted = table["votes"].mask(table["actual"] != "", '{"happy": 1, "sad": 1}')
    labels.write(Path("data/labels/demo.csv"), table.assign(votes=voted), WORDS)
    network = {"epochs": 1, "hidden": 2, "soft_labels": True}
    settings(students=0, baselines=["logistic"], network=network)
    train()
    assert sorted(kind for kind, *_ in fits) == ["logistic", "majority", "mlp"]
    for kind, _, part, _ in fits:
        most = part.truth_nW[:, :7].max(1).values
        assert set(most[~most.isnan()].tolist()) == {0.5 if kind == "mlp" else 1.0}


def test_a_batch_with_few_numbers_is_warned_of_where_a_correlation_is_learnt(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"epochs": 1, "hidden": 2, "batch_size": 4}
    for numbers, warns in (("ccc", True), ("mse", False)):
        settings(students=0, network=small | {"numbers": numbers})
        train()
        said = "clips with valence, and a correlation of fewer than 8 says little: raise"
        assert (said in capsys.readouterr().out) == warns


def test_a_delay_is_learnt_from_traces_by_every_role_that_can(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(delay="learnt")
    with pytest.raises(UserError, match=r"train\.delay is learnt, but the labels are no traces"):
        train()
    windows = table.assign(start=np.arange(len(table)) / 5, file_path="clips/one.mp4")
    windows = windows.assign(end=windows["start"] + 1)
    labels.write(Path("data/labels/demo.csv"), windows, WORDS)
    settings(delay="learnt", targets=["classes"])
    with pytest.raises(UserError, match="no traces of valence, arousal or dominance"):
        train()
    settings(delay="learnt")
    learnt: list[tuple[Any, ...]] = []

    def learn(*arguments: Any) -> float:
        learnt.append(arguments)
        return float(len(learnt))

    monkeypatch.setattr(delay, "learn", learn)
    train()
    delays = {
        role: schema.load(schema.folder("split", role)).about["delay_s"]
        for role in ("majority", "teacher", "student-1", "student-2", "model")
    }
    assert delays == {"majority": 1, "teacher": 2, "student-1": 3, "student-2": 4, "model": 5}
    rows, truth, answers = learnt[1]
    assert set(rows["split"]) == {"val"}
    np.testing.assert_array_equal(truth[:, 0], rows["valence"])
    assert answers.shape == truth.shape
    predict()
    assert prediction.read()[1].roles["model"]["delay_s"] == {"split": 5.0}

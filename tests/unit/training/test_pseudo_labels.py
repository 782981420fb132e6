"""Pseudo-labels through stages train and predict of a toy project: who learns them, who never."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import toy_streamed
from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.pseudo.schema import Pseudo, write
from facewave.training import cards, classifier_roles, leaks, schema, streamed_setup
from facewave.training.__main__ import main as train
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.leaks import Lineage
from facewave.training.parts import truth_of
from facewave.training.streamed_setup import Run, prepare
from facewave.training.streamed_trainer import fit as fit_streamed
from facewave.workspace import PSEUDO, Clips, Dataset
from making import TOY_TRAIN, contents, toy, trajectory, write_landmarks, write_params, write_toy
from toy_streamed import TrainedPoints, same

NETWORK = {"epochs": 3, "hidden": 8, "lr": 0.01, "batch_size": 8}
SETTINGS: dict[str, Any] = {"partitions": ["split"], "model": "resnet18", "baselines": []}
AFTER: dict[str, Any] = {"pseudo": "after"}
ELSEWHERE = Lineage([["elsewhere", "1"]], ["some nan nan"])
WHICH: tuple[schema.Which, ...] = ("labels", "both", "pseudo")
STAGE: Any = streamed_setup  # with the names that it imports
WRONG = "angry"  # which no clip is


def settings(track: str = "guesses", **changes: Any) -> None:
    training = TOY_TRAIN | SETTINGS | {"network": NETWORK} | changes
    write_params(Path(), train=training, pseudo={"track": track})


def write_pseudo(
    hidden: Sequence[str] | pd.Series,
    words: Sequence[str] = (WRONG,),
    lineage: Lineage | None = ELSEWHERE,
    unknown: Sequence[str] = (),
) -> None:
    """data/pseudo with words in turn for these clips; lineage None: nobody knows it."""
    told = [words[at % len(words)] for at in range(len(hidden))]
    shares = [json.dumps({word: 0.75, WORDS[0]: 0.25}) for word in told]
    table = pd.DataFrame({"video_idx": hidden, "word": told, "confidence": 0.75, "shares": shares,
                          "source": "a model"})  # fmt: skip
    known = asdict(lineage) if lineage else {}
    pseudo = Pseudo(table.set_index("video_idx"), known, "guesses", "a model", unknown=unknown)
    write(PSEUDO, pseudo)


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The clips without a label, by their part in the split, in a project here.

    Each has a pseudo-label, also those of the validation and test part.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(schema._MODULES, TrainedPoints.type, toy_streamed.__name__)
    made = toy()
    write_toy(tmp_path, made)
    clips = {name: trajectory(12, seed) for seed, name in enumerate(made.table["video_idx"])}
    write_landmarks(tmp_path, {"undecided": trajectory(12)} | clips)
    path = tmp_path / "data/labels/demo.csv"
    table = labels.read(path)
    is_hidden = table["subject"].isin(["s3", "s5", "s6", "s7"])
    reason = table["excluded"].mask(is_hidden, str(labels.Reason.NO_SINGLE_LABEL))
    table = table.assign(actual=table["actual"].mask(is_hidden, ""),
                         label=table["label"].mask(is_hidden), excluded=reason)  # fmt: skip
    labels.write(path, table, WORDS)
    rows = table[is_hidden]
    write_pseudo(rows["video_idx"])
    settings()
    return {part: rows.loc[rows["split"] == part, "video_idx"].tolist()
            for part in ("train", "val", "test")}  # fmt: skip


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Kind and the truth of training and validation part of each fit, in order."""
    calls: list[tuple[str, torch.Tensor, torch.Tensor]] = []
    stages: list[Any] = [classifier_roles, streamed_setup]
    for stage in stages:

        def watched(of: Any, train: Any, val: Any, *rest: Any, fit: Any = stage.fit) -> Any:
            calls.append((of.kind, train.truth_nW, val.truth_nW))
            return fit(of, train, val, *rest)

        monkeypatch.setattr(stage, "fit", watched)
    return calls


def load(role: str = "model") -> Any:
    return schema.load(schema.folder("split", role))


def n_wrong(truth_nC: torch.Tensor) -> int:
    """Clips that are said to be what no clip is."""
    return int((truth_nC[:, WORDS.index(WRONG)] > 0).sum())


def test_every_learner_learns_them_beside_the_labels_and_nobody_validates_or_tests_by_them(
    hidden: dict[str, list[str]], fits: list[tuple[str, torch.Tensor, torch.Tensor]]
) -> None:
    assert [len(hidden[part]) for part in ("train", "val", "test")] == [6, 3, 3]
    others = ["logistic", "svm", "trees", "mlp", "knowledge"]
    found, priors, tested = {}, {}, {}
    for track in ("none", "guesses"):
        quick = {"trees": {"stages": 1}, "network": NETWORK | {"epochs": 1}}
        settings(track, baselines=others, **quick)
        if track == "none":  # and nobody reads the folder
            PSEUDO.rename("elsewhere")
        else:
            Path("elsewhere").rename(PSEUDO)
        fits.clear()
        train()
        predict()
        found[track] = list(fits)
        priors[track] = load("knowledge").prior_W
        np.testing.assert_allclose(priors[track], load("majority").module.answer, rtol=1e-5)
        tested[track] = prediction.read()[0].groupby("role")["video_idx"].agg(list).to_dict()
    kinds = [kind for kind, *_ in found["none"]]
    assert sorted(kinds) == ["logistic", "majority", "mlp", "resnet18", "svm", "trees"]
    for (kind, truth, val), (_, before, val_before) in zip(*reversed(found.values()), strict=True):
        assert len(truth) - len(before) == 6
        assert (n_wrong(before), n_wrong(truth), n_wrong(val)) == (0, 6, 0), kind
        assert torch.equal(val, val_before), kind
    assert tested["none"] == tested["guesses"]
    assert not np.allclose(priors["none"], priors["guesses"])
    fits.clear()
    settings(partitions=[1], model="logistic")  # in which other clips train
    train()
    assert [n_wrong(truth) for _, truth, _ in fits] == [3, 3]
    assert [n_wrong(val) for *_, val in fits] == [0, 0]


def test_networks_learn_shares_where_they_are_asked_for_and_all_others_the_word(
    hidden: dict[str, list[str]], fits: list[tuple[str, torch.Tensor, torch.Tensor]]
) -> None:
    settings(baselines=["mlp", "logistic"], network=NETWORK | {"soft_labels": True})
    train()
    for kind, truth, _ in fits:
        of_wrong = truth[truth[:, WORDS.index(WRONG)] > 0].unique(dim=0)
        expected = torch.zeros(1, len(WORDS))
        is_soft = kind in ("mlp", "resnet18")
        expected[0, [WORDS.index(WRONG), 0]] = torch.tensor([0.75, 0.25] if is_soft else [1.0, 0.0])
        assert torch.equal(of_wrong, expected), kind


def test_a_clip_s_own_word_counts_before_its_pseudo_label_and_other_targets_stay(
    hidden: dict[str, list[str]],
) -> None:
    path = Path("data/labels/demo.csv")
    table = labels.read(path)
    write_pseudo(table["video_idx"])  # also of those with a word
    has_valence = table["video_idx"].isin([*hidden["train"][:2], *hidden["val"][:2]])
    table = table.assign(valence=has_valence.map({True: 0.5, False: np.nan}))
    table.loc[table["video_idx"] == hidden["train"][5], "votes"] = '{"sad": 2, "happy": 2}'
    labels.write(path, table, WORDS)
    settings(targets=["classes", "valence"])
    dataset = Dataset("demo", params.load())
    clips = dataset.clips()
    is_hidden_n = clips.table["video_idx"].isin(sum(hidden.values(), ["undecided"])).to_numpy()
    truths = {which: truth_of(clips, dataset.targets, False, which) for which in WHICH}
    rows = clips.table["video_idx"].tolist()
    own, both, pseudo = (truths[which] for which in ("labels", "both", "pseudo"))
    np.testing.assert_array_equal(both[~is_hidden_n], own[~is_hidden_n])
    assert np.isnan(own[is_hidden_n, :-1]).all()
    assert (both[is_hidden_n, WORDS.index(WRONG)] == 1).all()
    np.testing.assert_array_equal(both[:, -1], own[:, -1])
    assert both[rows.index(hidden["train"][0]), -1] == 0.5
    np.testing.assert_array_equal(pseudo[is_hidden_n, :-1], both[is_hidden_n, :-1])
    assert np.isnan(pseudo[:, -1]).all()
    assert np.isnan(pseudo[~is_hidden_n]).all()
    # Votes that count as a label (labels.ambiguous) are one of its own, and without classes
    # pseudo-labels mean nothing.
    loaded = params.load()
    soft = replace(loaded, labels=replace(loaded.labels, ambiguous="soft"))
    assert Dataset("demo", soft).clips().table["pseudo"].ne("").sum() == is_hidden_n.sum() - 1
    settings(targets=["valence"])
    assert set(Dataset("demo", params.load()).clips().table["pseudo"]) == {""}


def test_students_learn_them_and_their_teacher_says_the_rest(
    hidden: dict[str, list[str]], fits: list[tuple[str, torch.Tensor, torch.Tensor]]
) -> None:
    write_pseudo(hidden["train"][:4])
    settings(students=1)
    train()
    (teacher, student) = (truth for kind, truth, _ in fits if kind == "resnet18")
    assert len(student) == len(teacher) + 2
    is_wrong_n = student[:, WORDS.index(WRONG)] == 1
    assert is_wrong_n.sum() == n_wrong(teacher) == 4
    assert ((student > 0) & (student < 1)).all(1).sum() == 2
    student_1 = load("student-1")
    assert student_1.about["pseudo"]["clips"] == 4
    told = "30 labels and 4 pseudo-labels (track guesses), and 2 clips with neither"
    assert told in student_1.card()


def test_the_second_stage_goes_on_from_the_first_by_pseudo_labels_alone(
    hidden: dict[str, list[str]],
    fits: list[tuple[str, torch.Tensor, torch.Tensor]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings("none", baselines=["densenet121"])
    train()
    alone = load().module.state_dict()
    fits.clear()
    starts = []
    watched = STAGE.fit

    def watching(module: Any, *rest: Any) -> Any:
        starts.append({name: weight.clone() for name, weight in module.state_dict().items()})
        return watched(module, *rest)

    monkeypatch.setattr(streamed_setup, "fit", watching)
    settings(**AFTER, baselines=["densenet121", "ensemble"], ensemble={"roles": ["densenet121"]})
    train()
    assert {path.name for path in Path("models/trained/split").iterdir()} == {
        "model", "resnet18-labels", "densenet121", "densenet121-labels", "majority", "ensemble",
    }  # fmt: skip
    kinds = [kind for kind, *_ in fits]
    assert kinds == ["majority"] + 2 * ["resnet18", "densenet121"]
    assert n_wrong(fits[0][1]) == 6  # the floor learns both
    for _, truth, val in fits[1:3]:
        assert (n_wrong(truth), len(truth), len(val)) == (0, 30, 9)
    for _, truth, val in fits[3:]:
        assert (n_wrong(truth), len(truth)) == (6, 6)
        assert torch.equal(val, fits[1][2])
    first, second = load("resnet18-labels"), load()
    assert same(first.module.state_dict(), alone)
    assert any(same(first.module.state_dict(), start) for start in starts[2:])
    assert not same(first.module.state_dict(), second.module.state_dict())
    described = {"track": "guesses", "clips": 6, "by": "a model", "known": True}
    assert "pseudo" not in first.about
    assert second.about["pseudo"] == described | {"after": "resnet18-labels"}
    assert (second.about["clips"], second.about["labelled"]) == (36, 30)
    assert "30 labels, then 6 pseudo-labels (track guesses)" in second.card()
    ensemble = load("ensemble")
    assert isinstance(ensemble, TrainedEnsemble)
    assert list(ensemble.members) == ["densenet121"]
    predict()
    answers, _ = prediction.read()
    assert {"model", "resnet18-labels"} <= set(answers["role"])


def test_at_a_rate_of_almost_nothing_the_second_stage_is_the_first(
    hidden: dict[str, list[str]],
) -> None:
    write_pseudo(hidden["train"], WORDS[:3])
    loaded = params.load()
    dataset = Dataset("demo", loaded)
    clips = replace(dataset.clips(), pseudo=None)  # as a table that somebody else has filled in

    def of(some: Clips, chosen: params.Train, which: schema.Which, first: Any = None) -> Run:
        asked = ("resnet18", dataset.targets, some, "split", chosen)
        return prepare(TrainedPoints, *asked, which=which, start=first)

    first = of(clips, loaded.train, "labels")
    first.fit(Path("first"))
    before = {name: one.clone() for name, one in first.trained.module.state_dict().items()}
    still = replace(loaded.train.network, lr=1e-12)
    vision = replace(loaded.train.vision, frozen_epochs=99)  # nor does batch norm move
    chosen = replace(loaded.train, network=still, vision=vision)
    second = of(clips, chosen, "pseudo", first.trained)
    assert sorted(second.learnt.clips.table["video_idx"]) == hidden["train"]
    second.fit(Path("second"))
    for name, weight in second.trained.module.state_dict().items():
        if not name.startswith("prior"):
            torch.testing.assert_close(weight, before[name], equal_nan=True, atol=1e-6, rtol=1e-4)
    judged = second.learnt.clips
    torch.testing.assert_close(second.trained.answers(judged), first.trained.answers(judged))
    moved = of(clips, loaded.train, "pseudo", first.trained)
    moved.fit(Path("moved"))
    assert (moved.trained.answers(judged) - first.trained.answers(judged)).abs().max() > 0.01
    assert same(first.trained.module.state_dict(), before)
    learnt = {*second.trained.lineage.learnt}
    assert learnt == {*first.trained.lineage.learnt, *leaks.keys(judged)}
    assert len(learnt) == 36
    bare = replace(clips, table=clips.table.assign(pseudo=""))
    with pytest.raises(UserError, match="no training clip with a pseudo-label that resnet18 can"):
        of(bare, loaded.train, "pseudo", first.trained)


def test_a_killed_second_stage_goes_on_and_what_follows_from_nothing_new_is_kept(
    hidden: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(**AFTER)
    train()
    whole = contents(Path("models/trained"))
    (Path("models") / "trained").rename("trained")
    (Path("models") / "checkpoints").rename("checkpoints")
    epochs: list[int] = []

    def killed(*arguments: Any) -> None:
        def dying(epoch: int, figures: dict[str, float]) -> None:
            arguments[-1](epoch, figures)
            epochs.append(epoch)
            if len(epochs) == 5:  # in the second stage
                raise KeyboardInterrupt

        fit_streamed(*arguments[:-1], dying)  # type: ignore[call-arg]

    monkeypatch.setattr(streamed_setup, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        train()
    train()
    assert epochs == [0, 1, 2, 0, 1, 0, 1, 2]
    assert contents(Path("models/trained")) == whole
    epochs.clear()
    train()
    assert epochs == []
    learnt: list[int] = []

    def counted(module: Any, train: Any, *rest: Any) -> Any:
        learnt.append(len(train.truth_nW))
        return fit_streamed(module, train, *rest)

    monkeypatch.setattr(streamed_setup, "fit", counted)
    write_pseudo(hidden["train"][:4])
    train()
    assert learnt == [4]  # the first stage stays
    path = Path("data/labels/demo.csv")
    table = labels.read(path)
    is_changed = table["video_idx"] == "003"
    assert table.loc[is_changed, "split"].tolist() == ["train"]
    table.loc[is_changed, ["actual", "label"]] = [WRONG, WORDS.index(WRONG)]
    labels.write(path, table, WORDS)
    learnt.clear()
    train()
    assert learnt == [30, 4]  # the second goes on from other weights


def test_what_gave_pseudo_labels_knows_no_clip_that_is_validated_or_tested(
    hidden: dict[str, list[str]],
) -> None:
    settings(model="logistic")
    write_pseudo(hidden["train"])
    clips = Dataset("demo", params.load()).clips()
    part = clips.parts("split")
    learnt, val, test = (
        leaks.keys(clips.select(part == name)) for name in ("train", "val", "test")
    )
    before = [["demo", "split"]]
    write_pseudo(hidden["train"], lineage=Lineage(before, learnt, val))
    train()
    about = load().about
    assert about["before"] == before
    assert about["pseudo"] == {
        "track": "guesses", "clips": 6, "by": "a model", "known": True
    }  # fmt: skip
    assert "30 labels and 6 pseudo-labels (track guesses)" in load().card()
    for lineage in (Lineage(before, [*learnt, test[0]]), Lineage(before, learnt, [test[-1]]),
                    Lineage(before, [val[0]]), Lineage(before, [], test[:1])):  # fmt: skip
        write_pseudo(hidden["train"], lineage=lineage)
        with pytest.raises(UserError, match=r"guesses\) learnt from partition split of demo"):
            train()
    # A vote of whom a part is unknown: the card says so, and what is known is checked.
    write_pseudo(hidden["train"], lineage=Lineage(before, learnt, val), unknown=["api.csv"])
    train()
    assert load().about["pseudo"]["known"] is False
    assert cards.UNKNOWN[1:] in load().card()
    write_pseudo(hidden["train"], lineage=Lineage(before, [*learnt, test[0]]), unknown=["api.csv"])
    with pytest.raises(UserError, match=r"guesses\) learnt from partition split of demo"):
        train()
    settings(model="logistic", partitions=[1])
    write_pseudo(hidden["train"], lineage=Lineage(before, learnt, val))
    with pytest.raises(UserError, match="would leak"):  # another test part
        train()


def test_of_a_track_from_elsewhere_the_card_says_that_nobody_knows_it(
    hidden: dict[str, list[str]],
) -> None:
    write_pseudo(hidden["train"], lineage=None)
    settings(model="resnet18")
    train()
    model = load()
    assert model.about["pseudo"]["known"] is False
    assert "before" not in model.about
    assert cards.UNKNOWN[1:] in model.card()
    write_pseudo(hidden["train"])
    train()
    assert load().about["before"] == [["elsewhere", "1"]]
    assert load().lineage.before == [["elsewhere", "1"], ["demo", "split"]]
    assert "some nan nan" in load().lineage.learnt
    assert cards.UNKNOWN[1:] not in load().card()


def test_a_budget_is_for_labels_alone_and_a_subset_for_all(
    hidden: dict[str, list[str]], fits: list[tuple[str, torch.Tensor, torch.Tensor]]
) -> None:
    settings(model="logistic", budget=9)
    train()
    assert [(len(truth), n_wrong(truth)) for _, truth, _ in fits] == [(9 + 6, 6)] * 2
    table = labels.read(Path("data/labels/demo.csv"))
    table = labels.subset(table[table["video_idx"].isin(hidden["train"])], 0, 0.5)
    fits.clear()
    settings(model="logistic", subset=[0, 0.5])
    train()
    assert [n_wrong(truth) for _, truth, _ in fits] == [len(table)] * 2


def test_missing_pseudo_labels_are_a_sentence(hidden: dict[str, list[str]]) -> None:
    (PSEUDO / "labels.csv").unlink()
    with pytest.raises(UserError, match=r"labels\.csv is not here.*dvc repro pseudo"):
        train()

"""Clips as conversations, and what a tiny model answers to them."""

from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.models.vlm.backbones import FACE
from facewave.models.vlm.model import IGNORED, LanguageModel
from facewave.params import Language
from facewave.prompts import answers
from facewave.prompts.examples import (
    Examples,
    PromptClips,
    choose_shots,
    collate,
    gather,
    numbers,
)
from facewave.workspace import Dataset
from language_project import KIND, SHOWN, write_project
from making_language import language_model
from running import ROOT

WORDS = ("happy", "sad", "neutral")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PromptClips]:
    """Six clips; the second, 000, has no usable face."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder, batch_size=6)
    with chdir(folder):
        loaded = params.load()
        some = Dataset("demo", loaded).clips().select([1, 0, 2, 3, 4, 8])
        some.table["transcript"] = [f"Words of {name}." for name in some.table["video_idx"]]
        settings = replace(loaded.train.language, transcript="known")
        yield gather(some, ["blendshapes"], settings)


@pytest.fixture
def settings() -> Language:
    return replace(params.load(ROOT / "params.yaml").train.language, **SHOWN | {"batch_size": 6})


def examples(clips: PromptClips, settings: Language, **more: Any) -> Examples:
    return Examples(clips, clips.select([2, 3, 4]), WORDS, (), settings, 0, **more)


def test_a_clip_is_asked_about_after_examples(clips: PromptClips, settings: Language) -> None:
    example, without_face = (examples(clips, settings)[row] for row in (0, 1))
    [turn] = example.turns
    assert [picture.shape for picture in turn.pictures] == [(56, 56, 3)] * 2
    assert (turn.answer, example.answer) == ("", clips.table["actual"].iloc[0])
    assert turn.question.count(FACE) == 10
    assert "Words of 001." in turn.question
    assert example.faces_S.tolist() == [True]
    assert example.numbers_SKD.shape == (1, 10, 52)
    assert np.isfinite(example.numbers_SKD).all()
    assert 0.3 < turn.duration < 0.6
    assert without_face.faces_S.tolist() == [False]
    assert len(without_face.turns[0].pictures) == 2
    [turn] = examples(clips, replace(settings, frames=4, grid=True))[0].turns
    assert [picture.shape for picture in turn.pictures] == [(112, 112, 3)]
    [turn] = examples(clips, replace(settings, frames=0))[0].turns
    assert (turn.pictures, turn.duration) == ([], 0)
    for row, shown in ((0, [2, 3]), (2, [3, 4]), (3, [2, 4])):
        example = examples(clips, replace(settings, examples=2))[row]
        for at, turn in zip([*shown, row], example.turns, strict=True):
            assert f"Words of {clips.table['video_idx'].iloc[at]}." in turn.question
        given = [turn.answer for turn in example.turns]
        assert given == [*clips.table["actual"].iloc[shown], ""]
        expected = np.stack([clips.numbers(at) for at in [*shown, row]])
        np.testing.assert_array_equal(example.numbers_SKD, expected)
    some = examples(clips, replace(settings, examples=1))
    blank, example = some.blanks()[0], some[0]
    assert [len(turn.pictures) for turn in blank.turns] == [2, 2]
    assert all((picture == 128).all() for picture in blank.turns[-1].pictures)
    assert blank.faces_S.tolist() == [True, False]  # the examples stay
    assert "Words of" not in blank.turns[-1].question
    assert blank.turns[-1].question.count(FACE) == 10
    assert np.array_equal(blank.turns[0].pictures[0], example.turns[0].pictures[0])
    some = examples(clips, replace(settings, sampling="random"))

    def first(epoch: int) -> Any:
        some.set_epoch(epoch)
        return np.stack(some[0].turns[0].pictures)

    assert np.array_equal(first(0), first(0))
    assert not np.array_equal(first(0), first(1))


def test_numbers_are_columns_in_the_order_of_their_names() -> None:
    table = pd.DataFrame(
        {"valence": [0.5, -1], "arousal": [np.nan, 0], "scores": ['{"stress": 3}', ""]},
        index=[7, 9],
    )
    names = ["score.stress", "arousal", "valence"]
    np.testing.assert_array_equal(numbers(table, names), [[3, np.nan, 0.5], [np.nan, 0, -1]])
    assert numbers(table, []).shape == (2, 0)


def test_shots_are_of_the_classes_in_turn(clips: PromptClips) -> None:
    table = clips.table.assign(rank=[0.5, 0.1, 0.3, 0.2, 0.0, 0.4])
    actual = ["sad", "happy", "sad", "happy", "sad", "neutral"]
    table["actual"] = actual
    assert choose_shots(table, 5, WORDS) == [1, 4, 5, 3, 2]
    assert choose_shots(table, 2, WORDS) == [1, 4]
    assert choose_shots(table, 99, WORDS) == [1, 4, 5, 3, 2, 0]
    assert choose_shots(table, 3, ()) == [4, 1, 3]
    assert choose_shots(table, 0, WORDS) == choose_shots(table.iloc[:0], 3, WORDS) == []


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return language_model(KIND, disturbed=False, words=WORDS, faces=(10, (52,), 10))


def test_answers_end_prompts(clips: PromptClips, settings: Language, model: LanguageModel) -> None:
    pair = [examples(clips, settings)[row] for row in (0, 2)]
    batch, plain = (collate(model, pair, answered=answered) for answered in (True, False))
    length = plain["input_ids"].shape[1]
    assert torch.equal(batch["input_ids"][:, :length], plain["input_ids"])
    for row, example in enumerate(pair):
        labels = batch["labels"][row][batch["labels"][row] != IGNORED].tolist()
        assert labels == model.backbone.answer_ids(example.answer)
        assert batch["input_ids"][row, length:][: len(labels)].tolist() == labels
    assert "labels" not in plain


def test_probabilities_add_up_follow_the_options_and_are_numbers(
    clips: PromptClips,
    settings: Language,
    model: LanguageModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    some = examples(clips, settings)
    found = {}
    for length, prior in product((False, True), repeat=2):
        changed = replace(settings, by_length=length, by_prior=prior)
        found[length, prior] = answers.probabilities(model, some, WORDS, changed)
        assert found[length, prior].shape == (6, len(WORDS))
        assert found[length, prior].sum(1) == pytest.approx(1, abs=1e-5)
    plain, *others = found.values()
    assert all(not np.allclose(plain, other) for other in others)
    # By hand, for the first clip.
    ids = [model.backbone.answer_ids(word) for word in WORDS]
    batch, blank = (collate(model, [example]) for example in (some[0], some.blanks()[0]))
    with torch.inference_mode():
        logs, priors = (model.log_likelihoods(x, ids)[0].double() for x in (batch, blank))
    by_both = torch.softmax((logs - priors) / torch.tensor([len(answer) for answer in ids]), 0)
    assert plain[0] == pytest.approx(torch.softmax(logs, 0).numpy(), abs=1e-4)
    assert found[True, True][0] == pytest.approx(by_both.numpy(), abs=1e-4)
    singly = answers.probabilities(model, some, WORDS, replace(settings, inference_batch_size=1))
    assert singly == pytest.approx(plain, abs=1e-4)
    assert answers.written(model, some, WORDS, settings) == [""] * 6
    nothing = torch.full((6, len(WORDS)), torch.nan)
    monkeypatch.setattr(LanguageModel, "log_likelihoods", lambda *_: nothing)
    with pytest.raises(UserError, match=r"answers are not numbers\. Train it again with lower"):
        answers.probabilities(model, some, WORDS, settings)
    nothing[1:] = torch.tensor([-1.0, *[-2.0] * (len(WORDS) - 1)])
    nothing[2] = -1.0
    capsys.readouterr()
    some_known = answers.probabilities(model, some, WORDS, settings)
    assert np.isnan(some_known).all(1).tolist() == [True] + 5 * [False]
    assert some_known[3].argmax() == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.strip()] == [
        "1 of 6 clips: several labels are equally likely",
        "1 of 6 clips have no answer: it is not a number",
    ]

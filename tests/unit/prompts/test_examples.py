"""Clips as conversations, and what a tiny model answers to them."""

from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.models.vlm.conversations import FACE
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
from facewave.voice.schema import Config, Voice
from facewave.workspace import Dataset, Stored
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


def test_in_training_wording_and_order_of_the_labels_are_drawn_again_each_epoch(
    clips: PromptClips, settings: Language
) -> None:
    asked = ["A {labels}", "B {labels}", "C {labels}"]
    drawn = replace(settings, frames=0, prompt=asked[0], wordings=asked[1:], label_order="drawn")

    def questions(settings: Language, seed: int = 0, **more: Any) -> list[list[str]]:
        """Of 24 epochs, each clip's."""
        shots = clips.select([2, 3, 4])
        some = Examples(clips, shots, WORDS, (), settings, seed, **more)
        found = []
        for epoch in range(24):
            some.set_epoch(epoch)
            found.append([example.turns[-1].question for example in some])  # type: ignore[attr-defined]
        return found

    first = questions(drawn, is_training=True)
    assert questions(drawn, is_training=True) == first
    assert questions(drawn, 1, is_training=True) != first
    by_clip = np.array(first).T
    orders = {f"{x} {', '.join(words)}" for x in "ABC" for words in permutations(WORDS)}
    assert {question for row in by_clip for question in row} == orders
    assert len({tuple(row) for row in by_clip}) == len(by_clip)
    fixed = {question for of in questions(replace(drawn, label_order="fixed"), is_training=True)
             for question in of}  # fmt: skip
    assert fixed == {f"{x} {', '.join(WORDS)}" for x in "ABC"}
    assert {question for of in questions(drawn) for question in of} == {f"A {', '.join(WORDS)}"}
    some = examples(clips, replace(drawn, examples=2), is_training=True)
    assert all(len({turn.question for turn in e.turns}) == 1 for e in some)  # type: ignore[attr-defined]


def test_answers_are_drawn_from_shares_again_in_each_epoch(
    clips: PromptClips, settings: Language
) -> None:
    shares_nC = np.tile([0.0, 0.25, 0.75], (6, 1))
    quick = replace(settings, frames=0)
    some, same = (examples(clips, quick, shares_nC=shares_nC) for _ in range(2))

    def drawn(some: Examples, epoch: int) -> list[str]:
        some.set_epoch(epoch)
        return [some[row].answer for row in range(6)]

    found = np.array([drawn(some, epoch) for epoch in range(60)])
    assert drawn(same, 7) == found[7].tolist()
    assert found[0].tolist() != found[1].tolist()
    assert len({tuple(clip) for clip in found.T}) == 6  # each clip's own draws
    shares = [(found == word).mean() for word in WORDS]  # of 360: three standard errors
    assert shares == pytest.approx([0, 0.25, 0.75], abs=0.07)
    plain = examples(clips, quick)
    assert drawn(plain, 5) == clips.table["actual"].tolist()
    assert {example.weight for example in map(plain.__getitem__, range(6))} == {1.0}


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
    assert answers.written(model, some, WORDS, settings) == ([""] * 6, [""] * 6)
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
    assert [
        line
        for line in capsys.readouterr().err.splitlines()
        if "several" in line or "no answer" in line
    ] == [
        "1 of 6 clips: several labels are equally likely",
        "1 of 6 clips have no answer: it is not a number",
    ]


def test_a_prompt_is_told_of_face_voice_and_expression_only_what_it_asks_for(
    clips: PromptClips, settings: Language
) -> None:
    with pytest.raises(UserError, match=r"has \{voice\}, and stage listen has heard no clip"):
        gather(clips.clips, [], replace(settings, prompt="{voice}"))
    with pytest.raises(UserError, match=r"\{expression\}, and appearance.encoder names no"):
        gather(clips.clips, [], replace(settings, prompt="{expression}"))

    class Heard(Stored):
        """A voice in all clips but the first."""

        config = Config({"prosody": []})

        def read(self, video_idx: str) -> Any:
            if video_idx == clips.table["video_idx"].iloc[0]:
                return None
            prosody = np.full((100, 5), 30, np.float32)
            return Voice(
                np.arange(100) / 100, np.ones(100, bool), prosody[:, 0], {"prosody": prosody}
            )

    heard = replace(clips.clips, stored_voice=Heard(Path(), "voice"))
    some = gather(heard, [], replace(settings, prompt="Look.{voice}{facts}"))
    assert some.voices[0] == ""
    assert all(text.startswith("Voice: speech for 1.0 of 1.0 s") for text in some.voices[1:])
    assert all("The face is" in text or text.startswith("Face: ") for text in some.facts)
    asked = replace(settings, prompt="Look.{voice}{facts}")
    question = Examples(some, some, WORDS, (), asked, 0)[1].turns[-1].question
    assert question == f"Look. {some.voices[1]} {some.facts[1]}"
    blank = Examples(some, some, WORDS, (), asked, 0).blanks()[1].turns[-1].question
    assert blank == "Look."
    assert set(gather(heard, [], settings).facts) == {""}

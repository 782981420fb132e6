"""Clips as conversations, and what a tiny model answers to them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facewave import params
from facewave.labels import schema as labels
from facewave.models.vlm import backbones, face_tokens
from facewave.models.vlm.backbones import FACE
from facewave.models.vlm.model import IGNORED, LanguageModel, LanguageModelConfig
from facewave.params import Language, LanguageModelKind, Params
from facewave.prompts import answers
from facewave.prompts.examples import Clips, Examples, choose_shots, collate, gather
from facewave.training import schema as training
from facewave.wavelets import schema as wavelets

KIND: LanguageModelKind = "tiny-qwen2.5-vl"


@pytest.fixture(scope="module")
def loaded(project: Path) -> Params:
    return params.load(project / "params.yaml")


@pytest.fixture(scope="module")
def words(project: Path) -> tuple[str, ...]:
    return labels.read_words(project / "data/labels/demo.csv")


@pytest.fixture
def clips(project: Path, loaded: Params, monkeypatch: pytest.MonkeyPatch) -> Clips:
    """The demo's labelled clips; the second has no usable face."""
    monkeypatch.chdir(project)
    features = wavelets.read(Path("data/features/demo"))
    table = wavelets.join(
        labels.single_label(labels.read(Path("data/labels/demo.csv"))), features
    ).sort_values("usable", kind="stable")
    numbers = training.numbers(features.blocks, loaded.train.inputs)
    said = [f"Words of {name}." for name in table["video_idx"]]
    whole = gather(table, loaded.datasets["demo"], loaded.train, numbers, said)
    return whole.of([20, 0, 21, 22, 23, 24])


def made(clips: Clips, words: tuple[str, ...], settings: Language, **more: Any) -> Examples:
    return Examples(clips, clips.of([2, 3, 4]), words, (), settings, 0, **more)


def test_a_clip_is_asked_about_with_its_frames_face_and_words(
    clips: Clips, loaded: Params, words: tuple[str, ...]
) -> None:
    example = made(clips, words, loaded.train.language)[0]
    [turn] = example.turns
    assert len(turn.pictures) == 4
    assert {picture.shape for picture in turn.pictures} == {(224, 224, 3)}
    assert turn.answer == ""  # the right one is not in the prompt
    assert clips.table["actual"].iloc[0] == example.answer
    assert turn.question.count(FACE) == 10
    assert f"Words of {clips.table['video_idx'].iloc[0]}." in turn.question
    assert example.faces_S.tolist() == [True]
    assert example.numbers_SKD.shape == (1, 10, 52)
    assert np.isfinite(example.numbers_SKD).all()
    assert 0.5 < turn.duration < 10


def test_a_clip_without_a_face_says_so(
    clips: Clips, loaded: Params, words: tuple[str, ...]
) -> None:
    example = made(clips, words, loaded.train.language)[1]
    assert example.faces_S.tolist() == [False]
    assert len(example.turns[0].pictures) == 4


def test_examples_come_first_with_answers_and_never_the_clip_itself(
    clips: Clips, loaded: Params, words: tuple[str, ...]
) -> None:
    settings = replace(loaded.train.language, examples=2)
    for row, shown in ((0, [2, 3]), (2, [3, 4]), (3, [2, 4])):
        example = made(clips, words, settings)[row]
        names = [clips.table["video_idx"].iloc[at] for at in [*shown, row]]
        assert [f"Words of {name}." in turn.question for name, turn in zip(
            names, example.turns, strict=True)] == [True] * 3  # fmt: skip
        told = [turn.answer for turn in example.turns]
        assert told == [*clips.table["actual"].iloc[shown], ""]
        assert example.numbers_SKD.shape[0] == len(example.faces_S) == 3


def test_a_blank_has_the_same_shape_and_nothing_to_see(
    clips: Clips, loaded: Params, words: tuple[str, ...]
) -> None:
    examples = made(clips, words, replace(loaded.train.language, examples=1))
    blank, example = examples.blanks()[0], examples[0]
    assert [len(turn.pictures) for turn in blank.turns] == [4, 4]
    assert all((picture == 128).all() for picture in blank.turns[-1].pictures)
    assert not blank.faces_S[-1]
    assert blank.faces_S[0]  # the examples stay
    assert "Words of" not in blank.turns[-1].question
    assert blank.turns[-1].question.count(FACE) == 10
    assert np.array_equal(blank.turns[0].pictures[0], example.turns[0].pictures[0])


def test_random_frames_are_others_in_every_epoch_and_the_same_in_one(
    clips: Clips, loaded: Params, words: tuple[str, ...]
) -> None:
    examples = made(clips, words, replace(loaded.train.language, sampling="random", frames=2))

    def first(epoch: int) -> Any:
        examples.set_epoch(epoch)
        return np.stack(examples[0].turns[0].pictures)

    assert np.array_equal(first(0), first(0))
    assert not np.array_equal(first(0), first(1))


def test_all_frames_as_one(clips: Clips, loaded: Params, words: tuple[str, ...]) -> None:
    [turn] = made(clips, words, replace(loaded.train.language, grid=True))[0].turns
    assert [picture.shape for picture in turn.pictures] == [(448, 448, 3)]


def test_shots_are_of_the_classes_in_turn(clips: Clips, words: tuple[str, ...]) -> None:
    chosen = choose_shots(clips.table, 4, words)
    assert len(set(chosen)) == 4
    taken = clips.table["actual"].iloc[chosen]
    present = set(clips.table["actual"])
    assert set(taken[: len(present)]) == present if len(present) <= 4 else taken.is_unique
    assert choose_shots(clips.table, 99, words) != []
    assert sorted(choose_shots(clips.table, 99, ())) == list(range(len(clips.table)))
    shuffled = clips.of([3, 5, 1, 0, 4, 2])
    again = shuffled.table["video_idx"].iloc[choose_shots(shuffled.table, 4, words)]
    assert again.tolist() == clips.table["video_idx"].iloc[chosen].tolist()


@pytest.fixture(scope="module")
def model(words: tuple[str, ...]) -> LanguageModel:
    backbone = backbones.load(KIND, "hub")
    torch.manual_seed(0)
    faces = face_tokens.FaceTokensConfig("linear", 10, (52,), 10, backbone.hidden)
    return LanguageModel(
        LanguageModelConfig(KIND, "hub", "", "pretrain", words, faces=faces), backbone
    ).eval()


def test_an_answer_is_behind_its_prompt_and_only_it_is_learnt(
    clips: Clips, loaded: Params, words: tuple[str, ...], model: LanguageModel
) -> None:
    examples = made(clips, words, loaded.train.language)
    batch = collate(model.bare, [examples[0], examples[2]], faces=True, answered=True)
    plain = collate(model.bare, [examples[0], examples[2]], faces=True, answered=False)
    length = plain["input_ids"].shape[1]
    assert torch.equal(batch["input_ids"][:, :length], plain["input_ids"])
    for row, at in enumerate((0, 2)):
        told = batch["labels"][row][batch["labels"][row] != IGNORED].tolist()
        assert told == model.bare.answer_ids(examples[at].answer)
        assert batch["input_ids"][row, length:][: len(told)].tolist() == told
    assert "labels" not in plain


def test_probabilities_add_up_and_follow_the_options(
    clips: Clips, loaded: Params, words: tuple[str, ...], model: LanguageModel
) -> None:
    settings = loaded.train.language
    examples = made(clips, words, settings)
    found = {
        (length, prior): answers.probabilities(
            model, examples, words, replace(settings, by_length=length, by_prior=prior)
        )
        for length in (False, True)
        for prior in (False, True)
    }
    for probabilities in found.values():
        assert probabilities.shape == (6, len(words))
        assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    plain = found[False, False]
    assert all(not np.allclose(plain, found[key]) for key in found if key != (False, False))
    # By hand, of the first clip.
    asked = [model.bare.answer_ids(word) for word in words]
    batch = collate(model.bare, [examples[0]], faces=True, answered=False)
    blank = collate(model.bare, [examples.blanks()[0]], faces=True, answered=False)
    with torch.inference_mode():
        logs, priors = (model.log_likelihoods(x, asked)[0].double() for x in (batch, blank))
    lengths = torch.tensor([len(one) for one in asked])
    assert plain[0] == pytest.approx(torch.softmax(logs, 0).numpy(), abs=1e-4)
    by_both = torch.softmax((logs - priors) / lengths, 0)
    assert found[True, True][0] == pytest.approx(by_both.numpy(), abs=1e-4)


def test_batches_do_not_change_answers(
    clips: Clips, loaded: Params, words: tuple[str, ...], model: LanguageModel
) -> None:
    settings = loaded.train.language
    examples = made(clips, words, settings)
    one, all_ = (
        answers.probabilities(model, examples, words, replace(settings, batch_size=size))
        for size in (1, 6)
    )
    assert one == pytest.approx(all_, abs=1e-4)


def test_what_a_model_that_knows_nothing_writes_cannot_be_read(
    clips: Clips, loaded: Params, words: tuple[str, ...], model: LanguageModel
) -> None:
    examples = made(clips, words, loaded.train.language)
    assert answers.written(model, examples, words, loaded.train.language) == [""] * 6

"""Reasons before the label: where they come from, how they are written and read."""

from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewave import params
from facewave.models.vlm.backbones import load
from facewave.models.vlm.model import LanguageModel
from facewave.params import Language, LanguageModelKind
from facewave.prompts import answers, facts, reasons
from facewave.prompts.examples import Examples, collate, gather
from facewave.workspace import Dataset
from language_project import SHOWN, write_project
from making_language import KINDS, WORDS, language_model
from running import ROOT


def test_a_label_is_read_behind_the_last_mark_and_nowhere_else() -> None:
    whole = reasons.answer("The brows rise.", "happy")
    assert whole == "The brows rise. Emotion: happy"
    assert reasons.answer("", "happy") == "Emotion: happy"
    for text, label, start in (
        (whole, " happy", "The brows rise. Emotion:"),
        ("Emotion: sad", " sad", "Emotion:"),
        ("Emotion: none yet. Emotion: sad", " sad", "Emotion: none yet. Emotion:"),
        ("happy", "", "happy Emotion:"),
        ("", "", "Emotion:"),
        ("a <face> or two", "", "a or two Emotion:"),  # a placeholder would want a face token
    ):
        assert (reasons.label(text), reasons.start(text)) == (label, start)


@pytest.mark.parametrize("kind", KINDS)
def test_start_and_label_are_the_tokens_of_the_whole_answer(kind: LanguageModelKind) -> None:
    backbone = load(kind, "hub")
    for reason in ("", "A smile, then none."):
        for word in WORDS:
            ids = backbone.answer_ids(reasons.answer(reason, word))
            start = reasons.start_ids(backbone, reason)
            assert ids == start + reasons.label_ids(backbone, word)


def settings(**changes: object) -> Language:
    default = params.load(ROOT / "params.yaml").train.language
    return replace(default, **SHOWN | {"frames": 1, "face_tokens": 0, **changes})


def test_reasons_are_facts_or_captions_and_what_is_learnt_in_every_answer(tmp_path: Path) -> None:
    write_project(tmp_path)
    with chdir(tmp_path):
        clips = Dataset("demo", params.load()).clips().select([0, 1, 2, 3])
        for name in ("none", "facts", "captions"):
            chosen = settings(reasons=name, examples=1)
            told = gather(clips, [], chosen)
            some = Examples(told, told.select([2, 3]), WORDS, (), chosen, 0)
            of_face = facts.of_clips(clips, chosen.facts)
            words = told.table["actual"].tolist()
            expected = {
                "none": words,
                "facts": [
                    f"{fact} Emotion: {word}".strip()
                    for fact, word in zip(of_face, words, strict=True)
                ],
                "captions": [  # without what a tokenizer would take for marks
                    f'Clip {i}: "a {word}, one" turns {{away}} Emotion: {word}'
                    if i % 3
                    else f"Emotion: {word}"
                    for i, word in enumerate(words)
                ],
            }[name]
            assert [some[row].answer for row in range(len(words))] == expected
            assert some[0].turns[0].answer == expected[2]  # of an example, too


def whole(model: LanguageModel, batch: dict[str, torch.Tensor], answer: str) -> torch.Tensor:
    """Log likelihoods of a whole answer, (n,)."""
    return model.log_likelihoods(batch, [model.backbone.answer_ids(answer)])[:, 0]


def test_a_reason_is_written_first_and_labels_are_read_or_scored_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path)
    model, lengths = language_model("tiny-smolvlm", None, words=WORDS), list[int]()
    texts = {"now": "Brows up. Emotion: sad"}

    def write(model: LanguageModel, inputs: dict[str, torch.Tensor], max_tokens: int) -> list[str]:
        lengths.append(max_tokens)
        return [texts["now"]] * len(inputs["input_ids"])

    monkeypatch.setattr(LanguageModel, "write", write)
    with chdir(tmp_path):
        chosen = settings(reasons="facts")
        told = gather(Dataset("demo", params.load()).clips().select([0, 1]), [], chosen)
        some = Examples(told, told.select([]), WORDS, (), chosen, 0)
        assert answers.written(model, some, WORDS, chosen) == (["sad"] * 2, ["sad"] * 2)
        shares_nC = answers.probabilities(model, some, WORDS, chosen)
        batch = collate(model, [some[0], some[1]])
        with torch.inference_mode():
            logs_nC = torch.stack(
                [whole(model, batch, f"Brows up. Emotion: {word}") for word in WORDS], 1
            )
        np.testing.assert_allclose(shares_nC, torch.softmax(logs_nC, 1), atol=1e-4)
        assert min(lengths) >= reasons.TOKENS
        texts["now"] = "sad"  # no mark
        assert answers.written(model, some, WORDS, chosen) == ([""] * 2, ["sad"] * 2)
        plain = replace(chosen, reasons="none")
        assert answers.written(model, some, WORDS, plain) == (["sad"] * 2, ["sad"] * 2)

"""What finetuning costs elsewhere: by hand, and nothing without LoRA."""

import numpy as np
import pytest
import torch
from peft.tuners.lora import LoraLayer

from facewave.labels import schema as labels
from facewave.models.vlm.backbones import load
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import append_answers
from facewave.params import LanguageModelKind
from facewave.prompts import elsewhere
from making_language import language_model


def test_the_questions_have_nothing_to_do_with_emotions() -> None:
    pairs = elsewhere.questions()
    assert len(pairs) >= 20
    assert all(question and answer for question, answer in pairs)
    assert len(dict(pairs)) == len(pairs)
    told = " ".join(" ".join(pair) for pair in pairs).casefold()
    assert not [word for word in (*labels.SEVEN, "face", "emotion") if word in told]


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["tiny-paligemma2", "tiny-qwen2.5-vl"])
def test_lora_is_what_changes_and_the_figure_is_that_of_each_token_by_hand(
    kind: LanguageModelKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = elsewhere.questions()[2:5]
    monkeypatch.setattr(elsewhere, "_SIDE", 56)
    monkeypatch.setattr(elsewhere, "questions", lambda: some)
    stock, grey = load(kind, "hub"), np.full((56, 56, 3), 128, np.uint8)

    def by_hand(model: torch.nn.Module) -> float:
        """Over all tokens, one after the other, without padding."""
        found = []
        for question, text in some:
            answer = stock.answer_ids(text)
            inputs = stock.inputs([[Turn([grey], 0.0, question)]])
            whole = append_answers(inputs, [answer], stock)
            del whole["labels"]
            logs = model(**whole).logits[0, -len(answer) - 1 : -1].log_softmax(-1)
            found += [float(logs[at, token]) for at, token in enumerate(answer)]
        return float(np.mean(found))

    trained = language_model(kind, "cross", lora=True, prefix=3)
    found = elsewhere.cost(trained, 2)
    assert found["after"] == pytest.approx(by_hand(trained.model), abs=2e-4)
    assert found["before"] == pytest.approx(by_hand(stock.model), abs=2e-4)
    assert abs(found["after"] - found["before"]) > 1e-3
    layers = [module for module in trained.model.modules() if isinstance(module, LoraLayer)]
    assert layers
    assert not any(layer.disable_adapters for layer in layers)
    assert all(w.requires_grad for name, w in trained.model.named_parameters() if "lora_" in name)
    # Without LoRA not a bit changes, whatever else was trained.
    untouched = language_model(kind, "cross", prefix=3)
    assert elsewhere._log_likelihood(untouched, 2) == elsewhere._log_likelihood(
        language_model(kind, None), 2
    )

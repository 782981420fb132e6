"""Memory counted for models of the real size, and attention that needs less of it."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.attention import flex_attention
from transformers.integrations import flex_attention as flex_of_transformers

from facewave.models.vlm import memory, model
from facewave.models.vlm.model import append_answers
from facewave.params import Language, LanguageModelKind, load
from making_language import PLACES, answers_of, inputs_of, language_model, turn
from running import ROOT

SETTINGS: Language = replace(
    load(ROOT / "params.yaml").train.language, batch_size=2, mode="finetune", checkpointing="never"
)
GIB = 2**30


def test_memory_is_counted_as_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an H200 (docs/benchmarks.md), with prompts of as many tokens; in GiB."""
    cases: tuple[tuple[LanguageModelKind, bool, int, int, int, float], ...] = (
        ("qwen2.5-vl", False, 4, 10, 39, 8.52),
        ("paligemma2", False, 16, 10, 29, 84.87),
        ("paligemma2", True, 16, 0, 29, 29.8),
    )
    for kind, is_flex, frames, face_tokens, words, measured in cases:
        monkeypatch.setattr(model, "flex_attention_fits", lambda is_flex=is_flex: is_flex)
        settings = replace(SETTINGS, frames=frames, face_tokens=face_tokens)
        found = memory.of_training(kind, settings, words)
        assert found.total / GIB == pytest.approx(measured, rel=0.03), (kind, is_flex, frames)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.filterwarnings("ignore:_compile flag on create_block_mask")
def test_paligemma_learns_the_same_with_flex_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uncompiled, on the CPU: a padded batch whose prompts are longer than the layers' window."""
    # Only its compiled kernels know no backward pass on a CPU.
    monkeypatch.setattr(flex_attention, "_validate_device", lambda *_: None)
    calls: list[object] = []
    compiled = flex_of_transformers.compile_friendly_flex_attention

    def called(*arguments: Any, **named: Any) -> object:
        calls.append(named)
        return compiled(*arguments, **named)

    monkeypatch.setattr(flex_of_transformers, "compile_friendly_flex_attention", called)
    talks = [[turn(frames=12)], [turn("And this?" + PLACES, frames=12, seed=1)]]
    found = []
    for attention in ("eager", "flex_attention"):
        language = language_model("tiny-paligemma2", "cross", lora=True)
        batch = append_answers(
            inputs_of(language, talks), answers_of(language)[1:], language.backbone
        )
        assert (batch["attention_mask"] == 0).any()
        for layer in language.model.get_decoder().layers:
            layer.self_attn.attn_logit_softcapping = 0.5  # so that it matters
        language.model.set_attn_implementation({"text_config": attention})
        with torch.compiler.set_stance("force_eager"):
            loss = language(**batch)["loss"]
            loss.backward()
        grads = {n: w.grad for n, w in language.named_parameters() if w.grad is not None}
        found.append((loss.detach(), grads))
    assert len(calls) == len(language.model.get_decoder().layers)
    (eager, expected), (flex, grads) = found
    torch.testing.assert_close(flex, eager, rtol=1e-6, atol=0)
    assert grads.keys() == expected.keys()
    for name, grad in expected.items():
        near = float(1e-4 * grad.abs().max())
        torch.testing.assert_close(grads[name], grad, rtol=0, atol=near, msg=name)

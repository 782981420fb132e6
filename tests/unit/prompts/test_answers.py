"""Where a language model answers and a GPU's memory is too small for it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from facewave.errors import UserError
from facewave.models.vlm import backbones
from facewave.models.vlm.model import LanguageModel
from facewave.prompts import answers, elsewhere
from toy_language_training import WORDS, Toy, model, settings


def test_too_little_memory_is_a_sentence_with_what_to_lower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, clips, quick = model("tiny-qwen2.5-vl"), Toy(2, 1, "face"), settings()

    def fail(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    for name in ("log_likelihoods", "generate", "values"):
        monkeypatch.setattr(LanguageModel, name, fail)
    monkeypatch.setattr(elsewhere, "_log_likelihood", fail)
    monkeypatch.setattr(backbones, "_add_rows", fail)
    asked: dict[str, list[Callable[[], Any]]] = {
        "inference_batch_size, frames or side": [
            lambda: answers.probabilities(module, clips, WORDS, quick),
            lambda: answers.written(module, clips, WORDS, quick),
            lambda: answers.values(module, clips, quick),
            lambda: elsewhere.cost(module, 2),
        ],
        "quantized: true, or take a smaller": [lambda: backbones.load("tiny-paligemma2", "hub")],
    }
    for remedy, calls in asked.items():
        for call in calls:
            with pytest.raises(UserError, match=f"memory is too small for .*{remedy}"):
                call()

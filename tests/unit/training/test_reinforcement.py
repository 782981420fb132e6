"""Rewards for drawn answers, and what is learnt from them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facewave.models.vlm.model import IGNORED, LanguageModel
from facewave.prompts.examples import collate
from facewave.training import reinforcement
from making_language import language_model
from toy_language_training import WORDS, Toy, settings, train

QUICK = settings(mode="reinforce", reasons="facts")


def module_of(**changes: Any) -> LanguageModel:
    return language_model(
        "tiny-qwen2.5-vl", lora=True, words=WORDS, mode="reinforce", **changes
    ).train()


def test_an_answer_is_made_likelier_by_how_much_better_it_is_than_its_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, clips = module_of(), Toy(2, 1, "face")
    right = ["Up. Emotion: a", "Emotion: b"]  # of different lengths, and so padded
    some = [replace(clips[at], answer=text) for at, text in enumerate(right)]
    batch = collate(module, some, answered=True)
    batch["weights_n"] = torch.tensor([1.0, 3.0])
    # Of each draw the texts about both clips, and what they deserve: readable, and right.
    draws = [("Emotion: a", "Emotion: a"), ("b", "Emotion: b"), ("No. Emotion: b", "Emotion: c")]
    rewards = np.array([[2, 1], [0, 2], [1, 0]], float)
    ids = [[module.backbone.answer_ids(text) for text in texts] for texts in draws]
    ids[0][1].pop()  # cut off: no end is learnt that was not drawn
    drawn, asked = iter(ids * 2), list[Any]()

    def generate(
        module: LanguageModel, inputs: dict[str, torch.Tensor], n: int, *, at_random: bool = False
    ) -> list[list[int]]:
        asked.append((module.training, at_random, inputs["input_ids"].shape))
        return next(drawn)

    monkeypatch.setattr(LanguageModel, "generate", generate)
    monkeypatch.setattr(reinforcement, "GROUP", len(draws))
    batches = reinforcement.drawn(module, batch, QUICK)
    advantages = (rewards - rewards.mean(0)) / (rewards.std(0) + 1e-4)
    for learnt, answers, advantage_n in zip(batches, ids, advantages, strict=True):
        labels = [[token for token in row if token != IGNORED] for row in learnt["labels"].tolist()]
        assert labels == answers
        assert learnt["weights_n"].tolist() == pytest.approx(advantage_n * [1, 3] / len(draws))
    assert module.training  # it draws as it would answer, and goes on learning
    prompt = collate(module, [clips[0], clips[1]])["input_ids"].shape
    assert asked == [(False, True, prompt)] * 3
    module.eval()
    assert reinforcement.loss(module, batch, QUICK).item() == -rewards[0].mean()
    assert asked[-1] == (False, False, prompt)


def test_drawn_answers_are_learnt_one_at_a_time_with_the_faces_that_they_were_drawn_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graphs of all of them would be eight times the memory."""
    monkeypatch.setattr("facewave.models.vlm.model._ABSENT", 1.0)
    module, alive = module_of(), list[int]()
    assert module.faces is not None
    graphs, seen = 0, list[bool]()

    def begin(model: LanguageModel, given: Any, named: dict[str, Any], out: Any) -> None:
        nonlocal graphs
        if model.training:
            graphs += 1
            alive.append(graphs)
            out["loss"].register_hook(done)

    def done(_: torch.Tensor) -> None:
        nonlocal graphs
        graphs -= 1

    module.register_forward_hook(begin, with_kwargs=True)
    module.faces.register_forward_pre_hook(lambda _, given: seen.append(bool(given[1].all())))
    before = {name: x.clone() for name, x in module.trained().items()}
    train(module, "face", tmp_path, n=2, epochs=1, batch_size=2, mode="reinforce")
    assert alive == [1] * reinforcement.GROUP
    assert all(seen)
    assert any(not torch.equal(x, before[name]) for name, x in module.trained().items())

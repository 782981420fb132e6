"""Training beside a frozen language model: what is kept, what is saved, and what is reported."""

import gc
import os
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainingArguments, trainer_utils

from facewave.errors import UserError
from facewave.params import LanguageModelKind, Rates
from facewave.prompts.examples import collate
from facewave.training import language_trainer
from facewave.training.sampling import Order
from making_language import language_model
from toy_language_training import WORDS, Toy, model, train

KIND: LanguageModelKind = "tiny-qwen2.5-vl"


def test_only_what_is_trained_is_saved_and_old_and_damaged_checkpoints_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(trainer_utils.logger, "warning_once", warnings.append)
    monkeypatch.setattr(os.path, "getmtime", lambda _: 0.0)  # of checkpoints soon after each other
    damaged = tmp_path / "checkpoint-7"
    damaged.mkdir()
    (damaged / "trainer_state.json").write_text("{")
    module = model("tiny-paligemma2")
    steps: list[int] = []
    train(module, "face", tmp_path, lambda step, figures: steps.append(step), n=16, epochs=1)
    assert not damaged.exists()
    assert steps[0] == 1
    assert not warnings
    [checkpoint] = tmp_path.glob("checkpoint-*")
    assert checkpoint.name == "checkpoint-2"
    weights = (checkpoint / "model.safetensors").stat().st_size
    trainable, total = module.counts()
    assert 4 * trainable < weights < 4 * total / 10
    assert not (checkpoint / "training_args.bin").exists()


def test_it_trains_on_one_gpu_recomputes_by_family_and_says_where_memory_is_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several GPUs each process has its own."""
    trainers: list[Trainer] = []

    def on_two_gpus(**changes: Any) -> TrainingArguments:
        arguments = TrainingArguments(**changes)
        arguments._n_gpu = 2
        return arguments

    def fail(trainer: Trainer, **_: Any) -> None:
        trainers.append(trainer)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(language_trainer, "TrainingArguments", on_two_gpus)
    monkeypatch.setattr(Trainer, "train", fail)
    kinds: tuple[LanguageModelKind, ...] = ("tiny-paligemma2", KIND)
    for kind, recomputes in zip(kinds, (True, False), strict=True):
        module = model(kind)
        with pytest.raises(UserError, match=r"memory is too small .* Lower train.language.batch"):
            train(module, "face", tmp_path, n=2)
        assert trainers[-1].args.n_gpu == 1
        marks = [getattr(part, "gradient_checkpointing", False) for part in module.modules()]
        assert any(marks) == recomputes


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    module = model(KIND)
    with torch.no_grad():
        for name in ("faces.absent", "faces.mix"):
            module.get_parameter(name).fill_(torch.nan)
    with pytest.raises(UserError, match=r"diverged. Lower train.language.lr"):
        train(module, "face", tmp_path, n=16, epochs=1)


def test_clips_count_by_their_weights_and_are_drawn_as_often_as_they_should(
    tmp_path: Path,
) -> None:
    module, clips = model(KIND), Toy(4, 1, "face")
    some = [replace(clips[row], weight=weight) for row, weight in enumerate((0.5, 2, 1.5, 0))]
    with torch.inference_mode():
        loss = module(**collate(module, some, answered=True))["loss"].item()
        losses = [
            module(**collate(module, [clips[row]], answered=True))["loss"] for row in range(4)
        ]
    expected = float(torch.stack(losses) @ torch.tensor([0.5, 2, 1.5, 0])) / 4
    assert loss == pytest.approx(expected, rel=1e-5)
    draws_n = torch.tensor([0.0, 1.0] * 12)
    learnt = train(module, "face", tmp_path, n=24, draws_n=draws_n, epochs=2)
    drawn, order = [], Order(24, draws_n, 0)
    for order.epoch in range(2):
        drawn += list(order)
    assert drawn[:24] != drawn[24:]
    assert all(row % 2 for row in drawn)
    assert learnt.shown == drawn


def test_each_kind_of_weights_has_its_own_learning_rate(tmp_path: Path) -> None:
    rates = Rates(0.02, 0.0002, 0.002)
    module = language_model(KIND, "linear", lora=True, prefix=2, projector=True, words=WORDS)
    kinds = module.groups()
    assert {name: len(weights) > 0 for name, weights in kinds.items()} == dict.fromkeys(kinds, True)
    trained = sum(len(weights) for weights in kinds.values())
    assert trained == sum(weight.requires_grad for weight in module.parameters())
    before = {name: [w.detach().clone() for w in weights] for name, weights in kinds.items()}
    train(module, "face", tmp_path, n=8, epochs=1, lr=rates, warmup=0.0, weight_decay=0.0)
    for name, weights in kinds.items():  # Adam's first step is as long as the rate, everywhere
        moved = max(
            float((now.detach() - then).abs().max())
            for now, then in zip(weights, before[name], strict=True)
        )
        assert moved == pytest.approx(getattr(rates, name), rel=0.05), name


def test_nothing_keeps_a_model_alive_after_its_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under mixed precision, too, whose wrapper of forward refers to the model."""
    monkeypatch.setattr(language_trainer, "precision", lambda: torch.bfloat16)
    module = model(KIND)
    train(module, "face", tmp_path, n=8, epochs=1)
    gone = weakref.ref(module), weakref.ref(module.model)
    del module
    gc.collect()
    assert [reference() for reference in gone] == [None, None]

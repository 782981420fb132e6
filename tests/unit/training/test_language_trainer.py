"""Training beside a frozen language model: what is kept, what is saved, and what is reported."""

import gc
import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewave.errors import UserError
from facewave.params import LanguageModelKind, Rates
from facewave.prompts.examples import Example, collate
from facewave.training import language_trainer
from making_language import language_model
from toy_language_training import WORDS, Toy, model, settings, train
from toy_targets import ccc

KIND: LanguageModelKind = "tiny-qwen2.5-vl"


def test_only_what_is_trained_is_saved_and_damaged_checkpoints_are_removed(tmp_path: Path) -> None:
    damaged = tmp_path / "checkpoint-7"
    damaged.mkdir()
    (damaged / "trainer_state.json").write_text("{")
    module = model("tiny-paligemma2")
    steps: list[int] = []
    train(module, "face", tmp_path, lambda step, figures: steps.append(step), n=16, epochs=1)
    assert not damaged.exists()
    assert steps[0] == 1
    [checkpoint] = tmp_path.glob("checkpoint-*")
    weights = (checkpoint / "model.safetensors").stat().st_size
    trainable, total = module.counts()
    assert 4 * trainable < weights < 4 * total / 10
    assert not (checkpoint / "training_args.bin").exists()


def test_the_epoch_of_least_validation_loss_stays_or_else_the_last(tmp_path: Path) -> None:
    module, quick = model(KIND), settings(epochs=1)
    before = {name: x.clone() for name, x in module.trained().items()}
    clips, nothing = Toy(16, 1, "face"), Toy(0, 2, "face")
    language_trainer.fit(module, clips, nothing, quick, 0, tmp_path, lambda *_: None)
    assert not (tmp_path / "best.json").exists()
    assert any(not torch.equal(x, before[name]) for name, x in module.trained().items())
    module = model(KIND)
    curve: list[float] = []

    def report(step: int, figures: dict[str, float]) -> None:
        curve.extend([figures["val_loss"]] if "val_loss" in figures else [])

    val = Toy(12, 2, "frames")
    quick = settings(epochs=6, warmup=0.95, lr=Rates(3, 3, 3))  # they rise until it goes astray
    folder = tmp_path / "another"
    language_trainer.fit(module, Toy(64, 1, "frames"), val, quick, 0, folder, report)
    assert min(curve) < curve[-1]
    kept = json.loads((folder / "best.json").read_text())
    assert kept["eval_loss"] == pytest.approx(min(curve))
    batch = collate(module, [val[i] for i in range(12)], answered=True)
    with torch.inference_mode():
        assert module(**batch)["loss"].item() == pytest.approx(min(curve), rel=1e-3)


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    module = model(KIND)
    with torch.no_grad():
        for name in ("faces.absent", "faces.mix"):
            module.get_parameter(name).fill_(torch.nan)
    with pytest.raises(UserError, match=r"diverged. Lower train.language.lr"):
        train(module, "face", tmp_path, n=16, epochs=1)


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path) -> None:
    lowest = []
    for size, accumulation in ((8, 1), (4, 2)):
        module = model(KIND)
        for part in module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        folder = tmp_path / f"{size}"
        train(module, "face", folder, n=32, epochs=2, batch_size=size, accumulation=accumulation)
        lowest.append(json.loads((folder / "best.json").read_text())["eval_loss"])
    assert lowest[0] == pytest.approx(lowest[1], rel=1e-4)


class Numbers(Toy):
    """Clips whose valence follows from their word."""

    def __getitem__(self, row: int) -> Example:
        return replace(super().__getitem__(row), targets_T=np.array([self.codes[row] - 0.25]))


def test_numbers_are_learnt_by_either_loss_which_is_of_all_validation_clips(
    tmp_path: Path,
) -> None:
    for objective in ("mse", "ccc"):
        module = language_model(KIND, targets=("valence",), disturbed=False, words=WORDS)
        learn, val = Numbers(48, 1, "face"), Numbers(20, 2, "face")
        assert module.head is not None
        assert module.faces is not None
        module.head.fit(torch.tensor([[-0.25], [0.75]]))
        module.faces.standardize.fit(torch.from_numpy(learn.numbers[:, 0]))
        curve: list[float] = []

        def report(step: int, figures: dict[str, float], curve: list[float] = curve) -> None:
            curve.extend([figures["val_loss"]] if "val_loss" in figures else [])

        quick = settings(objective=objective, epochs=4)
        language_trainer.fit(module, learn, val, quick, 0, tmp_path / objective, report)
        batch = collate(module, [val[i] for i in range(20)])
        with torch.inference_mode():
            values = module(**batch)["values"][:, 0].numpy()
        truth = val.codes - 0.25
        assert ccc(truth, values) > 0.7
        spread = 0.5  # of the two values that the head was fitted to
        expected = 1 - ccc(truth, values)
        if objective == "mse":
            expected = float(np.mean((values - truth) ** 2)) / spread**2
        assert min(curve) == pytest.approx(expected, rel=1e-2)


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

"""Training beside a frozen language model in full: it learns, and resumes after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from facewave import params
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import IGNORED, LanguageModel, append_answers
from facewave.params import LanguageModelKind, Rates
from facewave.prompts import answers, reasons
from facewave.prompts.examples import Example, collate
from facewave.training import language_trainer
from making_language import TOKENS, language_model
from running import ROOT
from toy_language_training import WORDS, Toy, Where, model, settings, train
from toy_targets import ccc

KIND: LanguageModelKind = "tiny-qwen2.5-vl"


@pytest.mark.parametrize("where", ["face", "frames"])
@pytest.mark.parametrize("kind", ["tiny-paligemma2", "tiny-qwen2.5-vl"])
def test_it_learns_what_is_only_in_the_face_tokens_or_only_in_the_frames(
    kind: LanguageModelKind, where: Where, tmp_path: Path
) -> None:
    module, quick = model(kind), settings()

    def accuracy(clips: Toy) -> float:
        probabilities = answers.probabilities(module, clips, WORDS, quick)
        return float(np.mean(probabilities.argmax(1) == clips.codes))

    test = Toy(60, 3, where)
    module.eval()
    assert accuracy(test) < 0.8
    train(module, where, tmp_path)
    assert accuracy(test) > 0.95
    # At chance with another clip's: three standard errors of 60 coins.
    assert abs(accuracy(Toy(60, 3, where, shuffled=True)) - 0.5) < 0.2


@pytest.fixture(scope="module")
def reader() -> LanguageModel:
    """A model with face tokens whose backbone has learnt to repeat a word, and is frozen."""
    module = language_model("tiny-qwen2.5-vl", disturbed=False, words=WORDS, mode="pretrain")
    backbone, draw = module.backbone, np.random.default_rng(0)
    weights = [weight.requires_grad_() for weight in module.model.parameters()]
    optimizer = torch.optim.Adam(weights, 1e-3)
    for _ in range(300):
        codes = draw.integers(0, 2, 8)
        pictures = draw.integers(0, 60, (8, 2, 28, 28, 3), dtype=np.uint8)
        talks = [
            [Turn(list(of_one), 2.0, "Which?" + TOKENS * WORDS[code])]
            for of_one, code in zip(pictures, codes, strict=True)
        ]
        answers_of = [backbone.answer_ids(WORDS[code]) for code in codes]
        inputs = append_answers(backbone.inputs(talks), answers_of, backbone)
        labels = inputs.pop("labels")
        logits = module.model(**inputs, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    module.model.requires_grad_(False)
    return module


def test_an_adapter_learns_at_its_default_rate_and_not_at_one_for_lora(
    reader: LanguageModel, tmp_path: Path
) -> None:
    rates = params.load(ROOT / "params.yaml").train.language.lr
    test, found = Toy(100, 3, "face"), {}
    for name, rate in (("default", rates.new), ("low", 5e-5)):
        module, alike = deepcopy(reader), Rates(rate, rate, rate)
        train(module, "face", tmp_path / name, n=320, lr=alike, epochs=8)
        shares = answers.probabilities(module, test, WORDS, settings())
        found[name] = float(np.mean(shares.argmax(1) == test.codes))
    assert found["default"] > 0.9
    assert abs(found["low"] - 0.5) < 0.15  # three standard errors of 100 coins


def start(folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests")))
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/support/toy_language_training.py"), str(folder)],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def figures(lines: list[str]) -> dict[tuple[int, str], float]:
    """What was reported of each step; nothing is reported twice with two values."""
    found: dict[tuple[int, str], float] = {}
    for step, reported in (json.loads(line) for line in lines if line.startswith("[")):
        for name, value in reported.items():
            assert found.setdefault((step, name), value) == value
    return found


def test_a_killed_run_resumes_to_the_same_losses_and_weights(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole").communicate(timeout=300)[0].splitlines()
    folder = tmp_path / "killed"
    killed = start(folder)
    deadline = time.monotonic() + 300
    while len(list(folder.glob("checkpoint-*/trainer_state.json"))) < 1:
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.02)
    while not (folder / "best.json").exists() and killed.poll() is None:  # into the second epoch
        time.sleep(0.02)
    time.sleep(0.3)
    killed.send_signal(signal.SIGKILL)
    before = killed.communicate(timeout=60)[0].splitlines()
    after = start(folder).communicate(timeout=300)[0].splitlines()
    assert not any(line.startswith("trained") for line in before)
    assert whole[-1].startswith("trained")
    assert after[-1] == whole[-1]
    assert figures(after) == figures(whole)  # those from before the kill are reported again


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    paths = os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests")))
    # As accelerate launches them, on two GPUs.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(ROOT / "tests/support/toy_language_training.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": paths, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    trained = [line for line in lines if line.startswith("trained")]
    assert len(trained) == 2
    assert trained[0] == trained[1]  # both have the same weights
    assert lines.count("epochs 0 1 2 3") == 2  # frames drawn by chance are others in each
    rates = {step: value for (step, name), value in figures(lines).items() if "rate" in name}
    assert max(rates, key=rates.__getitem__) <= 4  # warm-up is a share of all processes' steps
    steps = {step for step, _ in figures(lines)}
    assert max(steps) == 4 * 64 / (2 * 4)  # half as many as one process takes


class Reasoned(Toy):
    """Clips whose answer says what the face does before the label."""

    def __getitem__(self, row: int) -> Example:
        example = super().__getitem__(row)
        told = {"a": "up", "b": "down"}[example.answer]
        return replace(example, answer=reasons.answer(told, example.answer))


def test_it_learns_to_write_a_reason_and_the_label_behind_it(tmp_path: Path) -> None:
    module, learn, val, test = (
        model("tiny-qwen2.5-vl"),
        *(Reasoned(n, seed, "face") for seed, n in enumerate((320, 20, 20), 1)),
    )
    assert module.faces is not None
    module.faces.standardize.fit(torch.from_numpy(learn.numbers[:, 0]))
    quick = settings(reasons="facts", epochs=8, lr=Rates(0.05, 0.02, 0.001))
    language_trainer.fit(module, learn, val, quick, 0, tmp_path, lambda *_: None)
    written = list(answers.texts(module, test, quick, 30))
    assert np.mean([text == test[at].answer for at, text in enumerate(written)]) > 0.9
    words = [WORDS[code] for code in test.codes]
    assert np.mean(np.array(answers.written(module, test, WORDS, quick)[0]) == words) > 0.9
    shares_nC = answers.probabilities(module, test, WORDS, quick)
    assert np.mean(shares_nC.argmax(1) == test.codes) > 0.9


def test_it_learns_from_rewards_for_answers_that_it_draws(
    reader: LanguageModel, tmp_path: Path
) -> None:
    module, test = deepcopy(reader), Toy(60, 3, "face")
    quick = settings(mode="reinforce")

    def accuracy() -> float:
        named, _ = answers.written(module, test, WORDS, quick)
        return float(np.mean(np.array(named) == [WORDS[code] for code in test.codes]))

    assert accuracy() < 0.7
    alike = Rates(0.03, 0.03, 0.03)
    train(module, "face", tmp_path, mode="reinforce", lr=alike, epochs=1)
    assert accuracy() > 0.95


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

"""Training beside a frozen language model in full: it learns, and resumes after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from facewave import params
from facewave.models.vlm.backbones import Turn
from facewave.models.vlm.model import IGNORED, LanguageModel, append_answers
from facewave.params import LanguageModelKind, Rates
from facewave.prompts import answers
from making_language import TOKENS, language_model
from running import ROOT
from toy_language_training import WORDS, Toy, Where, model, settings, train


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
        inputs = append_answers(backbone.inputs(talks), answers_of, 0)
        labels = inputs.pop("labels")
        logits = module.model(**inputs, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    module.model.requires_grad_(False)
    return module


def test_an_adapter_learns_at_its_default_rate_and_not_at_one_for_lora(tmp_path: Path) -> None:
    rates = params.load(ROOT / "params.yaml").train.language.lr
    test, found, first = Toy(100, 3, "face"), {}, reader()
    for name, rate in (("default", rates.new), ("low", 5e-5)):
        module, alike = deepcopy(first), Rates(rate, rate, rate)
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

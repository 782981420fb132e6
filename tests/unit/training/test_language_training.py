"""Training beside a frozen language model: it learns, it goes on after a kill, it takes turns."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facewave.errors import UserError
from facewave.params import LanguageModelKind
from facewave.prompts import answers
from facewave.training import language, losses
from running import ROOT
from talking import WORDS, Toy, Where, model, settings, train


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost tiny models five times what they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("where", ["face", "frames"])
@pytest.mark.parametrize("kind", ["tiny-paligemma2", "tiny-qwen2.5-vl"])
def test_it_learns_what_is_only_in_the_face_tokens_or_only_in_the_frames(
    kind: LanguageModelKind, where: Where, tmp_path: Path
) -> None:
    module, asked = model(kind), settings()

    def accuracy(clips: Toy) -> float:
        found = answers.probabilities(module, clips, WORDS, asked)
        return float(np.mean(found.argmax(1) == clips.codes))

    test = Toy(60, 3, where)
    module.eval()
    assert accuracy(test) < 0.8
    train(module, where, tmp_path)
    assert accuracy(test) > 0.95
    # At chance with another clip's: three standard errors of 60 coins.
    assert abs(accuracy(Toy(60, 3, where, shuffled=True)) - 0.5) < 0.2


def start(folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests")))
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/support/talking.py"), str(folder)],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def figures(lines: list[str]) -> dict[tuple[int, str], float]:
    """What was told of each step; nothing is told twice in two ways."""
    found: dict[tuple[int, str], float] = {}
    for step, told in (json.loads(line) for line in lines if line.startswith("[")):
        for name, value in told.items():
            assert found.setdefault((step, name), value) == value
    return found


def test_a_killed_run_goes_on_to_the_same_losses_and_weights(tmp_path: Path) -> None:
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
    assert figures(after) == figures(whole)  # those of before the kill are told again


def test_only_what_is_trained_is_saved(tmp_path: Path) -> None:
    module = model("tiny-paligemma2")
    train(module, "face", tmp_path, n=16, epochs=1)
    [checkpoint] = tmp_path.glob("checkpoint-*")
    weights = (checkpoint / "model.safetensors").stat().st_size
    trainable, total = module.counts()
    assert 4 * trainable < weights < 4 * total / 10
    assert not (checkpoint / "training_args.bin").exists()


def test_a_torn_checkpoint_is_not_gone_on_with(tmp_path: Path) -> None:
    torn = tmp_path / "checkpoint-7"
    torn.mkdir()
    (torn / "trainer_state.json").write_text("{")
    module = model("tiny-qwen2.5-vl")
    told: list[int] = []
    train(module, "face", tmp_path, lambda step, figures: told.append(step), n=16, epochs=1)
    assert not torn.exists()
    assert told[0] == 1


def test_without_validation_the_last_epoch_stays(tmp_path: Path) -> None:
    module = model("tiny-qwen2.5-vl")
    before = {name: x.clone() for name, x in module.trained().items()}
    language.fit(
        module, Toy(16, 1, "face"), Toy(0, 2, "face"), settings(epochs=1), 0, tmp_path, _deaf
    )
    assert not (tmp_path / "best.json").exists()
    assert any(not torch.equal(x, before[name]) for name, x in module.trained().items())


def test_the_epoch_of_least_validation_loss_stays(tmp_path: Path) -> None:
    module = model("tiny-qwen2.5-vl")
    curve: list[float] = []

    def report(step: int, told: dict[str, float]) -> None:
        curve.extend([told["val_loss"]] if "val_loss" in told else [])

    val = Toy(20, 2, "frames", crossed=True)  # the better it learns, the worse these
    language.fit(module, Toy(160, 1, "frames"), val, settings(epochs=8), 0, tmp_path, report)
    assert min(curve) < curve[-1]
    kept = json.loads((tmp_path / "best.json").read_text())
    assert kept["eval_loss"] == pytest.approx(min(curve))
    batch = language._collate(module.bare, True, True, [val[i] for i in range(20)])
    with torch.inference_mode():
        assert module(**batch)["loss"].item() == pytest.approx(min(curve), rel=1e-3)


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    module = model("tiny-qwen2.5-vl")
    with torch.no_grad():
        module.get_parameter("faces.absent").fill_(torch.nan)
        module.get_parameter("faces.mix").fill_(torch.nan)
    with pytest.raises(UserError, match=r"diverged. Lower train.language.lr"):
        train(module, "face", tmp_path, n=16, epochs=1)


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path) -> None:
    curves: list[list[float]] = []
    for name, how in (("one", {"batch_size": 8}), ("two", {"batch_size": 4, "accumulation": 2})):
        module = model("tiny-qwen2.5-vl")
        for part in module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        curve: list[float] = []

        def report(step: int, told: dict[str, float], curve: list[float] = curve) -> None:
            curve.extend([told["val_loss"]] if "val_loss" in told else [])

        train(module, "face", tmp_path / name, report, n=32, epochs=2, **how)
        curves.append(curve)
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    paths = os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests")))
    # As accelerate launches them, on two GPUs.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(ROOT / "tests/support/talking.py"), str(tmp_path)],
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


@pytest.mark.parametrize("how", ["mse", "ccc"])
def test_regression_is_best_where_it_is_right(how: str) -> None:
    actual = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    right = losses.regression(how, actual, actual)
    assert right.item() == pytest.approx(0, abs=1e-6)
    assert losses.regression(how, actual + 1, actual) > 0.1
    assert losses.regression(how, actual.flip(0), actual) > 0.5


def test_the_concordance_loss_is_that_of_torchmetrics() -> None:
    from torchmetrics.functional import concordance_corrcoef

    given, actual = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(1))
    # torchmetrics divides by n - 1; over many clips that is the same.
    many = (x.repeat(400, 1) for x in (given, actual))
    ours = losses.regression("ccc", given, actual)
    assert ours.item() == pytest.approx(1 - concordance_corrcoef(*many).mean().item(), abs=1e-4)


def _deaf(step: int, figures: dict[str, Any]) -> None:
    """Nobody listens."""

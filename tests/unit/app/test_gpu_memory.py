"""``facewave doctor --model``: what is said of cards that suffice, and of those that do not."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from facewave.app import gpu_memory
from facewave.models.vlm import memory
from facewave.models.vlm.memory import Memory
from facewave.params import Language
from making import write_params
from running import facewave

GB = 10**9
LEARNS = "paligemma2, mode finetune, batch_size 4, 4 frames of 224 pixels, 7 labels"
ANSWERS = "paligemma2, answers, inference_batch_size 4, 4 frames of 224 pixels, 7 labels"


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """The tokens of prompts and answers that were counted last, by simple rules."""
    tokens: dict[str, tuple[int, int]] = {}

    def training(kind: str, settings: Language, words: int, answer: int) -> Memory:
        assert settings.mode != "zero_shot"
        tokens["training"] = (words, answer)
        kept = settings.batch_size * settings.frames * GB // 2
        return Memory(6 * GB, 0, kept // 4 if settings.checkpointing == "always" else kept, 0)

    def answering(kind: str, settings: Language, words: int, answer: int) -> Memory:
        tokens["answering"] = (words, answer)
        return Memory(6 * GB, 0, 0, 2 * GB * settings.inference_batch_size)

    monkeypatch.setattr(memory, "of_training", training)
    monkeypatch.setattr(memory, "of_answering", answering)
    write_params(tmp_path, train={"language": {"batch_size": 4, "inference_batch_size": 4}})
    monkeypatch.chdir(tmp_path)
    return tokens


def test_without_a_gpu_common_ones_are_named_and_what_to_lower_for_smaller_ones(
    counted: dict[str, tuple[int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    learning, answering = gpu_memory.examine("paligemma2")
    assert (learning.what, answering.what) == (LEARNS, ANSWERS)
    assert learning.state == (
        "15.0 GB (weights 6.0, kept for the backward pass 8.0, CUDA 1.0); no GPU here: 16 GB would "
        "do"
    )
    assert learning.advice == (
        "with 8 GB set train.language.batch_size: 2, accumulation: 8, checkpointing: always "
        "(8.0 GB)"
    )
    assert answering.state.startswith("15.0 GB (weights 6.0, at work 8.0, CUDA 1.0)")
    assert answering.advice == (
        "with 8 GB even frames: 1, quantized: true, inference_batch_size: 1 takes 9.0 GB"
    )
    assert not learning.blocking
    assert facewave("doctor", "--model", "paligemma2") == 0
    write_params(tmp_path, train={"language": {"prompt": "{labels}", "frames": 64}})
    assert gpu_memory.examine("paligemma2")[0].state.endswith("no GPU here: 80 GB would do")


def test_prompts_and_answers_are_counted_as_long_as_they_are(
    counted: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    """In tokens, of which a question has one for three characters."""

    def tokens(**changes: Any) -> Any:
        write_params(tmp_path, train={"language": changes})
        gpu_memory.examine("paligemma2")
        return *counted["training"], *counted["answering"]

    plain, label, *answering = tokens()
    assert plain == pytest.approx(memory.WORDS, abs=5)
    assert (label, answering) == (3, [plain, label])
    told = tokens(wordings=["What do you see?{face} {facts} {labels}"])
    assert told == pytest.approx((246, label, 246, label), abs=12)
    assert tokens(transcript="known")[0] == pytest.approx(plain + 340, abs=5)
    assert tokens(reasons="facts") == (plain, label + 256, plain + 256, label)
    assert tokens(mode="reinforce") == (plain, label + 24, plain, label)
    assert tokens(mode="reinforce", reasons="facts")[1] == label + 24 + 256
    (tmp_path / "data/labels").mkdir(parents=True)
    compounds = [f"sadly surprised, {at:02}" for at in range(43)]
    (tmp_path / "data/labels/demo.words.json").write_text(json.dumps(compounds))
    assert tokens()[:2] == (pytest.approx(plain - 18 + 43 * 7, abs=10), 7)
    assert "43 labels" in gpu_memory.examine("paligemma2")[0].what
    write_params(tmp_path, train={"targets": ["valence"], "model": "paligemma2"})
    gpu_memory.examine("paligemma2")
    words, answer = counted["training"]
    assert (words, answer) == pytest.approx((plain - 18, 0), abs=5)
    assert answer == 0


def test_a_gpu_that_is_too_small_is_told_what_to_lower(
    counted: dict[str, tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for size, advice in ((15 * GB, ""), (14 * GB, "set train.language.checkpointing: always")):
        gpu = SimpleNamespace(name="A card", total_memory=size)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _, gpu=gpu: gpu)
        learning, _ = gpu_memory.examine("paligemma2")
        assert learning.state.endswith(f"; A card has {size / GB:.1f} GB")
        assert learning.advice.startswith(advice)
        assert bool(learning.advice) == learning.blocking == bool(advice)
        assert facewave("doctor", "--model", "paligemma2") == int(bool(advice))
    assert "→ set train.language.checkpointing: always (9.0 GB)" in capsys.readouterr().out


def test_only_models_of_a_known_size_are_counted(
    counted: dict[str, tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tiny-paligemma2", "gpt"):
        assert facewave("doctor", "--model", name) == 2
        said = capsys.readouterr().err
        assert f"{name} is none of the models whose memory can be counted" in said
        assert "Name one of paligemma2, " in said

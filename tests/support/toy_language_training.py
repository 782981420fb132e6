"""A toy task for language models: the word shows in the face tokens alone, or in the frames alone.

As a command it trains on the task, for tests that kill it."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from facewave import params
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import LanguageModel
from facewave.params import Language, LanguageModelKind, Rates
from facewave.prompts.examples import Example, Examples
from facewave.training import language_trainer
from making_language import PLACES, STEPS, WIDTHS, language_model
from running import ROOT

WORDS = ("a", "b")
Where = Literal["face", "frames"]


class Toy(Examples):
    """Clips in memory.

    ``shuffled``: every clip has another's face and frames.
    """

    def __init__(self, n: int, seed: int, where: Where, *, shuffled: bool = False) -> None:
        draw = np.random.default_rng(seed)
        self.codes = draw.permutation(np.arange(n) % len(WORDS))
        self.numbers = draw.normal(0, 0.5, (n, 1, STEPS, sum(WIDTHS))).astype(np.float32)
        self.pictures = draw.integers(0, 60, (n, 2, 28, 28, 3), dtype=np.uint8)
        for clip, code in enumerate(self.codes):
            if where == "face":
                self.numbers[clip, 0, code] += 2
            else:
                self.pictures[clip, ..., code] = 220
        self.epochs: list[int] = []
        self.shown: list[int] = []
        self.seen = draw.permutation(n) if shuffled else np.arange(n)

    def __len__(self) -> int:
        return len(self.codes)

    def set_epoch(self, epoch: int) -> None:
        """Nothing is drawn."""
        self.epochs.append(epoch)

    def __getitem__(self, row: int) -> Example:
        self.shown.append(row)
        clip, word = self.seen[row], WORDS[self.codes[row]]
        turn = Turn(list(self.pictures[clip]), 2.0, "Which?" + PLACES)
        return Example([turn], self.numbers[clip], np.array([True]), word, np.zeros(1))


def settings(**changes: Any) -> Language:
    """The project's own, quick to train."""
    quick: dict[str, Any] = {
        "lr": Rates(0.05, 0.005, 0.0005),
        "epochs": 4,
        "batch_size": 8,
        "accumulation": 1,
        "warmup": 0.05,
    }
    return replace(params.load(ROOT / "params.yaml").train.language, **quick | changes)


def model(kind: LanguageModelKind) -> LanguageModel:
    """A fresh one with face tokens and LoRA."""
    return language_model(kind, lora=True, disturbed=False, words=WORDS)


def train(
    module: LanguageModel,
    where: Where,
    folder: Path,
    report: Callable[[int, dict[str, float]], None] = lambda step, figures: None,
    n: int = 160,
    draws_n: torch.Tensor | None = None,
    **changes: Any,
) -> Toy:
    """Train a model on the toy task; return the clips that it learnt from."""
    if module.faces is not None:
        module.faces.standardize.fit(torch.from_numpy(Toy(n, 1, where).numbers[:, 0]))
    learn, validate = Toy(n, 1, where), Toy(20, 2, where)
    language_trainer.fit(module, learn, validate, settings(**changes), 0, folder, report, draws_n)
    return learn


def main() -> None:
    """Train; write every figure as a line, and the digest of what came out."""
    torch.set_num_threads(1)
    module = model("tiny-qwen2.5-vl")

    def report(step: int, figures: dict[str, float]) -> None:
        print(json.dumps([step, figures]), flush=True)

    folder, draws_n = Path(sys.argv[1]), torch.arange(64.0)  # the first clip is never drawn
    clips = train(module, "face", folder, report, n=64, draws_n=draws_n, epochs=4, batch_size=4)
    assert 0 not in clips.shown
    total = sum(float(x.double().abs().sum()) for x in module.trained().values())
    epochs_set = " ".join(map(str, sorted(set(clips.epochs))))
    # In one piece: another process may write to the same pipe.
    sys.stdout.write(f"epochs {epochs_set}\ntrained {total}\n")


if __name__ == "__main__":
    main()

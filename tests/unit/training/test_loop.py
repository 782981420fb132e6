"""The training loop: its schedule, its sampler, and that it goes on where it stopped."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from facewave import params
from facewave.models.classifiers.heads import mlp
from facewave.training import loop, losses
from facewave.training.checkpoints import Checkpoint
from facewave.training.loop import Prepared, rate, train_head
from making import REPOSITORY

SETTINGS = replace(
    params.load(REPOSITORY / "params.yaml").train,
    lr=0.01,
    epochs=12,
    patience=12,
    batch_size=8,
    schedule="cosine",
)
torch.set_num_threads(1)


def prepared(n: int, seed: int) -> Prepared:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.arange(n) % 3
    inputs = torch.randn(n, 4, 2, generator=generator)
    inputs[:, 0, 0] += codes
    return Prepared(inputs, codes, losses.one_hot(codes, 3), torch.ones(n))


TRAIN, VAL = prepared(30, 1), prepared(15, 2)


class KilledError(Exception):
    """Stands for the end of the process."""


class Run:
    """One training of the same network, and what was heard of it."""

    def __init__(
        self,
        settings: params.Train = SETTINGS,
        path: Path | None = None,
        kill_after: int | None = None,
        val: Prepared = VAL,
        fingerprint: str = "x",
    ) -> None:
        self.heard: list[tuple[int, dict[str, float]]] = []
        self.losses = 0
        torch.manual_seed(0)
        self.head = mlp(8, 6, 0.5, 3)
        chosen = losses.choose(settings, torch.bincount(TRAIN.codes_n))

        def loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
            self.losses += logits.requires_grad
            return chosen(logits, targets, weights)

        def report(epoch: int, figures: dict[str, float]) -> None:
            self.heard.append((epoch, figures))
            if epoch == kill_after:
                raise KilledError

        checkpoint = Checkpoint(path, fingerprint) if path else None
        try:
            train_head(self.head, TRAIN, val, loss, settings, report, checkpoint)
        except KilledError:
            return

    def weights(self) -> dict[str, list[float]]:
        return {name: value.flatten().tolist() for name, value in self.head.state_dict().items()}


NOTHING = Prepared(**{name: tensor[:0] for name, tensor in vars(VAL).items()})


@pytest.fixture(autouse=True)
def _every_epoch_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoint, "due", True)


@pytest.mark.parametrize("killed", [1, 5, 10])
@pytest.mark.parametrize("imbalance", ["none", "sampler"])
@pytest.mark.parametrize("val", [VAL, NOTHING], ids=["validated", "not validated"])
def test_a_killed_training_goes_on_and_ends_the_same(
    killed: int, imbalance: Literal["none", "sampler"], val: Prepared, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, imbalance=imbalance)
    whole = Run(settings, val=val)
    assert whole.losses == 12 * 4
    path = tmp_path / "model.safetensors"
    Run(settings, path, kill_after=killed, val=val)  # what its last epoch did is lost
    torch.rand(17)
    resumed = Run(settings, path, val=val)
    assert resumed.losses == (12 - killed) * 4
    assert resumed.weights() == whole.weights()
    assert resumed.heard == whole.heard


def test_an_early_stop_is_the_same_after_a_kill(tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=200, patience=6, lr=0.05)
    whole = Run(settings)
    n_epochs = len(whole.heard)
    assert 10 < n_epochs < 200
    Run(settings, tmp_path / "a", kill_after=n_epochs - 2)  # after the best epoch
    resumed = Run(settings, tmp_path / "a")
    assert (resumed.weights(), resumed.heard) == (whole.weights(), whole.heard)
    assert resumed.losses == 2 * 4


def test_a_checkpoint_of_something_else_is_not_taken_up(tmp_path: Path) -> None:
    Run(path=tmp_path / "a", kill_after=5)
    other = Run(path=tmp_path / "a", fingerprint="y")
    assert other.losses == 12 * 4
    assert other.weights() == Run().weights()


def test_the_rate_is_that_of_each_step() -> None:
    """One step an epoch without momentum of its own: AdamW's decay tells the rate."""
    settings = replace(SETTINGS, epochs=5, batch_size=30, warmup=0.4, weight_decay=1.0)
    head = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.fill_(1)
    seen = [1.0]

    def report(epoch: int, figures: dict[str, float]) -> None:
        seen.append(next(head.parameters())[0, 0].item())

    def no_gradient(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return 0 * logits.sum()

    train_head(head, TRAIN, NOTHING, no_gradient, settings, report)
    factors = [(1 - after / before) / 0.01 for before, after in pairwise(seen)]
    expected = [1 / 3, 2 / 3, 1, 0.75, 0.25]  # two of five steps rise, three fall
    assert factors == pytest.approx(expected, abs=1e-3)
    assert factors == pytest.approx([rate(step, 5, settings) for step in range(5)], abs=1e-3)


@given(st.integers(1, 500), st.floats(0, 1))
def test_a_cosine_rises_then_falls_to_0(steps: int, warmup: float) -> None:
    settings = replace(SETTINGS, schedule="cosine", warmup=warmup)
    rates = np.array([rate(step, steps, settings) for step in range(steps + 1)])
    top = round(warmup * steps)
    assert rates[top] == pytest.approx(1)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert rates.min() >= 0
    if top < steps:
        assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_a_constant_rate_is_constant() -> None:
    settings = replace(SETTINGS, schedule="constant", warmup=0.5)
    assert {rate(step, 10, settings) for step in range(11)} == {1.0}


def test_the_sampler_shows_every_class_as_often() -> None:
    codes = torch.tensor([0] * 90 + [1] * 9 + [2])
    rare = Prepared(torch.zeros(100, 4, 2), codes, losses.one_hot(codes, 3), torch.arange(100.0))
    settings = replace(SETTINGS, imbalance="sampler", batch_size=50)
    batches = loop._batches(rare, settings, torch.Generator().manual_seed(0))
    epochs = [[clip for *_, weights in batches for clip in weights.tolist()] for _ in range(30)]
    assert {len(epoch) for epoch in epochs} == {100}
    assert epochs[0] != epochs[1]
    shown = np.bincount(codes[np.concatenate(epochs).astype(int)]) / 3000
    np.testing.assert_allclose(shown, 1 / 3, atol=0.03)

"""The training loop: its schedule, its sampler, its figures, and when it stops."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facewave import params
from facewave.models.classifiers.heads import mlp
from facewave.training import loop, losses
from facewave.training.loop import Prepared, train_head
from making import REPOSITORY

TRAIN_SETTINGS = params.load(REPOSITORY / "params.yaml").train


def settings(imbalance: Any = "none", **network: Any) -> params.Train:
    quick: dict[str, Any] = {
        "lr": 0.01,
        "epochs": 12,
        "patience": 12,
        "batch_size": 8,
        "schedule": "cosine",
    }
    changed = replace(TRAIN_SETTINGS.network, **quick | network)
    return replace(TRAIN_SETTINGS, imbalance=imbalance, network=changed)


def prepared(n: int, seed: int) -> Prepared:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.arange(n) % 3
    inputs = torch.randn(n, 4, 2, generator=generator)
    inputs[:, 0, 0] += codes
    return Prepared(inputs, codes, losses.one_hot(codes, 3), torch.ones(n))


TRAIN, VAL = prepared(30, 1), prepared(15, 2)
NOTHING = Prepared(**{name: tensor[:0] for name, tensor in vars(VAL).items()})


def run(chosen: params.Train, val: Prepared = VAL) -> tuple[list[dict[str, float]], nn.Module]:
    """The figures of every epoch, and the network."""
    history: list[dict[str, float]] = []

    def report(epoch: int, figures: dict[str, float]) -> None:
        assert epoch == len(history)
        history.append(figures)

    torch.manual_seed(0)
    head = mlp(8, 6, 0.5, 3)
    loss = losses.choose(chosen.network, torch.bincount(TRAIN.codes_n))
    train_head(head, TRAIN, val, loss, chosen, report)
    return history, head


def test_it_repeats_and_stops_after_patience() -> None:
    chosen = settings(epochs=200, patience=6, lr=0.05)
    history, head = run(chosen)
    val = [figures["val_loss"] for figures in history]
    best = int(np.argmin(val))
    assert best > 0
    assert len(history) == best + 1 + 6 < 200
    torch.rand(17)  # another draw from the global generator
    again, same = run(chosen)
    assert again == history
    for name, tensor in head.state_dict().items():
        assert torch.equal(same.state_dict()[name], tensor)
    assert [list(figures) for figures in run(settings(), NOTHING)[0]] == [["train_loss"]] * 12


def test_the_rate_is_that_of_each_step() -> None:
    """One step an epoch, with a gradient of 0: AdamW's decay tells the rate."""
    for schedule, warmup, expected in (
        ("cosine", 0.4, [0, 1 / 2, 1, 0.75, 0.25]),  # two of five steps rise, three fall
        ("cosine", 0.0, [1, 0.9045, 0.6545, 0.3455, 0.0955]),
        ("constant", 0.4, [1] * 5),
    ):
        changes = {"schedule": schedule, "warmup": warmup, "weight_decay": 1.0}
        chosen = settings(epochs=5, batch_size=30, **changes)
        head = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
        nn.init.ones_(next(head.parameters()))
        weights = [1.0]

        def report(
            epoch: int, _: object, head: nn.Module = head, weights: list[float] = weights
        ) -> None:
            weights.append(next(head.parameters())[0, 0].item())

        def no_gradient(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
            return 0 * logits.sum()

        train_head(head, TRAIN, NOTHING, no_gradient, chosen, report)
        factors = [(1 - after / before) / 0.01 for before, after in pairwise(weights)]
        assert factors == pytest.approx(expected, abs=1e-3)


def test_the_sampler_shows_every_class_as_often() -> None:
    codes = torch.tensor([0] * 90 + [1] * 9 + [2])
    rare = Prepared(torch.zeros(100, 4, 2), codes, losses.one_hot(codes, 3), torch.arange(100.0))
    batches = loop._batches(rare, settings("sampler", batch_size=50))
    epochs = [[clip for *_, weights in batches for clip in weights.tolist()] for _ in range(30)]
    assert {len(epoch) for epoch in epochs} == {100}
    assert epochs[0] != epochs[1]
    shown = np.bincount(codes[np.concatenate(epochs).astype(int)]) / 3000
    np.testing.assert_allclose(shown, 1 / 3, atol=0.03)

"""The training loop: its schedule and its sampler; test_fit.py shows what comes out."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from facewave import params
from facewave.training import loop, losses, sampling
from facewave.training.loop import Prepared, train_head
from making import REPOSITORY, words

TRAIN_SETTINGS = params.load(REPOSITORY / "params.yaml").train


def settings(**network: Any) -> params.Train:
    changed = replace(TRAIN_SETTINGS.network, **{"lr": 0.01} | network)
    return replace(TRAIN_SETTINGS, network=changed)


class NoGradient(losses.TaskLosses):
    """A loss that teaches nothing."""

    def forward(self, outputs_nO: Tensor, truth_nW: Tensor, weights_nT: Tensor) -> Tensor:
        """0, with a gradient of 0."""
        return 0 * outputs_nO.sum()


CLASSES = words("happy", "sad", "angry")
TRUTH = one_hot(torch.arange(30) % 3, 3).float()
TRAIN = Prepared(torch.ones(30, 4, 2), TRUTH, torch.ones(30, 1))
NOTHING = Prepared(**{name: tensor[:0] for name, tensor in vars(TRAIN).items()})


def test_the_rate_is_that_of_each_step() -> None:
    """One step an epoch, with a gradient of 0: AdamW's decay tells the rate."""
    for schedule, warmup, expected in (
        ("cosine", 0.4, [0, 1 / 2, 1, 0.75, 0.25]),  # two of five steps rise, three fall
        ("cosine", 0.0, [1, 0.9045, 0.6545, 0.3455, 0.0955]),
        ("constant", 0.4, [1] * 5),
        ("step", 0.4, [1, 1, 0.2, 0.2, 0.04]),  # every two epochs, by a fifth
    ):
        changes = {"schedule": schedule, "warmup": warmup, "weight_decay": 1.0}
        changes |= {"decay": 0.2, "decay_every": 2}
        chosen = settings(epochs=5, batch_size=30, **changes)
        head = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
        nn.init.ones_(next(head.parameters()))
        weights = [1.0]

        def report(
            epoch: int, _: object, head: nn.Module = head, weights: list[float] = weights
        ) -> None:
            weights.append(next(head.parameters())[0, 0].item())

        loss = NoGradient([CLASSES], chosen.network, {})
        train_head(head, [CLASSES], TRAIN, NOTHING, loss, None, chosen, report)
        factors = [(1 - after / before) / 0.01 for before, after in pairwise(weights)]
        assert factors == pytest.approx(expected, abs=1e-3)


def test_steps_are_counted_in_epochs_of_several_batches() -> None:
    network = settings(schedule="step", decay=0.5, decay_every=2).network
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule = loop.schedule_of(optimizer, network, batches=3)
    assert schedule
    rates = []
    for _ in range(13):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [1.0] * 6 + [0.5] * 6 + [0.25]


def test_the_sampler_shows_every_class_as_often() -> None:
    codes = torch.tensor([0] * 90 + [1] * 9 + [2])
    truth = one_hot(codes, 3).float()
    rare = Prepared(torch.zeros(100, 4, 2), truth, torch.arange(100.0)[:, None])
    draws = sampling.weights([CLASSES], truth)
    batches = loop._batches(rare, draws, settings(batch_size=50))
    epochs = [[clip for *_, w in batches for clip in w[:, 0].tolist()] for _ in range(30)]
    assert {len(epoch) for epoch in epochs} == {100}
    assert epochs[0] != epochs[1]
    shown = np.bincount(codes[np.concatenate(epochs).astype(int)]) / 3000
    np.testing.assert_allclose(shown, 1 / 3, atol=0.03)


def test_the_kept_weights_are_those_of_the_best_epoch_which_is_neither_first_nor_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curve = iter([3.0, 1.0, 2.0, 1.5])
    monkeypatch.setattr(loop, "validated", lambda *_: {"val_loss": next(curve)})
    last = nn.Linear(8, 3)
    head, weights = nn.Sequential(nn.Flatten(), last), []

    def report(epoch: int, figures: dict[str, float]) -> None:
        weights.append(last.weight.detach().clone())

    chosen = settings(epochs=4, loss="cross_entropy")
    loss = losses.TaskLosses([CLASSES], chosen.network, {"classes": torch.ones(3)})
    train_head(head, [CLASSES], TRAIN, TRAIN, loss, None, chosen, report)
    kept = [torch.equal(last.weight, of_epoch) for of_epoch in weights]
    assert kept == [False, True, False, False]

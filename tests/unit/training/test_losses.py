"""Losses: against values by hand and against torch, and what they do for rare classes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional import concordance_corrcoef

from facewave import params
from facewave.training import losses
from making import REPOSITORY

SETTINGS = params.load(REPOSITORY / "params.yaml").train.network
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, n: int = 9, c: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, codes and soft targets."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, c, generator=generator)
    codes = torch.randint(0, c, (n,), generator=generator)
    return logits, codes, torch.rand(n, c, generator=generator).softmax(1)


def chosen(logits: Tensor, targets: Tensor, weights: Tensor, counts: Tensor, **changes: Any) -> Any:
    return losses.choose(replace(SETTINGS, **changes), counts)(logits, targets, weights)


@given(seeds, st.floats(0, 0.9))
def test_cross_entropy_of_any_targets_is_torch_s_and_so_are_its_gradients(
    seed: int, share: float
) -> None:
    logits, codes, soft = drawn(seed)
    ours = losses.cross_entropy(logits, soft)
    torch.testing.assert_close(ours, functional.cross_entropy(logits, soft, reduction="none"))
    smoothed = losses.smooth(losses.one_hot(codes, 5), share)
    torch.testing.assert_close(smoothed.sum(1), torch.ones(9))
    expected = functional.cross_entropy(logits, codes, reduction="none", label_smoothing=share)
    torch.testing.assert_close(losses.cross_entropy(logits, smoothed), expected)
    learnt, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    counts, weights = torch.ones(5), torch.ones(9)
    loss = chosen(learnt, losses.one_hot(codes, 5), weights, counts, loss="cross_entropy")
    expected = functional.cross_entropy(theirs, codes)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    assert learnt.grad is not None
    assert theirs.grad is not None
    assert torch.equal(learnt.grad, theirs.grad)  # to the last bit: what was trained stays


def test_focal_and_multi_dice_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]))
    targets = torch.tensor([[1.0, 0, 0], [0, 0.5, 0.5]])
    shared = -0.5 * 0.75**2 * np.log(0.25) - 0.5 * 0.5**2 * np.log(0.5)
    by_hand = [-(0.3**2) * np.log(0.7), shared]
    np.testing.assert_allclose(losses.focal(logits, targets), by_hand, rtol=1e-5)
    logits = torch.log(torch.tensor([[0.6, 0.4], [0.1, 0.9]]))
    targets = torch.tensor([[1.0, 0], [1, 0]])
    first = [2.2 / 2.6, 1 / 1.4]  # (2 p t + 1) / (p + t + 1) of either class
    second = [1.2 / 2.1, 1 / 1.9]
    per_class = [1 - (first[c] + second[c]) / 2 for c in (0, 1)]
    ours = losses.multi_dice(logits, targets, torch.ones(2))
    assert ours.item() == pytest.approx(np.mean(per_class), rel=1e-5)
    weighted = losses.multi_dice(logits, targets, torch.tensor([0.4, 1.6]))
    per_clip = [1 - np.mean(first), 1 - np.mean(second)]
    assert weighted.item() == pytest.approx(np.mean([0.4, 1.6] * np.array(per_clip)), rel=1e-5)


def test_balanced_losses_add_the_log_prior_and_dice() -> None:
    logits, codes, _ = drawn(1, c=3)
    prior = torch.log(torch.tensor([6, 1, 3]) / 10)
    ours = losses.balanced(logits, losses.one_hot(codes, 3), torch.tensor([6, 0, 3]))
    expected = functional.cross_entropy(logits + prior, codes, reduction="none")
    torch.testing.assert_close(ours, expected)
    logits, _, soft = drawn(2)  # with even classes it is cross-entropy
    ours = losses.balanced(logits, soft, torch.full((5,), 8))
    torch.testing.assert_close(ours, losses.cross_entropy(logits, soft))
    logits, _, soft = drawn(0)
    counts, weights = torch.tensor([5, 4, 3, 2, 1]), torch.linspace(0.5, 1.5, 9)
    both = chosen(logits, soft, weights, counts, loss="balanced_dice")
    balanced = chosen(logits, soft, weights, counts, loss="balanced")
    dice = losses.multi_dice(logits, soft, weights)
    torch.testing.assert_close(both, balanced + 1.5 * dice)
    torch.testing.assert_close(
        balanced, (weights * losses.balanced(logits, soft, counts)).mean(), rtol=1e-5, atol=1e-6
    )


def test_every_loss_falls_towards_the_label_and_heeds_the_weights() -> None:
    targets, weights = losses.one_hot(torch.tensor([0, 1]), 2), torch.ones(2)
    counts = torch.tensor([3, 2])
    good, bad = (torch.tensor([[a, -a], [-a, a]]) for a in (3.0, -3.0))
    mixed = torch.stack([good[0], bad[1]])
    for name in ("cross_entropy", "focal", "balanced", "balanced_dice"):
        low, high = (chosen(x, targets, weights, counts, loss=name) for x in (good, bad))
        assert low < high
        light = chosen(mixed, targets, torch.tensor([1.5, 0.5]), counts, loss=name)
        heavy = chosen(mixed, targets, torch.tensor([0.5, 1.5]), counts, loss=name)
        assert light < heavy


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=7).filter(any))
def test_class_weights_by_the_effective_number_have_mean_1(counts: list[int]) -> None:
    weights = losses.class_weights(torch.tensor(counts)).numpy()
    effective = [sum(0.999**i for i in range(max(1, n))) for n in counts]
    np.testing.assert_allclose(weights * effective, weights[0] * effective[0], rtol=1e-6)
    assert (weights * counts).sum() / sum(counts) == pytest.approx(1)


def test_a_regression_loss_is_least_where_the_values_are_right() -> None:
    values, actual = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(1))
    for objective in ("mse", "ccc"):
        assert losses.regression(objective, actual, actual).item() == pytest.approx(0, abs=1e-6)
        assert losses.regression(objective, actual + 1, actual) > 0.1
        assert losses.regression(objective, actual.flip(0), actual) > 0.5
    # torchmetrics divides by n - 1, which over many clips is the same.
    many = (x.repeat(400, 1) for x in (values, actual))
    expected = 1 - concordance_corrcoef(*many).mean().item()
    assert losses.regression("ccc", values, actual).item() == pytest.approx(expected, abs=1e-4)
    mse = losses.regression("mse", values, actual)
    torch.testing.assert_close(mse, ((values - actual) ** 2).mean())

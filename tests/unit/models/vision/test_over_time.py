"""What joins a clip's faces: masks, order, and clips without a face."""

from typing import get_args

import pytest
import torch

from facewave.models.vision.over_time import Attention, build
from facewave.params import OverTime

N, T, E = 4, 5, 6
KINDS: tuple[OverTime, ...] = get_args(OverTime)


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(N, T, E, generator=torch.Generator().manual_seed(0))


def test_what_is_not_there_changes_nothing_and_what_is_does(features: torch.Tensor) -> None:
    there = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 1, 0], [0, 0, 0, 0, 0]]) > 0
    for kind in KINDS:
        torch.manual_seed(0)
        module = build(kind, E, 8, 0.0).eval()
        joined = module(features, there)
        assert joined.shape == (N, module.width), kind
        assert joined.isfinite().all(), kind
        with torch.inference_mode():  # where torch takes another, faster way
            torch.testing.assert_close(module(features, there), joined, msg=kind)
        strange = torch.where(there[..., None], features, 1e3)
        torch.testing.assert_close(module(strange, there)[:3], joined[:3], msg=kind)
        alone = torch.cat(
            [module(features[1:2, :2], there[1:2, :2]), module(features[:1], there[:1])]
        )
        torch.testing.assert_close(alone, joined[[1, 0]], msg=kind)
        for moment in (0, 2, 3):
            other = features.clone()
            other[2, moment] += 1
            assert not torch.allclose(module(other, there)[2], joined[2]), (kind, moment)
        joined = build(kind, E, 8, 0.0).train()(features.requires_grad_(), there)
        (gradient,) = torch.autograd.grad(joined.square().sum(), features)
        assert torch.equal(gradient.any(2), there), kind


def test_what_each_makes_of_time(features: torch.Tensor) -> None:
    there = torch.ones(N, T, dtype=torch.bool)
    torch.testing.assert_close(build("mean", E, 8, 0.0)(features, there), features.mean(1))
    backwards = features.flip(1)
    for kind in KINDS:
        module = build(kind, E, 8, 0.0).eval()
        same = torch.allclose(module(features, there), module(backwards, there), atol=1e-6)
        assert same == (kind in ("mean", "attention")), kind
    gru = build("gru", E, 8, 0.0)
    holes = torch.tensor([[True, False, True, True, False]]).expand(N, -1)
    dense = gru(features[:, [0, 2, 3]], holes[:, [0, 2, 3]])
    torch.testing.assert_close(gru(features, holes), dense)  # a gap is no step
    attention = build("attention", E, 8, 0.0)
    assert isinstance(attention, Attention)
    scores = attention.score(features)[..., 0]
    expected = (scores.softmax(1)[..., None] * features).sum(1)
    torch.testing.assert_close(attention(features, there), expected)

"""Heads: shake-shake regularisation."""

import torch
from scipy.stats import kstest
from torch import Tensor, nn

from facewave.models.classifiers.heads import Shake, mlp


class Constant(nn.Module):
    """A branch that answers with its own parameters, whatever it is given."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.full((4000, 3), value))

    def forward(self, inputs_nH: Tensor) -> Tensor:
        """(n, H) -> (n, H)."""
        return self.values


def test_branches_are_mixed_by_two_independent_uniform_numbers_a_clip() -> None:
    torch.manual_seed(0)
    shake = Shake(3)
    shake.first, shake.second = nn.Sequential(Constant(1.0)), nn.Sequential(Constant(0.0))
    inputs = torch.randn(4000, 3, requires_grad=True)
    branches = [inputs, *shake.parameters()]
    ones = torch.ones(4000, 3)
    mixed = shake.train()(inputs)
    alpha = mixed - inputs
    torch.testing.assert_close(alpha, alpha[:, :1].expand(-1, 3))  # one number for a whole clip
    past, beta, rest = torch.autograd.grad(mixed.sum(), branches)
    torch.testing.assert_close(beta, beta[:, :1].expand(-1, 3))
    torch.testing.assert_close(rest, 1 - beta)
    torch.testing.assert_close(past, ones)  # the residual way is untouched
    drawn = torch.stack([alpha[:, 0], beta[:, 0]]).detach()
    for numbers in drawn:
        assert kstest(numbers.numpy(), "uniform").pvalue > 0.01
    assert torch.corrcoef(drawn)[0, 1].abs() < 0.05
    assert not torch.equal(shake(inputs), mixed)  # drawn anew
    even = shake.eval()(inputs)
    torch.testing.assert_close(even, inputs + 0.5)
    past, *halves = torch.autograd.grad(even.sum(), branches)
    for half in halves:
        torch.testing.assert_close(half, ones / 2)


def test_a_shaken_mlp_learns_both_branches_and_is_steady_in_evaluation() -> None:
    torch.manual_seed(0)
    head = mlp(6, 5, 0.0, 2, shake=True)
    inputs = torch.randn(7, 3, 2)
    assert head(inputs).shape == (7, 2)
    assert not torch.equal(head(inputs), head(inputs))
    learnt = torch.autograd.grad(head(inputs).square().sum(), list(head.parameters()))
    assert all(gradient.any() for gradient in learnt)
    head.eval()
    assert torch.equal(head(inputs), head(inputs))
    assert not any(isinstance(part, Shake) for part in mlp(6, 5, 0.0, 2).modules())

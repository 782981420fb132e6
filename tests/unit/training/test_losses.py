"""Losses: against values by hand, torch and numpy, and what they do for rare or absent labels."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, product
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import one_hot
from torchmetrics.functional import concordance_corrcoef, pearson_corrcoef

from facewave import params
from facewave.models import outputs
from facewave.targets import Target
from facewave.training import calibration, losses
from making import REPOSITORY

SETTINGS = params.load(REPOSITORY / "params.yaml").train.network
NUMBERS = get_args(get_type_hints(params.Network)["numbers"])
seeds = st.integers(0, 2**32 - 1)
TARGETS = (
    Target("classes", "words", ("happy", "sad", "angry")),
    Target("valence", "number", ("valence",), -1, 1),
    Target("arousal", "number", ("arousal",), -1, 1),
    Target("about.sex", "words", ("female", "male")),
    Target("aus", "presence", ("AU1", "AU12")),
    Target("aus", "intensity", ("AU4", "AU6")),
)
COUNTS = {"classes": torch.tensor([5, 3, 2]), "about.sex": torch.tensor([4, 6])}


def drawn(seed: int, n: int = 9, c: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, codes and soft targets."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, c, generator=generator)
    codes = torch.randint(0, c, (n,), generator=generator)
    return logits, codes, torch.rand(n, c, generator=generator).softmax(1)


def chosen(logits: Tensor, targets: Tensor, weights: Tensor, counts: Tensor, **changes: Any) -> Any:
    target = Target("classes", "words", tuple(map(str, range(logits.shape[1]))))
    loss = losses.TaskLosses([target], replace(SETTINGS, **changes), {"classes": counts})
    return loss(logits, targets, weights[:, None])


@given(seeds, st.floats(0, 0.9))
def test_cross_entropy_of_any_targets_is_torch_s_and_so_are_its_gradients(
    seed: int, share: float
) -> None:
    logits, codes, soft = drawn(seed)
    ours = losses.cross_entropy(logits, soft)
    torch.testing.assert_close(ours, functional.cross_entropy(logits, soft, reduction="none"))
    smoothed = losses.smooth(one_hot(codes, 5).float(), share)
    torch.testing.assert_close(smoothed.sum(1), torch.ones(9))
    expected = functional.cross_entropy(logits, codes, reduction="none", label_smoothing=share)
    torch.testing.assert_close(losses.cross_entropy(logits, smoothed), expected)
    learnt, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    counts, weights = torch.ones(5), torch.ones(9)
    loss = chosen(learnt, one_hot(codes, 5).float(), weights, counts, loss="cross_entropy")
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
    ours = losses.balanced(logits, one_hot(codes, 3).float(), torch.tensor([6, 0, 3]))
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


def test_dice_alone_is_multi_dice_whose_mean_over_clips_is_of_each_class() -> None:
    logits, _, soft = drawn(3)
    shares = logits.softmax(1)
    of_classes = [
        1 - ((2 * p * t + 1) / (p + t + 1)).mean() for p, t in zip(shares.T, soft.T, strict=True)
    ]
    ours = chosen(logits, soft, torch.ones(9), torch.ones(5), loss="dice")
    torch.testing.assert_close(ours, torch.stack(of_classes).mean())


@given(seeds, st.permutations(range(5)))
def test_the_prior_is_that_of_each_class_in_whatever_order_they_are(
    seed: int, order: list[int]
) -> None:
    """One ordered by frequency would be another class's: the rarest would count as the first."""
    logits, codes, _ = drawn(seed)
    counts = torch.tensor([3, 40, 7, 1, 20])
    truth = one_hot(codes, 5).float()
    expected = functional.cross_entropy(logits + torch.log(counts / counts.sum()), codes)
    for name in ("balanced", "balanced_dice"):
        given_in_order = chosen(
            logits[:, order], truth[:, order], torch.ones(9), counts[order], loss=name
        )
        dice = 1.5 * losses.multi_dice(logits, truth, torch.ones(9)) * (name == "balanced_dice")
        torch.testing.assert_close(given_in_order, expected + dice)
    # As training counts them: of each class at its own place.
    rows = torch.cat([torch.full((int(n),), code) for code, n in enumerate(counts)])
    classes = Target("classes", "words", tuple("abcde"))
    counted = calibration.counts([classes], one_hot(rows, 5).float())["classes"]
    assert counted.tolist() == counts.tolist()


def test_every_loss_falls_towards_the_label_and_heeds_the_weights() -> None:
    targets, weights = one_hot(torch.tensor([0, 1]), 2).float(), torch.ones(2)
    counts = torch.tensor([3, 2])
    good, bad = (torch.tensor([[a, -a], [-a, a]]) for a in (3.0, -3.0))
    mixed = torch.stack([good[0], bad[1]])
    for name in get_args(params.Loss):
        low, high = (chosen(x, targets, weights, counts, loss=name) for x in (good, bad))
        assert low < high
        light = chosen(mixed, targets, torch.tensor([1.5, 0.5]), counts, loss=name)
        heavy = chosen(mixed, targets, torch.tensor([0.5, 1.5]), counts, loss=name)
        assert light < heavy


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=7).filter(any))
def test_class_weights_by_the_effective_number_have_mean_1(counts: list[int]) -> None:
    weights = losses.class_weights(torch.tensor(counts)).numpy()
    fewest = min(filter(None, counts))  # a class without clips weighs as the rarest that has some
    effective = [sum(0.999**i for i in range(n or fewest)) for n in counts]
    np.testing.assert_allclose(weights * effective, weights[0] * effective[0], rtol=1e-6)
    assert (weights * counts).sum() / sum(counts) == pytest.approx(1)


def of_all(**changes: Any) -> losses.TaskLosses:
    """The losses of all ``TARGETS``."""
    return losses.TaskLosses(TARGETS, replace(SETTINGS, **changes), COUNTS)


def labelled(seed: int, n: int = 12) -> tuple[Tensor, Tensor, list[slice]]:
    """Truth and weights of clips that lack a third of the labels, in float64.

    Also which columns of the outputs and of the truth each target has, without bins.
    """
    generator = torch.Generator().manual_seed(seed)
    widths = outputs.truth_widths(TARGETS)
    truth = torch.rand(n, sum(widths), generator=generator, dtype=torch.float64) * 2 - 1
    weights = torch.rand(n, len(TARGETS), generator=generator, dtype=torch.float64) + 0.5
    ends = np.cumsum(widths)
    columns = [slice(int(end - width), int(end)) for end, width in zip(ends, widths, strict=True)]
    for target, column in zip(TARGETS, columns, strict=True):
        if target.is_words:
            truth[:, column] = truth[:, column].softmax(1)
            truth[torch.rand(n, generator=generator) < 1 / 3, column] = torch.nan
        else:
            values = truth[:, column]
            if target.kind == "presence":
                values = (values > 0).double()
            lacking = torch.rand(values.shape, generator=generator) < 1 / 3
            truth[:, column] = values.masked_fill(lacking, torch.nan)
    return truth, weights, columns


def by_numpy(name: str, values: Any, truth: Any, weights: Any) -> float:
    """The loss of one column of numbers, by formulas of its own over what is known."""
    known = ~np.isnan(truth)
    values, truth, weights = values[known], truth[known], weights[known]
    moments = np.cov(values, truth, aweights=weights, ddof=0)
    apart = np.average(values, weights=weights) - np.average(truth, weights=weights)
    squares = np.mean(weights * (values - truth) ** 2)
    each = {
        "mse": squares,
        "mae": np.mean(weights * np.abs(values - truth)),
        "rmse": np.sqrt(squares),
        "ccc": 1 - 2 * moments[0, 1] / (np.trace(moments) + apart**2),
        "pcc": 1 - moments[0, 1] / np.sqrt(moments[0, 0] * moments[1, 1]),
    }
    each["emonet"] = np.mean([each[part] for part in ("rmse", "pcc", "ccc")])
    return float(each[name])


@given(seeds)
def test_losses_of_numbers_are_numpy_s_over_what_is_known_and_torchmetrics(seed: int) -> None:
    truth, weights, columns = labelled(seed, n=30)
    values = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed)).double()
    units = columns[5]
    for name in ("mse", "mae", "rmse", "ccc", "pcc"):
        ours = losses.of_numbers(name, values[:, units], truth[:, units], weights[:, 5]).item()
        both = [
            by_numpy(name, *(x.numpy() for x in (values[:, c], truth[:, c], weights[:, 5])))
            for c in range(units.start, units.stop)
        ]
        assert ours == pytest.approx(np.mean(both), rel=1e-5), name
    # torchmetrics' concordance divides by n - 1, which over many clips is the same.
    many, actual = (x[:, units].nan_to_num().repeat(400, 1) for x in (values, truth))
    theirs = {"ccc": concordance_corrcoef(many, actual), "pcc": pearson_corrcoef(many, actual)}
    for name, figure in theirs.items():
        ours = losses.of_numbers(name, many, actual, torch.ones(len(many))).item()
        assert ours == pytest.approx(1 - figure.mean().item(), abs=1e-4), name


def test_losses_of_numbers_are_least_at_the_truth_and_finite_without_any_spread() -> None:
    values, truth = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(1))
    even = torch.ones(50)
    for name in ("mse", "mae", "rmse", "ccc", "pcc"):
        assert losses.of_numbers(name, truth, truth, even).item() == pytest.approx(0, abs=2e-4)
        assert losses.of_numbers(name, truth.flip(0), truth, even) > 0.5
        assert (losses.of_numbers(name, truth + 1, truth, even) > 0.1) == (name != "pcc")
        for flat in (values[:1].expand(50, 2), truth):  # constant answers; nothing left to learn
            learnt = flat.clone().requires_grad_()
            losses.of_numbers(name, learnt, truth, even).backward()
            assert learnt.grad is not None
            assert learnt.grad.isfinite().all()
        assert losses.of_numbers(name, values, truth, 0 * even).isfinite()  # no clip counts
        of_one = losses.of_numbers(name, values[:1], truth[:1], even[:1])
        assert (of_one == 0) == (name in ("ccc", "pcc"))  # which take two
        lacking = truth.clone()
        lacking[:, 0] = torch.nan  # what no clip has is not in the mean
        alone = losses.of_numbers(name, values[:, 1:], truth[:, 1:], even)
        torch.testing.assert_close(losses.of_numbers(name, values, lacking, even), alone)


def test_the_loss_of_presence_is_torch_s_over_the_units_that_are_known() -> None:
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    truth = (logits.flip(0) > 0).float()
    truth[2, 1] = truth[5] = torch.nan
    weights = torch.linspace(0.5, 1.5, 8)
    known = ~truth.isnan()
    expected = functional.binary_cross_entropy_with_logits(
        logits[known], truth[known], weights[:, None].expand(8, 3)[known]
    )
    torch.testing.assert_close(losses.of_presence(logits, truth, weights), expected)


def test_bins_are_cross_entropy_and_the_concordance_of_the_expectation() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(9, 20, generator=generator), torch.linspace(-1, 1, 9)[:, None]
    logits[4], truth[4] = 50.0, torch.nan
    weights = torch.linspace(0.5, 1.5, 9)
    kept = [row for row in range(9) if row != 4]
    codes = torch.tensor([0, 2, 5, 7, 12, 15, 17, 19])  # of -1, -0.75, ..., 1
    entropy = functional.cross_entropy(logits[kept], codes, reduction="none") * weights[kept]
    values = (logits[kept].softmax(1) * (torch.arange(20) / 10 - 0.95)).sum(1)
    ccc = by_numpy("ccc", values.numpy(), truth[kept, 0].numpy(), weights[kept].numpy())
    ours = losses.of_bins(logits, truth, weights).item()
    assert ours == pytest.approx(entropy.mean().item() + ccc, rel=1e-5)


def test_gradients_are_those_of_finite_differences() -> None:
    truth, weights, _ = labelled(3, n=5)
    for name, words in zip(NUMBERS, cycle(["focal", "balanced_dice"]), strict=False):
        task_weights = {"valence": 2.0} if words == "focal" else "learnt"
        loss = of_all(numbers=name, loss=words, task_weights=task_weights).double().eval()
        generator = torch.Generator().manual_seed(1)
        values = torch.randn(5, sum(loss.widths), generator=generator, dtype=torch.float64)
        inputs = (values.requires_grad_(), *loss.parameters())
        assert torch.autograd.gradcheck(lambda x, *_, f=loss: f(x, truth, weights), inputs)


def with_labels(widths: Sequence[int], truth: Tensor) -> Tensor:
    """Which outputs, (n, O), are of a label that the clip has."""
    masks = []
    truths = truth.split(outputs.truth_widths(TARGETS), 1)
    for width, of_target in zip(widths, truths, strict=True):
        known = ~of_target.isnan()
        masks.append(known if width == known.shape[1] else known.expand(-1, width))
    return torch.cat(masks, 1)


def test_a_clip_without_a_label_changes_nothing_of_that_head() -> None:
    truth, weights, columns = labelled(4)
    truth[:, columns[0]] = torch.nan  # no clip has classes, one alone has arousal
    truth[:, columns[2]] = torch.tensor([[0.5]] + 11 * [[torch.nan]])
    for name, task_weights in product(NUMBERS, ({}, "learnt")):
        loss = of_all(numbers=name, loss="balanced_dice", task_weights=task_weights)
        loss.double().eval()
        known = with_labels(loss.widths, truth)
        generator = torch.Generator().manual_seed(1)
        values = torch.randn(known.shape, generator=generator, dtype=torch.float64)
        value = loss(values.requires_grad_(), truth, weights)
        gradient, *of_variances = torch.autograd.grad(value, [values, *loss.parameters()])
        teaches = known.clone()
        takes_two = name in ("ccc", "pcc")  # clips
        teaches[:, sum(loss.widths[:2]) : sum(loss.widths[:3])] &= not takes_two
        assert torch.equal(gradient != 0, teaches), name
        assert torch.equal(loss(values.where(known, torch.inf), truth, weights), value), name
        for moved in of_variances:
            assert (moved == 0).tolist() == [True, False, takes_two, False, False, False], name
        nothing = loss(values, torch.full_like(truth, torch.nan), weights)
        assert nothing.item() == 0
        for gradient in torch.autograd.grad(nothing, [values, *loss.parameters()]):
            assert torch.equal(gradient, torch.zeros_like(gradient)), name


def test_the_whole_is_the_sum_of_the_parts_by_their_weights() -> None:
    truth, weights, columns = labelled(5)
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(truth.shape, generator=generator, dtype=torch.float64)
    for name in ("mse", "mae", "ccc", "pcc", "emonet"):
        parts = [
            losses.of_words("focal", values[:, c], truth[:, c], weights[:, at], COUNTS[target.name])
            if target.is_words
            else losses.of_presence(values[:, c], truth[:, c], weights[:, at])
            for at, (target, c) in enumerate(zip(TARGETS, columns, strict=True))
            if target.kind not in ("number", "intensity")
        ]
        of_numbers = [
            by_numpy(name, *(x.numpy() for x in (values[:, c], truth[:, c], weights[:, at])))
            for at, c in ((1, 3), (2, 4))
        ]
        plain = "mse" if name == "emonet" else name
        intensity = np.mean(
            [
                by_numpy(plain, *(x.numpy() for x in (values[:, c], truth[:, c], weights[:, 5])))
                for c in (9, 10)
            ]
        )
        first, sex, presence = (part.item() for part in parts)
        each = np.array([first, *of_numbers, sex, presence, intensity])
        settings: dict[str, Any] = {"numbers": name, "loss": "focal"}
        fixed = of_all(**settings, task_weights={"arousal": 3.0, "about.sex": 0.5}).eval()
        expected = each @ [1, 1, 3, 0.5, 1, 1]
        assert fixed(values, truth, weights).item() == pytest.approx(expected, rel=1e-5)
        learnt = of_all(**settings, task_weights="learnt").double().eval()
        s = np.linspace(-1, 1, 6)
        assert learnt.log_variances is not None
        learnt.log_variances.data = torch.from_numpy(s)
        expected = each @ (np.exp(-s) * [1, 0.5, 0.5, 1, 1, 0.5]) + s.sum() / 2
        assert learnt(values, truth, weights).item() == pytest.approx(expected, rel=1e-5)


def test_emonet_mixes_by_three_numbers_drawn_anew_at_each_step_of_training_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    values, truth = torch.randn(2, 40, 2, generator=generator)
    numbers = [target for target in TARGETS if target.kind == "number"]
    loss = losses.TaskLosses(numbers, replace(SETTINGS, numbers="emonet", task_weights={}), {})
    weights = torch.ones(40, 2)
    columns = [(values[:, t : t + 1], truth[:, t : t + 1], weights[:, t]) for t in (0, 1)]
    three = torch.stack([
        losses.of_numbers(part, *columns[0]) + losses.of_numbers(part, *columns[1])
        for part in ("rmse", "pcc", "ccc")
    ])  # fmt: skip
    torch.manual_seed(7)
    drawn = torch.rand(3)
    torch.manual_seed(7)
    expected = (drawn / drawn.sum() * three).sum()  # one draw for both
    torch.testing.assert_close(loss.train()(values, truth, weights), expected)
    assert loss(values, truth, weights) != loss(values, truth, weights)
    torch.testing.assert_close(loss.eval()(values, truth, weights), three.mean())
    assert torch.equal(loss(values, truth, weights), loss(values, truth, weights))


def test_emonet_s_mixture_is_distributed_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"rmse": 1.0, "pcc": 0.0, "ccc": 0.0}
    monkeypatch.setattr(losses, "of_numbers", lambda name, *_: torch.tensor(parts[name]))
    settings = replace(SETTINGS, numbers="emonet", task_weights={})
    loss = losses.TaskLosses([TARGETS[1]], settings, {})
    one = torch.zeros(1, 1)
    rng = np.random.default_rng(0)
    uniform = rng.uniform(size=(3, 20_000))
    for name in parts:
        parts.update({part: float(part == name) for part in parts})
        torch.manual_seed(1)
        ours = [loss(one, one, one).item() for _ in range(3000)]
        assert np.mean(ours) == pytest.approx(1 / 3, abs=0.01)
        assert ks_2samp(ours, uniform[0] / uniform.sum(axis=0)).pvalue > 0.01


def test_learnt_weights_favour_the_task_with_less_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(500, 1, generator=generator)
    noise = torch.randn(500, 2, generator=generator) * torch.tensor([0.1, 0.8])
    truth, weights = inputs + noise, torch.ones(500, 2)
    settings = replace(SETTINGS, numbers="mse", task_weights="learnt")
    loss = losses.TaskLosses([TARGETS[1], TARGETS[2]], settings, {})
    head = torch.nn.Linear(1, 2)
    optimizer = torch.optim.Adam([*head.parameters(), *loss.parameters()], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        loss(head(inputs), truth, weights).backward()
        optimizer.step()
    assert loss.log_variances is not None
    variances = loss.log_variances.detach().exp()
    torch.testing.assert_close(variances, torch.tensor([0.01, 0.64]), rtol=0.2, atol=0)

"""Training a network whose inputs are read meanwhile: what it keeps, and what it comes back to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from facewave import params
from facewave.errors import UserError
from facewave.targets import number
from facewave.training import losses, streamed, streamed_trainer
from facewave.training.checkpoints import load_state, save_state
from facewave.training.loop import Report
from facewave.training.streamed import Example, Handling, collate
from facewave.training.streamed_trainer import Part, fit
from making import REPOSITORY, words
from toy_streamed import PointExamples, Points, same

TRAIN = params.load(REPOSITORY / "params.yaml").train
TARGETS = (words("happy", "sad", "angry"), number("valence"))
PLACES = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
Curve = list[tuple[int, dict[str, float]]]


def settings(imbalance: Any = "weights", **network: Any) -> params.Train:
    chosen = {"lr": 0.02, "epochs": 6, "batch_size": 8, "dropout": 0.2} | network
    return replace(TRAIN, imbalance=imbalance, network=replace(TRAIN.network, **chosen))


def part(n: int, first: int = 0, seed: int | None = 0) -> Part:
    """n clips; some lack their word, and some their valence."""
    rows = np.arange(first, first + n)
    examples = PointExamples([f"clip {row}" for row in rows], PLACES[rows % 3], seed)
    truth_nC = one_hot(torch.from_numpy(rows) % 3, 3).float()
    truth_nC[rows % 5 == 0] = torch.nan
    valence_n = torch.linspace(-1, 1, 3)[rows % 3]
    valence_n[rows % 4 == 0] = torch.nan
    return Part(examples, torch.cat([truth_nC, valence_n[:, None]], 1), torch.linspace(0.5, 1, n))


def module() -> Points:
    torch.manual_seed(3)
    return Points("resnet18", TARGETS, False, dropout=0.2)


def trained(
    folder: Path,
    chosen: params.Train | None = None,
    report: Report = lambda epoch, figures: None,
    **handling: Any,
) -> Points:
    network, made = module(), (chosen or settings(), Handling(**handling), folder, report)
    fit(network, part(27), part(12, 100, None), *made)
    return network


def test_it_learns_and_reports_every_epoch(tmp_path: Path) -> None:
    curve: Curve = []
    network = trained(tmp_path, settings(epochs=25), lambda *told: curve.append(told))
    assert [epoch for epoch, _ in curve] == list(range(25))
    for _, figures in curve:
        assert sorted(figures) == ["train_loss", "val_loss", "val_uar", "val_war"]
    assert curve[-1][1]["val_loss"] < curve[0][1]["val_loss"] / 2
    assert not network.training
    answers = network.read(streamed.outputs(network, part(30, 300, None).examples))
    expected = np.arange(300, 330) % 3
    assert (answers[:, :3].argmax(1).numpy() == expected).mean() > 0.9
    assert np.corrcoef(answers[:, 3], expected)[0, 1] > 0.9
    assert network.margin[3].isfinite()  # by validation
    assert network.prior.answer[:3].sum() == pytest.approx(1)


def test_the_kept_weights_are_those_of_the_best_epoch_which_is_neither_first_nor_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = iter([3.0, 2.0, 1.0, 1.5])
    monkeypatch.setattr(streamed_trainer, "validated", lambda *_: {"val_loss": next(curve)})
    network, weights = module(), []

    def report(epoch: int, figures: dict[str, float]) -> None:
        weights.append(network.last.weight.detach().clone())

    fit(network, part(27), part(12, 100, None), settings(epochs=4), Handling(), tmp_path, report)
    kept = [torch.equal(network.last.weight, of_epoch) for of_epoch in weights]
    assert kept == [False, False, True, False]


def test_a_killed_run_comes_to_the_same_weights_and_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings("sampler", schedule="cosine", epochs=5, task_weights="learnt")
    handling: dict[str, Any] = {"ema": 0.5, "frozen_epochs": 2, "trunk_lr": 0.5}
    curve: Curve = []
    whole = trained(tmp_path / "whole", chosen, lambda *told: curve.append(told), **handling)
    read = PointExamples.__getitem__
    for epoch in (0, 2, 4):
        left = [13]  # in the second batch

        def killed(
            self: PointExamples, row: int, epoch: int = epoch, left: list[int] = left
        ) -> Example:
            left[0] -= self.seed is not None and self.epoch == epoch
            if not left[0]:
                raise KeyboardInterrupt
            return read(self, row)

        with monkeypatch.context() as context:
            context.setattr(PointExamples, "__getitem__", killed)
            with pytest.raises(KeyboardInterrupt):
                trained(tmp_path / "killed", chosen, **handling)
    again: Curve = []
    resumed = trained(tmp_path / "killed", chosen, lambda *told: again.append(told), **handling)
    assert again == curve
    assert same(resumed.state_dict(), whole.state_dict())


def test_what_is_drawn_depends_on_the_seed_and_not_on_the_number_of_workers(
    tmp_path: Path,
) -> None:
    alone = trained(tmp_path / "0", settings(epochs=2))
    assert same(alone.state_dict(), trained(tmp_path / "1", settings(epochs=2)).state_dict())
    busy = trained(tmp_path / "2", settings(epochs=2), workers=2)
    assert same(alone.state_dict(), busy.state_dict())
    other = trained(tmp_path / "3", replace(settings(epochs=2), seed=1))
    assert not same(alone.state_dict(), other.state_dict())


def test_the_sampler_shows_the_rare_as_often_as_the_frequent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_rare_n = torch.arange(200) % 10 == 0
    examples = PointExamples([f"clip {row}" for row in range(200)], PLACES[is_rare_n.long()], 0)
    truth_nC = one_hot(is_rare_n.long(), 3).float()
    train = Part(examples, truth_nC, torch.ones(200))
    nothing = Part(examples, truth_nC[:0], torch.ones(0))
    read = PointExamples.__getitem__
    drawn: list[int] = []

    def counted(self: PointExamples, row: int) -> Example:
        drawn.append(row)
        return read(self, row)

    monkeypatch.setattr(PointExamples, "__getitem__", counted)
    for imbalance, share, tolerance in (("sampler", 0.5, 0.15), ("weights", 0.1, 0.0)):
        drawn.clear()
        network = Points("resnet18", TARGETS[:1], False, dropout=0.2)
        chosen = settings(imbalance, epochs=1)
        fit(network, train, nothing, chosen, Handling(), tmp_path / imbalance)
        assert len(drawn) == 200, imbalance
        assert is_rare_n[drawn].double().mean().item() == pytest.approx(share, abs=tolerance)


def test_half_the_precision_learns_nearly_the_same(tmp_path: Path) -> None:
    chosen = settings(epochs=3)
    weights = [
        trained(tmp_path / str(at), chosen, precision=precision).last.weight
        for at, precision in enumerate(("float32", "bfloat16", "float32"))
    ]
    assert torch.equal(weights[0], weights[2])
    assert weights[1].dtype == torch.float32
    assert not torch.equal(weights[0], weights[1])
    torch.testing.assert_close(weights[0], weights[1], atol=0.02, rtol=0.1)


def test_a_frozen_trunk_stays_as_it_is_and_then_learns_more_slowly(tmp_path: Path) -> None:
    start = module().first.state_dict()

    def moved(network: Points) -> dict[str, float]:
        after = network.first.state_dict()
        return {name: (after[name] - start[name]).abs().max().item() for name in start}

    freezing: list[tuple[dict[str, Any], int]] = [({"frozen_epochs": 2}, 2), ({"trunk_lr": 0.0}, 4)]
    for handling, epochs in freezing:
        frozen = trained(tmp_path / str(epochs), settings(epochs=epochs), **handling)
        assert set(moved(frozen).values()) == {0}, handling  # of batch norm, too
        assert not same(frozen.last.state_dict(), module().last.state_dict())
    freed = moved(trained(tmp_path / "freed", settings(epochs=4), frozen_epochs=2))
    assert min(freed.values()) > 0
    # One step: AdamW moves every weight by the rate, whatever the gradient.
    step = settings(epochs=1, batch_size=100, weight_decay=0.0)
    for trunk_lr in (1.0, 0.1):
        weight = moved(trained(tmp_path / f"rate {trunk_lr}", step, trunk_lr=trunk_lr))["0.weight"]
        assert weight == pytest.approx(0.02 * trunk_lr, rel=0.01)


def test_the_average_of_the_weights_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    """Epochs of one step; a decay of 0.5 after 3 steps: 1/4, 1/4 and 1/2 of the weights."""
    one_step = {"batch_size": 100, "patience": 9, "schedule": "constant"}
    weights = []
    for epochs in (1, 2, 3):
        plain = settings(epochs=epochs, **one_step)
        network = _last_epoch(tmp_path / f"plain {epochs}", plain, 0.0)
        weights.append(network.last.weight)
    averaged = _last_epoch(tmp_path / "averaged", settings(epochs=3, **one_step), 0.5)
    expected = weights[0] / 4 + weights[1] / 4 + weights[2] / 2
    torch.testing.assert_close(averaged.last.weight, expected)
    assert not torch.allclose(averaged.last.weight, weights[2])


def _last_epoch(folder: Path, chosen: params.Train, ema: float) -> Points:
    """A network trained without validation: the last epoch's weights are kept."""
    network = module()
    fit(network, part(25), part(0, 0, None), chosen, Handling(ema=ema), folder)
    return network


def gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def test_a_clip_without_a_target_gives_it_exactly_no_gradient() -> None:
    network = module().eval()
    train = part(20)
    for target, columns in ((0, slice(0, 3)), (1, slice(3, 4))):
        lacking = train.truth_nW[:, columns].isnan().any(1).nonzero()[:, 0].tolist()
        loss = losses.TaskLosses(
            TARGETS, settings(numbers="mse").network, {"classes": torch.ones(3)}
        )
        learning = streamed_trainer._Learning(network, loss)
        batch = collate([train.examples[row] for row in lacking])
        truth_nW = train.truth_nW[lacking].clone()
        truth_nW[:, [at for at in range(4) if at not in range(4)[columns]]] = torch.nan
        learning.zero_grad()
        learning(batch, truth_nW, torch.ones(len(lacking), 2)).backward()
        assert not any(gradient(weight).any() for weight in network.parameters()), target
        known = train.truth_nW[lacking]  # they do have the other target
        learning(batch, known, torch.ones(len(lacking), 2)).backward()
        assert gradient(next(network.first.parameters())).any(), target
        of_target = gradient(network.last.weight)[columns]
        assert not of_target.any(), target


def test_a_clip_is_answered_alike_whatever_stands_beside_it() -> None:
    network = module().eval()
    examples = part(9, 0, None).examples
    assert len({len(examples[row]["points"]) for row in range(9)}) > 1
    together = network(**collate([examples[row] for row in range(9)]))
    for row in range(9):
        torch.testing.assert_close(network(**collate([examples[row]]))[0], together[row])


class Broken(nn.Module):
    """A head whose outputs are not numbers, or that takes too much memory."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error, self.weight = error, nn.Parameter(torch.full((1,), torch.nan))

    def forward(self, x_n8: Tensor) -> Tensor:
        if self.error:
            raise self.error
        return x_n8[:, :4] * self.weight


def test_what_stops_a_training_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (part(20), part(8, 100, None), settings())
    for broken, sentence in (
        (Broken(None), r"the training loss is not a number in epoch 0.*Lower train\.network\.lr"),
        (Broken(torch.OutOfMemoryError("CUDA")), r"memory is too small.*train\.network"),
    ):
        network = module()
        network.last = broken  # type: ignore[assignment]
        with pytest.raises(UserError, match=sentence):
            fit(network, *made, Handling(), tmp_path)
    beyond = part(8, 100, None)
    beyond.truth_nW[1, 3] = torch.inf
    diverged = r"the validation loss is not a number in epoch 0.*Lower train\.network\.lr"
    with pytest.raises(UserError, match=rf"{diverged}\.$"):
        fit(module(), made[0], beyond, made[2], Handling(), tmp_path)
    on_cpu = streamed_trainer._accelerator
    with monkeypatch.context() as context:
        context.setattr(streamed_trainer, "_accelerator", lambda _: on_cpu(Handling()))
        with pytest.raises(UserError, match=rf"{diverged}, or set train\.vision\.precision to"):
            fit(module(), made[0], beyond, made[2], Handling(precision="float16"), tmp_path)
    with pytest.raises(UserError, match=r"precision: float16 needs a GPU"):
        fit(module(), *made, Handling(precision="float16"), tmp_path)
    few = part(20)
    few.truth_nW[1:, 3] = torch.nan
    few.truth_nW[0, 3] = 0.5
    with pytest.raises(UserError, match=r"1 training clips have valence"):
        fit(module(), few, *made[1:], Handling(), tmp_path)


def test_a_state_comes_back_as_it_was_or_not_at_all(tmp_path: Path) -> None:
    state = {"a": {0: {"step": torch.tensor(3.0)}, 1: [1, 2.5, None]}, "best": float("inf"),
             "b": {"weight": torch.randn(2, 3)}, "none": {}}  # fmt: skip
    path = tmp_path / "state.safetensors"
    save_state(path, state)
    found = load_state(path)
    assert torch.equal(found["b"].pop("weight"), state["b"].pop("weight"))  # type: ignore[attr-defined]
    assert found == state
    path.write_bytes(path.read_bytes()[:-4])
    assert load_state(path) is None
    assert load_state(tmp_path / "other") is None

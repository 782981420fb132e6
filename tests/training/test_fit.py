"""Fitting: against scikit-learn, on toy problems, and without a look at other parts."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional

from facewave import params
from facewave.models.classifiers import Kind, Standardized
from facewave.training.fit import Part, fit
from making import REPOSITORY

WORDS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
SETTINGS = replace(
    params.load(REPOSITORY / "params.yaml").train,
    hidden=16,
    dropout=0.1,
    lr=0.01,
    batch_size=16,
    epochs=30,
    patience=30,
)
torch.set_num_threads(1)


def part(codes: list[int], n: int, seed: int, distance: float = 2.0, d: int = 8) -> Part:
    """n clips of the given classes, each class around a place of its own; inputs not centred."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(WORDS), d)) * distance
    drawn = rng.choice(codes, n)
    drawn[: len(codes)] = codes
    scales = np.linspace(0.1, 30, d)
    inputs = (rng.normal(size=(n, d)) + centres[drawn] + 5) * scales
    return Part(torch.from_numpy(inputs.astype(np.float32)), torch.from_numpy(drawn))


EMPTY = Part(torch.zeros(0, 8), torch.zeros(0, dtype=torch.int64))


@dataclass(frozen=True, eq=False)
class Fitted:
    module: nn.Module
    history: list[dict[str, float]]

    def weights(self) -> dict[str, list[float]]:
        return {k: v.flatten().tolist() for k, v in self.module.state_dict().items()}


def fitted(kind: Kind, train: Part, val: Part, **changes: Any) -> Fitted:
    history: list[dict[str, float]] = []

    def report(epoch: int, figures: dict[str, float]) -> None:
        assert epoch == len(history)
        history.append(figures)

    settings = replace(SETTINGS, **changes)
    config, module = fit(kind, train, val, WORDS, settings, report)
    assert (config.kind, config.classes, config.n_inputs) == (kind, WORDS, 8)
    assert not module.training
    return Fitted(module, history)


def probabilities(module: nn.Module, inputs: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        return torch.softmax(module(inputs), dim=1).numpy()


@pytest.mark.parametrize("c", [0.01, 10.0])
@pytest.mark.parametrize("codes", [list(range(7)), [0, 2, 3, 4, 6], [1, 4], [0, 1]])
def test_logistic_equals_scikit_learn(codes: list[int], c: float) -> None:
    train, test = part(codes, 120, seed=1, distance=0.5), part(codes, 40, seed=2, distance=0.5)
    module = fitted("logistic", train, EMPTY, c=c).module
    scaler = StandardScaler().fit(train.inputs_nD.double().numpy())
    reference = LogisticRegression(C=c, max_iter=2000)
    reference.fit(scaler.transform(train.inputs_nD.double().numpy()), train.codes_n.numpy())
    expected = np.zeros((40, len(WORDS)))
    expected[:, codes] = reference.predict_proba(scaler.transform(test.inputs_nD.double().numpy()))
    np.testing.assert_allclose(probabilities(module, test.inputs_nD), expected, atol=1e-3)


def test_logistic_with_one_class_in_train_answers_with_it() -> None:
    module = fitted("logistic", part([3], 20, seed=1), EMPTY).module
    assert probabilities(module, part([3], 5, seed=2).inputs_nD).argmax(axis=1).tolist() == [3] * 5


def test_mlp_learns_a_separable_problem() -> None:
    codes = [0, 3, 6]
    module = fitted("mlp", part(codes, 120, seed=1), part(codes, 30, seed=2)).module
    test = part(codes, 200, seed=3)
    answers = probabilities(module, test.inputs_nD).argmax(axis=1)
    assert (answers == test.codes_n.numpy()).mean() > 0.95


def validation_loss(module: nn.Module, val: Part) -> float:
    with torch.inference_mode():
        return functional.cross_entropy(module(val.inputs_nD), val.codes_n).item()


def test_early_stopping_keeps_the_epoch_of_least_validation_loss() -> None:
    codes = list(range(7))
    train = part(codes, 60, seed=1, distance=0.8)
    val = part(codes, 40, seed=2, distance=0.8)
    stopped = fitted("mlp", train, val, epochs=100, patience=4)
    losses = [figures["val_loss"] for figures in stopped.history]
    best = int(np.argmin(losses))
    assert best > 0
    assert len(losses) == best + 1 + 4 < 100  # four epochs in vain, then no more
    assert validation_loss(stopped.module, val) == pytest.approx(losses[best], abs=1e-7)
    shorter = fitted("mlp", train, val, epochs=best + 1, patience=100)
    assert shorter.weights() == stopped.weights()


def test_the_figures_of_an_epoch_are_those_of_its_module() -> None:
    codes = [0, 2, 3]
    train, val = part(codes, 60, seed=1, distance=0.5), part([0, 2], 30, seed=2, distance=0.5)
    done = fitted("mlp", train, val, epochs=1)
    (figures,) = done.history
    answers = probabilities(done.module, val.inputs_nD).argmax(axis=1)
    actual = val.codes_n.numpy()
    right = [(answers[actual == code] == code).mean() for code in (0, 2)]
    assert figures["val_uar"] == pytest.approx(np.mean(right))
    assert figures["val_uar"] == pytest.approx(
        recall_score(actual, answers, labels=[0, 2], average="macro")
    )
    assert figures["val_war"] == pytest.approx((answers == actual).mean())
    assert figures["val_loss"] == pytest.approx(validation_loss(done.module, val))


def test_the_training_loss_is_a_mean_over_clips() -> None:
    train = part([0, 1, 2], 21, seed=1)  # with batches of 16, the last one is smaller
    done = fitted("mlp", train, EMPTY, epochs=1, lr=1e-12, weight_decay=0.0, dropout=0.0)
    assert done.history == [{"train_loss": pytest.approx(validation_loss(done.module, train))}]


def test_without_validation_the_last_epoch_stays() -> None:
    train = part([0, 1, 2], 60, seed=1)
    last = fitted("mlp", train, EMPTY, epochs=5, lr=0.001)
    # Far from overfitting, the training part as validation chooses the last epoch, too.
    same = fitted("mlp", train, train, epochs=5, lr=0.001)
    assert last.weights() == same.weights()
    assert last.weights() != fitted("mlp", train, EMPTY, epochs=4, lr=0.001).weights()


def test_a_seed_fixes_every_weight() -> None:
    codes = [0, 1, 2]
    train, val = part(codes, 60, seed=1), part(codes, 30, seed=2)
    first = fitted("mlp", train, val, epochs=3, seed=5)
    torch.rand(17)  # whatever else has drawn from the generator
    again = fitted("mlp", train, val, epochs=3, seed=5)
    other = fitted("mlp", train, val, epochs=3, seed=6)
    assert first.weights() == again.weights()
    assert first.history == again.history
    assert first.weights()["head.0.weight"] != other.weights()["head.0.weight"]


@pytest.mark.parametrize("kind", ["logistic", "mlp"])
def test_standardisation_is_learnt_from_train_alone(kind: Kind) -> None:
    codes = [0, 1, 2]
    train = part(codes, 60, seed=1)
    buffers = []
    for val in (part(codes, 30, seed=2), part(codes, 50, seed=3, distance=40), EMPTY):
        module = fitted(kind, train, val, epochs=2).module
        assert isinstance(module, Standardized)
        buffers.append(module.standardize)
    inputs = train.inputs_nD.double()
    for buffer in buffers:
        torch.testing.assert_close(buffer.mean.double(), inputs.mean(0), rtol=1e-5, atol=1e-5)
        scale = 1 / inputs.std(0, correction=0)
        torch.testing.assert_close(buffer.scale.double(), scale, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["majority", "logistic"])
def test_baselines_do_not_look_at_validation(kind: Kind) -> None:
    train = part([0, 1, 2], 60, seed=1)
    with_val = fitted(kind, train, part([3, 4], 30, seed=2))
    assert with_val.weights() == fitted(kind, train, EMPTY).weights()
    assert with_val.history == []

"""Fitting: against scikit-learn, on toy problems, and without a look at other parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import one_hot

from facewave import params
from facewave.errors import UserError
from facewave.models.classifiers.classifier import Classifier, ClassifierConfig, Reduction, build
from facewave.models.classifiers.heads import Trees
from facewave.params import ClassifierKind, Train
from facewave.targets import Target
from facewave.training import losses
from facewave.training.calibration import temperature
from facewave.training.fit import Samples, _grow, _problems, configure, fit
from facewave.training.loop import Prepared
from making import REPOSITORY, words

WORDS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
CLASSES = words(*WORDS)
TRAIN = replace(params.load(REPOSITORY / "params.yaml").train, imbalance="none")
QUICK = {"hidden": 16, "dropout": 0.1, "lr": 0.02, "epochs": 30, "patience": 30, "batch_size": 30}
STEPS = 4
LEARNERS = [kind for kind in get_args(ClassifierKind) if kind != "majority"]


def settings(c: float = 0.03, stages: int = 20, **changes: Any) -> Train:
    """Quick ones; options of the networks by their names."""
    network = {name: changes.pop(name) for name in list(changes) if hasattr(TRAIN.network, name)}
    return replace(
        TRAIN,
        logistic=params.Linear(c),
        svm=params.Linear(c),
        trees=params.Trees(stages),
        network=replace(TRAIN.network, **QUICK | network),
        **changes,
    )


def samples(codes: list[int], n: int, seed: int, distance: float = 2.0, d: int = 12) -> Samples:
    """n clips of the given classes, each class around its own centre; inputs are not centred."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(WORDS), d)) * distance
    drawn = rng.choice(codes, n)
    drawn[: len(codes)] = codes
    inputs = (rng.normal(size=(n, d)) + centres[drawn] + 5) * np.linspace(0.1, 30, d)
    return as_samples(inputs.reshape(n, STEPS, d // STEPS), drawn)


def as_samples(inputs: Any, codes: Any) -> Samples:
    truth = one_hot(torch.as_tensor(codes, dtype=torch.int64), len(WORDS)).float()
    return Samples(torch.as_tensor(inputs, dtype=torch.float32), truth, torch.ones(len(truth)))


def codes_of(part: Samples) -> Tensor:
    return part.truth_nW.argmax(1)


EMPTY = as_samples(torch.zeros(0, STEPS, 3), torch.zeros(0))


@dataclass(frozen=True, eq=False)
class Fitted:
    module: Classifier
    history: list[dict[str, float]]

    def weights(self, *prefixes: str) -> dict[str, list[float]]:
        state = self.module.state_dict().items()  # a margin that nobody knows is NaN
        return {
            k: v.nan_to_num(-1).flatten().tolist() for k, v in state if k.startswith(prefixes or "")
        }


def fitted(
    kind: Any,
    train: Samples,
    val: Samples = EMPTY,
    kept: int = 0,
    reduction: Reduction | None = None,
    targets: Sequence[Target] = (CLASSES,),
    **changes: Any,
) -> Fitted:
    history: list[dict[str, float]] = []

    def report(epoch: int, figures: dict[str, float]) -> None:
        assert epoch == len(history)
        history.append(figures)

    chosen = settings(**changes)
    _, steps, channels = train.inputs_nND.shape
    config = configure(kind, targets, steps, (channels - 1, 1), kept, chosen)
    module: Any = fit(config, train, val, chosen, reduction, report)
    assert not module.training
    return Fitted(module, history)


def logits_of(module: nn.Module, inputs: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        return module(inputs).numpy()


def answers_of(module: Classifier, inputs: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        return module.answers(inputs).numpy()


def accuracy(module: Classifier, test: Samples) -> float:
    answers = answers_of(module, test.inputs_nND).argmax(axis=1)
    return float((answers == codes_of(test).numpy()).mean())


def validation_loss(module: Classifier, val: Samples, temperature: float = 1) -> float:
    logits = torch.from_numpy(logits_of(module, val.inputs_nND)) / temperature
    return functional.cross_entropy(logits, codes_of(val)).item()


def standard(train: Samples, test: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both parts' inputs, standardised and balanced (one channel weighs as much as d/4 - 1)."""
    of_train, of_test = (part.inputs_nND.flatten(1).double().numpy() for part in (train, test))
    scaler, channels = StandardScaler().fit(of_train), train.inputs_nND.shape[2]
    balance = np.sqrt(channels / 2 / np.array([*[channels - 1] * (channels - 1), 1]))
    weights = np.tile(balance, STEPS)
    return scaler.transform(of_train) * weights, scaler.transform(of_test) * weights


SOME_CODES = [list(range(7)), [0, 2, 3, 4, 6], [1, 4]]


def test_baselines_decide_as_scikit_learn_does() -> None:
    for kind, codes in product(("logistic", "svm", "trees"), SOME_CODES):
        train, test = (samples(codes, n, seed, 0.4) for n, seed in ((120, 1), (60, 2)))
        labels = codes_of(train).numpy()
        for imbalance in ("none", "weights"):
            module = fitted(kind, train, c=0.1, imbalance=imbalance).module
            weights = losses.class_weights(torch.bincount(codes_of(train), minlength=7))
            reference: Any = LogisticRegression(C=0.1, tol=1e-8, max_iter=20_000)
            if kind == "svm":
                reference = LinearSVC(C=0.1, random_state=0, max_iter=10_000)
            of_train, of_test = standard(train, test)
            if kind == "trees":
                reference = GradientBoostingClassifier(
                    n_estimators=20, max_features="sqrt", subsample=0.5, random_state=0
                )
                weights = weights.float()
                of_train, of_test = (
                    module.prepare(part.inputs_nND).flatten(1).numpy() for part in (train, test)
                )
            of_clips = weights.numpy()[labels] if imbalance == "weights" else None
            reference.fit(of_train, labels, sample_weight=of_clips)
            expected = reference.decision_function(of_test)
            if len(codes) == 2:
                expected = np.column_stack([0 * expected, expected])
            logits = logits_of(module, test.inputs_nND)
            tolerance = 1e-5 if kind == "trees" else 1e-3
            np.testing.assert_allclose(logits[:, codes], expected, rtol=1e-5, atol=tolerance)
            assert (logits.argmax(1) == reference.predict(of_test)).all()
            assert (np.delete(logits, codes, axis=1) == -1e4).all()


def test_inputs_at_a_tree_s_thresholds_go_as_in_scikit_learn() -> None:
    """Thresholds lie half-way between float32 inputs; rounding them would send some elsewhere."""
    grid = np.float32(1) + np.arange(40, dtype=np.float32) * np.float32(2**-23)
    inputs = np.random.default_rng(0).choice(grid, (200, 1, 2))
    codes = (inputs[:, 0, 0] > grid[20]).astype(int) + (inputs[:, 0, 1] > grid[11])
    module = build(ClassifierConfig("trees", (CLASSES,), steps=1, widths=(2,), trees=5))
    assert isinstance(module, Classifier)
    assert isinstance(module.head, Trees)
    truth = one_hot(torch.from_numpy(codes), 7).float()
    prepared = Prepared(torch.from_numpy(inputs), truth, torch.ones(200, 1))
    for problem in _problems(module, prepared):
        _grow(module.head, problem, settings(stages=5))
    reference = GradientBoostingClassifier(
        n_estimators=5, max_features="sqrt", subsample=0.5, random_state=0
    ).fit(inputs[:, 0], codes)
    both = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 1, 2)
    expected = reference.decision_function(both[:, 0])
    assert len(np.unique(expected, axis=0)) > 3
    logits = module.head(torch.from_numpy(both)).numpy()[:, :3]
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


def test_every_kind_learns_a_separable_problem_and_sequence_models_the_order_of_steps() -> None:
    codes = [0, 3, 6]
    test = samples(codes, 200, seed=3)
    for kind in LEARNERS:
        parts = samples(codes, 90, seed=1), samples(codes, 30, seed=2)
        assert accuracy(fitted(kind, *parts, epochs=8).module, test) > 0.9
        module = fitted(kind, *parts, kept=3, reduction="pca", pca=1, epochs=8).module
        assert accuracy(module, test) > 0.5
        assert module.prepare(test.inputs_nND).shape == (200, 3, 1)
        alone = fitted(kind, samples([3], 20, seed=1), epochs=10).module  # one class
        assert accuracy(alone, samples([3], 5, seed=2)) == 1
    for kind in ("gru", "transformer"):
        module = fitted(
            kind, ordered(200, 1), ordered(50, 2), epochs=25, lr=0.02, batch_size=40, dropout=0.0
        ).module
        test = ordered(300, 3)
        assert accuracy(module, test) > 0.9
        # The same pulses with their steps in another order: no better than chance.
        order = np.random.default_rng(0).permutation(12)
        assert accuracy(module, replace(test, inputs_nND=test.inputs_nND[:, order])) < 0.8


def ordered(n: int, seed: int) -> Samples:
    """A pulse in each of two channels; the class is which comes first, wherever they are."""
    rng = np.random.default_rng(seed)
    inputs, codes = 0.1 * rng.normal(size=(n, 12, 2)), np.arange(n) % 2
    for clip, code in zip(inputs, codes, strict=True):
        first, second = sorted(rng.choice(12, 2, replace=False))
        clip[first, code] += 1
        clip[second, 1 - code] += 1
    return as_samples(inputs, codes)


def test_calibration_lowers_the_loss_within_bounds_and_changes_no_answer() -> None:
    codes = [0, 1, 2]
    train, val = (samples(codes, 60, seed, distance=0.5) for seed in (1, 2))
    for kind in LEARNERS:
        module = fitted(kind, train, val, patience=100, epochs=15).module
        learnt = module.temperature.item()
        after = validation_loss(module, val, learnt)
        assert 0.1 <= learnt <= 10
        assert abs(np.log(learnt)) > 0.01
        for other in (0.95 * learnt, 1.05 * learnt, 1.0):
            assert validation_loss(module, val, other) >= after
        logits = logits_of(module, val.inputs_nND)
        answers = answers_of(module, val.inputs_nND)
        assert (logits.argmax(1) == answers.argmax(1)).all()
        expected = torch.softmax(torch.from_numpy(logits) / learnt, 1)
        np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-7)
        # Without validation clips, or with none of a class that was learnt, there is none.
        for other_val in (EMPTY, samples([5, 6], 20, seed=2)):
            module = fitted(kind, train, other_val, epochs=2).module
            assert module.temperature.item() == 1
    train, val = (samples([0, 1], 60, seed, distance=0.5) for seed in (1, 2))
    inputs = torch.cat([val.inputs_nND, val.inputs_nND[:9]])
    with_others = as_samples(inputs, torch.cat([codes_of(val), torch.full((9,), 4)]))
    alone, beside = (fitted("logistic", train, part) for part in (val, with_others))
    assert alone.weights() == beside.weights()
    for scale, codes, bound in ((0.1, [0, 1], 0.1), (90.0, [1, 0], 10.0)):

        def loss(logits: Tensor, codes: list[int] = codes) -> Tensor:
            return functional.cross_entropy(logits, torch.tensor(codes))

        assert temperature(loss, scale * torch.eye(2).double()) == pytest.approx(bound, rel=1e-3)


def test_epochs_have_their_module_s_figures_and_the_best_stays_or_else_the_last() -> None:
    train, val = samples([0, 2, 3], 60, seed=1, distance=0.5), samples([0, 2], 30, 2, 0.5)
    done = fitted("mlp", train, val, epochs=1)
    (figures,) = done.history
    answers, actual = logits_of(done.module, val.inputs_nND).argmax(axis=1), codes_of(val).numpy()
    uar = recall_score(actual, answers, labels=[0, 2], average="macro")
    assert figures["val_uar"] == pytest.approx(uar)
    assert figures["val_war"] == pytest.approx((answers == actual).mean())
    assert figures["val_loss"] == pytest.approx(validation_loss(done.module, val))
    # The last batch is smaller than the others: the training loss is a mean over clips.
    train = samples([0, 1, 2], 33, seed=1)
    done = fitted("mlp", train, epochs=1, lr=1e-12, weight_decay=0.0, dropout=0.0)
    assert done.history == [{"train_loss": pytest.approx(validation_loss(done.module, train))}]
    train, val = (samples(list(range(7)), n, seed, 0.8) for n, seed in ((60, 1), (40, 2)))
    stopped = fitted("mlp", train, val, epochs=100, patience=4)
    curve = [figures["val_loss"] for figures in stopped.history]
    best = int(np.argmin(curve))
    assert best > 0
    assert len(curve) == best + 1 + 4 < 100  # four epochs in vain, then no more
    assert validation_loss(stopped.module, val) == pytest.approx(curve[best], abs=1e-7)
    shorter = fitted("mlp", train, val, epochs=best + 1, patience=100)
    assert shorter.weights() == stopped.weights()
    train = samples([0, 1, 2], 60, seed=1)
    last = fitted("mlp", train, epochs=5, lr=0.001)
    # Far from overfitting, the training part as validation chooses the last epoch, too.
    same = fitted("mlp", train, train, epochs=5, lr=0.001)
    assert last.weights("head") == same.weights("head")
    assert last.weights() != fitted("mlp", train, epochs=4, lr=0.001).weights()


def test_a_seed_fixes_every_weight() -> None:
    train, val = samples([0, 1, 2], 60, seed=1), samples([0, 1, 2], 30, seed=2)
    for kind in ("svm", "trees", "mlp", "gru", "transformer"):
        first = fitted(kind, train, val, epochs=3, seed=5)
        torch.rand(17)  # whatever else has drawn from the generators
        np.random.rand(17)
        again = fitted(kind, train, val, epochs=3, seed=5)
        assert first.weights() == again.weights()
        assert first.history == again.history
        if kind != "svm":  # whose seed is for the order of its steps, which end in one place
            assert first.weights() != fitted(kind, train, val, epochs=3, seed=6).weights()


def test_what_precedes_the_head_and_baselines_are_learnt_from_the_training_part_alone() -> None:
    codes = [0, 1, 2]
    train, other = samples(codes, 60, seed=1), samples(codes, 60, seed=4, distance=9)
    vals = (samples(codes, 30, seed=2), samples(codes, 50, seed=3, distance=40), EMPTY)
    before_head = ("compress", "standardize", "project")
    for kind, reduction in (("logistic", "largest"), ("trees", "pca"), ("mlp", "largest")):
        options: Any = {"epochs": 2, "kept": 2, "reduction": reduction, "pca": 1}
        found = [fitted(kind, train, val, **options).weights(*before_head) for val in vals]
        assert len(found[0]) == 5
        assert found[0] == found[1] == found[2]
        elsewhere = fitted(kind, other, **options).weights(*before_head)
        assert elsewhere["standardize.mean"] != found[0]["standardize.mean"]
        assert elsewhere["project.components"] != found[0]["project.components"]
    train, val = samples([0, 1, 2], 60, seed=1), samples([0, 1], 30, seed=2)
    for kind in ("majority", "logistic", "svm", "trees"):
        with_val, without = fitted(kind, train, val), fitted(kind, train)
        if kind != "majority":
            with_val.module.temperature.fill_(1)
        assert with_val.weights() == without.weights()
        assert with_val.history == []
    with pytest.raises(UserError, match=r"train\.pca is 4, but .* 3 channels have 3 principal"):
        fitted("logistic", samples([0, 1], 30, seed=1), pca=4)


def test_rare_classes_get_their_share() -> None:
    """Where inputs tell nothing and the classes are 8 : 1 : 1."""
    rng = np.random.default_rng(0)
    codes = rng.choice(3, 400, p=[0.8, 0.1, 0.1])
    train = as_samples(rng.normal(size=(400, STEPS, 3)), codes)

    def share_of_first(kind: str, **changes: Any) -> float:
        module = fitted(kind, train, epochs=6, c=0.001, dropout=0.0, **changes).module
        return float(answers_of(module, torch.randn(200, STEPS, 3))[:, 0].mean())

    rebalanced: list[dict[str, str]] = [{"imbalance": "weights"}]
    for kind, changes in (
        ("logistic", rebalanced),
        ("mlp", [*rebalanced, {"loss": "balanced"}, {"imbalance": "sampler"}]),
    ):
        assert share_of_first(kind) > 0.7
        assert all(share_of_first(kind, **change) < 0.5 for change in changes)


def test_clips_count_by_the_share_of_their_frames_with_a_face() -> None:
    """Half of the clips are of other classes than their inputs say, but hardly show a face."""
    train, test = samples([0, 3, 6], 120, seed=1), samples([0, 3, 6], 100, seed=2)
    wrong = torch.arange(120) < 70
    codes = torch.where(
        wrong, torch.tensor([3, 3, 3, 6, 6, 6, 0])[codes_of(train)], codes_of(train)
    )
    mixed = replace(as_samples(train.inputs_nND, codes), quality_n=torch.where(wrong, 0.01, 1.0))
    for kind in LEARNERS:
        module = fitted(kind, mixed, epochs=20, c=0.003).module
        unweighted = replace(mixed, quality_n=torch.ones(120))
        assert accuracy(module, test) > 0.8
        assert accuracy(fitted(kind, unweighted, epochs=20, c=0.003).module, test) < 0.6
    # One on average: halving all qualities changes nothing, and they multiply classes' weights.
    halved = replace(mixed, quality_n=mixed.quality_n / 2)
    for kind in ("logistic", "mlp"):
        one, other = (fitted(kind, part, epochs=2, imbalance="weights") for part in (mixed, halved))
        assert one.weights() == other.weights()
        assert one.weights() != fitted(kind, mixed, epochs=2).weights()


def test_smoothed_and_soft_targets_are_what_is_learnt() -> None:
    train = samples([0, 1], 100, seed=1, distance=4)
    for smoothing, expected in ((0.0, 1), (0.3, 1 - 0.3 + 0.3 / 7)):
        module = fitted("mlp", train, epochs=20, lr=0.05, label_smoothing=smoothing).module
        largest = answers_of(module, train.inputs_nND).max(axis=1)
        assert np.median(largest) == pytest.approx(expected, abs=0.05)
    shares = torch.zeros(100, 7)
    shares[:, 0] = torch.where(codes_of(train) == 0, 0.6, 0.1)
    shares[:, 2] = 1 - shares[:, 0]
    module = fitted("mlp", replace(train, truth_nW=shares), epochs=40, lr=0.05).module
    found = answers_of(module, train.inputs_nND)
    for code, expected in ((0, 0.6), (1, 0.1)):
        of_class = found[codes_of(train) == code]
        np.testing.assert_allclose(np.median(of_class[:, 0]), expected, atol=0.05)

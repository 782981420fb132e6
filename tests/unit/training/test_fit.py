"""Fitting: against scikit-learn, on toy problems, and without a look at other parts."""

from dataclasses import dataclass, replace
from pathlib import Path
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

from facewave import params
from facewave.errors import UserError
from facewave.models.classifiers.classifier import Classifier, ClassifierConfig, Reduction, build
from facewave.models.classifiers.heads import Trees
from facewave.params import ClassifierKind
from facewave.training import losses, schema
from facewave.training.checkpoints import Checkpoint
from facewave.training.fit import Part, _fit_trees, _temperature, configure, fit
from facewave.training.loop import Prepared
from making import REPOSITORY

WORDS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
SETTINGS = replace(
    params.load(REPOSITORY / "params.yaml").train,
    hidden=16,
    trees=20,
    dropout=0.1,
    lr=0.01,
    batch_size=16,
    epochs=30,
    patience=30,
)
torch.set_num_threads(1)


def part(codes: list[int], n: int, seed: int, distance: float = 2.0, d: int = 12) -> Part:
    """n clips of the given classes, each class around a place of its own; inputs not centred."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(WORDS), d)) * distance
    drawn = rng.choice(codes, n)
    drawn[: len(codes)] = codes
    scales = np.linspace(0.1, 30, d)
    inputs = (rng.normal(size=(n, d)) + centres[drawn] + 5) * scales
    return as_part(inputs.reshape(n, STEPS, d // STEPS), drawn)


def as_part(inputs: Any, codes: Any) -> Part:
    of_codes = torch.as_tensor(codes, dtype=torch.int64)
    targets = losses.one_hot(of_codes, len(WORDS))
    return Part(torch.as_tensor(inputs, dtype=torch.float32), of_codes, targets)


STEPS = 4
EMPTY = as_part(torch.zeros(0, STEPS, 3), torch.zeros(0))
KINDS = get_args(ClassifierKind)
LEARNERS = [kind for kind in KINDS if kind != "majority"]
NETWORKS = ["mlp", "gru", "transformer"]


@dataclass(frozen=True, eq=False)
class Fitted:
    module: nn.Module
    history: list[dict[str, float]]

    def weights(self) -> dict[str, list[float]]:
        return {k: v.flatten().tolist() for k, v in self.module.state_dict().items()}


def fitted(
    kind: ClassifierKind,
    train: Part,
    val: Part,
    kept: int = 0,
    how: Reduction | None = None,
    **changes: Any,
) -> Fitted:
    history: list[dict[str, float]] = []

    def report(epoch: int, figures: dict[str, float]) -> None:
        assert epoch == len(history)
        history.append(figures)

    settings = replace(SETTINGS, **changes)
    _, steps, channels = train.inputs_nND.shape
    config = configure(kind, WORDS, steps, (channels - 1, 1), kept, settings)
    module = fit(config, train, val, settings, how, report)
    assert not module.training
    return Fitted(module, history)


def uncalibrated(module: nn.Module) -> Classifier:
    assert isinstance(module, Classifier)
    module.temperature.fill_(1)
    return module


def logits_of(module: nn.Module, test: Part) -> NDArray[np.float32]:
    with torch.inference_mode():
        return module(test.inputs_nND).numpy()


def probabilities(module: nn.Module, inputs: Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        return torch.softmax(module(inputs), dim=1).numpy()


def standard(train: Part, test: Part) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both parts' inputs, standardised and balanced (one channel weighs as much as d/4 - 1)."""
    scaler = StandardScaler().fit(train.inputs_nND.flatten(1).double().numpy())
    channels = train.inputs_nND.shape[2]
    balance = np.sqrt(channels / 2 / np.array([*[channels - 1] * (channels - 1), 1]))
    of_train, of_test = (
        scaler.transform(part.inputs_nND.flatten(1).double().numpy()) * np.tile(balance, STEPS)
        for part in (train, test)
    )
    return of_train, of_test


SOME_CODES = [list(range(7)), [0, 2, 3, 4, 6], [1, 4], [0, 1]]


@pytest.mark.parametrize("c", [0.01, 10.0])
@pytest.mark.parametrize("codes", SOME_CODES)
def test_logistic_equals_scikit_learn(codes: list[int], c: float) -> None:
    train, test = part(codes, 120, seed=1, distance=0.5), part(codes, 40, seed=2, distance=0.5)
    module = fitted("logistic", train, EMPTY, c=c).module
    scaled, of_test = standard(train, test)
    reference = LogisticRegression(C=c, max_iter=2000).fit(scaled, train.codes_n.numpy())
    expected = np.zeros((40, len(WORDS)))
    expected[:, codes] = reference.predict_proba(of_test)
    np.testing.assert_allclose(probabilities(module, test.inputs_nND), expected, atol=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("codes", SOME_CODES)
def test_svm_gives_the_margins_of_scikit_learn(codes: list[int], weighted: bool) -> None:
    train, test = (
        part(codes, 120, seed=1, distance=0.3),
        part(codes, 40, seed=2, distance=0.3),
    )
    imbalance = "weights" if weighted else "none"
    module = fitted("svm", train, EMPTY, c=0.1, imbalance=imbalance).module
    scaled, of_test = standard(train, test)
    labels = train.codes_n.numpy()
    weights = losses.class_weights(torch.bincount(train.codes_n, minlength=7)).numpy()[labels]
    reference = LinearSVC(C=0.1, random_state=0, max_iter=10_000)
    reference.fit(scaled, labels, sample_weight=weights if weighted else None)
    margins = reference.decision_function(of_test)
    if len(codes) == 2:
        margins = np.column_stack([0 * margins, margins])
    logits = logits_of(module, test)
    np.testing.assert_allclose(logits[:, codes], margins, atol=1e-3)
    assert (logits.argmax(1) == reference.predict(of_test)).all()
    assert (np.delete(logits, codes, axis=1) == -1e4).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("codes", SOME_CODES)
def test_trees_answer_as_scikit_learn_s(codes: list[int], weighted: bool) -> None:
    train, test = part(codes, 120, seed=1, distance=0.5), part(codes, 60, seed=2, distance=0.5)
    imbalance = "weights" if weighted else "none"
    module = uncalibrated(fitted("trees", train, EMPTY, imbalance=imbalance).module)
    labels = train.codes_n.numpy()
    weights = losses.class_weights(torch.bincount(train.codes_n, minlength=7)).numpy()[labels]
    reference = GradientBoostingClassifier(
        n_estimators=20, max_features="sqrt", subsample=0.5, random_state=0
    )
    seen, unseen = (module.prepare(one.inputs_nND).flatten(1).numpy() for one in (train, test))
    reference.fit(seen, labels, sample_weight=weights.astype(np.float32) if weighted else None)
    expected = reference.decision_function(unseen)
    if len(codes) == 2:
        expected = np.column_stack([0 * expected, expected])
    logits = logits_of(module, test)
    np.testing.assert_allclose(logits[:, codes], expected, rtol=1e-5, atol=1e-6)
    assert (np.delete(logits, codes, axis=1) == -1e4).all()


def test_inputs_at_a_tree_s_thresholds_go_as_in_scikit_learn() -> None:
    """Thresholds lie half-way between float32 inputs; rounding them would send some elsewhere."""
    grid = np.float32(1) + np.arange(40, dtype=np.float32) * np.float32(2**-23)
    rng = np.random.default_rng(0)
    inputs = rng.choice(grid, (200, 1, 2))
    codes = (inputs[:, 0, 0] > grid[20]).astype(int) + (inputs[:, 0, 1] > grid[11])
    config = ClassifierConfig("trees", WORDS, 1, (2,), trees=5)
    module = build(config)
    assert isinstance(module, Classifier)
    assert isinstance(module.head, Trees)
    prepared = Prepared(
        torch.from_numpy(inputs), torch.from_numpy(codes), torch.zeros(200, 7), torch.ones(200)
    )
    _fit_trees(module.head, prepared, replace(SETTINGS, trees=5))
    reference = GradientBoostingClassifier(
        n_estimators=5, max_features="sqrt", subsample=0.5, random_state=0
    ).fit(inputs[:, 0], codes)
    both = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 1, 2)
    expected = reference.decision_function(both[:, 0])
    ours = module.head(torch.from_numpy(both)).numpy()[:, :3]
    assert len(np.unique(expected, axis=0)) > 3
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", LEARNERS)
def test_with_one_class_in_train_the_answer_is_that_class(kind: ClassifierKind) -> None:
    module = fitted(kind, part([3], 20, seed=1), EMPTY, epochs=60).module
    answers = probabilities(module, part([3], 5, seed=2).inputs_nND).argmax(axis=1)
    assert answers.tolist() == [3] * 5


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_kind_learns_a_separable_problem_and_comes_back(
    kind: ClassifierKind, tmp_path: Path
) -> None:
    codes = [0, 3, 6]
    module = fitted(kind, part(codes, 120, seed=1), part(codes, 30, seed=2)).module
    test = part(codes, 200, seed=3)
    answers = probabilities(module, test.inputs_nND).argmax(axis=1)
    assert (answers == test.codes_n.numpy()).mean() > 0.9
    config = configure(kind, WORDS, STEPS, (2, 1), 0, SETTINGS)
    schema.save(tmp_path, schema.Trained(module, config, ("blendshapes",), {}))
    np.testing.assert_array_equal(
        logits_of(schema.load(tmp_path).module, test), logits_of(module, test)
    )


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_kind_takes_compressed_and_projected_inputs(
    kind: ClassifierKind, tmp_path: Path
) -> None:
    codes = [0, 3, 6]
    options: Any = {"kept": 3, "how": "pca", "pca": 1}
    module = fitted(kind, part(codes, 120, 1), part(codes, 30, 2), **options).module
    test = part(codes, 200, seed=3)
    answers = probabilities(module, test.inputs_nND).argmax(axis=1)
    assert (answers == test.codes_n.numpy()).mean() > 0.5
    assert isinstance(module, Classifier)
    assert module.prepare(test.inputs_nND).shape == (200, 3, 1)
    config = configure(kind, WORDS, STEPS, (2, 1), 3, replace(SETTINGS, pca=1))
    schema.save(tmp_path, schema.Trained(module, config, ("blendshapes",), {}))
    np.testing.assert_array_equal(
        logits_of(schema.load(tmp_path).module, test), logits_of(module, test)
    )


def ordered(n: int, seed: int) -> Part:
    """A pulse in each of two channels; the word is which comes first, wherever they are."""
    rng = np.random.default_rng(seed)
    inputs, codes = 0.1 * rng.normal(size=(n, 12, 2)), np.arange(n) % 2
    for clip, code in zip(inputs, codes, strict=True):
        first, second = sorted(rng.choice(12, 2, replace=False))
        clip[first, code] += 1
        clip[second, 1 - code] += 1
    return as_part(inputs, codes)


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_sequence_models_see_the_order_of_steps(kind: ClassifierKind) -> None:
    module = fitted(
        kind, ordered(300, 1), ordered(100, 2), epochs=40, batch_size=30, dropout=0.0
    ).module
    test = ordered(300, 3)
    answers = probabilities(module, test.inputs_nND).argmax(axis=1)
    assert (answers == test.codes_n.numpy()).mean() > 0.9
    # The same pulses with their steps in another order: no better than chance.
    order = np.random.default_rng(0).permutation(12)
    shuffled = probabilities(module, test.inputs_nND[:, order]).argmax(axis=1)
    assert (shuffled == test.codes_n.numpy()).mean() < 0.8


@pytest.mark.parametrize("kind", LEARNERS)
def test_calibration_lowers_the_loss_and_changes_no_answer(kind: ClassifierKind) -> None:
    codes = [0, 1, 2]
    train, val = part(codes, 60, seed=1, distance=0.5), part(codes, 60, seed=2, distance=0.5)
    module = fitted(kind, train, val, patience=100, epochs=15).module
    assert isinstance(module, Classifier)
    after, answers = validation_loss(module, val), logits_of(module, val).argmax(1)
    learnt = module.temperature.item()
    assert 0.1 <= learnt <= 10
    assert abs(np.log(learnt)) > 0.01
    for other in (0.95 * learnt, 1.05 * learnt, 1.0):
        module.temperature.fill_(other)
        assert validation_loss(module, val) >= after
        assert (logits_of(module, val).argmax(1) == answers).all()


@pytest.mark.parametrize("kind", LEARNERS)
def test_without_what_it_needs_there_is_no_calibration(kind: ClassifierKind) -> None:
    train = part([0, 1, 2], 40, seed=1)
    for val in (EMPTY, part([5, 6], 20, seed=2)):  # nobody there, or words that none could learn
        module = fitted(kind, train, val, epochs=2).module
        assert isinstance(module, Classifier)
        assert module.temperature.item() == 1


def test_words_that_were_not_in_train_do_not_heat_the_others() -> None:
    train, val = part([0, 1], 60, seed=1, distance=0.5), part([0, 1], 60, seed=2, distance=0.5)
    with_others = as_part(
        torch.cat([val.inputs_nND, val.inputs_nND[:9]]),
        torch.cat([val.codes_n, torch.full((9,), 4)]),
    )
    assert (
        fitted("logistic", train, val).weights() == fitted("logistic", train, with_others).weights()
    )


def test_temperatures_are_bounded() -> None:
    head = nn.Flatten()
    for logits, codes, bound in (
        ([[0.1, 0.0], [0.0, 0.1]], [0, 1], 0.1),
        ([[90.0, 0.0], [0.0, 90.0]], [1, 0], 10.0),
    ):
        of_codes = torch.tensor(codes)
        val = Prepared(torch.tensor(logits), of_codes, losses.one_hot(of_codes, 2), torch.ones(2))
        assert _temperature(head, val, torch.ones(2)) == pytest.approx(bound, rel=1e-3)


def validation_loss(module: nn.Module, val: Part) -> float:
    with torch.inference_mode():
        return functional.cross_entropy(module(val.inputs_nND), val.codes_n).item()


def test_early_stopping_keeps_the_epoch_of_least_validation_loss() -> None:
    codes = list(range(7))
    train = part(codes, 60, seed=1, distance=0.8)
    val = part(codes, 40, seed=2, distance=0.8)
    stopped = fitted("mlp", train, val, epochs=100, patience=4)
    losses = [figures["val_loss"] for figures in stopped.history]
    best = int(np.argmin(losses))
    assert best > 0
    assert len(losses) == best + 1 + 4 < 100  # four epochs in vain, then no more
    assert validation_loss(uncalibrated(stopped.module), val) == pytest.approx(
        losses[best], abs=1e-7
    )
    shorter = fitted("mlp", train, val, epochs=best + 1, patience=100)
    uncalibrated(shorter.module)
    assert shorter.weights() == stopped.weights()


def test_the_figures_of_an_epoch_are_those_of_its_module() -> None:
    codes = [0, 2, 3]
    train, val = part(codes, 60, seed=1, distance=0.5), part([0, 2], 30, seed=2, distance=0.5)
    done = fitted("mlp", train, val, epochs=1)
    uncalibrated(done.module)
    (figures,) = done.history
    answers = probabilities(done.module, val.inputs_nND).argmax(axis=1)
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
    uncalibrated(same.module)
    assert last.weights() == same.weights()
    assert last.weights() != fitted("mlp", train, EMPTY, epochs=4, lr=0.001).weights()


@pytest.mark.parametrize("kind", ["svm", "trees", *NETWORKS])
def test_a_seed_fixes_every_weight(kind: ClassifierKind) -> None:
    codes = [0, 1, 2]
    train, val = part(codes, 60, seed=1), part(codes, 30, seed=2)
    first = fitted(kind, train, val, epochs=3, seed=5)
    torch.rand(17)  # whatever else has drawn from the generators
    np.random.rand(17)
    again = fitted(kind, train, val, epochs=3, seed=5)
    assert first.weights() == again.weights()
    assert first.history == again.history
    if kind != "svm":  # the seed is for the order of its steps, which end in one place
        assert first.weights() != fitted(kind, train, val, epochs=3, seed=6).weights()


def learnt_before_the_head(module: nn.Module) -> dict[str, list[float]]:
    return {
        name: value.flatten().tolist()
        for name, value in module.state_dict().items()
        if name.partition(".")[0] in ("compress", "standardize", "project")
    }


@pytest.mark.parametrize("how", ["largest", "pca"])
@pytest.mark.parametrize("kind", ["logistic", "trees", "mlp"])
def test_what_comes_before_the_head_is_learnt_from_train_alone(
    kind: ClassifierKind, how: Reduction
) -> None:
    codes = [0, 1, 2]
    train = part(codes, 60, seed=1)
    options: Any = {"epochs": 2, "kept": 2, "how": how, "pca": 1}
    found = [
        learnt_before_the_head(fitted(kind, train, val, **options).module)
        for val in (part(codes, 30, seed=2), part(codes, 50, seed=3, distance=40), EMPTY)
    ]
    names = {"compress.matrices", "standardize.mean", "standardize.scale"}
    assert found[0].keys() == names | {"project.mean", "project.components"}
    assert found[0] == found[1] == found[2]
    other = part(codes, 60, seed=4, distance=9)
    elsewhere = learnt_before_the_head(fitted(kind, other, EMPTY, **options).module)
    assert elsewhere["standardize.mean"] != found[0]["standardize.mean"]
    assert elsewhere["project.components"] != found[0]["project.components"]


def test_standardisation_is_that_of_the_training_part() -> None:
    train = part([0, 1, 2], 60, seed=1)
    module = fitted("logistic", train, part([0, 1, 2], 30, seed=2, distance=9)).module
    assert isinstance(module, Classifier)
    inputs = train.inputs_nND.double()
    found = module.standardize
    torch.testing.assert_close(found.mean.double(), inputs.mean(0), rtol=1e-5, atol=1e-5)
    scale = 1 / inputs.std(0, correction=0)
    torch.testing.assert_close(found.scale.double(), scale, rtol=1e-5, atol=1e-5)


def test_more_components_than_there_are_is_a_user_error() -> None:
    train = part([0, 1], 30, seed=1)
    with pytest.raises(UserError, match=r"train\.pca is 4, but .* 3 channels have 3 principal"):
        fitted("logistic", train, EMPTY, pca=4)


def answer_to_noise(kind: ClassifierKind, **changes: Any) -> NDArray[np.float32]:
    """The mean probabilities where inputs tell nothing and the classes are 8 : 1 : 1."""
    rng = np.random.default_rng(0)
    codes = rng.choice(3, 400, p=[0.8, 0.1, 0.1])
    train = as_part(rng.normal(size=(400, STEPS, 3)), codes)
    module = fitted(kind, train, EMPTY, epochs=20, c=0.001, dropout=0.0, **changes).module
    return probabilities(module, torch.randn(200, STEPS, 3)).mean(axis=0)[:3]


@pytest.mark.parametrize(
    "changes", [{"loss": "balanced"}, {"imbalance": "weights"}, {"imbalance": "sampler"}]
)
def test_rare_classes_get_their_share(changes: dict[str, Any]) -> None:
    assert answer_to_noise("mlp")[0] > 0.7
    assert answer_to_noise("mlp", **changes)[0] < 0.5


def test_weights_are_heeded_by_scikit_learn_s_logistic() -> None:
    assert answer_to_noise("logistic")[0] > 0.7
    assert answer_to_noise("logistic", imbalance="weights")[0] < 0.5


def test_label_smoothing_keeps_the_answers_from_certainty() -> None:
    train, test = part([0, 1], 60, seed=1), part([0, 1], 60, seed=2)
    sharp, smooth = (
        probabilities(
            fitted("mlp", train, EMPTY, epochs=60, label_smoothing=share).module, test.inputs_nND
        ).max(axis=1)
        for share in (0.0, 0.3)
    )
    assert np.median(sharp) > 0.95
    assert 0.7 < np.median(smooth) < 0.85  # 1 - 0.3 + 0.3 / 7


def test_soft_targets_are_what_is_learnt() -> None:
    train = part([0, 1], 200, seed=1, distance=4)
    shares = torch.zeros(200, 7)
    shares[:, 0] = torch.where(train.codes_n == 0, 0.6, 0.1)
    shares[:, 2] = 1 - shares[:, 0]
    soft = Part(train.inputs_nND, train.codes_n, shares)
    module = fitted("mlp", soft, EMPTY, epochs=100).module
    found = probabilities(module, train.inputs_nND)
    for code, expected in ((0, 0.6), (1, 0.1)):
        of_class = found[train.codes_n == code]
        np.testing.assert_allclose(np.median(of_class[:, 0]), expected, atol=0.05)


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_fit_that_has_ended_is_taken_from_its_checkpoint(
    kind: ClassifierKind, tmp_path: Path
) -> None:
    train, val = part([0, 1, 2], 40, seed=1), part([0, 1, 2], 20, seed=2)
    settings = replace(SETTINGS, epochs=4)
    config = configure(kind, WORDS, STEPS, (2, 1), 0, settings)

    def once() -> tuple[dict[str, list[float]], list[int]]:
        heard: list[int] = []
        checkpoint = Checkpoint(tmp_path / "a", "x")
        module = fit(
            config,
            train,
            val,
            settings,
            report=lambda epoch, _: heard.append(epoch),
            checkpoint=checkpoint,
        )
        assert not module.training
        return Fitted(module, []).weights(), heard

    first = once()
    assert len(first[1]) == (4 if kind in NETWORKS else 0)
    written = (tmp_path / "a").stat().st_mtime_ns
    assert once() == first
    assert (tmp_path / "a").stat().st_mtime_ns == written


@pytest.mark.parametrize("kind", ["majority", "logistic", "svm", "trees"])
def test_but_for_the_temperature_baselines_do_not_look_at_validation(kind: ClassifierKind) -> None:
    train = part([0, 1, 2], 60, seed=1)
    with_val = fitted(kind, train, part([0, 1], 30, seed=2))
    if kind != "majority":
        uncalibrated(with_val.module)
    assert with_val.weights() == fitted(kind, train, EMPTY).weights()
    assert with_val.history == []

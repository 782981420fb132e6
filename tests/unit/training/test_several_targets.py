"""Fitting several targets at once, of which clips lack some: what is learnt, what is not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from facewave import params
from facewave.errors import UserError
from facewave.models.classifiers.classifier import Classifier, build
from facewave.params import NETWORKS, ClassifierKind, Train
from facewave.targets import Target, number
from facewave.training.calibration import FEWEST
from facewave.training.fit import Samples, configure, fit
from facewave.training.loop import Report
from facewave.training.losses import TaskLosses
from facewave.training.roles import fitted
from making import REPOSITORY
from toy_targets import (
    CHANNELS,
    CLASSES,
    COLUMNS,
    STEPS,
    TARGETS,
    UNITS,
    VALENCE,
    ccc,
    of,
    samples,
)

TRAIN = replace(params.load(REPOSITORY / "params.yaml").train, imbalance="none")
QUICK = {"hidden": 16, "dropout": 0.0, "lr": 0.03, "epochs": 15, "patience": 15, "batch_size": 50}
LEARNERS = [kind for kind in get_args(ClassifierKind) if kind != "majority"]
ALONE = [kind for kind in LEARNERS if kind not in NETWORKS]  # they learn each output by itself
NOTHING = samples(0, 0)


def settings(**changes: Any) -> Train:
    """Quick ones; options of the networks by their names."""
    network = {name: changes.pop(name) for name in list(changes) if hasattr(TRAIN.network, name)}
    quick: dict[str, Any] = {"trees": params.Trees(30), "logistic": params.Linear(1.0)}
    quick |= {"network": replace(TRAIN.network, **QUICK | network)}
    return replace(TRAIN, **quick | changes)


def learnt(
    kind: Any,
    train: Samples,
    val: Samples | None = None,
    targets: Sequence[Target] = TARGETS,
    report: Report = lambda epoch, figures: None,
    **changes: Any,
) -> Classifier:
    chosen = settings(**changes)
    config = configure(kind, targets, STEPS, (CHANNELS,), 0, chosen)
    nothing = Samples(*(tensor[:0] for tensor in vars(train).values()))
    module = fit(config, train, nothing if val is None else val, chosen, report=report)
    assert isinstance(module, Classifier)
    return module


def answers(module: Classifier, part: Samples) -> NDArray[np.float32]:
    with torch.inference_mode():
        return module.answers(part.inputs_nND).numpy()


def without(part: Samples, rows: Any, *names: str) -> Samples:
    """The same clips, some of which lack some targets."""
    truth = part.truth_nW.clone()
    for name in names:
        truth[rows, COLUMNS[name]] = torch.nan
    return replace(part, truth_nW=truth)


def test_every_kind_learns_every_kind_of_target_at_once_with_gaps() -> None:
    test, val = samples(300, 3), samples(60, 2, missing=0.3)
    truth = test.truth_nW.numpy()
    for kind in LEARNERS:
        for numbers in ("ccc", "bins")[: 1 + (kind == "mlp")]:
            module = learnt(kind, samples(150, 1, missing=0.3), val, numbers=numbers)
            found = answers(module, test)
            words = found[:, :3].argmax(1) == truth[:, :3].argmax(1)
            assert words.mean() > 0.75, kind
            for column in (3, 4, 7, 8):
                assert ccc(truth[:, column], found[:, column]) > 0.75, (kind, column)
            for column in (5, 6):
                assert ((found[:, column] > 0.5) == truth[:, column]).mean() > 0.8, (kind, column)
            np.testing.assert_allclose(found[:, :3].sum(axis=1), 1, rtol=1e-5)
            assert ((found[:, 5:7] >= 0) & (found[:, 5:7] <= 1)).all()
            # However far away a face is, an answer stays between the target's bounds.
            far = replace(test, inputs_nND=100 * test.inputs_nND)
            assert np.abs(answers(module, far)[:, 3]).max() <= 1
            known = (~val.truth_nW[:, 3].isnan()).sum().item()
            within = np.abs(answers(module, val)[:, 3] - val.truth_nW[:, 3].numpy())
            assert (within <= module.margin[3].item()).sum() == np.ceil((known + 1) * 0.9)
            assert module.margin.isnan().tolist() == [True] * 3 + [False] * 2 + [True] * 4


def test_a_clip_without_a_label_changes_nothing_of_what_is_learnt_alone() -> None:
    """To the last bit, also when its other labels are taken away."""
    train, test = samples(90, 1), samples(50, 3)
    rows = torch.arange(90) % 3 == 0
    for kind in ALONE:
        few: dict[str, Any] = {"trees": params.Trees(8)}
        whole = answers(learnt(kind, train, **few), test)
        other = answers(learnt(kind, without(train, rows, *COLUMNS), **few), test)
        for name, columns in COLUMNS.items():
            one = answers(learnt(kind, without(train, rows, name), **few), test)
            np.testing.assert_array_equal(one[:, columns], other[:, columns])
            assert (np.delete(one, columns, 1) != np.delete(other, columns, 1)).any(axis=0).all()
            assert (whole[:, columns] != one[:, columns]).any()  # with its labels it would count


def test_networks_have_a_gradient_of_exactly_0_where_a_label_is_missing() -> None:
    """Of the head's outputs by clip, and of the weights behind a target that no clip has."""
    train = without(samples(40, 1, missing=0.5), slice(None), "score.a", "strengths")
    networks: list[ClassifierKind] = ["mlp", "gru", "transformer"]
    for kind in networks:
        for numbers in ("mse", "ccc", "emonet", "bins"):
            chosen = settings(numbers=numbers)
            module: Any = build(configure(kind, TARGETS, STEPS, (CHANNELS,), 0, chosen))
            outputs = module.head(module.prepare(train.inputs_nND))
            outputs.retain_grad()
            loss = TaskLosses(TARGETS, chosen.network, {"classes": train.truth_nW[:, :3].nansum(0)})
            scaled = torch.cat([train.truth_nW[:, :4], train.truth_nW[:, 4:] / 50], 1)
            loss(outputs, scaled, torch.ones(40, len(TARGETS))).backward()
            wide = 20 if numbers == "bins" else 1
            parts = outputs.grad.split([3, wide, wide, 2, 2], 1)
            for target, gradient in zip(TARGETS, parts, strict=True):
                is_known = ~train.truth_nW[:, COLUMNS[target.name]].isnan().all(1)
                assert (gradient[~is_known] == 0).all()
                assert gradient[is_known].any() == bool(is_known.any())
            is_absent = torch.cat(
                [torch.full((part.shape[1],), part.eq(0).all().item()) for part in parts]
            )
            assert is_absent.sum() == wide + 2
            last = [w for w in module.head.parameters() if len(w) == len(is_absent)]
            assert len(last) == 2  # weights and bias
            assert all((weight.grad[is_absent] == 0).all() for weight in last)


def test_numbers_of_logistic_are_ridge_regression_of_standardised_inputs_and_truth() -> None:
    """Also where there are more inputs than clips, and clips count by their quality."""
    for n in (60, 8):
        train, test = samples(n, 1), samples(40, 3)
        weights = torch.linspace(0.1, 1, n)
        weighed = without(replace(train, quality_n=weights), slice(0, n // 4), "score.a")
        found = answers(learnt("logistic", weighed, logistic=params.Linear(0.3)), test)
        x, x_test = (part.inputs_nND.flatten(1).double().numpy() for part in (train, test))
        mean, spread = x.mean(0), x.std(0)
        for column, rows in ((4, slice(n // 4, n)), (7, slice(0, n))):
            y, w = train.truth_nW[rows, column].double().numpy(), weights[rows].double().numpy()
            reference = Ridge(alpha=1 / 0.3)
            standard = (y - y.mean()) / y.std()
            reference.fit((x[rows] - mean) / spread, standard, sample_weight=w / w.mean())
            expected = reference.predict((x_test - mean) / spread) * y.std() + y.mean()
            np.testing.assert_allclose(found[:, column], expected, rtol=1e-3, atol=1e-3)


def test_what_always_or_never_is_there_is_answered_and_so_is_what_nobody_labelled() -> None:
    units = Target("aus", "presence", ("always", "never", "unlabelled"))
    strengths = Target("strengths", "intensity", ("still", "unlabelled"))
    pair = Target("about.sex", "words", ("f", "m"))
    alone = Target("about.age", "words", ("young", "old"))
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, STEPS, CHANNELS))
    truth = np.full((60, 9), np.nan)
    truth[:, :2], truth[:, 3] = [1, 0], 2.5
    truth[:, 5:7] = np.eye(2)[(inputs[:, 0, 0] > 0).astype(int)]
    truth[:40, 7:] = [0, 1]
    part = of(inputs, truth)
    for kind in LEARNERS:
        module = learnt(kind, part, part, targets=(units, strengths, pair, alone), epochs=40)
        found = answers(module, part)
        assert np.isfinite(found).all()
        assert found[:, 0].min() > 0.9, kind
        assert found[:, 1].max() < 0.1, kind
        assert (found[:, 3] == 2.5).all()
        assert (found[:, 4] == 0).all()
        if kind in ALONE:
            assert (found[:, 2] < 0.5).all()
        assert (found[:, 5:7].argmax(1) == truth[:, 5:7].argmax(1)).mean() > 0.85, kind
        assert (found[:, 8] > 0.9).all(), kind


def test_distributions_are_learnt_as_clips_that_count_by_their_share() -> None:
    """Logistic regression of shares is that of each clip once for each word, by its share."""
    train, test = samples(60, 1), samples(40, 3)
    shares = torch.rand(60, 3, generator=torch.Generator().manual_seed(5)).softmax(1)
    shares[::4] = train.truth_nW[::4, :3]  # some are certain
    soft = Samples(train.inputs_nND, shares, train.quality_n)
    found = answers(learnt("logistic", soft, targets=(CLASSES,)), test)
    inputs, codes = train.inputs_nND.repeat(3, 1, 1), torch.arange(3).repeat_interleave(60)
    copies = Samples(inputs, torch.eye(3)[codes], shares.T.flatten())
    # Weights are 1 on average, and there are three times as many, so each clip counts thrice.
    same = learnt("logistic", copies, targets=(CLASSES,), logistic=params.Linear(1 / 3))
    np.testing.assert_allclose(answers(same, test), found, atol=1e-4)
    certain = Samples(train.inputs_nND, train.truth_nW[:, :3], train.quality_n)
    assert (
        np.abs(answers(learnt("logistic", certain, targets=(CLASSES,)), test) - found).max() > 0.2
    )


def test_label_smoothing_is_of_networks_alone() -> None:
    train, test = samples(60, 1), samples(40, 3)
    for kind in ("logistic", "trees", "mlp"):
        plain, smoothed = (answers(learnt(kind, train, epochs=2, label_smoothing=share), test)
                           for share in (0.0, 0.3))  # fmt: skip
        assert np.array_equal(plain, smoothed) == (kind != "mlp")


def test_the_sampler_shows_rare_values_as_often_as_frequent_ones() -> None:
    """Inputs are all the same, so that what is learnt is the mean of what is drawn."""
    inputs = np.ones((200, STEPS, CHANNELS))
    values = np.where(np.arange(200) < 180, 0.05, 0.95)[:, None]
    part = of(inputs, values)
    options: Any = {"targets": (VALENCE,), "numbers": "mse", "hidden": 2, "lr": 0.05, "epochs": 40}
    means = {
        imbalance: answers(learnt("mlp", part, imbalance=imbalance, **options), part).mean()
        for imbalance in ("none", "weights", "sampler")
    }
    assert means["none"] == means["weights"] == pytest.approx(0.14, abs=0.05)
    assert means["sampler"] == pytest.approx(0.5, abs=0.08)


def test_few_labels_are_refused_in_a_sentence() -> None:
    train = samples(30, 1)
    for kept in (0, FEWEST - 1):
        few = without(train, slice(kept, None), "valence")
        for kind in get_args(ClassifierKind):
            with pytest.raises(
                UserError, match=f"{kept} training clips have valence, and 2 are the"
            ):
                fit(
                    configure(kind, TARGETS, STEPS, (CHANNELS,), 0, settings()),
                    few,
                    NOTHING,
                    settings(),
                )
    assert learnt("logistic", without(train, slice(FEWEST, None), "valence"))


def test_figures_of_the_classes_are_of_the_clips_that_have_one_wherever_it_stands() -> None:
    train = samples(80, 1)
    others = (number("valence"), CLASSES, UNITS)
    at = [3, 0, 1, 2, 5, 6]
    truth = train.truth_nW[:, at].clone()
    truth[:20, 1:4] = torch.nan
    part = Samples(train.inputs_nND, truth, train.quality_n)
    curve: list[dict[str, float]] = []
    for kind in ("trees", "mlp"):
        module = learnt(
            kind, part, part, others, lambda _, figures: curve.append(figures), epochs=1
        )
        found = answers(module, part)[20:, 1:4].argmax(1)
        expected = (found == truth[20:, 1:4].argmax(1).numpy()).mean()
        told = fitted(others, torch.from_numpy(answers(module, part)), truth)
        assert told["war"] == pytest.approx(expected, abs=1e-4)
        if kind == "mlp":
            assert curve[0]["val_war"] == pytest.approx(expected)
    of_nobody = torch.from_numpy(answers(module, part)[:20])
    assert fitted(others, of_nobody, truth[:20]) == {"war": None, "uar": None}

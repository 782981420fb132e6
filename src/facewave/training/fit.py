"""Fitting each kind of classifier: arrays in, module out.

Legend of names: n clips, N steps, D channels, K steps and P channels that the head sees, T targets,
O outputs and W columns of the truth of all targets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC, LinearSVR
from torch import Tensor

from facewave.errors import UserError
from facewave.models.classifiers.classifier import (
    Classifier,
    ClassifierConfig,
    Reduction,
    build,
)
from facewave.models.classifiers.heads import DEPTH, Linear, Trees
from facewave.models.readout import Majority
from facewave.params import NETWORKS, ClassifierKind, Train
from facewave.targets import Target
from facewave.training import calibration, losses, sampling
from facewave.training.loop import Prepared, Report, train_head

_NEVER = -1e4  # the logit of a word without training clips: never chosen, yet finite
_DECIMALS = 4
_SUBSAMPLE = 0.5  # share of the clips drawn for each stage of boosting (Friedman, 2002)
_THERE = 0.5  # from which probability a unit counts as there


@dataclass(frozen=True, eq=False)
class Samples:
    """One part's inputs (n, N, D) float32 and truth (n, W) float32, NaN where it is not known.

    ``quality_n`` (n,) float32 is how much each clip counts (``Clips.quality``).
    """

    inputs_nND: Tensor
    truth_nW: Tensor
    quality_n: Tensor


def configure(
    kind: ClassifierKind,
    targets: Sequence[Target],
    steps: int,
    widths: tuple[int, ...],
    kept: int,
    settings: Train,
) -> ClassifierConfig:
    """The configuration of a classifier of this kind (arguments as in ``ClassifierConfig``)."""
    if kind == "majority":
        return ClassifierConfig(kind, tuple(targets))
    config = ClassifierConfig(
        kind, tuple(targets), steps=steps, widths=widths, kept=kept, pca=settings.pca
    )
    if kind in NETWORKS:
        network = settings.network
        return replace(
            config,
            binned=network.numbers == "bins",
            hidden=network.hidden,
            dropout=network.dropout,
            shake=network.shake and kind == "mlp",
        )
    return replace(config, trees=settings.trees.stages) if kind == "trees" else config


def fit(
    config: ClassifierConfig,
    train: Samples,
    val: Samples,
    settings: Train,
    reduction: Reduction | None = None,
    report: Report = lambda epoch, figures: None,
) -> Classifier | Majority:
    """Fit a classifier on the training part; validation chooses the epoch and what follows it.

    All that precedes the head is fitted on the training part alone. Each clip counts by its
    quality, and with ``train.imbalance: weights`` also by how rare its word is. If ``val`` is
    empty, the last epoch and temperature 1 are kept, and numbers have no prediction interval.
    ``reduction`` is how the steps are reduced to ``config.kept``.

    Raises:
        UserError: a target has too few training clips, train.pca is more than the inputs have, or
            the training diverged.
    """
    torch.manual_seed(settings.seed)
    module = build(config)
    calibration.check_labelled(config.targets, train.truth_nW)
    module.prior.fit(train.truth_nW)
    if isinstance(module, Majority):
        return module.eval()
    n, channels, steps = len(train.truth_nW), train.inputs_nND.shape[2], config.kept or config.steps
    if config.pca > (most := min(channels, n * steps)):
        raise UserError(
            f"params.yaml: train.pca is {config.pca}, but {n} training clips of {steps} steps and "
            f"{channels} channels have {most} principal components at most."
        )
    module.fit_inputs(train.inputs_nND, reduction)
    calibration.fit_scale(module, train.truth_nW)
    counts = calibration.counts(config.targets, train.truth_nW)
    prepared, validating = (_prepare(module, part, counts, settings) for part in (train, val))
    match module.head:
        case Linear():
            for problem in _problems(module, prepared):
                _fit_linear(module.head, problem, config.kind, settings)
        case Trees():
            for problem in _problems(module, prepared):
                _grow(module.head, problem, settings)
        case _:
            loss = losses.TaskLosses(config.targets, settings.network, counts)
            draws_n = None
            if settings.imbalance == "sampler":
                draws_n = sampling.weights(config.targets, train.truth_nW)
            parts = (prepared, validating, loss, draws_n)
            train_head(module.head, config.targets, *parts, settings, report)
    module.eval()
    with torch.inference_mode():
        outputs_nO = module.head(validating.inputs_nKP)
    calibration.fit(module, outputs_nO, val.truth_nW, counts)
    return module


def _prepare(
    module: Classifier, part: Samples, counts: dict[str, Tensor], settings: Train
) -> Prepared:
    """A part as the head sees it, with the weight of each clip for each target."""
    scaled = calibration.scaled(module, part.truth_nW, part.quality_n, counts, settings)
    return Prepared(module.prepare(part.inputs_nND), *scaled)


@dataclass(frozen=True, eq=False)
class _Problem:
    """What some outputs are fitted to.

    Attributes:
        kind: one of several words, whether a unit is there, or a number.
        inputs: of the clips whose truth is known, (m, K * P) float32.
        truth: codes of words, 0 or 1 of a unit, or numbers, (m,).
        weights: of the clips, (m,).
        outputs: which they are.
    """

    kind: Literal["words", "unit", "number"]
    inputs: NDArray[np.float32]
    truth: NDArray[Any]
    weights: NDArray[np.float64]
    outputs: slice

    @property
    def present(self) -> NDArray[np.int64]:
        """The classes that occur."""
        return np.unique(self.truth)

    @property
    def is_trivial(self) -> bool:
        """Whether there is nothing to tell apart, which scikit-learn refuses to learn."""
        return not len(self.truth) or (self.kind != "number" and len(self.present) == 1)

    def constant(self) -> Tensor:
        """The outputs where nothing is to be told apart."""
        if not len(self.truth):  # of a unit that no training clip knows: rather not there
            return torch.full((1,), -1.0 if self.kind == "unit" else 0.0)
        if self.kind == "words":
            logits = torch.full((self.outputs.stop - self.outputs.start,), _NEVER)
            logits[self.present] = 0
            return logits
        odds = len(self.truth) + 1.0  # one clip more of each, as Laplace counts
        return torch.tensor([np.log(odds) if self.present[0] else -np.log(odds)])


def _problems(module: Classifier, train: Prepared) -> Iterator[_Problem]:
    """The problems that a linear model or trees solve one by one.

    A clip that is several words by shares counts as each of them, by its share.
    """
    flat = train.inputs_nKP.flatten(1).numpy()
    first = 0
    for t, (target, truth) in enumerate(calibration.by_target(module.targets, train.truth_nW)):
        weights_n = train.weights_nT[:, t].double().numpy()
        if target.is_words:
            shares_nC = truth.nan_to_num().double().numpy()
            rows, codes = np.nonzero(shares_nC)
            weights = weights_n[rows] * shares_nC[rows, codes]
            columns = slice(first, first + len(target.names))
            yield _Problem("words", _rows(flat, rows), codes, weights, columns)
        else:
            for at, column in enumerate(truth.T, start=first):
                rows = np.flatnonzero(~column.isnan().numpy())
                values, inputs = column[rows].double().numpy(), _rows(flat, rows)
                if target.kind == "presence":
                    is_there = (values > _THERE).astype(np.int64)
                    yield _Problem("unit", inputs, is_there, weights_n[rows], slice(at, at + 1))
                else:
                    yield _Problem("number", inputs, values, weights_n[rows], slice(at, at + 1))
        first += truth.shape[1]


def _rows(inputs: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some rows; the array itself, uncopied, if they are all of them in order."""
    is_whole = len(rows) == len(inputs) and bool((rows == np.arange(len(rows))).all())
    return inputs if is_whole else inputs[rows]


def _fit_linear(head: Linear, problem: _Problem, kind: ClassifierKind, settings: Train) -> None:
    """Fit some outputs: classes by logistic regression or SVM, a number by ridge regression or SVR.

    With an L2 penalty the solution lies in the space that the clips span (the representer theorem,
    Kimeldorf and Wahba 1970), which has n dimensions instead of thousands. The penalty of ridge
    regression, 1 / c, is that of logistic regression: both are a Gaussian prior of variance c.
    """
    weight, bias = head.linear.weight[problem.outputs], head.linear.bias[problem.outputs]
    is_number, is_words = problem.kind == "number", problem.kind == "words"
    with torch.no_grad():
        weight.zero_()
        if problem.is_trivial:
            bias.copy_(problem.constant())
            return
        inputs, directions = problem.inputs.astype(np.float64), None
        if len(inputs) < inputs.shape[1]:
            directions, triangle = np.linalg.qr(inputs.T)
            inputs = triangle.T
        solver = _solver(kind, is_number, settings)
        solver.fit(inputs, problem.truth, sample_weight=problem.weights)
        coefficients, intercepts = np.atleast_2d(solver.coef_), np.atleast_1d(solver.intercept_)
        if directions is not None:
            coefficients = coefficients @ directions.T
        if is_words and len(problem.present) == 2:  # scikit-learn has one row for two classes
            coefficients = np.vstack([0 * coefficients, coefficients])
            intercepts = np.concatenate([0 * intercepts, intercepts])
        rows = problem.present if is_words else np.zeros(1, np.int64)
        bias.fill_(_NEVER)
        weight[rows] = torch.from_numpy(coefficients).float()
        bias[rows] = torch.from_numpy(intercepts).float()


def _solver(kind: ClassifierKind, is_number: bool, settings: Train) -> Any:
    if kind == "svm":
        svm: type[LinearSVC] | type[LinearSVR] = LinearSVR if is_number else LinearSVC
        return svm(C=settings.svm.c, max_iter=10_000, random_state=settings.seed)
    if is_number:
        return Ridge(alpha=1 / settings.logistic.c)
    return LogisticRegression(C=settings.logistic.c, max_iter=20_000, tol=1e-8)


def _grow(head: Trees, problem: _Problem, settings: Train) -> None:
    """Grow the trees of some outputs."""
    is_number, is_words = problem.kind == "number", problem.kind == "words"
    initial = head.initial[problem.outputs]
    if problem.is_trivial:
        initial.copy_(problem.constant())
        return
    boosting: type[GradientBoostingClassifier] | type[GradientBoostingRegressor]
    boosting = GradientBoostingRegressor if is_number else GradientBoostingClassifier
    solver = boosting(
        n_estimators=settings.trees.stages,
        max_depth=DEPTH,
        max_features="sqrt",
        subsample=_SUBSAMPLE,
        random_state=settings.seed,
    )
    solver.fit(problem.inputs, problem.truth, sample_weight=problem.weights)
    grown = np.zeros(1, np.int64)
    if is_words:  # one row of trees for two classes
        initial.fill_(_NEVER)
        initial[problem.present] = 0
        grown = problem.present[1:] if len(problem.present) == 2 else problem.present
    grown = grown + problem.outputs.start
    for stage, trees in enumerate(solver.estimators_):
        for at, estimator in zip(grown.tolist(), trees, strict=True):
            tree = estimator.tree_
            nodes = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            arrays = {
                head.feature: np.where(leaf, 0, tree.feature),
                head.threshold: tree.threshold,
                head.left: np.where(leaf, nodes, tree.children_left),
                head.right: np.where(leaf, nodes, tree.children_right),
                head.value: solver.learning_rate * tree.value[:, 0, 0],
            }
            for buffer, array in arrays.items():
                buffer[stage, at, : len(nodes)] = torch.from_numpy(array)
    # The initial values are what the whole has beyond the trees' sum.
    first = problem.inputs[:1]
    of_trees = [[tree.predict(first)[0] for tree in trees] for trees in solver.estimators_]
    whole = (solver.predict if is_number else solver.decision_function)(first).reshape(-1)
    head.initial[grown] = torch.from_numpy(whole - solver.learning_rate * np.sum(of_trees, axis=0))

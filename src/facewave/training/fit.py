"""Fitting each kind of classifier: arrays in, module out.

Legend of names: n clips, N steps, D channels, K steps and P channels that the head sees, C classes.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from torch.nn import functional

from facewave.errors import UserError
from facewave.models.classifiers.classifier import (
    Classifier,
    ClassifierConfig,
    Majority,
    Reduction,
    build,
)
from facewave.models.classifiers.heads import DEPTH, Linear, Trees
from facewave.params import ClassifierKind, Train
from facewave.training import losses
from facewave.training.loop import Prepared, Report, recalled, train_head

NETWORKS = ("mlp", "gru", "transformer")
_NEVER = -1e4  # the logit of a class without training clips: never chosen, yet finite
_DECIMALS = 4
_SUBSAMPLE = 0.5  # share of the clips drawn for each stage of boosting (Friedman, 2002)
_COOLEST, _HOTTEST = 0.1, 10.0  # temperatures; beyond these there is too little to learn from


@dataclass(frozen=True, eq=False)
class Samples:
    """One part's inputs (n, N, D) float32, class codes (n,) int64, targets (n, C) float32.

    ``quality_n`` (n,) float32 is the share of each clip's frames with the face: its weight.
    """

    inputs_nND: Tensor
    codes_n: Tensor
    targets_nC: Tensor
    quality_n: Tensor


def configure(
    kind: ClassifierKind,
    classes: tuple[str, ...],
    steps: int,
    widths: tuple[int, ...],
    kept: int,
    settings: Train,
) -> ClassifierConfig:
    """The configuration of a classifier of this kind (arguments as in ``ClassifierConfig``)."""
    if kind == "majority":
        return ClassifierConfig(kind, classes)
    config = ClassifierConfig(kind, classes, steps, widths, kept, settings.pca)
    if kind in NETWORKS:
        network = settings.network
        return replace(config, hidden=network.hidden, dropout=network.dropout)
    return replace(config, trees=settings.trees.stages) if kind == "trees" else config


def fit(
    config: ClassifierConfig,
    train: Samples,
    val: Samples,
    settings: Train,
    reduction: Reduction | None = None,
    report: Report = lambda epoch, figures: None,
) -> Classifier | Majority:
    """Fit a classifier on the training part; validation chooses the epoch and the temperature.

    All that precedes the head is fitted on the training part alone. Each clip counts by its
    quality, and with ``train.imbalance: weights`` also by how rare its class is. If ``val`` is
    empty, the last epoch and temperature 1 are kept. ``reduction`` is how the steps are reduced to
    ``config.kept``.

    Raises:
        UserError: train.pca is more than the inputs have, or the training diverged.
    """
    torch.manual_seed(settings.seed)
    module = build(config)
    module.prior.fit(train.codes_n)
    if isinstance(module, Majority):
        return module.eval()
    channels, steps = train.inputs_nND.shape[2], config.kept or config.steps
    most = min(channels, len(train.codes_n) * steps)
    if config.pca > most:
        raise UserError(
            f"params.yaml: train.pca is {config.pca}, but {len(train.codes_n)} training clips of "
            f"{steps} steps and {channels} channels have {most} principal components at most."
        )
    module.fit_inputs(train.inputs_nND, reduction)
    counts_C = torch.bincount(train.codes_n, minlength=len(config.classes))
    prepared, validating = (_prepare(module, part, counts_C, settings) for part in (train, val))
    match module.head:
        case Linear():
            _fit_linear(module.head, prepared, config.kind, settings)
        case Trees():
            _fit_trees(module.head, prepared, settings)
        case _:
            loss = losses.choose(settings.network, counts_C)
            train_head(module.head, prepared, validating, loss, settings, report)
    module.eval()
    module.temperature.fill_(_temperature(module.head, validating, counts_C))
    return module


def fitted(module: Classifier | Majority, part: Samples) -> dict[str, float | None]:
    """WAR and UAR of a fitted module on a part, None where it has no clips.

    On the training part they say how much the module has memorised.
    """
    if not len(part.codes_n):
        return {"war": None, "uar": None}
    with torch.inference_mode():
        predicted_n = module(part.inputs_nND).argmax(1)
    return {
        name: round(value, _DECIMALS) for name, value in recalled(part.codes_n, predicted_n).items()
    }


def _prepare(module: Classifier, part: Samples, counts_C: Tensor, settings: Train) -> Prepared:
    weights_n = part.quality_n
    if settings.imbalance == "weights":
        weights_n = weights_n * losses.class_weights(counts_C)[part.codes_n].float()
    if len(weights_n):  # 1 on average, so that a penalty weighs as much as without them
        weights_n = weights_n / weights_n.mean()
    targets_nC = part.targets_nC
    if settings.network.label_smoothing:
        targets_nC = losses.smooth(targets_nC, settings.network.label_smoothing)
    return Prepared(module.prepare(part.inputs_nND), part.codes_n, targets_nC, weights_n)


def _fit_linear(head: Linear, train: Prepared, kind: ClassifierKind, settings: Train) -> None:
    inputs = train.inputs_nKP.flatten(1).double().numpy()
    present = np.unique(train.codes_n.numpy())
    coefficients, intercepts = np.zeros((1, inputs.shape[1])), np.zeros(1)
    # With an L2 penalty the solution lies in the space that the clips span (the representer
    # theorem, Kimeldorf and Wahba 1970), which has n dimensions instead of thousands.
    directions, inputs = np.linalg.qr(inputs.T)
    inputs = inputs.T
    if len(present) > 1:  # scikit-learn refuses a single class
        solver = LogisticRegression(C=settings.logistic.c, max_iter=20_000, tol=1e-8)
        if kind == "svm":
            solver = LinearSVC(C=settings.svm.c, max_iter=10_000, random_state=settings.seed)
        solver.fit(inputs, train.codes_n.numpy(), sample_weight=train.weights_n.double().numpy())
        coefficients, intercepts = solver.coef_ @ directions.T, solver.intercept_
    if len(present) == 2:  # scikit-learn has one row for two classes
        coefficients = np.vstack([0 * coefficients, coefficients])
        intercepts = np.concatenate([0 * intercepts, intercepts])
    with torch.no_grad():
        head.linear.weight.zero_()[present] = torch.from_numpy(coefficients).float()
        head.linear.bias.fill_(_NEVER)[present] = torch.from_numpy(intercepts).float()


def _fit_trees(head: Trees, train: Prepared, settings: Train) -> None:
    present = torch.unique(train.codes_n)
    head.initial.fill_(_NEVER)
    head.initial[present] = 0
    if len(present) == 1:  # scikit-learn refuses a single class
        return
    inputs = train.inputs_nKP.flatten(1).numpy()
    solver = GradientBoostingClassifier(
        n_estimators=settings.trees.stages,
        max_depth=DEPTH,
        max_features="sqrt",
        subsample=_SUBSAMPLE,
        random_state=settings.seed,
    )
    solver.fit(inputs, train.codes_n.numpy(), sample_weight=train.weights_n.double().numpy())
    grown = present[1:] if len(present) == 2 else present  # one row of trees for two classes
    for stage, trees in enumerate(solver.estimators_):
        for code, estimator in zip(grown.tolist(), trees, strict=True):
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
                buffer[stage, code, : len(nodes)] = torch.from_numpy(array)
    # The initial values are what the decision function has beyond the trees' sum.
    of_trees = [[tree.predict(inputs[:1])[0] for tree in trees] for trees in solver.estimators_]
    whole = solver.decision_function(inputs[:1]).reshape(-1)
    head.initial[grown] = torch.from_numpy(whole - solver.learning_rate * np.sum(of_trees, axis=0))


def _temperature(head: nn.Module, val: Prepared, counts_C: Tensor) -> float:
    """What the logits are divided by, for the lowest validation loss (Guo et al., 2017).

    Clips of a class without training clips are left out: no temperature makes it likely.
    """
    known = counts_C[val.codes_n] > 0
    if not known.any():
        return 1.0
    with torch.inference_mode():
        logits_nC = head(val.inputs_nKP[known]).double()

    def loss(log_temperature: float) -> float:
        scaled_nC = logits_nC / np.exp(log_temperature)
        return functional.cross_entropy(scaled_nC, val.codes_n[known]).item()

    optimum = minimize_scalar(loss, bounds=np.log([_COOLEST, _HOTTEST]), method="bounded")
    return float(np.exp(optimum.x)) if optimum.fun < loss(0.0) else 1.0

"""What is fitted around a network's outputs. Pure.

Before training it is the scale of numbers; after it, on validation, temperatures and prediction
intervals.

Legend of names: n clips, T targets, C words, O outputs and W columns of the truth of all targets.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

from facewave.errors import UserError
from facewave.models import outputs
from facewave.models.readout import Readout
from facewave.params import NETWORKS, Train
from facewave.targets import Target
from facewave.training import losses
from facewave.training.conformal import margin

FEWEST = 2  # training clips that a target needs
_COOLEST, _HOTTEST = 0.1, 10.0  # temperatures; beyond these there is too little to learn from
_WIDE = 3  # standard deviations between which the bins of an unbounded number lie


def check_labelled(targets: Sequence[Target], truth_nW: Tensor) -> None:
    """Refuse targets that too few training clips have.

    Raises:
        UserError: one has fewer than ``FEWEST``.
    """
    for target, truth in by_target(targets, truth_nW):
        n_labelled = int((~truth.isnan()).any(1).sum())
        if n_labelled < FEWEST:
            raise UserError(
                f"train.targets: {n_labelled} training clips have {target.name}, and {FEWEST} are "
                "the fewest to learn from. Take it out of train.targets, or label more clips."
            )


def by_target(targets: Sequence[Target], of_all: Tensor) -> Iterator[tuple[Target, Tensor]]:
    """Each target with its columns of (n, W) or its entries of (W,)."""
    yield from zip(targets, of_all.split(outputs.truth_widths(targets), -1), strict=True)


def counts(targets: Sequence[Target], truth_nW: Tensor) -> dict[str, Tensor]:
    """How many training clips have each word, by target, each (C,)."""
    columns = by_target(targets, truth_nW)
    return {target.name: truth.nansum(0) for target, truth in columns if target.is_words}


def fit_scale(module: Readout, truth_nW: Tensor) -> None:
    """Choose the scale in which numbers are learnt: standardised, or where bins are, [-1, 1].

    What never varies, or is never known, has the scale 0: its centre is always the answer.
    """
    centres, scales = [], []
    for target, truth in by_target(module.targets, truth_nW):
        centre, scale = torch.zeros(truth.shape[1]), torch.ones(truth.shape[1])
        if target.kind in ("number", "intensity"):
            centre, scale = truth.nanmean(0), (truth - truth.nanmean(0)).square().nanmean(0).sqrt()
            if module.binned and target.kind == "number":
                scale = _WIDE * scale
                if target.low is not None and target.high is not None:
                    centre = torch.tensor([(target.high + target.low) / 2])
                    scale = torch.tensor([(target.high - target.low) / 2])
        centres.append(centre.nan_to_num())
        scales.append(scale.nan_to_num())
    module.centre.copy_(torch.cat(centres))
    module.scale.copy_(torch.cat(scales))


def scaled(
    module: Readout,
    truth_nW: Tensor,
    quality_n: Tensor,
    counts: Mapping[str, Tensor],
    settings: Train,
) -> tuple[Tensor, Tensor]:
    """The truth of a part as a network's outputs should be, and the weight of each clip.

    Args:
        module: whose ``centre`` and ``scale`` are fitted.
        truth_nW: NaN where it is not known.
        quality_n: how much each clip counts.
        counts: of the training part's words (``counts``).
        settings: section ``train``.

    Returns:
        (n, W) and, for each target, (n, T).
    """
    truths, weights = [], []
    scaled_nW = (truth_nW - module.centre) / torch.where(module.scale > 0, module.scale, 1.0)
    is_smoothed = module.kind in NETWORKS and settings.network.label_smoothing
    for target, truth in by_target(module.targets, scaled_nW):
        weights_n = quality_n
        known_n = ~truth.isnan().any(1)
        if target.is_words and settings.imbalance == "weights":
            of_words_C = losses.class_weights(counts[target.name]).float()
            weights_n = weights_n * (truth.nan_to_num() @ of_words_C)
        if known_n.any():  # 1 on average, so that a penalty weighs as much as without them
            weights_n = weights_n / weights_n[known_n].mean()
        if target.is_words and is_smoothed:
            truth = losses.smooth(truth, settings.network.label_smoothing)
        truths.append(truth)
        weights.append(weights_n)
    return torch.cat(truths, 1), torch.stack(weights, 1)


def fit(
    module: Readout, outputs_nO: Tensor, truth_nW: Tensor, counts: Mapping[str, Tensor]
) -> None:
    """Choose temperatures and prediction intervals by the validation part.

    A temperature is the one with the lowest loss (Guo et al., 2017); clips of a word without
    training clips are left out, since no temperature makes it likely.
    """
    with torch.inference_mode():
        answers_nW = module.read(outputs_nO)
    widths = outputs.widths(module.targets, module.binned)
    half_widths = []
    for t, (target, truth) in enumerate(by_target(module.targets, truth_nW)):
        part = outputs_nO.split(widths, 1)[t].double()
        half_width = torch.full(truth.shape[1:], torch.nan)
        known_n = ~truth.isnan().any(1)
        if target.is_words:
            codes_n = truth.nan_to_num().argmax(1)
            known_n &= counts[target.name][codes_n] > 0
            module.temperature[t] = temperature(
                functools.partial(functional.cross_entropy, target=codes_n[known_n]), part[known_n]
            )
        elif target.kind == "presence":
            known = ~truth.isnan()
            loss = functools.partial(
                functional.binary_cross_entropy_with_logits, target=truth[known].double()
            )
            module.temperature[t] = temperature(loss, part[known])
        elif target.kind == "number":
            answers = answers_nW.split(outputs.truth_widths(module.targets), 1)[t]
            distances = (answers - truth)[known_n].abs().flatten()
            half_width = torch.tensor([margin(distances.numpy())])
        half_widths.append(half_width)
    module.margin.copy_(torch.cat(half_widths))


def temperature(loss: Callable[[Tensor], Tensor], logits: Tensor) -> float:
    """What logits are divided by for the lowest loss; 1 where there are none."""
    if not len(logits):
        return 1.0

    def at(log_temperature: float) -> float:
        return loss(logits / np.exp(log_temperature)).item()

    optimum = minimize_scalar(at, bounds=np.log([_COOLEST, _HOTTEST]), method="bounded")
    return float(np.exp(optimum.x)) if optimum.fun < at(0.0) else 1.0

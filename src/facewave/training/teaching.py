"""How clips teach a language model: which answers, how much each counts, how often it is shown.

Legend of names: n clips, C labels, W columns of the truth of all targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewave.params import Train
from facewave.targets import Target
from facewave.training import losses, sampling
from facewave.training.parts import truth_of
from facewave.workspace import Clips

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Teaching:
    """What is made of the labels of a training and a validation part."""

    truth_nW: Tensor  # of the training part: of labels, with soft_labels, the shares of votes
    val_nW: Tensor  # of the validation part, each clip's one label
    # Of labels, from which training clips' answers are drawn; None: they are the clips' labels.
    shares_nC: Floats | None
    weights_n: Floats | None  # of training clips in the loss, with mean 1; None: all the same
    val_weights_n: Floats | None  # the same of validation clips
    draws_n: Tensor | None  # how often to draw training clips, with mean 1; None: each once


def teaching(train: Clips, val: Clips, asked: Sequence[Target], settings: Train) -> Teaching:
    """How clips teach what is asked of them: either the classes or numbers.

    ``train.imbalance: weights`` weighs words alone, also in validation, by how often training has
    them, as it is of classifiers; ``sampler`` balances numbers, too. An answer drawn from shares
    has on average the loss of these shares; label smoothing is a share of all labels in them.
    """
    language, of_words = settings.language, all(target.is_words for target in asked)
    truth_nW = torch.from_numpy(truth_of(train, asked, language.soft_labels, "both"))
    val_nW = torch.from_numpy(truth_of(val, asked, soft=False))
    shares_nC = weights_n = val_weights_n = draws_n = None
    if of_words and (language.soft_labels or language.label_smoothing):
        shares_nC = losses.smooth(truth_nW, language.label_smoothing).numpy()
    if of_words and settings.imbalance == "weights" and len(train):
        of_words_C = losses.class_weights(truth_nW.sum(0))
        weights_n, val_weights_n = (_scaled(part @ of_words_C) for part in (truth_nW, val_nW))
    if settings.imbalance == "sampler" and len(train):
        draws_n = sampling.weights(asked, truth_nW)
    return Teaching(truth_nW, val_nW, shares_nC, weights_n, val_weights_n, draws_n)


def _scaled(weights_n: Tensor) -> Floats:
    """Weights with mean 1."""
    return (weights_n / weights_n.mean()).numpy()

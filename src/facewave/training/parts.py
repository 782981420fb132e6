"""What a classifier is fitted on, and how it is built, from a dataset's clips. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.models.classifiers.classifier import ClassifierConfig, Majority, Reduction
from facewave.models.classifiers.person import Population
from facewave.params import ClassifierKind, Train
from facewave.training import budget, losses
from facewave.training.fit import Samples, configure
from facewave.training.person import normalized
from facewave.wavelets.schema import mirrored
from facewave.workspace import Clips


def split(
    clips: Clips, parts: pd.Series, classes: Sequence[str], settings: Train
) -> tuple[Samples, Samples, Population | None]:
    """The training part (``is_learnt_from``) and the validation part of usable clips.

    With ``train.mirror`` the training part has the mirror image of each clip, too. With
    ``train.normalize: person`` both are standardised by each person's other clips (a mirror image
    by the others' mirror images), and the third is the training part's moments; else it is None.

    Raises:
        UserError: the inputs have no exact mirror image (``wavelets.schema.mirrored``), or nobody
            is named whose clips could standardise others.
    """
    train = clips.select(is_learnt_from(clips, parts, settings))
    val = clips.select((parts == "val").to_numpy())
    learnt = [train]
    if settings.mirror:
        images = {b: mirrored(b, clips.blocks[b], clips.wavelets) for b in settings.inputs}
        learnt.append(replace(train, blocks=images))
    population = None
    if settings.normalize == "person":
        if not clips.people:
            raise UserError(
                f"{settings.dataset} does not say who is in its clips, so train.normalize: person "
                "has nobody's clips to normalise by. Set train.normalize: none, or name the people "
                "(the option subject of an entry's reader)."
            )
        learnable = [some.inputs(settings.inputs) for some in learnt]
        population = Population.of(np.concatenate(learnable))
    samples = [_samples(some, classes, settings, population) for some in learnt]
    joined = Samples(*(torch.cat(one) for one in zip(*map(_tensors, samples), strict=True)))
    return joined, _samples(val, classes, settings, population), population


def is_learnt_from(clips: Clips, parts: pd.Series, settings: Train) -> NDArray[np.bool_]:
    """Which clips the training part has, (n,), cut to ``train.subset`` and ``train.budget``."""
    in_subset = clips.table.index.isin(labels.subset(clips.table, *settings.subset).index)
    learnt_n = (parts == "train").to_numpy() & in_subset
    if settings.budget:
        learnt_n[learnt_n] = budget.best(clips.table[learnt_n], clips.index, settings.budget)
    return learnt_n


def log_prior(codes_n: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """The classes' shares of some clips as ``Majority`` counts them, (C,), logarithms."""
    prior = Majority(n_classes)
    prior.fit(torch.from_numpy(codes_n))
    return prior.log_prior.double().numpy()


def _tensors(samples: Samples) -> tuple[Tensor, ...]:
    return samples.inputs_nND, samples.codes_n, samples.targets_nC, samples.quality_n


def _samples(
    clips: Clips, classes: Sequence[str], settings: Train, population: Population | None
) -> Samples:
    codes = torch.from_numpy(clips.table["label"].to_numpy(np.int64))
    targets = losses.one_hot(codes, len(classes))
    if settings.network.soft_labels:
        targets = torch.from_numpy(labels.soft_labels(clips.table, classes)).float()
    quality = torch.from_numpy(clips.table["face_share"].to_numpy(np.float32))
    inputs = torch.from_numpy(normalized(clips, settings.inputs, population))
    return Samples(inputs, codes, targets, quality)


def plan(
    kind: ClassifierKind,
    classes: Sequence[str],
    clips: Clips,
    wavelets: Mapping[str, Any],
    settings: Train,
) -> tuple[ClassifierConfig, Reduction | None]:
    """A classifier's configuration, and how training reduces the wavelet stage's steps, if it does.

    ``clips`` are any of the dataset's; ``wavelets`` are the transform's settings.

    Raises:
        UserError: the clips lack one of the inputs, or the transform's steps are chosen by their
            spread, which normalisation takes away.
    """
    names: tuple[Reduction, ...] = get_args(Reduction)
    reduction = next((name for name in names if name == wavelets["transform"]), None)
    if reduction and settings.normalize == "person" and kind != "majority":
        raise UserError(
            f"train.normalize: person makes the spread of all numbers alike, by which the "
            f"transform {reduction} chooses among them. Set train.normalize: none, or take another "
            "transform (wavelets.transform, study.transforms)."
        )
    steps = clips.select([]).inputs(settings.inputs).shape[1]
    kept = min(wavelets["k"], steps) if reduction else 0
    widths = clips.widths(settings.inputs)
    return configure(kind, tuple(classes), steps, widths, kept, settings), reduction

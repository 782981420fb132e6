"""What a classifier is fitted on, and how it is built, from a dataset's clips. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from facewave.labels import schema as labels
from facewave.models.classifiers.classifier import ClassifierConfig, Majority, Reduction
from facewave.params import ClassifierKind, Train
from facewave.training import losses
from facewave.training.fit import Samples, configure
from facewave.wavelets.schema import mirrored
from facewave.workspace import Clips, side_by_side


def split(
    clips: Clips, parts: pd.Series, classes: Sequence[str], settings: Train
) -> tuple[Samples, Samples]:
    """The training part, cut to ``train.subset``, and the validation part of usable clips.

    With ``train.mirror`` the training part has the mirror image of each clip, too.

    Raises:
        UserError: the inputs have no exact mirror image (``wavelets.schema.mirrored``).
    """
    train = clips.select(is_learnt_from(clips, parts, settings))
    val = clips.select((parts == "val").to_numpy())
    samples = _samples(train, classes, settings)
    if settings.mirror:
        at = train.table["at"].to_numpy()
        images = [mirrored(b, train.blocks[b][at], train.wavelets) for b in settings.inputs]
        inputs = torch.cat([samples.inputs_nND, torch.from_numpy(side_by_side(images))])
        rest = (samples.codes_n, samples.targets_nC, samples.quality_n)
        samples = Samples(inputs, *(torch.cat([one, one]) for one in rest))
    return samples, _samples(val, classes, settings)


def is_learnt_from(clips: Clips, parts: pd.Series, settings: Train) -> NDArray[np.bool_]:
    """Which clips the training part has, (n,), cut to ``train.subset``."""
    in_subset = clips.table.index.isin(labels.subset(clips.table, *settings.subset).index)
    return (parts == "train").to_numpy() & in_subset


def log_prior(codes_n: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """The classes' shares of some clips as ``Majority`` counts them, (C,), logarithms."""
    prior = Majority(n_classes)
    prior.fit(torch.from_numpy(codes_n))
    return prior.log_prior.double().numpy()


def _samples(clips: Clips, classes: Sequence[str], settings: Train) -> Samples:
    codes = torch.from_numpy(clips.table["label"].to_numpy(np.int64))
    targets = losses.one_hot(codes, len(classes))
    if settings.network.soft_labels:
        targets = torch.from_numpy(labels.soft_labels(clips.table, classes)).float()
    quality = torch.from_numpy(clips.table["face_share"].to_numpy(np.float32))
    return Samples(torch.from_numpy(clips.inputs(settings.inputs)), codes, targets, quality)


def plan(
    kind: ClassifierKind,
    classes: Sequence[str],
    clips: Clips,
    wavelets: Mapping[str, Any],
    settings: Train,
) -> tuple[ClassifierConfig, Reduction | None]:
    """A classifier's configuration, and how training reduces the wavelet stage's steps, if it does.

    ``clips`` are any of the dataset's; ``wavelets`` are the transform's settings.
    """
    names: tuple[Reduction, ...] = get_args(Reduction)
    reduction = next((name for name in names if name == wavelets["transform"]), None)
    steps = clips.blocks[settings.inputs[0]].shape[1]
    kept = min(wavelets["k"], steps) if reduction else 0
    widths = clips.widths(settings.inputs)
    return configure(kind, tuple(classes), steps, widths, kept, settings), reduction

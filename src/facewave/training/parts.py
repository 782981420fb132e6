"""What a classifier is fitted on, and how it is built, from a dataset's clips. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch

from facewave.labels import schema as labels
from facewave.models.classifiers.classifier import ClassifierConfig, Reduction
from facewave.params import ClassifierKind, Train
from facewave.training import losses
from facewave.training.fit import Samples, configure
from facewave.workspace import Clips


def split(
    clips: Clips, parts: pd.Series, classes: Sequence[str], settings: Train
) -> tuple[Samples, Samples]:
    """The training part, cut to ``train.subset``, and the validation part of usable clips."""
    in_subset = clips.table.index.isin(labels.subset(clips.table, *settings.subset).index)
    train = clips.select((parts == "train").to_numpy() & in_subset)
    val = clips.select((parts == "val").to_numpy())
    return _samples(train, classes, settings), _samples(val, classes, settings)


def _samples(clips: Clips, classes: Sequence[str], settings: Train) -> Samples:
    codes = torch.from_numpy(clips.table["label"].to_numpy(np.int64))
    targets = losses.one_hot(codes, len(classes))
    if settings.network.soft_labels:
        targets = torch.from_numpy(labels.soft_labels(clips.table, classes)).float()
    return Samples(torch.from_numpy(clips.inputs(settings.inputs)), codes, targets)


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

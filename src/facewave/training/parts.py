"""From tables and blocks of features to what is fitted. Pure."""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from facewave.labels import schema as labels
from facewave.models.classifiers.classifier import ClassifierConfig, Reduction
from facewave.params import Block, ClassifierKind, Train
from facewave.training import losses, schema
from facewave.training.fit import Part, configure


def split(
    clips: pd.DataFrame,
    parts: pd.Series,
    blocks: Mapping[Block, NDArray[np.float32]],
    words: Sequence[str],
    settings: Train,
) -> tuple[Part, Part]:
    """The training part, cut to ``train.subset``, and the validation part.

    Args:
        clips: usable clips, with ``at``, their place in the blocks.
        parts: which part each is in.
        blocks: features, (n, N, ...).
        words: the classes, in the order of the codes.
        settings: section ``train`` of params.yaml.
    """
    learnt = labels.subset(clips[parts == "train"], *settings.subset)
    train, val = (_part(some, blocks, words, settings) for some in (learnt, clips[parts == "val"]))
    return train, val


def _part(
    clips: pd.DataFrame,
    blocks: Mapping[Block, NDArray[np.float32]],
    words: Sequence[str],
    settings: Train,
) -> Part:
    at = clips["at"].to_numpy()
    chosen = {name: blocks[name][at] for name in settings.inputs}
    codes = torch.from_numpy(clips["label"].to_numpy(np.int64))
    targets = losses.one_hot(codes, len(words))
    if settings.network.soft_labels:
        targets = torch.from_numpy(labels.soft_labels(clips, words)).float()
    return Part(torch.from_numpy(schema.arrange(chosen, settings.inputs)), codes, targets)


def plan(
    kind: ClassifierKind,
    words: Sequence[str],
    blocks: Mapping[Block, NDArray[np.float32]],
    mode: str,
    k: int,
    settings: Train,
) -> tuple[ClassifierConfig, Reduction | None]:
    """What is to be built, and how training makes K steps of what the wavelet stage wrote."""
    how = next((one for one in get_args(Reduction) if one == mode), None)
    steps = blocks[settings.inputs[0]].shape[1]
    kept = min(k, steps) if how else 0
    widths = schema.widths(blocks, settings.inputs)
    return configure(kind, tuple(words), steps, widths, kept, settings), how

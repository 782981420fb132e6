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
from facewave.models.classifiers.classifier import (
    Classifier,
    ClassifierConfig,
    Reduction,
)
from facewave.models.classifiers.person import Population
from facewave.models.readout import Majority
from facewave.params import ClassifierKind, Train
from facewave.targets import CLASSES, Floats, Target, truth
from facewave.training import budget
from facewave.training.fit import Samples, configure
from facewave.training.person import normalized
from facewave.training.schema import Which
from facewave.wavelets.schema import mirrored
from facewave.workspace import Clips


def split(
    clips: Clips, parts: pd.Series, targets: Sequence[Target], settings: Train
) -> tuple[Samples, Samples, Population | None]:
    """The training part (``is_learnt_from``) and the validation part of clips that can be judged.

    Training clips learn their pseudo-labels, too, and may have no target. Of validation clips those
    count that have any of the targets.

    With ``train.mirror`` the training part has the mirror image of each clip, too. With
    ``train.normalize: person`` both are standardised by each person's other clips (a mirror image
    by the others' mirror images), and the third is the training part's moments; else it is None.

    Raises:
        UserError: the inputs have no exact mirror image (``wavelets.schema.mirrored``), or nobody
            is named whose clips could standardise others.
    """
    train = clips.select(is_learnt_from(clips, parts, targets, settings))
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
    samples = [_samples(some, targets, settings, population, "both") for some in learnt]
    if len(samples) > 1:
        samples = [Samples(*(torch.cat(one) for one in zip(*map(_tensors, samples), strict=True)))]
    validating = labelled(_samples(val, targets, settings, population, "labels"))
    return samples[0], validating, population


def is_learnt_from(
    clips: Clips, parts: pd.Series, targets: Sequence[Target], settings: Train
) -> NDArray[np.bool_]:
    """Which clips the training part has, (n,), cut to ``train.subset`` and ``train.budget``.

    A budget is for clips with labels: those with pseudo-labels, and those that a teacher answers,
    cost nothing. A subset is a slice of them all.
    """
    in_subset = clips.table.index.isin(labels.subset(clips.table, *settings.subset).index)
    learnt_n = (parts == "train").to_numpy() & in_subset
    if settings.budget:
        labelled_n = learnt_n & ~np.isnan(truth_of(clips, targets, soft=False)).all(axis=1)
        rows = clips.table[labelled_n]
        learnt_n[labelled_n] = budget.best(rows, clips.index, settings.budget)
    return learnt_n


def prior(targets: Sequence[Target], truth_nW: Floats) -> Floats:
    """The same answer to all clips as ``Majority`` gives it, (W,)."""
    majority = Majority(targets)
    majority.fit(torch.from_numpy(truth_nW))
    return majority.answer.double().numpy()


def truth_of(
    clips: Clips, targets: Sequence[Target], soft: bool, which: Which = "labels"
) -> Floats:
    """What training knows of each clip, (n, W), NaN where it knows nothing.

    Args:
        clips: usable ones.
        targets: what is asked of them.
        soft: take the shares of the votes for the classes, where there are votes, not the one word.
            Clips whose votes name no single word have them always (``labels.ambiguous``). Of
            pseudo-labels, the probabilities, where they are known.
        which: what counts: ``labels``; ``both``, pseudo-labels where a clip has no class of its
            own; or ``pseudo``: of the classes pseudo-labels alone, and of other targets nothing.
            Pseudo-labels are columns of ``clips.table`` (``workspace.Clips``). Of clips that
            validate or are tested it is always ``labels``.
    """
    columns = []
    for target in targets:
        truth_nW = truth(target, clips.table)
        if target.name == CLASSES:
            is_ambiguous_n = (clips.table["excluded"] != "").to_numpy()
            chosen_n = is_ambiguous_n & (clips.table["votes"] != "").to_numpy()
            chosen_n |= soft & ~is_ambiguous_n
            if chosen_n.any():
                rows = clips.table[chosen_n]
                truth_nW[chosen_n] = labels.soft_labels(rows, target.names)
        if which == "pseudo":
            truth_nW = np.full_like(truth_nW, np.nan)
        if which != "labels" and target.name == CLASSES:
            truth_nW = np.where(np.isnan(truth_nW), _pseudo(clips, target, soft), truth_nW)
        columns.append(truth_nW)
    return np.concatenate(columns, axis=1)


def _pseudo(clips: Clips, classes: Target, soft: bool) -> Floats:
    """The pseudo-labels of clips, (n, C), NaN where there is none."""
    table = clips.table
    if "pseudo" not in table:
        return np.full((len(table), classes.width), np.nan)
    votes = table["pseudo_shares"] if soft else ""
    return labels.soft_labels(table.assign(actual=table["pseudo"], votes=votes), classes.names)


def labelled(samples: Samples) -> Samples:
    """Those of which anything is known."""
    known_n = ~samples.truth_nW.isnan().all(1)
    return samples if known_n.all() else Samples(*(one[known_n] for one in _tensors(samples)))


def taught(samples: Samples, teacher: Classifier | Majority, temperature: float) -> Samples:
    """Samples in which the teacher's answers stand where the truth is not known.

    Its words' logits are divided by the temperature, which makes them softer (Hinton, Vinyals and
    Dean, arXiv 1503.02531).
    """
    with torch.inference_mode():
        if isinstance(teacher, Classifier):
            answers_nW = teacher.read(teacher(samples.inputs_nND), temperature)
        else:
            answers_nW = teacher.answers(samples.inputs_nND)
    return replace(samples, truth_nW=samples.truth_nW.where(~samples.truth_nW.isnan(), answers_nW))


def _tensors(samples: Samples) -> tuple[Tensor, ...]:
    return samples.inputs_nND, samples.truth_nW, samples.quality_n


def _samples(
    clips: Clips,
    targets: Sequence[Target],
    settings: Train,
    population: Population | None,
    which: Which,
) -> Samples:
    truth_nW = truth_of(clips, targets, settings.network.soft_labels, which)
    quality = torch.from_numpy(clips.quality(settings.inputs))
    inputs = torch.from_numpy(normalized(clips, settings.inputs, population))
    return Samples(inputs, torch.from_numpy(truth_nW).float(), quality)


def plan(
    kind: ClassifierKind,
    targets: Sequence[Target],
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
    return configure(kind, targets, steps, widths, kept, settings), reduction

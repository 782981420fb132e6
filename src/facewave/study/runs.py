"""One run: a classifier fitted on every partition, and its answers to the test parts. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from facewave.evaluation import measures
from facewave.evaluation.intervals import estimates
from facewave.evaluation.measures import Answers
from facewave.params import ClassifierKind, Evaluate, Train
from facewave.study.workers import each
from facewave.training.classifier import TrainedClassifier
from facewave.training.fit import fit
from facewave.training.parts import plan, split
from facewave.training.schema import Trained
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips

FIGURES = (
    *("n", "groups", "folds"),
    *(f"{name}{end}" for name in ("war", "uar") for end in ("", "_low", "_high")),
    "chance",
)
_COPIED = ["video_idx", "file_path", "subject", "source", "actual"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Answers to all test clips by partition; the UAR on each validation part, NaN without any."""

    answers: Answers
    val_uars: list[float]

    @property
    def val_uar(self) -> float:
        """The mean over the partitions that have a validation part."""
        known = [value for value in self.val_uars if not np.isnan(value)]
        return float(np.mean(known)) if known else float("nan")


def run(
    clips: Clips,
    transform: Transform,
    classes: Sequence[str],
    kind: ClassifierKind,
    settings: Train,
    parts: Sequence[pd.Series],
) -> Outcome:
    """Fit on each partition's training part, and answer its test part.

    With ``train.normalize: person`` each clip is normalised by the person's other clips under the
    run's own transform and inputs.

    Args:
        clips: labelled clips.
        transform: what made their features.
        classes: in the order of the codes.
        kind: which classifier.
        settings: section ``train``, with the run's inputs.
        parts: for each partition, which part each clip is in.
    """
    blocks = {name: clips.blocks[name] for name in settings.inputs}
    alone = replace(clips, blocks=blocks)  # no more than this goes to other processes
    shared = (alone, transform, classes, kind, settings)
    outcomes = each(_fitted, [(*shared, number, part) for number, part in enumerate(parts)])
    # A clip may be in two test parts.
    tested = pd.concat([tests for tests, _ in outcomes], ignore_index=True)
    answers = measures.from_table(tested, tuple(classes))
    return Outcome(answers, [val_uar for _, val_uar in outcomes])


def _fitted(
    clips: Clips,
    transform: Transform,
    classes: Sequence[str],
    kind: ClassifierKind,
    settings: Train,
    partition: int,
    part: pd.Series,
) -> tuple[pd.DataFrame, float]:
    """The answers to one partition's test part, and the UAR on its validation part."""
    torch.set_num_threads(1)
    wavelets = asdict(transform)
    usable = clips.table["usable"].to_numpy(bool)
    config, reduction = plan(kind, classes, clips, wavelets, settings)
    train, val, population = split(clips.select(usable), part[usable], classes, settings)
    module = fit(config, train, val, settings, reduction)
    model = TrainedClassifier(module, config, settings.inputs, wavelets, {}, population)
    validated = answer(model, clips.select((part == "val") & usable), partition)
    right = validated["predicted"] == validated["actual"]
    val_uar = float(right.groupby(validated["actual"]).mean().mean())
    return answer(model, clips.select(part == "test"), partition), val_uar


def answer(model: Trained, clips: Clips, partition: str | int) -> pd.DataFrame:
    """A model's answers as ``measures.from_table`` takes them."""
    known = clips.table[_COPIED].assign(partition=str(partition))
    return known.join(model.answer(clips))


def figures(answers: Answers, settings: Evaluate) -> dict[str, Any]:
    """``FIGURES``: counts, WAR and UAR with their 95 % intervals, and chance, in percent."""
    measured = estimates(
        partial(measures.war_and_uar, answers), answers.group, settings.resamples, settings.seed
    )
    counts = {
        "n": len(answers.actual),
        "groups": len(np.unique(answers.group)),
        "folds": answers.n_folds,
    }
    shares = [estimate.named(name) for name, estimate in measured.items()]
    shares.append({"chance": float(measures.chance(measures.confusion(answers)).mean())})
    return counts | {name: round(100 * value, 2) for one in shares for name, value in one.items()}

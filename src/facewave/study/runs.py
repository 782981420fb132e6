"""One run: a classifier fitted on every partition, and its answers to the test parts. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd
import torch

from facewave.params import ClassifierKind, Train
from facewave.study.workers import each
from facewave.targets import Target, actual, known
from facewave.training.classifier import TrainedClassifier
from facewave.training.fit import fit
from facewave.training.parts import labelled, plan, split
from facewave.training.schema import Trained, for_kind
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips

_COPIED = ["video_idx", "file_path", "subject", "source"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Answers to all test clips, partition by partition, and to the validation parts.

    Of these to the clips that can be judged; both as ``answer`` gives them.
    """

    tested: pd.DataFrame
    validated: list[pd.DataFrame]


def run(
    clips: Clips,
    transform: Transform,
    targets: Sequence[Target],
    kind: ClassifierKind,
    settings: Train,
    parts: Sequence[pd.Series],
) -> Outcome:
    """Fit on each partition's training part, and answer its test part.

    With ``train.normalize: person`` each clip is normalised by the person's other clips under the
    run's own transform and inputs.

    Args:
        clips: that can be learnt from.
        transform: what made their features.
        targets: what is learnt of them.
        kind: which classifier.
        settings: section ``train``, with the run's inputs.
        parts: for each partition, which part each clip is in.
    """
    blocks = {name: clips.blocks[name] for name in settings.inputs}
    alone = replace(clips, blocks=blocks)  # no more than this goes to other processes
    shared = (alone, transform, tuple(targets), kind, settings)
    outcomes = each(_fitted, [(*shared, number, part) for number, part in enumerate(parts)])
    # A clip may be in two test parts.
    tested = pd.concat([tests for tests, _ in outcomes], ignore_index=True)
    return Outcome(tested, [validated for _, validated in outcomes])


def _fitted(
    clips: Clips,
    transform: Transform,
    targets: Sequence[Target],
    kind: ClassifierKind,
    settings: Train,
    partition: int,
    part: pd.Series,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The answers to one partition's test part, and to its validation part."""
    torch.set_num_threads(1)
    wavelets, settings = asdict(transform), for_kind(kind, settings)
    judged = clips.known_by(settings.inputs)
    config, reduction = plan(kind, targets, clips, wavelets, settings)
    train, val, population = split(clips.select(judged), part[judged], targets, settings)
    module = fit(config, labelled(train), val, settings, reduction)
    model = TrainedClassifier(module, config, settings.inputs, wavelets, {}, population)
    validated = answer(model, clips.select((part == "val") & judged), partition)
    return answer(model, clips.select(part == "test"), partition), validated


def answer(model: Trained, clips: Clips, partition: str | int) -> pd.DataFrame:
    """A model's answers to the clips that have one of its targets (prediction/schema.py)."""
    asked = clips.select(known(model.targets, clips.table))
    return answered(asked, model.answer(asked), model.targets, partition)


def answered(
    clips: Clips, answers: pd.DataFrame, targets: Sequence[Target], partition: str | int
) -> pd.DataFrame:
    """Answers to clips, beside what is known of these (prediction/schema.py)."""
    truths = [actual(target, clips.table) for target in targets]
    about = clips.table[_COPIED].assign(partition=str(partition))
    return pd.concat([about, *truths, answers], axis=1)

"""What the mouth is worth to a classifier, and whether it is worth less where people speak.

Speaking moves the mouth, so that its movements partly tell what is said, not what is felt (Bursic,
Boccignone, Ferrara, D'Amelio and Lanzarotti 2020, Applied Sciences 10, 4002). A classifier learns
the inputs of stage train twice: whole, and with the numbers of the mouth (mouth.py) at 0 in all
clips, so that nothing can be learnt from them. Everything else stays, folds and settings included.
Both are counted on the same test clips: all, and, where these are of both kinds, those with and
without speech (evaluation/robustness.py). Clips with and without it may differ in more than speech;
what the mouth is worth is measured within either kind.

Figures are shares of 1, as in report.json; differences are paired, with interval and p as in
``evaluation.paired``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.evaluation.robustness import SPEECH, UNKNOWN, by_speech
from facewave.params import Block, ClassifierKind, Evaluate, Params
from facewave.study import mouth
from facewave.study.runs import run
from facewave.study.scores import DIFFERENCE, Score, chance, compared, counts, estimate, rounded
from facewave.training.schema import MODEL, settings_of
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset, Stored

ALL = "all"
COLUMNS = (
    *("role", "model", "channels", "of_mouth", "clips", "measure", "n", "groups", "folds"),
    *(f"{inputs}{end}" for inputs in ("whole", "without") for end in ("", "_low", "_high")),
    *("chance", *DIFFERENCE),
)
_NAMED = COLUMNS.index("clips")


def of_dataset(
    dataset: Dataset,
    kinds: Mapping[str, ClassifierKind],
    score: Score,
    partitions: Sequence[str | int],
    loaded: Params,
) -> pd.DataFrame:
    """As ``speaking``, of the foremost classifier of those by role.

    It has no rows where the inputs have no channel of the mouth, or nothing learns from them.
    """
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    usable = clips.table.loc[clips.table["usable"], "at"].to_numpy()
    masks = mouth.channels(features, loaded.train.inputs, usable)
    learning = [role for role, kind in kinds.items() if kind != "majority"]
    if not masks or not learning:
        return pd.DataFrame(columns=list(COLUMNS))
    role = MODEL if MODEL in learning else learning[0]
    settings = settings_of(role, loaded.train)
    parts = [clips.parts(partition) for partition in partitions]
    transform = Transform.of(loaded.wavelets)
    left_out = replace(clips, blocks={**clips.blocks, **without(clips.blocks, masks)})
    whole, fewer = (
        run(some, transform, dataset.targets, kinds[role], settings, parts).tested
        for some in (clips, left_out)
    )
    heard = Stored(dataset.voice, "voice").column(SPEECH, whole["video_idx"])
    found = speaking(whole, fewer, np.array(heard, float), score, loaded.evaluate)
    named = {"role": role, "model": kinds[role], "channels": sum(clips.widths(settings.inputs))}
    named |= {"of_mouth": sum(int(mask.sum()) for mask in masks.values())}
    return found.assign(**named)[list(COLUMNS)]


def speaking(
    whole: pd.DataFrame,
    fewer: pd.DataFrame,
    speech_n: NDArray[np.float64],
    score: Score,
    evaluate: Evaluate,
) -> pd.DataFrame:
    """What a classifier has more with the mouth than without.

    Args:
        whole: its answers to the n test clips, folds in succession (prediction/schema.py).
        fewer: those that it gives without the mouth.
        speech_n: the share of each clip's time with speech, NaN where it is not known.
        score: what answers are counted by.
        evaluate: the bootstrap.

    Returns:
        ``COLUMNS`` from ``clips`` on, a row for each kind of clips; differences are whole less
        without.
    """
    kinds = by_speech(speech_n)
    kinds.pop(UNKNOWN, None)
    of_clips = {ALL: np.ones(len(whole), bool)} | (kinds if len(kinds) > 1 else {})
    rows = []
    for name, inside in of_clips.items():
        first, second = score.tested(whole[inside]), score.tested(fewer[inside])
        if not len(first.fold):
            continue
        row: dict[str, Any] = {"clips": name, "measure": score.measure} | counts(first)
        for inputs, tested in (("whole", first), ("without", second)):
            row |= rounded(estimate(score.measure, tested, evaluate).named(inputs))
        row |= rounded({"chance": chance(score, first)})
        rows.append(row | compared(score.measure, first, second, evaluate))
    return pd.DataFrame(rows, columns=list(COLUMNS[_NAMED:]))


def without(
    blocks: Mapping[Block, NDArray[np.float32]], masks: Mapping[Block, NDArray[np.bool_]]
) -> dict[Block, NDArray[np.float32]]:
    """The masked blocks, with 0 for what is masked: a channel that is constant teaches nothing."""
    return {name: np.where(mask, np.float32(0), blocks[name]) for name, mask in masks.items()}


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """The main figures, if there are any."""
    names = ["role", "clips", "measure", "n", "whole", "without", "difference", "p"]
    return {"speaking": table[names].to_dict("records")} if len(table) else {}

"""What it costs to answer while a video runs, knowing nothing of what comes.

The ensemble, or else the model, answers each moment alone; online, by the median of the moments up
to it; and offline, by that of the moments around it. Both filters are equally wide, by what is best
offline on each partition's own validation clips. It is measured where test clips are several
moments of one file.

Figures are shares of 1, as in report.json; differences are to the offline way, paired, with
interval and p as in ``evaluation.paired``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from facewave.params import Evaluate, Train
from facewave.study.combination import MEASURES, decided, figure
from facewave.study.runs import answered
from facewave.study.scores import DIFFERENCE, Score, compared
from facewave.targets import Target, known, split
from facewave.training import schema
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.over_time import best_width, moments, over_time
from facewave.training.parts import truth_of
from facewave.workspace import Clips

ALONE, ONLINE, OFFLINE = "each moment alone", "online", "offline"
COLUMNS = (
    *("role", "model", "way", "width_s", "measure", "n", "groups", "folds"),
    *("figure", "low", "high", "chance", *DIFFERENCE),
)


def role_of(settings: Train) -> str:
    """The role that is studied: an ensemble, if there is one."""
    kinds = schema.roles(settings)
    return next((role for role, kind in kinds.items() if kind == "ensemble"), schema.MODEL)


def lacking(
    clips: Clips, targets: Sequence[Target], partitions: Sequence[str | int], settings: Train
) -> str:
    """Why there is nothing to measure, "" if there is; arguments as of ``ways``."""
    if not any(target.is_words for target in targets):
        return "no target is of words"
    tested = (clips.table[clips.parts(name) == "test"] for name in partitions)
    if not any(moments(rows).any() for rows in tested):
        return "no test clips are moments of one file"
    if settings.is_language_model and role_of(settings) == schema.MODEL:
        return f"{settings.model} is a language model, and would have to answer all again"
    return ""


def ways(
    clips: Clips,
    targets: Sequence[Target],
    partitions: Sequence[str | int],
    settings: Train,
    evaluate: Evaluate,
) -> pd.DataFrame:
    """The three ways (``COLUMNS``): a row for each of these and measure.

    ``width_s`` has the width of the filter in each partition, in their order.

    Args (others as in ``combination.ways``):
        clips: that have any of the targets, and a part; some of them moments of one file.
    """
    role, first = role_of(settings), next(target for target in targets if target.is_words)
    tested: dict[str, list[pd.DataFrame]] = {ALONE: [], ONLINE: [], OFFLINE: []}
    widths = []
    is_known = known(targets, clips.table)
    for partition in partitions:
        model = schema.load(schema.folder(partition, role))
        if isinstance(model, TrainedEnsemble):
            model.combined = replace(model.combined, median_s=0.0)
        part = clips.parts(partition)
        val, test = (clips.select(is_known & (part == name)) for name in ("val", "test"))
        truth_nC = split(targets, truth_of(val, targets, soft=False))[targets.index(first)]
        width = best_width(val.table, model.answer(val), targets, truth_nC)
        widths.append(f"{width:g}")
        alone = model.answer(test)
        tables = {ALONE: alone} | {
            way: over_time(test.table, alone, targets, width, causal=way == ONLINE)
            for way in (ONLINE, OFFLINE)
        }
        for way, table in tables.items():
            tested[way].append(answered(test, table, targets, partition))
    score = Score((first,))
    of_all = {way: decided(score, pd.concat(tables)) for way, tables in tested.items()}
    rows = []
    for way, answers in of_all.items():
        for measure in MEASURES:
            row: dict[str, Any] = {"role": role, "model": model.kind, "way": way}
            row |= {"width_s": "" if way == ALONE else ", ".join(widths)}
            row |= figure(measure, score, answers, evaluate)
            if way != OFFLINE:
                row |= compared(measure, answers, of_all[OFFLINE], evaluate)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))

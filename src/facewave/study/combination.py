"""Is an ensemble better than the best of its members, and which way to combine them is best?

Every member of train.ensemble.roles alone, and together by each way (training/combination.py), on
the same test clips. All that a way chooses, it chooses on each partition's own validation clips; by
macro F1 on these the best member is chosen, too, which the ways and members are compared with; of
several that are equally good, the one that gives the right words the highest probability on
average. In another partition it may be another member. Nothing here filters over time: that is
online.py's.

Figures are shares of 1, as in report.json; differences are paired, with interval and p as in
``evaluation.paired``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from facewave.evaluation.intervals import Floats
from facewave.params import Evaluate, Train, Way
from facewave.study.runs import answered
from facewave.study.scores import (
    DIFFERENCE,
    MACRO_F1,
    UAR,
    WAR,
    Answered,
    Score,
    chance,
    compared,
    counts,
    estimate,
    rounded,
)
from facewave.targets import Target, known, split
from facewave.training import combination, schema
from facewave.training.over_time import macro_f1
from facewave.training.parts import truth_of
from facewave.workspace import Clips

WAYS: tuple[str, ...] = get_args(Way)
MEASURES = (MACRO_F1, UAR, WAR)
BEST = "best member"
COLUMNS = (
    *("model", "by", "measure", "n", "groups", "folds", "figure", "low", "high", "chance"),
    *("validation", "against", *DIFFERENCE),
)


@dataclass(frozen=True, eq=False)
class Part:
    """Clips of a partition's part, and what the members answer of them."""

    clips: Clips
    tables: Mapping[str, pd.DataFrame]


def lacking(
    clips: Clips, targets: Sequence[Target], partitions: Sequence[str | int], settings: Train
) -> str:
    """Why there is nothing to compare, "" if there is; arguments as of ``ways``."""
    if "ensemble" not in schema.roles(settings).values():
        return "there is no ensemble"
    if not any(target.is_words for target in targets):
        return "no target is of words"
    first = next(target for target in targets if target.is_words)
    for partition in partitions:
        val = clips.select((clips.parts(partition) == "val").to_numpy())
        if np.isnan(truth_of(val, [first], soft=False)).any(axis=1).all():
            return (
                f"no validation clip of partition {partition} has a word, so nothing can choose "
                "the best member"
            )
    return ""


def ways(
    clips: Clips,
    targets: Sequence[Target],
    partitions: Sequence[str | int],
    settings: Train,
    evaluate: Evaluate,
) -> pd.DataFrame:
    """Members and ways to combine them (``COLUMNS``): a row for each of these and measure.

    ``validation`` is the macro F1 on validation clips, mean over partitions; ``against`` says which
    member is the best one, and in how many partitions.

    Args:
        clips: that have any of the targets, and a part.
        targets: what the members were asked, words among them.
        partitions: on which they were trained.
        settings: section ``train``.
        evaluate: the bootstrap.
    """
    first = next(target for target in targets if target.is_words)
    tested: dict[str, list[pd.DataFrame]] = {}
    validated: dict[str, list[float]] = {}
    chosen = []
    for partition in partitions:
        val, test = (_part(clips, targets, partition, of, settings) for of in ("val", "test"))
        truth_nW = truth_of(val.clips, targets, soft=False)
        truth_nC = split(targets, truth_nW)[targets.index(first)]
        named = dict(test.tables)
        figures = {kind: _macro_f1(first, truth_nC, t) for kind, t in val.tables.items()}
        sure = {kind: _sure(first, truth_nC, table) for kind, table in val.tables.items()}
        best = max(figures, key=lambda kind: (figures[kind], sure[kind]))
        chosen.append(best)
        named[BEST], figures[BEST] = test.tables[best], figures[best]
        for by in WAYS:
            of_val = list(val.tables.values())
            way = combination.fit(by, 0.0, targets, val.clips, truth_nW, of_val)
            named[by] = way.together(test.clips, list(test.tables.values()))
            figures[by] = _macro_f1(first, truth_nC, way.together(val.clips, of_val))
        for name, table in named.items():
            tested.setdefault(name, []).append(answered(test.clips, table, targets, partition))
            validated.setdefault(name, []).append(figures[name])
    score = Score((first,))
    of_all = {name: decided(score, pd.concat(tables)) for name, tables in tested.items()}
    against = ", ".join(
        f"{kind} ({n} of {len(chosen)})" if n < len(chosen) else kind
        for kind, n in Counter(chosen).most_common()
    )
    rows = []
    for name, answers in of_all.items():
        for measure in MEASURES:
            by = name if name in WAYS else ""
            row: dict[str, Any] = {"model": "ensemble" if by else name, "by": by}
            row |= figure(measure, score, answers, evaluate)
            row |= rounded({"validation": float(np.mean(validated[name]))})
            if name != BEST:
                row |= {"against": against}
                row |= compared(measure, answers, of_all[BEST], evaluate)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def figure(measure: str, score: Score, answers: Answered, evaluate: Evaluate) -> dict[str, Any]:
    """A measure with counts and interval; where it is the score's own, with chance."""
    value, low, high = estimate(measure, answers, evaluate).named("").values()
    row: dict[str, Any] = {"measure": measure} | counts(answers)
    row |= rounded({"figure": value, "low": low, "high": high})
    return row | (rounded({"chance": chance(score, answers)}) if measure == score.measure else {})


def decided(score: Score, rows: pd.DataFrame) -> Answered:
    """Answers to the clips that have a word, by the words that were answered.

    Votes decide ties, of which their shares know nothing.
    """
    (target,) = score.targets
    rows = rows[rows[target.actual[0]].isin(target.names)].reset_index(drop=True)
    is_answer_nM = rows[target.predicted].to_numpy(object)[:, None] == np.array(
        target.names, object
    )
    return replace(score.tested(rows), said_nM=is_answer_nM.astype(np.int8))


def _part(
    clips: Clips, targets: Sequence[Target], partition: str | int, part: str, settings: Train
) -> Part:
    """What each member answers of a part; one member after the other is loaded."""
    inside = (clips.parts(partition) == part).to_numpy()
    some = clips.select(inside & known(targets, clips.table))
    folders = {
        kind: schema.folder(partition, schema.role_of(kind, settings))
        for kind in settings.ensemble.roles
    }
    return Part(some, {kind: schema.load(folder).answer(some) for kind, folder in folders.items()})


def _macro_f1(target: Target, truth_nC: Floats, answers: pd.DataFrame) -> float:
    """Of the answers to the clips that have the target's word; there are some."""
    known_n = ~np.isnan(truth_nC).any(axis=1)
    predicted_n = pd.Index(target.names).get_indexer(answers[target.predicted])
    return macro_f1(truth_nC[known_n].argmax(axis=1), predicted_n[known_n])


def _sure(target: Target, truth_nC: Floats, answers: pd.DataFrame) -> float:
    """The mean probability of the right word, of the same answers."""
    known_n = ~np.isnan(truth_nC).any(axis=1)
    shares_nC = answers[list(target.numbers)].to_numpy(float)
    return float((shares_nC * truth_nC)[known_n].sum(axis=1).mean())

"""What of pseudo-labels is wrong: answers to clips whose label is known, all and by confidence.

Nobody behind the answers has learnt from these clips (pseudo.choose.known), so that they tell what
the answers are worth where no label is; of a vote so do the answers of each track that voted.
Counted are the answers that could teach: refusals, and answers to clips in which nothing was seen,
are not, and ``share`` says how many are left. Figures
are shares of 1 with 95 % intervals over people or videos (evaluation.intervals), in the conventions
of ``evaluation.measures``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from facewave.evaluation import measures
from facewave.evaluation.intervals import Floats, estimates, groups, interval_over
from facewave.params import Evaluate, Params
from facewave.pseudo.schema import NOTHING, SAID, Pseudo
from facewave.study import kept, pseudo_plots
from facewave.workspace import Dataset

ALL, UNKNOWN = "all", "not known"
_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of confidence; a bin has its upper edge
_MEASURES = ("war", "uar", "macro_f1")
COLUMNS = (
    *("track", "confidence", "n", "groups", "share", "intervals"),
    *(f"{name}{end}" for name in _MEASURES for end in ("", "_low", "_high")),
    "chance",
)
CONFUSION = ("track", "actual", "predicted", "n", "share")
_DECIMALS = 4


def of_dataset(loaded: Params, dataset: Dataset) -> dict[str, Any]:
    """Make the tables, and figure and summary of the track that teaches; {} where none does."""
    pseudo, words, evaluate = dataset.pseudo or NOTHING, dataset.classes, loaded.evaluate
    follows_from = (kept.code("pseudo_labels"), pseudo.track, words, asdict(evaluate))
    key = kept.key(*follows_from, pseudo.known.to_csv())
    table = kept.table("pseudo", key, lambda: agreement(pseudo.known, words, evaluate))
    mistakes = kept.table("confusion", key, lambda: confusion(pseudo.known, words))
    table, mistakes = (each[each["track"] == pseudo.track] for each in (table, mistakes))
    pseudo_plots.agreement(table, mistakes, dataset.title, kept.OUT / "plots/pseudo.png")
    return _summary(pseudo, table)


def agreement(known: pd.DataFrame, words: Sequence[str], evaluate: Evaluate) -> pd.DataFrame:
    """How often answers agree with known labels.

    Args:
        known: pseudo.schema.KNOWN.
        words: of the classes.
        evaluate: the bootstrap.

    Returns:
        ``COLUMNS``: of each track a row for all answers and, if any says how sure it is, one for
        each range of confidence that has some, from the least. ``share`` is that of the track's
        known clips. No rows where no label is known.
    """
    rows = [
        {"track": track} | row
        for track, of_track in known.groupby("track", sort=False)
        for row in _rows(of_track, words, evaluate)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).round(_DECIMALS)
    return table.astype({"groups": "Int64"})


def _rows(
    known: pd.DataFrame, words: Sequence[str], evaluate: Evaluate
) -> Iterator[dict[str, Any]]:
    """A track's rows of ``agreement``."""
    answered = known[known["origin"].isin(SAID)]
    confidence = pd.cut(
        answered["confidence"].astype(float), _EDGES, include_lowest=True,
        labels=[f"{low:g} to {high:g}" for low, high in pairwise(_EDGES)],
    )  # fmt: skip
    names = confidence.astype(object).where(confidence.notna(), UNKNOWN)
    ranges = [name for name in (*confidence.cat.categories, UNKNOWN) if (names == name).any()]
    parts = {ALL: answered}
    if ranges != [UNKNOWN]:
        parts |= {name: answered[names == name] for name in ranges}
    for name, part in parts.items():
        counts = {"confidence": name, "n": len(part), "share": len(part) / len(known)}
        yield counts | (_figures(part, words, evaluate) if len(part) else {})


def _figures(rows: pd.DataFrame, words: Sequence[str], evaluate: Evaluate) -> dict[str, Any]:
    codes = {word: code for code, word in enumerate(words)}
    group = groups(rows)
    coded = measures.Answers(
        actual=rows["actual"].map(codes).astype(np.int64).to_numpy(),
        predicted=rows["predicted"].map(codes).astype(np.int64).to_numpy(),
        probabilities=np.zeros((len(rows), len(words))),  # which none of these measures looks at
        fold=np.zeros(len(rows), np.int64),
        group=group,
    )

    def measure(weights: Floats | None) -> dict[str, Floats]:
        counts = measures.confusion(coded, weights)[..., 0, :, :]
        values = (measures.war(counts), measures.uar(counts), measures.macro_f1(counts))
        return dict(zip(_MEASURES, values, strict=True))

    clips = {"war": np.array(float(len(rows)))}
    measured = estimates(measure, group, clips=clips, **evaluate.bootstrap)
    figures = {k: v for name, of in measured.items() for k, v in of.named(name).items()}
    chance = float(measures.chance(measures.confusion(coded)[0]))
    about = {"groups": len(np.unique(group)), "intervals": interval_over(rows, group)}
    return about | figures | {"chance": chance}


def confusion(known: pd.DataFrame, words: Sequence[str]) -> pd.DataFrame:
    """What is answered to clips of each word.

    Args:
        known: pseudo.schema.KNOWN.
        words: of the classes.

    Returns:
        ``CONFUSION``: of each track a row for each word that is known and each that is answered, ""
        for no answer, with the number of clips and their share of the word's.
    """
    predicted = known["predicted"].where(known["origin"].isin(SAID), "")
    rows: list[tuple[Any, ...]] = []
    for track, of_track in known.groupby("track", sort=False):
        counts = pd.crosstab(of_track["actual"], predicted[of_track.index])
        present = [word for word in words if word in counts.index]
        counts = counts.reindex(index=present, columns=[*words, ""], fill_value=0)
        rows += [
            (track, actual, answer, int(n), round(n / of_word.sum(), _DECIMALS))
            for actual, of_word in counts.iterrows()
            for answer, n in of_word.items()
        ]
    return pd.DataFrame(rows, columns=list(CONFUSION))


def _summary(pseudo: Pseudo, table: pd.DataFrame) -> dict[str, Any]:
    """How many pseudo-labels teach, whose they are, and how often they agree; {} without any."""
    if not len(pseudo.labels):
        return {}
    overall = table[table["confidence"] == ALL].drop(columns=["track", "confidence"])
    figures = overall.iloc[0].dropna().to_dict() if len(overall) else {"n": 0}
    teaching = {"track": pseudo.track, "by": pseudo.by, "clips": len(pseudo.labels)}
    return {"pseudo": teaching | figures}

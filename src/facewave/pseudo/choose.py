"""Which answers of a track teach, and what it answers of clips whose label is known. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from facewave.labels import schema as labels
from facewave.params import Pseudo as Settings
from facewave.pseudo.schema import ANSWER, COLUMNS, KNOWN, PREVIOUS, PRIOR, SAID, TRACK

_KEY = 16  # characters of a key that training.leaks.keys takes
# What becomes of an answer, in the order in which it is decided.
FATES = ("refused", "without_face", "unsure", "beyond", "teaching")


def teaching(
    answers: pd.DataFrame, words: Sequence[str], settings: Settings
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The answers that teach, and how many there are of each fate.

    Not of use are refusals, answers to clips in which nothing was seen, those whose confidence is
    not known or below ``settings.confidence`` (if that is above 0), and of each word those beyond
    the surest ``settings.per_class``. Among the equally sure the lot decides, not the order: a hash
    of the clip's name.

    Args:
        answers: of clips without a label, as ``tracks.typed`` gives them.
        words: of the classes.
        settings: section ``pseudo``.

    Returns:
        ``schema.COLUMNS``, by video_idx, in the order of ``answers``; ``answers`` and ``FATES``,
        and the same by word.
    """
    confidence = answers["confidence"]
    is_sure = (confidence >= settings.confidence) | (settings.confidence == 0)
    is_answer = answers["origin"].isin(SAID)
    at_hand = answers[is_answer & is_sure]
    lots = at_hand["video_idx"].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
    order = at_hand.assign(lot=lots).sort_values(["confidence", "lot"], ascending=[False, True])
    place = order.groupby("predicted").cumcount().reindex(answers.index)
    is_beyond = (place >= settings.per_class) & (settings.per_class > 0)
    fates = np.select(
        [answers["origin"] == PRIOR, ~is_answer, ~is_sure, is_beyond],
        ["without_face", "refused", "unsure", "beyond"],
        "teaching",
    )
    chosen = answers[fates == "teaching"]
    table = pd.DataFrame(
        {
            "video_idx": chosen["video_idx"],
            "word": chosen["predicted"],
            "confidence": chosen["confidence"],
            "shares": _shares(chosen, words),
            "source": chosen["source"],
        },
        columns=list(COLUMNS),
    )
    counts = {"answers": len(answers)} | {fate: int((fates == fate).sum()) for fate in FATES}
    of_words = pd.crosstab(answers["predicted"], fates).reindex(
        index=list(words), columns=list(FATES[2:]), fill_value=0
    )
    return table.set_index("video_idx"), counts | {"words": of_words.to_dict("index")}


def known(
    answers: pd.DataFrame,
    table: pd.DataFrame,
    words: Iterable[str],
    lineage: Mapping[str, Any],
    track: str,
) -> pd.DataFrame:
    """What is answered of clips whose label is known and that nobody behind it learnt from.

    Args:
        answers: as ``tracks.typed`` gives them.
        table: rows of a label table with their ``key`` (``tracks.keyed``).
        words: that both know.
        lineage: of the track that teaches (``schema.Pseudo``).
        track: the name of the track that has the answers.

    Returns:
        ``schema.KNOWN``, in the table's order.
    """
    rows = table[is_known(table, words) & ~is_learnt(table, lineage)]
    answered = answers[["video_idx", "predicted", "confidence", "origin"]]
    return rows.merge(answered, on="video_idx").assign(track=track)[list(KNOWN)]


def is_known(table: pd.DataFrame, words: Iterable[str]) -> pd.Series:
    """Which rows have one of some words as their label."""
    return table["actual"].isin(list(words)) & ~labels.unlabelled(table)


def is_learnt(table: pd.DataFrame, lineage: Mapping[str, Any]) -> pd.Series:
    """Of which files a lineage knows labels, of any part of them (training.leaks.keys)."""
    clips = (*lineage.get("learnt", ()), *lineage.get("validated", ()))
    files = {clip.partition(" ")[0] for clip in clips}
    return table["key"].str[:_KEY].isin(files) & (table["key"] != "")


def previous(answers: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Answers in which a refusal takes the label of the row before it in time, of the same file.

    So does a row in which nothing was seen. Where there is no answer before, it stays as it is.

    Args:
        answers: as ``tracks.typed`` gives them, of whole files.
        table: rows of the label table, of which ``start`` says when they are.
    """
    starts = dict(zip(table["video_idx"], table["start"], strict=True))
    start = answers["video_idx"].map(starts).fillna(0.0)
    in_time = answers.assign(start=start).sort_values(["file_path", "start"], kind="stable")
    is_answer_n = (in_time["origin"] == ANSWER).to_numpy()
    places = pd.Series(np.where(is_answer_n, np.arange(len(in_time)), np.nan))
    last = places.groupby(in_time["file_path"].to_numpy()).ffill()
    is_taking_n = (last.notna() & ~is_answer_n).to_numpy()
    given = last[is_taking_n].astype(int).to_numpy()
    before = in_time.iloc[given].assign(origin=PREVIOUS)
    before["source"] = "previous: " + before["source"]
    taken = [*TRACK, *probabilities(answers)]
    after = in_time.copy()
    after.loc[is_taking_n, taken] = before[taken].to_numpy()
    return after.loc[answers.index, list(answers)].astype(dict(answers.dtypes))


def probabilities(rows: pd.DataFrame) -> list[str]:
    """The columns of a track that are probabilities of words."""
    return [str(name) for name in rows if str(name).startswith("p_")]


def _shares(rows: pd.DataFrame, words: Sequence[str]) -> list[str]:
    """The probabilities of words as JSON, "" where they are not known."""
    given = [word for word in words if f"p_{word}" in rows]
    values = rows[[f"p_{word}" for word in given]].to_numpy(float)
    return [
        json.dumps(dict(zip(given, row.tolist(), strict=True)), ensure_ascii=False)
        if given and not np.isnan(row).any()
        else ""
        for row in values
    ]

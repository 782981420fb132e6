"""The rules of cleaning, each in one place. Pure: facts about files are passed in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.labels import affect
from facewave.labels.schema import LABEL_REASONS, Reason
from facewave.targets import PLANE, quadrants

_LISTED = 100  # rows that a report names of each reason; the label table has all


@dataclass(frozen=True)
class FileFact:
    """What is known about one clip's file.

    Attributes:
        exists: whether it exists.
        problem: why it cannot be opened, or, if it does not exist, what lies there instead; or "".
        twin: an id shared by all files with the same bytes, "" if no other file has them.
    """

    exists: bool
    problem: str = ""
    twin: str = ""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The parameters of cleaning one corpus: words, annotators and majority are its Track's.

    Attributes:
        min_agreement: the share of the votes that a word needs.
        neutral_zone: how far from the plane's centre points are still neutral.
        common: word -> its counterpart in the common vocabulary, "" for none; None: keep the words.
    """

    words: tuple[str, ...]
    annotators: int | None = None
    majority: int | None = None
    min_agreement: float = 0.0
    neutral_zone: float = 0.0
    common: Mapping[str, str] | None = None


def clean(raw: pd.DataFrame, facts: Mapping[str, FileFact], rules: Rules) -> pd.DataFrame:
    """Judge each row of a reader's table.

    The rules, in their order; a row gets the first reason that applies:
      - the reader could not use it (unreadable, unknown word, marked invalid), it is empty, or its
        word is not one of the corpus's;
      - its clip is in several rows: all are excluded if they are in two parts of one protocol or
        differ in label, votes or values; of equal rows the first is kept;
      - valence, arousal or dominance is outside [-1, 1];
      - the file is missing or cannot be opened;
      - the reader rejected the label alone (a tie of votes, no official fold);
      - the votes do not add up to the number of annotators;
      - it has no word (no label, or no single label); its votes are kept;
      - the highest votes tie, the label is not the word with most votes, it lacks the majority that
        the corpus requires, or there is a majority and no label;
      - agreement is below ``min_agreement``;
      - the word has no counterpart in the common vocabulary;
      - the corpus has official folds or parts, and the clip is in none;
      - another kept file has the same bytes (``exclude_copies``).

    The word is not one of those that params.yaml chooses, or too rare, is judged of all corpora of
    a dataset together (``choose``).

    Args:
        raw: the readers' records (records.py).
        facts: for each file_path.
        rules: what is judged by.

    Returns:
        The rows in their order with label (in ``rules.words``, or the common ones), actual, votes
        (JSON), agreement and entropy (of the corpus's own votes), quadrant, aus, scores and about
        (JSON), twin, excluded and note.
    """
    table = raw.assign(excluded="", note="")
    of_label = raw["problem"].isin(LABEL_REASONS)
    _exclude(table, raw["problem"].notna() & ~of_label, raw["problem"], raw["note"])
    _exclude(table, raw["video_idx"] == "", Reason.EMPTY_ROW, "")
    strange = ~raw["word"].isin(["", *rules.words])
    _exclude(table, strange, Reason.UNKNOWN_WORD, raw["word"])
    _repeated_rows(table)
    for name in PLANE:
        outside = table[name].abs() > 1
        text = name + " " + table[f"{name}_raw"].fillna(table[name]).astype(str)
        _exclude(table, outside, Reason.OUT_OF_RANGE, text)

    path = table["file_path"]
    fact = path.map(lambda name: facts.get(name, FileFact(exists=False)))
    problem = fact.map(lambda f: f.problem)
    is_missing = ~fact.map(lambda f: f.exists).astype(bool)
    _exclude(table, is_missing, Reason.MISSING_FILE, path + problem)
    _exclude(table, problem != "", Reason.UNREADABLE_FILE, path + ": " + problem)
    _exclude(table, of_label, raw["problem"], raw["note"])
    _judge_votes(table, rules)
    if rules.common is not None:
        _to_common(table, rules.common)
    placed = raw["fold"].notna() | (raw["part"] != "")
    if placed.any():
        _exclude(table, ~placed, Reason.NO_OFFICIAL_PART, "")
    table["twin"] = path.map(lambda name: facts[name].twin if name in facts else "")
    exclude_copies(table)

    return table.assign(
        actual=table["word"],
        **{name: table[name].map(_json) for name in ("votes", "aus", "scores", "about")},
        quadrant=quadrants(
            table["valence"].to_numpy(), table["arousal"].to_numpy(), rules.neutral_zone
        ),
    ).drop(columns=["word", "problem"])


def exclude_copies(table: pd.DataFrame) -> None:
    """Exclude copies among the kept clips, in place: all but one, or all if their labels differ.

    Copies share a ``twin``; the one in an official test part is kept, otherwise the first. What one
    of them lacks is no difference, and one that tells more than the kept one is kept as well, if it
    is in the same official part and fold.
    """
    twin = table["twin"].where(table["twin"] != "", table["file_path"])
    # Parts of one file are clips of their own.
    part = table["start"].map(str) + " to " + table["end"].map(str)
    candidates = table.assign(twin=twin + " " + part)[table["excluded"] == ""]
    content = ["word" if "word" in table else "actual", *PLANE, "aus", "scores"]
    copies = candidates[candidates.duplicated("twin", keep=False)]
    for _, group in copies.groupby("twin", sort=False):
        note = "the same bytes as " + ", ".join(group["file_path"])
        known = group[content].map(str, na_action="ignore")
        known = known.where(known != "")
        if (known.nunique() > 1).any():
            rows, reason = group.index, Reason.CONFLICTING_CLIPS
        else:
            in_test = group.index[group["part"] == "test"]
            stays = in_test[0] if len(in_test) else group.index[0]
            adds = (known.notna() & known.loc[stays].isna()).any(axis=1)
            place = group[["part", "fold"]].map(str)
            adds &= (place == place.loc[stays]).all(axis=1)
            rows, reason = group.index[~adds].drop(stays), Reason.DUPLICATE_CLIP
        table.loc[rows, ["excluded", "note"]] = [reason.value, note]


def choose(table: pd.DataFrame, words: Sequence[str], min_count: int) -> tuple[str, ...]:
    """Exclude, in place, kept rows of words that are not chosen, or that have too few of them.

    Returns:
        The words that remain, in the order of ``words``; without words nothing is excluded, and no
        row that has only numbers.
    """
    if not words:
        return ()
    _exclude(table, ~table["actual"].isin(["", *words]), Reason.NOT_CHOSEN, table["actual"])
    kept = table.loc[table["excluded"] == "", "actual"]
    n_clips = table["actual"].map(kept.value_counts()).fillna(0).astype(int)
    note = table["actual"] + ": " + n_clips.astype(str) + f", fewer than {min_count}"
    _exclude(table, (table["actual"] != "") & (n_clips < min_count), Reason.RARE_WORD, note)
    return tuple(word for word in words if (kept == word).sum() >= min_count)


def _repeated_rows(table: pd.DataFrame) -> None:
    rows = table[(table["excluded"] == "") & (table["video_idx"] != "")]
    rows = rows[rows.duplicated("video_idx", keep=False)]
    if rows.empty:
        return
    clip = rows["video_idx"]
    lines = pd.Series([where(row) for row in rows.itertuples()], rows.index, dtype=object)
    note = "rows " + lines.groupby(clip).transform(", ".join)

    def differ(*columns: str) -> pd.Series:
        """Whether the rows of a clip differ in any of these columns."""
        content = rows[list(columns)].map(str).agg("\0".join, axis=1)
        return content.groupby(clip).transform("nunique") > 1

    values = differ("word", "votes", *PLANE, "aus", "scores")
    _exclude(table, differ("part", "fold"), Reason.IN_TWO_PARTS, note)
    _exclude(table, values, Reason.CONFLICTING_ROWS, note)
    _exclude(table, rows.duplicated("video_idx"), Reason.DUPLICATE_ROW, note)


def _judge_votes(table: pd.DataFrame, rules: Rules) -> None:
    word, votes = table["word"], table["votes"]
    text = votes.map(_spell)
    counts = votes.map(lambda v: sorted(v.values(), reverse=True) if v else [])
    total = counts.map(sum)
    top = counts.map(lambda c: c[0] if c else 0)
    table["agreement"] = (top / total.where(total > 0)).astype(float)
    table["entropy"] = counts.map(_entropy)
    voted = total > 0
    if rules.annotators is not None:
        wrong = votes.notna() & (total != rules.annotators)
        _exclude(table, wrong, Reason.VOTES_SUM, text + " add up to " + total.astype(str))
    needed = rules.majority
    missed = voted & (word == "") & (top > needed) if needed is not None else voted & False
    _exclude(table, missed, Reason.CONTRADICTED, "no single label, votes " + text)
    if rules.words:
        _exclude(table, (word == "") & ~voted, Reason.UNLABELLED, "")
        _exclude(table, word == "", Reason.NO_SINGLE_LABEL, text)
    tie = counts.map(lambda c: len(c) > 1 and c[0] == c[1] > 0)
    _exclude(table, tie, Reason.VOTE_TIE, text)
    pairs = zip(votes, word, strict=True)
    chosen = np.array([v.get(name, 0) if v else 0 for v, name in pairs], int)
    against = voted & (top != chosen)
    if needed is not None:
        against |= voted & (top <= needed)
    _exclude(table, against, Reason.CONTRADICTED, "label " + word + ", votes " + text)
    low = voted & (table["agreement"] < rules.min_agreement)
    _exclude(table, low, Reason.LOW_AGREEMENT, text)


def _to_common(table: pd.DataFrame, common: Mapping[str, str]) -> None:
    """Replace words and votes by their counterparts, in place; other votes are dropped."""
    counterpart = table["word"].map(lambda word: common.get(word, ""))
    _exclude(table, counterpart == "", Reason.NO_COUNTERPART, table["word"])
    table["word"] = counterpart

    def translate(votes: Mapping[str, int] | None) -> dict[str, int] | None:
        if votes is None:
            return None
        counts = dict.fromkeys((word for word in common.values() if word), 0)
        for word, n in votes.items():
            if common.get(word):
                counts[common[word]] += n
        return counts

    table["votes"] = table["votes"].map(translate)


def check_inside(path: str, row: str) -> None:
    """Refuse a clip's path that leaves the dataset's folder.

    Tables may come from anywhere and are not trusted; of links ``clips.inspect`` judges.

    Raises:
        UserError: the path is absolute or climbs out with "..".
    """
    pure = PurePosixPath(path.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise UserError(
            f"{row}: the path {path!r} leaves the dataset's folder. Use a path below "
            "it, without '..'."
        )


def where(row: Any) -> str:
    """A row's file and line, or its clip's name if it has no line."""
    return f"{row.table}:{row.row}" if row.row else str(row.video_idx)


def report(table: pd.DataFrame) -> dict[str, object]:
    """Counts of a finished label table: rows, per word, per part and fold, per reason with rows."""
    kept = table[table["excluded"] == ""]
    out = table[table["excluded"] != ""]
    counts: dict[str, object] = {
        "rows": len(table),
        "kept": len(kept),
        "excluded": len(out),
        "subjects": int(kept["subject"].replace("", pd.NA).nunique()),
        "classes": {word: int(n) for word, n in _counts(kept["actual"]).items() if word},
        "split": {part: int((kept["split"] == part).sum()) for part in ("train", "val", "test")},
        "folds": {str(fold): int(n) for fold, n in _counts(kept["fold"]).items()},
    }
    if kept["valence"].notna().any():
        counts["affect"] = affect.summary(kept)
    if rare := rare_words(table):
        counts["rare_words"] = rare
    counts["reasons"] = {
        str(reason): {"count": len(group), "rows": _listing(group)}
        for reason, group in out.groupby("excluded")
    }
    return counts


def rare_words(table: pd.DataFrame) -> dict[str, int]:
    """The words that are left out because they have too few clips, with their counts."""
    return {
        word: int(n)
        for word, n in _counts(table.loc[table["excluded"] == Reason.RARE_WORD, "actual"]).items()
    }


def _listing(rows: pd.DataFrame) -> str:
    """The rows of one reason: ``table: 3, 5; other: 2``, at most _LISTED of them.

    Rows that stand in no table have their clip's name, or, where several are of one file, its path.
    """
    several = rows["file_path"].duplicated(keep=False)
    names = rows["video_idx"].mask(several, rows["file_path"])
    named = rows.assign(name=rows["row"].astype(object).where(rows["row"] > 0, names))
    named = named.drop_duplicates(["table", "name"])
    listed = named.head(_LISTED)
    texts = [
        (f"{table}: " if table else "") + ", ".join(map(str, group["name"]))
        for table, group in listed.groupby("table", sort=False)
    ]
    rest = len(named) - len(listed)
    return "; ".join(texts) + (f"; and {rest} more, see the label table" if rest else "")


def _counts(column: pd.Series) -> pd.Series:
    return column.dropna().value_counts().sort_index()


def _exclude(
    table: pd.DataFrame, which: pd.Series, reason: pd.Series | Reason, note: pd.Series | str
) -> None:
    """Give ``reason`` to the rows of ``which`` that have none yet (in place)."""
    fresh = which.reindex(table.index, fill_value=False) & (table["excluded"] == "")
    of_each = reason.value if isinstance(reason, Reason) else reason[fresh].map(str)
    table.loc[fresh, "excluded"] = of_each
    table.loc[fresh, "note"] = note if isinstance(note, str) else note[fresh]


def _entropy(counts: list[int]) -> float:
    """Of a distribution of votes, in bits."""
    shares = np.array([n for n in counts if n], float) / max(1, sum(counts))
    return float(-(shares * np.log2(shares)).sum()) + 0.0 if len(shares) else float("nan")


def _json(content: Mapping[str, float | str] | None) -> str:
    return json.dumps(dict(content)) if content else ""


def _spell(votes: Mapping[str, int] | None) -> str:
    if not votes or not any(votes.values()):
        return "no votes"
    ranked = sorted(votes.items(), key=lambda item: -item[1])
    return " ".join(f"{word}:{n}" for word, n in ranked if n)

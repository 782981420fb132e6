"""The contract of data/labels/<dataset>.csv: one row per row of the corpus's own files.

Words are the truth, codes only their position in the dataset's word list, because codes conflict
between repositories; the list stands beside the table, in <dataset>.words.json. A clip that is left
out stays as a row with a reason.
"""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet
from pydantic import TypeAdapter, ValidationError
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from facewave import targets
from facewave.errors import UserError
from facewave.files import read_csv, replacing, write_csv, write_json
from facewave.targets import PLANE, Target

# What the corpora's words are mapped to where several are used as one, after Ekman's six
# (vocabulary.csv).
SEVEN = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
# The same of compounds, as the ABAW challenge spells them, in the order of its codes, from 0.
COMPOUND = (
    "Fearfully_Surprised", "Happily_Surprised", "Sadly_Surprised", "Disgustedly_Surprised",
    "Angrily_Surprised", "Sadly_Fearful", "Sadly_Angry",
)  # fmt: skip
VOCABULARIES = {"seven": SEVEN, "compound": COMPOUND}

COLUMNS = (
    "file_path",  # below the dataset's root: a video, a picture or a folder of pictures
    "video_idx",  # the clip's id, unique among the rows that are not excluded
    "label",  # code: position of the word in the word list, from 0; empty if it is not in it
    "actual",  # the word
    "dataset",
    "subject",
    "source",  # the film or upload that the clip was cut from
    "scene",
    "fold",  # 1..n: the fold in whose test part the clip is
    "split",  # train, val or test
    "validation",  # where folds are official: whether it validates when it is not tested
    "rank",  # [0, 1): place in the stratified order that subsets are slices of
    "votes",  # JSON object, word -> number of annotators
    "agreement",  # share of the votes that the foremost word has
    "entropy",  # of the votes, in bits
    "valence",  # [-1, 1]
    "arousal",  # [-1, 1]
    "dominance",  # [-1, 1]
    "quadrant",  # of valence and arousal (targets.py)
    "valence_raw",  # as published, in the corpus's own range
    "arousal_raw",
    "dominance_raw",
    "compound",
    "aus",  # JSON object, action unit -> 0 or 1, or its intensity
    "scores",  # JSON object, name -> number: what else was measured, such as questionnaires
    "about",  # JSON object, name -> text: what else is known, such as the speaker's sex
    "caption",
    "caption_zh",  # the same in Chinese
    "transcript",
    "start",  # seconds from the file's first frame; empty: the whole file
    "end",
    "table",  # the corpus's file in which the row stands
    "row",  # its line there, the header being line 1
    "excluded",  # a Reason, or empty
    "note",  # the reason's particulars
)
_WHOLE = ("label", "fold", "row")
_REAL = ("rank", "agreement", "entropy", *PLANE, *(f"{name}_raw" for name in PLANE), "start", "end")
_TEXT = tuple(name for name in COLUMNS if name not in {*_WHOLE, *_REAL, "validation"})
# The numbers of every frame, in <dataset>.frames.parquet.
FRAMES = {"file_path": str, "time": float, "valence": float, "arousal": float}
_DECIMALS = 6  # of what is computed here


class Reason(StrEnum):
    """Why a row is left out. The first that applies is given."""

    EMPTY_ROW = "empty row"
    BAD_VALUE = "unreadable value"
    UNKNOWN_WORD = "unknown word"
    OUT_OF_RANGE = "value out of range"
    MARKED_INVALID = "marked invalid"
    DUPLICATE_ROW = "duplicate row"
    CONFLICTING_ROWS = "conflicting rows"
    IN_TWO_PARTS = "in two parts"
    NO_PICTURE = "no picture"
    PUBLISHED_TWICE = "published twice"
    OUTSIDE_SHARE = "outside the share"
    GREY = "grey pictures"
    MISSING_FILE = "missing file"
    UNREADABLE_FILE = "unreadable file"
    DUPLICATE_CLIP = "duplicate clip"
    CONFLICTING_CLIPS = "conflicting clips"
    VOTES_SUM = "votes do not add up"
    UNLABELLED = "no label"
    NO_SINGLE_LABEL = "no single label"
    VOTE_TIE = "vote tie"
    CONTRADICTED = "label contradicts votes"
    LOW_AGREEMENT = "low agreement"
    NO_COUNTERPART = "no counterpart"
    NO_OFFICIAL_PART = "no official part"
    NOT_CHOSEN = "word not chosen"
    RARE_WORD = "rare word"


# Clips without a word that is sure. They have a part nevertheless: other targets of theirs are
# learnt and tested like all clips', and their votes may teach (``learnable``).
AMBIGUOUS = (
    Reason.UNLABELLED,
    Reason.NO_SINGLE_LABEL,
    Reason.VOTE_TIE,
    Reason.CONTRADICTED,
    Reason.LOW_AGREEMENT,
)

# Clips left out because of their label alone: their trajectories are worth extracting.
LABEL_REASONS = (
    *AMBIGUOUS,
    Reason.NO_COUNTERPART,
    Reason.NO_OFFICIAL_PART,
    Reason.NOT_CHOSEN,
    Reason.RARE_WORD,
)

# Of these, clips whose word is known and is none of the classes.
_OF_OTHER_WORDS = (Reason.NO_COUNTERPART, Reason.NOT_CHOSEN, Reason.RARE_WORD)

# Left out by the corpus's or params.yaml's own rules; every other reason is a problem, at which
# ``labels.on_problem: fail`` stops.
ORDINARY = (
    *(Reason.MARKED_INVALID, Reason.NO_PICTURE, Reason.PUBLISHED_TWICE, Reason.OUTSIDE_SHARE),
    Reason.GREY,
    *(reason for reason in LABEL_REASONS if reason != Reason.CONTRADICTED),
)


def write(path: Path, table: pd.DataFrame, words: Sequence[str]) -> None:
    """Write a table with all of ``COLUMNS`` (absent ones empty) and its word list beside it."""
    table = table.reindex(columns=list(COLUMNS))
    table = table.astype(dict.fromkeys(_WHOLE, "Int64") | {"validation": "boolean"})
    table = table.round(dict.fromkeys(("rank", "agreement", "entropy"), _DECIMALS))
    table["rank"] = table["rank"].clip(upper=1 - 10**-_DECIMALS)  # [0, 1), rounded or not
    write_csv(path, table)
    write_json(path.with_suffix(".words.json"), list(words))


def read(path: Path) -> pd.DataFrame:
    """Read a label table; text columns are str with "" for nothing, codes are nullable Int64.

    Raises:
        UserError: the file is missing or lacks a column.
    """
    kinds: dict[str, Any] = dict.fromkeys(_REAL, float) | dict.fromkeys(_WHOLE, "Int64")
    try:
        table = read_csv(path, _TEXT, kinds | {"validation": "boolean"})
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: dvc repro clean") from None
    except ValueError as error:  # among them pandas' ParserError and EmptyDataError, and no UTF-8
        raise UserError(f"{path} is damaged ({error}). Make it again: dvc repro clean") from None
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path}: column {missing[0]!r} is missing. Make it again: dvc repro clean")
    return table


def read_words(path: Path) -> tuple[str, ...]:
    """The word list of the label table at ``path``, in the order of the codes.

    Raises:
        UserError: the list is missing or damaged.
    """
    path = path.with_suffix(".words.json")
    try:
        return TypeAdapter(tuple[str, ...]).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it: dvc repro clean") from None
    except ValidationError:
        raise UserError(f"{path} is damaged. Make it again: dvc repro -f clean") from None


def write_frames(path: Path, table: pd.DataFrame) -> None:
    """Write the numbers of every frame (``FRAMES``) beside the label table at ``path``."""
    table = table[list(FRAMES)].astype(FRAMES)
    content = pa.Table.from_pandas(table, preserve_index=False)
    with replacing(_frames_of(path)) as temporary:
        parquet.write_table(content, temporary, compression="zstd")


def read_frames(path: Path) -> pd.DataFrame:
    """The numbers of every frame, of the dataset whose label table is at ``path``.

    Returns:
        Columns as ``FRAMES``, by file and time; empty where the corpus does not label frames. They
        are all that the corpus has of its kept files, whatever ``every`` is; time is in seconds
        from the clip's first frame, and a number is NaN where the corpus marks the frame.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = _frames_of(path)
    try:
        return parquet.read_table(path).to_pandas()[list(FRAMES)]
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it: dvc repro clean") from None
    except (pa.ArrowException, OSError, KeyError):
        raise UserError(f"{path} is damaged. Make it again: dvc repro -f clean") from None


def _frames_of(path: Path) -> Path:
    return path.with_suffix(".frames.parquet")


@cache
def _vocabulary() -> dict[str, str]:
    """Every word of vocabulary.csv, in lower case, and what it is among the seven, "" if none."""
    content = resources.files("facewave.labels").joinpath("vocabulary.csv").read_text("utf-8")
    rows = csv.DictReader(content.splitlines())
    return {row["word"].lower(): row["common"] for row in rows}


def common(words: Iterable[str]) -> dict[str, str]:
    """Each word's counterpart among the seven, whatever corpus it is from.

    Adverbs, as compounds have them, count as their adjectives. A word without a counterpart, such
    as "contempt", is its own, in lower case.
    """
    counterparts = {}
    for word in words:
        adjective = re.sub("ly$", "", re.sub("ily$", "y", word.lower()))
        known = _vocabulary()
        common = known.get(word.lower()) or known.get(adjective)
        counterparts[word] = common or word.lower()
    return counterparts


def spoken(word: str) -> str:
    """A label as a person would write it: sadness_helplessness -> sadness and helplessness.

    An underscore between two emotions is "and", any other a blank: no_pain -> no pain.
    """
    parts = word.split("_")
    return (" and " if all(part.lower() in _vocabulary() for part in parts) else " ").join(parts)


def components(word: str) -> frozenset[str]:
    """The emotions that a word names, by ``common``: one, or a compound's ("sadness_anger")."""
    return frozenset(common(re.split("[_ ]", word)).values())


def compound(word: str) -> str:
    """The one of the seven compounds that has a word's ``components``; "" for none."""
    return _compounds().get(components(word), "")


@cache
def _compounds() -> dict[frozenset[str], str]:
    return {components(word): word for word in COMPOUND}


def with_trajectories(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose clip is to be extracted: one a clip, its file readable."""
    return table[table["excluded"].isin(["", *LABEL_REASONS])]


def single_label(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with one trustworthy word each: what single-label training and tests use."""
    return table[table["excluded"] == ""]


def unlabelled(table: pd.DataFrame) -> pd.Series:
    """Which rows have no class of their own, so that others may label them.

    Nobody can be sure of their word, or they have none; a word that is known and is none of the
    classes is a label.
    """
    is_named = (table["actual"] != "") & table["excluded"].isin(["", Reason.NO_OFFICIAL_PART])
    of_others = table["excluded"].isin(_OF_OTHER_WORDS)
    return table["excluded"].isin(["", *LABEL_REASONS]) & ~is_named & ~of_others


def learnable(
    table: pd.DataFrame, asked: Sequence[Target], soft: bool, unlabelled: bool = False
) -> pd.DataFrame:
    """The rows in some part that training or tests use.

    Where classes are asked for, a row without one may have a pseudo-label instead; of all others
    pseudo-labels are blanked.

    Args:
        table: a label table with all its rows; it may also have ``pseudo``, a word or "", and
            ``pseudo_shares``, which the result has in any case.
        asked: the targets, of which a row has any.
        soft: with the rows whose votes name no single word, for the shares of their votes, where
            words are asked for; else these votes are blanked.
        unlabelled: with the rows that have no target, for a teacher to answer.
    """
    rows = table[table["excluded"].isin(["", *AMBIGUOUS]) & (table["split"] != "")]
    if "pseudo" not in rows:
        rows = rows.assign(pseudo="", pseudo_shares="")
    is_ambiguous = rows["excluded"].isin(AMBIGUOUS)
    if not soft:
        rows = rows.assign(votes=rows["votes"].where(~is_ambiguous, ""))
    has_any = targets.known(asked, rows) | unlabelled
    is_taught = np.zeros(len(rows), bool)
    for target in asked:
        if target.name == targets.CLASSES:
            has_votes = is_ambiguous.to_numpy() & _votes(rows, target.names).any(axis=1)
            has_any |= has_votes
            has_class = targets.known([target], rows) | has_votes
            is_taught = rows["pseudo"].isin(target.names).to_numpy() & ~has_class
    columns = ("pseudo", "pseudo_shares")
    rows = rows.assign(**{name: rows[name].where(is_taught, "") for name in columns})
    return rows[has_any | is_taught]


def subset(table: pd.DataFrame, first: float, last: float) -> pd.DataFrame:
    """The rows in the slice [first, last) of the stratified order, itself within [0, 1].

    Slices from 0 are nested, slices that do not overlap share no clip, and each has the classes
    in the proportions of the whole, in every part.
    """
    return table[(table["rank"] >= first) & (table["rank"] < last)]


def folds_of(table: pd.DataFrame) -> tuple[int, ...]:
    """The folds that rows of a label table are in."""
    return tuple(sorted(int(fold) for fold in table["fold"].dropna().unique()))


def parts(
    table: pd.DataFrame, partition: str | int, folds: Sequence[int] | None = None
) -> pd.Series:
    """Which part each row of ``table`` has in a partition.

    Validation is carved out of what is not test. Where the folds are official, a stratified tenth
    of the rest was set aside for it (column ``validation``); where they are ours, it is the next
    fold (cyclic), so that no subject of it is in train. Rows without a fold train.

    Args:
        table: rows with ``fold`` and ``split``.
        partition: "split", or k: fold k is the test part.
        folds: all of the dataset's, of which these rows may have some alone; None: theirs.

    Returns:
        "train", "val" or "test" for each row, with the table's index.

    Raises:
        UserError: there is no such fold.
    """
    if partition == "split":
        return table["split"]
    folds = folds or folds_of(table)
    if not folds:
        raise UserError(
            "train.partitions: this dataset has no folds, only a split. Set it to [split]."
        )
    if partition not in folds:
        known = ", ".join(map(str, folds))
        raise UserError(
            f"train.partitions: there is no fold {partition}; there are {known}. Set it to "
            f"[split, {known}], or to some of these."
        )
    if table["validation"].notna().any():
        aside = table["validation"].fillna(False).map({True: "val", False: "train"})
        return aside.mask((table["fold"] == partition).fillna(False), "test")
    if len(folds) < 3:
        raise UserError(
            f"train.partitions: {len(folds)} folds cannot be test, validation and train. Use split."
        )
    following = folds[(folds.index(partition) + 1) % len(folds)]
    names = {partition: "test", following: "val"}
    return table["fold"].map(lambda fold: names.get(fold, "train"))


def owners(table: pd.DataFrame) -> pd.Series:
    """Whom each row belongs to: its subject, else its source, else its clip alone."""
    names = "clip " + table["video_idx"]
    for column in ("source", "subject"):
        names = (f"{column} " + table[column]).where(table[column] != "", names)
    return names


def groups(table: pd.DataFrame) -> pd.Series:
    """The group of each row; groups are never divided by splits or resamples.

    Rows are connected by a subject, a source, a file, or files with the same bytes (``twin``, if it
    is known), directly or through other rows. A group is named after its first subject, or else its
    first source or clip.
    """
    names = owners(table)
    links = [
        (f"{kind} " + table[kind])[table[kind] != ""]
        for kind in ("subject", "source", "file_path", "twin")
        if kind in table and table.loc[table[kind] != "", kind].duplicated().any()
    ]
    if not links:
        return names
    tokens = pd.Index(pd.unique(pd.concat([names, *links])))
    one = np.concatenate([tokens.get_indexer(names[to.index]) for to in links])
    other = np.concatenate([tokens.get_indexer(to) for to in links])
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(len(tokens), len(tokens)))
    _, component = connected_components(graph, directed=False)
    first = names.mask(~names.str.startswith("subject "), "~" + names)  # sorts last
    first = first.groupby(component[tokens.get_indexer(names)]).transform("min")
    return first.str.removeprefix("~")


def soft_labels(table: pd.DataFrame, words: Sequence[str]) -> NDArray[np.float64]:
    """The votes as distributions over ``words``, (n, C), rows adding up to 1.

    A row without votes is certain of its word; one with neither is NaN.
    """
    counts = _votes(table, words)
    certain = table["actual"].to_numpy()[:, None] == np.array(words, object)
    counts = np.where(counts.sum(1, keepdims=True) > 0, counts, certain)
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(1, keepdims=True)


def _votes(table: pd.DataFrame, words: Sequence[str]) -> NDArray[np.float64]:
    """The votes for each of the words, (n, C), 0 where there are none."""
    rows = (json.loads(text) if text else {} for text in table["votes"])
    counts = [[votes.get(word, 0) for word in words] for votes in rows]
    return np.array(counts, float).reshape(len(table), len(words))


def about(table: pd.DataFrame) -> pd.DataFrame:
    """What else is known of each row, a column for each name in column ``about``; "" for nothing.

    The scene is among it, where the table has scenes.
    """
    known = pd.DataFrame([json.loads(text) if text else {} for text in table["about"]])
    known = known.set_axis(table.index).fillna("").sort_index(axis=1)
    return known.assign(scene=table["scene"]) if (table["scene"] != "").any() else known

"""The contract of data/labels/<dataset>.csv: one row per row of the corpus's own table.

Words are the truth, codes only their position in the corpus's word list (``WORDS``), because
codes conflict between repositories. A clip that is left out stays as a row with a reason.
"""

import json
from enum import StrEnum
from pathlib import Path

import pandas as pd

from facewave.errors import UserError
from facewave.files import write_csv

# Word lists in the order of each corpus's own codes, by the reader's name.
WORDS = {
    # DFEW, annotation.xlsx: columns 1happy ... 7fear (Jiang et al., ACM MM 2020)
    "dfew": ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
}

COLUMNS = (
    "file_path",  # below the dataset's root
    "video_idx",  # the clip's id, unique among the rows that are not excluded
    "label",  # code: position of the word in WORDS, from 0; empty if there is no single label
    "actual",  # the word
    "dataset",
    "subject",
    "source",
    "scene",
    "fold",  # 1..n: the fold in whose test part the clip is
    "split",  # train, val or test
    "votes",  # JSON object, word -> number of annotators
    "valence",  # [-1, 1]
    "arousal",  # [-1, 1]
    "compound",
    "caption",
    "transcript",
    "start",  # seconds
    "end",  # seconds
    "row",  # line of the corpus's table, its header being line 1
    "excluded",  # a Reason, or empty
    "note",  # the reason's particulars
)
_TEXT = {name: str for name in COLUMNS if name not in {"label", "fold", "row"}} | {
    "valence": float,
    "arousal": float,
    "start": float,
    "end": float,
}


class Reason(StrEnum):
    """Why a row is left out. The first that applies is given."""

    EMPTY_ROW = "empty row"
    DUPLICATE_ROW = "duplicate row"
    CONFLICTING_ROWS = "conflicting rows"
    MISSING_FILE = "missing file"
    UNREADABLE_FILE = "unreadable file"
    DUPLICATE_CLIP = "duplicate clip"
    CONFLICTING_CLIPS = "conflicting clips"
    NO_SINGLE_LABEL = "no single label"
    VOTE_TIE = "vote tie"
    CONTRADICTED = "label contradicts votes"
    NO_OFFICIAL_FOLD = "no official fold"


# These clips have trajectories worth extracting (votes may still teach); they have no one label.
LABEL_REASONS = (
    Reason.NO_SINGLE_LABEL,
    Reason.VOTE_TIE,
    Reason.CONTRADICTED,
    Reason.NO_OFFICIAL_FOLD,
)


def write(path: Path, table: pd.DataFrame) -> None:
    """Write a table with all of ``COLUMNS`` (absent ones empty)."""
    table = table.reindex(columns=list(COLUMNS))
    for name in ("label", "fold", "row"):
        table[name] = table[name].astype("Int64")
    write_csv(path, table)


def read(path: Path) -> pd.DataFrame:
    """Read a label table; text columns are str with "" for nothing, codes are nullable Int64.

    Raises:
        UserError: the file is missing or lacks a column.
    """
    try:
        table = pd.read_csv(
            path,
            dtype=_TEXT | dict.fromkeys(("label", "fold", "row"), "Int64"),
            keep_default_na=False,
            na_values={name: [""] for name in COLUMNS},
        )
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: dvc repro clean") from None
    except ValueError as error:  # among them pandas' ParserError and EmptyDataError, and no UTF-8
        raise UserError(f"{path} is damaged ({error}). Make it again: dvc repro clean") from None
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path}: column {missing[0]!r} is missing. Make it again: dvc repro clean")
    text = [name for name, kind in _TEXT.items() if kind is str]
    table[text] = table[text].fillna("")
    return table


def with_trajectories(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose clip is to be extracted: one a clip, its file readable."""
    return table[table["excluded"].isin(["", *LABEL_REASONS])]


def single_label(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with one trustworthy word each: what single-label training and tests use."""
    return table[table["excluded"] == ""]


def parts(table: pd.DataFrame, partition: str | int) -> pd.Series:
    """Which part each row of ``table`` has in a partition.

    Args:
        table: rows with ``fold`` and ``split``, not excluded.
        partition: "split", or k: fold k is the test part, the next fold (cyclic) validation and
            the others train, so that validation is carved out of what is not test and no subject
            of it is in train where the folds are subject-disjoint.

    Returns:
        "train", "val" or "test" for each row, with the table's index.

    Raises:
        UserError: there is no such fold.
    """
    if partition == "split":
        return table["split"]
    folds = sorted(int(fold) for fold in table["fold"].dropna().unique())
    if partition not in folds:
        raise UserError(f"train.partitions: there is no fold {partition}; there are {folds}.")
    if len(folds) < 3:
        raise UserError(
            f"train.partitions: {len(folds)} folds cannot be test, validation and train. Use split."
        )
    following = folds[(folds.index(partition) + 1) % len(folds)]
    names = {partition: "test", following: "val"}
    return table["fold"].map(lambda fold: names.get(fold, "train"))


def groups(table: pd.DataFrame) -> pd.Series:
    """Who stays together in splits and resamples: the subject, or the clip where none is named."""
    return ("subject " + table["subject"]).where(
        table["subject"] != "", "clip " + table["video_idx"]
    )


def votes_json(votes: dict[str, int] | None) -> str:
    """Votes as they stand in the table."""
    return json.dumps(votes) if votes else ""

"""Any other table, a CSV, TSV or spreadsheet, through a mapping of columns: for your own data.

``columns`` in params.yaml says which of the table's columns holds what: file_path (or video_idx,
with the pattern ``clips``), actual (a word) or label (its code), split, fold, subject, source,
scene, valence, arousal, dominance, compound, caption, transcript, start, end, ``votes.<word>`` for
counts of votes, ``aus.AU<number>`` for action units (0 or 1, or intensities of 0 to 5),
``about.<name>`` for what else is known in words (sex, culture, task), and ``score.<name>`` for any
other number, such as a questionnaire's. ``words`` lists the words in the order of the codes.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, first_code, known
from facewave.labels.records import Record
from facewave.labels.schema import COMPOUND, VOCABULARIES, Reason, compound
from facewave.params import Dataset
from facewave.targets import ABOUT, PLANE, SCORE

_TEXTS = ("subject", "source", "scene", "compound", "caption", "transcript")
_NUMBERS = (*PLANE, "start", "end")
_COLUMNS = ("file_path", "video_idx", "actual", "label", "split", "fold", *_TEXTS, *_NUMBERS)
_OF_WORDS = ("actual", "label")
_AS_WRITTEN = ("file_path", "video_idx", "actual", *_TEXTS)  # NA may be a name or a word
_VOTES, _AUS = "votes.", "aus."


def read(root: Path, entry: Dataset) -> list[Record]:
    """The table that ``entry`` describes."""
    columns, words = entry.columns, words_of(entry)
    _check(columns, words, entry)
    path = root / entry.table
    rows = tables.rows(path, tuple(columns.values()), encoding=entry.encoding or "utf-8")
    if "fold" in columns and any(tables.digits(v[columns["fold"]]) == 0 for _, v in rows):
        raise UserError(f"{path}: folds are counted from 1, and there is a fold 0. Correct them.")
    first = _first(rows, columns, words, str(path)) if "label" in columns else 0
    return [_record(row, values, entry, words, first) for row, values in rows]


def _first(
    rows: list[tables.Row], columns: Mapping[str, str], words: tuple[str, ...], where: str
) -> int:
    """Where codes count from: as the words beside them tell, else as the codes as a whole do."""
    codes = [(tables.digits(values[columns["label"]]), values) for _, values in rows]
    if "actual" in columns:
        places = [
            number - words.index(word)
            for number, values in codes
            if number is not None and (word := known(words, values[columns["actual"]]))
        ]
        zero, one = places.count(0), places.count(1)
        if zero != one:
            return 0 if zero > one else 1
    return first_code({number for number, _ in codes if number is not None}, len(words), where)


def words_of(entry: Dataset) -> tuple[str, ...]:
    """The words that the entry lists, or common ones if it says so; none without a column."""
    if not any(name in _OF_WORDS or name.startswith(_VOTES) for name in entry.columns):
        return ()
    if isinstance(entry.words, str):
        return VOCABULARIES.get(entry.words, ())
    return tuple(entry.words)


def _check(columns: Mapping[str, str], words: tuple[str, ...], entry: Dataset) -> None:
    votes = {name for name in columns if name.startswith(_VOTES)}
    named = {n for n in columns if n.startswith((SCORE, ABOUT)) and n not in (SCORE, ABOUT)}
    named |= {n for n in columns if n.startswith(_AUS) and tables.unit(n.removeprefix(_AUS))}
    if strange := sorted(set(columns) - votes - named - set(_COLUMNS)):
        raise UserError(
            f"params.yaml: columns.{strange[0]} is not a column of ours; there are "
            f"{', '.join(_COLUMNS)}, votes.<word>, {_AUS}AU<number>, {ABOUT}<name> and "
            f"{SCORE}<name>."
        )
    if strange := sorted(votes - {_VOTES + word for word in words}):
        raise UserError(f"params.yaml: columns.{strange[0]}: that word is not in words.")
    if not entry.table or not {"file_path", "video_idx"} & set(columns):
        raise UserError(
            "params.yaml: the reader `table` needs table, the file's name below root, and columns "
            "with at least file_path, or video_idx and the pattern clips, such as clips/{clip}.mp4."
        )
    if "file_path" not in columns and not entry.clips:
        raise UserError("params.yaml: without columns.file_path, clips must say where a clip lies.")
    if len({word.casefold() for word in words}) < len(words):
        raise UserError("params.yaml: two of words differ only in case; name each once.")
    if set(_OF_WORDS) & set(columns) and not words:
        raise UserError(
            "params.yaml: words must list the table's words, in the order of the codes."
        )


def _record(
    row: int, values: Mapping[str, str], entry: Dataset, words: tuple[str, ...], first: int
) -> Record:
    if not any(values.values()):
        return Record(entry.table, row, "")
    cells = {
        ours: values[theirs] if ours in _AS_WRITTEN else tables.given(values[theirs])
        for ours, theirs in entry.columns.items()
    }
    label: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    try:
        if not cells.get("video_idx", "x") or not cells.get("file_path", "x"):
            raise tables.Unusable("the clip has no name")
        read_as = {"start": tables.seconds, "end": tables.seconds}
        numbers = {
            name: read_as.get(name, tables.real)(cells[name], name)
            for name in _NUMBERS
            if cells.get(name)
        }
        label["votes"] = {
            name.removeprefix(_VOTES): tables.count(cell or "0", name)
            for name, cell in cells.items()
            if name.startswith(_VOTES)
        } or None
        label["aus"] = {
            tables.unit(name.removeprefix(_AUS)): tables.strength(cell, name)
            for name, cell in cells.items()
            if name.startswith(_AUS) and cell
        } or None
        label["scores"] = {
            name.removeprefix(SCORE): tables.real(cell, name)
            for name, cell in cells.items()
            if name.startswith(SCORE) and cell
        } or None
        label["about"] = {
            name.removeprefix(ABOUT): cell
            for name, cell in cells.items()
            if name.startswith(ABOUT) and cell
        } or None
        if not 0 <= numbers.get("start", 0.0) < numbers.get("end", math.inf):
            raise tables.Unusable(f"it lasts from {cells.get('start')} to {cells.get('end')} s")
        label["fold"] = tables.fold(cells["fold"]) if cells.get("fold") else None
        label["part"] = tables.part(cells.get("split", ""))
        label |= _word(cells, words, first)
    except tables.Unusable as error:
        label |= {"problem": error.reason, "note": str(error)}
    clip = cells.get("video_idx") or cells.get("file_path", "")
    if "start" in numbers and not cells.get("video_idx"):
        clip += f"@{numbers['start']:g}"
    path = cells.get("file_path") or (clip_path(entry.clips, clip=clip) if entry.clips else "")
    label |= numbers | {name: cells.get(name, "") for name in _TEXTS}
    label |= {f"{side}_raw": numbers.get(side) for side in PLANE}
    return Record(entry.table, row, clip, path, **label)


def _word(cells: Mapping[str, str], words: tuple[str, ...], first: int) -> dict[str, str]:
    """The word that a row's code, its word or both name."""
    written = cells.get("actual", "")
    word = known(words, written) or (compound(written) if words == COMPOUND else "")
    written = word or tables.given(written)
    if cells.get("label"):
        coded = code(words, tables.count(cells["label"], "label"), first)
        if not coded or (word and word != coded):
            reason = Reason.CONFLICTING_ROWS if coded else Reason.UNKNOWN_WORD
            raise tables.Unusable(f"label {cells['label']}, {written}".rstrip(", "), reason)
        return {"word": coded}
    if written and not word:
        raise tables.Unusable(repr(written[:40]), Reason.UNKNOWN_WORD)
    return {"word": word}


CORPUS = Corpus(
    name="table",
    title="any table of your own, through columns and words in params.yaml",
    tracks={
        "own": Track(knows=("votes", *PLANE, "aus", "scores", "about", *_TEXTS, "fold", "split"))
    },
    home="-",
    access="yours",
    licence="yours",
    layout={},
    read=read,
    takes=("table", "clips", "columns", "encoding"),
)

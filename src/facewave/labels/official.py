"""Official folds, from lists of which clips are in training and test of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from facewave.errors import UserError
from facewave.labels.records import Record
from facewave.labels.schema import Reason

FOLDS = 5
Position = tuple[str, int]  # a list and a line in it
# (fold, "train" or "test") -> clip -> its positions there, each with its word
Lists = dict[tuple[int, str], dict[str, list[tuple[Position, str]]]]


@dataclass(frozen=True)
class Listed:
    """What the lists say of one clip.

    Attributes:
        position: its file and line, in its test list if it is in one.
        word: its label.
        fold: the fold in whose test list it is.
        problem: why it cannot be used, with a note.
        repeats: its further lines in the same list.
    """

    position: Position
    word: str
    fold: int | None
    problem: Reason | None = None
    note: str = ""
    repeats: tuple[Position, ...] = ()


def folds(lists: Lists, where: str, words: tuple[str, ...]) -> dict[str, Listed]:
    """Combine the lists of all folds.

    A sound clip is in exactly one test list and in the training lists of all other folds, always
    with the same word.

    Returns:
        Each clip by its id, in order of the ids; ``where`` is the lists' folder, for messages.

    Raises:
        UserError: a list is missing: figures on some of the official folds compare with no others.
    """
    wanted = {(fold, part) for fold in range(1, FOLDS + 1) for part in ("train", "test")}
    if missing := sorted(wanted - set(lists)):
        fold, part = missing[0]
        raise UserError(
            f"{where}: of the official folds, {len(missing)} of {len(wanted)} lists are missing "
            f"(the first: {part} of fold {fold}). Put all of them there."
        )
    seen: dict[str, list[tuple[int, str, Position, str]]] = {}
    for (fold, part), clips in sorted(lists.items()):
        for clip, entries in clips.items():
            for at, word in entries:
                seen.setdefault(clip, []).append((fold, part, at, word))
    return {clip: _judge(entries, words) for clip, entries in sorted(seen.items())}


def _judge(entries: list[tuple[int, str, Position, str]], known: tuple[str, ...]) -> Listed:
    first: dict[tuple[int, str], Position] = {}
    repeats = []
    for fold, part, at, _ in entries:
        if first.setdefault((fold, part), at) != at:
            repeats.append(at)
    tests = [fold for fold, part in first if part == "test"]
    trains = [fold for fold, part in first if part == "train"]
    words = sorted({word for _, _, _, word in entries})
    position = first[tests[0], "test"] if tests else entries[0][2]
    problem, note = _problem(tests, trains, words)
    if strange := [word for word in words if word not in known]:
        problem, note = Reason.UNKNOWN_WORD, f"{strange[0][:40]!r}"
    return Listed(
        position=position,
        word=words[0] if len(words) == 1 and not strange else "",
        fold=tests[0] if len(tests) == 1 else None,
        problem=problem,
        note=note,
        repeats=tuple(repeats),
    )


def _problem(tests: list[int], trains: list[int], words: list[str]) -> tuple[Reason | None, str]:
    both = sorted(set(tests) & set(trains))
    absent = sorted(set(range(1, FOLDS + 1)) - set(tests) - set(trains))
    if len(words) > 1:
        return Reason.CONFLICTING_ROWS, "the lists say " + " and ".join(words)
    if both:
        return Reason.IN_TWO_PARTS, f"in training and test of fold {both[0]}"
    if len(tests) > 1:
        return Reason.IN_TWO_PARTS, "in the test parts of folds " + ", ".join(map(str, tests))
    if not tests:
        return Reason.NO_OFFICIAL_PART, "in no test part"
    if absent:
        return Reason.NO_OFFICIAL_PART, "in no list of fold " + ", ".join(map(str, absent))
    return None, ""


def records(
    listed: Mapping[str, Listed],
    path_of: Callable[[str], str],
    known: Mapping[str, Mapping[str, Any]] | None = None,
    compound: bool = False,
) -> list[Record]:
    """The lists' clips as records; repeated lines are rows of their own.

    ``known`` has further fields of a clip's record, by clip.
    """
    records = []
    for clip, entry in listed.items():
        record = Record(
            *entry.position,
            clip,
            path_of(clip),
            word=entry.word,
            fold=entry.fold,
            problem=entry.problem,
            note=entry.note,
            compound=entry.word if compound else "",
            **(known or {}).get(clip, {}),
        )
        records += [record, *_repeats(record, entry)]
    return records


def join(records: list[Record], listed: Mapping[str, Listed], where: str) -> list[Record]:
    """A table's records with the folds that the lists give them.

    Raises:
        UserError: the lists have clips that the table lacks.
    """
    if not listed:
        return records
    in_table = {record.video_idx for record in records}
    if strange := [clip for clip in listed if clip not in in_table]:
        table, row = listed[strange[0]].position
        raise UserError(
            f"{where}: {table}, row {row}: clip {strange[0]} is not in {records[0].table}, nor are "
            f"{len(strange) - 1} others. Put lists and table of one release there."
        )
    joined = []
    for record in records:
        entry = listed.get(record.video_idx)
        joined += [_join(record, entry), *_repeats(record, entry)] if entry else [record]
    return joined


def _repeats(record: Record, entry: Listed) -> list[Record]:
    """A record for each further line that names the same clip in the same list."""
    again = replace(record, problem=Reason.DUPLICATE_ROW, note="twice in this list")
    return [replace(again, table=table, row=row) for table, row in entry.repeats]


def _join(record: Record, entry: Listed) -> Record:
    if record.problem:
        return record
    if entry.word and entry.word != record.word:
        table, row = entry.position
        note = f"here {record.word or 'no single label'}; in {table}, row {row}, {entry.word}"
        return replace(record, problem=Reason.CONFLICTING_ROWS, note=note)
    return replace(record, fold=entry.fold, problem=entry.problem, note=entry.note)

"""What readers give to cleaning: a table with a column per field, whatever the records hold."""

from dataclasses import fields
from typing import Any

import pandas as pd

from facewave.labels.records import Record, frame
from facewave.labels.schema import Reason

NUMBERS = ("valence", "arousal", "valence_raw", "arousal_raw", "start", "end")
BARE = Record("t.csv", 2, "1", "1.mp4")


def record(**other: Any) -> Record:
    return Record("t.csv", 2, "1", "1.mp4", **other)


def test_each_field_is_a_column() -> None:
    assert list(frame([BARE]).columns) == [field.name for field in fields(Record)]


def test_what_is_not_told_is_nothing() -> None:
    table = frame([BARE])
    (row,) = table.itertuples()
    assert row.word == row.part == row.note == ""
    assert row.votes is row.aus is row.scores is row.problem is None
    assert row.fold is row.frame is pd.NA
    assert table[list(NUMBERS)].isna().all(axis=None)


def test_columns_have_their_types_whatever_is_told() -> None:
    for told in [True, False]:
        other: dict[str, Any] = {"fold": 3, "frame": 0, "valence": 1, "end": 2.5} if told else {}
        types = frame([record(**other)]).dtypes.map(str)
        assert types["row"] == types["fold"] == types["frame"] == "Int64"
        assert {types[name] for name in NUMBERS} == {"float64"}
        texts = ("word", "votes", "aus", "scores", "problem", "part")
        assert {types[name] for name in texts} == {"object"}


def test_what_is_told_stays_as_it_is() -> None:
    told = record(
        word="happy", votes={"happy": 3}, aus={"AU1": 1}, fold=4, problem=Reason.BAD_VALUE, note="x"
    )
    (row,) = frame([told]).itertuples()
    assert (row.word, row.votes, row.aus, row.fold) == ("happy", {"happy": 3}, {"AU1": 1}, 4)
    assert row.problem is Reason.BAD_VALUE
    assert (row.table, row.row, row.note) == ("t.csv", 2, "x")


def test_bytes_that_are_no_text_are_a_problem_of_their_row() -> None:
    records = [
        Record("t.csv", 2, "a", "a\udce9.mp4", word="sad"),
        Record("t.csv", 3, "b", "b.mp4", votes={"\ud800": 1}),
        Record("t.csv", 4, "c", "größe 😀.mp4", about={"sex": "ä"}),
    ]
    table = frame(records)
    assert table["problem"].tolist() == [Reason.BAD_VALUE, Reason.BAD_VALUE, None]
    assert table["file_path"].tolist() == ["a\\udce9.mp4", "b.mp4", "größe 😀.mp4"]
    assert table["note"].tolist()[:2] == [
        f"{name} has bytes that are no text (half a surrogate pair)"
        for name in ("file_path", "votes")
    ]
    "".join(map(str, table.to_numpy().ravel())).encode()

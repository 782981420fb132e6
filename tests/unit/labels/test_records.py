"""What readers give to cleaning: a table with a column per field, whatever the records hold."""

from dataclasses import fields
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

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


RECORDS = st.lists(
    st.builds(
        Record,
        table=st.text(max_size=3),
        row=st.integers(0, 10**9),
        video_idx=st.text(max_size=3),
        file_path=st.text(max_size=3),
        votes=st.none() | st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2),
        fold=st.none() | st.integers(1, 5),
        valence=st.none() | st.floats(-1, 1),
        problem=st.none() | st.sampled_from(Reason),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=20)
@given(RECORDS)
def test_rows_are_the_records_in_their_order(records: list[Record]) -> None:
    table = frame(records)
    assert table.index.tolist() == list(range(len(records)))
    for one, row in zip(records, table.itertuples(), strict=True):
        assert (row.table, row.row, row.video_idx) == (one.table, one.row, one.video_idx)
        assert row.votes == one.votes
        assert row.problem is one.problem
        assert row.fold is pd.NA if one.fold is None else row.fold == one.fold
        assert pd.isna(row.valence) if one.valence is None else row.valence == one.valence

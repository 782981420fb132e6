"""Any table through a mapping of columns: its looks, and what a wrong mapping is told."""

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import corpora
from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.table import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

WORDS = ["calm", "cross", "glad"]
TABLE = "clip,feeling,code,part,group,person\nx/1.mp4,glad,2,train,1,s1\nx/2.mp4,calm,0,test,2,s2\n"
BOTH = {"file_path": "clip", "actual": "feeling"}


entry = entry_of("table", table="mine.csv", words=WORDS, columns=BOTH)


def write(root: Path, content: str | bytes, name: str = "mine.csv") -> Path:
    return corpora.write(root, name, content)


def one(root: Path, columns: dict[str, str], value: str, **keys: Any) -> Record:
    """The record of a row ``a.mp4,<value>`` whose second column is ``x``."""
    write(root, f"clip,x\na.mp4,{value}\n")
    (record,) = read(root, entry(columns={"file_path": "clip"} | columns, **keys))
    return record


def test_a_row_is_a_record(tmp_path: Path) -> None:
    columns = BOTH | {"split": "part", "fold": "group", "subject": "person"}
    first, second = read(write(tmp_path, TABLE), entry(columns=columns))
    assert first == Record(
        "mine.csv", 2, "x/1.mp4", "x/1.mp4", word="glad", subject="s1", fold=1, part="train"
    )
    assert (second.row, second.word, second.part, second.fold) == (3, "calm", "test", 2)
    write(tmp_path, "id,who\n007,Jürgen\n".encode("latin-1"))
    columns = {"video_idx": "id", "subject": "who"}
    with pytest.raises(UserError, match="is not UTF-8"):
        read(tmp_path, entry(columns=columns, clips="c/{clip}.avi"))
    (record,) = read(tmp_path, entry(columns=columns, clips="c/{clip}.avi", encoding="latin-1"))
    assert (record.video_idx, record.file_path, record.subject) == ("007", "c/007.avi", "Jürgen")


def test_the_separator_is_found(tmp_path: Path) -> None:
    for mark in [",", ";", "\t"]:
        for name in ["mine.csv", "mine.tsv", "mine.txt"]:
            write(tmp_path, TABLE.replace(",", mark), name)
            assert [r.word for r in read(tmp_path, entry(table=name))] == ["glad", "calm"]
    write(tmp_path, '"clip";"feeling";"a, b"\nx/1.mp4;glad;"1, 2"\n')
    assert [r.word for r in read(tmp_path, entry())] == ["glad"]


def test_a_spreadsheet_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for line in csv.reader(io.StringIO(TABLE)):
        book.active.append([int(field) if field.isdecimal() else field for field in line])
    book.save(tmp_path / "mine.xlsx")
    found = read(
        tmp_path, entry(columns=BOTH | {"label": "code", "fold": "group"}, table="mine.xlsx")
    )
    assert [(r.word, r.fold, r.problem) for r in found] == [("glad", 1, None), ("calm", 2, None)]


def test_codes_count_from_where_they_tell(tmp_path: Path) -> None:
    labels = entry(columns={"file_path": "clip", "label": "x"})
    for first in [0, 1]:
        write(tmp_path, "clip,x\n" + "".join(f"{i}.mp4,{i + first}\n" for i in range(3)))
        assert [r.word for r in read(tmp_path, labels)] == WORDS
    for codes, why in (((1, 2), "neither 0 nor 3 occurs"), ((0, 3), "both 0 and 3 occur")):
        write(tmp_path, "clip,x\n" + "".join(f"{i}.mp4,{code}\n" for i, code in enumerate(codes)))
        with pytest.raises(UserError, match=rf"mine\.csv: the labels may count .*{why}"):
            read(tmp_path, labels)


def test_what_is_no_code_is_told(tmp_path: Path) -> None:
    for code, reason, note in [
        ("7", Reason.UNKNOWN_WORD, "label 7"),
        ("x", Reason.BAD_VALUE, "label is 'x', not a whole number"),
        ("1.5", Reason.BAD_VALUE, "label is '1.5', not a whole number"),
        ("-1", Reason.BAD_VALUE, "label is '-1', below 0"),
        ("5" * 5000, Reason.BAD_VALUE, f"label is '{'5' * 40}', not a whole number"),
    ]:
        write(tmp_path, f"clip,x\na.mp4,0.0\nb.mp4,{code}\n")
        good, bad = read(tmp_path, entry(columns={"file_path": "clip", "label": "x"}))
        assert (good.word, good.problem) == ("calm", None)
        assert (bad.word, bad.problem, bad.note) == ("", reason, note)


def test_a_code_beside_another_word_is_a_conflict(tmp_path: Path) -> None:
    write(tmp_path, "clip,feeling,code\na.mp4,glad,2\nb.mp4,glad,0\nc.mp4,,1\n")
    first, second, third = read(tmp_path, entry(columns=BOTH | {"label": "code"}))
    assert (first.word, first.problem) == ("glad", None)
    assert (second.word, second.problem) == ("", Reason.CONFLICTING_ROWS)
    assert second.note == "label 0, glad"
    assert (third.word, third.problem) == ("cross", None)


def test_votes_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "clip,n1,n2\na.mp4,3,7\nb.mp4,,10\nc.mp4,x,1\nd.mp4,-1,1\n")
    columns = {"file_path": "clip", "votes.calm": "n1", "votes.glad": "n2"}
    records = read(tmp_path, entry(columns=columns))
    assert [r.votes for r in records[:2]] == [{"calm": 3, "glad": 7}, {"calm": 0, "glad": 10}]
    assert [r.problem for r in records] == [None, None, Reason.BAD_VALUE, Reason.BAD_VALUE]
    assert records[2].note == "votes.calm is 'x', not a whole number"
    assert records[3].note == "votes.calm is '-1', below 0"


def test_valence_and_arousal_need_no_words(tmp_path: Path) -> None:
    write(tmp_path, "clip,v,a\na.mp4,-0.25,1e-1\nb.mp4,,0.5\n")
    columns = {"file_path": "clip", "valence": "v", "arousal": "a"}
    first, second = read(tmp_path, entry(columns=columns, words="own"))
    assert (first.valence, first.arousal) == (-0.25, 0.1)
    assert (first.valence_raw, first.arousal_raw) == (-0.25, 0.1)
    assert (second.valence, second.arousal, second.problem) == (None, 0.5, None)


def test_what_else_is_known_is_words_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("clip,task,where\na.mp4,reading,\nb.mp4,,home\n")
    columns = {"file_path": "clip", "about.task": "task", "about.place": "where"}
    records = read(tmp_path, entry(columns=columns))
    assert [r.about for r in records] == [{"task": "reading"}, {"place": "home"}]


def test_action_units_are_there_or_not_or_as_strong_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, "clip,a,b\n1.mp4,1,0\n2.mp4,2.5,\n3.mp4,6,1\n4.mp4,,\n")
    columns = {"file_path": "clip", "aus.AU06": "a", "aus.AU12": "b"}
    records = read(tmp_path, entry(words="own", columns=columns))
    aus = [record.aus for record in records if not record.problem]
    assert aus == [{"AU6": 1, "AU12": 0}, {"AU6": 2.5}, None]
    assert (records[2].problem, records[2].note) == (
        Reason.OUT_OF_RANGE,
        "aus.AU06 is '6', of 0 to 5",
    )
    assert isinstance(aus[0]["AU6"], int)  # type: ignore[index]


def test_scores_are_numbers_of_any_name_and_range(tmp_path: Path) -> None:
    write(tmp_path, "clip,pss,age\na.mp4,17,40.5\nb.mp4,,-3\nc.mp4,,\nd.mp4,1e2,x\n")
    columns = {"file_path": "clip", "score.stress": "pss", "score.age in years": "age"}
    records = read(tmp_path, entry(columns=columns, words="own"))
    assert [r.scores for r in records] == [
        {"stress": 17.0, "age in years": 40.5},
        {"age in years": -3.0},  # an empty cell is no score, and no 0
        None,
        None,
    ]
    assert [r.problem for r in records] == [None, None, None, Reason.BAD_VALUE]
    assert records[3].note == "score.age in years is 'x', not a number"


def test_what_is_no_number_is_told(tmp_path: Path) -> None:
    for column in ["valence", "arousal", "start", "end", "score.stress"]:
        for wrong in ["x", "inf", "1e999", "1_0", "0x1", "1,500"]:
            record = one(tmp_path, {column: "x"}, f'"{wrong}"')
            assert (record.problem, record.note) == (
                Reason.BAD_VALUE, f"{column} is {wrong!r}, not a number",
            )  # fmt: skip


def test_a_part_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, "id,file,from,to\n1,a.mp4,0,2.5\n2,a.mp4,2.5,4\n")
    columns = {"video_idx": "id", "file_path": "file", "start": "from", "end": "to"}
    records = read(tmp_path, entry(columns=columns))
    assert [(r.video_idx, r.file_path, r.start, r.end) for r in records] == [
        ("1", "a.mp4", 0.0, 2.5),
        ("2", "a.mp4", 2.5, 4.0),
    ]
    del columns["video_idx"]
    records = read(tmp_path, entry(columns=columns))
    assert [r.video_idx for r in records] == ["a.mp4@0", "a.mp4@2.5"]
    for times in ["5,2", "-3,-1", "0,0"]:
        write(tmp_path, f"file,feeling,from,to\na.mp4,glad,{times}\n")
        (record,) = read(tmp_path, entry(columns=columns | {"actual": "feeling"}))
        assert (record.problem, record.word) == (Reason.BAD_VALUE, "")


def test_other_columns_are_taken_as_they_are(tmp_path: Path) -> None:
    names = ("subject", "source", "scene", "compound", "caption", "transcript")
    write(tmp_path, f"clip,{','.join(names)}\na.mp4,NA,None,007,é,a b,null\n")
    (record,) = read(
        tmp_path, entry(columns={"file_path": "clip"} | {name: name for name in names})
    )
    assert [getattr(record, name) for name in names] == ["NA", "None", "007", "é", "a b", "null"]


def test_one_value_and_what_becomes_of_it(tmp_path: Path) -> None:
    cases: list[tuple[str, str, tuple[str, Any], Reason | None, str]] = [
        ("actual", "GLAD", ("word", "glad"), None, ""),
        ("actual", "happy", ("word", ""), Reason.UNKNOWN_WORD, "'happy'"),
        ("actual", "", ("word", ""), None, ""),
        *(("split", part, ("part", part), None, "") for part in ("train", "val", "test", "")),
        *(("split", part, ("part", "val"), None, "") for part in ("dev", "Validation", "VALID")),
        ("split", "NA", ("part", ""), None, ""),
        ("split", "x", ("part", ""), Reason.BAD_VALUE, "split is 'x', not train, val or test"),
        ("end", "1:02.5", ("end", 62.5), None, ""),
        *(("valence", empty, ("valence", None), None, "") for empty in ("nan", ".", "N/A", "NULL")),
        ("subject", "NA", ("subject", "NA"), None, ""),
        ("fold", "one", ("fold", None), Reason.BAD_VALUE, "fold is 'one', not a whole number"),
        ("video_idx", "007", ("video_idx", "007"), None, ""),
    ]
    for column, value, (name, expected), reason, note in cases:
        record = one(tmp_path, {column: "x"}, value)
        assert (getattr(record, name), record.problem, record.note) == (expected, reason, note)
    with pytest.raises(UserError, match="folds are counted from 1, and there is a fold 0"):
        one(tmp_path, {"fold": "x"}, "0")


def test_a_clip_without_a_name_is_told(tmp_path: Path) -> None:
    for row in [",glad,s1", " ,glad,s1"]:
        (record,) = read(write(tmp_path, f"clip,feeling,person\n{row}\n"), entry())
        assert (record.word, record.problem, record.note) == (
            "", Reason.BAD_VALUE, "the clip has no name",
        )  # fmt: skip


def test_an_empty_row_keeps_its_place(tmp_path: Path) -> None:
    records = read(write(tmp_path, "clip,feeling\na.mp4,glad\n,\n\nb.mp4,calm\n"), entry())
    assert [(r.row, r.video_idx) for r in records] == [(2, "a.mp4"), (3, ""), (4, ""), (5, "b.mp4")]
    assert [r.problem for r in records] == [None] * 4


def test_a_wrong_mapping_is_told(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, str], dict[str, Any], str]] = [
        (BOTH | {"mood": "x"}, {}, "columns.mood is not a column of ours; there are file_path,"),
        (BOTH | {"votes": "x"}, {}, "columns.votes is not a column of ours"),
        (BOTH | {"score.": "x"}, {}, "columns.score. is not a column of ours"),
        (BOTH | {"stress": "x"}, {}, "split, fold, "),
        (
            BOTH | {"stress": "x"},
            {},
            "aus.AU<number>, about.<name> and score.<name>.",
        ),
        (BOTH | {"score.stress": "pss"}, {}, "mine.csv: column 'pss' is missing"),
        (BOTH | {"votes.sad": "x"}, {}, "columns.votes.sad: that word is not in words"),
        (BOTH, {"table": ""}, "the reader `table` needs table, the file's name below root"),
        ({"actual": "feeling"}, {}, "columns with at least file_path, or video_idx and"),
        ({"video_idx": "clip"}, {}, "without columns.file_path, clips must say where a clip lies"),
        (BOTH, {"words": "own"}, "words must list the table's words, in the order of the codes"),
        ({"file_path": "clip", "label": "code"}, {"words": "own"}, "words must list the table's"),
        (BOTH | {"subject": "who"}, {}, "mine.csv: column 'who' is missing; it has clip, feeling"),
        (BOTH, {"table": "yours.csv"}, "yours.csv is not here"),
        (BOTH, {"encoding": "klingon"}, "encoding is 'klingon', which is none that Python knows"),
        ({"video_idx": "clip"}, {"clips": "{order}"}, "clips is '{order}', where only {clip} can"),
    ]
    for columns, keys, told in cases:
        write(tmp_path, TABLE)
        with pytest.raises(UserError) as caught:
            read(tmp_path, entry(columns=columns, **keys))
        assert told in str(caught.value)

"""DFEW: its annotation as people save it, its official folds as they are found, and both joined."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels.readers import dfew
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
VOTES = "1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear"
HEADER = f"{VOTES},order,label"
HAPPY = "10,0,0,0,0,0,0,1,1"
SAD = "0,8,2,0,0,0,0,2,2"
NONE = "3,3,4,0,0,0,0,3,0"
VALID = f"{HEADER},subject,fold,file_path\n{HAPPY},s1,1,\n{SAD},s2,2,x/2.mp4\n{NONE},,,\n"
ANNOTATION = "Annotation/annotation.csv"
LISTS = "EmoLabel_DataSplit"

Read = Callable[[str | bytes], list[Record]]


def entry(**keys: Any) -> Dataset:
    return Dataset(reader="dfew", root=".", about="a test", **keys)


def write(root: Path, path: str, content: str | bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a table of this content."""

    def read_content(content: str | bytes) -> list[Record]:
        write(tmp_path, "annotation.csv", content)
        return dfew.read(tmp_path, entry(table="annotation.csv", clips="clips/{order}.mp4"))

    return read_content


def refusal(read: Read, content: str | bytes) -> str:
    """What the reader says against a content; it names the file."""
    with pytest.raises(UserError) as caught:
        read(content)
    assert "annotation.csv" in str(caught.value)
    return str(caught.value)


# The annotation.


def test_a_row_becomes_words_and_votes(read: Read) -> None:
    first, second, third = read(f"{HEADER}\n{HAPPY}\n{SAD}\n{NONE}\n")
    assert first == Record(
        table="annotation.csv",
        row=2,
        video_idx="1",
        file_path="clips/1.mp4",
        word="happy",
        votes=dict(zip(WORDS, (10, 0, 0, 0, 0, 0, 0), strict=True)),
    )
    assert (second.row, second.video_idx, second.word) == (3, "2", "sad")
    assert second.votes == dict(zip(WORDS, (0, 8, 2, 0, 0, 0, 0), strict=True))
    assert (third.row, third.video_idx, third.file_path) == (4, "3", "clips/3.mp4")


def test_label_0_is_no_single_label_and_its_votes_stay(read: Read) -> None:
    (record,) = read(f"{HEADER}\n{NONE}\n")
    assert (record.word, record.problem) == ("", None)
    assert record.votes == dict(zip(WORDS, (3, 3, 4, 0, 0, 0, 0), strict=True))


@pytest.mark.parametrize(("code", "word"), list(enumerate(WORDS, start=1)))
def test_each_code_is_its_word(read: Read, code: int, word: str) -> None:
    (record,) = read(f"{HEADER}\n0,0,0,0,0,0,0,9,{code}\n")
    assert (record.word, record.problem) == (word, None)


def test_optional_columns_are_taken_where_they_are_filled(read: Read) -> None:
    records = read(VALID)
    assert [r.subject for r in records] == ["s1", "s2", ""]
    assert [r.fold for r in records] == [1, 2, None]
    assert [r.file_path for r in records] == ["clips/1.mp4", "x/2.mp4", "clips/3.mp4"]


def test_a_path_may_start_with_a_dot(read: Read) -> None:
    content = f"{HEADER},actual,video_id,file_path\n{SAD},sad,2,./part_1/2.mp4\n"
    (record,) = read(content)
    assert PurePosixPath(record.file_path) == PurePosixPath("part_1/2.mp4")
    assert (record.video_idx, record.word) == ("2", "sad")


def test_the_annotation_is_found_in_its_folder(tmp_path: Path) -> None:
    write(tmp_path, ANNOTATION, b"\xef\xbb\xbf" + f"{HEADER}\r\n{HAPPY}\r\n".encode())
    (record,) = dfew.read(tmp_path, entry())
    assert (record.table, record.word) == (ANNOTATION, "happy")
    assert record.file_path == "Clip/original/1.mp4"


@pytest.mark.parametrize(
    ("there", "path"),
    [
        ("Clip/original", "Clip/original/1.mp4"),
        ("Clip/clip_224x224", "Clip/clip_224x224/00001"),
        ("Clip/clip_224x224_avi", "Clip/clip_224x224_avi/00001.avi"),
        ("Clip/clip_224x224_16f", "Clip/clip_224x224_16f/00001"),
    ],
)
def test_the_clips_are_looked_for_in_each_form(tmp_path: Path, there: str, path: str) -> None:
    write(tmp_path, ANNOTATION, f"{HEADER}\n{HAPPY}\n")
    (tmp_path / there).mkdir(parents=True)
    assert dfew.read(tmp_path, entry())[0].file_path == path


def test_an_empty_row_keeps_its_place(read: Read) -> None:
    for empty in ["", "   ", ",,,,,,,,", " , ,,,,,,,"]:
        records = read(f"{HEADER}\n{HAPPY}\n{empty}\n{SAD}\n")
        assert [r.row for r in records] == [2, 3, 4]
        assert [r.video_idx for r in records] == ["1", "", "2"]
        assert (records[1].votes, records[1].word, records[1].problem) == (None, "", None)


def test_a_missing_table_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv is not here\. Put"):
        dfew.read(tmp_path, entry(table="nowhere.csv"))
    with pytest.raises(UserError, match=r"Annotation/annotation\.xlsx is not here\. Put"):
        dfew.read(tmp_path, entry())


def test_a_missing_column_is_named(read: Read) -> None:
    for column in HEADER.split(","):
        header = HEADER.replace(column, "other")
        assert f"column {column!r} is missing" in refusal(read, f"{header}\n{HAPPY}\n")


def test_a_column_named_twice_is_refused(read: Read) -> None:
    assert "'label'" in refusal(read, f"{HEADER}, label\n{HAPPY},3\n")


def test_what_is_no_number_is_a_bad_value(read: Read) -> None:
    for column in HEADER.split(","):
        for wrong in ["", "x", "1.5", "²", "1 0", "nan", "+1", "0x1", "9" * 5000]:
            values = dict(zip(HEADER.split(","), SAD.split(","), strict=True)) | {column: wrong}
            good, bad = read(f"{HEADER}\n{HAPPY}\n{','.join(values.values())}\n")
            assert (good.word, good.problem) == ("happy", None)
            assert (bad.row, bad.problem) == (3, Reason.BAD_VALUE)
            assert bad.note == f"{column} is {wrong[:40]!r}, not a whole number"


def test_numbers_below_zero_are_bad_values(read: Read) -> None:
    for column in HEADER.split(","):
        values = dict(zip(HEADER.split(","), SAD.split(","), strict=True)) | {column: "-1"}
        (bad,) = read(f"{HEADER}\n{','.join(values.values())}\n")
        assert (bad.problem, bad.note) == (Reason.BAD_VALUE, f"{column} is '-1', below 0")


def test_an_unknown_label_is_an_unknown_word(read: Read) -> None:
    for code in [8, 9, 10, 70]:
        (record,) = read(f"{HEADER}\n0,0,0,0,0,0,0,2,{code}\n")
        assert (record.word, record.problem) == ("", Reason.UNKNOWN_WORD)
        assert record.note == f"label {code}, of 0 to 7"


def test_a_pattern_of_clips_that_cannot_be_filled_is_named(tmp_path: Path) -> None:
    for place in ["{}", "{x}", "{", "{order!q}", "{order:z}", "{order.x}", "{order[0]}"]:
        write(tmp_path, ANNOTATION, f"{HEADER}\n{HAPPY}\n")
        with pytest.raises(UserError, match=r"params\.yaml: clips is .* only {order} can stand"):
            dfew.read(tmp_path, entry(clips=place))


SPLINTERS = st.sampled_from(
    [
        *(",", "\n", "\r\n", '"', "", " ", "\t", ";", "0", "9", "-"),
        *("1.0", "x", "NA", "\0", "é", "\ufeff"),
    ]
)


# The folds: seven clips, clip k with label k, tested in fold (k - 1) % 5 + 1.

TESTED = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 1, 7: 2}


def write_folds(
    root: Path,
    official: bool = True,
    labels: dict[int, int] | None = None,
    skip: tuple[str, ...] = (),
) -> None:
    """The ten lists: official ones as published, others as they are redistributed."""
    first = 1 if official else 0
    labels = labels or {clip: clip - 1 + first for clip in TESTED}
    for fold in range(1, 6):
        for part in ("train", "test"):
            name = f"set_{fold}.csv" if official else f"{part}_set_{fold}.csv"
            clips = [c for c in labels if (TESTED[c] == fold) == (part == "test")]
            rows = [f"{c if official else f'{c:05d}'},{labels[c]}" for c in clips]
            content = "\n".join(("video_name,label", *rows)) + "\n"
            path = f"{LISTS}/{part}(single-labeled)/{name}"
            if f"{part} {fold}" not in skip:
                write(root, path, ("\ufeff" if official else "") + content)


def test_the_lists_give_words_and_folds(tmp_path: Path) -> None:
    for official in [True, False]:
        write_folds(tmp_path, official)
        records = dfew.read(tmp_path, entry())
        assert [r.video_idx for r in records] == ["1", "2", "3", "4", "5", "6", "7"]
        assert [r.word for r in records] == WORDS
        assert [r.fold for r in records] == [1, 2, 3, 4, 5, 1, 2]
        assert [r.problem for r in records] == [None] * 7
        assert records[5].file_path == "Clip/original/6.mp4"
        name = "set_1.csv" if official else "test_set_1.csv"
        assert records[5].table == f"{LISTS}/test(single-labeled)/{name}"
        assert records[5].row == 3
        assert records[5].votes is None


def test_lists_that_do_not_tell_where_labels_start_are_refused(tmp_path: Path) -> None:
    for official in [True, False]:
        write_folds(tmp_path, official, labels=dict.fromkeys(TESTED, 3))
        with pytest.raises(UserError, match=r"from 0 or from 1 \(neither 0 nor 7 occurs\)"):
            dfew.read(tmp_path, entry())


def test_lists_of_two_origins_are_refused(tmp_path: Path) -> None:
    for official in [True, False]:
        write_folds(tmp_path, official, labels={clip: clip for clip in TESTED} | {1: 0})
        with pytest.raises(UserError, match=r"from 0 or from 1 \(both 0 and 7 occur\)"):
            dfew.read(tmp_path, entry())


def test_official_and_redistributed_lists_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    write_folds(tmp_path, official=True, skip=("train 1", "test 1", "train 2"))
    write_folds(tmp_path, official=False, skip=("train 3", "test 3", "train 4", "test 4"))
    with pytest.raises(UserError, match="Put files of one origin there"):
        dfew.read(tmp_path, entry())


@pytest.mark.parametrize("gone", ["train 1", "test 3", "test 5"])
def test_some_of_the_folds_are_refused(tmp_path: Path, gone: str) -> None:
    write_folds(tmp_path, skip=(gone,))
    part, fold = gone.split()
    with pytest.raises(UserError, match=rf"1 of 10 lists are missing \(the first: {part} of fold") \
            as caught:  # fmt: skip
        dfew.read(tmp_path, entry())
    assert f"of fold {fold})" in str(caught.value)


def test_a_label_that_is_no_code_is_an_unknown_word(tmp_path: Path) -> None:
    for label in [8, 12]:
        write_folds(tmp_path, labels={clip: clip for clip in TESTED} | {2: label})
        records = dfew.read(tmp_path, entry())
        assert [r.word for r in records] == ["happy", "", *WORDS[2:]]
        assert (records[1].problem, records[1].note) == (Reason.UNKNOWN_WORD, f"'label {label}'")


def test_a_line_of_a_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for row in ["x,1", "1.mp4,1", "1,", ",1", "1,happy", "1,-1", f"1,{'7' * 5000}"]:
        write_folds(tmp_path)
        path = f"{LISTS}/test(single-labeled)/set_1.csv"
        write(tmp_path, path, f"video_name,label\n1,1\n{row}\n")
        with pytest.raises(UserError, match=r"set_1\.csv, row 3: ") as caught:
            dfew.read(tmp_path, entry())
        assert len(str(caught.value)) < 500


def annotation_rows(labels: dict[int, int]) -> str:
    """Ten votes for each clip's label, five and five for label 0."""
    rows = []
    for clip, label in labels.items():
        votes = [10 if i == label else 0 for i in range(1, 8)] if label else [5, 5, 0, 0, 0, 0, 0]
        rows.append(",".join(map(str, (*votes, clip, label))))
    return "\n".join((HEADER, *rows)) + "\n"


def test_the_annotation_gets_the_folds_of_the_lists(tmp_path: Path) -> None:
    write_folds(tmp_path)
    write(tmp_path, ANNOTATION, annotation_rows({7: 7, 9: 0, 8: 3} | {c: c for c in range(1, 7)}))
    records = dfew.read(tmp_path, entry())
    assert [r.video_idx for r in records] == ["7", "9", "8", "1", "2", "3", "4", "5", "6"]
    assert [r.fold for r in records] == [2, None, None, 1, 2, 3, 4, 5, 1]
    assert [r.word for r in records] == ["fear", "", "neutral", *WORDS[:6]]
    assert {r.table for r in records} == {ANNOTATION}
    assert records[0].votes == dict.fromkeys(WORDS, 0) | {"fear": 10}


def test_an_annotation_that_contradicts_the_lists_is_told(tmp_path: Path) -> None:
    for label, note in [
        (4, "here angry; in EmoLabel_DataSplit/test(single-labeled)/set_3.csv, row 2, neutral"),
        (
            0,
            "here no single label; in EmoLabel_DataSplit/test(single-labeled)/set_3.csv, row 2, "
            "neutral",
        ),
    ]:
        write_folds(tmp_path)
        write(tmp_path, ANNOTATION, annotation_rows({clip: clip for clip in TESTED} | {3: label}))
        records = dfew.read(tmp_path, entry())
        assert [r.problem for r in records] == [None, None, Reason.CONFLICTING_ROWS, *[None] * 4]
        assert records[2].note == note


def test_lists_with_clips_that_the_annotation_has_not_are_refused(tmp_path: Path) -> None:
    write_folds(tmp_path)
    write(tmp_path, ANNOTATION, annotation_rows({1: 1, 2: 2, 3: 3, 4: 4, 5: 5}))
    with pytest.raises(UserError, match=r"clip 6 is not in Annotation/annotation\.csv, nor are 1"):
        dfew.read(tmp_path, entry())


def test_a_table_that_is_named_must_be_there_even_beside_lists(tmp_path: Path) -> None:
    write_folds(tmp_path)
    with pytest.raises(UserError, match=r"mine\.csv is not here"):
        dfew.read(tmp_path, entry(table="mine.csv"))


def test_published_counts_add_up() -> None:
    published = dfew.CORPUS.track("").published
    assert published["clips"] == 11697
    assert sum(published[f"fold {k}"] for k in range(1, 6)) == 11697
    assert sum(published[word] for word in WORDS) == 11697
    assert dfew.CORPUS.track("").words == tuple(WORDS)

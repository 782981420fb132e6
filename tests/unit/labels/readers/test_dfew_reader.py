"""DFEW: its annotation as people save it, its official folds as they are found, and both joined."""

from pathlib import Path

import pytest

from corpora import entry_of, write
from facewave.errors import UserError
from facewave.labels.readers import dfew
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from miniatures import folds

WORDS = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]
VOTES = "1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear"
HEADER = f"{VOTES},order,label"
HAPPY = "10,0,0,0,0,0,0,1,1"
SAD = "0,8,2,0,0,0,0,2,2"
NONE = "3,3,4,0,0,0,0,3,0"
VALID = f"{HEADER},subject,fold,file_path\n{HAPPY},s1,1,\n{SAD},s2,2,x/2.mp4\n{NONE},,,\n"
ANNOTATION = "Annotation/annotation.csv"
LISTS = "EmoLabel_DataSplit"


entry = entry_of("dfew")


# The annotation.


def test_a_row_becomes_words_and_votes(tmp_path: Path) -> None:
    first, second, third = read(tmp_path, f"{HEADER}\n{HAPPY}\n{SAD}\n{NONE}\n")
    assert first == Record(
        "annotation.csv",
        2,
        "1",
        "clips/1.mp4",
        word="happy",
        votes=dict(zip(WORDS, (10, 0, 0, 0, 0, 0, 0), strict=True)),
    )
    assert (second.row, second.video_idx, second.word) == (3, "2", "sad")
    assert second.votes == dict(zip(WORDS, (0, 8, 2, 0, 0, 0, 0), strict=True))
    assert (third.row, third.video_idx, third.file_path) == (4, "3", "clips/3.mp4")
    for empty in ["", "   ", ",,,,,,,,", " , ,,,,,,,"]:
        _, nothing, last = read(tmp_path, f"{HEADER}\n{HAPPY}\n{empty}\n{SAD}\n")
        assert nothing == Record("annotation.csv", 3, "")
        assert (last.row, last.video_idx) == (4, "2")


def read(root: Path, content: str) -> list[Record]:
    """What is read of an annotation of this content."""
    write(root, "annotation.csv", content)
    return dfew.read(root, entry(table="annotation.csv", clips="clips/{order}.mp4"))


def test_each_code_is_its_word_and_0_none(tmp_path: Path) -> None:
    for code, word in enumerate(["", *WORDS]):
        (record,) = read(tmp_path, f"{HEADER}\n0,0,0,0,0,0,0,9,{code}\n")
        assert (record.word, record.problem) == (word, None)
    for code in [8, 9, 10, 70]:
        (record,) = read(tmp_path, f"{HEADER}\n0,0,0,0,0,0,0,2,{code}\n")
        assert (record.word, record.problem) == ("", Reason.UNKNOWN_WORD)
        assert record.note == f"label {code}, of 0 to 7"


def test_optional_columns_are_taken_where_they_are_filled(tmp_path: Path) -> None:
    records = read(tmp_path, VALID)
    assert [r.subject for r in records] == ["s1", "s2", ""]
    assert [r.fold for r in records] == [1, 2, None]
    assert [r.file_path for r in records] == ["clips/1.mp4", "x/2.mp4", "clips/3.mp4"]


def test_the_annotation_and_each_form_of_the_clips_are_found(tmp_path: Path) -> None:
    for form, path in (
        ("original", "original/1.mp4"),
        ("clip_224x224", "clip_224x224/00001"),
        ("clip_224x224_avi", "clip_224x224_avi/00001.avi"),
        ("clip_224x224_16f", "clip_224x224_16f/00001"),
    ):
        root = tmp_path / form
        for there in (False, True):
            write(root, ANNOTATION, b"\xef\xbb\xbf" + f"{HEADER}\r\n{HAPPY}\r\n".encode())
            (record,) = dfew.read(root, entry())
            assert (record.table, record.word) == (ANNOTATION, "happy")
            assert record.file_path == f"Clip/{path if there else 'original/1.mp4'}"
            (root / "Clip" / form).mkdir(parents=True, exist_ok=True)


def test_a_missing_table_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv is not here\. Put"):
        dfew.read(tmp_path, entry(table="nowhere.csv"))
    with pytest.raises(UserError, match=r"Annotation/annotation\.xlsx is not here\. Put"):
        dfew.read(tmp_path, entry())
    write_folds(tmp_path)  # which do not stand in for a table that is named
    with pytest.raises(UserError, match=r"mine\.csv is not here"):
        dfew.read(tmp_path, entry(table="mine.csv"))


def test_what_is_no_count_is_a_bad_value(tmp_path: Path) -> None:
    for column in HEADER.split(","):
        header = HEADER.replace(column, "other")
        with pytest.raises(UserError, match=f"annotation.csv: column {column!r} is missing"):
            read(tmp_path, f"{header}\n{HAPPY}\n")
        for wrong, note in (
            *((text, "not a whole number") for text in ("", "x", "1.5", "²", "nan", "9" * 5000)),
            ("-1", "below 0"),
        ):
            values = dict(zip(HEADER.split(","), SAD.split(","), strict=True)) | {column: wrong}
            good, bad = read(tmp_path, f"{HEADER}\n{HAPPY}\n{','.join(values.values())}\n")
            assert (good.word, good.problem) == ("happy", None)
            assert (bad.row, bad.problem) == (3, Reason.BAD_VALUE)
            assert bad.note == f"{column} is {wrong[:40]!r}, {note}"


def test_a_pattern_of_clips_that_cannot_be_filled_is_named(tmp_path: Path) -> None:
    for clips in ["{}", "{x}", "{", "{order!q}", "{order:z}", "{order.x}", "{order[0]}"]:
        write(tmp_path, ANNOTATION, f"{HEADER}\n{HAPPY}\n")
        with pytest.raises(UserError, match=r"params\.yaml: clips is .* only {order} can stand"):
            dfew.read(tmp_path, entry(clips=clips))


# The folds: seven clips, clip k with label k, tested in fold (k - 1) % 5 + 1.

CLIPS = range(1, 8)


def write_folds(
    root: Path,
    official: bool = True,
    labels: dict[int, int] | None = None,
    skip: tuple[tuple[str, int], ...] = (),
) -> None:
    """The ten lists: official ones as published, others as they are redistributed."""
    labels = labels or {clip: clip if official else clip - 1 for clip in CLIPS}
    rows = {f"{c}": f"{c if official else f'{c:05d}'},{label}" for c, label in labels.items()}
    path = f"{LISTS}/{{part}}(single-labeled)/{'' if official else '{part}_'}set_{{fold}}.csv"
    encoding = "utf-8-sig" if official else "utf-8"
    lists = folds(path, rows, ("video_name,label",), encoding=encoding)
    for name in lists.keys() - {path.format(part=part, fold=fold) for part, fold in skip}:
        write(root, name, lists[name])


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
        for labels, why in (
            (dict.fromkeys(CLIPS, 3), "neither 0 nor 7 occurs"),
            ({clip: clip for clip in CLIPS} | {1: 0}, "both 0 and 7 occur"),
        ):
            write_folds(tmp_path, official, labels=labels)
            with pytest.raises(UserError, match=rf"from 0 or from 1 \({why}\)"):
                dfew.read(tmp_path, entry())


def test_official_and_redistributed_lists_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    write_folds(tmp_path, official=True, skip=(("train", 1), ("test", 1), ("train", 2)))
    others = (("train", 3), ("test", 3), ("train", 4), ("test", 4))
    write_folds(tmp_path, official=False, skip=others)
    with pytest.raises(UserError, match="Put files of one origin there"):
        dfew.read(tmp_path, entry())


def test_a_label_that_is_no_code_is_an_unknown_word(tmp_path: Path) -> None:
    for label in [8, 12]:
        write_folds(tmp_path, labels={clip: clip for clip in CLIPS} | {2: label})
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
    for label, word in [(4, "angry"), (0, "no single label")]:
        write_folds(tmp_path)
        write(tmp_path, ANNOTATION, annotation_rows({clip: clip for clip in CLIPS} | {3: label}))
        records = dfew.read(tmp_path, entry())
        assert [r.problem for r in records] == [None, None, Reason.CONFLICTING_ROWS, *[None] * 4]
        listed = f"{LISTS}/test(single-labeled)/set_3.csv, row 2, neutral"
        assert records[2].note == f"here {word}; in {listed}"

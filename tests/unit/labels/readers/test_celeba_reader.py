"""CelebA: parts by a list, people where their list is there, and no label."""

from pathlib import Path

import pytest

from corpora import entry_of, write
from facewave.errors import UserError
from facewave.labels.readers.celeba import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

entry = entry_of("celeba")
LIST = "Eval/list_eval_partition.txt"
PARTS = "000001.jpg 0\n000002.jpg 1\r\n000003.jpg 2\n"


def test_a_line_is_a_picture_without_a_label(tmp_path: Path) -> None:
    write(write(tmp_path, LIST, PARTS), "Anno/identity_CelebA.txt", "000001.jpg 2880\n")
    records = read(tmp_path, entry())
    path = "Img/img_align_celeba/img_align_celeba/000001.jpg"
    assert records[0] == Record(LIST, 1, "000001.jpg", path, part="train", subject="2880")
    assert [r.part for r in records] == ["train", "val", "test"]
    assert [r.subject for r in records] == ["2880", "", ""]
    assert {r.word for r in records} == {""}


def test_where_the_files_may_lie(tmp_path: Path) -> None:
    write(tmp_path, "list_eval_partition.txt", PARTS)
    for folder in ("img_celeba", "img_align_celeba", "Img/img_align_celeba"):
        write(tmp_path, f"{folder}/000001.jpg")
        assert read(tmp_path, entry())[0].file_path == f"{folder}/000001.jpg"
    assert read(tmp_path, entry(clips="mine/{clip}"))[1].file_path == "mine/000002.jpg"
    (tmp_path / "list_eval_partition.txt").rename(tmp_path / "parts.txt")
    assert read(tmp_path, entry(table="parts.txt"))[0].table == "parts.txt"
    with pytest.raises(UserError, match=r"list_eval_partition\.txt is not here"):
        read(tmp_path, entry())


def test_damaged_lines_stay_as_rows(tmp_path: Path) -> None:
    write(tmp_path, LIST, "1.jpg 3\n2.jpg x\n3.jpg 0\n4.jpg 0\n")
    write(tmp_path, "identity_CelebA.txt", "3.jpg who\n4.jpg 007\n")
    records = read(tmp_path, entry())
    assert [r.problem for r in records] == [Reason.BAD_VALUE] * 3 + [None]
    assert [r.note for r in records[:3]] == [
        "part 3, of 0 to 2",
        "the part is 'x', not a whole number",
        "the person is 'who', not a whole number",
    ]
    assert [r.subject for r in records] == ["", "", "", "7"]

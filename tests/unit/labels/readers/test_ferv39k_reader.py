"""FERV39k: the official lists without a header, the redistributed ones with codes."""

from pathlib import Path

import pytest

from corpora import entry_of, write
from facewave.errors import UserError
from facewave.labels import cleaning
from facewave.labels.readers.ferv39k import CORPUS, SCENES, read
from facewave.labels.records import Record, frame
from facewave.labels.schema import Reason

WORDS = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
OFFICIAL = "4_setups/All_scenes/{part}_All.csv"
HEADER = "path,id\n"


entry = entry_of("ferv39k")


def official(root: Path, train: str, test: str = "War/Fear/0003 Fear\n") -> list[Record]:
    write(root, OFFICIAL.format(part="train"), train)
    write(root, OFFICIAL.format(part="test"), test)
    return read(root, entry())


def redistributed(root: Path, train: str, test: str = "War/Fear/0003,2\n") -> list[Record]:
    write(root, "train.csv", HEADER + train)
    write(root, "test.csv", HEADER + test)
    return read(root, entry())


def test_the_official_lists_have_no_header(tmp_path: Path) -> None:
    first, second, third = official(tmp_path, "Action/Sad/0010 Sad\r\nSocial/Happy/0002 Happy\r\n")
    assert first == Record(
        "4_setups/All_scenes/train_All.csv",
        1,
        "Action/Sad/0010",
        "2_ClipsforFaceCrop/Action/Sad/0010",
        word="Sad",
        scene="Action",
        part="train",
    )
    assert (second.row, second.word, second.scene, second.part) == (2, "Happy", "Social", "train")
    assert (third.table, third.row) == ("4_setups/All_scenes/test_All.csv", 1)
    assert (third.word, third.scene, third.part) == ("Fear", "War", "test")


def test_redistributed_lists_have_codes(tmp_path: Path) -> None:
    first, _, third = redistributed(tmp_path, "Action/Sad/0010,5\nSocial/Happy/0002,3\n")
    assert first == Record(
        "train.csv",
        2,
        "Action/Sad/0010",
        "2_ClipsforFaceCrop/Action/Sad/0010",
        word="Sad",
        scene="Action",
        part="train",
    )
    assert (third.table, third.row, third.word, third.part) == ("test.csv", 2, "Fear", "test")


def test_the_codes_are_the_words_in_alphabetical_order(tmp_path: Path) -> None:
    lines = [f"Crisis/{word}/0001,{code}\n" for code, word in enumerate(WORDS)]
    records = redistributed(tmp_path, "".join(lines))[:-1]
    assert [(r.word, r.problem) for r in records] == [(word, None) for word in WORDS]
    lines = [f"Crisis/{word}/0001 {word}\n" for word in WORDS]
    assert [r.word for r in official(tmp_path, "".join(lines))[:-1]] == WORDS


def test_a_code_and_a_folder_that_differ_are_a_conflict(tmp_path: Path) -> None:
    record = redistributed(tmp_path, "Action/Sad/0010,3\n")[0]
    assert (record.word, record.problem) == ("", Reason.CONFLICTING_ROWS)
    assert record.note == "the list says Happy, the folder Sad"
    record = official(tmp_path, "Action/Sad/0010 Angry\n")[0]
    assert (record.word, record.problem) == ("", Reason.CONFLICTING_ROWS)
    assert record.note == "the list says Angry, the folder Sad"


def test_what_is_wrong_with_a_line_is_told(tmp_path: Path) -> None:
    for line, reason, note in [
        ("Action/Sad/0010,7", Reason.UNKNOWN_WORD, "'7'"),
        ("Action/Sad/0010,-1", Reason.UNKNOWN_WORD, "'-1'"),
        ("Action/Sad/0010,", Reason.UNKNOWN_WORD, "''"),
        ("Action/Sad/0010,5.1", Reason.UNKNOWN_WORD, "'5.1'"),
        ("Action/Sad/0010,sorry", Reason.UNKNOWN_WORD, "'sorry'"),
        ("Action/Sad,5", Reason.BAD_VALUE, "'Action/Sad' is not Scene/Word/clip"),
        ("Sad/0010,5", Reason.BAD_VALUE, "'Sad/0010' is not Scene/Word/clip"),
        ("Garden/Sad/0010,5", Reason.BAD_VALUE, "'Garden/Sad/0010' is not Scene/Word/clip"),
        ("Action/Sorry/0010,5", Reason.BAD_VALUE, "'Action/Sorry/0010' is not Scene/Word/clip"),
        ("Action/Sad/1/2,5", Reason.BAD_VALUE, "'Action/Sad/1/2' is not Scene/Word/clip"),
        (",5", Reason.BAD_VALUE, "'' is not Scene/Word/clip"),
    ]:
        record = redistributed(tmp_path, f"{line}\nWar/Fear/0001,2\n")[0]
        assert (record.row, record.word, record.problem, record.note) == (2, "", reason, note)


def test_a_clip_in_both_lists_counts_in_neither(tmp_path: Path) -> None:
    records = official(
        tmp_path, "Action/Sad/0010 Sad\nAction/Sad/0011 Sad\n", "Action/Sad/0010 Sad\n"
    )
    assert [r.part for r in records] == ["train", "train", "test"]
    facts = {r.file_path: cleaning.FileFact(exists=True) for r in records}
    words = CORPUS.track("").words
    table = cleaning.clean(frame(records), facts, cleaning.Rules(words=words))
    assert table["excluded"].tolist() == [Reason.IN_TWO_PARTS, "", Reason.IN_TWO_PARTS]


def test_both_lists_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"4_setups/All_scenes/train_All\.csv is not here"):
        read(tmp_path, entry())
    write(tmp_path, "train.csv", HEADER + "Action/Sad/0010,5\n")
    with pytest.raises(UserError, match=r"test\.csv is not here"):
        read(tmp_path, entry())
    write(tmp_path, "train.csv", "Action/Sad/0010,5\n")  # without its header
    with pytest.raises(UserError, match=r"train\.csv, row 1: 'Action/Sad/0010,5' has not"):
        read(tmp_path, entry())
    write(tmp_path, "train_All.csv", "Action/Sad/0010 Sad\n")
    write(tmp_path, "test_All.csv", "Action/Sad/0011 Sad\n")
    records = read(tmp_path, entry(clips="faces/{clip}"))
    assert [r.table for r in records] == ["train_All.csv", "test_All.csv"]
    assert records[0].file_path == "faces/Action/Sad/0010"


def test_published_counts() -> None:
    published = CORPUS.track("").published
    assert (published["train"], published["test"]) == (31088, 7847)
    assert published["clips"] == 31088 + 7847
    assert list(CORPUS.track("").words) == WORDS
    assert len(set(SCENES)) == published["scenes"] == 22

"""FERV39k: the official lists without a header, the redistributed ones with codes."""

from pathlib import Path
from typing import Any

import pytest

from facewave.errors import UserError
from facewave.labels import cleaning
from facewave.labels.readers.ferv39k import CORPUS, SCENES, read
from facewave.labels.records import Record, frame
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
OFFICIAL = "4_setups/All_scenes/{part}_All.csv"
HEADER = "path,id\n"


def entry(**keys: Any) -> Dataset:
    return Dataset(reader="ferv39k", root=".", about="a test", **keys)


def write(root: Path, path: str, content: str | bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


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
        table="4_setups/All_scenes/train_All.csv",
        row=1,
        video_idx="Action/Sad/0010",
        file_path="2_ClipsforFaceCrop/Action/Sad/0010",
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
        table="train.csv",
        row=2,
        video_idx="Action/Sad/0010",
        file_path="2_ClipsforFaceCrop/Action/Sad/0010",
        word="Sad",
        scene="Action",
        part="train",
    )
    assert (third.table, third.row, third.word, third.part) == ("test.csv", 2, "Fear", "test")


@pytest.mark.parametrize(("code", "word"), list(enumerate(WORDS)))
def test_the_codes_are_the_words_in_alphabetical_order(
    tmp_path: Path, code: int, word: str
) -> None:
    record = redistributed(tmp_path, f"Crisis/{word}/0001,{code}\n")[0]
    assert (record.word, record.problem) == (word, None)
    assert official(tmp_path, f"Crisis/{word}/0001 {word}\n")[0].word == word


def test_official_lists_may_lie_at_the_top(tmp_path: Path) -> None:
    write(tmp_path, "train_All.csv", "Action/Sad/0010 Sad\n")
    write(tmp_path, "test_All.csv", "Action/Sad/0011 Sad\n")
    assert [r.table for r in read(tmp_path, entry())] == ["train_All.csv", "test_All.csv"]


def test_a_code_and_a_folder_that_differ_are_a_conflict(tmp_path: Path) -> None:
    record = redistributed(tmp_path, "Action/Sad/0010,3\n")[0]
    assert (record.word, record.problem) == ("", Reason.CONFLICTING_ROWS)
    assert record.note == "the list says Happy, the folder Sad"
    record = official(tmp_path, "Action/Sad/0010 Angry\n")[0]
    assert (record.word, record.problem) == ("", Reason.CONFLICTING_ROWS)
    assert record.note == "the list says Angry, the folder Sad"


def test_codes_of_another_order_do_not_pass(tmp_path: Path) -> None:
    """As one repository has them: Happy 0, Sad 1, Neutral 2, Angry 3, Surprise 4, Disgust 5."""
    order = ["Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear"]
    lines = "".join(f"Action/{word}/0001,{code}\n" for code, word in enumerate(order))
    records = redistributed(tmp_path, lines)[:-1]
    assert [r.problem for r in records] == [Reason.CONFLICTING_ROWS] * 7


def test_what_is_wrong_with_a_line_is_told(tmp_path: Path) -> None:
    for line, reason, note in [
        ("Action/Sad/0010,7", Reason.UNKNOWN_WORD, "'7'"),
        ("Action/Sad/0010,-1", Reason.UNKNOWN_WORD, "'-1'"),
        ("Action/Sad/0010,", Reason.UNKNOWN_WORD, "''"),
        ("Action/Sad/0010,5.0", Reason.UNKNOWN_WORD, "'5.0'"),
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


def test_a_redistributed_list_without_its_header_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", "Action/Sad/0010,5\n")
    write(tmp_path, "test.csv", "Action/Sad/0011,5\n")
    with pytest.raises(UserError, match=r"train\.csv, row 1: 'Action/Sad/0010,5' has not"):
        read(tmp_path, entry())


def test_both_lists_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"4_setups/All_scenes/train_All\.csv is not here"):
        read(tmp_path, entry())
    write(tmp_path, "train.csv", HEADER + "Action/Sad/0010,5\n")
    with pytest.raises(UserError, match=r"test\.csv is not here"):
        read(tmp_path, entry())


def test_the_clips_may_lie_elsewhere(tmp_path: Path) -> None:
    redistributed(tmp_path, "Action/Sad/0010,5\n")
    assert read(tmp_path, entry(clips="faces/{clip}"))[0].file_path == "faces/Action/Sad/0010"


def test_there_are_22_scenes() -> None:
    assert len(set(SCENES)) == CORPUS.track("").published["scenes"] == 22


def test_published_counts() -> None:
    published = CORPUS.track("").published
    assert (published["train"], published["test"]) == (31088, 7847)
    assert published["clips"] == 31088 + 7847
    assert list(CORPUS.track("").words) == WORDS

"""RAF-DB: two halves whose lists have one name and other codes."""

from pathlib import Path

import pytest

from corpora import entry_of, write
from facewave.errors import UserError
from facewave.labels.readers.raf_db import CORPUS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

LIST = "EmoLabel/list_patition_label.txt"
BASIC = "train_00001.jpg 5\ntrain_00002.jpg 7\ntest_0001.jpg 4\n"
COMPOUND = "train_0001.jpg 8\ntrain_0002.jpg 1\ntest_0001.jpg 11\n"


entry = entry_of("raf_db")


def test_a_line_is_a_picture(tmp_path: Path) -> None:
    records = read(write(tmp_path, LIST, BASIC), entry())
    assert records[0] == Record(
        LIST,
        1,
        "train_00001",
        "Image/aligned/train_00001_aligned.jpg",
        word="Sadness",
        part="train",
    )
    assert [r.word for r in records] == ["Sadness", "Neutral", "Happiness"]
    assert [r.part for r in records] == ["train", "train", "test"]
    assert [r.row for r in records] == [1, 2, 3]


def test_the_codes_are_the_words_in_their_order(tmp_path: Path) -> None:
    basic = ["Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"]
    compound = [
        "Happily Surprised", "Happily Disgusted", "Sadly Fearful", "Sadly Angry",
        "Sadly Surprised", "Sadly Disgusted", "Fearfully Angry", "Fearfully Surprised",
        "Angrily Surprised", "Angrily Disgusted", "Disgustedly Surprised",
    ]  # fmt: skip
    for track, words in (("basic", basic), ("compound", compound)):
        lines = "".join(f"train_{i:05d}.jpg {i}\r\n" for i in range(1, len(words) + 1))
        records = read(write(tmp_path, LIST, lines), entry(track=track))
        assert [r.word for r in records] == words
        assert [r.compound for r in records] == [w if track == "compound" else "" for w in words]
    write(tmp_path, LIST, "".join(f"train_0000{k}.jpg {k}\n" for k in range(7)))
    with pytest.raises(UserError, match=r"list_patition_label\.txt: .* seem to count from 0"):
        read(tmp_path, entry())


def test_both_halves_side_by_side(tmp_path: Path) -> None:
    write(write(tmp_path, f"basic/{LIST}", BASIC), f"compound/{LIST}", COMPOUND)
    (basic, *_), (compound, *_) = read(tmp_path, entry()), read(tmp_path, entry(track="compound"))
    assert (basic.word, basic.table, basic.compound) == ("Sadness", f"basic/{LIST}", "")
    assert basic.file_path == "basic/Image/aligned/train_00001_aligned.jpg"
    assert (compound.word, compound.table) == ("Fearfully Surprised", f"compound/{LIST}")
    assert compound.compound == "Fearfully Surprised"
    assert compound.file_path == "compound/Image/aligned/train_0001_aligned.jpg"
    (tmp_path / "basic/Image/original").mkdir(parents=True)
    assert read(tmp_path, entry())[0].file_path == "basic/Image/original/train_00001.jpg"
    records = read(tmp_path, entry(clips="faces/{clip}.png"))
    assert records[0].file_path == "faces/train_00001.png"
    assert CORPUS.track("").published == {"train": 12271, "test": 3068}


def test_the_other_half_is_refused(tmp_path: Path) -> None:
    for path, content, track, told in [
        (LIST, COMPOUND, "basic", "row 1 has a code above 7"),
        (LIST, BASIC, "compound", "no code is above 7"),
        (f"compound/{LIST}", "train_0001.jpg 1\n", "basic", "it lies in compound/"),
        (f"basic/{LIST}", COMPOUND, "compound", "it lies in basic/"),
    ]:
        write(tmp_path, path, content)
        with pytest.raises(UserError, match=r"list_patition_label\.txt is the list of") as caught:
            read(tmp_path, entry(track=track, table=path))
        assert told in str(caught.value)


def test_damaged_lines_stay_as_rows(tmp_path: Path) -> None:
    content = (
        "train_1.jpg 1\ntrain_2.jpg x\ntrain_3.jpg 0\ntrain_4.jpg 12\n5.jpg 1\ntest_6.jpg 1 2\n"
        "train_7.jpg 7\n"
    )
    records = read(write(tmp_path, LIST, content), entry())
    assert [r.word for r in records] == ["Surprise", "", "", "", "", "", "Neutral"]
    assert [r.problem for r in records] == [
        None, Reason.BAD_VALUE, Reason.UNKNOWN_WORD, Reason.UNKNOWN_WORD, Reason.BAD_VALUE,
        Reason.BAD_VALUE, None,
    ]  # fmt: skip
    assert records[3].note == "code 12, of 1 to 7"
    assert (records[4].video_idx, records[4].part, records[4].file_path) == ("5.jpg", "", "")

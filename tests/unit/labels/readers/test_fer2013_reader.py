"""FER2013's pixels and FER+'s votes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from corpora import entry_of
from facewave.labels.readers.fer2013 import CORPUS, FERPLUS, WORDS, read, unpack
from facewave.labels.records import Record
from facewave.labels.schema import Reason

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (3, 48, 48), np.uint8)
PIXELS = [" ".join(map(str, picture.ravel())) for picture in PICTURES]
NO_NUMBER = "happiness is 'x', not a whole number"
GREY = " ".join(["7"] * 2304)
HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


entry = entry_of("fer2013")


def write(root: Path, *rows: str, name: str = "fer2013.csv", header: str = "") -> Path:
    (root / name).write_text("\r\n".join((header or "emotion,pixels,Usage", *rows)) + "\r\n")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    usages = ("Training", "PublicTest", "PrivateTest")
    rows = [f"{i},{PIXELS[i]},{usage}" for i, usage in enumerate(usages)]
    return write(tmp_path, *rows)


def votes(root: Path, *rows: str) -> list[Record]:
    return read(write(root, *rows, name="fer2013new.csv", header=HEADER), entry(track="ferplus"))


def test_a_row_is_a_picture(root: Path) -> None:
    records = read(root, entry())
    assert records[0] == Record(
        "fer2013.csv", 2, "fer0000000", "FER2013Train/fer0000000.png", word="Angry", part="train"
    )
    assert [r.word for r in records] == ["Angry", "Disgust", "Fear"]
    assert [r.part for r in records] == ["train", "val", "test"]
    assert [r.file_path for r in records] == [
        "FER2013Train/fer0000000.png",
        "FER2013Valid/fer0000001.png",
        "FER2013Test/fer0000002.png",
    ]
    (root / "fer2013.csv").rename(root / "all.csv")
    records = read(root, entry(table="all.csv", clips="faces/{name}"))
    assert (records[1].table, records[1].file_path) == ("all.csv", "faces/fer0000001.png")
    write(root, *(f"{i},{GREY},Training" for i in range(7)))
    assert [r.word for r in read(root, entry())] == [
        "Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral",
    ]  # fmt: skip


def test_the_other_table_has_blanks_and_another_order(tmp_path: Path) -> None:
    name, header = "icml_face_data.csv", "emotion, Usage, pixels"
    write(tmp_path, f"3,PrivateTest,{GREY}", name=name, header=header)
    (record,) = read(tmp_path, entry())
    assert (record.table, record.word, record.part) == (name, "Happy", "test")
    assert unpack(tmp_path) == 1
    found = cv2.imread(str(tmp_path / record.file_path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, np.full((48, 48), 7, np.uint8))


def test_damaged_rows_keep_their_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        f"7,{GREY},Training",
        f"x,{GREY},Training",
        f"0,{GREY[:-2]},Training",
        f"0,{GREY[:-1]}x,Training",
        f"0,{GREY[:-1]}256,Training",
        f"0,{GREY[:-1]}-1,Training",
        f"0,{GREY},Test",
        ",,",
        f"6,{GREY},Training",
    )
    records = read(tmp_path, entry())
    assert [r.problem for r in records] == [
        Reason.UNKNOWN_WORD, *[Reason.BAD_VALUE] * 6, None, None,
    ]  # fmt: skip
    assert [r.word for r in records] == [""] * 8 + ["Neutral"]
    assert records[0].note == "emotion 7, of 0 to 6"
    assert records[2].note == "it has 2303 pixels, not 2304"
    assert (records[6].file_path, records[6].part) == ("", "")
    assert (records[7].video_idx, records[8].video_idx) == ("", "fer0000008")
    assert unpack(tmp_path) == 3
    names = sorted(path.stem[-1] for path in tmp_path.rglob("*.png"))
    assert names == ["0", "1", "8"]  # with pixels


def test_votes(tmp_path: Path) -> None:
    records = votes(
        tmp_path,
        "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
        "PublicTest,fer0000001.png,0,0,0,0,0,0,0,9,1,0",
    )
    assert records[0] == Record(
        "fer2013new.csv",
        2,
        "fer0000000",
        "FER2013Train/fer0000000.png",
        word="neutral",
        votes={
            "neutral": 4, "happiness": 0, "surprise": 0, "sadness": 1,
            "anger": 3, "disgust": 2, "fear": 0, "contempt": 0,
        },
        part="train",
    )  # fmt: skip
    assert (records[1].word, records[1].part) == ("contempt", "val")
    assert records[1].file_path == "FER2013Valid/fer0000001.png"
    assert records[1].votes == dict.fromkeys(FERPLUS, 0) | {"contempt": 9}


def test_each_column_is_its_word(tmp_path: Path) -> None:
    for column, word in list(enumerate(FERPLUS)):
        counts = ",".join("10" if i == column else "0" for i in range(10))
        assert votes(tmp_path, f"Training,fer0000000.png,{counts}")[0].word == word


def test_votes_for_no_emotion(tmp_path: Path) -> None:
    cases: list[tuple[str, Reason | None, str]] = [
        ("fer0000000.png,2,0,0,0,0,0,0,0,8,0", Reason.MARKED_INVALID, "unknown"),
        ("fer0000000.png,0,0,0,0,0,0,0,0,1,9", Reason.MARKED_INVALID, "NF"),
        (",0,10,0,0,0,0,0,0,0,0", Reason.MARKED_INVALID, "no image name"),
        (",0,0,0,0,0,0,0,0,0,10", Reason.MARKED_INVALID, "no image name"),
        ("fer0000000.png,5,5,0,0,0,0,0,0,0,0", None, ""),
        ("fer0000000.png,5,0,0,0,0,0,0,0,5,0", None, ""),
        ("fer0000000.png,5,x,0,0,0,0,0,0,0,0", Reason.BAD_VALUE, NO_NUMBER),
        ("fer0000000.png,5,-1,0,0,0,0,0,0,0,0", Reason.BAD_VALUE, "happiness is '-1', below 0"),
    ]
    for row, reason, note in cases:
        (record,) = votes(tmp_path, f"PrivateTest,{row}")
        assert (record.video_idx, record.word, record.part) == ("fer0000000", "", "test")
        assert (record.problem, record.note) == (reason, note)
    (record,) = votes(tmp_path, "," * 11)
    assert (record.video_idx, record.row, record.problem) == ("", 2, None)


def test_pictures_come_back_pixel_by_pixel(root: Path) -> None:
    assert unpack(root) == 3
    for record, picture in zip(read(root, entry()), PICTURES, strict=True):
        found = cv2.imread(str(root / record.file_path), cv2.IMREAD_UNCHANGED)
        assert found is not None
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, picture)


def test_pictures_that_are_there_are_left_alone(root: Path) -> None:
    (root / "FER2013Valid").mkdir()
    (root / "FER2013Valid/fer0000001.png").write_bytes(b"mine")
    assert unpack(root) == 2
    assert (root / "FER2013Valid/fer0000001.png").read_bytes() == b"mine"
    assert unpack(root) == 0
    assert len(list(root.glob("*/*"))) == 3


def test_published_counts() -> None:
    published = CORPUS.track("").published
    assert published["clips"] == published["train"] + published["val"] + published["test"] == 35887
    assert CORPUS.track("").words == WORDS
    assert CORPUS.track("ferplus").words == FERPLUS

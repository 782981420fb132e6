"""AffectNet: numbers in .npy files, often as text, and the older lists."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.affectnet import WORDS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
HEADER += "expression,valence,arousal"


entry = entry_of("affectnet")


def write(root: Path, name: str, exp: Any, val: Any = "0.5", aro: Any = "-0.25") -> None:
    folder, _, clip = name.partition("/")
    (root / folder / "annotations").mkdir(parents=True, exist_ok=True)
    for kind, value in (("exp", exp), ("val", val), ("aro", aro), ("lnd", np.zeros(136))):
        np.save(root / folder / "annotations" / f"{clip}_{kind}.npy", np.array(value))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "train_set/10", "1")
    write(tmp_path, "train_set/9", "7")
    write(tmp_path, "val_set/9", "0")
    return tmp_path


def lists(root: Path, *rows: str) -> Path:
    folder = root / "Manually_Annotated_file_lists"
    folder.mkdir()
    (folder / "training.csv").write_text("\r\n".join((HEADER, *rows)) + "\r\n")
    (folder / "validation.csv").write_text(f"{HEADER}\n12/b.jpg,1,2,3,4,5.1;6.2,5,-0.5,0.5\n")
    return root


def test_each_exp_file_is_a_record(root: Path) -> None:
    records = read(root, entry())
    assert records[0] == Record(
        "train_set/annotations/10_exp.npy",
        0,
        "train_set/10",
        "train_set/images/10.jpg",
        word="Happiness",
        part="train",
        valence=0.5,
        arousal=-0.25,
        valence_raw=0.5,
        arousal_raw=-0.25,
    )
    assert [r.video_idx for r in records] == ["train_set/10", "train_set/9", "val_set/9"]
    assert [r.word for r in records] == ["Happiness", "Contempt", "Neutral"]
    assert [r.part for r in records] == ["train", "train", "test"]
    (root / "val_set/annotations/._9_exp.npy").write_bytes(b"x")  # a leftover of another system
    records = read(root, entry(clips="faces/{set}/{id}.png"))
    assert [r.file_path for r in records] == [
        "faces/train_set/10.png", "faces/train_set/9.png", "faces/val_set/9.png",
    ]  # fmt: skip


def test_the_codes_are_the_words_in_their_order(root: Path) -> None:
    for number in range(8):
        write(root, f"train_set/c{number}", np.int64(number))
    found = [r.word for r in read(root, entry()) if "/c" in r.video_idx]
    assert found == [
        "Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt",
    ]  # fmt: skip
    assert found == list(WORDS)


def test_codes_that_are_no_emotion(root: Path) -> None:
    for number, reason, note in [
        ("8", Reason.MARKED_INVALID, "None"),
        ("9", Reason.MARKED_INVALID, "Uncertain"),
        ("10", Reason.MARKED_INVALID, "No-Face"),
        ("11", Reason.UNKNOWN_WORD, "expression 11, of 0 to 10"),
        ("-1", Reason.UNKNOWN_WORD, "expression -1, of 0 to 10"),
        ("1.5", Reason.UNKNOWN_WORD, "expression 1.5, of 0 to 10"),
    ]:
        write(root, "val_set/9", number, "-2", "-2")
        record = read(root, entry())[-1]
        assert (record.word, record.problem, record.note) == ("", reason, note)
        assert record.valence is record.arousal is record.valence_raw is record.arousal_raw is None
    write(root, "val_set/9", "6", -2.0, 0.75)  # -2 marks a missing number; the word stays
    record = read(root, entry())[-1]
    assert (record.word, record.problem) == ("Anger", None)
    assert (record.valence, record.valence_raw) == (None, None)
    assert (record.arousal, record.arousal_raw) == (0.75, 0.75)


def npy(value: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array(value), allow_pickle=True)
    return content.getvalue()


def test_a_damaged_file_spoils_its_row_alone(root: Path) -> None:
    archive = io.BytesIO()
    np.savez(archive, x=np.array(1.0))
    values: list[Any] = ["happy", "nan", [1, 2], np.array(0.5, object)]
    pickle = b"\x80\x04}."
    damaged = [b"", b"no numpy", b"PK\x03\x04", pickle, archive.getvalue(), *map(npy, values)]
    for kind in ("exp", "val", "aro"):
        path = root / f"val_set/annotations/9_{kind}.npy"
        sound = path.read_bytes()
        for content in damaged:
            path.write_bytes(content)
            records = read(root, entry())
            assert [r.problem for r in records] == [None, None, Reason.BAD_VALUE]
            assert (records[2].word, records[2].valence) == ("", None)
            assert f"9_{kind}.npy" in records[2].note
        # Python 2 wrote long integers into its headers.
        number = np.load(io.BytesIO(sound)).item()
        path.write_bytes(npy([number]).replace(b"(1,), }  ", b"(1L,), } "))
        assert read(root, entry())[2].problem is None
        path.write_bytes(sound)
    path.unlink()
    assert read(root, entry())[-1].problem == Reason.BAD_VALUE


def test_both_sets_are_needed(root: Path) -> None:
    for name in ("val_set", "train_set"):
        (root / name).rename(root / f"{name} elsewhere")
        with pytest.raises(UserError, match=f"{name}/annotations"):
            read(root, entry())


def test_the_older_lists(tmp_path: Path) -> None:
    rows = (
        "689/a.jpg,1,2,3,4,5.1;6.2,1,0.785714,-0.055556",
        "1/c.jpg,1,2,3,4,5.1;6.2,9,-2,-2",
        "1/d.jpg,1,2,3,4,5.1;6.2,4,-2,0.5",
        "1/e.jpg,1,2,3,4,5.1;6.2,x,0,0",
        ",1,2,3,4,5.1;6.2,1,0,0",
        ",,,,,,,,",
    )
    records = read(lists(tmp_path, *rows), entry(track="list"))
    assert records[0] == Record(
        "Manually_Annotated_file_lists/training.csv",
        2,
        "689/a.jpg",
        "Manually_Annotated_Images/689/a.jpg",
        word="Happiness",
        part="train",
        valence=0.785714,
        arousal=-0.055556,
        valence_raw=0.785714,
        arousal_raw=-0.055556,
    )
    assert [r.word for r in records] == ["Happiness", "", "Fear", "", "", "", "Disgust"]
    assert [r.problem for r in records] == [
        None, Reason.MARKED_INVALID, None, Reason.BAD_VALUE, Reason.BAD_VALUE, None, None,
    ]  # fmt: skip
    assert (records[2].valence, records[2].arousal) == (None, 0.5)
    assert (records[5].video_idx, records[5].row) == ("", 7)  # empty
    assert (records[6].part, records[6].row) == ("test", 2)
    assert records[6].table == "Manually_Annotated_file_lists/validation.csv"
    pictures = "Manually_Annotated/Manually_Annotated_Images"
    (tmp_path / pictures).mkdir(parents=True)
    assert read(tmp_path, entry(track="list"))[0].file_path == f"{pictures}/689/a.jpg"


def test_the_older_lists_are_needed_whole(tmp_path: Path) -> None:
    lists(tmp_path, "1/a.jpg,1,2,3,4,5,1,0,0")
    path = tmp_path / "Manually_Annotated_file_lists/validation.csv"
    path.write_text("file,expression\n1/a.jpg,1\n")
    with pytest.raises(UserError, match=r"validation\.csv: column 'subDirectory_filePath'"):
        read(tmp_path, entry(track="list"))
    path.unlink()
    with pytest.raises(UserError, match=r"validation\.csv is not here"):
        read(tmp_path, entry(track="list"))

"""RAVDESS: clips whose names are their labels."""

from pathlib import Path

import pytest

from facewave.errors import UserError
from facewave.labels.readers.ravdess import CORPUS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

ENTRY = Dataset(reader="ravdess", root=".", about="a test")


def put(root: Path, *paths: str) -> list[Record]:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return read(root, ENTRY)


def test_a_name_is_a_record(tmp_path: Path) -> None:
    path = "Video_Speech_Actor_12/Actor_12/01-01-06-01-02-01-12.mp4"
    assert put(tmp_path, path) == [
        Record(
            "",
            0,
            "01-01-06-01-02-01-12",
            path,
            word="fearful",
            subject="12",
            scene="speech",
            transcript="Dogs are sitting by the door",
            about={
                "intensity": "normal",
                "sex": "female",
                "statement": "Dogs are sitting by the door",
            },
        )
    ]


def test_each_code_is_its_word(tmp_path: Path) -> None:
    words = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
    for code, word in enumerate(words, start=1):
        root = tmp_path / word
        (record,) = put(root, f"Actor_01/01-02-{code:02d}-01-01-02-01.mp4")
        assert (record.word, record.problem) == (word, None)
        assert (record.scene, record.subject) == ("song", "01")
        assert record.about is not None
        assert record.about["sex"] == "male"
        assert record.transcript == "Kids are talking by the door"
    for emotion in ("00", "09"):
        (record,) = put(tmp_path / emotion, f"Actor_01/01-01-{emotion}-01-01-01-01.mp4")
        assert (record.word, record.problem) == ("", Reason.UNKNOWN_WORD)
        assert record.note == f"emotion {emotion}, of 01 to 08"


def test_the_same_performance_counts_once(tmp_path: Path) -> None:
    """Wherever its twin was unpacked; a 02 without one is taken, and sound is no twin."""
    first, second, alone, fourth = put(
        tmp_path,
        "Actor_01/01-01-03-01-01-01-01.mp4",
        "Actor_01/02-01-03-01-01-01-01.mp4",
        "Actor_01/02-01-04-01-01-01-01.mp4",
        "Video_Speech_Actor_02/Actor_02/02-01-05-01-01-01-02.mp4",
    )
    assert (first.word, first.problem) == ("happy", None)
    assert (second.word, second.problem) == ("", Reason.PUBLISHED_TWICE)
    assert second.note == "the same pictures as 01-01-03-01-01-01-01"
    assert (second.video_idx, second.subject) == ("02-01-03-01-01-01-01", "01")
    assert (alone.word, alone.problem) == ("sad", None)
    assert (fourth.word, fourth.problem) == ("angry", None)
    records = put(tmp_path, "more/01-01-05-01-01-01-02.mp4", "more/01-01-04-01-01-01-01.wav")
    problems = {record.video_idx: record.problem for record in records}
    assert problems["02-01-05-01-01-01-02"] == Reason.PUBLISHED_TWICE
    assert problems["02-01-04-01-01-01-01"] is None
    assert problems["01-01-04-01-01-01-01"] == Reason.NO_PICTURE


def test_sound_alone_has_no_picture(tmp_path: Path) -> None:
    records = put(
        tmp_path, "Actor_01/03-01-03-01-01-01-01.wav", "Actor_01/03-01-03-01-02-01-01.mp4"
    )
    assert [(r.word, r.problem, r.note) for r in records] == [
        ("", Reason.NO_PICTURE, "sound alone")
    ] * 2


def test_a_strange_name_is_a_bad_value(tmp_path: Path) -> None:
    for name in (
        "holiday", "01-01-03-01-01-01", "04-01-03-01-01-01-01", "01-03-03-01-01-01-01",
        "01-01-03-01-03-01-01", "01-01-03-01-01-01-01 (1)",
    ):  # fmt: skip
        (record,) = put(tmp_path / name, f"Actor_01/{name}.mp4")
        assert (record.word, record.problem) == ("", Reason.BAD_VALUE)
        assert record.file_path == f"Actor_01/{name}.mp4"
        assert repr(name) in record.note


def test_other_files_are_no_clips_and_the_order_is_that_of_names(tmp_path: Path) -> None:
    records = put(
        tmp_path,
        "b/01-01-03-01-01-01-02.mp4",
        "a/01-01-03-01-01-02-01.MP4",
        "a/01-01-03-01-01-01-01.mp4",
        "a/._01-01-03-01-01-01-01.mp4",
        "a/01-01-03-01-01-01-01.csv",
    )
    assert [record.file_path for record in records] == [
        "a/01-01-03-01-01-01-01.mp4",
        "a/01-01-03-01-01-02-01.MP4",
        "b/01-01-03-01-01-01-02.mp4",
    ]


def test_no_clips_is_an_error_with_advice(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match="Unpack the archives") as caught:
            read(root, ENTRY)
        assert str(root) in str(caught.value)


def test_there_are_24_actors() -> None:
    assert CORPUS.track("").published == {"subjects": 24}

"""MEAD: clips whose folders are their labels."""

from pathlib import Path

import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.mead import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

entry = entry_of("mead")


def put(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def test_a_path_is_a_record(tmp_path: Path) -> None:
    put(
        tmp_path, "M003/video/left_30/disgusted/level_2/001.mp4", "M003/audio/angry/level_1/001.m4a"
    )
    assert read(tmp_path, entry()) == [
        Record(
            "",
            0,
            "M003/video/left_30/disgusted/level_2/001",
            "M003/video/left_30/disgusted/level_2/001.mp4",
            word="disgusted",
            subject="M003",
            scene="left_30",
            about={"level": "2", "sex": "male"},
        )
    ]


def test_each_folder_is_its_word(tmp_path: Path) -> None:
    words = ["angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised"]
    put(tmp_path, *(f"W009/video/front/{word}/level_1/030.mp4" for word in reversed(words)))
    put(tmp_path, "W010/video/front/anger/level_1/001.mp4")
    *records, unknown = read(tmp_path, entry())
    assert [(r.word, r.subject, r.problem) for r in records] == [(w, "W009", None) for w in words]
    assert (unknown.word, unknown.problem, unknown.note) == ("", Reason.UNKNOWN_WORD, "'anger'")


def test_all_views_unless_some_are_chosen(tmp_path: Path) -> None:
    put(
        tmp_path,
        "W011/video/top/sad/level_3/002.mp4",
        "M003/video/front/sad/level_3/002.mp4",
        "M003/video/down/sad/level_3/002.mp4",
        "M003/video/front/sad/level_3/._002.mp4",
    )
    assert [(r.subject, r.scene) for r in read(tmp_path, entry())] == [
        ("M003", "down"),
        ("M003", "front"),
        ("W011", "top"),
    ]
    (record,) = read(tmp_path, entry(clips="*/video/front/*/*/*.mp4"))
    assert (record.subject, record.scene) == ("M003", "front")


def test_a_glob_may_reach_deeper(tmp_path: Path) -> None:
    path = "Part0/M003/video/front/happy/level_1/010.mp4"
    (record,) = read(put(tmp_path, path), entry(clips="*/*/video/*/*/*/*.mp4"))
    assert (record.word, record.subject, record.file_path) == ("happy", "M003", path)


def test_a_strange_path_is_a_bad_value(tmp_path: Path) -> None:
    for name in ("X003/level_1/001", "M003/level_9/001", "M003/level_1/001 (1)"):
        path = f"{name.replace('/', '/video/front/sad/', 1)}.mp4"
        (record,) = read(put(tmp_path / name, path), entry())
        assert (record.word, record.problem, record.file_path) == ("", Reason.BAD_VALUE, path)
        assert repr(path) in record.note


def test_no_clips_is_an_error_with_advice(tmp_path: Path) -> None:
    put(tmp_path, "M003/video.tar")
    with pytest.raises(UserError, match="video archive") as caught:
        read(tmp_path, entry())
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(UserError, match=r"no clips \*/video/frontal/"):
        read(tmp_path, entry(clips="*/video/frontal/*/*/*.mp4"))


def test_a_glob_that_is_none(tmp_path: Path) -> None:
    for clips in ["/data/*.mp4", "../*.mp4"]:
        with pytest.raises(UserError, match=r"params\.yaml: clips is .*no glob"):
            read(tmp_path, entry(clips=clips))

"""CelebV-HQ: emotions of whole clips, or of segments."""

import json
from pathlib import Path
from typing import Any

import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.celebv_hq import WORDS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

SEGMENTS = [
    {"emotion": "neutral", "start_sec": 0, "end_sec": 0.28},
    {"emotion": "happy", "start_sec": 1.28, "end_sec": 3.28},
]


entry = entry_of("celebv_hq")


def clip(emotion: Any, source: Any = "M2Ohb0FAaJU") -> dict[str, Any]:
    return {
        "ytb_id": source,
        "duration": {"start_sec": 81.62, "end_sec": 86.17},
        "bbox": {"top": 0.0, "bottom": 0.8815, "left": 0.1964, "right": 0.6922},
        "attributes": {"appearance": [0, 1], "action": [0, 1], "emotion": emotion},
        "version": "v0.1",
    }


def write(root: Path, clips: Any) -> Path:
    content = {"meta_info": {"appearance_mapping": ["blurry"]}, "clips": clips}
    (root / "celebvhq_info.json").write_text(json.dumps(content))
    return root


def one(root: Path, emotion: Any) -> list[Record]:
    return read(write(root, {"a_0": clip(emotion)}), entry())


def test_a_clip_with_one_emotion(tmp_path: Path) -> None:
    clips = {
        "_x-1_0": clip({"sep_flag": False, "labels": "neutral"}, "_x-1"),
        "M2Ohb0FAaJU_1": clip({"sep_flag": False, "labels": ["sadness"]}),
    }
    records = read(write(tmp_path, clips), entry())
    assert records[0] == Record(
        "celebvhq_info.json", 0, "_x-1_0", "processed/_x-1_0.mp4", word="neutral", source="_x-1"
    )
    assert (records[1].word, records[1].source) == ("sadness", "M2Ohb0FAaJU")


def test_a_clip_with_segments(tmp_path: Path) -> None:
    records = one(tmp_path, {"sep_flag": True, "labels": SEGMENTS})
    assert records[1] == Record(
        "celebvhq_info.json",
        0,
        "a_0@1.28",
        "processed/a_0.mp4",
        word="happy",
        source="M2Ohb0FAaJU",
        start=1.28,
        end=3.28,
    )
    assert [r.video_idx for r in records] == ["a_0@0", "a_0@1.28"]
    assert (records[0].start, records[0].end, records[0].word) == (0.0, 0.28, "neutral")


def test_every_word(tmp_path: Path) -> None:
    for word in WORDS:
        (record,) = one(tmp_path, {"sep_flag": False, "labels": word})
        assert (record.word, record.problem) == (word, None)


def test_clips_where_they_are(tmp_path: Path) -> None:
    for folder in ("downloaded_celebvhq/processed", "35666"):
        (tmp_path / folder).mkdir(parents=True)
        (record,) = one(tmp_path, {"sep_flag": False, "labels": "fear"})
        assert record.file_path == f"{folder}/a_0.mp4"
        (tmp_path / folder).rename(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").rmdir()
    (tmp_path / "celebvhq_info.json").rename(tmp_path / "info.json")
    (record,) = read(tmp_path, entry(table="info.json", clips="v/{clip}.avi"))
    assert (record.table, record.file_path) == ("info.json", "v/a_0.avi")


def test_a_damaged_clip_is_one_row_with_a_reason(tmp_path: Path) -> None:
    cases: list[tuple[Any, Reason]] = [
        ({"sep_flag": False, "labels": "bored"}, Reason.UNKNOWN_WORD),
        ({"sep_flag": False, "labels": SEGMENTS}, Reason.BAD_VALUE),
        ({"sep_flag": False, "labels": ["happy", "fear"]}, Reason.BAD_VALUE),
        ({"sep_flag": False, "labels": []}, Reason.BAD_VALUE),
        ({"sep_flag": False, "labels": " "}, Reason.BAD_VALUE),
        ({"sep_flag": True, "labels": "happy"}, Reason.BAD_VALUE),
        ({"sep_flag": True, "labels": []}, Reason.BAD_VALUE),
        ({"sep_flag": 1, "labels": SEGMENTS}, Reason.BAD_VALUE),
        ({"labels": "happy"}, Reason.BAD_VALUE),
        ({"sep_flag": False}, Reason.BAD_VALUE),
        (None, Reason.BAD_VALUE),
        ("happy", Reason.BAD_VALUE),
    ]
    for emotion, reason in cases:
        (record,) = one(tmp_path, emotion)
        assert (record.video_idx, record.word, record.problem) == ("a_0", "", reason)
        assert (record.source, record.file_path) == ("M2Ohb0FAaJU", "processed/a_0.mp4")
        assert record.note


def test_another_file_stops(tmp_path: Path) -> None:
    for content in ["", "{", "[]", "{}", '{"clips": []}', '{"clips": {}}']:
        (tmp_path / "celebvhq_info.json").write_text(content)
        with pytest.raises(UserError, match=r"celebvhq_info\.json"):
            read(tmp_path, entry())
    cases: list[Any] = [{}, {"ytb_id": "x"}, {"ytb_id": 3}, [], None]
    for damaged in cases:
        (record,) = read(write(tmp_path, {"a_0": damaged}), entry())
        assert (record.video_idx, record.problem) == ("a_0", Reason.BAD_VALUE)


def test_a_damaged_segment_spoils_itself_alone(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str, Reason]] = [
        ({"emotion": "bored"}, "a_0@1.28", Reason.UNKNOWN_WORD),
        ({"emotion": None}, "a_0@segment 2", Reason.BAD_VALUE),
        ({"start_sec": "1"}, "a_0@segment 2", Reason.BAD_VALUE),
        ({"start_sec": True}, "a_0@segment 2", Reason.BAD_VALUE),
        ({"start_sec": -1}, "a_0@segment 2", Reason.BAD_VALUE),
        ({"end_sec": float("nan")}, "a_0@segment 2", Reason.BAD_VALUE),
        ({"end_sec": 1.28}, "a_0@segment 2", Reason.BAD_VALUE),
    ]
    for change, name, reason in cases:
        first, second = one(
            tmp_path, {"sep_flag": True, "labels": [SEGMENTS[0], SEGMENTS[1] | change]}
        )
        assert (first.word, first.problem) == ("neutral", None)
        assert (second.video_idx, second.word, second.problem) == (name, "", reason)
    records = one(tmp_path, {"sep_flag": True, "labels": [{"emotion": "happy"}, "happy"]})
    assert [r.problem for r in records] == [Reason.BAD_VALUE, Reason.BAD_VALUE]
    assert [r.video_idx for r in records] == ["a_0@segment 1", "a_0@segment 2"]

"""AFEW-VA: a JSON file a clip, numbers for every frame."""

import json
from pathlib import Path
from typing import Any

import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.afew_va import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

POINTS = [[372.4, 211.3]] * 68


entry = entry_of("afew_va")


def clip(folder: Path, labels: dict[str, Any], pictures: int | None = None, **more: Any) -> None:
    """A clip's folder, with a picture a label unless told otherwise."""
    folder.mkdir(parents=True)
    content = {"actor": "Some One", "frames": labels, "video_id": folder.name} | more
    (folder / f"{folder.name}.json").write_text(json.dumps(content))
    for i in range(len(labels) if pictures is None else pictures):
        (folder / f"{i:05d}.png").touch()


def frame(valence: object, arousal: object) -> dict[str, object]:
    return {"landmarks": POINTS, "valence": valence, "arousal": arousal}


def test_a_frame_is_a_record(tmp_path: Path) -> None:
    clip(tmp_path / "01/001", {"00000": frame(-2.0, 3), "00001": frame(11, -10)})
    first, second = read(tmp_path, entry())
    assert first == Record(
        "01/001/001.json",
        0,
        "001/00000",
        "01/001",
        subject="Some One",
        source="001",
        valence=-0.2,
        arousal=0.3,
        valence_raw=-2.0,
        arousal_raw=3.0,
        frame=0,
    )
    assert (second.video_idx, second.frame, second.problem) == ("001/00001", 1, None)
    # Out of range: for cleaning to judge.
    assert (second.valence, second.arousal, second.valence_raw) == (1.1, -1.0, 11.0)


def test_every_nth_frame_of_each_clip_in_their_order(tmp_path: Path) -> None:
    labels = {f"{i:05d}": frame(i, 0) for i in reversed(range(7))}
    for name in ("012", "600", "002", "300", "041", "007"):
        clip(tmp_path / name, labels)
    records = read(tmp_path, entry(every=3))
    assert [r.video_idx for r in records] == [
        f"{name}/0000{i}" for name in ("002", "007", "012", "041", "300", "600") for i in (0, 3, 6)
    ]
    assert [r.valence for r in records] == [0.0, 0.3, 0.6] * 6
    assert [r.frame for r in records[:3]] == [0, 3, 6]


def test_frames_count_from_the_first_picture(tmp_path: Path) -> None:
    clip(tmp_path / "003", {f"{i:05d}": frame(0, 0) for i in (1, 2, 3)})
    for old, new in ((2, 3), (1, 2), (0, 1)):
        (tmp_path / f"003/{old:05d}.png").rename(tmp_path / f"003/{new:05d}.png")
    records = read(tmp_path, entry())
    assert [(r.problem, r.frame) for r in records] == [(None, 0), (None, 1), (None, 2)]


def test_a_frame_without_its_picture(tmp_path: Path) -> None:
    clip(tmp_path / "001", {"00000": frame(1, 1), "00001": frame(1, 1)}, pictures=1)
    first, second = read(tmp_path, entry())
    assert first.problem is None
    assert (second.problem, second.note) == (Reason.NO_PICTURE, "no picture 00001")
    assert second.valence == 0.1  # in the whole trace it counts


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    clip(tmp_path / "labels/001", {"00000": frame(1, 1)}, pictures=0)
    (tmp_path / "faces/001").mkdir(parents=True)
    (tmp_path / "faces/001/00000.jpg").touch()
    (record,) = read(tmp_path, entry(clips="faces/{clip}"))
    assert (record.file_path, record.problem) == ("faces/001", None)
    (record,) = read(tmp_path, entry())
    assert (record.file_path, record.problem) == ("labels/001", Reason.NO_PICTURE)


def test_an_unreadable_value(tmp_path: Path) -> None:
    cases: list[tuple[str, object, str]] = [
        ("00000", frame("x", 1), "valence is 'x', not a number"),
        ("00000", frame(1, None), "arousal is 'None', not a number"),
        ("00000", frame(float("nan"), 1), "valence is 'nan', not a number"),
        ("00000", frame(True, 1), "valence is 'True', not a number"),
        ("00000", {"valence": 1}, "arousal is '', not a number"),
        ("00000", None, "valence is 'None', not a number"),
        ("", frame(5, 5), "the frame's name is '', not a whole number"),
    ]
    for i, (name, label, note) in enumerate(cases):
        clip(tmp_path / f"{i}/001", {name: label, "00001": frame(5, 5)})
        first, second = read(tmp_path / f"{i}", entry())
        assert (first.problem, first.note, first.arousal) == (Reason.BAD_VALUE, note, None)
        assert (second.problem, second.valence) == (None, 0.5)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "001").mkdir()
    for content, problem in (
        ("", "damaged"),
        ('{"frames": {"00000": {"valence": 1,', "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "no frames"),
        ('{"actor": "A", "video_id": "001"}', "no frames"),
        ('{"frames": {}}', "no frames"),
        ('{"frames": [1]}', "no frames"),
        ('{"frames": {"00000": {}}, "video_id": "002"}', "clip '002'"),
    ):
        (tmp_path / "001/001.json").write_text(content)
        with pytest.raises(UserError, match=rf"/001/001\.json .*{problem}"):
            read(tmp_path, entry())


def test_no_clips_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "001").mkdir()
    (tmp_path / "001/002.json").write_text("{}")  # not the clip's own
    with pytest.raises(UserError, match=r"no clips such as 001/001\.json"):
        read(tmp_path, entry())

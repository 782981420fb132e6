"""``facewave timeline``: what is told and written of several recordings, one of which fails."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import facewave as fw
from facewave.app.timeline.outputs import FORMATS, Options, files_named, timeline_all
from facewave.app.timeline.schema import Recording, Timeline
from facewave.app.timeline.summary import clock
from facewave.errors import UserError
from making_timeline import recording, timeline
from running import facewave

Capture = pytest.CaptureFixture[str]


followed: list[str] = []


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files' names say what is seen of them: bad ones cannot be followed."""

    def follow(path: Path, fps: float, settings: object) -> Recording:
        followed.append(path.name)
        if "bad" in path.name:
            raise UserError(f"{path}: it cannot be decoded")
        if "still" in path.name:
            return replace(recording(path), frames=1)
        if "holes" in path.name:
            return replace(recording(path), holes=((3.0, 5.5), (7.0, 8.0)), missing=90)
        return recording(path, 4000.0) if "long" in path.name else recording(path)

    def answer(of: Recording, *_: object) -> Timeline:
        whole = timeline(of)
        nobody = whole.windows.assign(answered_from="", predicted="", reason="too dark")
        return replace(whole, windows=nobody) if "dark" in of.path.name else whole

    model = SimpleNamespace(
        line=lambda: "mlp, learnt from talks", about={"synthetic": True}, normalizes=False,
        inputs=[], needs_voice=False, type="mlp",
    )  # fmt: skip
    for place in ("outputs.follow", "recording.follow"):
        monkeypatch.setattr(f"facewave.app.timeline.{place}", follow)
    for place in ("outputs.answer", "answer.answer"):
        monkeypatch.setattr(f"facewave.app.timeline.{place}", answer)
    for place in ("timeline.outputs", "models"):
        monkeypatch.setattr(f"facewave.app.{place}.choose", lambda name: model)
    monkeypatch.chdir(tmp_path)


def test_a_person_is_told_of_with_words_numbers_and_gaps(capsys: Capture) -> None:
    assert timeline_all([Path("talk.mp4")], Options(formats=["csv", "srt"]))
    told = capsys.readouterr().out
    for line in (
        "model: mlp, learnt from talks",
        "beware: it learnt from synthetic clips",
        "talk.mp4: 24.00 s, 600 frames, 3 shots, 2 people",
        "person 0: in sight for 21.0 s, 88% of the time",
        "in sight 0.0 to 12.0 s, 15.0 to 24.0 s",
        "out of sight 12.0 to 15.0 s",
        "valence -0.77 to 0.74",
        "      0.0 to 9.0 s    happy    62%\n",
        "     9.0 to 12.0 s    sad      62%\n",
        "     6.0 to 20.0 s    neutral    62%\n",
        "times real time",
        "talk.timeline: talk.csv, talk.srt",
    ):
        assert line in told, line
    assert sorted(file.name for file in Path("talk.timeline").iterdir()) == ["talk.csv", "talk.srt"]
    assert len(pd.read_csv("talk.timeline/talk.csv")) == len(timeline().windows)


def test_one_that_fails_stops_no_other_and_is_told(capsys: Capture) -> None:
    clips = [Path("bad.mp4"), Path("talk.mp4"), Path("dark.mp4")]
    assert not timeline_all(clips, Options(out=Path("all"), formats=["json"]))
    told = capsys.readouterr()
    assert told.err == "bad.mp4: it cannot be decoded\n"
    assert sorted(file.as_posix() for file in Path("all").rglob("*.json")) == [
        *["all/dark.timeline/dark.json", "all/talk.timeline/talk.json"]
    ]
    assert "no answer" in told.out
    assert "too dark" in told.out
    dark = json.loads(Path("all/dark.timeline/dark.json").read_text("utf-8"))
    assert {window["reason"] for window in dark["windows"]} == {"too dark"}
    assert not timeline_all([Path("dark.mp4")], Options(formats=["json"]))


def test_missing_frames_are_told(capsys: Capture) -> None:
    timeline_all([Path("holes.mp4"), Path("still.mp4")], Options(formats=["srt"]))
    told = capsys.readouterr().out
    assert "  90 of 600 frames cannot be decoded\n" in told
    assert "  no frames 3.0 to 5.5 s, 7.0 to 8.0 s\n" in told
    assert "still.mp4: 24.00 s, 1 frame, " in told


def test_narrow_terminals_get_whole_lines(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for columns in ("30", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        timeline_all([Path("dark.mp4"), Path("talk.mp4")], Options(formats=["srt"]))
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if line != line.rstrip()] == []
        told.append([line for line in lines if "real time" not in line])
    assert told[0] == told[1]


def test_no_recording_is_written_over(capsys: Capture) -> None:
    Path("talk.mp4").write_bytes(b"mine")
    Path("face.png").write_bytes(b"mine")
    Path("link").symlink_to(".")
    followed.clear()
    for out in (".", "link"):
        assert facewave("timeline", "face.png", "--out", out, "--format", "csv,png") == 2
        assert "face.png is a recording, and would be written over" in capsys.readouterr().err
    assert followed == []
    named = files_named(Path("talk.mp4"), Path(), ["video"])
    assert named["video"].name in ("talk.seen.mp4", "talk.seen.webm")
    assert Path("face.png").read_bytes() == Path("talk.mp4").read_bytes() == b"mine"


def test_what_cannot_be_written_is_told_before_following_and_stops_no_other(
    capsys: Capture,
) -> None:
    Path("all").mkdir()
    Path("all/talk.timeline").touch()
    followed.clear()
    clips = [Path("talk.mp4"), Path("dark.mp4")]
    timeline_all(clips, Options(out=Path("all"), formats=["srt"]))
    assert followed == ["dark.mp4"]
    assert capsys.readouterr().err == "talk.mp4: all/talk.timeline: File exists\n"
    assert Path("all/dark.timeline/dark.srt").exists()


def test_long_recordings_are_told_in_minutes_and_in_short(capsys: Capture) -> None:
    assert timeline_all([Path("long.mp4")], Options(formats=["vtt"]))
    told = capsys.readouterr().out
    assert "in sight 0:00:00 to 0:00:12, 0:00:15 to 0:00:24" in told
    assert len(told.splitlines()) < 30
    assert clock(179.96, 180.0) == "180.0"
    assert clock(75, 1200) == "1:15"


def test_python_gets_the_same_rows() -> None:
    Path("talk.mp4").touch()
    found = fw.timeline("talk.mp4")
    assert timeline_all([Path("talk.mp4")], Options(formats=["csv"]))
    written = pd.read_csv("talk.timeline/talk.csv")
    pd.testing.assert_frame_equal(found.replace("", np.nan), written, check_dtype=False)
    with pytest.raises(UserError, match="--smooth is -1"):
        fw.timeline("talk.mp4", smooth=-1)


def test_mistakes_are_told_before_anything_is_done(capsys: Capture) -> None:
    Path("talk.mp4").touch()
    assert facewave("timeline", "talk.mp4", "--format", "csv,elan") == 2
    err = capsys.readouterr().err
    assert "--format names 'elan'; there are csv, json, srt, vtt, eaf, boris, png, video." in err
    followed.clear()
    for words in ("--hop 5 --window 3", "--hop 0", "--smooth nan", "--window nan"):
        assert facewave("timeline", "talk.mp4", *words.split()) == 2, words
        assert capsys.readouterr().err.startswith(
            ("facewave: --window is", "facewave: --smooth is")
        )
    assert followed == []
    assert facewave("timeline", "nowhere.mp4") == 2
    assert facewave("timeline", "talk.mp4", "--format", "csv, srt") == 0
    assert facewave("timeline", "talk.mp4", "--out", "here", "--format", "eaf") == 0
    assert [file.name for file in Path("here").iterdir()] == ["talk.eaf"]


def test_each_format_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name, (ending, write) in FORMATS.items():
        if name == "png":  # slow; test_timeline_files.py
            continue
        files = [tmp_path / folder / f"a{ending}" for folder in ("one", "two")]
        for file in files:
            file.parent.mkdir(exist_ok=True)
            write(timeline(), file)
        assert files[0].read_bytes() == files[1].read_bytes(), name
        assert np.all([b"\r" not in file.read_bytes() for file in files])

"""``facewave segment``: the cuts, whose they are, and the table."""

import csv
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facewave.app.timeline import segment as module
from facewave.app.timeline.segment import Options, cuts, is_followed, segment
from facewave.errors import UserError
from facewave.landmarks import cache, schema
from facewave.params import for_clips
from making import remember
from making_timeline import recording, timeline
from running import facewave


def spans(options: Options) -> list[tuple[int, float, float]]:
    return cuts(timeline(), options)[["person", "start", "end"]].to_records(index=False).tolist()


def test_cuts_are_stretches_shots_or_times_in_sight_and_long_ones_are_cut_equally() -> None:
    assert spans(Options("people", most=100.0)) == [(0, 0, 12), (1, 6, 20), (0, 15, 24)]
    assert spans(Options("words", most=100.0)) == [(0, 0, 9), (1, 6, 20), (0, 9, 12), (0, 15, 24)]
    assert spans(Options("shots", most=100.0)) == [
        *[(0, 0, 6), (0, 6, 12), (1, 6, 15), (0, 15, 24), (1, 15, 20)]
    ]
    assert spans(Options("shots", least=5.5, most=100.0)) == [
        *[(0, 0, 6), (0, 6, 12), (1, 6, 15), (0, 15, 24)]
    ]
    pieces = spans(Options("people", most=4.0))
    assert [piece for piece in pieces if piece[0] == 1] == [
        *[(1, 6.0, 9.5), (1, 9.5, 13.0), (1, 13.0, 16.5), (1, 16.5, 20.0)]
    ]


def test_times_are_milliseconds_rounded_down() -> None:
    ends = [end for person, _, end in spans(Options("people", most=5.0)) if person == 1]
    assert ends == [10.666, 15.333, 20.0]


def test_what_is_suggested_is_the_word_shown_longest_with_its_score() -> None:
    found = cuts(timeline(), Options("people", most=100.0))
    assert found["suggested"].tolist() == ["happy", "neutral", "sad"]
    assert found["suggested_score"].tolist() == pytest.approx([0.62] * 3)
    made = timeline()
    none = replace(made, windows=made.windows.assign(answered_from="", predicted=""))
    found = cuts(none, Options("shots"))
    assert set(found["suggested"]) == {""}
    assert found["suggested_score"].isna().all()
    assert cuts(none, Options("words")).empty


@pytest.fixture
def talks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two recordings, of which extract has followed person 0 until 17 s, then person 1."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "talks"
    folder.mkdir()
    model = SimpleNamespace(line=lambda: "mlp", inputs=[], needs_voice=False, type="mlp")
    monkeypatch.setattr(module, "choose", lambda name: model)
    monkeypatch.setattr(module, "follow", lambda path, fps, settings: recording(path, fps=5.0))
    monkeypatch.setattr(module, "answer", lambda of, *_: timeline(of))
    for name in ("a.mp4", "=b.mp4"):
        (folder / name).write_text(name)
        made = recording(folder / name, fps=5.0)
        one, other = (made.trajectory(person, 0, 24) for person in (0, 1))
        seen = schema.joined([one[one.times_T < 17], other[other.times_T >= 17]])
        key = cache.key(folder / name, 25.0, for_clips().landmarks)
        remember(key, seen, schema.ClipFacts(5.0, 640, 480, 120))
    return folder


def test_only_cuts_of_the_person_whom_extract_follows_are_kept(talks: Path) -> None:
    made = timeline(recording(talks / "a.mp4", fps=5.0))
    found = cuts(made, Options("shots", most=100.0))
    same = is_followed(made.recording, found, talks, Options(), for_clips())
    # Person 0 is followed until 17 s, and seen there; person 1, though in sight from 6 s, is not.
    assert same.tolist() == [True, True, False, False, False]
    pieces = cuts(made, Options("people", least=1.0, most=2.0))
    same = is_followed(made.recording, pieces, talks, Options(), for_clips())
    kept = pieces[same]
    assert kept.loc[kept["person"] == 0, "end"].max() <= 17.1
    assert kept.loc[kept["person"] == 1, "start"].min() >= 17


def test_the_table_can_be_labelled_and_is_never_overwritten(
    talks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [talks / "a.mp4", talks / "=b.mp4"]
    assert segment(clips, Path("talks/cuts.csv"), Options("shots", most=3.0))
    told = capsys.readouterr().out
    assert "landmarks.whose: center" in told
    assert "facewave datasets add NAME talks --table cuts.csv" in told
    with (talks / "cuts.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(module.COLUMNS)
    assert {row["file_path"] for row in rows} == {"a.mp4", "./=b.mp4"}
    assert {row["subject"] for row in rows} == {"a-0", "a-1", "'=b-0", "'=b-1"}
    assert {row["actual"] for row in rows} == {""}
    assert rows[0]["suggested"] == "happy"
    for row in rows:
        assert 1 <= float(row["end"]) - float(row["start"]) <= 3 + 1e-9
    with pytest.raises(UserError, match="may have labels"):
        segment(clips, Path("talks/cuts.csv"), Options())
    with pytest.raises(UserError, match="is not below"):
        segment(clips, Path("elsewhere/cuts.csv"), Options())
    with pytest.raises(UserError, match=r"name a \.csv"):
        segment(clips, Path("talks/cuts.xlsx"), Options())
    with pytest.raises(UserError, match="no cut to label"):
        segment(clips, Path("talks/none.csv"), Options("shots", least=20, most=40))
    assert not (talks / "none.csv").exists()


def test_senseless_lengths_are_refused() -> None:
    for least, most in ((0, 4), (3, 4), (1, math.inf), (np.nan, 4)):
        with pytest.raises(UserError, match="--least"):
            Options(least=least, most=most).check()
    assert facewave("segment", ".", "--out", "cuts.csv", "--from", "faces") == 2

"""The loop in lock step: every frame, by a clock that jumps; keys, files, screens."""

import csv
import json
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
from rich.console import Console

from cameras import Follower, Jumping, Noting, frame, frames
from facewave import params
from facewave.app import models
from facewave.app.live import keys, screens, watching
from facewave.app.live.answering import Asker
from facewave.app.live.clock import Clock
from facewave.app.live.measuring import Counts
from facewave.app.live.memory import Eyes, Memory
from facewave.app.live.newest import Each
from facewave.app.live.screens import State
from facewave.app.live.watching import Options, Watch
from facewave.app.live.writing import Writing, columns, default_name
from facewave.errors import UserError
from facewave.landmarks.follow import Spot
from facewave.training.schema import Trained
from running import ROOT

SETTINGS = params.load(ROOT / "params.yaml")
HEADER = {"model": "rules"}


@pytest.fixture(scope="module")
def rules() -> Trained:
    return models.untrained().members["knowledge"]  # type: ignore[attr-defined]


def watch(
    rules: Trained,
    count: int,
    options: Options,
    follower: Follower | None = None,
    presses: Mapping[int, str] | None = None,
) -> tuple[Noting, Counts]:
    """Watch some grey frames at 25 a second, one after another."""
    clock, screen = Jumping(), Noting(presses)
    memory = Memory(options.window, "center", Eyes(SETTINGS.faces, None))

    def open_file(path: Path | None) -> Writing:
        return Writing(path or default_name(), rules, HEADER, options.save_video)

    watched = Watch(
        Each(frames(count, clock=clock)),
        follower or Follower(),
        memory,
        Asker(rules, None, SETTINGS, options.window),
        screen,
        list,
        options,
        clock,
        open_file,
    )
    return screen, watched.run()


def test_an_answer_comes_every_hop_and_says_why_when_it_does_not(rules: Trained) -> None:
    follower = Follower(absent=frozenset(range(60, 90)))
    screen, counts = watch(rules, 110, Options(window=2.0, hop=0.2), follower)
    times = [record["time"] for record in screen.records]
    assert times == pytest.approx(np.arange(22) / 5)
    reasons = [record["reason"].partition(":")[0] for record in screen.records]
    assert reasons[:5] == ["warming up"] * 5
    assert reasons[5:12] == [""] * 7
    assert "out of sight" in reasons[15]
    assert screen.records[-1]["reason"] == ""
    assert counts.looked == 110
    assert counts.fps == pytest.approx(25, rel=0.02)
    assert len(counts.latencies_ms) == reasons.count("")
    assert set(counts.latencies_ms) == {0.0}  # the clock jumps only between frames
    assert counts.reasons["warming up"] == 5
    assert sorted(set(follower.milliseconds)) == follower.milliseconds


def test_everybody_or_one_and_a_count(rules: Trained) -> None:
    alone, _ = watch(rules, 30, Options(), Follower(tracks=2))
    assert [(one["person"], one["others"]) for one in alone.records[-1:]] == [(0, 1)]
    everybody, _ = watch(rules, 30, Options(everybody=True), Follower(tracks=2))
    assert [one["person"] for one in everybody.records[-2:]] == [0, 1]
    nobody, _ = watch(rules, 10, Options(), Follower(tracks=0))
    assert nobody.records[-1]["reason"] == "no face"
    assert nobody.records[-1]["person"] is None


def test_keys_pause_mark_save_and_quit(
    rules: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    presses = {2: "m", 5: "s", 8: "m", 10: " ", 14: " ", 18: "m", 20: "s", 22: "s", 25: "q"}
    screen, counts = watch(rules, 200, Options(hop=0.04), presses=presses)
    assert counts.seconds < 3
    assert counts.paused == pytest.approx(0.48, abs=0.13)
    assert counts.looked < 25 * counts.seconds - 8
    first, second = sorted(tmp_path.iterdir(), key=lambda path: (len(path.name), path.name))
    lines = [json.loads(one) for one in first.read_text("utf-8").splitlines()]
    assert lines[0] == HEADER
    assert [one["mark"] for one in lines if "mark" in one] == [1, 2]
    answered = [one["time"] for one in lines if "reason" in one]
    assert np.diff(answered).max() > 0.4  # nothing of the pause
    assert [one for one in screen.records if "mark" in one] == [
        one for one in lines if "mark" in one
    ]
    assert len(second.read_text("utf-8").splitlines()) > 1


def test_a_csv_and_a_video_are_written_from_the_start(rules: Trained, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    watch(rules, 40, Options(out=out, save_video=True), presses={3: "m"})
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == columns(rules)
    assert [one["mark"] for one in rows if one["mark"]] == ["1"]
    assert rows[0]["reason"].startswith("warming up")
    answered = [one for one in rows if one["predicted"]]
    assert sum(float(answered[0][f"p_{word}"]) for word in rules.classes) == pytest.approx(
        1, abs=1e-3
    )
    with av.open(str(tmp_path / "answers.mkv")) as video:
        times = [float(one.time) for one in video.decode(video=0)]
    assert times == pytest.approx(np.arange(40) / 25, abs=2e-3)
    with pytest.raises(UserError, match="there already"):
        watch(rules, 1, Options(out=out))


def test_a_file_that_cannot_be_written_does_not_end_it(
    rules: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(Writing, "__init__", full)
    _, counts = watch(rules, 30, Options(), presses={2: "s"})
    assert counts.looked == 30


def test_ctrl_c_and_time_end_it(rules: Trained, tmp_path: Path) -> None:
    class Interrupted(Follower):
        def look(self, picture: Any, milliseconds: int) -> Any:
            if self.looked == 20:
                raise KeyboardInterrupt
            return super().look(picture, milliseconds)

    out = tmp_path / "answers.jsonl"
    _, counts = watch(rules, 100, Options(out=out), Interrupted())
    assert counts.looked == 20
    lines = out.read_text("utf-8")
    assert lines.endswith("\n")
    assert [json.loads(one) for one in lines.splitlines()]
    _, counts = watch(rules, 100, Options(seconds=2.0))
    assert counts.looked == 51


def test_options_that_make_no_sense_are_refused() -> None:
    for options in (Options(hop=0), Options(hop=4), Options(window=float("inf")),
                    Options(smooth=-1), Options(seconds=0)):  # fmt: skip
        with pytest.raises(UserError):
            watching.check(options)
    watching.check(Options(smooth=0))


def test_keys_are_read_one_by_one_and_arrows_are_none() -> None:
    plain = [("m", "m"), (" sQ", " sq"), ("xyz", "")]
    arrows = [("\x1b[Am", "m"), ("\x1b[3~q", "q"), ("\x1bOBs", "s"), ("\x1b", ""), ("\x1b[", "")]
    arrows += [("\x1bOQ", ""), ("\x1bOS", ""), ("\x1b[5;1M ", " ")]  # F2, F4, the mouse
    for typed, expected in plain + arrows:
        assert keys.known(typed) == list(expected), typed


def test_screens_show_words_reasons_and_what_is_not_looked_at() -> None:
    answered = {
        "person": 3,
        "others": 2,
        "reason": "",
        "words": {"sad": 0.2, "happy": 0.7, "odd": None},
        "numbers": {"valence": {"value": -0.25}, "arousal": {"value": None}},
    }
    state = State(
        [answered], Counts(60, 12, 2.0, latencies_ms=[31.0]), frame(1), {3: Spot(80, 60, 40)}
    )
    console = Console(width=100, record=True, file=StringIO())
    console.print(screens.page(state, "score"))
    text = console.export_text()
    for expected in ("person 3, 2 more in sight", "score", "70.0%", "-0.25", "12 dropped", "31 ms",
                     "nothing is written"):  # fmt: skip
        assert expected in text
    assert text.index("happy") < text.index("sad")
    drawn = screens.drawn(state)
    assert (drawn != 128).any()
    assert tuple(drawn[40, 80]) == (80, 200, 80)  # the followed face's frame
    state.message = "mark 1 at 1.0 s"  # it stands above the status, which stays as it is
    with_message = screens.drawn(state)
    assert np.array_equal(with_message[-10:], drawn[-10:])
    assert (with_message != drawn).any()
    assert screens.plain("a\x1b[2Jb\u202ec") == "a�[2Jb�c"


def test_a_window_shows_pictures_takes_keys_and_may_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[tuple[int, ...]] = []
    pressed, visible = iter([ord("m"), -1, -1]), iter([1.0, 1.0, 0.0])
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "destroyWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, picture: shown.append(picture.shape))
    monkeypatch.setattr(cv2, "waitKey", lambda _: next(pressed))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: next(visible))
    with screens.Window() as window:
        assert window.show(State()) == []
        state = State(frame=frame(1))
        assert [window.show(state) for _ in range(3)] == [["m"], [], ["q"]]
    assert shown == [(120, 160, 3)] * 3


def test_the_screen_is_a_window_a_terminal_or_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    for display, built, is_terminal, headless, expected in (
        (":0", "GUI: QT5", True, False, screens.Window),
        ("", "GUI: QT5", True, False, screens.Terminal),
        (":0", "  GUI:      NONE", True, False, screens.Terminal),
        (":0", "GUI: QT5", False, False, screens.Lines),
        (":0", "GUI: QT5", True, True, screens.Lines),
    ):
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.setattr(cv2, "getBuildInformation", lambda built=built: built)
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda it=is_terminal: it))
        assert type(screens.choose(headless, calibrated=False)) is expected


def test_a_summary_tells_the_latencies() -> None:
    counts = Counts(90, 10, 4.0, 1.0, [10.0, 20.0, 90.0])
    counts.reasons.update({"no face": 3})
    assert counts.summary() == {
        "seconds": 4.0, "paused": 1.0, "looked": 90, "fps": 30.0,
        "dropped": 10, "dropped_share": 0.1,
        "answers": 3, "latency_ms": {"median": 20.0, "p95": 83.0, "highest": 90.0},
        "unanswered": {"no face": 3},
    }  # fmt: skip
    assert "10 dropped (10.0%)" in counts.text()
    assert Counts().summary()["latency_ms"] is None


def test_a_clock_waits_no_longer_than_it_must() -> None:
    clock, stop = Clock(), Event()
    stop.set()
    before = clock.now()
    clock.wait(10, stop)
    assert clock.now() - before < 5

"""``facewave live`` as a person runs it: a video as a camera, a stream, keys, Ctrl-C, a pty."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from cameras import CLIP, FACEWAVE, Jumping, Noting, ended
from facewave import params
from facewave.app import models, predict
from facewave.app.live.answering import Asker
from facewave.app.live.memory import Eyes, Memory
from facewave.app.live.newest import Each
from facewave.app.live.sources import Played
from facewave.app.live.watching import Options, Watch
from facewave.app.live.writing import Writing
from facewave.appearance import encoders
from facewave.landmarks import engines
from facewave.video import Clip
from making import trained_project


def test_a_video_is_answered_as_a_camera_is(
    tmp_path: Path, landmarker: Path, encoder: Path, real_clips: Path
) -> None:
    records, messages, code = ended(tmp_path, str(real_clips / CLIP), "--seconds", "4")
    assert code == 0, messages
    header, *answers, last = records
    summary = last["summary"]
    assert header["calibrated"] is False
    assert "Article 5(1)(f)" in header["notice"]
    assert "Article 5(1)(f)" in messages
    answered = [one for one in answers if not one["reason"]]
    assert answered
    assert summary["answers"] == len(answered)
    for one in answered:
        assert sum(one["words"].values()) == pytest.approx(1, abs=1e-3)
        assert -1 <= one["numbers"]["valence"]["value"] <= 1
        assert one["latency_ms"] > 0
    assert answers[0]["reason"].startswith("warming up")
    assert 3 < summary["seconds"] < 4.5
    played = len([1 for _, at, _ in Clip(real_clips / CLIP, 25).frames() if at <= 4.2])
    assert 0.8 * played < summary["looked"] + summary["dropped"] <= played + 1
    assert list(tmp_path.iterdir()) == []  # nothing is recorded unless asked


def answers_in_step(clip: Path, model: Any, landmarker: Path, options: Options) -> Noting:
    """Every frame of a clip looked at, by a clock that does not wait."""
    settings, clock, screen = params.for_clips(), Jumping(), Noting()
    looker = encoders.load(model.encoder) if model.encoder else None
    follower = engines.landmarker("litert", landmarker.read_bytes(), settings.landmarks.smooth)

    def open_file(path: Path | None) -> Writing:
        raise AssertionError(path)

    with follower as following:
        Watch(
            Each(Played(clip).frames(clock, Event())),
            following,
            Memory(options.window, settings.landmarks.whose, Eyes(settings.faces, looker)),
            Asker(model, looker, settings, options.window),
            screen,
            list,
            options,
            clock,
            open_file,
        ).run()
    return screen


@pytest.mark.parametrize("is_trained", [False, True])
def test_it_answers_as_predict_does_of_the_same_seconds(
    tmp_path: Path, landmarker: Path, encoder: Path, real_clips: Path,
    monkeypatch: pytest.MonkeyPatch, is_trained: bool,
) -> None:  # fmt: skip
    """The same frames; only that faces here were no JPEG files in between.

    Words' probabilities, and valence, are at most 0.01 apart by the encoder and the rules, and
    0.001 by wavelet numbers.
    """
    named = str(trained_project() / "models/trained/split/model") if is_trained else None
    monkeypatch.chdir(tmp_path)
    clip, model = real_clips / CLIP, models.choose(named)
    options = Options(hop=1 / 30, smooth=0.0)
    screen = answers_in_step(clip, model, landmarker, options)
    live = [one for one in screen.records if not one["reason"]]
    _, (table,) = predict.ask([clip], predict.Options(named, window=3.0, hop=1.0))
    windows = table.iloc[1:]
    whole = windows[windows["end"] - windows["start"] > 2.99]
    columns = dict(zip(model.classes, model.targets[0].numbers, strict=True))
    differences, others = [], []
    for _, row in whole.iterrows():
        near = [one for one in live if one["time"] < row["end"] - 0.01][-1]
        apart = [near["words"][word] - row[column] for word, column in columns.items()]
        for name, number in near["numbers"].items():
            apart.append(number["value"] - row[f"predicted_{name}"])
        differences.append(np.abs(apart).max())
        others += [
            abs(one["words"][word] - row[column])
            for one in live
            for word, column in columns.items()
        ]
    assert len(differences) > 4
    assert max(differences) < (1e-3 if is_trained else 0.01), differences
    assert max(others) > 0.05  # other seconds are answered otherwise


def test_a_classifier_of_wavelet_numbers_answers(
    tmp_path: Path, landmarker: Path, real_clips: Path
) -> None:
    model = trained_project() / "models/trained/split/model"
    arguments = (str(real_clips / CLIP), "--model", str(model), "--seconds", "4")
    records, messages, code = ended(tmp_path, *arguments)
    assert code == 0, messages
    assert "beware" in messages or "model:" in messages
    answered = [one for one in records if one.get("reason") == ""]
    assert answered, messages
    assert sum(answered[-1]["words"].values()) == pytest.approx(1, abs=1e-3)


@contextmanager
def in_terminal(folder: Path, arguments: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The command in a terminal of its own: its process and the terminal's other end."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("DISPLAY", "WAYLAND_DISPLAY")}  # fmt: skip
        os.execve(sys.executable, [*FACEWAVE, *arguments], environment)
    try:
        yield process, terminal
    finally:
        os.close(terminal)


def screen_until(terminal: int, expected: str, seen: bytearray) -> None:
    """Read what the terminal shows until something stands there."""
    until = time.monotonic() + 60
    while expected.encode() not in seen:
        assert time.monotonic() < until, seen.decode(errors="replace")[-2000:]
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # it has ended
                assert expected.encode() in seen, seen.decode(errors="replace")[-2000:]


def drained(process: int, terminal: int, seen: bytearray) -> int:
    """Read to the end; the exit status."""
    until = time.monotonic() + 60
    while True:
        assert time.monotonic() < until, seen.decode(errors="replace")[-2000:]
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.parametrize("end", ["q", "SIGINT", "SIGTERM"])
def test_keys_of_a_terminal_and_what_is_left_of_it(
    tmp_path: Path, landmarker: Path, encoder: Path, real_clips: Path, end: str
) -> None:
    with in_terminal(tmp_path, [str(real_clips / CLIP)]) as (process, terminal):
        before = termios.tcgetattr(terminal)
        seen = bytearray()
        screen_until(terminal, "nothing is written", seen)
        assert termios.tcgetattr(terminal)[3] != before[3]  # keys come one by one
        for key, shown in (("m", "press s first"), ("s", "writing live-"), ("m", "mark 1 at"),
                           (" ", "paused"), (" ", ""), ("m", "mark 2 at")):  # fmt: skip
            os.write(terminal, key.encode())
            screen_until(terminal, shown, seen)
        if end == "q":
            os.write(terminal, b"q")
        else:
            os.kill(process, getattr(signal, end))
        code = drained(process, terminal, seen)
        after = termios.tcgetattr(terminal)
    assert code == 0, seen.decode(errors="replace")[-2000:]
    assert after == before
    assert b"frames looked at in" in seen
    assert b"\x1b[?25h" in seen  # the cursor is there again
    (file,) = tmp_path.iterdir()
    text = file.read_text("utf-8")
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [one["mark"] for one in lines if "mark" in one] == [1, 2]
    assert any("reason" in one for one in lines)


def test_a_crash_leaves_the_terminal_as_it_was(
    tmp_path: Path, landmarker: Path, encoder: Path, real_clips: Path
) -> None:
    (tmp_path / "live.jsonl").write_text("somebody's")
    arguments = [str(real_clips / CLIP), "--out", "live.jsonl"]
    with in_terminal(tmp_path, arguments) as (process, terminal):
        before = termios.tcgetattr(terminal)
        seen = bytearray()
        assert drained(process, terminal, seen) == 2
        assert termios.tcgetattr(terminal) == before
    assert b"there already" in seen


def test_it_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    heavy = ["torch", "sklearn", "matplotlib", "transformers", "mediapipe", "scipy.stats", "dvc"]
    code = (
        "import sys\nfrom facewave.app.live import starting\n"
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    output = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True)
    assert output.splitlines()[-1] == "[]"

"""The command itself: its help, its mistakes, and that both come at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from facewave.app.cli import app
from running import facewave

HEAVY = {"torch", "transformers", "pandas", "numpy", "scipy", "sklearn", "mediapipe", "cv2",
         "matplotlib"}  # fmt: skip
IMPORTS = """
import sys
from facewave.app import cli
try:
    cli.run()
except SystemExit as stop:
    print(stop.code, *{name.split(".")[0] for name in sys.modules} & set(sys.argv[0].split()))
"""


@pytest.mark.parametrize("words", [["--help"], ["predict", "nowhere.mp4"], ["predict", "--help"]])
def test_help_and_a_mistyped_path_load_nothing_heavy(words: list[str]) -> None:
    program = IMPORTS.replace("cli.run()", f"sys.argv = [{' '.join(HEAVY)!r}, *{words}]; cli.run()")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == ("0" if "--help" in words else "2")


def test_help_says_what_each_command_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert facewave("--help") == 0
    overview = capsys.readouterr().out
    for command in app.registered_commands:
        assert command.callback
        name = command.name or command.callback.__name__
        assert name in overview
        assert facewave(name, "--help") == 0
        assert "Usage" in capsys.readouterr().out


def test_a_clip_that_is_not_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.mp4").touch()
    for words in (["predict", "here.mp4", "nowhere.mp4"], ["draw", "nowhere.mp4"],
                  ["trajectories", "nowhere.mp4"]):  # fmt: skip
        assert facewave(*words) == 2
        sentence = "nowhere.mp4 is not here. Name a video, a picture, or a folder of either."
        assert capsys.readouterr().err == f"facewave: {sentence}\n"


def test_options_of_predict_that_do_not_go_together_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.mp4").touch()
    for words, problem in (
        ([], "name a clip: facewave predict CLIP"),
        (["--json", "--csv", "a.mp4"], "--json and --csv cannot both go to the screen"),
        (["--fps", "0", "a.mp4"], "--fps is 0; pictures need more than 0"),
        (["--hop", "4", "a.mp4"], "--window is 3 s and --hop 4 s"),
        (["--hop", "0", "a.mp4"], "--window is 3 s and --hop 0 s"),
        (["--window", "nan", "a.mp4"], "--window is nan s and --hop 1 s"),
        (["--out", "a.txt", "a.mp4"], "--out is a.txt; name a .json or .csv file"),
    ):
        assert facewave("predict", *words) == 2
        captured = capsys.readouterr()
        assert problem in captured.err
        assert len(captured.err.splitlines()) == 1
        assert captured.out == ""

"""The command itself: its help, its mistakes, and that both come at once."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from facewave.app.cli import app
from facewave.errors import UserError
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


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        yield " ".join(("facewave", *path, name)), command
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)


def test_every_command_has_an_example_that_it_takes() -> None:
    for words, command in commands(typer.main.get_command(app)):
        (example,) = re.findall(r"^ *Example: (.*)$", command.help, re.MULTILINE)
        assert example.startswith(words)
        arguments = shlex.split(example.removeprefix(words))
        command.make_context(words, arguments, resilient_parsing=False)  # no unknown option


def test_the_shell_completes(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "SHELL": "/bin/bash", "HOME": str(tmp_path)}
    program = "from facewave.app.cli import run; run()"

    def ask(*words: str, **more: str) -> str:
        command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'facewave'; {program}", *words]
        return subprocess.check_output(command, env=environment | more, text=True)

    script = ask("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "complete -o default -F _facewave_completion facewave" in script
    completed = ask(_FACEWAVE_COMPLETE="complete_bash", COMP_WORDS="facewave ex", COMP_CWORD="1")
    assert completed.split() == ["extract", "export", "export-npy", "export-model"]


def test_several_clips_are_drawn_into_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [Path(f"{folder}/{name}.mp4") for folder in "ab" for name in (1, 2)]
    monkeypatch.chdir(tmp_path)
    for clip in clips:
        clip.parent.mkdir(exist_ok=True)
        clip.touch()
    drawn: list[tuple[Path, Path]] = []

    def draw(clip: Path, out: Path, fps: float, model: str | None = None) -> None:
        if clip == Path("a/2.mp4"):
            raise UserError("a/2.mp4: there is no frame to draw.")
        drawn.append((clip, out))

    monkeypatch.setattr("facewave.app.seen.see", lambda *_: None)
    for command, suffix in (("draw", ".seen.mp4"), ("trajectories", ".trajectories.png")):
        monkeypatch.setattr(f"facewave.app.{command}.draw", draw)
        drawn.clear()
        assert facewave(command, "?", "--out", "out") == 1  # a/2.mp4
        assert capsys.readouterr().err == "a/2.mp4: there is no frame to draw.\n"
        places = [Path("out", clip.parent, clip.stem + suffix) for clip in clips]
        assert drawn == [pair for pair in zip(clips, places, strict=True) if pair[0] != clips[1]]
        drawn.clear()
        assert facewave(command, "b") == 0
        assert drawn == [(clip, Path(clip.stem + suffix)) for clip in clips[2:]]
        drawn.clear()
        assert facewave(command, "b/1.mp4", "--out", "one.mp4") == 0
        assert drawn == [(clips[2], Path("one.mp4"))]
        assert facewave(command, "a/2.mp4") == 2
        capsys.readouterr()


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

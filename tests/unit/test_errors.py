"""What the user sees of a mistake: one sentence and an exit code."""

import errno
import io
import os
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from facewave.errors import EXTRAS, UserError, explain, native_log_off
from running import ROOT


def fails(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def import_absent(name: str) -> None:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_what_the_extras_bring_is_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    brought = {
        extra: {re.split(r"[\[<>]", line)[0] for line in project["optional-dependencies"][extra]}
        for extra in ("train", "language", "mediapipe", "app")
    }
    called = {
        "sklearn": "scikit-learn",
        "dvc_data": "dvc",
        "python_multipart": "python-multipart",
    }
    for package, extra in EXTRAS.items():
        assert called.get(package, package) in brought[extra]
    assert set().union(*brought.values()) - {"facewave"} <= {
        called.get(package, package) for package in EXTRAS
    }
    light = {re.split(r"[\[><]", line)[0] for line in project["dependencies"]}
    assert not light & set().union(*brought.values())
    with pytest.raises(ModuleNotFoundError):  # a bug, or a broken installation
        explain(lambda: import_absent("facewave.nothing"))


def test_a_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    cases: list[tuple[Callable[[], object], int, str]] = [
        (fails(UserError("row 3: no label. Add one.")), 2, "row 3: no label. Add one."),
        (lambda: Path("nowhere/at/all").read_text(), 1, "nowhere/at/all: No such file or direc"),
        (lambda: Path("/").write_text(""), 1, "/: Is a directory"),
        (lambda: import_absent("sklearn.svm"), 2, "this needs sklearn, which the light install le"),
        (
            lambda: import_absent("peft"),
            2,
            "this needs peft, which the light install leaves out",
        ),
        (fails(KeyboardInterrupt()), 130, "interrupted. Run the same command again to resume; "),
        (fails(OSError(errno.ENOSPC, "no space")), 1, "the disk is full. Free some space"),
        (fails(OSError(errno.EDQUOT, "", "a.csv")), 1, "the disk is full (while writing a.csv)"),
    ]
    if Path("/dev/full").exists():  # of Linux
        cases.append((lambda: Path("/dev/full").write_text("x"), 1, "the disk is full. Free some"))
    for call, code, sentence in cases:
        with pytest.raises(SystemExit) as stop:
            explain(call)
        out, err = capsys.readouterr()
        assert stop.value.code == code
        assert err.startswith(f"facewave: {sentence}")
        assert err.count("\n") == 1
        assert out == ""
    explain(lambda: print("done"))
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("a bug"), OSError(5, "a bug")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error), match="a bug"):
        explain(fails(error))


def test_output_goes_to_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    explain(lambda: print("✓ José: 50 % ██▃ …", flush=True))
    assert written.getvalue() == b"+ Jos\\u00e9: 50 % ##3 ...\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_control_characters_in_names_are_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    name, shown = (
        "a\x1b[2J\x07\u202e\x9b.mp4\tb\r",
        "a\\u001b[2J\\u0007\\u202e\\u009b.mp4\tb\\u000d",
    )
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)

    def show() -> None:
        print(name)
        Console().print(Table(name))
        print(f"\r{name}", end="", file=sys.stderr)  # as tqdm writes
        raise UserError(name)

    with pytest.raises(SystemExit):
        explain(show)
    assert out.getvalue().startswith(f"{shown}\n")
    assert err.getvalue() == f"\r{shown}facewave: {shown}\n"
    assert "\x1b" not in out.getvalue()
    assert (sys.stdout, sys.stderr) == (out, err)

    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    explain(lambda: print("\x1b[31mred\x1b[0m \x1b]0;title\x1b\\", end=""))
    assert terminal.getvalue() == "\x1b[31mred\x1b[0m \\u001b]0;title\\u001b\\"


def test_a_message_is_never_long(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        explain(fails(UserError("x" * 1_000_000)))
    assert len(capsys.readouterr().err) < 1600


def test_threads_that_want_silence_leave_the_terminal_as_it_was() -> None:
    def silent() -> bool:
        return os.path.samestat(os.fstat(2), os.stat(os.devnull))  # noqa: PTH116

    before, first, second = os.fstat(2), native_log_off(), native_log_off()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert silent()
    second.__exit__(None, None, None)
    assert os.path.samestat(os.fstat(2), before)

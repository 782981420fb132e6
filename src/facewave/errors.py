"""Errors for people: a clear sentence instead of a traceback, and an exit code."""

import codecs
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, NoReturn, TextIO, cast

# The packages that the light install leaves out -> the extra that brings them (pyproject.toml).
_TRAIN = ("accelerate", "dvc", "dvc_data", "dvclive", "jinja2", "onnxruntime", "sklearn", "torch",
          "torchvision")  # fmt: skip
EXTRAS = (
    dict.fromkeys(_TRAIN, "train")
    | dict.fromkeys(("peft", "transformers"), "language")
    | dict.fromkeys(("python_multipart", "starlette", "uvicorn"), "app")
    | {"mediapipe": "mediapipe"}
)
# What stands for a character that a terminal's or a log's encoding lacks.
_PLAIN = {"█": "#", "✓": "+", "✗": "x", "\N{EN DASH}": "-", "…": "...", "→": "->", "·": "."}
_LONGEST = 1500  # characters of a message
_PLAIN |= dict(zip("▁▂▃▄▅▆▇", "1234567", strict=True))


# Control characters, and those that turn the direction of writing, in names: a terminal obeys them.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_START = re.compile(r"(^\r)")  # what tqdm writes
_STYLES = re.compile(r"(^\r|\x1b\[[0-9;]*[mA])")  # what rich and tqdm write to a terminal


class UserError(Exception):
    """Something the user can fix. The message says what is wrong, where, and what to do.

    It is as short as a message should be, whatever text of a file or name of a clip is in it.
    """

    def __init__(self, message: str) -> None:
        if (more := len(message) - _LONGEST) > 0:
            message = f"{message[:_LONGEST]} ... ({more} characters more)"
        super().__init__(message)

    exit_code = 2


class UnfinishedError(UserError):
    """The machine has kept some of the work from being done; the next run tries again."""

    exit_code = 1


class _Terminated(KeyboardInterrupt):
    """SIGTERM: files are put in order as after Ctrl-C."""


def end_in_order() -> None:
    """Have Ctrl-C and SIGTERM end this program in one sentence, also while it is still loading."""

    def terminated(*_: object) -> None:
        raise _Terminated

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            _interrupted(error)
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook
    signal.signal(signal.SIGTERM, terminated)


@contextmanager
def extras() -> Iterator[None]:
    """Turn the lack of a package that an extra brings into a sentence.

    Raises:
        UserError: what is done inside needs such a package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise UserError(
            f"this needs {package}, which the light install leaves out: "
            f'pip install "facewave[{EXTRAS[package]}]"'
        ) from None


def explain(call: Callable[[], object]) -> None:
    """Run ``call``; turn what the user can fix into one sentence and a non-zero exit code.

    Output goes to any encoding: what it lacks is written in plainer characters, and control
    characters as their codes. Anything else is a bug and keeps its traceback.

    Raises:
        SystemExit: 2 for a mistake in the input, 1 for a full disk or other trouble with files,
            130 for Ctrl-C, 143 for SIGTERM.
    """
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plainer")
    stdout, stderr = (cast(TextIO, _Escaping(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(stdout), redirect_stderr(stderr):
        _explain(call)


def _explain(call: Callable[[], object]) -> None:
    try:
        with extras():
            call()
    except UserError as error:
        _stop(str(error), error.exit_code)
    except BrokenPipeError:  # whoever read our output, such as ``head``, has stopped
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f" (while writing {error.filename})" if error.filename else ""
            _stop(
                f"the disk is full{where}. Free some space and run the same command again; "
                "finished clips are kept.",
                1,
            )
        if error.filename is None:  # not about a file: a bug
            raise
        _stop(f"{error.filename}: {error.strerror}", 1)
    except KeyboardInterrupt as error:
        _interrupted(error)


class _Escaping:
    """A text stream that writes control characters out, but for colours on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text; the number of its characters."""
        pieces = (_STYLES if self._stream.isatty() else _START).split(text)
        pieces[::2] = [_CONTROLS.sub(_code, piece) for piece in pieces[::2]]
        self._stream.write("".join(pieces))
        return len(text)


def _code(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


class _Silence:
    """How many threads want silence, and what their first one took off the terminal."""

    lock = Lock()
    threads = stderr = 0


@contextmanager
def native_log_off() -> Iterator[None]:
    """Keep what a native library logs, which no setting silences, off the terminal.

    Until the last of several threads that want it is done.
    """
    with _Silence.lock:
        _Silence.threads += 1
        if _Silence.threads == 1:
            _Silence.stderr = os.dup(2)
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        with _Silence.lock:
            _Silence.threads -= 1
            if not _Silence.threads:
                os.dup2(_Silence.stderr, 2)
                os.close(_Silence.stderr)


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """The handler of characters that cannot be encoded (codecs.register_error)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    return _PLAIN.get(character, f"\\u{ord(character):04x}"), error.start + 1


def _interrupted(error: KeyboardInterrupt) -> NoReturn:
    _stop(
        "interrupted. Run the same command again to resume; finished clips are kept.",
        143 if isinstance(error, _Terminated) else 130,
    )


def _stop(sentence: str, code: int) -> NoReturn:
    print(f"facewave: {sentence}", file=sys.stderr)
    raise SystemExit(code)

"""Errors for people: a clear sentence instead of a traceback, and an exit code."""

import codecs
import errno
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn, TextIO

# The packages that the light install leaves out -> the extra that brings them (pyproject.toml).
EXTRAS = dict.fromkeys(
    ("dvc", "dvc_data", "dvclive", "jinja2", "onnxruntime", "sklearn", "torch", "torchvision"),
    "train",
) | dict.fromkeys(("accelerate", "peft", "transformers"), "language")
# What stands for a character that a terminal's or a log's encoding lacks.
_PLAIN = {"█": "#", "✓": "+", "✗": "x", "\N{EN DASH}": "-", "…": "...", "→": "->", "·": "."}
# Control characters and turned text, but for colours and what progress bars need.
_CODES = re.compile(
    r"(?!\x1b\[[0-9;]*[mAK])[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_LONGEST = 1500  # characters of a message
_PLAIN |= dict(zip("▁▂▃▄▅▆▇", "1234567", strict=True))


class UserError(Exception):
    """Something the user can fix. The message says what is wrong, where, and what to do.

    It is as short as a message should be, whatever text of a file or name of a clip is in it.
    """

    def __init__(self, message: str) -> None:
        if (more := len(message) - _LONGEST) > 0:
            message = f"{message[:_LONGEST]} ... ({more} characters more)"
        super().__init__(message)


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


def explain(call: Callable[[], None]) -> None:
    """Run ``call``; turn what the user can fix into one sentence and a non-zero exit code.

    Output goes to any encoding: what it lacks is written in plainer characters, and names' control
    characters as escapes. Anything else is a bug and keeps its traceback.

    Raises:
        SystemExit: 2 for a mistake in the input, 1 for a full disk or other trouble with files,
            130 for Ctrl-C.
    """
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plainer")
    try:
        with (
            redirect_stdout(_Harmless(sys.stdout)),
            redirect_stderr(_Harmless(sys.stderr)),
            extras(),
        ):
            call()
    except UserError as error:
        _stop(str(error), 2)
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
    except KeyboardInterrupt:
        _stop("interrupted. Run the same command again to resume; finished clips are kept.", 130)


@contextmanager
def native_log_off() -> Iterator[None]:
    """Keep what a native library logs, which no setting silences, off the terminal."""
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


class _Harmless:
    """A stream on which names of clips do nothing to the terminal: their codes are shown."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(_CODES.sub(lambda code: ascii(code[0])[1:-1], text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """The handler of characters that cannot be encoded (codecs.register_error)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    return _PLAIN.get(character, f"\\u{ord(character):04x}"), error.start + 1


def _stop(sentence: str, code: int) -> NoReturn:
    print(f"facewave: {sentence}", file=_Harmless(sys.stderr))
    raise SystemExit(code)

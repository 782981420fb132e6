"""Files whose native readers crash, or take all memory there is, if they are damaged.

They are read by a process of its own, ``python -m facewave.labels.<module> ARGUMENT...``, which
prints what it has read as JSON.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_MEMORY = 4 << 30  # bytes
_TIME_S = 120  # a table of 500,000 rows takes ten


def ask(module: str, *arguments: str) -> Any:
    """What the process of a module of this room has read.

    Raises:
        ValueError: it could not, with the reason; or it needs more memory or time than a table
            does.
    """
    command = [sys.executable, "-m", f"facewave.labels.{module}", *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=_TIME_S)
    except subprocess.TimeoutExpired:
        raise ValueError(f"it takes more than {_TIME_S} s to read") from None
    problem = " ".join(ended.stderr.decode("utf-8", "replace").split())[:200]
    if ended.returncode not in (0, 1) or "panicked" in problem:
        raise ValueError("its reader has crashed")
    if ended.returncode:
        raise ValueError(problem)
    return json.loads(ended.stdout)


def answer(read: Callable[..., Any], *errors: type[Exception]) -> None:
    """Print what ``read`` returns of the command line's arguments, or the error that it raises."""
    caught: tuple[type[Exception], ...] = (MemoryError, ValueError, *errors)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        json.dump(read(*sys.argv[1:]), sys.stdout)
    except caught as error:
        sys.exit(str(error) or type(error).__name__)

"""Keys that are pressed while a camera runs, read from the terminal one by one.

The terminal is put back as it was, however the block ends. Ctrl-C stays what it is.
"""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PAUSE, MARK, SAVE, QUIT = " ", "m", "s", "q"
HELP = "space pauses, m marks this moment, s starts and stops writing, q quits"
_KNOWN = frozenset((PAUSE, MARK, SAVE, QUIT))

Read = Callable[[], list[str]]


def known(typed: str) -> list[str]:
    """The keys that mean something, in order; an escape sequence (an arrow, say) means nothing."""
    keys, rest = [], iter(typed)
    for character in rest:
        if character == "\x1b":
            if next(rest, "") in ("[", "O"):  # up to its last character, a letter or ~
                next((end for end in rest if end.isalpha() or end == "~"), "")
        elif character.lower() in _KNOWN:
            keys.append(character.lower())
    return keys


@contextmanager
def of_terminal() -> Iterator[Read]:
    """What reads the keys pressed since the last call, without waiting; none without a terminal."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        yield list
        return
    if not _is_ours():
        yield list
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)

    def read() -> list[str]:
        typed = b""
        with suppress(OSError):  # the terminal is gone
            while select.select([file], [], [], 0)[0] and (more := os.read(file, 64)):
                typed += more
        return known(typed.decode("ascii", "ignore"))

    try:
        tty.setcbreak(file, termios.TCSANOW)
        yield read
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(file, termios.TCSADRAIN, before)


def _is_ours() -> bool:
    """Whether stdin is a terminal that this program may read: it does not run in the background."""
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # closed, or replaced
        return False

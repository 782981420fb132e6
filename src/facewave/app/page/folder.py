"""Where the page keeps clips while it works on them: a folder that nobody else can read.

All servers of a user have theirs below one folder, each with a lock that the system takes back when
its process ends, however it ends. So a new server finds what killed ones have left, and deletes it.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from facewave.errors import UserError

_LOCK = ".lock"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder of this server's own, deleted at the end; leftovers of killed servers are, too.

    Raises:
        UserError: somebody else has put something in its place.
    """
    home = Path(tempfile.gettempdir()) / f"facewave-app-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UserError(
            f"{home} is not a folder that only you can use. Delete it, or set TMPDIR to another "
            "folder for temporary files."
        )
    with FileLock(home / _LOCK):
        for left in home.iterdir():
            if left.is_dir() and _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=home))
        lock = FileLock(folder / _LOCK)
        lock.acquire()
    try:
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether no server holds a folder any more."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True

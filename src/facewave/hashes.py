"""SHA-256 of files, remembered while a file keeps its size, time and inode.

Otherwise a run over 40,000 clips would have to read them all to find that nothing has changed.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from facewave.files import sha256

_TABLE = """CREATE TABLE IF NOT EXISTS hashes
            (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, inode INTEGER, sha256 TEXT)"""
_SETTLED_S = 2.0  # a file changed more recently may change again within its clock's tick


@contextmanager
def remembered(store: Path) -> Iterator[Callable[[Path], str]]:
    """A function like ``files.sha256`` that reads a file only if it has changed.

    ``store`` is an SQLite file that processes share; a damaged one is replaced.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    with closing(_open(store)) as database:

        def digest(file: Path) -> str:
            path, status = str(file.absolute()), file.stat()
            state = (status.st_size, status.st_mtime_ns, status.st_ino)
            row = database.execute(
                "SELECT size, mtime, inode, sha256 FROM hashes WHERE path = ?", (path,)
            ).fetchone()
            if row and row[:3] == state:
                return str(row[3])
            hexdigest = sha256(file)
            if time.time() - status.st_mtime > _SETTLED_S:
                row = (path, *state, hexdigest)
                database.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", row)
            return hexdigest

        yield digest


def _open(store: Path) -> sqlite3.Connection:
    database = sqlite3.connect(store, timeout=60, isolation_level=None)  # commits each insertion
    try:
        database.execute("PRAGMA journal_mode = WAL")  # readers and a writer at the same time
        database.execute("PRAGMA synchronous = OFF")  # what a power cut loses is read again
        database.execute(_TABLE)
    except sqlite3.DatabaseError:
        database.close()
        store.unlink()
        database = sqlite3.connect(store, timeout=60, isolation_level=None)
        database.execute(_TABLE)
    return database

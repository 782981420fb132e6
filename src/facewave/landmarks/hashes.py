"""SHA-256 of files, remembered as long as a file keeps its size, time and inode.

Whoever runs again over 40,000 clips should not have to read them all to find that nothing changed.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from facewave.files import sha256

_TABLE = """CREATE TABLE IF NOT EXISTS hashes
            (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, inode INTEGER, sha256 TEXT)"""
_SETTLED = 2.0  # s: a file that changed just now may change again within its clock's tick


@contextmanager
def remembered(store: Path) -> Iterator[Callable[[Path], str]]:
    """A function like ``files.sha256`` that reads a file only if it changed.

    Args:
        store: an SQLite file of ours, shared by processes; a damaged one is made anew.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    with closing(_open(store)) as known:

        def digest(file: Path) -> str:
            path, now = str(file.absolute()), file.stat()
            state = (now.st_size, now.st_mtime_ns, now.st_ino)
            row = known.execute(
                "SELECT size, mtime, inode, sha256 FROM hashes WHERE path = ?", (path,)
            ).fetchone()
            if row and row[:3] == state:
                return str(row[3])
            found = sha256(file)
            if time.time() - now.st_mtime > _SETTLED:
                known.execute(
                    "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", (path, *state, found)
                )
                known.commit()
            return found

        yield digest


def _open(store: Path) -> sqlite3.Connection:
    known = sqlite3.connect(store, timeout=60)
    try:
        known.execute("PRAGMA journal_mode = WAL")  # readers and a writer at the same time
        known.execute("PRAGMA synchronous = OFF")  # what a power cut loses is read again
        known.execute(_TABLE)
    except sqlite3.DatabaseError:
        known.close()
        store.unlink()
        known = sqlite3.connect(store, timeout=60)
        known.execute(_TABLE)
    return known

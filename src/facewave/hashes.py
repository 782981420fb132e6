"""SHA-256 of files, remembered while a file keeps its size, time and inode.

Otherwise a run over 40,000 clips would have to read them all to find that nothing has changed.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from facewave.files import cache_folder, sha256

_Row = tuple[str, int, int, int, str]  # path, size, mtime, inode, SHA-256
_TABLE = """CREATE TABLE IF NOT EXISTS checked
            (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, inode INTEGER, sha256 TEXT,
             sum TEXT)"""
_INSERT = "INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?, ?, ?)"
_SETTLED_S = 2.0  # a file changed more recently may change again within its clock's tick
_PATIENCE_S = 10.0  # with another process's lock; then hashes are no longer kept


def of_clips() -> Path:
    """The store of clips' hashes, which all stages that look at clips share."""
    return cache_folder("landmarks") / "hashes.sqlite"


@contextmanager
def remembered(store: Path) -> Iterator[Callable[[Path], str]]:
    """A function like ``files.sha256`` that reads a file only if it has changed.

    ``store`` is an SQLite file that processes share. One that is damaged is replaced, a damaged row
    is not believed, and where nothing can be written or read, files are read instead.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    trouble = ""
    with closing(_open(store)) as database:

        def ask(statement: str, values: tuple[object, ...]) -> tuple[object, ...] | None:
            nonlocal trouble
            try:
                return None if trouble else database.execute(statement, values).fetchone()
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                trouble = str(error)
                return None

        def digest(file: Path) -> str:
            path, status = str(file.absolute()), file.stat()
            state = (status.st_size, status.st_mtime_ns, status.st_ino)
            row = ask("SELECT * FROM checked WHERE path = ?", (path,))
            if row and row[1:4] == state and row[5] == _sum((path, *state, str(row[4]))):
                return str(row[4])
            hexdigest = sha256(file)
            if time.time() - status.st_mtime > _SETTLED_S:
                kept = (path, *state, hexdigest)
                ask(_INSERT, (*kept, _sum(kept)))
            return hexdigest

        yield digest
    if trouble and "locked" not in trouble:
        with suppress(OSError):  # a folder that cannot be written to
            forget(store)


def forget(store: Path) -> None:
    """Remember nothing any more: a file has changed and kept its size, time and inode."""
    for suffix in ("", "-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)


def _sum(row: _Row) -> str:
    """The checksum of a row, which SQLite has none of."""
    return hashlib.sha256(repr(row).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _open(store: Path) -> sqlite3.Connection:
    """The store, rebuilt if it is damaged; one in memory where there can be no file."""
    for place in (store, store, ":memory:"):
        try:
            # Every insertion is committed.
            database = sqlite3.connect(place, timeout=_PATIENCE_S, isolation_level=None)
            database.execute("PRAGMA journal_mode = WAL")  # readers and a writer at the same time
            database.execute("PRAGMA synchronous = OFF")  # what a power cut loses is read again
            database.execute(_TABLE)
            (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if state == "ok":
                break
            database.close()
            forget(store)
        except sqlite3.OperationalError:  # read-only, locked, or on a share without locks
            continue
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            forget(store)
    return database

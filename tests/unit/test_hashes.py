"""Hashes that are remembered: right whenever a file changed, and read only then."""

import os
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from facewave import hashes
from facewave.files import sha256
from facewave.hashes import forget, remembered


def write(path: Path, content: bytes, age: float = 60) -> Path:
    """A file that was written some seconds ago."""
    path.write_bytes(content)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def digest(file: Path) -> str:
    with remembered(file.with_name("h.sqlite")) as of:
        return of(file)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which files were read."""
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return sha256(path)

    monkeypatch.setattr(hashes, "sha256", counted)
    return read


def test_an_unchanged_file_is_read_once_one_of_this_moment_again(
    tmp_path: Path, reads: list[Path]
) -> None:
    old, new = write(tmp_path / "a.mp4", b"one"), write(tmp_path / "b.mp4", b"two", age=0)
    for _ in range(3):
        assert [digest(file) for file in (old, new)] == [sha256(old), sha256(new)]
    assert reads == [old, new, new, new]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mp4", b"one")
    digest(file)
    for age, content in ((30, b"two"), (30, b"longer")):
        assert digest(write(file, content, age)) == sha256(file)
    other = tmp_path / "other"  # another file with the same size and time
    other.write_bytes(b"looker")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert digest(file) == sha256(file)


def test_a_damaged_store_is_replaced(tmp_path: Path, reads: list[Path]) -> None:
    (tmp_path / "h.sqlite").write_bytes(b"no database, but as long as a file of one" * 50)
    file = write(tmp_path / "a.mp4", b"one")
    assert [digest(file) for _ in range(2)] == [sha256(file)] * 2
    assert reads == [file]


def test_a_row_that_is_not_as_it_was_written_is_not_believed(tmp_path: Path) -> None:
    file, store = write(tmp_path / "a.mp4", b"one"), tmp_path / "h.sqlite"
    true = digest(file)
    for column, value in (("sha256", "0" * 64), ("sum", "0" * 16), ("size", None)):
        with closing(sqlite3.connect(store)) as database, database:
            assert database.execute(f"UPDATE checked SET {column} = ?", (value,)).rowcount == 1
        assert digest(file) == true


def test_flipped_bytes_of_the_store_never_give_a_wrong_hash(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}.mp4", b"%d" % n) for n in range(30)]
    store = tmp_path / "h.sqlite"
    with remembered(store) as of:
        hashed = [of(file) for file in files]
    whole, draw = store.read_bytes(), random.Random(0)
    for _ in range(100):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        forget(store)
        store.write_bytes(flipped)
        with remembered(store) as of:
            assert [of(file) for file in files] == hashed


def test_where_no_store_can_be_kept_files_are_read(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.mp4", b"one")
    (tmp_path / "h.sqlite").mkdir()  # no file can be there
    assert [digest(file) for _ in range(2)] == [sha256(file)] * 2
    (tmp_path / "h.sqlite").rmdir()
    monkeypatch.setattr(hashes, "_PATIENCE_S", 0.01)
    digest(file)
    with closing(sqlite3.connect(tmp_path / "h.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")  # another process hangs
        assert digest(write(tmp_path / "b.mp4", b"two")) == sha256(tmp_path / "b.mp4")

"""Hashes that are remembered: right whenever a file changed, and read only then."""

import os
import time
from pathlib import Path

import pytest

from facewave import hashes
from facewave.files import sha256
from facewave.hashes import remembered


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

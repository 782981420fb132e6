"""Hashes that are remembered: right whenever a file changed, and read only then."""

import os
import time
from pathlib import Path

import pytest

from facewave.files import sha256
from facewave.landmarks import hashes
from facewave.landmarks.hashes import remembered


def write(path: Path, content: bytes, age: float = 60) -> Path:
    """A file that was written some seconds ago."""
    path.write_bytes(content)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def digest(store: Path, file: Path) -> str:
    with remembered(store) as of:
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


def test_an_unchanged_file_is_read_once(tmp_path: Path, reads: list[Path]) -> None:
    file = write(tmp_path / "a.mp4", b"one")
    found = [digest(tmp_path / "h.sqlite", file) for _ in range(3)]
    assert found == [sha256(file)] * 3
    assert reads == [file]


@pytest.mark.parametrize("content", [b"two", b"longer"])
def test_a_changed_file_is_read_again(tmp_path: Path, content: bytes) -> None:
    file = write(tmp_path / "a.mp4", b"one")
    before = digest(tmp_path / "h.sqlite", file)
    write(file, content, age=30)
    assert digest(tmp_path / "h.sqlite", file) == sha256(file) != before


def test_another_file_in_its_place_is_read_though_size_and_time_agree(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mp4", b"one")
    digest(tmp_path / "h.sqlite", file)
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert digest(tmp_path / "h.sqlite", file) == sha256(file)


def test_a_file_of_this_moment_is_not_remembered(tmp_path: Path, reads: list[Path]) -> None:
    file = write(tmp_path / "a.mp4", b"one", age=0)
    for _ in range(2):
        digest(tmp_path / "h.sqlite", file)
    assert reads == [file, file]


def test_a_damaged_store_is_made_anew(tmp_path: Path) -> None:
    store = tmp_path / "h.sqlite"
    store.write_bytes(b"no database, but long enough to look like a file of one" * 40)
    file = write(tmp_path / "a.mp4", b"one")
    assert digest(store, file) == sha256(file)
    assert digest(store, file) == sha256(file)

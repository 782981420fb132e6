"""Files are whole or not at all, and the same bytes from the same input."""

import hashlib
import json
import os
import queue
import stat
import threading
from pathlib import Path

import pandas as pd
import pytest

from facewave.files import locked, replacing, sha256, write_csv, write_json

TABLE = pd.DataFrame(
    {"word": ["happy", "größe, 表情", 'say "x"', ""], "share": [0.1, 1e-9, None, 3.0]}
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.csv"
    for content in ("old", "new"):
        with replacing(path) as temporary:
            assert temporary.parent == path.parent  # a rename within one file system is atomic
            assert temporary.suffix == ".csv"  # writers choose the format by it
            temporary.write_text(content, "utf-8")
            assert not path.exists() or path.read_text("utf-8") == "old"
        assert path.read_text("utf-8") == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o644  # others may read
    assert names(path.parent) == ["b.csv"]


def test_the_old_file_stays_when_the_block_raises(tmp_path: Path) -> None:
    def fail(error: BaseException) -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half of the n", "utf-8")
            raise error

    for before in ([], ["a.txt"]):
        for error in (RuntimeError("x"), KeyboardInterrupt(), SystemExit(1)):
            with pytest.raises(type(error)):
                fail(error)
            assert names(tmp_path) == before
        (tmp_path / "a.txt").write_text("old", "utf-8")
    assert (tmp_path / "a.txt").read_text("utf-8") == "old"


def test_a_linked_cache_is_never_written_through(tmp_path: Path) -> None:
    for link in (os.symlink, os.link):
        cached, path = tmp_path / f"{link.__name__}.cached", tmp_path / f"{link.__name__}.json"
        cached.write_text("cached", "utf-8")
        link(cached, path)
        write_json(path, {"a": 1})
        assert cached.read_text("utf-8") == "cached"
        assert json.loads(path.read_text("utf-8")) == {"a": 1}


def test_a_locked_folder_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, order = tmp_path / "a/b", []
    printed: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr("facewave.files.print", printed.put, raising=False)

    def wait() -> None:
        with locked(folder):
            order.append("second")

    waiting = threading.Thread(target=wait, daemon=True)
    with locked(folder):
        assert list(folder.iterdir()) == []
        waiting.start()
        expected = f"another run is at work in {folder}; waiting for it to end"
        assert printed.get(timeout=60) == expected
        order.append("first")
    waiting.join(timeout=60)
    assert order == ["first", "second"]
    with locked(folder):
        assert printed.empty()


def test_json_is_the_same_bytes_twice_in_the_order_given(tmp_path: Path) -> None:
    content = {"b": 0.1, "a": {"word": "größe", "none": None}, "c": [1, 2]}
    write_json(tmp_path / "1.json", content)
    write_json(tmp_path / "2.json", content)
    written = (tmp_path / "1.json").read_bytes()
    assert written == (tmp_path / "2.json").read_bytes()
    assert list(json.loads(written)) == ["b", "a", "c"]
    assert written.startswith(b'{\n  "b": 0.1,\n')
    assert written.endswith(b"\n}\n")
    assert "größe".encode() in written
    assert sha256(tmp_path / "1.json") == hashlib.sha256(written).hexdigest()


def test_csv_is_the_same_bytes_twice_with_plain_line_ends(tmp_path: Path) -> None:
    write_csv(tmp_path / "1.csv", TABLE)
    write_csv(tmp_path / "2.csv", TABLE.set_index(pd.Index([7, 3, 9, 1])))  # no index is written
    written = (tmp_path / "1.csv").read_bytes()
    assert written == (tmp_path / "2.csv").read_bytes()
    assert written.decode("utf-8") == (
        'word,share\nhappy,0.1\n"größe, 表情",1e-09\n"say ""x""",\n,3.0\n'
    )

"""Files are whole or not at all, and the same bytes from the same input."""

import hashlib
import io
import json
import os
import queue
import stat
import threading
from pathlib import Path

import pandas as pd
import pytest

from facewave.files import (
    for_spreadsheets,
    locked,
    read_csv,
    replacing,
    sha256,
    write_csv,
    write_json,
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


def test_json_and_csv_keep_the_order_given_with_plain_line_ends(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 0.1, "a": {"word": "größe", "none": None}})
    written = (tmp_path / "a.json").read_bytes()
    assert written.decode("utf-8") == (
        '{\n  "b": 0.1,\n  "a": {\n    "word": "größe",\n    "none": null\n  }\n}\n'
    )
    assert sha256(tmp_path / "a.json") == hashlib.sha256(written).hexdigest()
    words = ["happy", "größe, 表情", 'say "x"', ""]
    table = pd.DataFrame({"word": words, "share": [0.1, 1e-9, None, 3.0]}, index=[7, 3, 9, 1])
    write_csv(tmp_path / "a.csv", table)  # no index is written
    assert (tmp_path / "a.csv").read_bytes().decode("utf-8") == (
        'word,share\nhappy,0.1\n"größe, 表情",1e-09\n"say ""x""",\n,3.0\n'
    )


def test_text_is_never_taken_for_a_missing_value(tmp_path: Path) -> None:
    names = ["NA", "null", "nan", "007", "", "True", "1e5", "N/A", "-", 'ä, "b"\n']
    table = pd.DataFrame({"name": names, "number": [0.1 + 0.2, None, *range(8)]})
    table["count"] = pd.array([None, *range(9)], "Int64")
    write_csv(tmp_path / "a.csv", table)
    for file in (tmp_path / "a.csv", io.BytesIO((tmp_path / "a.csv").read_bytes())):
        found = read_csv(file, ("name", "absent"), {"count": "Int64"})
        assert found["name"].tolist() == names
        pd.testing.assert_frame_equal(found[["number", "count"]], table[["number", "count"]])
    assert read_csv(tmp_path / "a.csv")["name"].isna().sum() == 1
    write_csv(tmp_path / "b.csv", pd.DataFrame({"name": ["NA", "a"], "number": ["nan", "1"]}))
    with pytest.raises(ValueError, match="nan"):
        read_csv(tmp_path / "b.csv", ("name",), {"number": "Int64"})


def test_no_cell_is_a_formula_and_numbers_stay() -> None:
    cells = ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "-1.5", "+3", "a=b", "", None]
    shown = for_spreadsheets(pd.DataFrame({"a": cells, "n": [-1.0] * len(cells)}))
    expected = ["'=1+1", "'+cmd", "'-x", "'@SUM(A1)", "'\t=1", *cells[5:]]
    assert shown["a"].tolist()[:-1] == expected[:-1]
    assert shown["a"].isna().sum() == 1
    assert shown["n"].tolist() == [-1.0] * len(cells)

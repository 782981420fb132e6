"""Tables of features in the layouts that other tools write, and what is refused of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corpora import write
from facewave.errors import UserError
from facewave.functionals import Functionals, read
from facewave.params import FeatureTable
from miniatures import npy

OPENFACE = "AU01_r, AU12_r, AU12_c, name\n0.5, 1.25, 1, a\n0, 2e-1, 0, b\n"
CHOSEN = FeatureTable("means.csv", "name", ["AU*_r"])


def of_text(
    folder: Path, text: str, table: FeatureTable = CHOSEN, **labels: list[str]
) -> Functionals:
    (folder / table.table).write_text(text, "utf-8")
    return read(folder, table, **labels)


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame({"AU01_r": [0.5, 0], "AU12_r": [1.25, 0.2], "name": ["a", "b"]})
    frame.assign(note="text", AU12_c=[1, 0]).to_parquet(tmp_path / "means.parquet")
    np.save(tmp_path / "means.npy", frame[["AU01_r", "AU12_r"]].to_numpy(np.float32))
    (tmp_path / "means.txt").write_text("a\nb\n", "utf-8")
    tables = [
        of_text(tmp_path, OPENFACE),
        of_text(tmp_path, "\ufeff" + OPENFACE.replace(",", ";")),
        of_text(tmp_path, OPENFACE.replace(", ", "\t").replace("a\n", "'a'\n\n")),
        read(tmp_path, FeatureTable("means.parquet", "name", ["AU12_r", "AU01*"])),
        read(tmp_path, FeatureTable("means.npy")),
    ]
    for table in tables:
        assert list(table.rows) == ["a", "b"]
        assert table.problems == {}
        np.testing.assert_array_equal(
            table.numbers_nD, np.array([[0.5, 1.25], [0, 0.2]], np.float32)
        )
    assert {table.columns for table in tables[:-1]} == {("AU01_r", "AU12_r")}
    assert tables[-1].columns == ("0", "1")
    assert [list(table.rows.values()) for table in tables[1:4]] == [[2, 3], [2, 4], [1, 2]]


def test_what_is_no_finite_number_is_named_with_row_and_column(tmp_path: Path) -> None:
    for cell, written in (
        ("x", "'x'"),
        ("", "''"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1e39", "1e+39"),
    ):
        table = of_text(tmp_path, OPENFACE.replace("2e-1", cell))
        problem = f"means.csv, row 3: AU12_r is {written}, not a finite number"
        assert table.problems == {"b": problem}, cell
        assert np.isfinite(table.numbers_nD[0]).all()


def test_labels_of_the_same_table_are_no_features(tmp_path: Path) -> None:
    text = "name,label,x\na,1,0.5\n"
    every = FeatureTable("means.csv", "name", ["*"])
    assert of_text(tmp_path, text, every, labels=["name", "label"]).columns == ("x",)
    with pytest.raises(UserError, match=r"which of its columns are features.*AU\*_r; it has x"):
        of_text(tmp_path, text, FeatureTable("means.csv", "name"), labels=["label"])
    with pytest.raises(UserError, match=r"no column fits 'label' of features\.columns; it has x"):
        of_text(tmp_path, text, FeatureTable("means.csv", "name", ["label"]), labels=["label"])


NPY = FeatureTable("means.npy")
PARQUET = FeatureTable("means.parquet", "name", ["*"])
SQUARE = npy(np.ones((2, 2)))
REFUSED: dict[str, tuple[dict[str, str | bytes], FeatureTable]] = {
    r"means\.csv is not here.*features\.table": ({}, CHOSEN),
    r"rows 2 and 4 are both of the clip 'a'": ({"means.csv": OPENFACE + "1, 1, 1, a\n"}, CHOSEN),
    r"row 4 names no clip": ({"means.csv": OPENFACE + "1, 1, 1, \n"}, CHOSEN),
    r"row 4 has 3 fields, its header 4": ({"means.csv": OPENFACE + "1, 1, c\n"}, CHOSEN),
    r"no column 'clip', by which.*it has AU01_r, AU12_r": (
        {"means.csv": OPENFACE},
        FeatureTable("means.csv", "clip", ["*"]),
    ),
    r"no column fits 'F0\*'": (
        {"means.csv": OPENFACE},
        FeatureTable("means.csv", "name", ["AU*", "F0*"]),
    ),
    r"'AU12_r' is there twice": ({"means.csv": OPENFACE.replace("12_c", "12_r")}, CHOSEN),
    r"column without any number \(means\.csv, row 2: AU01_r is 'x'\)": (
        {"means.csv": "AU01_r,name\nx,a\ny,b\n"},
        CHOSEN,
    ),
    r"means\.csv has no rows": ({"means.csv": "AU01_r,name\n"}, CHOSEN),
    r"means\.csv is no readable table": ({"means.csv": b"\xff\xfe\xff"}, CHOSEN),
    r"means\.parquet is no readable table": ({"means.parquet": "no parquet"}, PARQUET),
    r"column 'note' has no numbers, but .*string": (
        {"means.parquet": pd.DataFrame({"name": ["a"], "note": ["x"]}).to_parquet()},
        PARQUET,
    ),
    r"means\.txt is not here": ({"means.npy": SQUARE}, NPY),
    r"array \(2, 2\) of float64, and means\.txt names 1": (
        {"means.npy": SQUARE, "means.txt": "a\n"},
        NPY,
    ),
    r"means\.npy is no readable table": (  # an array of objects, which only pickle could read
        {"means.npy": npy({"a": 1}), "means.txt": "a\n"},
        NPY,
    ),
    r"means\.npy is no readable table \(\('EOF": (  # numpy's own slips: half a header
        {"means.npy": SQUARE.replace(b"}", b" "), "means.txt": "a\nb\n"},
        NPY,
    ),
    r"means\.npy is no readable table \(No data": ({"means.npy": b"", "means.txt": "a\n"}, NPY),
    r"means\.npy is no readable table \(Python int": (
        {"means.npy": SQUARE.replace(b"(2, 2)", b"(2" + b"9" * 20 + b", 2)"), "means.txt": "a\n"},
        NPY,
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_no_table_is_refused(message: str, tmp_path: Path) -> None:
    files, table = REFUSED[message]
    for name, content in files.items():
        write(tmp_path, name, content)
    with pytest.raises(UserError, match=message):
        read(tmp_path, table)

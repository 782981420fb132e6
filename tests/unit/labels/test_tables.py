"""Foreign tables, read strictly: encodings, ragged rows, quotes, spreadsheets, numbers."""

import csv
import os
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import tables

SIMPLE = "a,b\n1,x\n2,y\n"


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, *needed: str, encoding: str = "utf-8") -> str:
    with pytest.raises(UserError) as caught:
        tables.rows(path, needed, encoding=encoding)
    assert path.name in str(caught.value)
    return str(caught.value)


def sheet(path: Path, *lines: list[object]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for line in lines:
        book.active.append(line)
    book.save(path)
    return path


# Text.


def test_a_byte_order_mark_says_which_encoding(tmp_path: Path) -> None:
    for encoding in ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "utf-16-be-mark"]:
        plain = encoding.removesuffix("-mark")
        mark = "\ufeff" if plain != encoding else ""
        path = write(tmp_path, (mark + "ä,b\n1,é\n").encode(plain))
        assert tables.rows(path, ("ä",)) == [(2, {"ä": "1", "b": "é"})]


def test_without_a_mark_nothing_is_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,é\n".encode("latin-1"))
    assert "is not UTF-8 (byte 6). Save it as UTF-8" in refusal(path, "a")
    assert tables.rows(path, ("a",), encoding="latin-1") == [(2, {"a": "1", "b": "é"})]
    path = write(tmp_path, "a\né\n".encode("utf-8-sig"))
    assert tables.rows(path, ("a",), encoding="gb18030") == [(2, {"a": "é"})]
    path = write(tmp_path, SIMPLE.encode("utf-16")[:-1])
    assert "is not UTF-16" in refusal(path, "a")
    path = write(tmp_path, SIMPLE.encode() * 20_000 + b"\xfc")
    assert f"byte {len(SIMPLE) * 20_000}" in refusal(path, "a")


def test_what_is_no_encoding_is_told(tmp_path: Path) -> None:
    for encoding in ["klingon", "base64", "undefined", "punycode", "a\0b"]:
        with pytest.raises(UserError, match="encoding"):
            tables.text(write(tmp_path, SIMPLE), encoding)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    assert "is not here. Put the corpus's file there" in refusal(tmp_path / "none.csv")
    assert "is not here" in refusal(write(tmp_path, "x", "file") / "t.csv")
    for name in ("f.csv", "f.xlsx"):
        (tmp_path / name).mkdir()
        assert "is a folder, not a table" in refusal(tmp_path / name)
    assert "is not here" in refusal(tmp_path / "none.xlsx")


# Rows.


def test_lines_and_fields_come_without_what_surrounds_them(tmp_path: Path) -> None:
    for content in [
        SIMPLE,
        SIMPLE.replace("\n", "\r\n"),
        SIMPLE.replace("\n", "\r"),
        SIMPLE.rstrip("\n"),
        ' a , b\n1,"x"\n"2",\ty\u3000\n',
    ]:
        found = tables.rows(write(tmp_path, content), ("a", "b"))
        assert found == [(2, {"a": "1", "b": "x"}), (3, {"a": "2", "b": "y"})]


def test_the_header_tells_the_separator_and_a_cell_of_several_lines_becomes_one(
    tmp_path: Path,
) -> None:
    for mark, end, needed in (("\t", "\n", ("a",)), (";", "\r", ("b, c", "a"))):
        path = write(tmp_path, end.join([f'a{mark}"b, c"', f"1,5{mark}x"]))
        assert tables.rows(path, needed) == [(2, {"a": "1,5", "b, c": "x"})]
    path = write(tmp_path, 'a;"b, c";d\n1;2;3\n')
    assert tables.rows(path, ()) == [(2, {"a": "1", "b, c": "2", "d": "3"})]
    long = write(tmp_path, f'"a";"{"b" * 200_000}"\n1;x\n')
    assert "no regular CSV: row 1: field larger than field limit" in refusal(long, "a")
    path = write(tmp_path, 'a,b\n1,"x\r\n\ny"\n2,"say ""hi"", ok"\n')
    cells = [(2, {"a": "1", "b": "x y"}), (5, {"a": "2", "b": 'say "hi", ok'})]
    assert tables.rows(path, ("a",)) == cells


def test_an_empty_row_stays(tmp_path: Path) -> None:
    for empty in ["", ",", " , ", "   "]:
        found = tables.rows(write(tmp_path, f"a,b\n{empty}\n2,y\n"), ("a",))
        assert found == [(2, {"a": "", "b": ""}), (3, {"a": "2", "b": "y"})]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    cases: list[tuple[str, tuple[str, ...], str]] = [
        *((f"{SIMPLE}{row}\n", ("a",), f"row 4 has {fields} fields, its header 2")
          for row, fields in [("1,x,", 3), ("1", 1), ("1,x,y,z", 4)]),
        *((f"a,b\n{row}\n", ("a",), "is no regular CSV: row 2: ")
          for row in ('1,"x', '1,"x"y', f"1,{'x' * 200_000}")),
        ("", ("a",), "is empty"),
        ("a,b\n", ("a",), "has no rows below its header"),
        (SIMPLE, ("a", "c"), "column 'c' is missing; it has a, b."),
        (SIMPLE.replace(",", "|"), ("a",), "column 'a' is missing; it has a|b."),
        ("\n" + SIMPLE, ("a",), "column 'a' is missing"),
        ("a, a\n1,2\n", ("a",), "column 'a' is there twice"),
    ]  # fmt: skip
    for content, needed, message in cases:
        assert message in refusal(write(tmp_path, content), *needed)


def test_only_columns_that_are_read_must_not_be_there_twice(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,b\n1,2,3\n")
    assert tables.rows(path, ("a",))[0][1]["a"] == "1"
    with pytest.raises(UserError, match="column 'b' is there twice"):
        tables.rows(path, ("a",), ("b",))


# Lists.


def test_a_list_has_no_header_and_its_last_field_may_hold_the_separator(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeff1.mp4 happy\r\n\r\n 2.mp4  sad or not \n", "t.txt")
    assert tables.lines(path, " ", 2) == [
        (1, {"0": "1.mp4", "1": "happy"}),
        (3, {"0": "2.mp4", "1": "sad or not"}),
    ]
    path = write(tmp_path, "1.mp4\tneutral\t\t\r\n", "t.txt")
    assert tables.lines(path, "\t", 4) == [(1, {"0": "1.mp4", "1": "neutral", "2": "", "3": ""})]
    with pytest.raises(UserError, match=r"t\.txt is empty"):
        tables.lines(write(tmp_path, "\n \r\n", "t.txt"), " ", 2)


def test_a_line_with_fewer_fields_is_named(tmp_path: Path) -> None:
    for line in ["1.mp4", "1.mp4\thappy", "\thappy\tx"]:
        path = write(tmp_path, f"0.mp4\tsad\tx\n{line}\n", "t.txt")
        with pytest.raises(UserError, match=r"t\.txt, row 2: .* has not the 3 fields"):
            tables.lines(path, "\t", 3)


# Spreadsheets.


def test_a_spreadsheet_says_what_a_text_would(tmp_path: Path) -> None:
    cells: list[list[object]] = [["a", "b", None], [1, "x"], [2.0, 0.5], [None, None]]
    cells += [["007", " two\nlines "], [-3, 123456789012]]
    texts = [("1", "x"), ("2", "0.5"), ("", ""), ("007", "two lines"), ("-3", "123456789012")]
    rows = [(line, {"a": a, "b": b}) for line, (a, b) in enumerate(texts, start=2)]
    assert tables.rows(sheet(tmp_path / "t.xlsx", *cells), ("a",)) == rows


def test_what_is_no_table_in_a_spreadsheet_is_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path / "t.xlsx", ["a", None, "b"], [1, "remark", 2, "more"])
    assert tables.rows(path, ("a",)) == [(2, {"a": "1", "b": "2"})]
    assert "is empty" in refusal(sheet(tmp_path / "t.xlsx"), "a")
    path = sheet(tmp_path / "t.xlsx", [], [], ["a"], [1])
    assert "column 'a' is missing" in refusal(path, "a")
    for name in ["t.xlsx", "t.xls"]:
        message = refusal(write(tmp_path, SIMPLE, name), "a")
        assert "is no readable spreadsheet" in message
        assert "Get it again, or save it as CSV" in message


def test_a_sheet_that_needs_all_memory_is_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path / "t.xlsx", ["a", "b"], [1, "x"], [2, "y"])
    book = openpyxl.load_workbook(path)
    assert book.active is not None
    book.active["XFD1048576"] = "x"
    book.save(path)
    assert "(its reader has crashed)" in refusal(path, "a")


@pytest.fixture(scope="module")
def spreadsheet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sheet") / "t.xlsx"
    return sheet(path, ["a", "b"], [1, "x"], [2, "y"]).read_bytes()


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=4)
)
@example(cut=0, flips=[])
@example(cut=1, flips=[])
def test_a_damaged_spreadsheet_is_refused_or_says_the_same(
    tmp_path: Path, spreadsheet: bytes, cut: float, flips: list[tuple[float, int]]
) -> None:
    content = bytearray(spreadsheet)
    for at, mask in flips:
        content[int(at * (len(content) - 1))] ^= mask
    path = write(tmp_path, bytes(content[: int(cut * len(content))]), "t.xlsx")
    try:
        found = tables.rows(path, ("a", "b"))
    except UserError:
        return
    assert found == [(2, {"a": "1", "b": "x"}), (3, {"a": "2", "b": "y"})]


# Numbers.


def test_whole_numbers() -> None:
    for field, number in [("0", 0), ("007", 7), ("-12", -12), ("1" * 9, 111111111), ("2.0", 2)]:
        assert tables.whole(field, "x") == number
    assert tables.count("0", "x") == 0
    with pytest.raises(tables.Unusable, match=r"^votes is '-1', below 0$"):
        tables.count("-1", "votes")
    for field in [
        "", "x", "1.5", "1e3", "+1", "²", "٣", "1 0", "1_0", "--1", "1" * 10, "9" * 5000, "0x1",
        "1\n",
    ]:  # fmt: skip
        with pytest.raises(tables.Unusable, match=r"^votes is .*, not a whole number$") as caught:
            tables.whole(field, "votes")
        assert len(str(caught.value)) < 100


def test_real_numbers() -> None:
    for field, number in [("0.5", 0.5), ("-1", -1.0), ("1e-2", 0.01), (".5", 0.5), ("0,5", 0.5)]:
        assert tables.real(field, "x") == number
    for field in ["", "x", "nan", "inf", "-Infinity", "1e999", "1_0", "1,500", "0x1"]:
        with pytest.raises(tables.Unusable, match=r"^valence is .*, not a number$"):
            tables.real(field, "valence")


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_comes_back(number: float) -> None:
    assert tables.real(repr(number), "x") == number


@given(text=st.text(max_size=30))
def test_a_clean_field_is_one_line_without_surrounding_blanks(text: str) -> None:
    field = tables.clean(text)
    assert len(field.splitlines()) <= 1
    assert field == field.strip() == tables.clean(field)
    assert "\0" not in field


FIELD = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters="\ufeff"), min_size=1
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=5))
def test_what_a_csv_writer_writes_comes_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b"), *rows])
    found = tables.rows(tmp_path / "t.csv", ("a", "b"))
    assert [(values["a"], values["b"]) for _, values in found] == rows


def test_pipes_devices_and_huge_files_are_no_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "pipe.xlsx")
    for path in (tmp_path / "pipe.csv", tmp_path / "pipe.xlsx", Path("/dev/zero")):
        with pytest.raises(UserError, match="is a pipe or a device, not a table"):
            tables.rows(path, ("a",))
    (tmp_path / "long.csv").write_text("a\n" * 100)
    assert len(tables.rows(tmp_path / "long.csv", ("a",))) == 99
    monkeypatch.setattr(tables, "_LARGEST", 199)
    with pytest.raises(UserError, match="more than any table of labels"):
        tables.rows(tmp_path / "long.csv", ("a",))

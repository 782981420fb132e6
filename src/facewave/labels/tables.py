"""Tables and lists of other people, read strictly: errors are refused with their row.

Readers get fields as text without surrounding blanks. The encoding is that of the byte-order mark,
otherwise the one that the corpus declares, by default UTF-8; the separator is the one that the
header tells. Nothing else is guessed.
"""

import codecs
import csv
import io
import math
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from facewave.errors import UserError
from facewave.labels import apart
from facewave.labels.schema import Reason

Row = tuple[int, dict[str, str]]

_SEPARATORS = (",", ";", "\t")
_BREAKS = re.compile(r"[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+")  # in a cell: one row, one line
LINE_ENDS = re.compile(r"\r\n?|\n")
SHEETS = (".xlsx", ".xls")
_LARGEST = 2**30  # bytes of a text; FER2013, with its pictures in it, has 0.3 GB
_LONGEST_HEADER = 2**16  # characters; a field that csv takes has twice as many
_STRONGEST = 5  # intensity of an action unit
_DIGITS = 9  # more is no clip, no fold and no count
# How tables of numbers and labels write that there is nothing; names of clips and people stay.
_NOTHING = {"na", "n/a", "nan", "null", "none", ".", "-", "?"}
_PARTS = {"train": ("train", "training", "trn"), "val": ("val", "valid", "validation", "dev",
          "development"), "test": ("test", "testing", "eval")}  # fmt: skip
_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2},[0-9]{3}")  # 1,500: fifteen hundred, or 1.5?
_CLOCK = re.compile(r"(?:([0-9]+):)?([0-5]?[0-9]):([0-5]?[0-9](?:[.,][0-9]+)?)")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig"}
_MARKS |= dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16")


class Unusable(ValueError):  # noqa: N818  (it describes a row)
    """A row that cannot be used, such as one whose field is not what its column should hold.

    Attributes:
        reason: why.
    """

    def __init__(self, note: str, reason: Reason = Reason.BAD_VALUE) -> None:
        super().__init__(note)
        self.reason = reason


def text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file.

    Raises:
        UserError: there is no such file, or it is not in the encoding.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
            raise UserError(f"{path} is a pipe or a device, not a table. Name a file.")
        if state.st_size > _LARGEST:
            raise UserError(
                f"{path} has {state.st_size / 1e9:.1f} GB, more than any table of labels. Name the "
                "right file."
            )
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{path} is not here. Put the corpus's file there, or correct the dataset's root "
            "and table in params.yaml."
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a table. Name a file.") from None
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            encoding = name
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not {encoding.removesuffix('-sig').upper()} (byte {error.start}). Save it "
            "as UTF-8."
        ) from None
    except (LookupError, ValueError):
        raise UserError(
            f"params.yaml: encoding is {encoding!r}, which is none that Python knows for texts."
        ) from None


def rows(
    path: Path,
    needed: Sequence[str],
    known: Sequence[str] = (),
    *,
    encoding: str = "utf-8",
    unique: bool = False,
) -> list[Row]:
    """The rows below a table's header, each with its line number and its fields by column.

    Args:
        path: .xlsx or .xls (the first sheet), or text, separated as a first line ``sep=;`` says, or
            else by the mark with which the header has the needed columns.
        needed: columns that must be there.
        known: optional columns; like the needed ones, at most once.
        encoding: of a text without a byte-order mark.
        unique: whether every column may be there only once.

    Returns:
        Pairs of the line (the header's is 1) and the fields; all are "" in an empty row.

    Raises:
        UserError: no such file, another format, a column missing or duplicated, a row longer or
            shorter than the header.
    """
    if path.suffix.lower() in SHEETS:
        records = list(_sheet(path))
    else:
        content = text(path, encoding)
        if told := re.match(r"sep=(.)\r?\n", content):  # a line for Excel
            content = "\n" + content[told.end() :]
        records = list(_separated(path, content, told[1] if told else _separator(content, needed)))
        records = records[1:] if told else records
    if not records:
        raise UserError(f"{path} is empty. Put the corpus's label table there.")
    (_, names), *below = records
    if missing := [name for name in needed if name not in names]:
        raise UserError(
            f"{path}: column {missing[0]!r} is missing; it has {', '.join(names)[:300]}. Is this "
            "the right table, with the right separator?"
        )
    once = names if unique else (*needed, *known)
    if double := [name for name in once if names.count(name) > 1]:
        raise UserError(f"{path}: column {double[0]!r} is there twice. Remove or rename one.")
    if not below:
        raise UserError(f"{path} has no rows below its header.")
    for line, fields in below:
        if any(fields) and len(fields) != len(names):
            raise UserError(
                f"{path} is no regular table: row {line} has {len(fields)} fields, its header "
                f"{len(names)}. Correct that row."
            )
    return [
        (line, dict(zip(names, fields if any(fields) else [""] * len(names), strict=True)))
        for line, fields in below
    ]


def lines(
    path: Path, separator: str, count: int, encoding: str = "utf-8", least: int | None = None
) -> list[Row]:
    """The lines of a list without a header, as fields "0", "1", ...; empty lines are skipped.

    A line has ``count`` fields, the last of which may contain the separator; all but the first
    ``least`` may be missing, and are then "".

    Raises:
        UserError: no such file, not in the encoding, or a line with fewer fields.
    """
    rows = []
    for number, line in enumerate(LINE_ENDS.split(text(path, encoding)), start=1):
        if not line.strip():
            continue
        fields = [clean(field) for field in line.strip("\r ").split(separator, count - 1)]
        if len(fields) < (least or count) or not fields[0]:
            raise UserError(
                f"{path}, row {number}: {line.strip()[:60]!r} has not the {least or count} fields "
                f"of this list, separated by {separator!r}. Correct the line."
            )
        fields += [""] * (count - len(fields))
        rows.append((number, {str(i): field for i, field in enumerate(fields)}))
    if not rows:
        raise UserError(f"{path} is empty. Put the corpus's list there.")
    return rows


def clean(field: str) -> str:
    """A field on one line, without surrounding blanks."""
    return _BREAKS.sub(" ", field).replace("\0", "\ufffd").strip()


def given(field: str) -> str:
    """A field that holds a number or a label, "" where it says that there is none (NA, nan, .)."""
    return "" if field.casefold() in _NOTHING else field


def whole(field: str, what: str) -> int:
    """A whole number of at most nine digits, as 3 or 3.0, else Unusable is raised."""
    number = digits(field.removeprefix("-"))
    if number is None:
        raise Unusable(f"{what} is {field[:40]!r}, not a whole number")
    return -number if field.startswith("-") else number


def digits(field: str) -> int | None:
    """The number that a field of at most nine digits is, as 3 or 3.0, else None."""
    match = re.fullmatch(rf"([0-9]{{1,{_DIGITS}}})(?:\.0+)?", field)
    return int(match[1]) if match else None


def part(field: str) -> str:
    """train, val or test, however a table writes it, else Unusable is raised; "" for nothing."""
    if not field:
        return ""
    for part, names in _PARTS.items():
        if field.casefold() in names:
            return part
    raise Unusable(f"split is {field[:40]!r}, not train, val or test")


def seconds(field: str, what: str) -> float:
    """A time in seconds, as 62.5 or 1:02.5, else Unusable is raised."""
    match = _CLOCK.fullmatch(field)
    if match is None:
        return real(field, what)
    hours, minutes, rest = match.groups("0")
    return 3600 * int(hours) + 60 * int(minutes) + real(rest, what)


def fold(field: str) -> int:
    """The number of a fold, from 1, else Unusable is raised."""
    if (number := count(field, "fold")) < 1:
        raise Unusable("fold is 0; folds are counted from 1")
    return number


def count(field: str, what: str) -> int:
    """A whole number from 0, else Unusable is raised."""
    if (number := whole(field, what)) < 0:
        raise Unusable(f"{what} is {field!r}, below 0")
    return number


def real(field: str, what: str) -> float:
    """A finite number, as 1.5 or 1,5, else Unusable is raised."""
    decimal = field if _THOUSANDS.fullmatch(field) else field.replace(",", ".")
    try:
        number = float(decimal)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in field:
        raise Unusable(f"{what} is {field[:40]!r}, not a number")
    return number


def unit(name: str) -> str:
    """An action unit's name without leading zeros (AU06: AU6), "" if it is none."""
    match = re.fullmatch("AU([0-9]{1,2})", name)
    return f"AU{int(match[1])}" if match else ""


def strength(field: str, what: str) -> float:
    """An action unit's 0 or 1, or its intensity of 0 to 5 (FACS's A to E), else Unusable is raised.

    Whole numbers are ints, so that what is only there or not is written as 0 or 1.
    """
    number = real(field, what)
    if not 0 <= number <= _STRONGEST:
        raise Unusable(f"{what} is {field[:40]!r}, of 0 to {_STRONGEST}", Reason.OUT_OF_RANGE)
    return int(number) if number.is_integer() else number


def _separator(content: str, needed: Sequence[str]) -> str:
    """The separator with which the header has the needed columns, or else most columns."""
    header = LINE_ENDS.split(content, maxsplit=1)[0][:_LONGEST_HEADER]

    def fit(mark: str) -> tuple[bool, int]:
        names = [clean(name) for name in next(csv.reader([header], delimiter=mark), [])]
        return set(needed) <= set(names), len(names)

    return max(_SEPARATORS, key=fit)


def _separated(path: Path, content: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    # Not pandas: where all rows are longer than the header it shifts them by a column.
    records = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for fields in records:
            yield start, [clean(field) for field in fields]
            start = records.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path} is no regular CSV: row {start}: {error}. Correct it.") from None


def _sheet(path: Path) -> Iterator[tuple[int, list[str]]]:
    if not path.is_file():
        text(path)  # says what is wrong
    cells = _sheet_cells(path)
    # Sheets are as wide as their widest row: columns without a name are no columns.
    named = [i for i, cell in enumerate(cells[0]) if cell != ""] if cells else []
    for line, row in enumerate(cells, start=1):
        yield line, [clean(row[i]) for i in named]


def _sheet_cells(path: Path) -> list[list[str]]:
    """The cells of the first sheet, read within limits (apart.py).

    Raises:
        UserError: it is no spreadsheet, damaged, or needs more memory or time than a table does.
    """
    try:
        cells: list[list[str]] = apart.ask("sheet", str(path))
    except ValueError as problem:
        raise UserError(
            f"{path} is no readable spreadsheet ({problem}). Get it "
            "again, or save it as CSV; a stray cell far from the others makes a sheet huge."
        ) from None
    return cells

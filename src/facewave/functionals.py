"""Tables of features: numbers of whole clips, a row each, as other tools write them.

Functionals of OpenFace's or openSMILE's signals, or embeddings; the clips of a dataset with an
entry ``features`` are the rows of one. A table is a CSV (separated by commas, semicolons or tabs),
a .parquet file, or a .npy array (n, D) with a text file beside it, of the same name but .txt, that
has each row's clip on a line of its own; there the columns are named by their positions.

Legend of names: n rows, D columns.
"""

import csv
import fnmatch
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.params import FeatureTable

_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, eq=False)
class Functionals:
    """The rows of a table.

    Attributes:
        path: of the table.
        rows: clip -> its row in the file: a CSV's header is row 1, the first row of .parquet and
            .npy, too, is 1.
        columns: the names of the chosen columns.
        numbers_nD: float32, in the order of ``rows``.
        problems: clip -> the first of its cells that is no finite number, with row and column.
    """

    path: Path
    rows: dict[str, int]
    columns: tuple[str, ...]
    numbers_nD: NDArray[np.float32]
    problems: dict[str, str]


def read(root: Path, table: FeatureTable, labels: Collection[str] = ()) -> Functionals:
    """Read a table below ``root``.

    Args:
        root: of the dataset.
        table: the entry's ``features``.
        labels: columns that are labels where the table is the label table, too: never features.

    Raises:
        UserError: the file is missing, damaged or of another kind; a pattern matches no column;
            a chosen column has no number at all; two rows are of one clip, or a row names none.
    """
    path = root / table.table
    readers = {".parquet": _parquet, ".npy": _npy}
    try:
        rows, clips, columns, numbers, texts = readers.get(path.suffix.lower(), _separated)(
            path, table, labels
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename or path} is not here. Put the table there, or correct root and "
            "features.table of the dataset in params.yaml."
        ) from None
    except (
        ValueError,
        OverflowError,
        EOFError,
        TokenError,
        csv.Error,
        pa.ArrowException,
        OSError,
    ) as error:
        raise UserError(f"{path} is no readable table ({error}). Write it again.") from None
    named: dict[str, int] = {}
    for row, clip in zip(rows, clips, strict=True):
        if not clip:
            raise UserError(f"{path}: row {row} names no clip. Name it, or remove the row.")
        if clip in named:
            raise UserError(
                f"{path}: rows {named[clip]} and {row} are both of the clip {clip!r}. Remove one."
            )
        named[clip] = row
    if not named:
        raise UserError(f"{path} has no rows.")
    with np.errstate(over="ignore"):  # what is too large for float32 is no finite number either
        numbers_nD = numbers.astype(np.float32)
    finite_nD = np.isfinite(numbers_nD)

    def cell(at: int, column: int) -> str:
        written = texts.get((at, column), f"{numbers[at, column]:g}")
        return f"{path.name}, row {rows[at]}: {columns[column]} is {written}"

    if (empty := np.flatnonzero(~finite_nD.any(axis=0))).size:
        raise UserError(
            f"{path} has a column without any number ({cell(0, int(empty[0]))}). Take it out of "
            "features.columns of the dataset in params.yaml."
        )
    problems = {
        clips[at]: f"{cell(at, int(finite_nD[at].argmin()))}, not a finite number"
        for at in np.flatnonzero(~finite_nD.all(axis=1)).tolist()
    }
    return Functionals(path, named, tuple(columns), numbers_nD, problems)


# Rows, clips, columns, numbers (n, D), and by row and column what is written where none is.
_Table = tuple[list[int], list[str], list[str], NDArray[np.float64], dict[tuple[int, int], str]]


def _separated(path: Path, table: FeatureTable, labels: Collection[str]) -> _Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        separated = {mark: next(csv.reader([header], delimiter=mark), []) for mark in _SEPARATORS}
        fits = [mark for mark, fields in separated.items() if table.clip in _stripped(fields)]
        file.seek(0)
        reader = csv.reader(file, delimiter=fits[0] if fits else ",", strict=True)
        names = _stripped(next(reader, []))
        clip, chosen = _clip(path, names, table), _chosen(path, names, table, labels)
        rows: list[int] = []
        clips: list[str] = []
        numbers: list[NDArray[np.float64]] = []
        texts: dict[tuple[int, int], str] = {}
        for fields in reader:
            if not any(fields):
                continue
            if len(fields) != len(names):
                raise UserError(
                    f"{path}: row {reader.line_num} has {len(fields)} fields, its header "
                    f"{len(names)}. Correct that row."
                )
            cells = [fields[at] for at in chosen]
            try:
                numbers.append(np.array(cells, np.float64))
            except ValueError:
                found = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(np.float64)
                strange = np.flatnonzero(np.isnan(found)).tolist()
                texts |= {
                    (len(rows), column): repr(cells[column].strip()[:40]) for column in strange
                }
                numbers.append(found)
            rows.append(reader.line_num)
            clips.append(fields[clip].strip().strip("'"))  # openSMILE puts names in quotes
    columns = [names[at] for at in chosen]
    return rows, clips, columns, np.array(numbers).reshape(-1, len(columns)), texts


def _parquet(path: Path, table: FeatureTable, labels: Collection[str]) -> _Table:
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    clip, chosen = _clip(path, names, table), _chosen(path, names, table, labels)
    columns = [names[at] for at in chosen]
    content = file.read(columns=[names[clip], *columns])
    for name in columns:
        if not pa.types.is_floating(kind := content[name].type) and not pa.types.is_integer(kind):
            raise UserError(
                f"{path}: column {name!r} has no numbers, but {kind}. Take it out of "
                "features.columns of the dataset in params.yaml."
            )
    numbers = [content[name].to_numpy().astype(np.float64) for name in columns]
    clips = ["" if name is None else str(name) for name in content[names[clip]].to_pylist()]
    return list(range(1, len(clips) + 1)), clips, columns, np.stack(numbers, axis=1), {}


def _npy(path: Path, table: FeatureTable, _: Collection[str]) -> _Table:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    beside = path.with_suffix(".txt")
    clips = [line.strip() for line in beside.read_text("utf-8").splitlines()]
    if array.ndim != 2 or array.dtype.kind not in "fiu" or len(array) != len(clips):
        raise UserError(
            f"{path} is an array {array.shape} of {array.dtype}, and {beside.name} names "
            f"{len(clips)} clips. There must be (n, D) numbers, and n names, one a line."
        )
    names = [str(at) for at in range(array.shape[1])]
    chosen = _chosen(path, names, table, ())
    columns = [names[at] for at in chosen]
    return list(range(1, len(clips) + 1)), clips, columns, array[:, chosen].astype(np.float64), {}


def _stripped(fields: Sequence[str]) -> list[str]:
    return [field.strip() for field in fields]  # OpenFace has a blank after each comma


def _clip(path: Path, names: Sequence[str], table: FeatureTable) -> int:
    """The position of the column that names the clips."""
    if names.count(table.clip) != 1:
        listed = ", ".join(names)[:300]
        raise UserError(
            f"{path}: {'no' if table.clip not in names else 'more than one'} column "
            f"{table.clip!r}, by which features.clip of the dataset names the clips; it has "
            f"{listed}. Correct features.clip in params.yaml."
        )
    return names.index(table.clip)


def _chosen(
    path: Path, names: Sequence[str], table: FeatureTable, labels: Collection[str]
) -> list[int]:
    """The positions of the columns that the patterns choose, in the file's order."""
    able = [at for at, name in enumerate(names) if name != table.clip and name not in labels]
    if not table.columns and path.suffix.lower() != ".npy":  # a code of the label may be a number
        raise UserError(
            f"{path}: params.yaml does not say which of its columns are features. Name them in "
            f"features.columns, by patterns such as AU*_r; it has "
            f"{', '.join(names[at] for at in able)[:300]}."
        )
    chosen: set[int] = set()
    for pattern in table.columns or ["*"]:
        fits = [at for at in able if matches(names[at], pattern)]
        if not fits:
            raise UserError(
                f"{path}: no column fits {pattern!r} of features.columns; it has "
                f"{', '.join(names[at] for at in able)[:300]}. Correct the pattern in params.yaml."
            )
        chosen |= set(fits)
    if twice := [names[at] for at in sorted(chosen) if names.count(names[at]) > 1]:
        raise UserError(f"{path}: column {twice[0]!r} is there twice. Remove or rename one.")
    return sorted(chosen)


def matches(name: str, pattern: str) -> bool:
    """Whether a column's name is a pattern's: the name itself, or a glob that fits it."""
    return name == pattern or fnmatch.fnmatchcase(name, pattern)

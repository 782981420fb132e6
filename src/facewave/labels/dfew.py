"""Reader of DFEW's annotation table (Jiang et al., ACM MM 2020), and of tables in its format.

Columns ``1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear,order,label``: the votes of ten
annotators, the clip's number, the label from 1 to 7, or 0 where no emotion got more than five
votes. Optional columns: ``subject``, ``fold``, ``file_path``.
"""

import csv
import io
import re
from pathlib import Path

import pandas as pd

from facewave.errors import UserError
from facewave.labels.schema import WORDS

VOTE_COLUMNS = tuple(f"{i}{word}" for i, word in enumerate(WORDS["dfew"], start=1))
_BREAKS = re.compile(r"[\r\n\t]+")  # inside a cell: one row stays one line
_DIGITS = 9  # more is no clip, no fold and no count


def read(table: Path, clips: str) -> pd.DataFrame:
    """Read the table as it is; nothing is judged here but the format.

    Args:
        table: the CSV file, UTF-8 with or without a byte-order mark.
        clips: where a clip lies below the root, with ``{order}`` for its number; a column
            ``file_path`` goes before it.

    Returns:
        One row per line: row (int, the header being 1), video_idx, file_path, word ("" for
        label 0), votes (dict word -> int, or None in an empty row), subject, fold (nullable int).

    Raises:
        UserError: no such file, not UTF-8, a column missing, a value that is no number, a label
            outside 0..7.
    """
    raw = _read_text(table)
    records = []
    for row, values in raw:
        if not any(values.values()):
            records.append(
                {
                    "row": row,
                    "video_idx": "",
                    "file_path": "",
                    "word": "",
                    "votes": None,
                    "subject": "",
                    "fold": None,
                }
            )
            continue
        order = _number(values["order"], table, row, "order")
        code = _number(values["label"], table, row, "label")
        if not 0 <= code <= len(VOTE_COLUMNS):
            raise UserError(
                f"{table}, row {row}: label {code} is unknown. DFEW has 1 to 7, and 0 for no "
                "single label; correct the row or remove it."
            )
        votes = [_number(values[name], table, row, name) for name in VOTE_COLUMNS]
        fold = values.get("fold", "")
        records.append(
            {
                "row": row,
                "video_idx": str(order),
                "file_path": values.get("file_path", "") or _place(clips, order),
                "word": WORDS["dfew"][code - 1] if code else "",
                "votes": dict(zip(WORDS["dfew"], votes, strict=True)),
                "subject": values.get("subject", ""),
                "fold": _number(fold, table, row, "fold") if fold else None,
            }
        )
    if not records:
        raise UserError(f"{table} has no rows below its header.")
    return pd.DataFrame.from_records(records).astype({"fold": "Int64"})


def _read_text(table: Path) -> list[tuple[int, dict[str, str]]]:
    """The line where each record starts, and its fields by column (all "" in an empty line)."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"{table} is not here. Put the corpus's label table there, or set the dataset's root "
            "and table in params.yaml."
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{table} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    # Not pandas: where all rows are longer than the header it shifts them by a column.
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    records = []
    start = 1
    try:
        for fields in lines:
            records.append((start, [_BREAKS.sub(" ", field).strip() for field in fields]))
            start = lines.line_num + 1
    except csv.Error as error:
        raise UserError(f"{table} is no regular CSV: row {start}: {error}. Correct it.") from None
    if not records:
        raise UserError(f"{table} is empty. Put the corpus's label table there.")
    (_, names), *rows = records
    if missing := [name for name in (*VOTE_COLUMNS, "order", "label") if name not in names]:
        raise UserError(
            f"{table}: column {missing[0]!r} is missing; it has {', '.join(names)}. "
            "Is this DFEW's annotation table, separated by commas?"
        )
    known = (*VOTE_COLUMNS, "order", "label", "subject", "fold", "file_path")
    if double := [name for name in known if names.count(name) > 1]:
        raise UserError(f"{table}: column {double[0]!r} is there twice. Remove or rename one.")
    for row, fields in rows:
        if any(fields) and len(fields) != len(names):
            raise UserError(
                f"{table} is no regular CSV: row {row} has {len(fields)} fields, its header "
                f"{len(names)}. Correct that row."
            )
    return [
        (row, dict(zip(names, fields or [""] * len(names), strict=False))) for row, fields in rows
    ]


def _number(text: str, table: Path, row: int, column: str) -> int:
    if not text.isdecimal() or len(text) > _DIGITS:
        raise UserError(
            f"{table}, row {row}: {column} is {text[:40]!r}, not a whole number. Correct it."
        )
    return int(text)


def _place(clips: str, order: int) -> str:
    try:
        return clips.format(order=order)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise UserError(
            f"params.yaml: clips is {clips!r}, where only {{order}} can stand ({error!r})."
        ) from None

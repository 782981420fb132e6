"""Reader of DFEW's annotation table (Jiang et al., ACM MM 2020), and of tables in its format.

Columns ``1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear,order,label``: the votes of ten
annotators, the clip's number, the label from 1 to 7, or 0 where no emotion got more than five
votes. Optional columns: ``subject``, ``fold``, ``file_path``.
"""

from pathlib import Path

import pandas as pd

from facewave.errors import UserError
from facewave.labels.schema import WORDS

VOTE_COLUMNS = tuple(f"{i}{word}" for i, word in enumerate(WORDS["dfew"], start=1))
ANNOTATORS = 10


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
    for position, values in enumerate(raw.to_dict("records")):
        row = position + 2  # line 1 is the header
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
    return pd.DataFrame.from_records(records).astype({"fold": "Int64"})


def _read_text(table: Path) -> pd.DataFrame:
    try:
        raw = pd.read_csv(
            table, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except FileNotFoundError:
        raise UserError(
            f"{table} is not here. Put the corpus's label table there, or set the dataset's root "
            "and table in params.yaml."
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{table} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{table} is empty. Put the corpus's label table there.") from None
    except pd.errors.ParserError as error:
        raise UserError(f"{table} is no regular CSV: {error}. Correct that line.") from None
    raw.columns = raw.columns.str.strip()
    if missing := [name for name in (*VOTE_COLUMNS, "order", "label") if name not in raw]:
        raise UserError(
            f"{table}: column {missing[0]!r} is missing; it has {', '.join(raw.columns)}. "
            "Is this DFEW's annotation table?"
        )
    return raw.fillna("").apply(lambda column: column.str.strip())


def _number(text: str, table: Path, row: int, column: str) -> int:
    if not text.isdecimal():
        raise UserError(
            f"{table}, row {row}: {column} is {text!r}, not a whole number. Correct it."
        )
    return int(text)


def _place(clips: str, order: int) -> str:
    try:
        return clips.format(order=order)
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(
            f"params.yaml: clips is {clips!r}, where only {{order}} can stand ({error!r})."
        ) from None

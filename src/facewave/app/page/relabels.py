"""What people think a clip's label should be: ``relabels/<corpus>.csv``, never the corpus itself.

Columns: video_idx, label, note; a row a clip.
"""

from collections.abc import Collection
from pathlib import Path

import pandas as pd
from filelock import FileLock

from facewave.app.page.limits import Refused
from facewave.files import for_spreadsheets, read_csv, write_csv

ROOT = Path("relabels")
_COLUMNS = ("video_idx", "label", "note")
_NOTE = 500  # characters


def read(name: str) -> pd.DataFrame:
    """A corpus's relabels; no rows if there are none.

    Raises:
        Refused: the file is none of ours.
    """
    file = path(name)
    try:
        table = read_csv(file, _COLUMNS)
    except FileNotFoundError:
        return pd.DataFrame(columns=list(_COLUMNS), dtype=str)
    except ValueError:
        raise Refused(500, f"{file} is damaged. Repair it, or move it away.") from None
    if missing := [column for column in _COLUMNS if column not in table]:
        raise Refused(500, f"{file} has no column {missing[0]}. Repair it, or move it away.")
    return table[list(_COLUMNS)]


def put(name: str, given: object, clips: Collection[str], words: Collection[str]) -> pd.DataFrame:
    """Add a relabel, in place of an earlier one of the same clip; all that there are now.

    Args:
        name: of the corpus.
        given: {"video_idx", "label", "note"}.
        clips: the corpus's.
        words: that may be labels; "" is for a clip that none of them fits.

    Raises:
        Refused: it is none, or there is no such clip or word.
    """
    row = given if isinstance(given, dict) else {}
    video_idx, label, note = (_text(row.get(column, "")) for column in _COLUMNS)
    if not video_idx:
        raise Refused(400, "Say which clip is meant: video_idx.")
    note = " ".join(note.split())[:_NOTE]
    if video_idx not in clips:
        raise Refused(404, "There is no such clip in this corpus.")
    if label not in {*words, ""}:
        raise Refused(400, f"{label[:50]!r} is none of the corpus's words.")
    with _locked(name):
        table = read(name)
        added = pd.DataFrame([(video_idx, label, note)], columns=list(_COLUMNS))
        added["note"] = for_spreadsheets(added[["note"]])["note"]
        return _write(name, pd.concat([table[table["video_idx"] != video_idx], added]))


def _text(value: object) -> str:
    """A value that must be text."""
    if isinstance(value, str):
        try:
            value.encode()  # half a character, which JSON can have, is none
        except UnicodeEncodeError:
            pass
        else:
            return value
    raise Refused(400, "A clip, its label and the note on it must be text.")


def take_back(name: str, video_idx: str) -> pd.DataFrame:
    """Remove a clip's relabel, if there is one; all that there are now."""
    with _locked(name):
        table = read(name)
        return _write(name, table[table["video_idx"] != video_idx])


def _write(name: str, table: pd.DataFrame) -> pd.DataFrame:
    write_csv(path(name), table)
    return table


def path(name: str) -> Path:
    """Where a corpus's relabels stand."""
    return ROOT / f"{name}.csv"


def _locked(name: str) -> FileLock:
    ROOT.mkdir(exist_ok=True)
    return FileLock(ROOT / f".{name}.lock")

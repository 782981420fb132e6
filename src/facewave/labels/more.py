"""A further table of an entry, ``more``: numbers and facts of clips that any reader names.

Its first column, ``clip``, has the clips' ids (column video_idx of the label table). The others may
be valence, arousal and dominance, in [-1, 1]; ``AU<number>``, 0 or 1 or an intensity of 0 to 5;
``score.<name>``, any number; ``about.<name>``, any text. An empty cell says nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.schema import Reason
from facewave.targets import ABOUT, PLANE, SCORE

_CLIP = "clip"
Facts = dict[str, dict[str, Any]]  # column of the label table -> name in it -> value


def join(sources: Sequence[pd.DataFrame], path: Path) -> None:
    """Add what the table says to the records (records.py) of a dataset's corpora, in place.

    Raises:
        UserError: the table cannot be read, has a column or a value that it should not have, names
            a clip twice or one that the corpus lacks, or repeats what the corpus itself says.
    """
    facts = _read(path)
    known = {clip for raw in sources for clip in raw["video_idx"]}
    if strange := [clip for clip in facts if clip not in known]:
        row, _ = facts[strange[0]]
        more = f", nor are {len(strange) - 1} others" if len(strange) > 1 else ""
        raise UserError(
            f"{path}, row {row}: clip {strange[0][:60]!r} is not in the corpus{more}. Its clips "
            f"are called {', '.join(sorted(known - {''})[:3])} and so on (video_idx in the label "
            "table)."
        )
    for raw in sources:
        columns = {name: raw[name].tolist() for name in {n for _, f in facts.values() for n in f}}
        for at, clip in enumerate(raw["video_idx"]):
            row, of_clip = facts.get(clip, (0, {}))
            for column, values in of_clip.items():
                columns[column][at] = _joined(columns[column][at], values, f"{path}, row {row}")
        for name, cells in columns.items():
            raw[name] = pd.Series(cells, raw.index, dtype=raw[name].dtype)


def _joined(cell: Any, values: dict[str, Any], where: str) -> Any:
    """A cell of the records with what the table has for it: a number, or entries by name."""
    is_number = "" in values
    has = ([""] if pd.notna(cell) else []) if is_number else [*(cell or {})]
    if both := [name for name in values if name in has]:
        raise UserError(
            f"{where}: the corpus has {both[0] or 'this number'} of this clip itself. Take the "
            "cell out, or the whole column."
        )
    return values[""] if is_number else (cell or {}) | values


def _read(path: Path) -> dict[str, tuple[int, Facts]]:
    """Of each clip the row and what it says."""
    rows = tables.rows(path, (_CLIP,), unique=True)
    _, first = rows[0]
    places = {name: _place(name, path) for name in first if name != _CLIP}
    facts: dict[str, tuple[int, Facts]] = {}
    for row, cells in rows:
        if not any(cells.values()):
            continue
        if not (clip := cells[_CLIP]):
            raise UserError(f"{path}, row {row}: it names no clip. Fill in column {_CLIP}.")
        if clip in facts:
            raise UserError(
                f"{path}, row {row}: clip {clip[:60]!r} is in row {facts[clip][0]} already. Keep "
                "one of them."
            )
        of_clip: Facts = defaultdict(dict)
        for name, (column, entry) in places.items():
            if cell := tables.given(cells[name]):
                of_clip[column][entry] = _value(name, cell, f"{path}, row {row}")
                if column in PLANE:
                    of_clip[f"{column}_raw"][entry] = of_clip[column][entry]
        facts[clip] = row, dict(of_clip)
    return facts


def _place(name: str, path: Path) -> tuple[str, str]:
    """The column of the records that a column of the table is for, and the name in it."""
    if name in PLANE:
        return name, ""
    if unit := tables.unit(name):
        return "aus", unit
    for start, column in ((SCORE, "scores"), (ABOUT, "about")):
        if name.startswith(start) and name != start:
            return column, name.removeprefix(start)
    raise UserError(
        f"{path}: column {name[:60]!r} is none that is known; there are {_CLIP}, "
        f"{', '.join(PLANE)}, AU<number>, {SCORE}<name> and {ABOUT}<name>. Rename it, or take it "
        "out."
    )


def _value(name: str, cell: str, where: str) -> float | str:
    if name.startswith(ABOUT):
        return cell
    try:
        if tables.unit(name):
            return tables.strength(cell, name)
        number = tables.real(cell, name)
        if name in PLANE and abs(number) > 1:
            raise tables.Unusable(f"{name} is {cell[:40]!r}, of -1 to 1", Reason.OUT_OF_RANGE)
    except tables.Unusable as error:
        raise UserError(f"{where}: {error}. Correct it, or leave it empty.") from None
    return number

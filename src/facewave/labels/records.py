"""The readers' output: one record for each row of a corpus's own files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Any

import pandas as pd

from facewave.labels.schema import Reason
from facewave.labels.tables import Unusable


@dataclass(frozen=True, slots=True)
class Record:
    """One clip as its corpus describes it; the reader judges only whether it can be read.

    Attributes:
        table: its label file, below the root.
        row: its line there, the header being 1; 0 if the clip's name or path is its only label.
        video_idx: the clip's id, unique in the corpus; "" in an empty row.
        file_path: the clip below the root: a video, a picture or a folder of pictures.
        word: its label, one of the corpus's words, or "" for none.
        votes: word -> number of annotators.
        fold: the official fold in whose test part it is.
        part: the official part: train, val or test.
        valence, arousal: in [-1, 1]; ``*_raw`` as published.
        aus: action unit -> 0 or 1.
        scores: name -> number, of what else was measured.
        about: name -> text, of what else is known of the clip and of who is in it.
        start, end: seconds, of clips that are a part of their file.
        frame: the one that the label is about, from the clip's first frame, where every frame has
            its own; what is around it becomes start and end.
        problem: why this row cannot be used, if the reader knows, with ``note``.
    """

    table: str
    row: int
    video_idx: str
    file_path: str = ""
    _: KW_ONLY
    word: str = ""
    votes: Mapping[str, int] | None = None
    subject: str = ""
    source: str = ""
    scene: str = ""
    fold: int | None = None
    part: str = ""
    valence: float | None = None
    arousal: float | None = None
    valence_raw: float | None = None
    arousal_raw: float | None = None
    compound: str = ""
    caption: str = ""
    caption_zh: str = ""
    transcript: str = ""
    aus: Mapping[str, int] | None = None
    scores: Mapping[str, float] | None = None
    about: Mapping[str, str] | None = None
    start: float | None = None
    end: float | None = None
    frame: int | None = None
    problem: Reason | None = None
    note: str = ""


def parsed(parse: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """The fields of a Record that ``parse`` makes, or the problem and note that it raises."""
    try:
        return parse(*arguments)
    except Unusable as error:
        return {"problem": error.reason, "note": str(error)}


def _writable(record: Record) -> Record:
    """The record itself, or what can be written of one that cannot."""
    texts = {name: value for name in _TEXTS if not (value := getattr(record, name)).isascii()}
    strange = [name for name, value in texts.items() if _escaped(value) != value]
    about = {} if record.about is None else record.about
    if not strange and all(_escaped(value) == value for value in about.values()):
        return record
    changes: Any = {name: _escaped(texts[name]) for name in strange}
    if about:
        changes["about"] = {name: _escaped(value) for name, value in about.items()}
    note = f"{(*strange, 'about')[0]} has characters that are none (half a surrogate pair)"
    return replace(record, **changes, problem=Reason.BAD_VALUE, note=note)


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


_TEXTS = [field.name for field in fields(Record) if field.type in (str, "str")]
_NUMBERS = ("valence", "arousal", "valence_raw", "arousal_raw", "start", "end")


def frame(records: Sequence[Record]) -> pd.DataFrame:
    """The records as a table with a column per field; fold nullable, numbers float.

    A record with characters that no file can hold (half surrogate pairs, of JSON or of a file's
    name that is not UTF-8) has them escaped, and a problem.
    """
    names = [field.name for field in fields(Record)]
    rows = [[getattr(record, name) for name in names] for record in map(_writable, records)]
    table = pd.DataFrame(rows, columns=names, dtype=object)
    return table.astype(
        dict.fromkeys(("row", "fold", "frame"), "Int64") | dict.fromkeys(_NUMBERS, float)
    )

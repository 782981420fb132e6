"""The readers' output: one record for each row of a corpus's own files."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Any

import pandas as pd

from facewave.labels.schema import Reason
from facewave.labels.tables import Unusable
from facewave.targets import PLANE

_SURROGATES = re.compile("[\ud800-\udfff]")


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
        valence, arousal, dominance: in [-1, 1]; ``*_raw`` as published.
        aus: action unit (AU12) -> 0 or 1, or its intensity.
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
    dominance: float | None = None
    valence_raw: float | None = None
    arousal_raw: float | None = None
    dominance_raw: float | None = None
    compound: str = ""
    caption: str = ""
    caption_zh: str = ""
    transcript: str = ""
    aus: Mapping[str, float] | None = None
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


_NUMBERS = (*PLANE, *(f"{name}_raw" for name in PLANE), "start", "end")


def frame(records: Sequence[Record]) -> pd.DataFrame:
    """The records as a table with a column per field; fold nullable, numbers float.

    One with bytes that are no text (surrogates, from a file's name or JSON) is a problem, with them
    written out.
    """
    names = [field.name for field in fields(Record)]
    rows = [[getattr(record, name) for name in names] for record in map(_as_text, records)]
    table = pd.DataFrame(rows, columns=names, dtype=object)
    return table.astype(
        dict.fromkeys(("row", "fold", "frame"), "Int64") | dict.fromkeys(_NUMBERS, float)
    )


def _as_text(record: Record) -> Record:
    if broken := [
        field.name for field in fields(Record) if _is_broken(getattr(record, field.name))
    ]:
        changes = {name: _written_out(getattr(record, name)) for name in broken}
        note = f"{broken[0]} has bytes that are no text (half a surrogate pair)"
        return replace(record, **changes | {"problem": Reason.BAD_VALUE, "note": note})
    return record


def _is_broken(value: Any) -> bool:
    """Whether a field, or an entry of one, cannot be written as UTF-8."""
    if isinstance(value, Mapping):
        return any(map(_is_broken, (*value.keys(), *value.values())))
    return isinstance(value, str) and not value.isascii() and _SURROGATES.search(value) is not None


def _written_out(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_written_out(key): _written_out(entry) for key, entry in value.items()}
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value

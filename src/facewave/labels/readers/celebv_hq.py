"""CelebV-HQ (Zhu et al., ECCV 2022): clips of faces from YouTube, with eight emotions over time.

``celebvhq_info.json``: ``clips[id] = {ytb_id, duration, bbox, attributes: {emotion: {sep_flag,
labels}}}``. Without ``sep_flag`` the word holds for the whole clip; with it, ``labels`` lists
segments, ``{emotion, start_sec, end_sec}`` from the clip's start, each a row of its own. What lies
between segments has no label, which is not to say that it is neutral.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, first_there, known, place
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("neutral", "anger", "contempt", "disgust", "happy", "fear", "sadness", "surprise")
_CLIPS = (
    "processed/{clip}.mp4",
    "35666/{clip}.mp4",
    "downloaded_celebvhq/processed/{clip}.mp4",
)


def read(root: Path, entry: Dataset) -> list[Record]:
    """All clips of the JSON file, one record a segment."""
    table = entry.table or "celebvhq_info.json"
    pattern = entry.clips or first_there(root, *_CLIPS)
    return [
        record
        for clip, info in _clips(root / table).items()
        for record in _records(table, clip, place(pattern, clip=clip), info)
    ]


def _clips(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(tables.text(path).removeprefix("\ufeff"))
    except ValueError as error:  # json's own, and a number without end
        raise UserError(f"{path} is damaged: {error}. Get it again.") from None
    clips = content.get("clips") if isinstance(content, dict) else None
    if not isinstance(clips, dict) or not clips:
        raise UserError(f"{path} has no clips under the key 'clips'. Is it celebvhq_info.json?")
    return clips


def _records(table: str, clip: str, path: str, info: Any) -> list[Record]:
    source = ""
    segments: list[Any] = []
    try:
        source = _text(info["ytb_id"], "ytb_id")
        emotion = info["attributes"]["emotion"]
        separate, labels = emotion["sep_flag"], emotion["labels"]
        if not isinstance(separate, bool):
            raise tables.Unreadable(f"sep_flag is {separate!r:.40}")
        if separate:
            if not isinstance(labels, list) or not labels:
                raise tables.Unreadable("sep_flag without segments")
            segments = labels
        else:
            whole = labels[0] if isinstance(labels, list) and len(labels) == 1 else labels
            return [_record(table, clip, path, source, _text(whole, "labels"))]
    except (KeyError, TypeError) as error:
        note = f"the clip's entry is incomplete: {error}"[:80]
        return [_bad(table, clip, path, source, note)]
    except tables.Unreadable as error:
        return [_bad(table, clip, path, source, str(error))]
    return [_segment(table, clip, path, source, i, one) for i, one in enumerate(segments, start=1)]


def _segment(table: str, clip: str, path: str, source: str, i: int, segment: Any) -> Record:
    try:
        written = _text(segment["emotion"], "emotion")
        start, end = (_seconds(segment[key], key) for key in ("start_sec", "end_sec"))
        if end <= start:
            raise tables.Unreadable(f"it ends at {end:g} s and starts at {start:g} s")
    except (KeyError, TypeError) as error:
        note = f"segment {i} is incomplete: {error}"[:80]
        return _bad(table, f"{clip}@segment {i}", path, source, note)
    except tables.Unreadable as error:
        return _bad(table, f"{clip}@segment {i}", path, source, f"segment {i}: {error}")
    return _record(table, f"{clip}@{start:g}", path, source, written, start, end)


def _record(
    table: str,
    name: str,
    path: str,
    source: str,
    written: str,
    start: float | None = None,
    end: float | None = None,
) -> Record:
    word = known(WORDS, written)
    return Record(
        table=table,
        row=0,
        video_idx=name,
        file_path=path,
        word=word,
        source=source,
        start=start,
        end=end,
        problem=None if word else Reason.UNKNOWN_WORD,
        note="" if word else repr(written[:40]),
    )


def _bad(table: str, name: str, path: str, source: str, note: str) -> Record:
    return Record(
        table=table,
        row=0,
        video_idx=name,
        file_path=path,
        source=source,
        problem=Reason.BAD_VALUE,
        note=tables.clean(note),
    )


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not tables.clean(value):
        raise tables.Unreadable(f"{what} is {value!r:.40}, not a word")
    return tables.clean(value)


def _seconds(value: Any, what: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise tables.Unreadable(f"{what} is {value!r:.40}, not seconds")
    return float(value)


CORPUS = Corpus(
    name="celebv_hq",
    title="CelebV-HQ: A Large-Scale Video Facial Attributes Dataset (Zhu et al., ECCV 2022)",
    tracks={"single": Track(words=WORDS, knows=("source", "start", "end"))},
    home="https://github.com/CelebV-HQ/CelebV-HQ",
    access="labels: open download; clips: from YouTube by the authors' script, many are gone",
    licence="non-commercial research only; copies within one site, no further distribution",
    layout={
        "celebvhq_info.json": "the labels",
        "processed or 35666 or downloaded_celebvhq/processed": "the clips",
    },
    read=read,
    takes=("table", "clips"),
)

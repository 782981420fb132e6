"""CelebV-HQ (Zhu et al., ECCV 2022): clips of faces from YouTube, with eight emotions over time.

``celebvhq_info.json``: ``clips[id] = {ytb_id, duration, bbox, attributes: {emotion: {sep_flag,
labels}}}``. Without ``sep_flag`` the word holds for the whole clip; with it, ``labels`` lists
segments, ``{emotion, start_sec, end_sec}`` from the clip's start, each a row of its own. What lies
between segments has no label, which is not to say that it is neutral.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facewave import parsing
from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, first_there, known
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("neutral", "anger", "contempt", "disgust", "happy", "fear", "sadness", "surprise")
_CLIPS = ("processed/{clip}.mp4", "35666/{clip}.mp4", "downloaded_celebvhq/processed/{clip}.mp4")


def read(root: Path, entry: Dataset) -> list[Record]:
    """All clips of the JSON file, one record a segment."""
    table = entry.table or "celebvhq_info.json"
    pattern = entry.clips or first_there(root, *_CLIPS)
    return [
        record
        for clip, info in _clips(root / table).items()
        for record in _records(table, clip, clip_path(pattern, clip=clip), info)
    ]


def _clips(path: Path) -> Mapping[str, Any]:
    try:
        content = parsing.json_of(tables.text(path))
    except ValueError as error:  # json's own, and a number without end
        raise UserError(f"{path} is damaged: {error}. Get it again.") from None
    clips = content.get("clips") if isinstance(content, dict) else None
    if not isinstance(clips, dict) or not clips:
        raise UserError(f"{path} has no clips under the key 'clips'. Is it celebvhq_info.json?")
    return clips


def _records(table: str, clip: str, path: str, info: Any) -> list[Record]:
    shared: dict[str, Any] = {"table": table, "row": 0, "file_path": path}
    try:
        shared["source"] = _text(info["ytb_id"], "ytb_id")
        emotion = info["attributes"]["emotion"]
        separate, labels = emotion["sep_flag"], emotion["labels"]
        if not isinstance(separate, bool):
            raise tables.Unusable(f"sep_flag is {separate!r:.40}")
        if not separate:
            whole = labels[0] if isinstance(labels, list) and len(labels) == 1 else labels
            fields = _word(_text(whole, "labels"))
            return [Record(video_idx=clip, **shared, **fields)]
        if not isinstance(labels, list) or not labels:
            raise tables.Unusable("sep_flag without segments")
    except (KeyError, TypeError, tables.Unusable) as error:
        return [Record(video_idx=clip, **shared, **_bad(error, "the clip's entry"))]
    return [
        Record(**shared, **_segment(clip, f"segment {i}", segment))
        for i, segment in enumerate(labels, start=1)
    ]


def _segment(clip: str, name: str, segment: Any) -> dict[str, Any]:
    try:
        written = _text(segment["emotion"], "emotion")
        start, end = (_seconds(segment[key], key) for key in ("start_sec", "end_sec"))
        if end <= start:
            raise tables.Unusable(f"it ends at {end:g} s and starts at {start:g} s")
    except (KeyError, TypeError, tables.Unusable) as error:
        return {"video_idx": f"{clip}@{name}", **_bad(error, name, f"{name}: ")}
    return {"video_idx": f"{clip}@{start:g}", "start": start, "end": end, **_word(written)}


def _word(written: str) -> dict[str, Any]:
    if word := known(WORDS, written):
        return {"word": word}
    return {"problem": Reason.UNKNOWN_WORD, "note": repr(written[:40])}


def _bad(error: Exception, entry: str, prefix: str = "") -> dict[str, Any]:
    incomplete = f"{entry} is incomplete: {error}"[:80]
    note = f"{prefix}{error}" if isinstance(error, tables.Unusable) else incomplete
    return {"problem": Reason.BAD_VALUE, "note": tables.clean(note)}


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not tables.clean(value):
        raise tables.Unusable(f"{what} is {value!r:.40}, not a word")
    return tables.clean(value)


def _seconds(value: Any, what: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise tables.Unusable(f"{what} is {value!r:.40}, not seconds")
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

"""Aff-Wild2 (Kollias and Zafeiriou, BMVC 2019) as the ABAW challenges give it: a label a frame.

``VA_Estimation_Challenge/{Train_Set,Validation_Set}/<video>.txt``, likewise for expressions and
action units: a header (``valence,arousal``; the words; the units), then a line a frame, of which
every n-th makes a row. Line i, from 0, is ``cropped_aligned/<video>/<i + 1>.jpg``; where there is
no such picture no face was found. -5 (valence, arousal) and -1 (words, units) mark frames to leave
out. The test part's labels are not public: the validation set, which papers report on, is taken
for it. ``<video>_left`` and ``<video>_right`` are two people in one video.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import frames, tables
from facewave.labels.corpus import Corpus, Track, clip_path, code
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.labels.tables import Unusable
from facewave.params import Dataset

WORDS = (
    "Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other",
)  # fmt: skip
_FOLDERS = {
    "va": ("VA_Estimation_Challenge", "VA_Set"),
    "expr": ("EXPR_Classification_Challenge", "EXPR_Set"),
    "au": ("AU_Detection_Challenge", "AU_Set"),
}
_HEADERS = {  # the first two challenges had seven words
    "va": "valence,arousal",
    "expr": f"{','.join(WORDS[:-1])}(,{WORDS[-1]})?",
    "au": "AU[0-9]+(,AU[0-9]+)*",
}
_EXAMPLES = {
    "va": "valence,arousal",
    "expr": f"{','.join(WORDS)}, in this order, with or without {WORDS[-1]}",
    "au": "AU1,AU2 and so on",
}
_PARTS = {"Train_Set": "train", "Validation_Set": "test"}
_NO_VALUE, _NO_CODE = -5, -1

Label = dict[str, Any]  # fields of a Record
Words = tuple[str, ...]  # a header's


def read(root: Path, entry: Dataset) -> list[Record]:
    """Every n-th frame of all videos of a track."""
    track = CORPUS.track_name(entry)
    folder = entry.table or _folder(root, track)
    records: list[Record] = []
    for name, part in _PARTS.items():
        paths = sorted((root / folder / name).glob("[!.]*.txt"))
        if not paths:
            raise UserError(
                f"{root / folder / name} has no annotations, a .txt a video. Put the challenge's "
                "Train_Set and Validation_Set there."
            )
        for path in paths:
            records += _video(root, path, part, track, entry)
    return records


def _folder(root: Path, track: str) -> str:
    paths = sorted(
        path
        for name in _FOLDERS[track]
        for path in (*root.glob(name), *root.glob(f"*/{name}"))
        if path.is_dir()
    )
    if len(paths) != 1:
        what = " and ".join(map(str, paths)) if paths else f"no {' or '.join(_FOLDERS[track])}"
        raise UserError(
            f"{root} has {what}. Put the annotations of one ABAW challenge there, or name their "
            "folder as table in params.yaml."
        )
    return paths[0].relative_to(root).as_posix()


def _video(root: Path, path: Path, part: str, track: str, entry: Dataset) -> Iterator[Record]:
    header, *lines = tables.LINE_ENDS.split(tables.text(path).rstrip())
    names = tuple(name.strip() for name in header.split(","))
    if not re.fullmatch(_HEADERS[track], ",".join(names)) or len(set(names)) < len(names):
        raise UserError(
            f"{path}: the header is {header.strip()[:80]!r}, not {_EXAMPLES[track]}. Put the "
            f"annotations of the track {track} there."
        )
    if not lines:
        raise UserError(f"{path} has no rows below its header. Get it again.")
    table, video = path.relative_to(root).as_posix(), path.stem
    source = re.sub("_(left|right)$", "", video)
    clip = clip_path(entry.clips or "cropped_aligned/{video}", video=video, source=source)
    numbers = frames.numbers(root / clip)
    pictures = None if numbers is None else set(numbers)
    first = min(pictures) if pictures else 1
    for i in range(0, len(lines), entry.every):
        label = parsed(_PARSERS[track], lines[i], names)
        if pictures is not None and i + 1 not in pictures and "problem" not in label:
            label |= {"problem": Reason.NO_PICTURE, "note": "no face was found"}
        label |= {"source": source, "part": part, "frame": i + 1 - first}
        yield Record(table, i + 2, f"{video}/{i + 1:05d}", clip, **label)


def _fields(line: str, count: int) -> list[str]:
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != count:
        raise Unusable(f"{','.join(fields)[:40]!r} has {len(fields)} fields, not {count}")
    return fields


def _affect(line: str, names: Words) -> Label:
    valence, arousal = map(tables.real, _fields(line, len(names)), names)
    if min(valence, arousal) <= _NO_VALUE:
        raise Unusable(f"valence {valence:g}, arousal {arousal:g}", Reason.MARKED_INVALID)
    return {"valence": valence, "arousal": arousal, "valence_raw": valence, "arousal_raw": arousal}


def _expression(line: str, names: Words) -> Label:
    number = tables.whole(_fields(line, 1)[0], "the expression")
    if number == _NO_CODE:
        raise Unusable(f"expression {number}", Reason.MARKED_INVALID)
    if word := code(names, number, first=0):
        return {"word": word}
    raise Unusable(f"expression {number}, of 0 to {len(names) - 1}", Reason.UNKNOWN_WORD)


def _units(line: str, names: Words) -> Label:
    units = dict(zip(names, map(tables.whole, _fields(line, len(names)), names), strict=True))
    if missing := [unit for unit, active in units.items() if active == _NO_CODE]:
        raise Unusable(f"{missing[0]} is {_NO_CODE}", Reason.MARKED_INVALID)
    if strange := [unit for unit, active in units.items() if active not in (0, 1)]:
        raise Unusable(f"{strange[0]} is {units[strange[0]]}, not 0 or 1")
    return {"aus": units}


_PARSERS = {"va": _affect, "expr": _expression, "au": _units}
_KNOWS = ("split", "source", "start", "end")

CORPUS = Corpus(
    name="aff_wild2",
    title="Aff-Wild2: Affect in the Wild, of the ABAW challenges (Kollias and Zafeiriou, 2019)",
    tracks={
        "va": Track(knows=(*_KNOWS, "valence", "arousal")),
        "expr": Track(words=WORDS, knows=_KNOWS),
        "au": Track(knows=(*_KNOWS, "aus")),
    },
    home="https://sites.google.com/view/dimitrioskollias/databases/aff-wild2",
    access="on request: an agreement signed by an academic in a permanent post, from an academic "
    "address; industry by mail",
    licence="research only for academics; see the agreement",
    layout={
        "*_Challenge or *_Set or */*_Challenge or */*_Set": (
            "the labels: Train_Set and Validation_Set, a text file a video"
        ),
        "cropped_aligned": "the pictures, a folder a video and person",
    },
    read=read,
    takes=("table", "clips", "track", "every", "window"),
)

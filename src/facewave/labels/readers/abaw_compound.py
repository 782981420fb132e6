"""Compound expressions of the ABAW challenges (Kollias, C-EXPR-DB, CVPR 2023): a code a frame.

The challenge's file: a header ``image_location,Fearfully_Surprised,...`` of seven words, then lines
``01/00001.jpg,3``: video, picture, and the index of a word in the header's order, from 0. The
challenge's own videos have no public labels; such a file holds somebody's answers, and the entry in
params.yaml names it. Of each video's lines every n-th makes a row.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import frames, tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, first_there
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = (
    "Fearfully_Surprised", "Happily_Surprised", "Sadly_Surprised", "Disgustedly_Surprised",
    "Angrily_Surprised", "Sadly_Fearful", "Sadly_Angry",
)  # fmt: skip
_PICTURE = re.compile(r"(.+)/([0-9]{1,9})\.[A-Za-z]+")
_IGNORE = -1


def read(root: Path, entry: Dataset) -> list[Record]:
    """Every n-th line of each video."""
    if not entry.table:
        raise UserError(
            "params.yaml: abaw_compound needs the key table, the file with the lines "
            "'01/00001.jpg,3', below the dataset's root."
        )
    path = root / entry.table
    (row, header), *below = tables.lines(path, ",", 2)
    names = tuple(name.strip() for name in header["1"].split(","))
    if header["0"] != "image_location" or names != WORDS:
        raise UserError(
            f"{path}, row {row}: the header should be image_location,{','.join(WORDS)}, in this "
            "order, which the codes count in. Put the challenge's file there."
        )
    if not below:
        raise UserError(f"{path} has no rows below its header.")
    clips = entry.clips or first_there(root, "cropped_aligned/{video}", "{video}")
    seen: Counter[str] = Counter()
    pictures: dict[str, list[int] | None] = {}  # by video, None without a folder
    records = []
    for row, values in below:
        parts = _PICTURE.fullmatch(values["0"])
        if parts is None:
            note = f"{values['0'][:40]!r} is not video/number.jpg"
            bad = Reason.BAD_VALUE
            records.append(Record(entry.table, row, values["0"], problem=bad, note=note))
            continue
        video, frame = parts[1], int(parts[2])
        seen[video] += 1
        if (seen[video] - 1) % entry.every:
            continue
        clip = clip_path(clips, video=video)
        if video not in pictures:
            pictures[video] = frames.numbers(root / clip)
        there = pictures[video]
        first = there[0] if there else 1
        label = parsed(_label, values["1"])
        if there is not None and frame not in there and "problem" not in label:
            note = "the picture is not in the video's folder"
            label = {"problem": Reason.NO_PICTURE, "note": note}
        label |= {"source": video, "frame": max(0, frame - first)}
        records.append(Record(entry.table, row, f"{video}/{parts[2]}", clip, **label))
    return records


def _label(field: str) -> dict[str, Any]:
    number = tables.whole(field, "the code")
    if number == _IGNORE:
        raise tables.Unusable(f"code {number}", Reason.MARKED_INVALID)
    if word := code(WORDS, number, first=0):
        return {"word": word, "compound": word}
    raise tables.Unusable(f"code {number}, of 0 to {len(WORDS) - 1}", Reason.UNKNOWN_WORD)


CORPUS = Corpus(
    name="abaw_compound",
    title="Compound expressions of the ABAW challenges (C-EXPR-DB, Kollias, CVPR 2023)",
    tracks={"compound": Track(words=WORDS, knows=("source", "compound", "start", "end"))},
    home="https://sites.google.com/view/dimitrioskollias/databases/c-expr-db",
    access="on request: an agreement signed by an academic (professor or post-doc)",
    licence="research only; see the agreement",
    layout={
        "cropped_aligned or *": "the pictures, a folder a video; beside them the file of codes"
    },
    read=read,
    takes=("table", "clips", "every", "window"),
)

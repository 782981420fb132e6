"""DFEW (Jiang et al., ACM MM 2020), and tables in the format of its annotation.

``annotation.xlsx`` (or .csv): ``1happy,2sad,3neutral,4angry,5surprise,6disgust,7fear,order,label``:
the votes of ten annotators, the clip's number, the label from 1 to 7, or 0 where no emotion got
more than five votes. Optional columns: ``subject``, ``fold``, ``file_path``.

``set_1.csv`` ... of training and test: ``video_name,label``. The official ones count labels from 1;
redistributed ones (``train_set_1.csv``) from 0. Which, the lists as a whole must tell: a 0 or a 7.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import official, tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, first_code, first_there
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
VOTE_COLUMNS = tuple(f"{i}{word}" for i, word in enumerate(WORDS, start=1))
_LISTS = "EmoLabel_DataSplit"
_CLIPS = (
    "Clip/original/{order}.mp4",
    "Clip/clip_224x224/{order:05d}",
    "Clip/clip_224x224_avi/{order:05d}.avi",
    "Clip/clip_224x224_16f/{order:05d}",
)


def read(root: Path, entry: Dataset) -> list[Record]:
    """The annotation with its votes, the official folds, or both, as far as they are there."""
    table = entry.table or first_there(
        root, "Annotation/annotation.xlsx", "Annotation/annotation.csv", "annotation.xlsx"
    )
    clips = entry.clips or first_there(root, *_CLIPS)
    listed = _folds(root)
    if listed and not entry.table and not (root / table).exists():
        return official.records(listed, lambda order: clip_path(clips, order=int(order)))
    needed, optional = (*VOTE_COLUMNS, "order", "label"), ("subject", "fold", "file_path")
    rows = tables.rows(root / table, needed, optional)
    records = [_annotation(table, row, values, clips) for row, values in rows]
    return official.join(records, listed, str(root))


def _annotation(table: str, row: int, values: Mapping[str, str], clips: str) -> Record:
    if not any(values.values()):
        return Record(table, row, "")
    path, order = values.get("file_path", ""), ""
    label: dict[str, Any] = {}
    try:
        order = str(tables.count(values["order"], "order"))
        columns = zip(WORDS, VOTE_COLUMNS, strict=True)
        label["votes"] = {word: tables.count(values[name], name) for word, name in columns}
        number = tables.count(values["label"], "label")
        label["word"] = code(WORDS, number, first=1)
        if number and not label["word"]:
            note = f"label {number}, of 0 to {len(WORDS)}"
            label |= {"problem": Reason.UNKNOWN_WORD, "note": note}
        if values.get("fold"):
            label["fold"] = tables.fold(values["fold"])
    except tables.Unusable as error:
        label |= {"problem": Reason.BAD_VALUE, "note": str(error)}
    path = path or (clip_path(clips, order=int(order)) if order else "")
    subject = values.get("subject", "")
    return Record(table, row, order or values["order"], path, subject=subject, **label)


def _folds(root: Path) -> dict[str, official.Listed]:
    coded: dict[tuple[int, str], list[tuple[official.Position, str, int]]] = {}
    for fold, part in product(range(1, official.FOLDS + 1), ("train", "test")):
        for name in (f"set_{fold}.csv", f"{part}_set_{fold}.csv"):
            path = f"{_LISTS}/{part}(single-labeled)/{name}"
            if (root / path).exists():
                coded[fold, part] = _list(root, path)
    if not coded:
        return {}
    where = str(root / _LISTS)
    codes = {number for rows in coded.values() for _, _, number in rows}
    first = first_code(codes, len(WORDS), where)
    lists: official.Lists = {}
    for key, rows in coded.items():
        for at, order, number in rows:
            word = code(WORDS, number, first) or f"label {number}"
            lists.setdefault(key, {}).setdefault(order, []).append((at, word))
    return official.folds(lists, where, WORDS)


def _list(root: Path, path: str) -> list[tuple[official.Position, str, int]]:
    entries = []
    for row, values in tables.rows(root / path, ("video_name", "label")):
        if any(values.values()):
            try:
                order = str(tables.count(values["video_name"], "video_name"))
                entries.append(((path, row), order, tables.count(values["label"], "label")))
            except tables.Unusable as error:
                raise UserError(f"{root / path}, row {row}: {error}. Correct it.") from None
    return entries


CORPUS = Corpus(
    name="dfew",
    title="DFEW: Dynamic Facial Expression in-the-Wild (Jiang et al., ACM MM 2020)",
    tracks={
        "single": Track(
            words=WORDS,
            knows=("votes", "fold"),
            published={
                "clips": 11697,
                "fold 1": 2341, "fold 2": 2341, "fold 3": 2340, "fold 4": 2339, "fold 5": 2336,
                "happy": 2445, "sad": 1894, "neutral": 2669, "angry": 2173, "surprise": 1469,
                "disgust": 145, "fear": 902,
            },
            annotators=10,
            majority=5,
        )
    },
    home="https://dfew-dataset.github.io",
    access="signed agreement, then the password by e-mail",
    licence="research only; see the agreement",
    layout={
        "Annotation/annotation.xlsx or Annotation/annotation.csv": "votes of the ten annotators",
        "EmoLabel_DataSplit/train(single-labeled)/*set_[1-5].csv": "five folds: training",
        "EmoLabel_DataSplit/test(single-labeled)/*set_[1-5].csv": "five folds: test",
        "Clip/original or Clip/clip_224x224 or Clip/clip_224x224_avi": "the clips",
    },
    read=read,
    takes=("table", "clips"),
)  # fmt: skip

"""FER2013 (Goodfellow et al., 2013), and the votes of FER+ (Barsoum et al., ICMI 2016) on it.

Track ``fer2013``: ``fer2013.csv``, ``emotion,pixels,Usage``, a row 48 x 48 grey values; also met as
``icml_face_data.csv`` with blanks in its header and another order. Track ``ferplus``:
``fer2013new.csv``, a row for each of the same pictures with the votes of ten annotators for eight
emotions, "unknown" and "NF" (no face); rows without an image name are struck out.

Pictures are looked for as FER+ names them, ``FER2013Train/fer0000000.png``. To write them from the
pixels: ``facewave datasets unpack-fer2013 FOLDER``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facewave.errors import UserError
from facewave.files import replacing
from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, expect_codes, first_there
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
FERPLUS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
)  # fmt: skip
NO_EMOTION = ("unknown", "NF")
_SIDE = 48
_COLUMNS = ("emotion", "pixels", "Usage")
_TABLES = ("fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv")
_CLIPS = "{folder}/{name}"
_USAGES = {  # -> our part, FER+'s folder
    "Training": ("train", "FER2013Train"),
    "PublicTest": ("val", "FER2013Valid"),
    "PrivateTest": ("test", "FER2013Test"),
}


def read(root: Path, entry: Dataset) -> list[Record]:
    """The rows of FER2013, or those of FER+."""
    clips = entry.clips or _CLIPS
    if votes := CORPUS.track_name(entry) == "ferplus":
        table = entry.table or "fer2013new.csv"
        rows = tables.rows(root / table, ("Usage", "Image name", *FERPLUS, *NO_EMOTION))
    else:
        table = entry.table or first_there(root, *_TABLES)
        rows = tables.rows(root / table, _COLUMNS)
        codes = (tables.digits(values["emotion"]) for _, values in rows)
        expect_codes(codes, len(WORDS), 0, str(root / table))
    return [_record(table, row, i, values, clips, votes) for i, (row, values) in enumerate(rows)]


def unpack(root: Path) -> int:
    """Write the pictures of FER2013's table below ``root``, where it lies, and count them.

    Those that are there are left alone; rows that cannot be read have none.

    Raises:
        UserError: there is no such table, or a picture cannot be written.
    """
    import cv2  # not above: facewave.video prepares its environment first

    rows = tables.rows(root / first_there(root, *_TABLES), _COLUMNS)
    written = 0
    for i, (_, values) in enumerate(tqdm(rows, "unpack fer2013", unit="picture")):
        _, folder = _USAGES.get(values["Usage"], ("", ""))
        path = root / clip_path(_CLIPS, folder=folder, name=_name(i))
        if not folder or path.exists():
            continue
        try:
            picture = _pixels(values["pixels"])
        except tables.Unusable:
            continue
        with replacing(path) as temporary:
            if not cv2.imwrite(str(temporary), picture):
                raise UserError(f"{path} could not be written. Is the disk full?")
        written += 1
    return written


def _name(index: int) -> str:
    return f"fer{index:07d}.png"


def _pixels(field: str) -> NDArray[np.uint8]:
    """The picture, (48, 48); Unusable is raised unless there are 2304 grey values."""
    if not re.fullmatch("[0-9 ]+", field):
        raise tables.Unusable("pixels are not whole numbers from 0 to 255")
    numbers = np.fromstring(field, np.int64, sep=" ")
    if len(numbers) != _SIDE**2:
        raise tables.Unusable(f"it has {len(numbers)} pixels, not {_SIDE**2}")
    if numbers.max() > 255:
        raise tables.Unusable(f"a pixel is {numbers.max()}, of 0 to 255")
    return numbers.astype(np.uint8).reshape(_SIDE, _SIDE)


def _record(
    table: str, row: int, index: int, values: Mapping[str, str], clips: str, votes: bool
) -> Record:
    if not any(values.values()):
        return Record(table, row, "")
    name = values.get("Image name") or _name(index)
    part, folder = _USAGES.get(values["Usage"], ("", ""))
    label = parsed(_voted if votes else _labelled, values)
    if votes and not values["Image name"]:
        label |= {"word": "", "problem": Reason.MARKED_INVALID, "note": "no image name"}
    elif not part and not label.get("problem"):
        note = f"Usage is {values['Usage'][:40]!r}, not one of {', '.join(_USAGES)}"
        label |= {"word": "", "problem": Reason.BAD_VALUE, "note": note}
    path = clip_path(clips, folder=folder, name=name) if folder else ""
    return Record(table, row, name.removesuffix(".png"), path, part=part, **label)


def _labelled(values: Mapping[str, str]) -> dict[str, Any]:
    number = tables.count(values["emotion"], "emotion")
    _pixels(values["pixels"])
    if word := code(WORDS, number, first=0):
        return {"word": word}
    raise tables.Unusable(f"emotion {number}, of 0 to {len(WORDS) - 1}", Reason.UNKNOWN_WORD)


def _voted(values: Mapping[str, str]) -> dict[str, Any]:
    counts = {name: tables.count(values[name], name) for name in (*FERPLUS, *NO_EMOTION)}
    foremost = [word for word, count in counts.items() if count == max(counts.values())]
    word = foremost[0] if len(foremost) == 1 else ""
    label: dict[str, Any] = {"votes": {word: counts[word] for word in FERPLUS}}
    if word in NO_EMOTION:
        return label | {"problem": Reason.MARKED_INVALID, "note": word}
    return label | {"word": word}


_PUBLISHED = {"clips": 35887, "train": 28709, "val": 3589, "test": 3589}

CORPUS = Corpus(
    name="fer2013",
    title="FER2013 (Goodfellow et al., 2013), with the votes of FER+ (Barsoum et al., ICMI 2016)",
    tracks={
        "fer2013": Track(words=WORDS, knows=("split",), published=_PUBLISHED),
        "ferplus": Track(words=FERPLUS, knows=("split", "votes")),
    },
    home="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-"
    "recognition-challenge/data (votes: https://github.com/microsoft/FERPlus)",
    access="Kaggle account, with the competition's rules accepted; votes: open download",
    licence="no explicit licence of the pictures: research only; see the competition's rules",
    grey=True,
    layout={
        "fer2013.csv or icml_face_data.csv or fer2013/fer2013.csv": "labels and pixels",
        "fer2013new.csv": "the votes of FER+",
        "FER2013Train": "the pictures, as facewave datasets unpack-fer2013 writes them",
    },
    read=read,
    takes=("table", "clips", "track"),
)

"""AffectNet (Mollahosseini et al., IEEE TAC 2019): photographs, eight words, valence and arousal.

Track ``manual``, the newer download: ``{train_set,val_set}/annotations/<ID>_{exp,val,aro,lnd}.npy``
beside ``images/<ID>.jpg``, each file one number, often written as text. Track ``list``, the older
one: ``Manually_Annotated_file_lists/{training,validation}.csv``. Expressions 8 to 10 are no
emotions; a valence or arousal of -2 is none. The test part was never published: the validation set,
which papers report on, is taken for it.
"""

import math
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, first_there
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = (
    "Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt",
)  # fmt: skip
NO_EMOTION = ("None", "Uncertain", "No-Face")  # the codes that follow
_NONE = -2
_DAMAGE = (  # what numpy says of damaged headers and contents
    OSError, ValueError, TypeError, SyntaxError, SystemError, MemoryError, tokenize.TokenError,
)  # fmt: skip
_SETS = {"train_set": "train", "val_set": "test"}
_CLIPS = ("Manually_Annotated_Images/{file}", "Manually_Annotated/Manually_Annotated_Images/{file}")
_LISTS = {"training": "train", "validation": "test"}
_COLUMNS = ("subDirectory_filePath", "expression", "valence", "arousal")


def read(root: Path, entry: Dataset) -> list[Record]:
    """The annotations of the newer download, or the lists of the older one."""
    listed = CORPUS.track_name(entry) == "list"
    return list(_lists(root, entry) if listed else _folders(root, entry))


def _folders(root: Path, entry: Dataset) -> Iterator[Record]:
    clips = entry.clips or "{set}/images/{id}.jpg"
    for name, part in _SETS.items():
        paths = sorted((root / name / "annotations").glob("[!.]*_exp.npy"))
        if not paths:
            raise UserError(
                f"{root / name / 'annotations'} has no *_exp.npy. Unpack AffectNet's manually "
                "annotated pictures there, train_set and val_set; for the older download with CSV "
                "lists, say track: list in params.yaml."
            )
        for exp in paths:
            clip = exp.name.removesuffix("_exp.npy")
            table, path = f"{name}/annotations/{exp.name}", clip_path(clips, set=name, id=clip)
            label = parsed(_of_files, exp, clip)
            yield Record(table, 0, f"{name}/{clip}", path, part=part, **label)


def _of_files(exp: Path, clip: str) -> dict[str, Any]:
    valence, arousal = (exp.with_name(f"{clip}_{name}.npy") for name in ("val", "aro"))
    return _label(*map(_number, (exp, valence, arousal)))


def _number(path: Path) -> float:
    """The one number of a file, perhaps written as text; Unusable is raised for any other."""
    try:
        # Not np.load, which opens archives too; it warns of headers that Python 2 wrote.
        with warnings.catch_warnings(action="ignore"), path.open("rb") as file:
            number = float(np.lib.format.read_array(file, allow_pickle=False).item())
    except _DAMAGE:
        number = math.nan
    if not math.isfinite(number):
        raise tables.Unusable(f"{path.name} is missing or does not hold one number")
    return number


def _lists(root: Path, entry: Dataset) -> Iterator[Record]:
    clips = entry.clips or first_there(root, *_CLIPS)
    for name, part in _LISTS.items():
        table = f"Manually_Annotated_file_lists/{name}.csv"
        for row, values in tables.rows(root / table, _COLUMNS):
            file, *fields = (values[column] for column in _COLUMNS)
            if not any(values.values()):
                yield Record(table, row, "")
                continue
            path = clip_path(clips, file=file) if file else ""
            label = parsed(_of_fields, file, fields)
            yield Record(table, row, file or f"{name}:{row}", path, part=part, **label)


def _of_fields(file: str, fields: list[str]) -> dict[str, Any]:
    if not file:
        raise tables.Unusable(f"no {_COLUMNS[0]}")
    return _label(*map(tables.real, fields, _COLUMNS[1:]))


def _label(expression: float, *affect: float) -> dict[str, Any]:
    valence, arousal = (None if number == _NONE else number for number in affect)
    numbers = {"valence": valence, "arousal": arousal}
    numbers |= {"valence_raw": valence, "arousal_raw": arousal}
    whole = int(expression) if expression.is_integer() else -1
    if word := code(WORDS, whole, first=0):
        return {"word": word, **numbers}
    if marked := code(NO_EMOTION, whole, first=len(WORDS)):
        return {"problem": Reason.MARKED_INVALID, "note": marked, **numbers}
    note = f"expression {expression:g}, of 0 to 10"
    return {"problem": Reason.UNKNOWN_WORD, "note": note, **numbers}


_KNOWS = ("split", "valence", "arousal")

CORPUS = Corpus(
    name="affectnet",
    title="AffectNet: Facial Expression, Valence, and Arousal in the Wild (Mollahosseini, 2019)",
    tracks={"manual": Track(words=WORDS, knows=_KNOWS), "list": Track(words=WORDS, knows=_KNOWS)},
    home="http://mohammadmahoor.com/pages/databases/affectnet/",
    access="on request by lab managers or professors, with the signed licence agreement",
    licence="research only; see the agreement",
    layout={
        "*_set/annotations or Manually_Annotated_file_lists/*.csv": "expression, valence, arousal",
        "*_set/images or Manually_Annotated_Images or "
        "Manually_Annotated/Manually_Annotated_Images": "the pictures",
    },
    read=read,
    takes=("clips", "track"),
)

"""AffectNet (Mollahosseini et al., IEEE TAC 2019): photographs, eight words, valence and arousal.

Track ``manual``, the newer download: ``{train_set,val_set}/annotations/<ID>_{exp,val,aro,lnd}.npy``
beside ``images/<ID>.jpg``, each file one number, often written as text. Track ``list``, the older
one: ``Manually_Annotated_file_lists/{training,validation}.csv``. Expressions 8 to 10 are no
emotions; a valence or arousal of -2 is none. The test part was never published: the validation set,
which papers report on, is taken for it.
"""

import math
import tokenize
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, code, first_there, place, track_name
from facewave.labels.records import Record
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
_LISTS = {"training": "train", "validation": "test"}
_COLUMNS = ("subDirectory_filePath", "expression", "valence", "arousal")


def read(root: Path, entry: Dataset) -> list[Record]:
    """The annotations of the newer download, or the lists of the older one."""
    listed = track_name(CORPUS, entry) == "list"
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
            problem: tuple[Reason, str] | None = None
            expression = valence = arousal = float(_NONE)
            try:
                expression = _number(exp)
                valence, arousal = (
                    _number(exp.with_name(f"{clip}_{k}.npy")) for k in ("val", "aro")
                )
            except tables.Unreadable as error:
                problem = Reason.BAD_VALUE, str(error)
            yield _record(
                table=f"{name}/annotations/{exp.name}",
                row=0,
                clip=f"{name}/{clip}",
                path=place(clips, set=name, id=clip),
                part=part,
                numbers=(expression, valence, arousal),
                problem=problem,
            )


def _number(path: Path) -> float:
    """The one number of a file, which may be written as text.

    Raises:
        Unreadable: the file is missing, damaged or holds something else.
    """
    try:
        with path.open("rb") as file:  # not np.load, which opens archives too
            number = float(np.lib.format.read_array(file, allow_pickle=False).item())
    except _DAMAGE:
        number = math.nan
    if not math.isfinite(number):
        raise tables.Unreadable(f"{path.name} is missing or does not hold one number")
    return number


def _lists(root: Path, entry: Dataset) -> Iterator[Record]:
    clips = entry.clips or first_there(
        root,
        "Manually_Annotated_Images/{file}",
        "Manually_Annotated/Manually_Annotated_Images/{file}",
    )
    for name, part in _LISTS.items():
        table = f"Manually_Annotated_file_lists/{name}.csv"
        for row, values in tables.rows(root / table, _COLUMNS):
            file, *fields = (values[column] for column in _COLUMNS)
            if not any(values.values()):
                yield Record(table=table, row=row, video_idx="", file_path="")
                continue
            problem: tuple[Reason, str] | None = None
            numbers = (float(_NONE),) * 3
            try:
                expression, valence, arousal = map(tables.real, fields, _COLUMNS[1:])
                numbers = expression, valence, arousal
            except tables.Unreadable as error:
                problem = Reason.BAD_VALUE, str(error)
            if not file:
                problem = Reason.BAD_VALUE, f"no {_COLUMNS[0]}"
            yield _record(
                table=table,
                row=row,
                clip=file or f"{name}:{row}",
                path=place(clips, file=file) if file else "",
                part=part,
                numbers=numbers,
                problem=problem,
            )


def _record(
    *,
    table: str,
    row: int,
    clip: str,
    path: str,
    part: str,
    numbers: tuple[float, float, float],
    problem: tuple[Reason, str] | None,
) -> Record:
    expression, *pair = numbers
    valence, arousal = (None if number == _NONE else number for number in pair)
    whole = expression.is_integer()
    word = code(WORDS, int(expression), first=0) if whole else ""
    if not problem and not word:
        marked = code(NO_EMOTION, int(expression), first=len(WORDS)) if whole else ""
        problem = (
            (Reason.MARKED_INVALID, marked)
            if marked
            else (Reason.UNKNOWN_WORD, f"expression {expression:g}, of 0 to 10")
        )
    return Record(
        table=table,
        row=row,
        video_idx=clip,
        file_path=path,
        word="" if problem else word,
        part=part,
        valence=valence,
        arousal=arousal,
        valence_raw=valence,
        arousal_raw=arousal,
        problem=problem[0] if problem else None,
        note=problem[1] if problem else "",
    )


_KNOWS = ("split", "valence", "arousal")

CORPUS = Corpus(
    name="affectnet",
    title="AffectNet: Facial Expression, Valence, and Arousal in the Wild (Mollahosseini, 2019)",
    tracks={
        "manual": Track(words=WORDS, knows=_KNOWS),
        "list": Track(words=WORDS, knows=_KNOWS),
    },
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

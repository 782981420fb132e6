"""IMDB-WIKI (Rothe et al., IJCV 2018): pictures of celebrities with age and sex, without emotions.

``imdb_crop/imdb.mat`` and ``wiki_crop/wiki.mat``: a MATLAB structure of the half's name, whose
fields have a value for each picture: full_path, dob (birth, as MATLAB's day number), photo_taken (a
year, its middle meant), gender (0 female, 1 male, or none), name, face_score (infinite where no
face was found) and second_face_score (none without a second face). Ages and names were gathered by
a program; an age outside of 0 to 120 is left out. A face may be a bystander's: ``score.
second_face_score`` says how plain a second one is.
"""

import math
from datetime import date
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import apart, tables
from facewave.labels.corpus import Corpus, Track, clip_path, first_there
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

_FIELDS = (
    "full_path", "name", "dob", "photo_taken", "gender", "face_score", "second_face_score",
)  # fmt: skip
_MAGIC = b"MATLAB 5.0 MAT-file"
_SEXES = {0: "female", 1: "male"}
_BEFORE_PYTHON = 366  # days of MATLAB's year 0
_OLDEST = 120


def read(root: Path, entry: Dataset) -> list[Record]:
    """The pictures of one half."""
    half = CORPUS.track_name(entry)
    table = entry.table or first_there(root, f"{half}_crop/{half}.mat", f"{half}.mat")
    folder = table.rpartition("/")[0]
    clips = entry.clips or (f"{folder}/{{file}}" if folder else "{file}")
    columns = _columns(root / table, half)
    return [
        Record(
            table, row, path and f"{half}/{path}", clip_path(clips, file=path) if path else "",
            **parsed(_known, path, name, *map(float, numbers)),
        )
        for row, (path, name, *numbers) in enumerate(zip(*columns, strict=True), start=1)
    ]  # fmt: skip


def _columns(path: Path, half: str) -> list[list[Any]]:
    """The fields of the structure, each with a value for each picture: two of text, then numbers.

    Raises:
        UserError: the file is missing or damaged, or has not these fields of one length.
    """
    if not path.exists():
        raise UserError(
            f"{path} is not here. Unpack {half}_crop.tar there, or correct the dataset's root and "
            "table in params.yaml."
        )
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ValueError("it begins otherwise")
        columns: list[list[Any]] = apart.ask("structure", str(path), half, *_FIELDS)
        path_names, people = ([tables.clean(cell) for cell in field] for field in columns[:2])
        numbers = [[float(value) for value in field] for field in columns[2:]]
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is no structure {half!r} of MATLAB with the fields {', '.join(_FIELDS)} "
            f"({error}). Get it again."
        ) from None
    lengths = {name: len(field) for name, field in zip(_FIELDS, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserError(f"{path}: its fields differ in length ({listed}). Get it again.")
    return [path_names, people, *numbers]


def _known(
    path: str, name: str, born: float, taken: float, sex: float, face: float, second: float
) -> dict[str, Any]:
    if not path:
        raise tables.Unusable("no full_path")
    scores = {"age": _age(born, taken), "face_score": face, "second_face_score": second}
    known: dict[str, Any] = {
        "subject": name,
        "scores": {key: value for key, value in scores.items() if math.isfinite(value)},
        "about": {"sex": _SEXES[int(sex)]} if sex in _SEXES else {},
    }
    if not math.isfinite(face):
        return known | {"problem": Reason.MARKED_INVALID, "note": "no face was found in it"}
    return known


def _age(born: float, taken: float) -> float:
    """Whole years in the middle of the year of the picture; NaN where they cannot be."""
    try:
        birthday = date.fromordinal(math.floor(born) - _BEFORE_PYTHON)
    except (ValueError, OverflowError):
        return math.nan
    age = taken - birthday.year - ((birthday.month, birthday.day) > (7, 1))
    return age if 0 <= age <= _OLDEST else math.nan


_KNOWS = ("subject", "scores", "about")

CORPUS = Corpus(
    name="imdb_wiki",
    title="IMDB-WIKI: 500k+ face images with age and gender labels (Rothe et al., IJCV 2018)",
    tracks={
        "imdb": Track(knows=_KNOWS, published={"clips": 460723, "subjects": 20284}),
        "wiki": Track(knows=_KNOWS, published={"clips": 62328}),
    },
    home="https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/",
    access="open download",
    licence="academic research only; the pictures are their owners'",
    layout={
        "*_crop/*.mat or *.mat": "birth, year, sex, name, scores",
        "*_crop/[0-9][0-9] or [0-9][0-9]": "the pictures",
    },
    read=read,
    takes=("table", "clips", "track"),
)

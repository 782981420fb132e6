"""The file of the ABAW challenges of compound expressions, read and written in one place.

A header ``image_location,Fearfully_Surprised,...`` of the seven compounds, then a line a frame,
``01/00001.jpg,3``: video, picture, and the index of a word in the header's order, from 0. A frame
that has no picture of its own is called by its number, from 1, in five digits.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.files import replacing
from facewave.labels import tables
from facewave.labels.corpus import code
from facewave.labels.schema import COMPOUND, Reason

HEADER = ",".join(("image_location", *COMPOUND))
_PICTURE = re.compile(r"(.+)/([0-9]{1,9})\.[A-Za-z]+")
_IGNORE = -1


def read(path: Path) -> list[tables.Row]:
    """The lines below the header: their number, and field "0", the picture, and "1", the code.

    Raises:
        UserError: there is no such file, its header is another, or it has no lines.
    """
    (row, header), *below = tables.lines(path, ",", 2)
    if re.sub(" *, *", ",", f"{header['0']},{header['1']}") != HEADER:
        raise UserError(
            f"{path}, row {row}: the header should be {HEADER}, in this order, which the codes "
            "count in. Put the challenge's file there."
        )
    if not below:
        raise UserError(f"{path} has no rows below its header.")
    return below


def frame_of(picture: str) -> tuple[str, str] | None:
    """The video and the number, as it is written, of a picture; None where it names none."""
    parts = _PICTURE.fullmatch(picture)
    return (parts[1], parts[2]) if parts else None


def picture_of(video: str, number: int) -> str:
    """What a video's frame is called; the first has number 1."""
    return f"{video}/{number:05d}.jpg"


def label(field: str) -> dict[str, Any]:
    """The fields of a Record that a code makes, else Unusable is raised."""
    number = tables.whole(field, "the code")
    if number == _IGNORE:
        raise tables.Unusable(f"code {number}", Reason.MARKED_INVALID)
    if word := code(COMPOUND, number, first=0):
        return {"word": word, "compound": word}
    raise tables.Unusable(f"code {number}, of 0 to {len(COMPOUND) - 1}", Reason.UNKNOWN_WORD)


def write(path: Path, answers: Iterable[tuple[str, str]]) -> None:
    """Write pictures and their words, in their order; what is written is read before it stays.

    Raises:
        UserError: there are no answers, a picture is there twice or cannot be named in such a file,
            or a word is none of the seven. An older file stays as it is.
    """
    content = list(answers)
    if not content:
        raise UserError(f"{path}: there is no answer to write.")
    seen: set[str] = set()
    for picture, word in content:
        problem = (
            "it is there twice" if picture in seen
            else "that is not video/number.jpg" if frame_of(picture) is None
            else "such a name cannot stand in this file" if not _may_stand(picture)
            else f"its answer, {word!r}, is none of the seven" if word not in COMPOUND
            else ""
        )  # fmt: skip
        if problem:
            raise UserError(f"{path}: {picture!r} cannot be written: {problem}.")
        seen.add(picture)
    lines = [HEADER, *(f"{picture},{COMPOUND.index(word)}" for picture, word in content)]
    with replacing(path) as temporary:
        temporary.write_bytes("".join(f"{line}\n" for line in lines).encode())
        written = [(fields["0"], label(fields["1"])["word"]) for _, fields in read(temporary)]
        if written != content:
            raise UserError(f"{path}: it would not be read as it is written. Report this.")


def _may_stand(picture: str) -> bool:
    """Whether a name is a field of its own on one line."""
    return picture.isprintable() and picture.strip() == picture and "," not in picture

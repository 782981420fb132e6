"""Clips that are pictures: a single one, or a folder of them in the order of their numbers."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

# What OpenCV decodes; of animated ones the first picture alone.
PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff",
    ".pgm", ".ppm", ".pbm", ".pnm", ".jp2",
)  # fmt: skip
TRACKS = (".csv", ".json", ".parquet")  # other tools' per-frame tables in place of clips
_NUMBER = re.compile(r"([0-9]{1,15})")  # longer rows of digits are hashes, not numbers


def is_pictures(path: Path) -> bool:
    """Whether a clip is a folder of pictures, or one picture."""
    return path.is_dir() or path.suffix.lower() in PICTURES


def files_of(path: Path) -> list[Path]:
    """The files of a clip: itself, or a folder's pictures, ordered by all numbers in their names.

    What is in the folder besides (other files, hidden ones, links to nowhere) is no part of it.
    """
    if not path.is_dir():
        return [path]
    with os.scandir(path) as entries:
        pictures = [
            path / entry.name
            for entry in entries
            if entry.name.lower().endswith(PICTURES) and entry.name[0] != "." and _is_file(entry)
        ]
    return sorted(pictures, key=lambda file: (_parts(file), file.name))


def numbers(pictures: Sequence[Path]) -> list[int] | None:
    """The number of each picture: the one in which all names differ; of a single one, the last.

    Returns:
        None where names differ in no number, in several, or in words: they say nothing about time.
    """
    names = [_parts(picture) for picture in pictures]
    if len({(len(name), *name[::2]) for name in names}) != 1:
        return None
    columns = list(zip(*(name[1::2] for name in names), strict=True))
    if len(names) == 1:
        return [int(column[0]) for column in columns[-1:]] or None
    varying = [column for column in columns if len(set(column)) > 1]
    if len(varying) != 1 or len(set(varying[0])) < len(names):
        return None
    return [int(number) for number in varying[0]]


def times(pictures: Sequence[Path], fps: float) -> list[float]:
    """The time of each picture (s): the distance of its number from the first, over ``fps``.

    Where names say nothing about time, one picture follows the other.
    """
    counted = numbers(pictures) or range(len(pictures))
    return [(number - counted[0]) / fps for number in counted]


def _parts(picture: Path) -> list[str | int]:
    """Words and numbers of a picture's name, by turns."""
    parts = _NUMBER.split(picture.stem)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False

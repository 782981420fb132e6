"""Clips that are pictures: a single one, or a folder of them in the order of their numbers."""

import os
import re
from pathlib import Path

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
TRACKS = (".csv", ".json", ".parquet")  # other tools' per-frame tables in place of clips


def is_pictures(path: Path) -> bool:
    """Whether a clip is a folder of pictures, or one picture."""
    return path.is_dir() or path.suffix.lower() in PICTURES


def files_of(path: Path) -> list[Path]:
    """The files of a clip: itself, or a folder's pictures in the order of their numbers."""
    if not path.is_dir():
        return [path]
    with os.scandir(path) as entries:
        pictures = [
            path / entry.name
            for entry in entries
            if entry.name.lower().endswith(PICTURES) and entry.name[0] != "." and entry.is_file()
        ]
    return sorted(pictures, key=lambda file: (number(file), file.name))


def number(picture: Path) -> int:
    """The number at the end of a picture's name, -1 if there is none."""
    digits = re.search(r"[0-9]{1,15}$", picture.stem)
    return int(digits[0]) if digits else -1


def times(pictures: list[Path], fps: float) -> list[float]:
    """The time of each picture (s): the distance of its number from the first, over ``fps``."""
    numbers = [number(picture) for picture in pictures]
    if len(set(numbers)) < len(numbers) or -1 in numbers:  # names that say nothing about time
        numbers = list(range(len(pictures)))
    return [(at - numbers[0]) / fps for at in numbers]

"""Clips that are pictures: one of them, or a folder of them in the order of their numbers."""

import os
import re
from pathlib import Path

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def is_pictures(path: Path) -> bool:
    """Whether a clip is a folder of pictures, or one picture."""
    return path.is_dir() or path.suffix.lower() in PICTURES


def files_of(path: Path) -> list[Path]:
    """The files of a clip: itself, or a folder's pictures in the order of their numbers."""
    if not path.is_dir():
        return [path]
    with os.scandir(path) as entries:
        names = [
            entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file()
        ]
    found = [path / name for name in names if name.lower().endswith(PICTURES)]
    return sorted(found, key=lambda file: (number(file), file.name))


def number(picture: Path) -> int:
    """The number that a picture's name ends in, -1 for none."""
    digits = re.search(r"[0-9]{1,15}$", picture.stem)
    return int(digits[0]) if digits else -1


def times(pictures: list[Path], fps: float) -> list[float]:
    """When each picture is (s): its number's distance from the first's over ``fps``."""
    numbers = [number(picture) for picture in pictures]
    if len(set(numbers)) < len(numbers) or -1 in numbers:  # names that tell no time
        numbers = list(range(len(pictures)))
    return [(at - numbers[0]) / fps for at in numbers]

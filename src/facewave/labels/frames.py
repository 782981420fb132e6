"""Corpora that label every frame: every n-th label becomes a row about the time around it."""

import os
from pathlib import Path

from facewave import pictures


def window(time: float, length: float) -> tuple[float, float]:
    """Start and end of the window around a time, all in seconds; it starts at 0 or later."""
    return round(max(0.0, time - length / 2), 3), round(time + length / 2, 3)


def numbers(folder: Path) -> list[int] | None:
    """The numbers of a folder's pictures (``00001.jpg``) in order, or None: no folder."""
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for names that are too long
        return None
    return sorted(pictures.numbers(pictures.files_of(folder)) or [])

"""Corpora that label every frame: every n-th label becomes a row about the time around it."""

import os
import re
from collections import Counter
from pathlib import Path

from facewave import pictures
from facewave.errors import UserError


def window(time: float, length: float) -> tuple[float, float]:
    """Start and end of the window around a time, all in seconds; it starts at 0 or later."""
    return round(max(0.0, time - length / 2), 3), round(time + length / 2, 3)


def numbers(folder: Path) -> list[int] | None:
    """The numbers of a folder's pictures (``00001.jpg``) in order, or None: no folder.

    Raises:
        UserError: a picture without a number as the others', so that no time would be right.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for names that are too long
        return None
    files = pictures.files_of(folder)
    counted = pictures.numbers(files)
    if files and counted is None:
        forms = [re.sub(r"[0-9]+", "0", file.stem) for file in files]
        count_of = Counter(forms)
        _, stray = min(zip(forms, files, strict=True), key=lambda pair: count_of[pair[0]])
        raise UserError(
            f"{folder}: the pictures are not numbered as frames, one number each ({stray.name}). "
            "Move what is no frame out of the folder, or rename it."
        )
    return sorted(counted or [])

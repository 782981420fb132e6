"""Corpora that label every frame: each n-th label makes a row, about the seconds around it."""

from pathlib import Path

from facewave.video import PICTURES


def around(time: float, window: float) -> tuple[float, float]:
    """Start and end of the window around a time, all in seconds; it starts at 0 or later."""
    return round(max(0.0, time - window / 2), 3), round(time + window / 2, 3)


def numbers(folder: Path) -> list[int]:
    """The numbers of a folder's pictures, named ``00001.jpg`` and so on, in order."""
    if not folder.is_dir():
        return []
    return sorted(
        int(path.stem)
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURES and path.stem.isdecimal()
    )

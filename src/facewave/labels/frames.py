"""Corpora that label every frame: each n-th label makes a row, about the seconds around it."""

from pathlib import Path

from facewave.params import Dataset
from facewave.video import PICTURES


def around(index: int, entry: Dataset) -> tuple[float, float]:
    """Start and end (s) of the window around a frame, given its index in the clip, from 0."""
    time, half = index / entry.fps, entry.window / 2
    return round(max(0.0, time - half), 3), round(time + half, 3)


def numbers(folder: Path) -> list[int]:
    """The numbers of a folder's pictures, named ``00001.jpg`` and so on, in order."""
    if not folder.is_dir():
        return []
    return sorted(
        int(path.stem)
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURES and path.stem.isdecimal()
    )

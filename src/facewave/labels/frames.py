"""Corpora that label every frame: every n-th label becomes a row about the time around it."""

from pathlib import Path

from facewave.pictures import PICTURES, number


def window(time: float, length: float) -> tuple[float, float]:
    """Start and end of the window around a time, all in seconds; it starts at 0 or later."""
    return round(max(0.0, time - length / 2), 3), round(time + length / 2, 3)


def numbers(folder: Path) -> list[int] | None:
    """The numbers of a folder's pictures (``00001.jpg``) in order, or None: no folder."""
    try:
        files = list(folder.iterdir())
    except OSError:  # not there, no folder, or a name that no folder can have
        return None
    return sorted(number(path) for path in files if path.suffix.lower() in PICTURES)

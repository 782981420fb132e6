"""Corpora of tests: their entries in params.yaml, label files and clips."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facewave.params import Dataset


def entry_of(reader: str, **usual: Any) -> Callable[..., Dataset]:
    """Makes entries of a reader in params.yaml; the usual keys may be changed."""
    return lambda **keys: Dataset(reader=reader, root=".", about="a test", **{**usual, **keys})


def write(root: Path, path: str, content: str | bytes = "") -> Path:
    """A file below a root, which is returned."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def write_lines(root: Path, path: str, *lines: str) -> Path:
    return write(root, path, "".join(f"{line}\n" for line in lines))


def write_clip(path: Path, shade: int, fps: float = 25) -> Path:
    """A real mp4 of five frames; another shade below 256, other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (64, 48))
    for t in range(5):
        colour = (shade, 255 - shade, (4 * shade + 10 * t) % 256)
        writer.write(np.full((48, 64, 3), colour, np.uint8))
    writer.release()
    return path


def write_pictures(folder: Path, names: Iterable[str], shade: int) -> Path:
    """Real pictures, all alike; another shade, other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        assert cv2.imwrite(str(folder / name), np.full((8, 8, 3), shade, np.uint8))
    return folder


# What the columns of the table of ``write_numbers`` are.
UNITS = {"file_path": "clip", "aus.AU12": "smile", "aus.AU04": "frown", "dominance": "power"}


def write_numbers(root: Path) -> None:
    """A corpus of valence and arousal (plane/, AFEW-VA's form) and one of units (units/t.csv)."""
    for i in range(20):
        frames = {"00000": {"valence": i - 10, "arousal": 10 - i}}
        folder = write_pictures(root / f"plane/{i:03}", ["00000.png"], 3 * i)
        write_lines(folder, f"{i:03}.json", json.dumps({"actor": f"a{i}", "frames": frames}))
        write_clip(root / f"units/{i}.mp4", 130 + i)
    rows = [f"{i}.mp4,{i % 2},{i / 4},{0.1 * i - 1:.1f}" for i in range(20)]
    write_lines(root, "units/t.csv", "clip,smile,frown,power", *rows)

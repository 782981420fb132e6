"""Blendshapes of MediaPipe's FaceLandmarker, and what ``facewave extract`` writes.

A CSV or parquet file has a column for each of the 52, with the frame or a time in seconds
(``timestamp``); extract's has points and the head's pose as well. JSON is extract's list of rows,
or the results of the landmarker, one a frame: {"frame": 0, "timestamp": 0.0, "faceBlendshapes":
[{"categories": [{"categoryName": "jawOpen", "score": 0.1}, ...]}]}, in Python's or JavaScript's
names; ``timestamp_ms`` is in milliseconds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from facewave import parsing
from facewave.errors import UserError
from facewave.landmarks.tools.tool import Tool, read_table

_SHAPES = ("faceBlendshapes", "face_blendshapes")
_TIMES = {"timestamp": 1.0, "timestamp_ms": 1e-3, "timestampMs": 1e-3}


def read(path: Path, wanted: Callable[[str], bool]) -> pd.DataFrame:
    """The table, of JSON results a row for each face, or one without blendshapes for none."""
    if path.suffix.lower() != ".json":
        return read_table(path, wanted)
    try:
        content = parsing.json_of(path.read_bytes())
        if not isinstance(content, list) or not any(set(_SHAPES) & set(one) for one in content):
            return read_table(path, wanted)
        rows = [row for at, result in enumerate(content) for row in _rows(at, result)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: no results of MediaPipe's landmarker ({type(error).__name__}: {error}). "
            "Write a list with one object a frame."
        ) from None
    table = pd.DataFrame(rows)
    table.index = pd.Index(table.pop("row"))
    return table


def _rows(at: int, result: dict[str, Any]) -> list[dict[str, Any]]:
    known: dict[str, Any] = {"row": at + 1, "frame": result.get("frame", at)}
    for name, seconds in _TIMES.items():
        if name in result:
            known["timestamp"] = float(result[name]) * seconds
    faces: list[Any] = next((result[name] for name in _SHAPES if name in result), [])
    found = []
    for face in faces:
        categories = face["categories"] if isinstance(face, dict) else face
        scores = {
            category.get("categoryName", category.get("category_name")): category["score"]
            for category in categories
        }
        found.append(known | scores)
    return found or [known]


TOOL = Tool(
    name="mediapipe",
    frame="frame",
    time="timestamp",
    limits={"success": 1.0},
    pixels=True,
    pose=True,
    read=read,
)

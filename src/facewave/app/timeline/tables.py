"""A timeline as programs read it: a CSV with a row per person and window, and all of it as JSON."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.app.timeline.schema import Timeline
from facewave.app.timeline.stretches import gaps, in_sight, stretches
from facewave.files import for_spreadsheets, write_csv, write_json

_DECIMALS = 4
_RULE = (
    "medians over the windows of the same person whose middles are at most smooth / 2 s away; of "
    "words the likeliest"
)
_PLACES = ("start", "end")  # s, to the millisecond


def windows(timeline: Timeline) -> pd.DataFrame:
    """A row per person and window, named as ``facewave predict`` names them."""
    of_clip = {
        "file": str(timeline.recording.path),
        "sha256": timeline.recording.sha256,
        "model": timeline.model,
        "calibrated": timeline.calibrated,
    }
    table = timeline.windows.round(_DECIMALS)
    return pd.concat([pd.DataFrame(of_clip, table.index), table], axis=1)


def write_windows(timeline: Timeline, path: Path) -> None:
    """Write a .csv file (``windows``), safe to open in a spreadsheet."""
    write_csv(path, for_spreadsheets(windows(timeline)))


def write_all(timeline: Timeline, path: Path) -> None:
    """Write a .json file (``as_json``)."""
    write_json(path, as_json(timeline))


def as_json(timeline: Timeline) -> dict[str, Any]:
    """Everything that is known; null is what is not."""
    recording = timeline.recording
    people = _records(recording.people)
    for person in people:
        for name, find in (("spans", in_sight), ("gaps", gaps)):
            spans = find(recording, person["person"])
            person[name] = [[round(start, 3), round(end, 3)] for start, end in spans]
    return {
        "file": str(recording.path),
        "sha256": recording.sha256,
        "clip": {
            **{name: _plain(value) for name, value in asdict(recording.facts).items()},
            "duration": round(recording.duration, 3),
            "frames": recording.frames,
        },
        "model": {
            "line": timeline.model,
            "calibrated": timeline.calibrated,
            "synthetic": timeline.synthetic,
            "targets": [asdict(target) for target in timeline.targets],
        },
        "window": timeline.window,
        "hop": timeline.hop,
        "smooth": timeline.smooth,
        "smoothing": _RULE if timeline.smooth else "none",
        "shots": _records(recording.shots),
        "people": people,
        "tracks": _records(recording.tracks),
        "stretches": _records(stretches(timeline)),
        "windows": _records(timeline.windows),
        "whole": _records(timeline.whole),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    places = [name for name in _PLACES if name in table]
    rounded = table.round(_DECIMALS).assign(**{name: table[name].round(3) for name in places})
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in rounded.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

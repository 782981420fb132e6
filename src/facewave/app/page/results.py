"""What was found in a clip, as the page reads it: JSON without NaN."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from facewave.app import answers
from facewave.app.page import curves
from facewave.app.timeline import stretches, subtitles, tables
from facewave.app.timeline.schema import WHOLE_S, Recording, Timeline
from facewave.files import for_spreadsheets, write_csv, write_json
from facewave.targets import Target
from facewave.training import cards
from facewave.training.schema import Trained

_FIRST_SENTENCE = re.compile(r"(?<=[^0-9 ])\. (?=[A-Z])")
_INTERVAL = re.compile(r"( %)? \[([^],]+), ([^],]+)\]")
_WHOLE_COLUMNS = ("start", "end", "usable", "reason", "answered_from", "face_share", "doubt")


class Answered(NamedTuple):
    """What a model makes of a recording; ``id`` and ``label`` are what the page calls it."""

    id: str
    label: str
    model: Trained
    timeline: Timeline


def collect(
    recording: Recording, answered: Sequence[Answered], name: str, points: Path
) -> dict[str, Any]:
    """All that the page shows of a clip.

    Args:
        recording: what is seen.
        answered: what models make of it.
        name: what the person calls the clip.
        points: the file of the contours' points, written for clips of at most ``WHOLE_S``.
    """
    facts = recording.facts
    moving = [
        curves.moving(recording, int(row.person), (float(row.start), float(row.end)))
        for row in recording.people.itertuples()
    ]
    is_short = recording.duration <= WHOLE_S and len(recording.people) > 0
    return {
        "clip": {
            "name": name,
            "frames": recording.frames,
            "duration": number(recording.duration),
            "fps": number(facts.fps),
            "width": facts.width,
            "height": facts.height,
        },
        "shots": [[number(row.start), number(row.end)] for row in recording.shots.itertuples()],
        "people": [_person(recording, row) for row in recording.people.itertuples()],
        "points": curves.write_points(recording, points) if is_short else None,
        "curves": [some["curve"] for some in moving if some],
        "scalograms": [some["scalogram"] for some in moving if some],
        "answers": [_answers(one) for one in answered],
        "files": {
            "video": "clip",
            "csv": "answers.csv",
            "json": "answers.json",
            "seen": "seen.mp4",
            "srt": "answers.srt",
            "vtt": "answers.vtt",
        },
    }


def write_files(answered: Sequence[Answered], name: str, folder: Path) -> None:
    """Write what can be downloaded, with the person's name for the clip.

    answers.csv has a row for each model, person and window, and, without start and end, for the
    whole clip; answers.json all that is known by each model. Subtitles are the first model's.
    """
    named = [
        replace(one.timeline, recording=replace(one.timeline.recording, path=Path(name)))
        for one in answered
    ]
    parts = [
        tables.windows(replace(timeline, windows=some))
        for timeline in named
        for some in (timeline.whole, timeline.windows)
    ]
    filled = [part for part in parts if len(part)] or parts[:1]
    write_csv(folder / "answers.csv", for_spreadsheets(pd.concat(filled, ignore_index=True)))
    write_json(folder / "answers.json", [tables.as_json(timeline) for timeline in named])
    subtitles.write_srt(named[0], folder / "answers.srt")
    subtitles.write_vtt(named[0], folder / "answers.vtt")


def trust(model: Trained) -> str:
    """In a sentence, how far to trust a model's answers, by what is known of it."""
    about = model.about
    if about.get("synthetic"):
        return f"{cards.SYNTHETIC[0].upper()}{cards.SYNTHETIC[1:]}."
    scale = (
        "Its probabilities are calibrated on validation clips of the same corpus; among other "
        "people and other cameras they hold less well."
        if model.calibrated
        else "Its numbers for words are scores, not probabilities."
    )
    if note := about.get("note"):
        measured = _FIRST_SENTENCE.split(str(note).replace("`", ""))[0].rstrip(".")
        return f"{_in_words(measured)}. {scale}"
    if about.get("figures"):
        return f"Measured here: {_in_words(model.line())}. {scale}"
    return f"How good it is has not been measured. {scale}"


def _in_words(figures: str) -> str:
    """Figures as people read them who know neither the measure's name nor brackets."""
    named = re.sub(r"\bUAR\b", "mean recall of the words (UAR)", figures)
    return _INTERVAL.sub(r"\1 (between \2 and \3\1)", named)


def number(value: Any) -> float | None:
    """A number for JSON, None where it is not known."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), 4)


def _person(recording: Recording, row: Any) -> dict[str, Any]:
    """When a person is in sight."""
    spans, gaps = (
        [[number(start), number(end)] for start, end in find(recording, row.person)]
        for find in (stretches.in_sight, stretches.gaps)
    )
    return {
        "person": int(row.person),
        "seen_s": number(row.seen_s),
        "face_share": number(row.face_frames / max(recording.frames, 1)),
        "spans": spans,
        "gaps": gaps,
    }


def _answers(one: Answered) -> dict[str, Any]:
    """What a model answers of all people."""
    model, timeline = one.model, one.timeline
    people = sorted({*timeline.windows["person"], *timeline.whole["person"]})
    return {
        "id": one.id,
        "label": one.label,
        "line": timeline.model,
        "card": timeline.card,
        "calibrated": timeline.calibrated,
        "synthetic": timeline.synthetic,
        "trust": trust(model),
        "targets": [
            {"name": target.name, "kind": target.kind, "names": list(target.names)}
            for target in timeline.targets
        ],
        "window": timeline.window,
        "hop": timeline.hop,
        "smooth": timeline.smooth,
        "people": [
            {
                "person": int(person),
                "whole": next(iter(_rows(timeline.whole, person, model)), None),
                "windows": _rows(timeline.windows, person, model),
            }
            for person in people
        ],
    }


def _rows(table: pd.DataFrame, person: int, model: Trained) -> list[dict[str, Any]]:
    rows = table[table["person"] == person].to_dict("records")
    return [answer(row, model.targets, answers.first(model)) for row in rows]


def answer(
    row: Mapping[Any, Any], targets: Sequence[Target], main: Target | None
) -> dict[str, Any]:
    """A row of answers for JSON; ``main`` is the target whose words come first."""
    found: dict[str, Any] = {name: _value(row.get(name)) for name in _WHOLE_COLUMNS}
    words = {} if main is None else _numbers(row, main)
    found["words"] = words or None
    found["predicted"] = (main and main.predicted and row.get(main.predicted)) or None
    numbers = {}
    for target in targets:
        if target.kind == "number":
            low, high = (number(row.get(end)) for end in target.ends)
            value = number(row.get(target.numbers[0]))
            numbers[target.name] = {"value": value, "low": low, "high": high}
    found["numbers"] = numbers
    units = [target for target in targets if target.kind in ("presence", "intensity")]
    found["units"] = {
        name: value for target in units for name, value in _numbers(row, target).items()
    }
    return found


def _numbers(row: Mapping[Any, Any], target: Target) -> dict[str, float]:
    """A target's names with what was answered of each; {} where nothing was."""
    values = [number(row.get(column)) for column in target.numbers]
    return {
        name: value for name, value in zip(target.names, values, strict=True) if value is not None
    }


def _value(value: Any) -> Any:
    """A cell for JSON."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str):
        return value
    return number(value)

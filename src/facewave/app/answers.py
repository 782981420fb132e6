"""What a model answered about a person's own clips, as people and as programs read it.

An answer is a table whose first row is the whole clip; the others are its windows, if it is longer
than one (``columns``). Its last columns are the answers to the model's targets, named as in
data/answers (prediction/schema.py): ``predicted`` and ``p_<word>`` of the classes,
``predicted_quadrant`` and ``p_quadrant_<word>``, ``predicted_valence`` with the ends of its
prediction interval, ``low_valence`` and ``high_valence``, ``predicted_<unit>`` of action units.
"""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from facewave import params, plane
from facewave.files import for_spreadsheets, write_csv, write_json
from facewave.targets import ABOUT, CLASSES, PLANE, SCORE, UNITS, Target
from facewave.training.conformal import COVERAGE
from facewave.training.schema import Trained

COLUMNS = (
    "file",
    "sha256",  # of its bytes
    "start", "end",  # s from the first frame; NaN: the whole clip
    "frames", "duration", "face_share",  # as in landmarks.schema.MEASURES
    "usable",  # whether a dataset would have it
    "reason",  # why not, or why there is no answer
    "forced",  # answered although it is not usable
    "model",
    "calibrated",  # whether its numbers for words are probabilities; else they are scores
    "answered_from",  # as in data/answers; "": not answered
)  # fmt: skip
_OF_CLIP = ("file", "sha256", "model", "calibrated")
_DECIMALS = 4
_BLOCKS = " ▁▂▃▄▅▆▇█"  # of a curve in text, from its lowest to its highest number
_NOTHING = "·"  # in it, where a window has no answer
_MOST = 7  # curves of words, and of action units
_IS_THERE = 0.5  # an action unit, from this probability or intensity


class Asked(Protocol):
    """What knows what was asked: a model, or a timeline of its answers."""

    @property
    def targets(self) -> Sequence[Target]:
        """In the order of the answers."""


def columns(model: Trained) -> list[str]:
    """All columns of an answer."""
    known = {*words(model), *numbers(model)}
    answered = (name for target in model.targets for name in target.answered)
    return [*COLUMNS, *(name for name in answered if name in known)]


def words(model: Trained) -> list[str]:
    """The columns of an answer that have a word for each of the model's targets of words."""
    return [target.predicted for target in model.targets if target.predicted]


def numbers(model: Trained) -> list[str]:
    """The columns of an answer that have the model's own numbers; none if it writes words."""
    targets = () if model.writes else model.targets
    return [name for target in targets for name in (*target.numbers, *target.ends)]


def first(asked: Asked) -> Target | None:
    """What is answered in words before all else: the classes, if they are a target."""
    of_words = [target for target in asked.targets if target.is_words]
    return min(of_words, key=lambda target: target.name != CLASSES, default=None)


def flat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All answers as one table, a row per clip and window."""
    return pd.concat(tables, ignore_index=True).round(_DECIMALS)


def records(tables: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
    """All answers as JSON, a record per clip, in which its windows are ``windows``."""
    return [
        {**_record(whole), "windows": [
            {name: value for name, value in _record(row).items() if name not in _OF_CLIP}
            for row in windows
        ]}
        for whole, *windows in (table.round(_DECIMALS).to_dict("records") for table in tables)
    ]  # fmt: skip


def _record(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON: null is what is not known, such as the limits of the whole clip."""
    return {
        str(name): None if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
    }


def text(tables: Sequence[pd.DataFrame], form: str) -> str:
    """All answers as "json" or "csv"."""
    if form == "csv":
        return str(for_spreadsheets(flat(tables)).to_csv(index=False, lineterminator="\n"))
    return json.dumps(records(tables), indent=2, ensure_ascii=False) + "\n"


def write(tables: Sequence[pd.DataFrame], path: Path) -> None:
    """Write all answers to a .json or .csv file."""
    if path.suffix == ".csv":
        write_csv(path, for_spreadsheets(flat(tables)))
    else:
        write_json(path, records(tables))


def show(table: pd.DataFrame, model: Trained, console: Console) -> None:
    """Print a clip's answer, and how it changes over time."""
    whole = table.iloc[0]
    console.print(
        f"{whole['file']}: {whole['frames']:.0f} frames, {whole['duration']:.2f} s, "
        f"a face in {whole['face_share']:.0%} of the frames"
    )
    if not whole["answered_from"]:
        can_be_forced = not whole["usable"] and whole["face_share"] * whole["frames"] >= 2
        hint = " (--force answers anyway)" if can_be_forced and not whole["forced"] else ""
        console.print(f"  no answer: {whole['reason']}{hint}")
        return
    if whole["forced"]:
        console.print(f"  forced: {whole['reason']}", style="yellow")
    elif whole["reason"]:
        console.print(f"  answered without the face: {whole['reason']}", style="yellow")
    if all(params.apart(model.inputs).values()) and whole["answered_from"] == "face":
        console.print("  answered by the face alone: no sound is heard", style="yellow")
    if model.writes:
        console.print(f"  emotion, as the model wrote it: {whole['predicted']}")
    else:
        _show_answers(whole, model, console)
    if len(table) > 1:
        _over_time(table.iloc[1:], whole, model, console)


def without_interval(tables: Sequence[pd.DataFrame], asked: Asked) -> list[str]:
    """The numbers that were answered without a prediction interval, by their names for people."""
    rows = pd.concat(tables) if tables else pd.DataFrame()
    return [
        label(target)
        for target in asked.targets
        if len(rows) and target.ends
        and (rows[target.numbers[0]].notna() & rows[target.ends[0]].isna()).any()
    ]  # fmt: skip


def label(target: Target) -> str:
    """What people call a target."""
    names = {CLASSES: "emotion", UNITS: "action units"}
    return names.get(target.name, target.name.removeprefix(SCORE).removeprefix(ABOUT))


def _show_answers(whole: pd.Series, model: Trained, console: Console) -> None:
    """The likelihood of each word of the first target, and one line for each other one."""
    main, lines = first(model), dict(_lines(whole, model))
    shares = {} if main is None else dict(zip(main.names, whole[list(main.numbers)], strict=True))
    width = max(map(len, [*shares, *lines, label(main) if main else ""]))
    if main is not None:
        noun = "probability" if model.calibrated else "score"
        table = Table(box=None, padding=(0, 2))
        table.add_column(label(main), min_width=width)
        table.add_column(noun)
        for word, share in sorted(shares.items(), key=lambda pair: -pair[1]):
            table.add_row(word, f"{share:6.1%} {'█' * round(30 * share)}")
        console.print(table)
    if lines:
        table = Table(box=None, padding=(0, 2), show_header=False)
        table.add_column(min_width=width)
        for name, line in lines.items():
            table.add_row(name, line)
        console.print(table)


def _lines(whole: pd.Series, model: Trained) -> Iterator[tuple[str, str]]:
    """What was answered to each target but the first of words, by the target's name for people."""
    in_plane = [target.name for target in model.targets if target.name in PLANE[:2]]
    for target in model.targets:
        values = whole[list(target.numbers)].to_numpy(float)
        if target == first(model) or np.isnan(values).all():
            continue
        if target.is_words:
            yield label(target), f"{whole[target.predicted]} {values.max():.0%}"
        elif target.kind == "number":
            yield label(target), _number(target, whole)
        else:
            yield label(target), _units(target, values)
        if target.name in in_plane[-1:] and not np.isnan(at := point(whole)).any():
            yield "nearest word", plane.nearest(*at)


def point(row: pd.Series) -> tuple[float, float]:
    """The valence and arousal that were answered; NaN where there are none."""
    valence, arousal = (float(row.get(f"predicted_{name}", math.nan)) for name in PLANE[:2])
    return valence, arousal


def _number(target: Target, whole: pd.Series) -> str:
    """A number with its prediction interval and reading, where it has them."""
    value = float(whole[target.numbers[0]])
    low, high = whole[list(target.ends)]
    interval = f" ({100 * COVERAGE:.0f} % between {low:.2f} and {high:.2f})"
    reading = ""
    if target.name.startswith(SCORE):
        reading = plane.reading(target.name.removeprefix(SCORE), value)
    return f"{value:6.2f}{'' if math.isnan(low) else interval}{reading and f', {reading}'}"


def _units(target: Target, values: np.ndarray) -> str:
    """The action units that are there, the likeliest or strongest first."""
    shown = "{:.0%}" if target.kind == "presence" else "{:.1f}"
    ranked = sorted(zip(target.names, values, strict=True), key=lambda pair: -pair[1])
    there = [f"{unit} {shown.format(value)}" for unit, value in ranked if value >= _IS_THERE]
    return ", ".join(there) or f"none of {len(values)}"


def _over_time(windows: pd.DataFrame, whole: pd.Series, model: Trained, console: Console) -> None:
    """A curve of each number over the windows, and which word comes first when."""
    length, hop = windows["end"].iloc[0] - windows["start"].iloc[0], windows["start"].iloc[1]
    console.print(f"  in windows of {length:g} s, one every {hop:g} s:")
    curves = [] if model.writes else list(_curves(windows, model))
    width = max((len(name) for name, *_ in curves), default=0)
    for name, values, low, high in curves:
        told = "" if (low, high) == (0, 1) else f" {low:.2f} to {high:.2f}"
        console.print(f"    {name:{width}} {_curve(values, low, high, console.width)}{told}")
    if (main := first(model)) is None:
        return
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(justify="right")
    of_word = dict(zip(main.names, main.numbers, strict=True))
    for start, end, rows in _stretches(windows, str(main.predicted), whole["duration"]):
        word = rows[main.predicted].iloc[0]
        score = "" if model.writes or not word else f"{rows[of_word[word]].mean():.0%}"
        table.add_row(
            f"{start:.1f} to {end:.1f} s", word or "no answer", score or rows["reason"].iloc[0]
        )
    console.print(table)


def _curves(
    windows: pd.DataFrame, model: Trained
) -> Iterator[tuple[str, np.ndarray, float, float]]:
    """Name, values over the windows, and what is drawn lowest and highest."""
    for target in model.targets:
        values = {
            name: windows[column].to_numpy(float)
            for name, column in zip(target.names, target.numbers, strict=True)
        }
        if target == first(model):  # the likeliest first
            ranked = sorted(values.items(), key=lambda pair: -np.nan_to_num(pair[1]).mean())
            yield from ((word, shares, 0.0, 1.0) for word, shares in ranked[:_MOST])
        elif target.is_words or all(np.isnan(some).all() for some in values.values()):
            continue
        elif target.kind == "number":
            (some,) = values.values()
            yield label(target), some, float(np.nanmin(some)), float(np.nanmax(some))
        else:
            highest = 1.0
            if target.kind == "intensity":
                highest = max(1.0, *(float(np.nanmax(some)) for some in values.values()))
            there = {unit: some for unit, some in values.items() if np.nanmax(some) >= _IS_THERE}
            ranked = sorted(there.items(), key=lambda pair: -np.nan_to_num(pair[1]).mean())
            yield from ((unit, some, 0.0, highest) for unit, some in ranked[:_MOST])


def _curve(values: np.ndarray, low: float, high: float, width: int) -> str:
    """Numbers as a row of blocks, several in one where there are too many for the line."""
    marks = []
    for some in np.array_split(values, min(len(values), max(10, width - 40))):
        known = some[~np.isnan(some)]
        share = (known.mean() - low) / max(high - low, 1e-9) if len(known) else math.nan
        marks.append(_NOTHING if math.isnan(share) else _BLOCKS[round(share * (len(_BLOCKS) - 1))])
    return "".join(marks)


def _stretches(
    windows: pd.DataFrame, column: str, duration: float
) -> Iterator[tuple[float, float, pd.DataFrame]]:
    """Neighbouring windows with the same word in a column: start, end (s) and the windows.

    The stretches are the whole clip: one ends midway between the middles of two windows.
    """
    middles = ((windows["start"] + windows["end"]) / 2).to_numpy()
    edges = [0.0, *(middles[1:] + middles[:-1]) / 2, duration]
    said = windows[column].tolist()
    for _, group in groupby(range(len(windows)), key=lambda at: said[at]):
        some = list(group)
        yield edges[some[0]], edges[some[-1] + 1], windows.iloc[some]

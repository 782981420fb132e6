"""What a model answered about a person's own clips, as people and as programs read it.

An answer is a table whose first row is the whole clip; the others are its windows, if it is longer
than one (``columns``). Its last columns are the model's numbers, one for each class or target.
"""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from facewave.files import for_spreadsheets, write_csv, write_json
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
    "answered_from",  # as in data/answers; "": not answered
    "predicted",  # the class; "" of a regression
)  # fmt: skip
_OF_CLIP = ("file", "sha256", "model")
_DECIMALS = 4
_BLOCKS = " ▁▂▃▄▅▆▇█"  # of a curve in text, from 0 to 1
_NOTHING = "·"  # in it, where a window has no answer
_MOST = 7  # curves


def columns(model: Trained) -> list[str]:
    """All columns of an answer."""
    return [*COLUMNS, *numbers(model)]


def numbers(model: Trained) -> dict[str, str]:
    """The columns of a model's own numbers, with the class or target that each is about."""
    if model.targets:
        return {f"predicted_{target}": target for target in model.targets}
    return {} if model.writes else {f"p_{word}": word for word in model.classes}


def noun(model: Trained) -> str:
    """What a model's numbers are: values, probabilities, or scores if they are not calibrated."""
    return "value" if model.targets else "probability" if model.calibrated else "score"


def flat(tables: Sequence[pd.DataFrame], model: Trained) -> pd.DataFrame:
    """All answers as one table, a row per clip and window; numbers are called what they are."""
    names = {column: f"{noun(model)}_{word}" for column, word in numbers(model).items()}
    return pd.concat(tables, ignore_index=True).round(_DECIMALS).rename(columns=names)


def records(tables: Sequence[pd.DataFrame], model: Trained) -> list[dict[str, Any]]:
    """All answers as JSON, a record per clip, in which its windows are ``windows``."""
    plural = {"probability": "probabilities"}.get(noun(model), f"{noun(model)}s")
    return [
        {**_record(whole, model, plural), "windows": [
            {name: value for name, value in _record(row, model, plural).items()
             if name not in _OF_CLIP}
            for row in windows
        ]}
        for whole, *windows in (table.round(_DECIMALS).to_dict("records") for table in tables)
    ]  # fmt: skip


def _record(row: dict[str, Any], model: Trained, plural: str) -> dict[str, Any]:
    record = {name: row[name] for name in COLUMNS}
    if math.isnan(record["start"]):
        del record["start"], record["end"]
    if model.targets:
        del record["predicted"]
    answered = numbers(model) if row["answered_from"] else {}
    return record | {plural: {word: row[name] for name, word in answered.items()}}


def text(tables: Sequence[pd.DataFrame], model: Trained, form: str) -> str:
    """All answers as "json" or "csv"."""
    if form == "csv":
        return str(for_spreadsheets(flat(tables, model)).to_csv(index=False, lineterminator="\n"))
    return json.dumps(records(tables, model), indent=2, ensure_ascii=False) + "\n"


def write(tables: Sequence[pd.DataFrame], model: Trained, path: Path) -> None:
    """Write all answers to a .json or .csv file."""
    if path.suffix == ".csv":
        write_csv(path, for_spreadsheets(flat(tables, model)))
    else:
        write_json(path, records(tables, model))


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
    if model.writes:
        console.print(f"  emotion, as the model wrote it: {whole['predicted']}")
    else:
        console.print(_table(whole, model))
    if len(table) > 1:
        _over_time(table.iloc[1:], whole, model, console)


def _table(whole: pd.Series, model: Trained) -> Table:
    found = {word: whole[name] for name, word in numbers(model).items()}
    if model.targets:
        table = Table("target", noun(model), box=None, padding=(0, 2))
        for target, value in found.items():
            table.add_row(target, f"{value:.3f}")
        return table
    table = Table("emotion", noun(model), box=None, padding=(0, 2))
    for word, share in sorted(found.items(), key=lambda pair: -pair[1]):
        table.add_row(word, f"{share:6.1%} {'█' * round(30 * share)}")
    return table


def _over_time(windows: pd.DataFrame, whole: pd.Series, model: Trained, console: Console) -> None:
    """A curve of each number over the windows, and which class comes first when."""
    length, hop = windows["end"].iloc[0] - windows["start"].iloc[0], windows["start"].iloc[1]
    console.print(f"  in windows of {length:g} s, one every {hop:g} s:")
    curves = {word: windows[name].to_numpy() for name, word in numbers(model).items()}
    if not model.targets:  # the likeliest first
        curves = dict(sorted(curves.items(), key=lambda pair: -np.nan_to_num(pair[1]).mean()))
    width = max(map(len, curves), default=0)
    for word, values in list(curves.items())[:_MOST]:
        low, high, told = 0.0, 1.0, ""
        if model.targets and not np.isnan(values).all():
            low, high = float(np.nanmin(values)), float(np.nanmax(values))
            told = f" {low:.2f} to {high:.2f}"
        console.print(f"    {word:{width}} {_curve(values, low, high, console.width)}{told}")
    if not model.targets:
        table = Table(box=None, padding=(0, 2), show_header=False)
        table.add_column(justify="right")
        for start, end, rows in _stretches(windows, whole["duration"]):
            word = rows["predicted"].iloc[0]
            score = "" if model.writes or not word else f"{rows[f'p_{word}'].mean():.0%}"
            table.add_row(
                f"{start:.1f} to {end:.1f} s", word or "no answer", score or rows["reason"].iloc[0]
            )
        console.print(table)


def _curve(values: np.ndarray, low: float, high: float, width: int) -> str:
    """Numbers as a row of blocks, several in one where there are too many for the line."""
    marks = []
    for some in np.array_split(values, min(len(values), max(10, width - 40))):
        known = some[~np.isnan(some)]
        share = (known.mean() - low) / max(high - low, 1e-9) if len(known) else math.nan
        marks.append(_NOTHING if math.isnan(share) else _BLOCKS[round(share * (len(_BLOCKS) - 1))])
    return "".join(marks)


def _stretches(
    windows: pd.DataFrame, duration: float
) -> Iterator[tuple[float, float, pd.DataFrame]]:
    """Neighbouring windows with the same answer: start, end (s) and the windows.

    The stretches are the whole clip: one ends midway between the middles of two windows.
    """
    middles = ((windows["start"] + windows["end"]) / 2).to_numpy()
    edges = [0.0, *(middles[1:] + middles[:-1]) / 2, duration]
    words = windows["predicted"].tolist()
    for _, group in groupby(range(len(windows)), key=lambda at: words[at]):
        some = list(group)
        yield edges[some[0]], edges[some[-1] + 1], windows.iloc[some]

"""What the terminal tells of a timeline: of each person, when seen, what words, what numbers."""

import math
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from facewave.app import answers
from facewave.app.timeline.schema import Timeline
from facewave.app.timeline.stretches import Span, gaps, in_sight, stretches

_MOST = 10  # stretches, and times in or out of sight, that are named of each person
_PEOPLE = 8  # people that are described
_MINUTES = 180.0  # s: times of longer recordings are in minutes


def show(timeline: Timeline, console: Console) -> None:
    """Print what is known of a recording and of the people in it."""
    recording = timeline.recording
    console.print(
        f"{recording.path}: {recording.duration:.2f} s, {_many(recording.frames, 'frame')}, "
        f"{_many(len(recording.shots), 'shot')}, {_many(len(recording.people), 'person', 'people')}"
    )
    if recording.facts.problem:
        console.print(f"  {recording.facts.problem}", style="yellow")
    if recording.missing and not recording.facts.problem:
        console.print(
            f"  {recording.missing} of {recording.facts.declared_frames} frames cannot be decoded",
            style="yellow",
        )
    if recording.holes:
        console.print(f"  no frames {_spans(recording.holes, recording.duration)}", style="yellow")
    said = stretches(timeline)
    for row in recording.people.head(_PEOPLE).itertuples():
        _person(timeline, said[said["person"] == row.person], row, console)
    if (more := len(recording.people) - _PEOPLE) > 0:
        console.print(f"  and {more} more people, in sight for less")


def failed(clip: Path, error: Exception) -> None:
    """Tell why there is nothing of a recording, naming it once."""
    told = str(error)
    if isinstance(error, OSError) and error.filename:
        told = f"{error.filename}: {error.strerror}"
    print(told if told.startswith(f"{clip}") else f"{clip}: {told}", file=sys.stderr)


def _person(timeline: Timeline, said: pd.DataFrame, row: "pd.Series", console: Console) -> None:
    recording, person = timeline.recording, int(row.person)
    share = row.seen_s / max(recording.duration, 1e-9)
    console.print(f"  person {person}: in sight for {row.seen_s:.1f} s, {share:.0%} of the time")
    console.print(f"    in sight {_spans(in_sight(recording, person), recording.duration)}")
    if away := gaps(recording, person):
        console.print(f"    out of sight {_spans(away, recording.duration)}", style="dim")
    windows = timeline.windows[timeline.windows["person"] == person]
    for target in timeline.targets:
        if target.kind == "number":
            values = windows[target.numbers[0]].dropna()
            if len(values):
                name = answers.label(target)
                console.print(f"    {name} {values.min():.2f} to {values.max():.2f}")
    longest = (said["end"] - said["start"]).nlargest(_MOST).index
    rows = []
    for stretch in said.loc[sorted(longest)].itertuples():
        score = "" if math.isnan(stretch.score) else f"{stretch.score:.0%}"
        span = _spans([(stretch.start, stretch.end)], recording.duration)
        rows.append((span, stretch.word or "no answer", score or stretch.reason))
    width = max((cell_len(word) for _, word, _ in rows), default=0)
    for span, word, told in rows:
        console.print(f"  {span:>16}    {set_cell_size(word, width)}    {told}".rstrip())
    if (more := len(said) - _MOST) > 0:
        console.print(f"    and {_many(more, 'shorter stretch', 'shorter stretches')}")


def _spans(spans: Iterable[Span], length: float) -> str:
    """Spans of time as people read them."""
    unit = "" if length > _MINUTES else " s"
    told = [f"{clock(start, length)} to {clock(end, length)}{unit}" for start, end in spans]
    more = f" and {len(told) - _MOST} more times" if len(told) > _MOST else ""
    return ", ".join(told[:_MOST]) + more


def clock(time: float, length: float) -> str:
    """A time in a recording of some length (s): seconds, or minutes and seconds of long ones."""
    if length <= _MINUTES:
        return f"{time:.1f}"
    minutes, seconds = divmod(round(time), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if length >= 3600 else f"{minutes}:{seconds:02}"


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or f'{one}s'}"

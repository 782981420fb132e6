"""A timeline as subtitles: SubRip (.srt) and WebVTT (.vtt), what each person shows and when.

Players show one subtitle at a time, or overlapping ones in any order. So a subtitle ends whenever
anybody's word begins or ends, and has a line for each person who shows one.
"""

import html
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

from facewave.app.timeline.schema import Timeline
from facewave.app.timeline.stretches import spoken, stretches
from facewave.files import replacing

_UNSAFE = str.maketrans({"<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
                         ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"})  # fmt: skip


class Cue(NamedTuple):
    """A subtitle: when it begins and ends (ms), and its lines."""

    start: int
    end: int
    lines: tuple[str, ...]


def cues(timeline: Timeline) -> list[Cue]:
    """The subtitles, in order; none overlaps another."""
    said = stretches(timeline)
    said = said[said["word"] != ""]
    spans = [
        (round(1000 * row.start), round(1000 * row.end), int(row.person),
         f"person {row.person}: {_line(spoken(row.word, row.score))}")
        for row in said.itertuples()
    ]  # fmt: skip
    edges = sorted({edge for start, end, *_ in spans for edge in (start, end)})
    opened = sorted(spans)
    active: list[tuple[int, int, int, str]] = []
    pieces = []
    for start, end in pairwise(edges):
        while opened and opened[0][0] <= start:
            active.append(opened.pop(0))
        active = [span for span in active if span[1] > start]
        lines = tuple(line for *_, line in sorted(active, key=lambda span: span[2]))
        pieces.append(Cue(start, end, lines))
    return [cue for cue in _joined(pieces) if cue.lines]


def _joined(pieces: list[Cue]) -> Iterator[Cue]:
    """One cue of neighbours with the same lines."""
    for lines, group in groupby(pieces, key=lambda cue: cue.lines):
        some = list(group)
        yield Cue(some[0].start, some[-1].end, lines)


def _line(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())


def srt(timeline: Timeline) -> str:
    """SubRip, which has no escapes: angle brackets, which players take for tags, are replaced."""
    return "\n".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n"
        + "".join(f"{line.translate(_UNSAFE)}\n" for line in cue.lines)
        for number, cue in enumerate(cues(timeline), start=1)
    )


def vtt(timeline: Timeline) -> str:
    """WebVTT (W3C), with a note of who answered."""
    noun = "probabilities" if timeline.calibrated else "scores, not probabilities"
    note = _line(f"{timeline.model}; numbers are {noun}").replace("-->", "->")
    return f"WEBVTT\n\nNOTE {note}\n" + "".join(
        f"\n{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n"
        + "".join(f"{html.escape(line, quote=False)}\n" for line in cue.lines)
        for cue in cues(timeline)
    )


def write_srt(timeline: Timeline, path: Path) -> None:
    """Write a .srt file."""
    with replacing(path) as temporary:
        temporary.write_text(srt(timeline), "utf-8")


def write_vtt(timeline: Timeline, path: Path) -> None:
    """Write a .vtt file."""
    with replacing(path) as temporary:
        temporary.write_text(vtt(timeline), "utf-8")


def _time(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"

"""Transcripts beside clips, as subtitles or as plain text, for rows that have none.

Subtitles are WebVTT (https://www.w3.org/TR/webvtt1) or SubRip, which no standard describes: its
cues are the same but for a comma in their times. FFmpeg and pysubs2 read both but take damaged
cues without a word; here a mistake is reported with its line, hence the parser.
"""

import html
import math
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pandas as pd

from facewave.errors import UserError
from facewave.labels import tables
from facewave.labels.cleaning import FileFact
from facewave.pictures import PICTURES

# The first that is there: those with times can tell what is said in a part of the file.
_SUFFIXES = (".vtt", ".srt", ".txt")

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
# Of WebVTT (<c>, <v Speaker>, </i>, <00:01.500>) and SubRip (<font ...>, {\an8}); "a < b" is text.
_TAGS = re.compile(r"<(?:/?[A-Za-z]|\d+:)[^<>]*>|\{\\[^{}]*\}")
_SILENT_BLOCKS = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_SEPARATORS = re.compile(r"[,;:|()\[\]]")
_TABLE_LINE = re.compile(r"[-+]?[\d.]+(?:\t|[,;](?! ))")
_ADVICE = "Correct the subtitles, or take the file away."
_TOUCHING = 0.02  # s between a rolling caption's cues, at most


@dataclass(frozen=True)
class Cue:
    """A piece of what is said, in seconds, and its lines without markup and with single blanks."""

    start: float
    end: float
    lines: tuple[str, ...]


def fill(
    raw: pd.DataFrame, facts: Mapping[str, FileFact], root: Path, encoding: str = "utf-8"
) -> pd.DataFrame:
    """Give records without a transcript, windows being set, the one beside their clip.

    A file that cannot be read gives none, which a line on the terminal says.
    """
    # Some corpora have a label file for each clip, named after it: in the folders of label files
    # that are .txt no .txt is a transcript.
    tables_used = map(PurePosixPath, raw["table"].unique())
    listed = {str(table.parent) for table in tables_used if table.suffix.lower() == ".txt"}
    beside = cache(lambda path: _read_or_say(root, path, listed, encoding))

    def transcript(path: str, start: float, end: float) -> str:
        fact = facts.get(path)
        if fact is None or not fact.exists or fact.problem:
            return ""
        return text_between(beside(path), start, end)

    columns = (raw[name] for name in ("transcript", "file_path", "start", "end"))
    texts = [known or transcript(*row) for known, *row in zip(*columns, strict=True)]
    return raw.assign(transcript=pd.Series(texts, raw.index, dtype=object))


def text_between(cues: list[Cue], start: float, end: float) -> str:
    """The text of the cues that overlap [start, end), on one line; NaN is the file's own limit."""
    first = -math.inf if math.isnan(start) else start
    last = math.inf if math.isnan(end) else end
    inside = [c for c in cues if c.start < last and (c.end > first or c.start >= first)]
    return " ".join(line for cue in inside for line in cue.lines)


def parse(content: str, where: str) -> list[Cue]:
    """The cues of WebVTT (which begins with that word) or SubRip by time; rolling lines occur once.

    Raises:
        UserError: a line that is neither a cue's nor a comment's, or times that run backwards.
    """
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    web = lines[0].split(maxsplit=1)[:1] == ["WEBVTT"]
    cues: list[Cue] = []
    for number, block in _blocks(lines):
        if not (web and _SILENT_BLOCKS.match(block[0])):
            cues += _cues(block, number, where, strict=not web)
    return _once(sorted(cues, key=lambda cue: cue.start))


def _read_or_say(root: Path, path: str, listed: Collection[str], encoding: str) -> list[Cue]:
    try:
        return _read(root, path, listed, encoding)
    except (UserError, OSError) as error:
        print(f"no transcript of {path}: {error}", file=sys.stderr)
        return []


def _read(root: Path, path: str, listed: Collection[str], encoding: str) -> list[Cue]:
    """The cues beside a clip, [] if there are none."""
    if path.lower().endswith(PICTURES):  # nothing is said in one picture; captions lie there
        return []
    stem = PurePosixPath(path)
    stem = stem if (root / path).is_dir() else stem.with_suffix("")
    for suffix in _SUFFIXES:
        file = root / f"{stem}{suffix}"
        if not os.path.isfile(file):  # noqa: PTH113  (Path's raises for a name that none can have)
            continue
        if suffix != ".txt":
            return parse(tables.text(file, encoding), str(file))
        if str(stem.parent) not in listed and not is_annotation(
            text := tables.text(file, encoding)
        ):
            return [Cue(-math.inf, math.inf, _lines([text]))]
    return []


def is_annotation(text: str) -> bool:
    """Whether at least half of a text's lines are numbers, or start like a table's row with one.

    Tools and corpora put such files beside clips: labels, boxes, points of frames.
    """

    def of_numbers(line: str) -> bool:
        fields = _SEPARATORS.sub(" ", line).split()
        return bool(_TABLE_LINE.match(line)) or all(_NUMBER.fullmatch(field) for field in fields)

    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return 2 * sum(map(of_numbers, lines)) >= max(1, len(lines))


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The blocks between empty lines, each with the number of its first line.

    A line of blanks is not empty: rolling captions have them within a cue.
    """
    block: list[str] = []
    for number, line in enumerate([*lines, ""], start=1):
        if line:
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _cues(block: list[str], first: int, where: str, *, strict: bool) -> list[Cue]:
    """The cues of a block; several if the empty line between them is missing."""
    arrows = [i for i, line in enumerate(block) if "-->" in line]
    if strict and (not arrows or arrows[0] > 1):  # a cue's id takes one line
        raise UserError(
            f"{where}, line {first}: {block[0].strip()[:60]!r} stands where a cue should begin, "
            f"with its number or its times. {_ADVICE}"
        )
    cues = []
    for at, following in pairwise([*arrows, len(block)]):
        start, end = _times(block[at], f"{where}, line {first + at}")
        text = block[at + 1 : following]
        if following < len(block) and text and text[-1].strip().isdigit():
            text = text[:-1]  # the next cue's number
        if lines := _lines(text, markup=True):
            cues.append(Cue(start, end, lines))
    return cues


def _times(line: str, where: str) -> tuple[float, float]:
    match = _TIMING.fullmatch(line)
    if match is None:
        raise UserError(
            f"{where}: {line.strip()[:60]!r} are no times of a cue, such as 00:01:02.500 --> "
            f"00:01:04.000. {_ADVICE}"
        )
    parts = match.groups("0")
    start, end = (
        3600 * int(hours) + 60 * int(minutes) + int(seconds) + int(part.ljust(3, "0")) / 1000
        for hours, minutes, seconds, part in (parts[:4], parts[4:])
    )
    if end < start:
        raise UserError(f"{where}: the cue ends before it begins. {_ADVICE}")
    return start, end


def _lines(texts: list[str], *, markup: bool = False) -> tuple[str, ...]:
    """Lines with single blanks, without empty ones."""
    plain = (html.unescape(_TAGS.sub("", text)) if markup else text for text in texts)
    tidy = (" ".join(tables.clean(text).split()) for text in plain)
    return tuple(text for text in tidy if text)


def _once(cues: list[Cue]) -> list[Cue]:
    """Cues without the text that the previous cue, still visible, has shown.

    Rolling captions (YouTube's) repeat a line when the next one appears, and while it grows.
    """
    kept: list[Cue] = []
    visible: tuple[str, ...] = ()
    until = -math.inf
    for cue in cues:
        new = _continued(visible, cue.lines) if cue.start <= until + _TOUCHING else cue.lines
        if new:
            kept.append(replace(cue, lines=new))
        else:
            kept[-1] = replace(kept[-1], end=max(kept[-1].end, cue.end))
        visible, until = cue.lines, cue.end
    return kept


def _continued(before: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    """What ``now`` adds to the last lines of ``before``, if it begins with them."""
    words = [line.split() for line in now]
    flat = [word for line in words for word in line]
    for i in range(len(before)):
        again = " ".join(before[i:]).split()
        if flat[: len(again)] == again:
            rest, skipped = [], len(again)
            for line in words:
                rest.append(" ".join(line[skipped:]))
                skipped = max(0, skipped - len(line))
            return tuple(line for line in rest if line)
    return now

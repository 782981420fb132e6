"""What the files of a timeline share: who is in sight when, and stretches of one word. Pure.

A window stands for the time that is nearer to its middle than to its neighbours'; the first of a
person begins where it begins, the last ends where it ends. Neighbours with one word are a stretch,
which is cut to when the person is in sight, if the face was judged. What is then shorter than half
a hop goes to its neighbour.
"""

import math
from collections.abc import Iterator
from itertools import groupby, pairwise

import numpy as np
import pandas as pd

from facewave import plane
from facewave.app import answers
from facewave.app.timeline.schema import Recording, Timeline
from facewave.prediction.schema import BY_FACE

STRETCHES = ("person", "start", "end", "word", "score", "reason")
"""A row for each stretch: ``word`` is "" where there is no answer, for the ``reason`` given;
``score`` is the mean of the windows' numbers for the word, NaN where the model gives none."""
_BREAK_S = 0.5  # one is not out of sight for less

Span = tuple[float, float]  # start and end, s
Row = tuple[int, float, float, str, float, str]  # of STRETCHES


def people(timeline: Timeline) -> list[int]:
    """Everybody who is seen, or answered about without having been seen."""
    known = [timeline.recording.people["person"], timeline.windows["person"]]
    return sorted({int(person) for table in known for person in table})


def in_sight(recording: Recording, person: int) -> list[Span]:
    """When a person is in sight, in order."""
    tracks = recording.tracks.loc[recording.tracks["person"] == person, ["start", "end"]]
    spans: list[Span] = []
    for start, end in sorted(tracks.itertuples(index=False, name=None)):
        if spans and start - spans[-1][1] < _BREAK_S:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def gaps(recording: Recording, person: int) -> list[Span]:
    """When a person is not in sight, in order; from the recording's first frame to its end."""
    edges = [0.0, *(time for span in in_sight(recording, person) for time in span)]
    edges.append(max(recording.duration, edges[-1]))
    between = pairwise(edges)
    return [
        (start, end)
        for at, (start, end) in enumerate(between)
        if at % 2 == 0 and end - start >= _BREAK_S
    ]


def spoken(word: str, score: float) -> str:
    """A word with its score, as people read it."""
    return word if math.isnan(score) else f"{word} {100 * score:.0f} %"


def words(timeline: Timeline, windows: pd.DataFrame) -> pd.Series:
    """The word of each window, "" without an answer: of the first target of words.

    Where none is asked for, it is the one whose place is nearest to valence and arousal.
    """
    if (main := answers.first(timeline)) is not None:
        return windows[str(main.predicted)].fillna("").astype(object)
    points = [answers.point(row) for _, row in windows.iterrows()]
    near = ["" if np.isnan(at).any() else f"near {plane.nearest(*at)}" for at in points]
    return pd.Series(near, windows.index, dtype=object)


def stretches(timeline: Timeline) -> pd.DataFrame:
    """The stretches of all people (``STRETCHES``), by person and start."""
    rows = [
        row
        for person, windows in timeline.windows.groupby("person", sort=True)
        for row in _long_enough(
            list(_of_person(timeline, int(person), windows.sort_values("start"))), timeline.hop / 2
        )
    ]
    table = pd.DataFrame(rows, columns=list(STRETCHES))
    return table.astype({"person": int, "start": float, "end": float, "score": float})


def _long_enough(rows: list[Row], least: float) -> list[Row]:
    """A person's rows in order, where those that are too short (s) go to one that they touch."""
    kept: list[Row] = []
    starts = {row[1] for row in rows}
    low = math.nan  # where the next begins, if one before it was too short
    for row in sorted(rows, key=lambda row: row[1]):
        if not math.isnan(low):
            row, low = (row[0], low, *row[2:]), math.nan
        follows = bool(kept) and kept[-1][2] == row[1]
        if row[2] - row[1] >= least or not (follows or row[2] in starts):
            kept.append(row)
        elif follows:
            kept[-1] = (*kept[-1][:2], row[2], *kept[-1][3:])
        else:
            low = row[1]
    return kept


def _of_person(timeline: Timeline, person: int, windows: pd.DataFrame) -> Iterator[Row]:
    said, seen = words(timeline, windows).tolist(), in_sight(timeline.recording, person)
    by_face = windows["answered_from"].isin([*BY_FACE, ""]).to_numpy()
    cells = list(_cells(windows))
    first = [at == 0 or cells[at - 1][1] < cell[0] for at, cell in enumerate(cells)]
    runs = np.cumsum(first).tolist()
    main = answers.first(timeline)
    scores = dict(zip(main.names, main.numbers, strict=True)) if main else {}

    def alike(at: int) -> tuple[object, ...]:
        return runs[at], said[at], bool(by_face[at])

    for (_, word, clipped), group in groupby(range(len(cells)), key=alike):
        some = list(group)
        rows = windows.iloc[some]
        start, end = cells[some[0]][0], cells[some[-1]][1]
        score = float(rows[scores[str(word)]].mean()) if word in scores else math.nan
        reason = "" if word else str(rows["reason"].iloc[0] or "no answer")
        for one in seen if clipped else [(start, end)]:
            low, high = max(start, one[0]), min(end, one[1])
            if high > low:
                yield person, low, high, str(word), score, reason


def _cells(windows: pd.DataFrame) -> Iterator[Span]:
    """The time that each window stands for; windows are in order."""
    starts, ends = windows["start"].to_numpy(float), windows["end"].to_numpy(float)
    middles = (starts + ends) / 2
    between = (middles[1:] + middles[:-1]) / 2
    lows, highs = starts.copy(), ends.copy()
    lows[1:], highs[:-1] = np.maximum(starts[1:], between), np.minimum(ends[:-1], between)
    yield from zip(lows.tolist(), highs.tolist(), strict=True)

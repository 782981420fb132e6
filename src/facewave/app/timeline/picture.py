"""A timeline as a picture: each person's words, valence and arousal over time, and their path."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from facewave.app.timeline.schema import Timeline
from facewave.app.timeline.stretches import gaps, in_sight, people, stretches
from facewave.figures import DARK, GAP, PALE, SERIES, STYLE, entitle, save
from facewave.targets import PLANE

_NOBODY = -1  # in place of a person
_MOST = 6  # people that are drawn: those in sight longest
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 11.0, 0.4, 0.15, 0.75, 0.85  # inches: of all, and margins
_BAND, _CURVES, _BETWEEN = 0.55, 1.2, 0.38  # inches: of words, of numbers, and between people
_MINUTES = 180.0  # s: longer recordings have minutes on the axis
_LETTER = 0.0085  # of a band's width in the axes, for a letter of its word
_SERIES = {"valence": SERIES[9], "arousal": SERIES[8]}  # the first are words
_LONGEST = 110  # letters of a title's model


def write(timeline: Timeline, path: Path) -> None:
    """Write a .png file."""
    save(draw(timeline), path)


def draw(timeline: Timeline) -> Figure:
    """The picture: a row per person, at most ``_MOST`` of them."""
    drawn = people(timeline)[:_MOST]
    said = stretches(timeline)
    known = [target.name for target in timeline.targets if drawn and target.name in _SERIES]
    rows = max(1, len(drawn))
    inches = [_BAND, *([_CURVES] if known else []), _BETWEEN]
    height = _TOP + _BOTTOM + rows * sum(inches) - _BETWEEN
    with mpl.rc_context(STYLE):
        figure = Figure((_WIDTH, height))
        in_plane = len(known) == 2
        grid = figure.add_gridspec(
            rows * len(inches) - 1,
            1 + in_plane,
            height_ratios=(inches * rows)[:-1],
            width_ratios=[4.6, 1][: 1 + in_plane],
            **{"left": _LEFT / _WIDTH, "right": 1 - _RIGHT / _WIDTH, "hspace": 0, "wspace": 0.14},
            **{"bottom": _BOTTOM / height, "top": 1 - _TOP / height},
        )
        colors = _colors(timeline, said)
        for row, person in enumerate(drawn or [_NOBODY]):
            at = row * len(inches)
            axes = figure.add_subplot(grid[at, 0])
            _bands(axes, timeline, said[said["person"] == person], person, colors)
            if known:
                _time(axes, timeline.recording.duration, labelled=False)
                axes = figure.add_subplot(grid[at + 1, 0])
                _numbers(axes, timeline, person, known)
            _time(axes, timeline.recording.duration, labelled=row == rows - 1)
            if in_plane:
                plane = figure.add_subplot(grid[at : at + 2, 1])
                _path(plane, timeline, person, labelled=row == rows - 1)
        _legend(figure, colors, known, timeline)
        _title(figure, timeline, len(drawn))
    return figure


def _title(figure: Figure, timeline: Timeline, drawn: int) -> None:
    recording = timeline.recording
    more = len(people(timeline)) - drawn
    told = f"; {more} more people are not drawn" if more > 0 else ""
    told = "; nobody is seen" if recording.people.empty else told
    model = textwrap.shorten(timeline.model, _LONGEST, placeholder=" ...")
    beware = "; learnt from synthetic clips" if timeline.synthetic else ""
    entitle(figure, f"{recording.path.name}{told}\n{model}{beware}")


def _colors(timeline: Timeline, said: pd.DataFrame) -> dict[str, str]:
    """A colour for each word that is said; the same word has the same one in all pictures."""
    targets = [target.names for target in timeline.targets if target.is_words]
    order = list(targets[0]) if targets else []
    found = [word for word in dict.fromkeys(said["word"]) if word]
    order += [word for word in sorted(found) if word not in order]
    return {word: SERIES[order.index(word) % len(SERIES)] for word in order if word in found}


def _bands(
    axes: Axes, timeline: Timeline, said: pd.DataFrame, person: int, colors: dict[str, str]
) -> None:
    """Stretches of words as bands, hatched gaps, and shots as ticks above."""
    recording = timeline.recording
    length = max(recording.duration, 1e-9)
    bars: Any = {"yrange": (-0.5, 1), "lw": 0}
    for word, rows in said[said["word"] != ""].groupby("word"):
        spans = list(zip(rows["start"], rows["end"] - rows["start"], strict=True))
        axes.broken_barh(spans, **bars, color=colors[str(word)])
    for row in said.itertuples():
        if len(row.word) * _LETTER < (row.end - row.start) / length:
            axes.text((row.start + row.end) / 2, 0, row.word, ha="center", va="center",
                      color=_ink(colors.get(row.word, "")), fontsize=8)  # fmt: skip
    away = [(start, end - start) for start, end in gaps(recording, person)]
    axes.broken_barh(away, yrange=(-0.5, 1), **GAP)
    cuts = recording.shots["start"].to_numpy(float)[1:]
    axes.vlines(cuts, 0.5, 0.68, color=DARK, lw=0.8, clip_on=False)
    axes.set(ylim=(-0.55, 0.7), yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
    if person == _NOBODY:
        return
    seen = sum(end - start for start, end in in_sight(recording, person))
    share = f"{100 * seen / length:.0f} %"
    axes.set_title(f"person {person}: in sight for {share}", loc="left", fontsize=8, pad=2)


def _ink(color: str) -> str:
    """What is legible on a colour: black or white (WCAG's relative luminance)."""
    shares = np.array(mpl.colors.to_rgb(color or "white"))
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ (0.2126, 0.7152, 0.0722) > 0.18 else "white"


def _numbers(axes: Axes, timeline: Timeline, person: int, known: list[str]) -> None:
    """Valence and arousal at the middles of the windows, broken where windows are missing."""
    rows = timeline.windows[timeline.windows["person"] == person].sort_values("start")
    rows = _broken(rows, timeline.hop)
    middles = (rows["start"] + rows["end"]) / 2
    for name in known:
        low, high = rows[f"low_{name}"], rows[f"high_{name}"]
        if low.notna().any():
            axes.fill_between(middles, low, high, color=_SERIES[name], alpha=0.15, lw=0)
        axes.plot(middles, rows[f"predicted_{name}"], color=_SERIES[name], lw=1.2, label=name)
        alone = _alone(rows[f"predicted_{name}"])
        axes.plot(middles[alone], rows[f"predicted_{name}"][alone], ".", color=_SERIES[name], ms=4)
    axes.axhline(0, color=PALE, lw=0.6)
    for start, end in gaps(timeline.recording, person):
        axes.axvspan(start, end, zorder=3, **GAP)  # windows reach into gaps
    axes.set(ylim=(-1.05, 1.05), yticks=[-1, 0, 1])


def _broken(rows: pd.DataFrame, hop: float) -> pd.DataFrame:
    """Windows with a row of nothing wherever some are missing between two."""
    starts = rows["start"].to_numpy(float)
    after = np.flatnonzero(np.diff(starts) > 1.5 * hop)
    missing = pd.DataFrame({"start": starts[after] + hop, "end": starts[after] + hop})
    whole = pd.concat([rows, missing]) if len(after) else rows
    return whole.sort_values("start", kind="stable").reset_index(drop=True)


def _alone(values: pd.Series) -> pd.Series:
    """Which values have neither neighbour, so that no line shows them."""
    known = values.notna()
    return known & ~known.shift(1, fill_value=False) & ~known.shift(-1, fill_value=False)


def _path(axes: Axes, timeline: Timeline, person: int, *, labelled: bool) -> None:
    """The way through the plane of valence and arousal, light at first and dark at last."""
    rows = timeline.windows[timeline.windows["person"] == person].sort_values("start")
    points = rows[[f"predicted_{name}" for name in PLANE[:2]]].to_numpy(float)
    times = ((rows["start"] + rows["end"]) / 2).to_numpy(float)
    axes.axhline(0, color=PALE, lw=0.6)
    axes.axvline(0, color=PALE, lw=0.6)
    cmap, norm = mpl.colormaps["YlOrBr"], _norm(timeline.recording.duration)
    pairs = np.stack([points[:-1], points[1:]], axis=1)
    near = (np.diff(times) <= 1.5 * timeline.hop) & ~np.isnan(pairs).any(axis=(1, 2))
    lines = LineCollection(list(pairs[near]), lw=1.6, capstyle="round", cmap=cmap, norm=norm)
    lines.set_array(times[:-1][near])
    axes.add_collection(lines)
    known = np.flatnonzero(~np.isnan(points).any(axis=1))
    if len(known):
        ends = known[[0, -1]]
        axes.scatter(points[ends, 0], points[ends, 1], c=times[ends], s=14, zorder=3, lw=0.5,
                     edgecolors=DARK, cmap=cmap, norm=norm)  # fmt: skip
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes.set_aspect("equal")
    axes.set_ylabel("arousal", labelpad=0)
    if labelled:
        axes.set_xlabel("valence; light: first, dark: last", fontsize=8)
    else:
        axes.tick_params(labelbottom=False)


def _norm(length: float) -> Any:
    """From before the start, so that the first points are not white, to the end."""
    return mpl.colors.Normalize(-0.4 * length, max(length, 1e-9))


def _time(axes: Axes, length: float, *, labelled: bool) -> None:
    """The axis of time: in minutes, if there are many."""
    axes.set_xlim(0, max(length, 1e-9))
    if length > _MINUTES:
        step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120) if length / 60 / s <= 12), 240)
        marks = np.arange(0, length / 60 + 1e-9, step)
        axes.set_xticks(60 * marks, [f"{mark:g}" for mark in marks])
    axes.tick_params(labelbottom=labelled)
    if labelled:
        axes.set_xlabel("time (min)" if length > _MINUTES else "time (s)")


def _legend(
    figure: Figure, colors: dict[str, str], known: Sequence[str], timeline: Timeline
) -> None:
    """What bands and hatches mean, below everything."""
    marks: list[Any] = [Patch(color=color, label=word) for word, color in colors.items()]
    marks += [Line2D([], [], color=_SERIES[name], label=name) for name in known]
    marks.append(Patch(**GAP, label="out of sight"))
    if len(timeline.recording.shots) > 1:
        marks.append(Line2D([], [], color=DARK, marker="|", ms=7, lw=0, label="a cut"))
    figure.legend(handles=marks, loc="lower center", ncols=11,
                  frameon=False, fontsize=8)  # fmt: skip

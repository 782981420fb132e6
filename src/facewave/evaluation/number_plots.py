"""The plots of answers that are numbers: the plane, errors, intervals, traces, action units."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facewave import figures
from facewave.evaluation import traces as tracing
from facewave.evaluation.continuous import Values
from facewave.evaluation.intervals import Floats
from facewave.figures import BAR, CHANCE, DARK, PALE, SERIES

_MANY = 2000  # so many points hide each other: their density is shown
_BINS = 40  # of a density, on each side
_REGIONS = 4  # of the plane, on each side; an even number, so that none is in two quadrants
_NOMINAL = 0.9  # what prediction intervals are made for


def scatter(
    values: Values, known: Mapping[str, Any], targets: Sequence[str], title: str, path: Path
) -> None:
    """Predicted against actual numbers of all folds, a panel per target with its mean CCC.

    ``known`` has the figures by target, as report.json has them.
    """
    columns = min(3, len(targets))
    rows = math.ceil(len(targets) / columns)
    with mpl.rc_context(figures.STYLE):
        figure = Figure((4 * columns, 4.2 * rows + 0.4), layout="constrained")
        for t, target in enumerate(targets):
            inside = values.known[:, t]
            actual, predicted = values.actual_nT[inside, t], values.predicted_nT[inside, t]
            both = np.concatenate([actual, predicted])
            ends = [both.min(), both.max()] if len(both) else [0, 1]
            axes = figure.add_subplot(rows, columns, t + 1)
            axes.plot(ends, ends, color=PALE, lw=1)
            if len(actual) > _MANY:
                axes.hexbin(actual, predicted, gridsize=_BINS, mincnt=1, bins="log", linewidths=0)
            else:
                axes.scatter(actual, predicted, s=12, alpha=0.5, linewidths=0)
            axes.set(xlabel="actual", ylabel="predicted", aspect="equal")
            ccc = known[target]["ccc"]
            agreement = "no CCC" if ccc is None else f"CCC {ccc:.2f}"
            axes.set_title(f"{target}: {agreement}, n = {len(actual)} test clips", fontsize=9)
        figures.entitle(figure, title, 10)
        figures.save(figure, path)


def plane(values: Values, title: str, path: Path) -> None:
    """Where truth and answers are in the plane of valence and arousal, T = 2, side by side."""
    whole = values.at(np.flatnonzero(values.known.all(axis=1)))
    with mpl.rc_context(figures.STYLE):
        figure = Figure((8.4, 4.4), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        both = (whole.actual_nT, whole.predicted_nT)
        edges = np.linspace(-1, 1, _BINS // 2 + 1)
        counts = [
            np.histogram2d(x, y, bins=(edges, edges))[0]
            for x, y in (np.clip(points.T, -1, 1) for points in both)
        ]
        most = max(1, *(panel.max() for panel in counts))
        for axes, panel, points, name in zip(
            panels, counts, both, ("actual", "predicted"), strict=True
        ):
            if len(points) > _MANY:
                shown = np.where(panel > 0, panel, np.nan).T
                image = axes.pcolormesh(edges, edges, shown, norm="log", vmin=1, vmax=most)
            else:
                axes.scatter(*points.T, s=12, alpha=0.5, linewidths=0)
                image = None
            _quadrants(axes)
            axes.set_title(f"{name}, n = {len(points)} test clips", fontsize=9)
        panels[0].set_ylabel("arousal")
        if image is not None:
            bar = figure.colorbar(image, ax=panels, shrink=0.8, label="test clips")
            bar.ax.yaxis.set_major_formatter(lambda n, _: f"{n:g}")
            bar.ax.minorticks_off()
        figures.entitle(figure, title, 10)
        figures.save(figure, path)


def regions(values: Values, title: str, path: Path) -> None:
    """How far answers are from the truth, by where the truth is in the plane; T = 2."""
    whole = values.at(np.flatnonzero(values.known.all(axis=1)))
    edges = np.linspace(-1, 1, _REGIONS + 1)
    at = [np.clip(np.digitize(of, edges[1:-1]), 0, _REGIONS - 1) for of in whole.actual_nT.T]
    distance = np.hypot(*(whole.predicted_nT - whole.actual_nT).T)
    counts, total = np.zeros((2, _REGIONS, _REGIONS))
    np.add.at(counts, (at[1], at[0]), 1)
    np.add.at(total, (at[1], at[0]), distance)
    means = np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)
    with mpl.rc_context(figures.STYLE):
        figure = Figure((5.6, 4.8), layout="constrained")
        axes = figure.add_subplot()
        top = np.nanmax([*means.flat, 0.1])
        image = axes.pcolormesh(edges, edges, means, vmin=0, vmax=top)
        centres = (edges[:-1] + edges[1:]) / 2
        for i, j in np.argwhere(counts):
            color = "white" if means[i, j] > 0.6 * top else "black"
            text = f"{means[i, j]:.2f}\nn = {counts[i, j]:.0f}"
            axes.text(centres[j], centres[i], text, ha="center", va="center", color=color,
                      fontsize=8)  # fmt: skip
        _quadrants(axes)
        axes.set_ylabel("actual arousal")
        axes.set_xlabel("actual valence")
        figure.colorbar(image, shrink=0.8, label="mean distance of the answer")
        figures.entitle(figure, f"{title}\nn = {len(distance)} test clips")
        figures.save(figure, path)


def coverage(known: Mapping[str, Any], targets: Sequence[str], title: str, path: Path) -> None:
    """How often the truth is within the prediction interval; nothing is drawn without any."""
    bounded = [target for target in targets if known[target]["coverage"] is not None]
    if not bounded:
        return
    with mpl.rc_context(figures.STYLE):
        figure = Figure((6, 1.4 + 0.35 * len(bounded)), layout="constrained")
        axes = figure.add_subplot()
        names = [f"{target}, mean width {known[target]['width']:.2f}" for target in bounded]
        _bars(axes, [known[target] for target in bounded], "coverage", names, 100)
        axes.axvline(100 * _NOMINAL, **CHANCE | {"ls": "--"})
        axes.set(xlabel="actual numbers within the prediction interval (%)", xlim=(0, 103))
        figures.entitle(
            figure,
            f"{title}\n95 % intervals; dashed: what they are made for, {100 * _NOMINAL:.0f} %",
        )
        figures.save(figure, path)


def units(
    known: Mapping[str, Any], measure: str, names: Sequence[str], title: str, path: Path
) -> None:
    """A measure of each action unit with its interval; those without one are left out."""
    there = [name for name in names if known[name][measure] is not None]
    if not there:
        return
    with mpl.rc_context(figures.STYLE):
        figure = Figure((6, 1.6 + 0.28 * len(there)), layout="constrained")
        axes = figure.add_subplot()
        is_share = measure == "f1"
        labels = [
            f"{name} ({known[name]['prevalence']:.0%})" if is_share else name for name in there
        ]
        _bars(axes, [known[name] for name in there], measure, labels, 100 if is_share else 1)
        mean = known["mean"][measure]
        axes.axvline(mean * (100 if is_share else 1), color=DARK, lw=0.8, ls="--")
        lowest = min(0, *(known[name].get(f"{measure}_low") or 0 for name in there))
        axes.set(xlabel=f"{measure.upper()}{' (%)' * is_share}",
                 xlim=(0, 103) if is_share else (lowest, 1.03))  # fmt: skip
        shares = "; in brackets: share of test clips with the unit" * is_share
        figures.entitle(figure, f"{title}\n95 % intervals; dashed: mean{shares}")
        figures.save(figure, path)


def traces(found: Sequence[tracing.Trace], targets: Sequence[str], title: str, path: Path) -> None:
    """Truth and answers over time of the clips with the best, the median and the worst CCC."""
    figures_VT = tracing.by_video(found)["ccc"]
    ccc_V = figures_VT[:, -1]
    order = np.argsort(-np.nan_to_num(ccc_V, nan=-2), kind="stable")
    order = order[: max(1, int((~np.isnan(ccc_V)).sum()))]
    shown = list(dict.fromkeys([0, len(order) // 2, len(order) - 1]))
    with mpl.rc_context(figures.STYLE):
        figure = Figure((5 * len(targets), 2.1 * len(shown) + 0.8), layout="constrained")
        panels = figure.subplots(len(shown), len(targets), squeeze=False, sharey=True)
        for row, place in zip(panels, shown, strict=True):
            trace = found[order[place]]
            for t, (axes, target) in enumerate(zip(row, targets, strict=True)):
                _trace(axes, trace, t)
                ccc = figures_VT[order[place], t]
                agreement = "no CCC" if np.isnan(ccc) else f"CCC {ccc:.2f}"
                axes.set_title(f"{Path(trace.file_path).name}, {target}: {agreement}", fontsize=9)
        for axes in panels[-1]:
            axes.set_xlabel("time (s)")
        panels[0, 0].legend(frameon=False, ncols=2, fontsize=8)
        ranks = {3: "best, the median and the worst", 2: "best and the worst", 1: "best"}
        figures.entitle(
            figure,
            f"{title}\nof {len(found)} test clips those with the {ranks[len(shown)]} mean CCC over "
            "frames; band: prediction interval",
        )
        figures.save(figure, path)


def _trace(axes: Axes, trace: tracing.Trace, t: int) -> None:
    low, high = trace.low_fT[:, t], trace.high_fT[:, t]
    axes.fill_between(trace.time_f, low, high, color=BAR, alpha=0.25, lw=0)
    axes.plot(trace.time_f, trace.actual_fT[:, t], color="black", lw=1, label="actual")
    axes.plot(trace.time_f, trace.predicted_fT[:, t], color=SERIES[0], lw=1.2, label="predicted")
    axes.axhline(0, **CHANCE)


def _quadrants(axes: Axes) -> None:
    axes.axhline(0, **CHANCE | {"ls": "-"})
    axes.axvline(0, **CHANCE | {"ls": "-"})
    axes.set(xlim=(-1.04, 1.04), ylim=(-1.04, 1.04), xlabel="valence", aspect="equal")


def _bars(
    axes: Axes, known: Sequence[Mapping[str, Any]], measure: str, names: Sequence[str], times: int
) -> None:
    """A bar a row, the first on top, with its interval."""
    values, low, high = (
        np.array([np.nan if (value := of.get(f"{measure}{end}")) is None else value * times
                  for of in known], float)
        for end in ("", "_low", "_high")
    )  # fmt: skip
    at: Floats = np.arange(len(known))[::-1].astype(float)
    axes.barh(at, values, 0.7, color=BAR)
    axes.hlines(at, low, high, color=DARK, lw=1.2)
    axes.set_yticks(at, names)

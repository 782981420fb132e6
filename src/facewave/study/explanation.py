"""The picture of what a model relies on (importance.py)."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facewave import figures
from facewave.evaluation.intervals import Floats
from facewave.figures import BAR, DARK
from facewave.study import face_map
from facewave.study.grid import measure_of
from facewave.study.scores import MEASURES, Measure

_FIRST = 12  # blendshapes that are shown
_READING = (
    "How far {} falls when test clips exchange these inputs. Thick lines: one standard deviation "
    "over repeats; thin: 95 % interval over test clips"
)


def explanation(
    table: pd.DataFrame, points_PC: Floats | None, seconds: float, title: str, path: Path
) -> None:
    """What decides: regions of the face, blendshapes, parts of the clip, time scales.

    Args:
        table: of ``importance.importances``.
        points_PC: (478, 3), a neutral face without the head's pose; None without a mesh.
        seconds: how long the median clip is.
        title: of the figure.
        path: the PNG.
    """
    measure = MEASURES[measure_of(table)]
    kinds = {str(kind): _shown(rows, measure) for kind, rows in table.groupby("kind", sort=False)}
    shapes = kinds.get("blendshape", kinds["block"])
    first = shapes.sort_values("importance", ascending=False, kind="stable").head(_FIRST)
    regions = kinds.get("region", kinds["block"].iloc[:0])
    with mpl.rc_context(figures.STYLE):
        figure = Figure((12, 5.8), layout="constrained")
        grid = figure.add_gridspec(2, 3, width_ratios=(1.3, 1, 1.1))
        if points_PC is not None:
            _face(figure.add_subplot(grid[:, 0]), regions, points_PC, measure)
        axes = figure.add_subplot(grid[:, 1])
        _bars(axes, first, measure.fall)
        left_out = f", {len(first)} of {len(shapes)}" if len(first) < len(shapes) else ""
        named = "Blendshapes" if "blendshape" in kinds else "Inputs"
        axes.set_title(f"{named}{left_out}", fontsize=9)
        if "scale" in kinds:
            parts, axes = kinds["part"], figure.add_subplot(grid[0, 2])
            time = f"share of the clip's time (median: {seconds:.1f} s)"
            _columns(axes, parts, 1 / len(parts), "Parts of the clip", time, measure.fall)
            axes = figure.add_subplot(grid[1, 2])
            _bars(axes, kinds["scale"], measure.fall)
            axes.set_title("Time scales", fontsize=9)
            axes.set_ylabel("share of the clip that\na rise or fall takes")
        else:
            axes, order = figure.add_subplot(grid[:, 2]), "place, coarse to fine"
            _columns(axes, kinds["place"], 1.0, "Numbers of each trajectory", order, measure.fall)
        figures.entitle(figure, f"{title}\n{_READING.format(measure.name)}")
        figures.save(figure, path)


def of_columns(table: pd.DataFrame, title: str, path: Path) -> None:
    """What decides of a table of features: the columns of each pattern, and those named alike.

    Args:
        table: of ``importance.of_models``.
        title: of the figure.
        path: the PNG.
    """
    measure = MEASURES[measure_of(table)]
    titles = {"pattern": "Patterns of columns", "column": "Columns, by what they begin with"}
    kinds = [(str(kind), rows) for kind, rows in table.groupby("kind", sort=False)]
    with mpl.rc_context(figures.STYLE):
        figure = Figure((5 * len(kinds), 4.6), layout="constrained")
        for axes, (kind, rows) in zip(
            figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True
        ):
            ranked = rows.sort_values("importance", ascending=False, kind="stable")
            first = _shown(ranked.head(_FIRST), measure)
            _bars(axes, first, measure.fall)
            left_out = f", {len(first)} of {len(rows)}" if len(first) < len(rows) else ""
            axes.set_title(f"{titles[kind]}{left_out}", fontsize=9)
        figures.entitle(figure, f"{title}\n{_READING.format(measure.name)}")
        figures.save(figure, path)


def _shown(rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Figures by name, in points where they are shares of clips."""
    figures = rows.set_index("name")[["importance", "spread", "low", "high"]]
    return figures * (100 if measure.percent else 1)


def _face(axes: Axes, regions: pd.DataFrame, points_PC: Floats, measure: Measure) -> None:
    """The mesh in the colours of its regions, their figures below it."""
    region_P = face_map.region_of_points(points_PC)
    values_P = regions["importance"].reindex(region_P).to_numpy(float)
    face_map.draw_mesh(axes, points_PC, values_P, measure.fall)
    axes.set_title("Regions of the face", fontsize=9)
    ranked = regions["importance"].sort_values(ascending=False, kind="stable")
    decimals = 1 if measure.percent else 2
    texts = [f"{name} {value:.{decimals}f}" for name, value in ranked.items()]
    lines = [",  ".join(texts[i : i + 4]) for i in range(0, len(texts), 4)]
    axes.text(0.5, 0, "\n".join(lines), transform=axes.transAxes, ha="center", va="top")


def _bars(axes: Axes, rows: pd.DataFrame, fall: str) -> None:
    """A bar a row, the first on top."""
    at = np.arange(len(rows))
    axes.barh(at, rows["importance"], height=0.72, color=BAR)
    axes.hlines(at, rows["low"], rows["high"], color=DARK, lw=0.8)
    around = rows["importance"] - rows["spread"], rows["importance"] + rows["spread"]
    axes.hlines(at, *around, color=DARK, lw=2.4)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(at, [str(name) for name in rows.index])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(xlabel=fall, ylim=(len(rows) - 0.4, -0.6))


def _columns(
    axes: Axes, rows: pd.DataFrame, width: float, title: str, xlabel: str, fall: str
) -> None:
    """A bar of this width for each row, from left to right."""
    at = (np.arange(len(rows)) + 0.5) * width
    axes.bar(at, rows["importance"], width=0.9 * width, color=BAR)
    axes.vlines(at, rows["low"], rows["high"], color=DARK, lw=0.8)
    around = rows["importance"] - rows["spread"], rows["importance"] + rows["spread"]
    axes.vlines(at, *around, color=DARK, lw=2.4)
    axes.axhline(0, color="black", lw=0.8)
    axes.set(xlabel=xlabel, ylabel=fall, xlim=(0, len(rows) * width))
    axes.set_title(title, fontsize=9)

"""The figures of what networks owe to pseudo-labels."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facewave import figures
from facewave.figures import CHANCE

_LABELS, _ALL = "labels", "all labels"  # ways that are lines: they have no pseudo-labels
_COLORS = {_LABELS: "black", "together": "C0", "two stages": "C1", _ALL: "C2"}


def teaching(table: pd.DataFrame, title: str, path: Path) -> None:
    """Macro F1 over the accuracy of pseudo-labels: a row per network, a column per corpus.

    Args:
        table: of ``teaching.teaching``.
        title: of the figure.
        path: the PNG.
    """
    if table.empty:
        return
    _panels(table, f"{title}\n{_counted(table)}; dotted: chance", path, _curves)


def losses(table: pd.DataFrame, title: str, path: Path) -> None:
    """Macro F1 by loss and way: a row per network, a column per corpus.

    Args:
        table: of losses.csv.
        title: of the figure.
        path: the PNG.
    """
    if table.empty:
        return
    _panels(table, f"{title}\n{_counted(table)}; dotted: chance", path, _by_loss)


def _curves(axes: Axes, rows: pd.DataFrame) -> None:
    for way, some in rows.groupby("way", sort=False):
        color = _COLORS[str(way)]
        some = some.sort_values("accuracy")
        around = some["figure"] - some["low"], some["high"] - some["figure"]
        if way in (_LABELS, _ALL):
            row = some.iloc[0]
            axes.axhline(row["figure"], color=color, lw=1.2, label=way)
            axes.axhspan(row["low"], row["high"], color=color, alpha=0.12, lw=0)
        elif some["accuracy"].isna().any():
            axes.errorbar([str(way)], some["figure"], around, fmt="o", color=color, label=way)
        else:
            shift = 0.4 if way == "together" else -0.4  # intervals beside each other
            at = 100 * some["accuracy"] + shift
            axes.errorbar(at, some["figure"], around, fmt="o-", ms=4, lw=1, color=color, label=way)
            axes.set_xlabel("accuracy of the pseudo-labels (%)")


def _by_loss(axes: Axes, rows: pd.DataFrame) -> None:
    names = rows["loss"].unique().tolist()
    for number, (way, some) in enumerate(rows.groupby("way", sort=False)):
        at = some["loss"].map(names.index).to_numpy() + 0.2 * number - 0.1
        around = some["figure"] - some["low"], some["high"] - some["figure"]
        look: Any = {"fmt": "o", "ms": 4, "lw": 1, "color": _COLORS[str(way)]}
        axes.errorbar(at, some["figure"], around, label=way, **look)
    axes.set_xticks(np.arange(len(names)), [name.replace("_", "\n") for name in names])


def _panels(table: pd.DataFrame, title: str, path: Path, draw: Any) -> None:
    networks, corpora = table["network"].unique(), table["corpus"].unique()
    size = 3.3 * len(corpora) + 1.6, 2.6 * len(networks) + 1.1
    with mpl.rc_context(figures.STYLE):
        figure = Figure(size, layout="constrained")
        grid = figure.subplots(len(networks), len(corpora), sharey=True, squeeze=False)
        for panel, network in zip(grid, networks, strict=True):
            for axes, corpus in zip(panel, corpora, strict=True):
                rows = table[(table["network"] == network) & (table["corpus"] == corpus)]
                draw(axes, rows)
                axes.axhline(rows["chance"].iloc[0], **CHANCE)
                axes.set(ylim=(0, 1.03))
                axes.set_title(
                    f"{network}, test clips of {corpus} (n = {rows['n'].iloc[0]})", fontsize=8
                )
                axes.grid(axis="y", alpha=0.3)
            panel[0].set_ylabel("macro F1 (share of 1)")
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False)
        figures.entitle(figure, title, 9)
        figures.save(figure, path)


def _counted(table: pd.DataFrame) -> str:
    """What is shown, for a subtitle."""
    return f"networks over faces, n = {table['n'].iloc[0]} test clips; 95 % intervals"

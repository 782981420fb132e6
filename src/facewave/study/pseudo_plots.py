"""The figure of what of pseudo-labels is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facewave import figures
from facewave.figures import CHANCE

_LEAST, _DARK = 0.005, 0.6  # shares that are written, and from which on in white


def agreement(table: pd.DataFrame, confusion: pd.DataFrame, title: str, path: Path) -> None:
    """What is answered to clips of each word, and accuracy by confidence.

    Args:
        table: of ``pseudo_labels.agreement``.
        confusion: of ``pseudo_labels.confusion``.
        title: of the figure.
        path: the PNG.
    """
    if table.empty or not table["n"].iloc[0]:
        return
    overall, ranges = table.iloc[0], table.iloc[1:]
    given = confusion.fillna({"predicted": ""})
    shares = given.pivot_table("share", "actual", "predicted", sort=False)
    answered = [word for word in shares if word or given.loc[given["predicted"] == "", "n"].any()]
    counts = given.groupby("actual", sort=False)["n"].sum()
    subtitle = f"pseudo-labels, track {overall['track']}: {overall['n']} answers to "
    subtitle += f"{counts.sum()} clips with known labels; 95 % intervals"
    width = 2.4 + 0.36 * len(answered) + 3.2 * (len(ranges) > 0)
    height = 1.9 + 0.34 * len(shares)
    with mpl.rc_context(figures.STYLE):
        figure = Figure((max(width, 6), max(height, 3.2)), layout="constrained")
        grid = figure.subplots(1, 1 + (len(ranges) > 0), squeeze=False)[0]
        _matrix(grid[0], shares[answered], [f"{word} ({n})" for word, n in counts.items()])
        if len(ranges):
            at = np.arange(len(ranges))
            value = ranges["war"]
            around = value - ranges["war_low"], ranges["war_high"] - value
            grid[1].errorbar(at, value, around, fmt="o", ms=4, lw=1, color="C0")
            names = zip(ranges["confidence"], ranges["n"], strict=True)
            grid[1].set_xticks(at, [f"{name}\nn = {n}" for name, n in names], fontsize=8)
            grid[1].axhline(overall["war"], color="C1", lw=0.8)
            grid[1].axhline(overall["chance"], **CHANCE)
            grid[1].set(ylabel="WAR (share of 1); line: of all; dotted: chance", ylim=(-0.03, 1.03))
            grid[1].set(xlabel="confidence", xlim=(-0.5, len(ranges) - 0.5))
            grid[1].grid(axis="y", alpha=0.3)
        figures.entitle(figure, f"{title}\n{subtitle}", 9)
        figures.save(figure, path)


def _matrix(axes: Axes, shares: pd.DataFrame, names: Sequence[str]) -> None:
    """The shares of answers, a row for each actual word, in percent."""
    axes.imshow(shares, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        if share >= _LEAST:
            look: Any = {"color": "white" if share > _DARK else "black", "fontsize": 7}
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", **look)
    answered = [str(word) or "no answer" for word in shares]
    axes.set_xticks(range(len(answered)), answered, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="answered (% of the row)", ylabel="known label (clips)")
    axes.spines[:].set_visible(False)

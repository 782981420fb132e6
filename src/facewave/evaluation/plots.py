"""The plots of a run: answers against labels, learning curves, where the model holds."""

import math
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facewave import figures
from facewave.evaluation.intervals import Floats
from facewave.evaluation.measures import Bins
from facewave.evaluation.robustness import ALL
from facewave.figures import BAR, CHANCE, DARK, MEASURES, PALE

SHARES = ("war", "uar", "f1")  # measures that are told in percent
_FEW = 10  # losses get markers, since a single one is no line
_COLUMNS = 4  # panels side by side
_MOST_NARROW = 5  # ranges have room in a narrow panel
_MOST_NAMES = 30  # there is no room for the names of more scenes or subjects
_WIDTH = 8  # letters per line of a range


def confusion(counts: Floats, classes: Sequence[str], title: str, path: Path) -> None:
    """Rows are the C actual classes: counts, coloured by each row's shares.

    Counts are (C, A) as of ``measures.confusion``: unreadable answers are in a last column.
    """
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with mpl.rc_context(figures.STYLE):
        figure = Figure((6, 5.4), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(shares, vmin=0, vmax=1)
        for i, j in np.argwhere(counts):
            color = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", color=color)
        names = [*classes, "unreadable"][: counts.shape[1]]
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
        axes.set_yticks(range(len(classes)), list(classes))
        axes.set(xlabel="predicted", ylabel="actual")
        axes.spines[:].set_visible(False)
        figures.entitle(figure, f"{title}\nn = {counts.sum():.0f} test clips")
        figure.colorbar(image, shrink=0.8, label="share of the class's clips")
        figures.save(figure, path)


def reliability(bins: Bins, title: str, path: Path) -> None:
    """How often answers are right against how probable the model says they are, and how many."""
    with mpl.rc_context(figures.STYLE):
        figure = Figure((5, 5.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 100], [0, 100], color=PALE, lw=1)
        upper.plot(100 * bins.confidence, 100 * bins.accuracy, "o-", color=DARK, ms=5, lw=1)
        upper.set(ylabel="of these are right (%)", xlim=(0, 100), ylim=(0, 103))
        width = 100 / len(bins.clips)
        at = (np.arange(len(bins.clips)) + 0.5) * width
        lower.bar(at, bins.clips, 0.9 * width, color=BAR)
        lower.set(xlabel="the model says of its answer (%)", ylabel="test clips")
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        figures.entitle(figure, f"{title}\nn = {bins.clips.sum():.0f} test clips")
        figures.save(figure, path)


def curves(
    folders: dict[str, Path],
    labels: tuple[str, str],
    chance: float | None,
    title: str,
    path: Path,
) -> None:
    """Training and validation loss in the course of training, one colour per partition.

    Args:
        folders: DVCLive's, by partition; without curves in any of them nothing is drawn.
        labels: of both axes.
        chance: the loss of guessing, where it is known: the axis goes from 0 to twice as much.
        title: of the figure.
        path: the PNG.
    """
    with mpl.rc_context(figures.STYLE):
        figure = Figure((6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, folder) in enumerate(folders.items()):
            color = f"C{number}"
            label: str | None = name if name == "split" else f"fold {name}"
            for loss, style in (("train_loss", ":"), ("val_loss", "-")):
                file = folder / "plots/metrics" / f"{loss}.tsv"
                if file.exists():  # only gradient descent has steps
                    table = pd.read_csv(file, sep="\t")
                    style += "." if len(table) <= _FEW else ""
                    axes.plot(table["step"], table[loss], style, color=color, label=label)
                    label = None  # once, whether there is validation or not
        if not axes.has_data():
            return
        axes.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, 2 * chance if chance else None))
        lines = "solid: validation, dotted: training"
        if chance:
            axes.axhline(chance, **CHANCE | {"ls": "--"})
            lines += f", dashed: guessing, {chance:.2f}"
        figures.entitle(figure, f"{title}\n{lines}")
        axes.legend(frameon=False, ncols=2)
        figures.save(figure, path)


def robustness(
    table: pd.DataFrame, measure: str, chance: float | None, title: str, path: Path
) -> None:
    """A measure with its interval under each condition, against that of all clips.

    Args:
        table: what ``robustness.robustness`` returns.
        measure: in lower case, as the table's columns have it.
        chance: its level by guessing, of all clips, where there is one; a range that lacks a class
            has a higher one.
        title: of the figure.
        path: the PNG.
    """
    is_share = measure in SHARES
    times, name_of_axis = (100, f"{measure.upper()} (%)") if is_share else (1, measure.upper())
    scaled = [f"{measure}{end}" for end in ("", "_low", "_high")]
    table = table.assign(**{column: table[column] * times for column in scaled})
    table = table.rename(columns=dict(zip(scaled, ("value", "low", "high"), strict=True)))
    lowest = np.nanmin([0, *table["low"], *table["value"]])
    ends = (-3, 103) if is_share else (lowest - 0.03, 1.03)
    conditions = {str(name): rows for name, rows in table.groupby("condition", sort=False)}
    everything = conditions.pop(ALL).iloc[0]
    wide = [name for name, rows in conditions.items() if len(rows) > _MOST_NARROW]
    small = [name for name in conditions if name not in wide]
    n_rows = math.ceil(len(small) / _COLUMNS)
    with mpl.rc_context(figures.STYLE):
        figure = Figure((10, 2.3 * (n_rows + len(wide)) + 0.8), layout="constrained")
        grid = figure.add_gridspec(max(n_rows + len(wide), 1), _COLUMNS)
        places = [grid[i // _COLUMNS, i % _COLUMNS] for i in range(len(small))]
        places += [grid[n_rows + i, :] for i in range(len(wide))]
        for name, place in zip([*small, *wide], places, strict=True):
            axes = figure.add_subplot(place)
            axes.axhline(everything["value"], color=DARK, lw=0.8, ls="--")
            axes.axhline((chance or 0) * times, **CHANCE)
            axes.axhspan(everything["low"], everything["high"], color=BAR, alpha=0.2)
            _points(axes, conditions[name])
            axes.set_ylim(ends)
            axes.set_title(MEASURES[name].name if name in MEASURES else name, fontsize=9)
            if place.colspan.start == 0:
                axes.set_ylabel(name_of_axis)
        guessing = f"dotted: chance, {100 * chance:.1f} %" if chance else "dotted: 0"
        figures.entitle(
            figure,
            f"{title}\n{measure.upper()} by condition with 95 % intervals; dashed: all "
            f"{everything['n']} test clips; {guessing}. Without interval: too few clips",
        )
        figures.save(figure, path)


def _points(axes: Axes, rows: pd.DataFrame) -> None:
    """A point per row, its range and n below."""
    at = np.arange(len(rows))
    has_interval = rows["low"].notna().to_numpy()
    axes.vlines(at, rows["low"], rows["high"], color=DARK, lw=1.2)
    axes.scatter(at, rows["value"], s=18, color=np.where(has_interval, DARK, PALE), zorder=3)
    if len(rows) > _MOST_NAMES:
        axes.set_xticks([])
    else:
        # A number and its unit stay on one line.
        whole = [re.sub(r"(?<=\d) (?!to )", "\u00a0", text) for text in rows["range"]]
        ranges = [textwrap.fill(text, _WIDTH) for text in whole]
        texts = [f"{text}\nn = {n}" for text, n in zip(ranges, rows["n"], strict=True)]
        axes.set_xticks(at, texts, fontsize=7)
    axes.set_xlim(-0.6, len(rows) - 0.4)

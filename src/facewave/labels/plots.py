"""The picture of a label table: its classes in every part, and the valence-arousal plane."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facewave import figures

_MANY = 15  # words up to which there is room for one bar a fold


def overview(
    kept: pd.DataFrame, words: tuple[str, ...], title: str, path: Path, unlabelled: int = 0
) -> None:
    """Draw counts of words per fold (or part), and the clips on the valence-arousal plane.

    ``kept`` are the rows that are not excluded, ``words`` are in the order of the codes;
    ``unlabelled`` rows, which have nothing to draw, are counted in the title.
    """
    has_affect = bool((kept["valence"].notna() & kept["arousal"].notna()).any())
    has_words = bool(kept["actual"].isin(words).any())
    panels = [panel for panel, there in ((_classes, has_words), (_plane, has_affect)) if there]
    many = len(words) > _MANY
    height = 1.2 if not panels else 4.2 if not many else max(4.2, 0.19 * len(words))
    with mpl.rc_context(figures.STYLE):
        figure = Figure((7.2 if len(panels) < 2 else 11.4, height), layout="constrained")
        ratios = [1.6 if panel is _classes and len(panels) > 1 else 1 for panel in panels] or [1]
        grid = figure.add_gridspec(1, max(1, len(panels)), width_ratios=ratios)
        for column, panel in enumerate(panels):
            panel(figure.add_subplot(grid[0, column]), kept, words)
        more = f", and {unlabelled} without a label" if unlabelled else ""
        figures.entitle(figure, f"{title}\nn = {len(kept)} rows that are kept{more}", 10)
        figures.save(figure, path)


def _classes(axes: Axes, kept: pd.DataFrame, words: tuple[str, ...]) -> None:
    in_folds = kept["fold"].notna().any()
    part = kept["fold"].map(lambda fold: f"fold {fold}") if in_folds else kept["split"]
    folds = sorted(kept["fold"].dropna().unique())
    names = [f"fold {fold}" for fold in folds] if in_folds else ["train", "val", "test"]
    counts = pd.crosstab(kept["actual"], part).reindex(index=words, columns=names, fill_value=0)
    at = np.arange(len(words))
    if len(words) > _MANY:
        left = np.zeros(len(words))
        for name in names:
            axes.barh(at, counts[name], left=left, label=name)
            left += counts[name].to_numpy()
        axes.set_yticks(at, words, fontsize=7)
        axes.invert_yaxis()
        axes.set_xlabel("clips")
        axes.margins(y=0.01)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    else:
        width = 0.8 / len(names)
        for k, name in enumerate(names):
            axes.bar(at + (k - (len(names) - 1) / 2) * width, counts[name], width, label=name)
        axes.set_xticks(at, words, rotation=30, ha="right")
        axes.set_ylabel("clips")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0, 1.15 * counts.to_numpy().max())  # room for the legend
        axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=len(names))
    axes.set_title("words in the test part of each fold" if in_folds else "words in each part",
                   fontsize=9)  # fmt: skip


def _plane(axes: Axes, kept: pd.DataFrame, words: tuple[str, ...]) -> None:
    known = kept[kept["valence"].notna() & kept["arousal"].notna()]
    image = axes.hexbin(
        known["valence"], known["arousal"], gridsize=20, extent=(-1, 1, -1, 1), mincnt=1,
        bins="log" if len(known) > 200 else None,
    )  # fmt: skip
    axes.axhline(0, color="black", lw=0.6)
    axes.axvline(0, color="black", lw=0.6)
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xlabel="valence", ylabel="arousal")
    axes.set_aspect("equal")
    axes.set_title(f"valence and arousal of {len(known)} rows", fontsize=9)
    axes.figure.colorbar(image, ax=axes, shrink=0.8, label="rows", format="{x:g}")

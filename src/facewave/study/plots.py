"""The pictures of a study."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facewave import figures


def ablation(table: pd.DataFrame, title: str, path: Path) -> None:
    """UAR of every run with its interval: a panel for inputs and model, a row for a transform.

    Args:
        table: runs, as in runs.csv.
        title: of the whole.
        path: the PNG.
    """
    panels = list(table.groupby(["inputs", "model"], sort=False))
    transforms = table["transform"].unique()
    ks = table["k"].unique()
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(figures.STYLE):
        height = rows * (0.9 + 0.17 * len(transforms) * (len(ks) + 1)) + 1
        figure = Figure((3.2 * columns + 2.2, height), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, ((inputs, model), runs) in zip(grid.flat, panels, strict=False):
            for number, k in enumerate(ks):
                some = runs[runs["k"] == k].set_index("transform").reindex(transforms)
                at = np.arange(len(transforms)) + (number - (len(ks) - 1) / 2) * 0.7 / len(ks)
                _points(axes, some, at, f"C{number}", f"K = {k}")
            axes.set_yticks(range(len(transforms)), transforms)
            axes.grid(axis="x", alpha=0.3)
            axes.set_title(f"{model} on {inputs}", fontsize=9)
        grid[0, 0].invert_yaxis()
        for axes in grid[-1]:
            axes.set_xlabel("UAR (%)")
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(ks), frameon=False)
        first = table.iloc[0]
        folds = f" over {first['folds']} folds" if first["folds"] > 1 else ""
        figure.suptitle(
            f"{title}\n{len(table)} runs{folds}, n = {first['n']} test clips; 95 % intervals",
            fontsize=9,
        )
        figures.save(figure, path)


def leakage(table: pd.DataFrame, title: str, path: Path) -> None:
    """UAR of each model on random folds and on folds that share no subject."""
    table = table[table["model"] != "majority"]  # it knows nobody
    with mpl.rc_context(figures.STYLE):
        figure = Figure((6, 0.6 + 0.6 * table["role"].nunique() + 0.8), layout="constrained")
        axes = figure.add_subplot()
        roles = table["role"].unique()
        for number, (protocol, rows) in enumerate(table.groupby("protocol", sort=False)):
            at = np.arange(len(roles)) + (number - 0.5) * 0.3
            name = "no subject on two sides" if protocol == "disjoint" else "random folds"
            _points(axes, rows.set_index("role").reindex(roles), at, f"C{number}", name)
        named = table.drop_duplicates("role").set_index("role")["model"]
        axes.set_yticks(range(len(roles)), [_named(role, named[role]) for role in roles])
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.3)
        axes.set_xlabel("UAR (%)")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(
            f"{title}\nwhat it brings to have seen the person, n = {table['n'].max()}", fontsize=9
        )
        figures.save(figure, path)


def removed(table: pd.DataFrame, title: str, path: Path) -> None:
    """UAR of each trained model on test clips with frames taken away."""
    table = table[table["model"] != "majority"]  # it needs no frames
    if table.empty:
        return
    conditions = table["condition"].unique()
    with mpl.rc_context(figures.STYLE):
        figure = Figure((7, 3.4), layout="constrained")
        axes = figure.add_subplot()
        roles = list(table.groupby("role", sort=False))
        for number, (role, rows) in enumerate(roles):
            at = np.arange(len(conditions)) + (number - (len(roles) - 1) / 2) * 0.15
            values = rows.set_index("condition").reindex(conditions)
            below, above = values["uar"] - values["uar_low"], values["uar_high"] - values["uar"]
            name = _named(str(role), rows["model"].iloc[0])
            axes.errorbar(
                at,
                values["uar"],
                (below, above),
                fmt="o",
                ms=4,
                lw=1,
                color=f"C{number}",
                label=name,
            )
        axes.set_xticks(range(len(conditions)), [_two_lines(condition) for condition in conditions])
        axes.set_ylabel("UAR (%)")
        axes.grid(axis="y", alpha=0.3)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(
            f"{title}\ntest clips with fewer frames, n = {table['n'].max()}; 95 % intervals",
            fontsize=9,
        )
        figures.save(figure, path)


def _two_lines(text: str) -> str:
    return "\n".join(text.rsplit(" ", 1))


def _named(role: str, model: str) -> str:
    return role if role == model else f"{role} ({model})"


def _points(axes: Axes, rows: pd.DataFrame, at: np.ndarray, color: str, label: str) -> None:
    below, above = rows["uar"] - rows["uar_low"], rows["uar_high"] - rows["uar"]
    axes.errorbar(
        rows["uar"], at, xerr=(below, above), fmt="o", ms=4, lw=1, color=color, label=label
    )

"""The figures of a study; the one of importance is in explanation.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facewave import figures
from facewave.figures import CHANCE
from facewave.study.grid import measure_of
from facewave.study.scores import CCC, MACRO_F1, MEASURES
from facewave.targets import UNITS

# What the figure of reconstruction shows, the first three that there are, and how.
_TITLES = {"blendshapes": "blendshapes", "landmarks": "landmarks", "pose_free": "pose-free points"}
_TITLES |= {"action_units": "action units", "points68": "68 points", "gaze": "gaze"}
_TITLES |= {"head": "head", "other": "other signals"}
_SHOWN = 3
_LIMITS = {"variance": (0.1, 120), "velocity": (1, 400)}
_GREY = {"block": ":", "uniform": "--", "dct": "-.", "pca": "-"}
_LEFT_OUT = ("mean", "approximation sym4", "pyramid db2", "largest db2")


def ablation(table: pd.DataFrame, title: str, path: Path) -> None:
    """The figure of every run with its interval: a panel per inputs and model, a row per transform.

    Of a table of features, which nothing transforms, there is a row per model.

    Args:
        table: runs, as in runs.csv.
        title: of the figure.
        path: the PNG.
    """
    if table.empty:
        return
    if (table["transform"] == "none").all():
        table = table.assign(transform=table["model"], model="classifiers")
    measure = measure_of(table)
    panels = list(table.groupby(["inputs", "model"], sort=False))
    transforms = table["transform"].unique()
    ks = table["k"].unique()
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    first = table.iloc[0]
    folds = f" over {first['folds']} folds" if first["folds"] > 1 else ""
    subtitle = f"{len(table)} runs{folds}, n = {first['n']} test clips; 95 % intervals"
    subtitle += _chance(measure, first["chance"])
    height = rows * (0.9 + 0.17 * len(transforms) * (len(ks) + 1)) + 1
    with _figure(3.2 * columns + 2.2, height, f"{title}\n{subtitle}", path) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, ((inputs, model), runs) in zip(grid.flat, panels, strict=False):
            for number, k in enumerate(ks):
                some = runs[runs["k"] == k].set_index("transform").reindex(transforms)
                at = np.arange(len(transforms)) + (number - (len(ks) - 1) / 2) * 0.7 / len(ks)
                _points(axes, some, measure, at, f"C{number}", f"K = {k}")
            axes.axvline(first["chance"], **CHANCE)
            axes.set_yticks(range(len(transforms)), transforms)
            axes.grid(axis="x", alpha=0.3)
            axes.set_xlim(_limits(measure))
            axes.set_title(f"{model} on {inputs}", fontsize=9)
        grid[0, 0].invert_yaxis()
        for axes in grid[-1]:
            axes.set_xlabel(MEASURES[measure].title)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(ks), frameon=False)


def leakage(table: pd.DataFrame, title: str, path: Path) -> None:
    """The figure of each model on random folds and on folds that share no subject."""
    table = table[table["model"] != "majority"]  # it cannot know anybody
    if table.empty:
        return
    height = 0.6 + 0.6 * table["role"].nunique() + 0.8
    measure = measure_of(table)
    chance = table["chance"].mean()  # of both kinds of folds
    subtitle = f"what it brings to have seen the person, n = {table['n'].max()}"
    subtitle += _chance(measure, chance)
    with _figure(6, height, f"{title}\n{subtitle}", path) as figure:
        axes = figure.add_subplot()
        roles = table["role"].unique()
        for number, (protocol, rows) in enumerate(table.groupby("protocol", sort=False)):
            at = np.arange(len(roles)) + (number - 0.5) * 0.3
            name = "no subject on two sides" if protocol == "disjoint" else "random folds"
            of_roles = rows.set_index("role").reindex(roles)
            _points(axes, of_roles, measure, at, f"C{number}", name)
        kinds = table.drop_duplicates("role").set_index("role")["model"]
        axes.axvline(chance, **CHANCE)
        axes.set_yticks(range(len(roles)), [_named(role, kinds[role]) for role in roles])
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.3)
        axes.set(xlabel=MEASURES[measure].title, xlim=_limits(measure))
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def removed(table: pd.DataFrame, title: str, path: Path) -> None:
    """The figure of each trained model on test clips with frames removed."""
    table = table[table["model"] != "majority"]  # it uses no frames
    if table.empty:
        return
    conditions, measure = table["condition"].unique(), measure_of(table)
    chance = table["chance"].iloc[0]
    subtitle = f"test clips with fewer frames, n = {table['n'].max()}; 95 % intervals"
    subtitle += _chance(measure, chance)
    with _figure(7, 3.4, f"{title}\n{subtitle}", path) as figure:
        axes = figure.add_subplot()
        roles = list(table.groupby("role", sort=False))
        for number, (role, rows) in enumerate(roles):
            at = np.arange(len(conditions)) + (number - (len(roles) - 1) / 2) * 0.15
            values = rows.set_index("condition").reindex(conditions)
            look: Any = {"color": f"C{number}", "label": _named(str(role), rows["model"].iloc[0])}
            around = _around(values, measure)
            axes.errorbar(at, values[measure], around, fmt="o", ms=4, lw=1, **look)
        axes.set_xticks(
            range(len(conditions)), ["\n".join(name.rsplit(" ", 1)) for name in conditions]
        )
        axes.axhline(chance, **CHANCE)
        axes.set(ylabel=MEASURES[measure].title, ylim=_limits(measure))
        axes.grid(axis="y", alpha=0.3)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def reconstruction(table: pd.DataFrame, title: str, path: Path) -> None:
    """Unexplained variance and velocity over K: wavelets in colour, rivals in grey.

    Args:
        table: as ``reconstruction.summary`` gives it, the configured transform first.
        title: of the figure.
        path: the PNG.
    """
    table = table[~table["contender"].isin(_LEFT_OUT)]
    title = f"What K numbers lose of {title}\nmedian over clips; band: quartiles of the first"
    there = set(table["block"]) or set(_TITLES)
    titles = [(block, name) for block, name in _TITLES.items() if block in there][:_SHOWN]
    with _figure(10, 6.2, title, path, fontsize=10) as figure:
        shape = len(_LIMITS), len(titles)
        grid = figure.subplots(*shape, sharex=True, sharey="row", squeeze=False)
        for row, measure in zip(grid, _LIMITS, strict=True):
            for axes, (block, _) in zip(row, titles, strict=True):
                lines = table[table["block"] == block].groupby("contender", sort=False)
                for number, (name, line) in enumerate(lines):
                    grey = _GREY.get(str(name).split()[0])
                    look = {"color": "0.45", "ls": grey} if grey else {"color": f"C{number}"}
                    median = line[f"{measure}_median"]
                    axes.plot(line["k"], median, lw=1 + 1.2 * (number == 0), label=name, **look)
                    if number == 0:
                        low, high = line[f"{measure}_low"], line[f"{measure}_high"]
                        axes.fill_between(line["k"], low, high, color="C0", alpha=0.15, lw=0)
                axes.set_xscale("log", base=2)
                axes.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
                axes.set_yscale("log")
                axes.set_ylim(_LIMITS[measure])
                axes.yaxis.set_major_formatter("{x:g}")
            row[0].set_ylabel(f"{measure} left unexplained (%)")
        for top, bottom, (_, name) in zip(*grid, titles, strict=True):
            top.set_title(name, fontsize=9)
            bottom.set_xlabel("numbers per trajectory")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)


def tasks(table: pd.DataFrame, title: str, path: Path) -> None:
    """Each target's figure in the smallest set that it is learnt in, and in the others.

    Args:
        table: of ``tasks.tasks``.
        title: of the figure.
        path: the PNG.
    """
    if table.empty:
        return
    firsts = table.drop_duplicates("target").set_index("target")
    names, model = list(firsts.index), firsts["model"].iloc[0]
    series = {"in its smallest set": table[table["against"].isna()]}
    others = table[table["against"].notna()].groupby("together", sort=False)
    series |= {f"as one of {text}": rows for text, rows in others}
    subtitle = f"targets that one {model} learns apart and together; 95 % intervals"
    height = 1.6 + 0.55 * len(names) + 0.2 * len(series)
    with _figure(7, height, f"{title}\n{subtitle}; dotted: chance", path) as figure:
        axes = figure.add_subplot()
        for number, (label, rows) in enumerate(series.items()):
            shift = (number - (len(series) - 1) / 2) * 0.5 / len(series)
            at = np.array([names.index(name) for name in rows["target"]]) + shift
            around = rows["figure"] - rows["low"], rows["high"] - rows["figure"]
            look: Any = {"color": f"C{number}", "label": label}
            axes.errorbar(rows["figure"], at, xerr=around, fmt="o", ms=4, lw=1, **look)
        places = np.arange(len(names))
        axes.vlines(firsts["chance"], places - 0.4, places + 0.4, **CHANCE)
        measures = [
            MEASURES[of].name if name == UNITS else of.upper()
            for name, of in firsts["measure"].items()
        ]
        axes.set_yticks(places, [f"{name}\n{of}" for name, of in zip(names, measures, strict=True)])
        axes.invert_yaxis()
        axes.set_xlim(_limits(CCC))
        axes.grid(axis="x", alpha=0.3)
        figure.legend(loc="outside lower center", frameon=False)


def networks(table: pd.DataFrame, title: str, path: Path) -> None:
    """Each network on what it learnt from and on test clips, over its number of parameters.

    Args:
        table: of ``networks.networks``.
        title: of the figure.
        path: the PNG.
    """
    if table.empty:
        return
    table = table.groupby("network", sort=False).tail(1).sort_values("parameters", kind="stable")
    first = table.iloc[0]
    measure = MEASURES[first["measure"]]
    subtitle = f"networks over faces, n = {first['n']} test clips; 95 % intervals; dotted: chance"
    with _figure(6, 3.6, f"{title}\n{subtitle}", path) as figure:
        axes = figure.add_subplot()
        around = table["figure"] - table["low"], table["high"] - table["figure"]
        axes.plot(table["parameters"], table["train"], "o--", color="C1", label="learnt from")
        axes.errorbar(table["parameters"], table["figure"], around, fmt="o-", lw=1, color="C0",
                      label="test clips")  # fmt: skip
        axes.axhline(first["chance"], **CHANCE)
        axes.set_xscale("log")
        axes.set_xticks(table["parameters"], _sized(table), fontsize=8)
        axes.minorticks_off()
        low, high = _limits(CCC) if first["measure"] == CCC else (0, 1)
        axes.set(ylabel=f"{measure.name} (share of 1)", ylim=(low, high + 0.03))
        axes.grid(axis="y", alpha=0.3)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def combination(table: pd.DataFrame, title: str, path: Path) -> None:
    """Macro F1 of each member of an ensemble, and of each way to combine them.

    Args:
        table: of ``combination.ways``.
        title: of the figure.
        path: the PNG.
    """
    table = table[table["measure"] == MACRO_F1].reset_index(drop=True)
    if table.empty:
        return
    names = table["model"].where(table["by"].isna(), "together: " + table["by"].fillna(""))
    is_best = table["against"].isna()
    subtitle = f"an ensemble and its members, n = {table['n'].iloc[0]} test clips; 95 % intervals"
    height = 1.3 + 0.26 * len(table)
    with _figure(6, height, f"{title}\n{subtitle}", path) as figure:
        axes = figure.add_subplot()
        colors = np.select([is_best, table["by"].isna()], ["C1", "C0"], "C2")
        for at, (row, color) in enumerate(zip(table.itertuples(), colors, strict=True)):
            around = [[row.figure - row.low], [row.high - row.figure]]
            axes.errorbar([row.figure], [at], xerr=around, fmt="o", ms=4, lw=1, color=color)
        axes.axvline(table.loc[is_best, "figure"].iloc[0], **CHANCE)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(
            xlabel="macro F1 (share of 1); dotted: of the best member on validation", xlim=(0, 1)
        )
        axes.grid(axis="x", alpha=0.3)


def _sized(table: pd.DataFrame) -> list[str]:
    """Networks with millions of parameters, one below the other in turn so that none covers one."""
    return [
        "\n\n" * (place % 2) + f"{row.network}\n{row.parameters / 1e6:.3g} M"
        for place, row in enumerate(table.itertuples())
    ]


@contextmanager
def _figure(
    width: float, height: float, title: str, path: Path, fontsize: int = 9
) -> Iterator[Figure]:
    """An empty figure, in inches, that is saved when it is filled."""
    with mpl.rc_context(figures.STYLE):
        figure = Figure((width, height), layout="constrained")
        yield figure
        figures.entitle(figure, title, fontsize)
        figures.save(figure, path)


def _named(role: str, model: str) -> str:
    return role if role == model else f"{role} ({model})"


def _chance(measure: str, chance: float) -> str:
    """The end of a subtitle."""
    return (
        f"; dotted: chance, {f'{chance:.1f} %' if MEASURES[measure].percent else f'{chance:.2f}'}"
    )


def _limits(measure: str) -> tuple[float, float]:
    """Of an axis; CCC may be below 0, and hardly is by much."""
    return (0, 100) if MEASURES[measure].percent else (-0.3, 1)


def _points(
    axes: Axes, rows: pd.DataFrame, measure: str, at: np.ndarray, color: str, label: str
) -> None:
    look: Any = {"color": color, "label": label}
    around = _around(rows, measure)
    axes.errorbar(rows[measure], at, xerr=around, fmt="o", ms=4, lw=1, **look)


def _around(rows: pd.DataFrame, measure: str) -> tuple[pd.Series, pd.Series]:
    """How far the intervals extend to both sides."""
    value = rows[measure]
    return value - rows[f"{measure}_low"], rows[f"{measure}_high"] - value

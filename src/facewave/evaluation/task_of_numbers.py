"""How numbers are evaluated, and action units, whose values are numbers, too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from facewave.evaluation import continuous, number_plots, plots, units
from facewave.evaluation import robustness as robust
from facewave.evaluation import traces as tracing
from facewave.evaluation import worst as missed
from facewave.evaluation.continuous import Values, over_folds, sums
from facewave.evaluation.intervals import (
    Estimate,
    Floats,
    Measure,
    Measured,
)
from facewave.evaluation.paired import Foremost
from facewave.evaluation.task import MEAN, Figures, Tables, Task, others, rounded
from facewave.prediction.schema import MODEL


class Numbers(Task):
    """Answers that are numbers; ``figures`` has each target's and their mean."""

    headlines = ("ccc", "rmse")
    all_measures: ClassVar[tuple[str, ...]] = continuous.MEASURES
    is_sparse: ClassVar[bool] = False
    frames: pd.DataFrame | None = None  # what each frame's truth is, where the corpus says so

    def narrowed(self, names: Sequence[str]) -> "Task":
        """The same of the targets, or units, that are among some names."""
        targets = [
            replace(target, names=tuple(name for name in target.names if name in names))
            for target in self.targets
        ]
        targets = [target for target in targets if target.names]
        return type(self)(self.key, targets, self.models, self.settings, self.table)

    def measured(self, rows: pd.DataFrame) -> Measured:
        """All measures of each target and of their mean."""
        of = sums(self.coded(rows), is_sparse=self.is_sparse)
        return Measured(partial(continuous.overall, of), of.group)

    def by_fold(self, rows: pd.DataFrame) -> Mapping[str, Floats]:
        """The same in each fold."""
        return continuous.by_fold(sums(self.coded(rows), is_sparse=self.is_sparse))

    def pooled(self, rows: pd.DataFrame) -> Callable[[robust.Mask], Measured]:
        """The headlines, mean over targets."""
        values = self.coded(rows)
        return lambda inside: self.mean_of(values.at(inside))

    def compared(self, coded: Values) -> Measure:
        """The mean CCC, and each target's CCC and RMSE."""
        of = sums(coded, by_group=False, is_sparse=self.is_sparse)
        return lambda weights: self.singled(continuous.overall(of, weights))

    def singled(self, found: Mapping[str, Floats]) -> dict[str, Floats]:
        """The mean of the foremost measure, and each name's headlines."""
        first = self.headlines[0]
        return {f"mean {first.upper()}": found[first][..., -1]} | {
            f"{name}: {measure.upper()}": found[measure][..., t]
            for t, name in enumerate(self.names)
            for measure in self.headlines
        }

    def foremost(self, rows: pd.DataFrame) -> Foremost:
        """The mean of the foremost measure."""
        first = self.headlines[0]
        name = f"mean {first.upper()}"
        return Foremost(name, name, f"of {', '.join(self.names)}", first in plots.SHARES)

    def mean_of(self, values: Values) -> Measured:
        """The headlines, mean over targets and folds."""
        of = sums(values, is_sparse=self.is_sparse)
        return Measured(partial(continuous.means, of, self.headlines), of.group)

    def coded(self, rows: pd.DataFrame) -> Values:
        """Rows as ``continuous`` takes them."""
        return continuous.from_table(rows, self.names)

    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        """Each measure with the ends of its interval, by target."""
        return {
            target: {
                key: figure
                for name in self.all_measures
                if name in found
                for key, figure in rounded(found[name].at(t).named(name)).items()
            }
            for t, target in enumerate((*self.names, MEAN))
        }

    def details(self, rows: pd.DataFrame) -> Figures:
        """Of traces, the figures over all frames."""
        if not (found := self.traces(rows)):
            return {}
        measured = tracing.measured(found, rows).estimates(**self.settings.bootstrap)
        names = (*self.traced, MEAN)
        return {
            "traces": {
                "videos": len(found),
                "frames": int(sum((~np.isnan(one.actual_fT)).any(axis=1).sum() for one in found)),
                "interval_over": tracing.interval_over(found, rows),
            }
            | {
                target: {
                    key: figure
                    for name, estimate in measured.items()
                    for key, figure in rounded(estimate.at(t).named(name)).items()
                }
                for t, target in enumerate(names)
            }
        }

    @property
    def traced(self) -> list[str]:
        """The targets that frames may have."""
        return [name for name in self.names if name in tracing.AXES]

    def traces(self, rows: pd.DataFrame) -> list[tracing.Trace]:
        """One role's answers on the clock of labelled frames, [] where there are none."""
        if self.frames is None or self.frames.empty or self.table is None or not self.traced:
            return []
        (role,) = rows["role"].unique()
        delays = self.models.roles[role].get("delay_s", {})
        windows = self.table.set_index("video_idx")
        filters = asdict(self.settings.traces)
        return tracing.traces(rows, windows, self.frames, self.traced, delays, **filters)

    def tested(self, rows: pd.DataFrame) -> Figures:
        """How many clips have each target."""
        return {"known": {name: int(rows[f"actual_{name}"].notna().sum()) for name in self.names}}

    def headline(self, summary: Figures) -> Figures:
        """n, the headlines of the model by target, and the first one's mean of the others."""
        short: Figures = {"n": summary["n"]}
        for target in (*self.names, MEAN) if MODEL in summary else ():
            short[target] = {name: summary[MODEL][target][name] for name in self.headlines}
        first = self.headlines[0]
        return short | {role: {first: of[MEAN][first]} for role, of in others(summary).items()}

    def tables(self, model: pd.DataFrame, index: pd.DataFrame) -> Tables:
        """Robustness, and the clips that the model misses most."""
        found = super().tables(model, index)
        if self.table is not None:
            found["worst"] = missed.worst(model, self.table, self.names)
        return found

    def plot(
        self,
        model: pd.DataFrame,
        figures: Figures,
        tables: Tables,
        title: str,
        folder: Path,
        end: str,
    ) -> None:
        """Predicted against actual numbers, the plane, coverage, traces, where the model holds."""
        values = self.coded(model)
        number_plots.scatter(values, figures, self.names, title, folder / "regression.png")
        if set(tracing.AXES) <= set(self.names):
            plane = values.of([self.names.index(name) for name in tracing.AXES])
            number_plots.plane(plane, title, folder / "plane.png")
            number_plots.regions(plane, title, folder / "regions.png")
        number_plots.coverage(figures, self.names, title, folder / "coverage.png")
        if found := self.traces(model):
            number_plots.traces(found, self.traced, title, folder / "traces.png")
        self.plot_robustness(tables, title, folder / f"robustness{end}.png")

    def plot_robustness(self, tables: Tables, title: str, path: Path) -> None:
        """Where the foremost measure holds."""
        plots.robustness(tables["robustness"], self.headlines[0], None, title, path)


class Units(Numbers):
    """Action units: how strong they are."""

    headlines = ("icc", "mae")
    all_measures = continuous.OF_INTENSITIES
    is_sparse = True

    def singled(self, found: Mapping[str, Floats]) -> dict[str, Floats]:
        """The mean of the foremost measure."""
        first = self.headlines[0]
        return {f"mean {first.upper()}": found[first][..., -1]}

    def mean_of(self, values: Values) -> Measured:
        """ICC, mean over units and folds."""
        of = sums(values, is_sparse=True)
        return Measured(partial(continuous.means, of, self.headlines[:1]), of.group)

    def tables(self, model: pd.DataFrame, index: pd.DataFrame) -> Tables:
        """Robustness alone."""
        return Task.tables(self, model, index)

    def plot(
        self,
        model: pd.DataFrame,
        figures: Figures,
        tables: Tables,
        title: str,
        folder: Path,
        end: str,
    ) -> None:
        """The foremost measure of each unit, and where the model holds."""
        name = self.headlines[0]
        number_plots.units(figures, name, self.names, title, folder / "units.png")
        self.plot_robustness(tables, title, folder / f"robustness{end}.png")


class Presence(Units):
    """Action units: whether they are there."""

    headlines = ("f1", "auc")
    all_measures = units.MEASURES

    def measured(self, rows: pd.DataFrame) -> Measured:
        """All measures of each unit and of their mean."""
        of = units.counted(self.coded(rows))
        return Measured(partial(units.overall, of), of.group)

    def by_fold(self, rows: pd.DataFrame) -> Mapping[str, Floats]:
        """The same in each fold."""
        return units.by_fold(units.counted(self.coded(rows)))

    def compared(self, coded: Values) -> Measure:
        """The mean F1."""
        of = units.counted(coded, by_group=False)
        return lambda weights: self.singled(over_folds(units.f1_by_fold(of, weights)))

    def mean_of(self, values: Values) -> Measured:
        """F1, mean over units and folds."""
        of = units.counted(values)
        return Measured(partial(units.mean_f1, of), of.group)

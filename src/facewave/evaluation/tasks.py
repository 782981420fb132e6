"""How classifications and regressions are evaluated: the one place where the two differ.

Legend of names: C classes, T targets.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.evaluation import continuous, measures, plots
from facewave.evaluation import robustness as robust
from facewave.evaluation import suspects as doubtful
from facewave.evaluation.continuous import Values
from facewave.evaluation.intervals import (
    Estimate,
    Floats,
    estimates,
    interval_over,
    n_subjects,
)
from facewave.evaluation.measures import Answers
from facewave.labels import schema as labels
from facewave.params import Evaluate
from facewave.prediction.schema import MODEL, UNREADABLE, Models

# Tables of stage evaluate with their columns; a regression leaves them empty.
TABLES = {
    "confusion": ("actual", "predicted"),
    "robustness": robust.COLUMNS,
    "suspects": doubtful.COLUMNS,
}
Figures = dict[str, Any]  # JSON; None where a figure is undefined


@dataclass(frozen=True)
class Task(ABC):
    """What is measured, tabulated and drawn of answers of one kind.

    Attributes:
        models: whose answers they are.
        settings: section ``evaluate`` of params.yaml.
    """

    models: Models
    settings: Evaluate

    def summarize(self, answers: pd.DataFrame) -> Figures:
        """The figures of every role on the same test clips.

        Args:
            answers: of all roles, in the partitions of one protocol.

        Returns:
            n, subjects (None where not all are known), unusable (answered unseen), interval_over,
            and each role's figures: ``name`` is its kind; over several folds ``fold`` has the
            figures of each.
        """
        first = answers[answers["role"] == MODEL]
        summary: Figures = {
            "n": len(first),
            "subjects": n_subjects(first),
            "unusable": int((first["answered_from"] == "prior").sum()),
            "interval_over": interval_over(first),
        }
        for role, description in self.models.roles.items():
            rows = answers[answers["role"] == role]
            summary[role] = {"name": description["kind"]} | self._role(rows)
        return summary

    def _role(self, rows: pd.DataFrame) -> Figures:
        """The figures of one role, over all its partitions and in each."""
        coded = self.coded(rows)
        overall = partial(self.overall, coded)
        found = estimates(overall, coded.group, **asdict(self.settings))
        figures = self.figures(found) | self.details(coded)
        if coded.n_folds > 1:
            by_fold = self.by_fold(coded)
            figures["fold"] = {
                partition: {"n": int((coded.fold == fold).sum())}
                | self.figures({name: Estimate(value[fold]) for name, value in by_fold.items()})
                for fold, partition in enumerate(rows["partition"].unique())
            }
        return figures

    @abstractmethod
    def coded(self, rows: pd.DataFrame) -> Answers | Values:
        """A role's rows of the table of answers as arrays."""

    @abstractmethod
    def overall(self, coded: Any, weights: Floats | None = None) -> Mapping[str, Floats]:
        """Every measure, mean over folds."""

    @abstractmethod
    def by_fold(self, coded: Any) -> Mapping[str, Floats]:
        """Every measure in every fold, (F, ...)."""

    @abstractmethod
    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        """Measures as they stand in report.json."""

    def details(self, coded: Any) -> Figures:
        """Whatever else report.json has of a role."""
        return {}

    @abstractmethod
    def headline(self, summary: Figures) -> Figures:
        """The few figures of one protocol that fit a table of experiments."""

    @abstractmethod
    def tables(
        self, model: pd.DataFrame, table: pd.DataFrame, index: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        """Tables of the model's answers, by their names in ``TABLES``.

        Args:
            model: its answers, one per test clip.
            table: the rows of the label table with a label.
            index: of the landmarks.
        """

    @abstractmethod
    def plot(
        self, model: pd.DataFrame, tables: Mapping[str, pd.DataFrame], title: str, folder: Path
    ) -> None:
        """Draw the model's answers and tables."""


class Classification(Task):
    """Answers that are words."""

    def coded(self, rows: pd.DataFrame) -> Answers:
        return measures.from_table(rows, self.models.classes)

    def overall(self, coded: Answers, weights: Floats | None = None) -> Mapping[str, Floats]:
        return measures.overall(coded, weights)

    def by_fold(self, coded: Answers) -> Mapping[str, Floats]:
        return measures.by_fold(coded)

    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        figures: Figures = {}
        for name, estimate in found.items():
            if name != "recall":
                figures |= _rounded(estimate.named(name))
                continue
            occurring = ~np.isnan(estimate.value)
            for suffix, values in estimate.ends().items():
                recalls = dict(zip(self.models.classes, values.tolist(), strict=True))
                figures[name + suffix] = _rounded(
                    {word: recalls[word] for word in np.array([*recalls], object)[occurring]}
                )
        return figures

    def details(self, coded: Answers) -> Figures:
        return {"confusion": measures.confusion(coded).astype(int).sum(0).tolist()}

    def headline(self, summary: Figures) -> Figures:
        model = summary[MODEL]
        short = {"n": summary["n"]} | {name: model[name] for name in ("war", "uar", "macro_f1")}
        others = (role for role in self.models.roles if role != MODEL)
        return short | {role: {"uar": summary[role]["uar"]} for role in others}

    def tables(
        self, model: pd.DataFrame, table: pd.DataFrame, index: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        classes = self.models.classes
        scenes = model["video_idx"].map(table.set_index("video_idx")["scene"])
        rows = model.assign(scene=scenes) if (scenes != "").any() else model
        confusion = model[["actual", "predicted"]].replace(
            {"predicted": {UNREADABLE: "unreadable"}}
        )
        return {
            "confusion": confusion,
            "robustness": robust.robustness(rows, index, classes, **asdict(self.settings)),
            "suspects": doubtful.suspects(model, table, classes),
        }

    def plot(
        self, model: pd.DataFrame, tables: Mapping[str, pd.DataFrame], title: str, folder: Path
    ) -> None:
        counts = measures.confusion(self.coded(model)).sum(0)
        plots.confusion(counts, self.models.classes, title, folder / "confusion.png")
        plots.robustness(tables["robustness"], title, folder / "robustness.png")


class Regression(Task):
    """Answers that are numbers."""

    def coded(self, rows: pd.DataFrame) -> Values:
        return continuous.from_table(rows, self.models.targets)

    def overall(self, coded: Values, weights: Floats | None = None) -> Mapping[str, Floats]:
        return continuous.overall(coded, weights)

    def by_fold(self, coded: Values) -> Mapping[str, Floats]:
        return continuous.by_fold(coded)

    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        figures: Figures = {target: {} for target in self.models.targets}
        for name, estimate in found.items():
            for t, of_target in enumerate(figures.values()):
                of_target |= _rounded(estimate.at(t).named(name))
        return figures

    def headline(self, summary: Figures) -> Figures:
        model = summary[MODEL]
        return {"n": summary["n"]} | {
            target: {name: model[target][name] for name in ("ccc", "rmse")}
            for target in self.models.targets
        }

    def tables(
        self, model: pd.DataFrame, table: pd.DataFrame, index: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        return {}

    def plot(
        self, model: pd.DataFrame, tables: Mapping[str, pd.DataFrame], title: str, folder: Path
    ) -> None:
        values = self.coded(model)
        ccc_T = self.overall(values)["ccc"]
        plots.scatter(values, ccc_T, self.models.targets, title, folder / "regression.png")


def task(models: Models, settings: Evaluate) -> Task:
    """The task of models."""
    return (Regression if models.targets else Classification)(models, settings)


def _rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else round(value, 4) for name, value in figures.items()}

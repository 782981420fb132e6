"""What every kind of task has in common: who answered it, how well, in which tables and plots.

A task is a target of words, all numbers together, or the action units.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from facewave.evaluation import robustness as robust
from facewave.evaluation import suspects as doubtful
from facewave.evaluation import worst as missed
from facewave.evaluation.intervals import (
    Estimate,
    Floats,
    Measure,
    Measured,
    interval_over,
    mean,
    n_subjects,
)
from facewave.evaluation.paired import Foremost
from facewave.labels import schema as labels
from facewave.params import Evaluate
from facewave.prediction.schema import MAJORITY, MODEL, Models, answering
from facewave.targets import CLASSES, UNITS, Target

NUMBERS = "numbers"  # the task of all numbers
MEAN = "mean"  # over targets or units, beside their names
# Tables of stage evaluate with their columns; what no task fills is empty.
TABLES = {
    "robustness": robust.COLUMNS,
    "suspects": doubtful.COLUMNS,
    "worst": missed.COLUMNS,
}
Figures = dict[str, Any]  # JSON; None where a figure is undefined
Tables = dict[str, pd.DataFrame]


class Task(ABC):
    """What is measured, tabulated and drawn of the answers to one task.

    Args:
        key: its name in report.json.
        targets: one of words or units, or all numbers.
        models: who answered.
        settings: of the stage.
        table: of labels, a row a clip; None: nothing more is known of the clips.
    """

    headlines: ClassVar[tuple[str, ...]]  # measures for a table of experiments, the first foremost

    def __init__(
        self,
        key: str,
        targets: Sequence[Target],
        models: Models,
        settings: Evaluate,
        table: pd.DataFrame | None = None,
    ) -> None:
        self.key, self.targets, self.models, self.settings = key, targets, models, settings
        self.table = table
        self.kind = targets[0].kind
        self.names = tuple(name for target in targets for name in target.names)

    def narrowed(self, names: Sequence[str]) -> "Task":
        """The same of some of its names alone; words stay whole."""
        return self

    @property
    def title(self) -> str:
        """Its name for people."""
        return "action units" if self.key == UNITS else self.key

    @property
    def actual(self) -> list[str]:
        """The columns of ``rows`` with the truth."""
        return [name for target in self.targets for name in target.actual]

    def rows(self, answers: pd.DataFrame) -> pd.DataFrame:
        """The answers to it: of roles that give some, about clips that have one of the targets."""
        answered = [answers.index.isin(answering(answers, one).index) for one in self.targets]
        return answers[np.any(answered, axis=0)]

    def summarize(self, answers: pd.DataFrame) -> Figures:
        """The figures of every role that answers, on the test clips of one protocol.

        Args:
            answers: ``rows`` of the protocol.

        Returns:
            n, subjects (None where not all are known), unusable (answered unseen), interval_over,
            what is ``tested``, and each role's figures: ``name`` is its kind, ``fingerprints``
            tells the models by partition, ``fitted`` has WAR and UAR of classifiers in training and
            validation, ``left_out`` what ``train.budget`` leaves out in the first partition; over
            several folds ``fold`` has what is tested in each, and the figures.
        """
        there = set(answers["role"])
        roles = [role for role in self.models.roles if role in there]
        foremost = min(roles, key=lambda role: (role != MODEL, role == MAJORITY))
        first = answers[answers["role"] == foremost]
        summary: Figures = {
            "n": len(first),
            "subjects": n_subjects(first),
            "unusable": int((first["answered_from"] == "prior").sum()),
            "interval_over": interval_over(first),
        } | self.tested(first)
        for role in roles:
            description, rows = self.models.roles[role], answers[answers["role"] == role]
            asked = {"name": description["kind"]}
            if known := description.get("fingerprints"):
                asked["fingerprints"] = {name: known[name] for name in rows["partition"].unique()}
            if (fitted := description.get("fitted")) and self.key == CLASSES:
                asked["fitted"] = _mean_fitted(
                    [fitted[name] for name in rows["partition"].unique()]
                )
            if left_out := description.get("about", {}).get("left_out"):
                asked["left_out"] = left_out
            summary[role] = asked | self.of_role(rows)
        return summary

    def of_role(self, rows: pd.DataFrame) -> Figures:
        """The figures of one role, over all its partitions and in each."""
        found = self.measured(rows).estimates(**self.settings.bootstrap)
        figures = self.figures(found) | self.details(rows)
        partitions = rows["partition"].unique()
        if len(partitions) > 1:
            by_fold = self.by_fold(rows)
            figures["fold"] = {}
            for fold, partition in enumerate(partitions):
                own = rows[rows["partition"] == partition]
                values = {name: Estimate(value[fold]) for name, value in by_fold.items()}
                figures["fold"][partition] = {"n": len(own)} | self.tested(own)
                figures["fold"][partition] |= self.figures(values)
        return figures

    @abstractmethod
    def measured(self, rows: pd.DataFrame) -> Measured:
        """What is measured of one role's rows, mean over folds."""

    @abstractmethod
    def by_fold(self, rows: pd.DataFrame) -> Mapping[str, Floats]:
        """The same in each fold, (F, ...)."""

    @abstractmethod
    def pooled(self, rows: pd.DataFrame) -> Callable[[robust.Mask], Measured]:
        """What is measured under every condition, of some of one role's rows pooled over folds."""

    @abstractmethod
    def coded(self, rows: pd.DataFrame) -> Any:
        """One role's rows as arrays over clips."""

    @abstractmethod
    def compared(self, coded: Any) -> Measure:
        """The single figures by which two models are compared; weights are of clips."""

    @abstractmethod
    def foremost(self, rows: pd.DataFrame) -> Foremost:
        """The one of them that a comparison over some rows is about."""

    @abstractmethod
    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        """Measures as report.json has them."""

    def details(self, rows: pd.DataFrame) -> Figures:
        """Whatever else report.json has of a role."""
        return {}

    @abstractmethod
    def tested(self, rows: pd.DataFrame) -> Figures:
        """What the figures of some clips, those of one role, are over, beside their number."""

    @abstractmethod
    def headline(self, summary: Figures) -> Figures:
        """The few figures of one protocol that fit a table of experiments."""

    def tables(self, model: pd.DataFrame, index: pd.DataFrame) -> Tables:
        """Tables of the model's rows, each clip once, by their names in ``TABLES``.

        ``index`` is that of the landmarks.
        """
        known = None
        if self.table is not None:
            known = labels.about(self.table).set_axis(self.table["video_idx"])
        measured = self.pooled(model.assign(partition=""))
        found = robust.robustness(model, index, measured, known, **self.settings.bootstrap)
        return {"robustness": found.assign(task=self.key)}

    @abstractmethod
    def plot(
        self,
        model: pd.DataFrame,
        figures: Figures,
        tables: Tables,
        title: str,
        folder: Path,
        end: str,
    ) -> None:
        """Draw the model's rows, figures and tables.

        ``end`` is of the names of pictures that several tasks have, before .png.
        """


def others(summary: Figures) -> Figures:
    """The figures of the roles beside the model."""
    roles = {role: of for role, of in summary.items() if isinstance(of, dict) and "name" in of}
    return {role: of for role, of in roles.items() if role != MODEL}


def _mean_fitted(of_partitions: Sequence[Figures]) -> Figures:
    """WAR and UAR in training and validation, the plain mean over partitions that have clips."""
    return {
        part: rounded(
            {
                name: float(mean(np.array([of[part][name] for of in of_partitions], float)))
                for name in ("war", "uar")
            }
        )
        for part in ("train", "val")
    }


def rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures with four digits, None where one is undefined."""
    return {name: None if np.isnan(value) else round(value, 4) for name, value in figures.items()}

"""How classifications and regressions are evaluated: the one place where the two differ."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.evaluation import continuous, measures, plots
from facewave.evaluation import robustness as robust
from facewave.evaluation import suspects as doubtful
from facewave.evaluation.intervals import (
    Estimate,
    Floats,
    estimates,
    interval_over,
    mean,
    n_subjects,
)
from facewave.labels import schema as labels
from facewave.params import Evaluate
from facewave.prediction.schema import MODEL, Models

# Tables of stage evaluate with their columns; a regression leaves them empty.
TABLES = {
    "robustness": robust.COLUMNS,
    "suspects": doubtful.COLUMNS,
}
Figures = dict[str, Any]  # JSON; None where a figure is undefined
Tables = dict[str, pd.DataFrame]


class Task(ABC):
    """What is measured, tabulated and drawn of the answers of some models."""

    module: Any  # measures or continuous: it reads answers and measures them
    names: tuple[str, ...]  # the classes, or the targets

    def __init__(self, models: Models, settings: Evaluate) -> None:
        self.models = models
        self.names = models.targets or models.classes
        self.bootstrap = asdict(settings)

    def summarize(self, answers: pd.DataFrame) -> Figures:
        """The figures of every role on the test clips of one protocol.

        Returns:
            n, subjects (None where not all are known), unusable (answered unseen), interval_over,
            what is ``tested``, and each role's figures: ``name`` is its kind, ``fingerprints``
            tells the models by partition, ``fitted`` has WAR and UAR of classifiers in training and
            validation, ``left_out`` what ``train.budget`` leaves out in the first partition; over
            several folds ``fold`` has what is tested in each, and the figures.
        """
        model = answers[answers["role"] == MODEL]
        coded = self.module.from_table(model, self.names)
        summary: Figures = {
            "n": len(model),
            "subjects": n_subjects(model),
            "unusable": int((model["answered_from"] == "prior").sum()),
            "interval_over": interval_over(model),
        } | self.tested(coded, range(coded.n_folds))
        for role, description in self.models.roles.items():
            rows = answers[answers["role"] == role]
            asked = {"name": description["kind"]}
            if known := description.get("fingerprints"):
                asked["fingerprints"] = {name: known[name] for name in rows["partition"].unique()}
            if fitted := description.get("fitted"):
                asked["fitted"] = _mean_fitted(
                    [fitted[name] for name in rows["partition"].unique()]
                )
            if left_out := description.get("about", {}).get("left_out"):
                asked["left_out"] = left_out
            summary[role] = asked | self._measured(rows)
        return summary

    def _measured(self, rows: pd.DataFrame) -> Figures:
        """The figures of one role, over all its partitions and in each."""
        coded = self.module.from_table(rows, self.names)
        measure = partial(self.module.overall, coded)
        found = estimates(measure, coded.group, **self.bootstrap, clips=self.clips(coded))
        figures = self.figures(found) | self.details(coded)
        if coded.n_folds > 1:
            by_fold = self.module.by_fold(coded)
            figures["fold"] = {
                partition: {"n": int((coded.fold == fold).sum())}
                | self.tested(coded, [fold])
                | self.figures({name: Estimate(value[fold]) for name, value in by_fold.items()})
                for fold, partition in enumerate(rows["partition"].unique())
            }
        return figures

    @abstractmethod
    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        """Measures as report.json has them."""

    def details(self, coded: Any) -> Figures:
        """Whatever else report.json has of a role."""
        return {}

    def clips(self, coded: Any) -> Mapping[str, Floats]:
        """The measures that are shares of clips, and of how many."""
        return {}

    def tested(self, coded: Any, folds: Sequence[int]) -> Figures:
        """What the figures of some folds are over, beside the number of clips."""
        return {}

    @abstractmethod
    def headline(self, summary: Figures) -> Figures:
        """The few figures of one protocol that fit a table of experiments."""

    def tables(self, model: pd.DataFrame, table: pd.DataFrame, index: pd.DataFrame) -> Tables:
        """Tables of the model's answers, one per test clip, by their names in ``TABLES``.

        ``table`` has the rows of the label table with a label, ``index`` is that of the landmarks.
        """
        return {}

    @abstractmethod
    def plot(self, model: pd.DataFrame, tables: Tables, title: str, folder: Path) -> None:
        """Draw the model's answers and tables."""


class Classification(Task):
    """Answers that are words."""

    module = measures

    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        """Each measure with the ends of its interval, and recalls by class."""
        figures: Figures = {}
        for name, estimate in found.items():
            if name != "recall":
                figures |= _rounded(estimate.named(name))
                continue
            occurring = np.flatnonzero(~np.isnan(estimate.value))
            for suffix, recalls in estimate.ends().items():
                known = {self.names[code]: float(recalls[code]) for code in occurring}
                figures[name + suffix] = _rounded(known)
        return figures

    def details(self, coded: measures.Answers) -> Figures:
        """The confusion, a row per actual class."""
        return {"confusion": measures.confusion(coded).astype(int).sum(0).tolist()}

    def clips(self, coded: measures.Answers) -> Mapping[str, Floats]:
        """Of the recalls, the clips of each class."""
        return {"recall": measures.confusion(coded).sum((0, 2))}

    def tested(self, coded: measures.Answers, folds: Sequence[int]) -> Figures:
        """The number of classes that occur, those that do not, and chance, the mean over folds."""
        counts = measures.confusion(coded)[list(folds)]
        occurs = counts.sum((0, 2)) > 0
        absent = [name for name, is_there in zip(self.names, occurs, strict=True) if not is_there]
        chance = float(mean(measures.chance(counts)))
        return {"classes": int(occurs.sum()), "absent": absent} | _rounded({"chance": chance})

    def headline(self, summary: Figures) -> Figures:
        """n, chance, three measures of the model, and the UAR of the others."""
        model = summary[MODEL]
        short = {name: summary[name] for name in ("n", "chance")}
        short |= {name: model[name] for name in ("war", "uar", "macro_f1")}
        others = (role for role in self.models.roles if role != MODEL)
        return short | {role: {"uar": summary[role]["uar"]} for role in others}

    def tables(self, model: pd.DataFrame, table: pd.DataFrame, index: pd.DataFrame) -> Tables:
        """All of ``TABLES``."""
        known = labels.about(table).set_axis(table["video_idx"])
        return {
            "robustness": robust.robustness(model, index, self.names, known, **self.bootstrap),
            "suspects": doubtful.suspects(model, table, self.names),
        }

    def plot(self, model: pd.DataFrame, tables: Tables, title: str, folder: Path) -> None:
        """The confusion, what the probabilities are worth, and where the model holds."""
        answers = measures.from_table(model, self.names)
        counts = measures.confusion(answers).sum(0)
        plots.confusion(counts, self.names, title, folder / "confusion.png")
        plots.reliability(measures.reliability(answers), title, folder / "reliability.png")
        chance = float(measures.chance(counts))  # of all clips pooled, as the table's are
        plots.robustness(tables["robustness"], chance, title, folder / "robustness.png")


class Regression(Task):
    """Answers that are numbers."""

    module = continuous

    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        """Each measure with the ends of its interval, by target."""
        return {
            target: {
                key: figure
                for name, estimate in found.items()
                for key, figure in _rounded(estimate.at(t).named(name)).items()
            }
            for t, target in enumerate(self.names)
        }

    def headline(self, summary: Figures) -> Figures:
        """n, and two measures of the model by target."""
        model = summary[MODEL]
        return {"n": summary["n"]} | {
            target: {name: model[target][name] for name in ("ccc", "rmse")} for target in self.names
        }

    def plot(self, model: pd.DataFrame, tables: Tables, title: str, folder: Path) -> None:
        """Predicted against actual numbers."""
        values = continuous.from_table(model, self.names)
        ccc_T = continuous.overall(values)["ccc"]
        plots.scatter(values, ccc_T, self.names, title, folder / "regression.png")


def task(models: Models, settings: Evaluate) -> Task:
    """The task of some models."""
    return (Regression if models.targets else Classification)(models, settings)


def _mean_fitted(of_partitions: Sequence[Figures]) -> Figures:
    """WAR and UAR in training and validation, the plain mean over partitions that have clips."""
    return {
        part: _rounded(
            {
                name: float(mean(np.array([of[part][name] for of in of_partitions], float)))
                for name in ("war", "uar")
            }
        )
        for part in ("train", "val")
    }


def _rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else round(value, 4) for name, value in figures.items()}

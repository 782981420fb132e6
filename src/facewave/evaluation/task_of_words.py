"""How a target of words is evaluated."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from facewave.evaluation import measures, plots
from facewave.evaluation import robustness as robust
from facewave.evaluation import suspects as doubtful
from facewave.evaluation.intervals import (
    Estimate,
    Floats,
    Measure,
    Measured,
    mean,
)
from facewave.evaluation.paired import Foremost, points
from facewave.evaluation.task import Figures, Tables, Task, others, rounded
from facewave.labels import schema as labels
from facewave.prediction.schema import MODEL
from facewave.targets import CLASSES


class Words(Task):
    """Answers that are words."""

    headlines = ("uar", "war", "macro_f1")

    def rows(self, answers: pd.DataFrame) -> pd.DataFrame:
        """Those of the target, its columns named as those of the classes."""
        return measures.of_target(super().rows(answers), self.targets[0])

    @property
    def actual(self) -> list[str]:
        """That of the classes."""
        return ["actual"]

    def measured(self, rows: pd.DataFrame) -> Measured:
        """All measures; recalls are shares of the clips of each class."""
        answers = self.coded(rows)
        clips = {"recall": measures.confusion(answers).sum((0, 2))}
        return Measured(partial(measures.overall, answers), answers.group, clips)

    def by_fold(self, rows: pd.DataFrame) -> Mapping[str, Floats]:
        """All but those of classes."""
        return measures.by_fold(self.coded(rows))

    def pooled(self, rows: pd.DataFrame) -> Callable[[robust.Mask], Measured]:
        """WAR and UAR."""
        answers = measures.from_table(rows, self.names)

        def measured(inside: robust.Mask) -> Measured:
            part = answers.at(inside)
            group = pd.factorize(part.group)[0]  # numbered as they come, as the draws depend on it
            shares = {"war": np.array(float(len(group)))}
            return Measured(partial(measures.war_and_uar, part), group, shares)

        return measured

    def compared(self, coded: measures.Answers) -> Measure:
        """WAR and UAR."""
        return partial(measures.war_and_uar, coded)

    def foremost(self, rows: pd.DataFrame) -> Foremost:
        """UAR, with chance."""
        counts = measures.confusion(self.coded(rows))
        classes = int((counts.sum((0, 2)) > 0).sum())
        chance = points(float(measures.chance(counts).mean()))
        return Foremost("uar", "UAR", f"{classes} classes, chance {chance} %", in_points=True)

    def coded(self, rows: pd.DataFrame) -> measures.Answers:
        """Rows as ``measures`` takes them, with the votes for the corpus's words."""
        votes = None
        if self.key == CLASSES and self.table is not None:
            voted = self.table[self.table["votes"] != ""]
            voted = voted[voted["video_idx"].isin(rows["video_idx"])]
            if len(voted):
                votes = pd.DataFrame(labels.soft_labels(voted, self.names), voted["video_idx"])
        return measures.from_table(rows, self.names, votes)

    def figures(self, found: Mapping[str, Estimate]) -> Figures:
        """Each measure with the ends of its interval, and those of classes by class."""
        figures: Figures = {}
        for name, estimate in found.items():
            if name not in measures.OF_CLASSES:
                figures |= rounded(estimate.named(name))
                continue
            occurring = np.flatnonzero(~np.isnan(estimate.value))
            for suffix, values in estimate.ends().items():
                known = {self.names[code]: float(values[code]) for code in occurring}
                figures[name + suffix] = rounded(known)
        return figures

    def details(self, rows: pd.DataFrame) -> Figures:
        """The confusion, a row per actual class."""
        counts = measures.confusion(measures.from_table(rows, self.names))
        return {"confusion": counts.astype(int).sum(0).tolist()}

    def tested(self, rows: pd.DataFrame) -> Figures:
        """The number of classes that occur, those that do not, and chance, the mean over folds."""
        counts = measures.confusion(measures.from_table(rows, self.names))
        occurs = counts.sum((0, 2)) > 0
        absent = [name for name, is_there in zip(self.names, occurs, strict=True) if not is_there]
        chance = float(mean(measures.chance(counts)))
        return {"classes": int(occurs.sum()), "absent": absent} | rounded({"chance": chance})

    def headline(self, summary: Figures) -> Figures:
        """n, chance, three measures of the model, and the UAR of the others."""
        short = {name: summary[name] for name in ("n", "chance")}
        names = ("war", "uar", "macro_f1")
        short |= {name: summary[MODEL][name] for name in names if MODEL in summary}
        return short | {role: {"uar": of["uar"]} for role, of in others(summary).items()}

    def tables(self, model: pd.DataFrame, index: pd.DataFrame) -> Tables:
        """Robustness, and labels that the model doubts."""
        found = super().tables(model, index)
        if self.table is not None:
            found["suspects"] = doubtful.suspects(model, self.table, self.names)
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
        """The confusion, what the probabilities are worth, and where the model holds."""
        answers = measures.from_table(model, self.names)
        counts = measures.confusion(answers).sum(0)
        plots.confusion(counts, self.names, title, folder / f"confusion{end}.png")
        bins = measures.reliability(answers)
        plots.reliability(bins, title, folder / f"reliability{end}.png")
        chance = float(measures.chance(counts))  # of all clips pooled, as the table's are
        plots.robustness(
            tables["robustness"], "uar", chance, title, folder / f"robustness{end}.png"
        )

"""The runs of an ablation: every combination of transform, K, inputs and classifier. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.params import Block, ClassifierKind, Study, Train, TransformName, Wavelets
from facewave.study.scores import MEASURES, UAR
from facewave.wavelets.transform import Transform

COLUMNS = ("transform", "k", "inputs", "model")


@dataclass(frozen=True)
class Run:
    """One combination; ``inputs`` are the blocks that the classifier takes."""

    transform: Transform
    inputs: tuple[Block, ...]
    model: ClassifierKind

    @property
    def named(self) -> dict[str, Any]:
        """Its settings as ``COLUMNS`` of a table."""
        inputs = " + ".join(self.inputs)
        values = (self.transform.name, self.transform.k, inputs, self.model)
        if self.inputs == ("functionals",):  # which nothing has transformed
            values = ("none", 1, inputs, self.model)
        return dict(zip(COLUMNS, values, strict=True))


def runs(study: Study, wavelets: Wavelets) -> Iterator[Run]:
    """All combinations, each once, those of one transform and K in succession.

    Raises:
        UserError: a wavelet is unknown, or K is too small or too large for a transform.
    """
    transforms: dict[tuple[str, int], Transform] = {}
    for text, k in product(study.transforms, study.k):
        name, _, wavelet = text.partition(" ")
        transform = Transform(
            cast(TransformName, name),
            wavelet or wavelets.wavelet,
            wavelets.boundary,
            k,
            wavelets.sides,
        )
        transform.over_time(2)  # fails now, not after hours, if K does not suit the wavelet
        transforms.setdefault((transform.name, k), transform)
    for transform in transforms.values():
        for inputs, model in product(study.inputs, study.models):
            yield Run(transform, tuple(inputs), model)


def of_features(study: Study, train: Train, wavelets: Wavelets) -> Iterator[Run]:
    """The runs of a table of features: the classifiers alone, since nothing is transformed."""
    transform = Transform.of(wavelets)
    for model in study.models:
        yield Run(transform, tuple(train.inputs), model)


def summary(table: pd.DataFrame, leaking: pd.DataFrame) -> dict[str, Any]:
    """The main figures of the runs, and of leakage if it was measured, as tables have them.

    ``measure`` is what counts, such as uar. ``best_on_test`` is called that because choosing by it
    would be choosing on the test parts. ``chosen_by_each_fold`` is what choosing may claim: none of
    it has seen its test clips.
    """
    rows, figure = chosen_by_fold(table)
    name = measure_of(table)
    return {
        "runs": len(table),
        "measure": name,
        "chosen_by_validation": _figures(chosen(table), name),
        "chosen_by_each_fold": {
            name: round(figure, MEASURES[name].decimals),
            "runs": [" ".join(str(row[name]) for name in COLUMNS) for row in rows],
        },
        "best_on_test": _figures(table.loc[table[name].idxmax()], name),
    } | ({"leakage": _by_protocol(leaking)} if len(leaking) else {})


def measure_of(table: pd.DataFrame) -> str:
    """What a table's models are counted by."""
    return str(table["measure"].iloc[0]) if len(table) else UAR


def chosen(table: pd.DataFrame) -> pd.Series:
    """The run that validation chooses: the first of those with the best mean over its parts.

    Raises:
        UserError: no validation part has a usable clip.
    """
    validated = table[f"val_{measure_of(table)}"]
    if validated.isna().all():
        raise UserError(
            "no partition has a usable validation clip, so nothing can choose between the runs. "
            "metrics/clean and metrics/extract say why clips were excluded."
        )
    return table.loc[validated.idxmax()]


def chosen_by_fold(table: pd.DataFrame) -> tuple[list[pd.Series], float]:
    """The run that each fold's own validation part chooses, and their mean figure in testing.

    Where the folds are ours, a clip validates in one fold and is tested in another; so the choice
    by the mean over validation parts has seen all test clips, and a fold's own has not.
    """
    name = measure_of(table)
    val, test = (  # (runs, folds)
        np.array([str(cell).split() for cell in table[column]], np.float64)
        for column in (f"val_{name}_by_fold", f"{name}_by_fold")
    )
    best = np.where(np.isnan(val), -np.inf, val).argmax(axis=0)
    rows = [table.iloc[int(row)] for row in best]
    return rows, float(np.nanmean(test[best, np.arange(len(best))]))


def joined(name: str, by_fold: Iterable[float]) -> str:
    """A measure in each fold, as one cell of a table."""
    measure = MEASURES[name]
    return " ".join(f"{measure.written(float(value)):.{measure.decimals}f}" for value in by_fold)


def _figures(row: pd.Series, measure: str) -> dict[str, Any]:
    names = [*COLUMNS, f"val_{measure}", measure, f"{measure}_low", f"{measure}_high"]
    names += ["chance", "n"]
    return {name: getattr(row[name], "item", lambda v=row[name]: v)() for name in names}


def _by_protocol(leaking: pd.DataFrame) -> dict[str, Any]:
    """Each role on folds that share no subjects and on random ones, and the difference."""
    name = measure_of(leaking)
    by_protocol = leaking.pivot(index="role", columns="protocol", values=name)
    return {
        str(role): {
            "disjoint": float(row["disjoint"]),
            "random": float(row["random"]),
            "difference": round(float(row["random"] - row["disjoint"]), 4),
        }
        for role, row in by_protocol.iterrows()
    }

"""The runs of an ablation: every combination of transform, K, inputs and classifier. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.params import Block, ClassifierKind, Study, Train, TransformName, Wavelets
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
    """The main figures of the runs, and of leakage if it was measured; in percent.

    ``best_on_test`` is called that because choosing by it would be choosing on the test parts.
    ``chosen_by_each_fold`` is what choosing may claim: none of it has seen its test clips.
    """
    rows, uar = chosen_by_fold(table)
    return {
        "runs": len(table),
        "chosen_by_validation": _figures(chosen(table)),
        "chosen_by_each_fold": {
            "uar": round(uar, 2),
            "runs": [" ".join(str(row[name]) for name in COLUMNS) for row in rows],
        },
        "best_on_test": _figures(table.loc[table["uar"].idxmax()]),
    } | ({"leakage": _by_protocol(leaking)} if len(leaking) else {})


def chosen(table: pd.DataFrame) -> pd.Series:
    """The run that validation chooses: the first of those with the highest mean validation UAR.

    Raises:
        UserError: no validation part has a usable clip.
    """
    if table["val_uar"].isna().all():
        raise UserError(
            "no partition has a usable validation clip, so nothing can choose between the runs. "
            "metrics/clean and metrics/extract say why clips were excluded."
        )
    return table.loc[table["val_uar"].idxmax()]


def chosen_by_fold(table: pd.DataFrame) -> tuple[list[pd.Series], float]:
    """The run that each fold's own validation part chooses, and their mean test UAR.

    Where the folds are ours, a clip validates in one fold and is tested in another; so the choice
    by the mean over validation parts has seen all test clips, and a fold's own has not.
    """
    val, test = (  # (runs, folds)
        np.array([str(cell).split() for cell in table[name]], np.float64)
        for name in ("val_uar_by_fold", "uar_by_fold")
    )
    best = np.nanargmax(np.where(np.isnan(val).all(axis=0), 0, val), axis=0)
    rows = [table.iloc[int(row)] for row in best]
    return rows, float(np.nanmean(test[best, np.arange(len(best))]))


def joined(by_fold: Iterable[float]) -> str:
    """A figure for each fold, in percent, as one cell of a table."""
    return " ".join(f"{100 * figure:.2f}" for figure in by_fold)


def _figures(row: pd.Series) -> dict[str, Any]:
    names = [*COLUMNS, "val_uar", "uar", "uar_low", "uar_high", "chance", "n"]
    return {name: getattr(row[name], "item", lambda v=row[name]: v)() for name in names}


def _by_protocol(leaking: pd.DataFrame) -> dict[str, Any]:
    """Each role's UAR on folds that share no subjects and on random ones, and the difference."""
    uar = leaking.pivot(index="role", columns="protocol", values="uar")
    return {
        str(role): {
            "disjoint": float(row["disjoint"]),
            "random": float(row["random"]),
            "difference": round(float(row["random"] - row["disjoint"]), 2),
        }
        for role, row in uar.iterrows()
    }

"""The runs of an ablation: every combination of transform, K, inputs and classifier. Pure."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.params import Block, ClassifierKind, Study, TransformName, Wavelets
from facewave.wavelets.transform import Transform


@dataclass(frozen=True)
class Run:
    """One combination.

    Attributes:
        transform: what gives the numbers.
        inputs: what the classifier sees.
        model: which classifier.
    """

    transform: Transform
    inputs: tuple[Block, ...]
    model: ClassifierKind

    @property
    def named(self) -> dict[str, Any]:
        """Its settings as columns of a table."""
        return {
            "transform": self.transform.name,
            "k": self.transform.k,
            "inputs": " + ".join(self.inputs),
            "model": self.model,
        }


def runs(study: Study, wavelets: Wavelets) -> Iterator[Run]:
    """All combinations, those of one transform and K after each other; none twice.

    Raises:
        UserError: a transform's family is unknown, or has no place for so few or many numbers.
    """
    transforms: dict[tuple[str, int], Transform] = {}
    for name, k in product(study.transforms, study.k):
        first, _, family = name.partition(" ")
        mode = next(mode for mode in get_args(TransformName) if mode == first)
        transform = Transform(mode, family or wavelets.wavelet, wavelets.boundary, k)
        transform.over_time(2)  # here, not after hours, it is told that K does not suit the family
        transforms.setdefault((transform.name, k), transform)
    for transform in transforms.values():
        for inputs, model in product(study.inputs, study.models):
            yield Run(transform, tuple(inputs), model)


def key(run: Run, given: dict[str, Any]) -> str:
    """A name for what a run's figures follow from: its settings and all that is ``given``."""
    content = json.dumps([asdict(run), given], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def chosen(table: pd.DataFrame) -> pd.Series:
    """The run that validation would choose: the first of the highest mean validation UAR.

    Raises:
        UserError: no validation part had a usable clip.
    """
    if table["val_uar"].isna().all():
        raise UserError(
            "no partition has a usable validation clip, so nothing can choose between the runs. "
            "metrics/clean and metrics/extract tell why clips were left out."
        )
    return table.loc[table["val_uar"].idxmax()]


def chosen_by_fold(table: pd.DataFrame) -> tuple[list[pd.Series], float]:
    """The run that each fold's own validation part would choose, and their mean test UAR.

    Where folds are ours, a clip validates in one fold and is tested in another; so what the mean
    over validation parts chooses has seen all test clips, and what a fold's own chooses has not.
    """
    val, test = (_by_fold(table[name]) for name in ("val_uar_by_fold", "uar_by_fold"))
    best = np.nanargmax(np.where(np.isnan(val).all(axis=0), 0, val), axis=0)
    rows = [table.iloc[int(row)] for row in best]
    return rows, float(np.nanmean(test[best, np.arange(len(best))]))


def written(figures: Sequence[float]) -> str:
    """A figure a fold, in percent, as one cell of a table."""
    return " ".join(f"{100 * figure:.2f}" for figure in figures)


def _by_fold(cells: pd.Series) -> NDArray[np.float64]:
    """Such cells as numbers, (runs, folds)."""
    return np.array([[float(figure) for figure in str(cell).split()] for cell in cells])

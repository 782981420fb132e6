"""The measures of action units that are there or not, from truth and probabilities. Pure.

- F1 is that of the clips in which the unit is there, 2 tp / (2 tp + fp + fn); the model says that
  it is there at a probability of 0.5 or more. A unit that never occurs in a fold has none there.
- AUC is as in measures.py: a unit that all clips of a fold have, or none, has none there.
- Prevalence is the share of clips in which the unit is there.
- A clip without a truth of a unit does not count for that unit.
- The last of the units' figures is their plain mean over the units that have the figure in the
  fold. Over folds, and undefined, as in continuous.py, whose intensities have other measures.

As in continuous.py, clips are added up by what the bootstrap draws. AUC compares pairs of clips, so
these are counted by pairs of groups: of how many, clips of one group have the unit and a higher
score than clips of the other that lack it.

Legend of names: n clips, F folds, T units, R resamples, U groups or clips that are drawn.
Weights, (U) or (R, U), say how often each counts; without them each counts once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from facewave.evaluation.continuous import Values, over_folds, with_mean
from facewave.evaluation.intervals import Codes, Floats, divide, enough_groups
from facewave.evaluation.measures import Mask, area

MEASURES = ("f1", "auc", "prevalence")
THRESHOLD = 0.5
_MOST = 2000  # groups of a fold whose pairs are counted; else clips are compared


@dataclass(frozen=True, eq=False)
class Counts:
    """What the measures follow from.

    Attributes:
        values: n clips.
        unit: which of those that are drawn each clip belongs to, (n).
        group: of each that is drawn, (U).
        total_UFT4: how many clips are known, have the action unit, are said to have it, and both.
        is_grouped: whether groups are drawn, and no clips.
    """

    values: Values
    unit: Codes
    group: Codes
    total_UFT4: Floats
    is_grouped: bool

    @cached_property
    def pairs(self) -> dict[tuple[int, int], tuple[Codes, Floats]]:
        """By fold and action unit the groups, (P), and the pairs that are won, (P, P).

        None where clips are drawn, or where there are too many groups.
        """
        values, found = self.values, {}
        shape = (values.n_folds, values.known.shape[1])
        for fold, t in np.ndindex(shape) if self.is_grouped else ():
            inside = (values.fold == fold) & values.known[:, t]
            places, place = np.unique(self.unit[inside], return_inverse=True)
            if len(places) <= _MOST:
                score, is_there = values.predicted_nT[inside, t], values.actual_nT[inside, t] > 0
                found[fold, t] = (places, _won(score, is_there, place, len(places)))
        return found


def counted(values: Values, *, by_group: bool = True) -> Counts:
    """The counts of some values, where groups are drawn by group, else by clip."""
    n = len(values.fold)
    group, unit = values.group, np.arange(n)
    is_grouped = by_group and enough_groups(values.group)
    if is_grouped:
        names, unit = np.unique(values.group, return_inverse=True)
        group = np.arange(len(names))
    known, there = values.known, values.actual_nT > 0
    said = values.predicted_nT >= THRESHOLD
    of_clips = np.stack([known, known & there, known & said, known & there & said], axis=-1)
    cell = unit * values.n_folds + values.fold
    members = csr_array((np.ones(n), (cell, np.arange(n))), (len(group) * values.n_folds, n))
    total = members @ of_clips.reshape(n, -1).astype(float)
    total = total.reshape(len(group), values.n_folds, *of_clips.shape[1:])
    return Counts(values, unit, group, total, is_grouped)


def by_fold(of: Counts, weights: Floats | None = None) -> dict[str, Floats]:
    """Each of ``MEASURES`` of every unit, and of their mean, in every fold; (..., F, T + 1)."""
    weights = np.ones(len(of.group)) if weights is None else weights
    known, there = np.moveaxis(np.tensordot(weights, of.total_UFT4[..., :2], 1), -1, 0)
    auc = np.full(there.shape, np.nan)
    for fold, t in np.ndindex(auc.shape[-2:]):
        if (fold, t) in of.pairs:
            places, won = of.pairs[fold, t]
            own = weights[..., places]
            has, lacks = there[..., fold, t], (known - there)[..., fold, t]
            auc[..., fold, t] = divide(((own @ won) * own).sum(-1), has * lacks)
        else:
            inside = (of.values.fold == fold) & of.values.known[:, t]
            is_there = of.values.actual_nT[:, t] > 0
            weights_nR = np.ascontiguousarray(weights[..., of.unit].T)
            score_n = of.values.predicted_nT[:, t]
            auc[..., fold, t] = area(score_n, inside & is_there, inside & ~is_there, weights_nR)
    found = {"auc": auc, "prevalence": divide(there, known)}
    means = {name: with_mean(value, is_whole=True) for name, value in found.items()}
    return f1_by_fold(of, weights) | means


def f1_by_fold(of: Counts, weights: Floats | None = None) -> dict[str, Floats]:
    """F1 alone: quicker than all measures."""
    weights = np.ones(len(of.group)) if weights is None else weights
    total = np.tensordot(weights, of.total_UFT4[..., 1:], 1)
    there, said, both = np.moveaxis(total, -1, 0)
    f1 = np.where(there > 0, divide(2 * both, there + said), np.nan)
    return {"f1": with_mean(f1, is_whole=True)}


def overall(of: Counts, weights: Floats | None = None) -> dict[str, Floats]:
    """Each of ``MEASURES`` of every unit, and of their mean, mean over folds; (..., T + 1)."""
    return over_folds(by_fold(of, weights))


def mean_f1(of: Counts, weights: Floats | None = None) -> dict[str, Floats]:
    """The mean F1 alone, mean over folds; (...)."""
    return {"f1": over_folds(f1_by_fold(of, weights))["f1"][..., -1]}


def _won(score_n: Floats, is_there_n: Mask, unit_n: Codes, n_units: int) -> Floats:
    """Pairs of a clip with the action unit and one without, by their groups; (P, P).

    They count 1 where the first has the higher score, and a half where the scores are equal.
    """
    _, place_n = np.unique(score_n, return_inverse=True)
    shape = (n_units, int(place_n.max(initial=-1)) + 1)
    has, lacks = np.zeros((2, *shape))
    np.add.at(has, (unit_n[is_there_n], place_n[is_there_n]), 1)
    np.add.at(lacks, (unit_n[~is_there_n], place_n[~is_there_n]), 1)
    below = np.cumsum(lacks, axis=1) - lacks / 2
    return np.asarray(csr_array(has) @ below.T)  # few clips of a group have the same score

"""Two models' answers to the same test clips: is one better? Pure.

- The figures are WAR and UAR as in ``measures``, the plain mean over folds; the difference is that
  of the first model less the second.
- Its interval is the bootstrap of ``intervals``: both models have the same draws, so that what is
  easy for both does not widen it.
- p is two-sided, by approximate randomisation (Noreen 1989, ch. 2; Edgington and Onghena 2007 for
  the count): if the models were the same, each group's two sets of answers could have been given
  by either. So they are swapped, whole groups at once, because clips of one person are not
  independent; p = (1 + differences at least as large) / (1 + draws).
- The two need not agree: swapping is valid for any number of groups, the bootstrap for many. Where
  one alone finds a difference, the models are not told apart, and the sentence says so.
- With few groups the interval draws single clips, as in ``intervals``. The test always swaps whole
  groups: that is right for any number, but below 6 groups no p can be below 0.05.

Legend of names: n clips, G groups, R resamples.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from facewave.evaluation import measures
from facewave.evaluation.intervals import FEWEST_GROUPS, Floats, enough_groups, estimates, sizes
from facewave.evaluation.measures import Answers

LEVEL = 0.05
_FEWEST_GROUPS = 6  # 2 of the 2^G ways to swap change nothing but the sign


@dataclass(frozen=True)
class Difference:
    """Of one measure, as shares of 1."""

    first: float  # the first model's figure
    second: float
    low: float  # of the 95 % interval of first - second
    high: float
    p: float  # two-sided

    @property
    def value(self) -> float:
        """By how much the first is better."""
        return self.first - self.second

    @property
    def shown(self) -> bool:
        """Whether the models can be told apart: the test says so, and the interval agrees."""
        return self.p < LEVEL and not self.contains_zero

    @property
    def contains_zero(self) -> bool:
        """Whether no difference is within the interval."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Comparison:
    """Two models on the same clips."""

    differences: dict[str, Difference]  # by measure, "war" and "uar"
    clips: int
    folds: int
    groups: int
    classes: int  # that occur: UAR is over those of each fold
    chance: float  # of UAR, mean over folds
    over_groups: bool  # whether the interval draws whole groups, or single clips


def compare(first: Answers, second: Answers, resamples: int, seed: int) -> Comparison:
    """Compare two models' answers, by as many bootstrap resamples as random swaps.

    Raises:
        ValueError: the clips (actual, fold, group) are not the same, in the same order.
    """
    for name in ("actual", "fold", "group"):
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            raise ValueError(f"the two models' clips differ: {name}")
    found = estimates(partial(_difference, first, second), first.group, resamples, seed)
    swapped = _swapped(first, second, resamples, seed)
    figures = [measures.war_and_uar(answers) for answers in (first, second)]
    chances = measures.chance(measures.confusion(first))
    differences = {}
    for name, estimate in found.items():
        # Sums in another order differ in their last digits.
        as_large = np.abs(swapped[name]) >= abs(estimate.value) - 1e-9
        p = (1 + as_large.sum()) / (1 + resamples)
        _, low, high = estimate.named(name).values()
        one, other = (float(model[name]) for model in figures)
        differences[name] = Difference(one, other, low, high, float(p))
    return Comparison(
        differences,
        clips=len(first.actual),
        folds=len(np.unique(first.fold)),
        groups=len(np.unique(first.group)),
        classes=len(np.unique(first.actual)),
        chance=float(chances.mean()),
        over_groups=enough_groups(first.group),
    )


def sentence(names: tuple[str, str], found: Comparison, grouped_by: str) -> str:
    """What can be written about the comparison: by UAR, which was chosen beforehand.

    ``grouped_by`` is what the groups are, in the plural: subjects.
    """
    uar = found.differences["uar"]
    better, worse = names if uar.value >= 0 else names[::-1]
    low, high = (uar.low, uar.high) if uar.value >= 0 else (-uar.high, -uar.low)
    points = f"{_points(abs(uar.value))} points of UAR"
    if uar.shown:
        verdict = f"{better} is better than {worse} by {points}"
    elif uar.value:
        verdict = f"{better} and {worse} cannot be told apart: {better} has {points} more"
    else:
        verdict = f"{better} and {worse} cannot be told apart: they have the same UAR"
    details = f"95 % interval {_points(low)} to {_points(high)}, p = {uar.p:.2g}"
    units = f"{found.clips} clips"
    if grouped_by != "clips":
        units += f" of {found.groups} {grouped_by if found.groups > 1 else grouped_by[:-1]}"
    elif found.groups < found.clips:
        units += f" in {found.groups} groups"
    if found.folds > 1:
        units += f", {found.folds} folds"
    level = f"{found.classes} classes, chance {_points(found.chance)} %"
    verdict += f" ({details}; paired over {units}; {level})."
    if uar.p >= LEVEL and not uar.contains_zero:
        verdict += (
            " The interval leaves out 0, but the test finds no difference: p is of random swaps, "
            "which hold for any number of groups, the interval of a bootstrap, which is too narrow "
            "with few."
        )
    elif uar.p < LEVEL and uar.contains_zero:
        verdict += (
            " The test finds a difference, but the interval includes 0: p is of random swaps, the "
            "interval of a bootstrap, and where they differ neither is proof."
        )
    if not found.over_groups and found.groups < found.clips:
        verdict += (
            f" With fewer than {FEWEST_GROUPS} groups the interval is over single "
            "clips, and too narrow."
        )
    if found.groups < _FEWEST_GROUPS:
        verdict += f" With fewer than {_FEWEST_GROUPS} groups no p can be below {LEVEL}."
    return verdict


def _difference(first: Answers, second: Answers, weights: Floats | None) -> dict[str, Floats]:
    """By how much the first model is better, (...)."""
    one, other = (measures.war_and_uar(answers, weights) for answers in (first, second))
    return {name: one[name] - other[name] for name in one}


def _swapped(first: Answers, second: Answers, resamples: int, seed: int) -> dict[str, Floats]:
    """The differences after swapping each group's answers at the toss of a coin, (R)."""
    groups, place = np.unique(first.group, return_inverse=True)
    # A stream of its own: the coins have nothing to do with the draws of the bootstrap.
    rng = np.random.default_rng((seed, 1))
    # As one model's: unreadable answers of either have a column.
    both = zip(vars(first).values(), vars(second).values(), strict=True)
    pooled = Answers(*map(np.concatenate, both))
    parts = []
    for size in sizes(resamples, len(place)):
        kept = rng.integers(0, 2, (size, len(groups)))[:, place].astype(float)
        one, other = (
            measures.war_and_uar(pooled, np.hstack(weights))
            for weights in ([kept, 1 - kept], [1 - kept, kept])
        )
        parts.append({name: one[name] - other[name] for name in one})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _points(share: float) -> str:
    """In hundredths; no minus before a zero."""
    return f"{round(100 * share, 1) + 0:.1f}"

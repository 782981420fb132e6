"""Two models' answers to the same test clips: is one better? Pure.

- The figures are those of ``measures``, ``continuous`` or ``units``, the plain mean over folds; the
  difference is that of the first model less the second. One of them was chosen beforehand, and the
  sentence is about it: UAR of words, the targets' mean CCC of numbers, the units' mean F1 or ICC.
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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facewave.evaluation.intervals import (
    FEWEST_GROUPS,
    Codes,
    Floats,
    Measure,
    enough_groups,
    estimates,
    joined,
    sizes,
)

MeasureOf = Callable[[Any], Measure]  # of a model's answers; weights are of clips
LEVEL = 0.05
_FEWEST_GROUPS = 6  # 2 of the 2^G ways to swap change nothing but the sign


@dataclass(frozen=True)
class Difference:
    """Of one measure."""

    first: float  # the first model's figure
    second: float
    low: float  # of the 95 % interval of first - second
    high: float
    p: float  # two-sided; NaN where either model has no such figure

    @property
    def value(self) -> float:
        """By how much the first has more."""
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

    differences: dict[str, Difference]  # by measure
    clips: int
    folds: int
    groups: int
    over_groups: bool  # whether the interval draws whole groups, or single clips


@dataclass(frozen=True)
class Foremost:
    """The measure that was chosen beforehand, for people.

    Attributes:
        key: its name among the differences.
        name: as sentences have it: UAR, mean CCC.
        level: what it is over, and its level by guessing: "6 classes, chance 16.7 %".
        in_points: whether it is told in hundredths.
    """

    key: str
    name: str
    level: str
    in_points: bool


def compare(
    first: Any, second: Any, measure_of: MeasureOf, resamples: int, seed: int
) -> Comparison:
    """Compare two models' answers, by as many bootstrap resamples as random swaps.

    Args:
        first: ``measures.Answers``, or ``continuous.Values``.
        second: the same of the other model.
        measure_of: what is measured of either, as single figures.
        resamples: how many, and how many swaps.
        seed: of both.

    Raises:
        ValueError: the clips (actual, fold, group) are not the same, in the same order.
    """
    for name in {"actual", "actual_nT", "fold", "group"} & set(vars(first)):
        one, other = getattr(first, name), getattr(second, name)
        if not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            raise ValueError(f"the two models' clips differ: {name}")
    both = measure_of(first), measure_of(second)

    def difference(weights: Floats | None) -> dict[str, Floats]:
        one, other = (measure(weights) for measure in both)
        return {name: one[name] - other[name] for name in one}

    found = estimates(difference, first.group, resamples, seed)
    swapped = _swapped(measure_of(joined(first, second)), first.group, resamples, seed)
    figures = [measure(None) for measure in both]
    differences = {}
    for name, estimate in found.items():
        # Sums in another order differ in their last digits.
        as_large = np.abs(swapped[name]) >= abs(estimate.value) - 1e-9
        p = np.nan if np.isnan(estimate.value) else (1 + as_large.sum()) / (1 + resamples)
        _, low, high = estimate.named(name).values()
        one, other = (float(model[name]) for model in figures)
        differences[name] = Difference(one, other, low, high, float(p))
    return Comparison(
        differences,
        clips=len(first.group),
        folds=len(np.unique(first.fold)),
        groups=len(np.unique(first.group)),
        over_groups=enough_groups(first.group),
    )


def sentence(names: tuple[str, str], found: Comparison, foremost: Foremost, grouped_by: str) -> str:
    """What can be written about the comparison, by the measure that was chosen beforehand.

    ``grouped_by`` is what the groups are, in the plural: subjects.
    """
    chosen = found.differences[foremost.key]
    figures = zip(names, (chosen.first, chosen.second), strict=True)
    if lacking := [name for name, figure in figures if np.isnan(figure)]:
        has = "has" if len(lacking) == 1 else "have"
        return (
            f"{names[0]} and {names[1]} cannot be compared: {' and '.join(lacking)} {has} no "
            f"{foremost.name} on these clips."
        )
    better, worse = names if chosen.value >= 0 else names[::-1]
    low, high = (chosen.low, chosen.high) if chosen.value >= 0 else (-chosen.high, -chosen.low)
    told = points if foremost.in_points else decimals
    by = told(abs(chosen.value))
    by, more = (
        (f"{by} points of {foremost.name}", f"{by} points of {foremost.name} more")
        if foremost.in_points
        else (f"{by} in {foremost.name}", f"{by} more in {foremost.name}")
    )
    if chosen.shown:
        verdict = f"{better} is better than {worse} by {by}"
    elif chosen.value:
        verdict = f"{better} and {worse} cannot be told apart: {better} has {more}"
    else:
        verdict = f"{better} and {worse} cannot be told apart: they have the same {foremost.name}"
    details = f"95 % interval {told(low)} to {told(high)}, p = {chosen.p:.2g}"
    units = f"{found.clips} clips"
    if grouped_by != "clips":
        units += f" of {found.groups} {grouped_by if found.groups > 1 else grouped_by[:-1]}"
    elif found.groups < found.clips:
        units += f" in {found.groups} groups"
    if found.folds > 1:
        units += f", {found.folds} folds"
    verdict += f" ({details}; paired over {units}; {foremost.level})."
    if chosen.p >= LEVEL and not chosen.contains_zero:
        verdict += (
            " The interval leaves out 0, but the test finds no difference: p is of random swaps, "
            "which hold for any number of groups, the interval of a bootstrap, which is too narrow "
            "with few."
        )
    elif chosen.p < LEVEL and chosen.contains_zero:
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


def points(share: float) -> str:
    """In hundredths; no minus before a zero."""
    return f"{round(100 * share, 1) + 0:.1f}"


def decimals(number: float) -> str:
    """With three digits; no minus before a zero."""
    return f"{round(number, 3) + 0:.3f}"


def _swapped(measure: Measure, group: Codes, resamples: int, seed: int) -> dict[str, Floats]:
    """The differences after swapping each group's answers at the toss of a coin, (R).

    ``measure`` is of both models' answers as if they were one model's, one behind the other; so
    unreadable answers of either have a column.
    """
    groups, place = np.unique(group, return_inverse=True)
    # A stream of its own: the coins have nothing to do with the draws of the bootstrap.
    rng = np.random.default_rng((seed, 1))
    parts = []
    for size in sizes(resamples, len(place)):
        kept = rng.integers(0, 2, (size, len(groups)))[:, place].astype(float)
        one, other = (
            measure(np.hstack(weights)) for weights in ([kept, 1 - kept], [1 - kept, kept])
        )
        parts.append({name: one[name] - other[name] for name in one})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

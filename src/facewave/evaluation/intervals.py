"""Figures with 95 % intervals: one bootstrap for every measure of every room. Pure.

- Intervals are percentile bootstraps (Efron and Tibshirani 1993, ch. 13). Whole groups are drawn
  (subjects, or sources where the subject is not known), since clips of one person are not
  independent. With fewer than ``FEWEST_GROUPS`` groups single clips are drawn, which makes the
  interval too narrow; ``interval_over`` says which.
- Resamples of a few clips that are all right, or all wrong, are all alike. The interval of a share
  of clips therefore includes that of Wilson (JASA 1927), and every interval its own estimate, which
  that of a biased measure, such as the calibration error, need not.
- The draws follow from the groups and the seed alone, so all measures and all models that answered
  the same clips have the same ones.

Legend of names: n clips, R resamples. Weights, (R, n), say how often each clip counts.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from facewave.labels import schema as labels

FEWEST_GROUPS = 10

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
# Weights (R, n), or None for each clip once -> figures by name, (R, ...) or (...).
Measure = Callable[[Floats | None], Mapping[str, Floats]]
Coded = TypeVar("Coded", bound=Any)  # a dataclass of arrays over clips, or None
_CHUNK = 2**21  # weights at a time: some 100 MB of memory


@dataclass(frozen=True, eq=False)
class Estimate:
    """A figure, or an array of them, with its interval; NaN where it is undefined."""

    value: Floats
    low: Floats | None = None
    high: Floats | None = None

    def ends(self) -> dict[str, Floats]:
        """The value and, where there is an interval, both its ends: "", "_low" and "_high"."""
        ends = {"": self.value, "_low": self.low, "_high": self.high}
        return {suffix: value for suffix, value in ends.items() if value is not None}

    def named(self, name: str) -> dict[str, float]:
        """A single figure and the ends of its interval, with their suffixes."""
        return {name + suffix: float(value) for suffix, value in self.ends().items()}

    def at(self, place: int) -> "Estimate":
        """One figure of an array."""
        return Estimate(*(value[place] for value in self.ends().values()))


def estimates(
    measure: Measure,
    group: Codes,
    resamples: int,
    seed: int,
    clips: Mapping[str, Floats] | None = None,
) -> dict[str, Estimate]:
    """What is measured of the clips, whose groups are (n), with intervals.

    ``clips`` names the figures that are shares of clips, and of how many, in the figure's shape.
    """
    drawn = resampled(measure, group, resamples, seed)
    found = {}
    for name, value in measure(None).items():
        ends = [interval(drawn[name]), [value, value]]
        if clips and name in clips:
            ends.append(_wilson(value, clips[name]))
        lows, highs = zip(*ends, strict=True)
        found[name] = Estimate(value, np.fmin.reduce(lows), np.fmax.reduce(highs))
    return found


def _wilson(share: Floats, clips: Floats) -> Floats:
    """The 95 % intervals of Wilson of shares of as many clips, (2, ...); NaN of none."""
    ends = np.full((2, *np.shape(share)), np.nan)
    for place in np.argwhere(~np.isnan(share)):
        n = int(clips[tuple(place)])
        tested = binomtest(round(float(share[tuple(place)]) * n), n)
        ends[:, *place] = tested.proportion_ci(method="wilson")
    return ends


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured of some clips, and by what its intervals are drawn: see ``estimates``."""

    measure: Measure
    group: Codes
    clips: Mapping[str, Floats] | None = None

    def estimates(self, resamples: int, seed: int) -> dict[str, Estimate]:
        """The figures with their intervals."""
        return estimates(self.measure, self.group, resamples, seed, self.clips)


def resampled(measure: Measure, group: Codes, resamples: int, seed: int) -> dict[str, Floats]:
    """What is measured of each resample, (R, ...)."""
    parts = [measure(weights) for weights in draws(group, resamples, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def draws(group: Codes, resamples: int, seed: int) -> Iterator[Floats]:
    """Weights of bootstrap resamples, some at a time: (R', n), the R' adding up to R."""
    rng = np.random.default_rng(seed)
    n = len(group)
    _, units = np.unique(group if enough_groups(group) else np.arange(n), return_inverse=True)
    n_units = int(units.max()) + 1
    for size in sizes(resamples, n):
        drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=size)
        yield drawn[:, units].astype(float)


def sizes(resamples: int, n: int) -> list[int]:
    """How many resamples of n clips are worked on at a time, to bound memory."""
    at_once = math.ceil(_CHUNK / n)
    return [min(at_once, resamples - start) for start in range(0, resamples, at_once)]


def interval(drawn: Floats) -> Floats:
    """The 95 % percentile interval of what was drawn, NaN left out; (R, ...) -> (2, ...)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        return np.nanpercentile(drawn, [2.5, 97.5], axis=0)


def picked(coded: Coded, clips: NDArray[Any]) -> Coded:
    """Some clips of arrays over clips, by mask or numbers."""
    arrays = vars(coded).items()
    chosen: Coded = replace(coded, **{name: a[clips] for name, a in arrays if a is not None})
    return chosen


def joined(first: Coded, second: Coded) -> Coded:
    """Two models' arrays over clips, one behind the other."""
    pairs = {name: (array, getattr(second, name)) for name, array in vars(first).items()}
    arrays = {name: pair for name, pair in pairs.items() if all(a is not None for a in pair)}
    both: Coded = replace(first, **{name: np.concatenate(pair) for name, pair in arrays.items()})
    return both


def groups(rows: pd.DataFrame) -> Codes:
    """Groups by video_idx, file_path, subject and source, from 0 in the order of first clips."""
    return pd.factorize(labels.groups(rows))[0]


def enough_groups(group: Codes) -> bool:
    """Whether whole groups are drawn; single clips where there are too few groups."""
    return len(np.unique(group)) >= FEWEST_GROUPS


def grouped_by(rows: pd.DataFrame) -> str:
    """What the groups are, by name: subjects, sources, or clips where not all rows have either."""
    known = (name for name in ("subject", "source") if (rows[name] != "").all())
    return next(known, "clip") + "s"


def interval_over(rows: pd.DataFrame, group: Codes | None = None) -> str:
    """What the intervals of these clips' figures are drawn over: subjects, sources or clips."""
    return grouped_by(rows) if enough_groups(groups(rows) if group is None else group) else "clips"


def n_subjects(rows: pd.DataFrame) -> int | None:
    """How many subjects the clips show; None where not all are known."""
    return int(rows["subject"].nunique()) if (rows["subject"] != "").all() else None


def divide(part: Floats, whole: Floats) -> Floats:
    """NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def mean(values: Floats) -> Floats:
    """Plain mean over the last axis (folds, or classes) of what is not NaN."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return np.nanmean(values, axis=-1)

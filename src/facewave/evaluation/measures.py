"""The measures of words, from answers and weights. Pure; conventions first.

- WAR, weighted average recall, is accuracy. UAR, unweighted average recall, is the mean of the
  classes' recalls. Macro F1 is the mean of the classes' F1.
- AUC is the mean over classes of the area under the curve of one class against the rest, that is
  the probability that a clip of the class gets a higher score than another clip; ties count half
  (Hanley and McNeil 1982). A class that all clips of a fold have, or none, has no AUC.
- Log loss is the mean of -ln of the actual class's probability, in nats. Probabilities below
  0.00005 count as that.
- Calibration error is the expected calibration error of Guo et al. (ICML 2017, eq. 3): 15 bins of
  equal width, (0, 1/15] and so on, by the probability of the answer; the mean over clips of the
  distance between a bin's accuracy and its mean probability. Chance alone makes it too high, the
  more so the fewer clips, and in resamples twice: its interval hardly reaches below.
- Where people voted: KL is the mean Kullback-Leibler divergence of the model's probabilities from
  the distribution of the votes, sum of v ln(v / p), in nats, with the floor of the log loss. Top-2
  is the share of clips whose word is among the two that the model gives most to (the first of equal
  ones). Both are over the clips with votes.
- Probabilities come from the table of answers, which keeps four digits; rows are normalised again.
  A 0 there is anything below 0.00005, hence the floor of the log loss.
- A mean over classes is over those that occur in the test part, here and wherever else facewave
  takes one (validation, study); a class that does not occur has no recall, and is not counted as 0.
  A fold's mean is over the classes of the fold, and that of pooled clips over the classes of all.
- Chance, the level of UAR, is 1 / the number of these classes: the expectation of every answer that
  does not depend on the clip. Over folds it is the mean of the folds' chances, as UAR is.
- Every test clip with a label counts: one without a usable face is answered from the training
  part's class frequencies, so all models have the same denominator. An unreadable answer of a
  language model is wrong: it counts like any other but belongs to no class, and its probabilities
  are those of the table.
- Over folds the figure is the plain mean of the folds' figures; a class's recall is that over the
  clips of all folds.
- Intervals are those of intervals.py. A resample without a clip of some fold or class has the mean
  over the others.

Legend of names: n clips, F folds, C classes, A answers (C, or C + 1 where some are unreadable), R
resamples. Counts have the actual class in rows.
Weights, (n) or (R, n), say how often each clip counts; without them each counts once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import rel_entr

from facewave.evaluation.intervals import Codes, Floats, divide, groups, mean, picked
from facewave.prediction.schema import UNREADABLE
from facewave.targets import CLASSES, Target

OF_CLASSES = ("recall", "f1")  # a figure for each class
MEASURES = ("war", "uar", "macro_f1", "auc", "log_loss", "calibration_error")
OF_VOTES = ("kl", "top2")
Mask = NDArray[np.bool_]
_LEAST = 0.5e-4  # half of the last digit that is kept
_BINS = 15


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's answers to the test clips; codes are (n)."""

    actual: Codes
    predicted: Codes  # C for an unreadable answer
    probabilities: Floats  # (n, C), rows adding up to 1
    fold: Codes  # in whose test part the clip is, from 0; all 0 if there is one part
    group: Codes  # the clip's subject or source, from 0
    votes: Floats | None = None  # (n, C): their shares, NaN where nobody voted; None: no votes

    @property
    def n_folds(self) -> int:
        """F."""
        return int(self.fold.max()) + 1

    @property
    def n_classes(self) -> int:
        """C."""
        return self.probabilities.shape[1]

    @property
    def n_answers(self) -> int:
        """A: C, and one more only where there are unreadable answers."""
        return self.n_classes + int((self.predicted == self.n_classes).any())

    def at(self, clips: NDArray[Any]) -> "Answers":
        """Those to some clips, by mask or numbers."""
        return picked(self, clips)


class Bins(NamedTuple):
    """Answers by their probability: each is (B), NaN where there is no clip."""

    clips: Floats  # 0 where there is none
    confidence: Floats  # the mean probability of the answers
    accuracy: Floats


def from_table(
    rows: pd.DataFrame, words: tuple[str, ...], votes: pd.DataFrame | None = None
) -> Answers:
    """One model's rows of the table of answers; folds and groups are numbered as they come.

    Args:
        rows: partition, video_idx, file_path, subject, source, actual, predicted (``UNREADABLE`` if
            the answer is no word), and a probability ``p_<word>`` for each word.
        words: all words, in the order of the codes.
        votes: by video_idx the shares of the votes for each word, of the clips that have votes.

    Raises:
        ValueError: a label or an answer is none of the words.
    """
    codes = {word: code for code, word in enumerate(words)}
    rounded = rows[[f"p_{word}" for word in words]].to_numpy(float)
    return Answers(
        actual=_codes(rows["actual"], codes),
        predicted=_codes(rows["predicted"], codes | {UNREADABLE: len(words)}),
        probabilities=rounded / rounded.sum(1, keepdims=True),
        fold=pd.factorize(rows["partition"])[0],
        group=groups(rows),
        votes=None if votes is None else votes.reindex(rows["video_idx"]).to_numpy(float),
    )


def of_target(rows: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Rows with a target's columns named as those of the classes, which they replace."""
    classes = Target(CLASSES, "words", target.names)
    names = dict(zip(target.columns, classes.columns, strict=True))
    others = [name for name in names.values() if name in rows and name not in names]
    return rows.drop(columns=others).rename(columns=names)


def confusion(answers: Answers, weights: Floats | None = None) -> Floats:
    """Counts per fold, (..., F, C, A); unreadable answers are in the last column, if any."""
    shape = (answers.n_folds, answers.n_classes, answers.n_answers)
    return _totals(answers, weights, (answers.fold, answers.actual, answers.predicted), shape)


def war(counts: Floats) -> Floats:
    """Share of right answers; (..., C, A) -> (...), NaN where there is no clip."""
    return divide(_hits(counts).sum(-1), counts.sum((-2, -1)))


def recalls(counts: Floats) -> Floats:
    """Recall of each class; (..., C, A) -> (..., C), NaN for a class that does not occur."""
    return divide(_hits(counts), counts.sum(-1))


def uar(counts: Floats) -> Floats:
    """Mean recall over the classes that occur; (..., C, A) -> (...)."""
    return mean(recalls(counts))


def chance(counts: Floats) -> Floats:
    """What UAR is by guessing: 1 / the number of classes that occur; (..., C, A) -> (...)."""
    n_classes = (counts.sum(-1) > 0).sum(-1)
    return divide(np.ones(n_classes.shape), n_classes)


def f1s(counts: Floats) -> Floats:
    """F1 of each class, NaN for one that does not occur; (..., C, A) -> (..., C)."""
    occurring, answered = counts.sum(-1), counts.sum(-2)[..., : counts.shape[-2]]
    return np.where(occurring > 0, divide(2 * _hits(counts), occurring + answered), np.nan)


def macro_f1(counts: Floats) -> Floats:
    """Mean F1 over the classes that occur; (..., C, A) -> (...)."""
    return mean(f1s(counts))


def auc(answers: Answers, weights: Floats | None = None) -> Floats:
    """Mean AUC over the classes that some but not all clips of a fold have; (..., F)."""
    # A clip a row, so that sorting moves whole rows.
    weights_nR = np.ascontiguousarray(_weights(answers, weights).T)
    shape = (answers.n_folds, answers.n_classes, *weights_nR.shape[1:])
    found = np.full(shape, np.nan)
    for fold, code in np.ndindex(shape[:2]):
        inside = answers.fold == fold
        own, rest = inside & (answers.actual == code), inside & (answers.actual != code)
        found[fold, code] = area(answers.probabilities[:, code], own, rest, weights_nR)
    return mean(np.moveaxis(found, (0, 1), (-2, -1)))


def area(score_n: Floats, own_n: Mask, rest_n: Mask, weights_nR: Floats) -> Floats:
    """The probability that one of a class has a higher score than one of the rest, (R) or ()."""
    own, rest = np.flatnonzero(own_n), np.flatnonzero(rest_n)
    rest = rest[np.argsort(score_n[rest])]
    # How much of the rest is below each place in its order; ties lie between two places.
    below = np.zeros((len(rest) + 1, *weights_nR.shape[1:]))
    np.cumsum(weights_nR[rest], axis=0, out=below[1:])
    lower = below[np.searchsorted(score_n[rest], score_n[own], "left")]
    lower += below[np.searchsorted(score_n[rest], score_n[own], "right")]
    won = (weights_nR[own] * lower).sum(0) / 2
    return divide(won, weights_nR[own].sum(0) * below[-1])


def log_loss(answers: Answers, weights: Floats | None = None) -> Floats:
    """Mean of -ln of the actual class's probability, in nats; (..., F)."""
    own = answers.probabilities[np.arange(len(answers.actual)), answers.actual]
    losses = -np.log(np.maximum(own, _LEAST))
    total = _totals(answers, weights, (answers.fold,), (answers.n_folds,), losses)
    return divide(total, _clips(answers, weights))


def kl(answers: Answers, weights: Floats | None = None) -> Floats:
    """Mean divergence of the probabilities from the votes, in nats; (..., F)."""
    votes_nC = _votes(answers)
    divergence_n = rel_entr(votes_nC, np.maximum(answers.probabilities, _LEAST)).sum(1)
    return _where_voted(answers, weights, divergence_n)


def top2(answers: Answers, weights: Floats | None = None) -> Floats:
    """Share of clips with votes whose word is among the two most probable; (..., F)."""
    order_nC = np.argsort(-answers.probabilities, axis=1, kind="stable")
    is_among_n = (order_nC[:, :2] == answers.actual[:, None]).any(1)
    is_readable_n = answers.predicted < answers.n_classes
    return _where_voted(answers, weights, (is_among_n & is_readable_n).astype(float))


def calibration_error(answers: Answers, weights: Floats | None = None) -> Floats:
    """Expected calibration error; (..., F)."""
    confidence, bins = _confidence(answers)
    excess = (answers.actual == answers.predicted) - confidence
    gaps = _totals(answers, weights, (answers.fold, bins), (answers.n_folds, _BINS), excess)
    return divide(np.abs(gaps).sum(-1), _clips(answers, weights))


def reliability(answers: Answers) -> Bins:
    """The bins of the calibration error, over the clips of all folds."""
    confidence, bins = _confidence(answers)
    right = (answers.actual == answers.predicted).astype(float)
    clips, sure, hits = (
        np.bincount(bins, values, _BINS).astype(float)
        for values in (np.ones(len(bins)), confidence, right)
    )
    return Bins(clips, divide(sure, clips), divide(hits, clips))


def by_fold(answers: Answers, weights: Floats | None = None) -> dict[str, Floats]:
    """Each of ``MEASURES``, and of ``OF_VOTES`` if there are votes, in every fold, (..., F)."""
    counts = confusion(answers, weights)
    voted = {} if answers.votes is None else {"kl": kl, "top2": top2}
    return {
        "war": war(counts),
        "uar": uar(counts),
        "macro_f1": macro_f1(counts),
        "auc": auc(answers, weights),
        "log_loss": log_loss(answers, weights),
        "calibration_error": calibration_error(answers, weights),
    } | {name: measure(answers, weights) for name, measure in voted.items()}


def war_and_uar(answers: Answers, weights: Floats | None = None) -> dict[str, Floats]:
    """WAR and UAR alone, mean over folds, (...): quicker than all measures."""
    counts = confusion(answers, weights)
    return {"war": mean(war(counts)), "uar": mean(uar(counts))}


def overall(answers: Answers, weights: Floats | None = None) -> dict[str, Floats]:
    """Those of ``by_fold``, mean over folds, (...), and ``OF_CLASSES`` over all clips, (..., C)."""
    means = {name: mean(values) for name, values in by_fold(answers, weights).items()}
    counts = confusion(answers, weights).sum(-3)
    return means | {"recall": recalls(counts), "f1": f1s(counts)}


def _codes(names: pd.Series, codes: Mapping[str, int]) -> Codes:
    return names.map(codes).astype(np.int64).to_numpy()  # unlike to_numpy, astype refuses NaN


def _confidence(answers: Answers) -> tuple[Floats, Codes]:
    """The probability of each answer, (n), and the bin that it is in, (n)."""
    confidence = answers.probabilities.max(1)
    return confidence, np.digitize(confidence, np.linspace(0, 1, _BINS + 1)[1:-1], right=True)


def _weights(answers: Answers, weights: Floats | None) -> Floats:
    return np.ones(len(answers.actual)) if weights is None else weights


def _totals(
    answers: Answers,
    weights: Floats | None,
    place: tuple[Codes, ...],
    shape: tuple[int, ...],
    values: Floats | None = None,
) -> Floats:
    """Weighted sums of the clips' values (else of ones) by their place in an array, (..., *shape).

    A product with a sparse matrix, so that thousands of weights cost little.
    """
    n = len(answers.actual)
    cell = np.ravel_multi_index(place, shape)
    values = np.ones(n) if values is None else values
    sums = csr_array((values, (np.arange(n), cell)), shape=(n, math.prod(shape)))
    weighed = _weights(answers, weights)
    return (weighed @ sums).reshape(*weighed.shape[:-1], *shape)


def _clips(answers: Answers, weights: Floats | None) -> Floats:
    """Clips of each fold, (..., F)."""
    return _totals(answers, weights, (answers.fold,), (answers.n_folds,))


def _votes(answers: Answers) -> Floats:
    """(n, C), NaN where nobody voted."""
    return np.full(answers.probabilities.shape, np.nan) if answers.votes is None else answers.votes


def _where_voted(answers: Answers, weights: Floats | None, values_n: Floats) -> Floats:
    """The mean over the clips with votes; (..., F)."""
    has_votes = ~np.isnan(_votes(answers)).any(1)
    place, shape = (answers.fold,), (answers.n_folds,)
    total = _totals(answers, weights, place, shape, np.where(has_votes, values_n, 0))
    return divide(total, _totals(answers, weights, place, shape, has_votes.astype(float)))


def _hits(counts: Floats) -> Floats:
    return np.diagonal(counts, axis1=-2, axis2=-1)

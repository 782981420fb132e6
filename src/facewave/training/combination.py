"""How the answers of several models to the same clips become one. Pure.

- ``mean`` and ``weighted`` of words are the softmax of the (weighted) mean of log probabilities, a
  logarithmic opinion pool (Genest and Zidek, "Combining probability distributions", Statistical
  Science 1, 1986). The weights of ``weighted`` have the lowest cross-entropy on validation clips, a
  convex problem (the pool is a log-linear model of the members); those of ``f1`` are proportional
  to each member's macro F1 there, and equal where no member does better than always the same word.
- ``stacking``: a multinomial logistic regression over the members' log probabilities with an L2
  penalty (Wolpert, "Stacked generalization", Neural Networks 5, 1992), fitted to validation clips.
  Validation has also chosen the members' epochs, so what they answer there is a little too good,
  and stacking trusts them a little too much.
- ``vote``: the word that most members answer, and of several the one with the highest mean
  probability, whatever the order of the members; the probabilities are the shares of the votes.
- Of numbers, and of probabilities of units, it is the (weighted) mean.

A member counts for the targets that it knows, and where it judges a clip; one that only has the
class frequencies to answer from counts where no other one saw a face or heard a voice. Weights and
stacking are of the first target of words, from the validation clips that all members judge; weights
hold for the other targets, too. Without such clips weights are equal and stacking is the mean.

Legend of names: n clips, M members, C words of a target, F = M * C, W columns of all targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from facewave.targets import Target, split
from facewave.training.over_time import best_width, macro_f1, over_time
from facewave.training.schema import answers_of
from facewave.workspace import Clips

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CHOSEN = ("weighted", "f1", "stacking")  # they follow from validation clips
_LEAST = 1e-4  # what a probability counts as at least: what one does not know stays possible
_FEWEST = 10  # validation clips that stacking is fitted to
_DECIMALS = 4  # of weights and coefficients
_TIE = 12  # decimals of mean probabilities: sums in another order differ in their last digits


@dataclass(frozen=True, eq=False)
class Stacking:
    """A multinomial logistic regression over the members' log probabilities.

    Attributes:
        coefficients_CF: NaN for a word that no validation clip has.
        intercepts_C: likewise.
    """

    coefficients_CF: Floats
    intercepts_C: Floats

    @classmethod
    def fit(cls, logs_nMC: Floats, codes_n: Codes) -> "Stacking":
        """Fit it; to fewer than 10 clips, or to those of one word alone, it knows no word."""
        n, n_members, n_words = logs_nMC.shape
        coefficients_CF = np.full((n_words, n_members * n_words), np.nan)
        intercepts_C = np.full(n_words, np.nan)
        words = np.unique(codes_n)
        if n >= _FEWEST and len(words) > 1:
            from sklearn.linear_model import LogisticRegression  # only training needs it

            model = LogisticRegression(max_iter=10_000, tol=1e-8)
            model.fit(logs_nMC.reshape(n, -1), codes_n)
            coefficients, intercepts = model.coef_, model.intercept_
            if len(words) == 2:  # the difference of the second from the first alone
                coefficients = np.concatenate([-coefficients, coefficients]) / 2
                intercepts = np.concatenate([-intercepts, intercepts]) / 2
            coefficients_CF[words] = coefficients.round(_DECIMALS)
            intercepts_C[words] = intercepts.round(_DECIMALS)
        return cls(coefficients_CF, intercepts_C)

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which words it can give a probability, (C,)."""
        return ~np.isnan(self.intercepts_C)

    def probabilities(self, logs_nMC: Floats, mean_nC: Floats) -> Floats:
        """Of the words, (n, C): those that it does not know have what the mean gives them."""
        known_C, probabilities_nC = self.is_known, mean_nC.copy()
        if not known_C.any():
            return probabilities_nC
        logits_nC = logs_nMC.reshape(len(logs_nMC), -1) @ self.coefficients_CF.T + self.intercepts_C
        rest_n1 = mean_nC[:, known_C].sum(axis=1, keepdims=True)
        probabilities_nC[:, known_C] = rest_n1 * softmax(logits_nC[:, known_C], axis=1)
        return probabilities_nC


@dataclass(frozen=True, eq=False)
class Combination:
    """A way to combine M members, with all that validation clips say of it.

    Attributes:
        by: mean, weighted, f1, stacking or vote.
        targets: what the members were asked.
        weights_M: of the members, not negative, adding up to 1.
        stacking: of ``by`` stacking alone.
        median_s: the width of the median filter over the moments of a file (over_time.py).
    """

    by: str
    targets: tuple[Target, ...]
    weights_M: Floats
    stacking: Stacking | None = None
    median_s: float = 0.0

    @property
    def first(self) -> Target | None:
        """The target that weights, stacking and width are chosen by."""
        return first_of_words(self.targets)

    def together(
        self, clips: Clips, tables: Sequence[pd.DataFrame], margin_W: Floats | None = None
    ) -> pd.DataFrame:
        """The members' answers as one.

        Args:
            clips: n, of whole files.
            tables: what each member answers of them (``Trained.answer``).
            margin_W: half the widths of the prediction intervals.
        """
        judges_nM = _judges(tables)
        answers, words = [], {}
        for target in self.targets:
            answers_nMC = np.stack([table[list(target.numbers)] for table in tables], axis=1)
            answers_nMC = answers_nMC.astype(np.float64)
            knows_nM = ~np.isnan(answers_nMC).any(axis=2)
            counts_nM = knows_nM & judges_nM
            whole_n = counts_nM.all(axis=1)
            counts_nM |= knows_nM & ~counts_nM.any(axis=1, keepdims=True)
            weights_nM = counts_nM * self.weights_M
            if not weights_nM.any(axis=1).all():  # all that judge have weight 0
                weights_nM = np.where(weights_nM.any(axis=1, keepdims=True), weights_nM, counts_nM)
            with np.errstate(invalid="ignore"):  # NaN where no member knows the target
                weights_nM = weights_nM / weights_nM.sum(axis=1, keepdims=True)
            answer_nC = np.einsum("nm,nmc->nc", weights_nM, np.nan_to_num(answers_nMC))
            if target.is_words and self.by == "vote":
                said_nM = np.stack([table[target.predicted] for table in tables], axis=1)
                votes_nMC = said_nM[:, :, None] == np.array(target.names, object)
                counted_nC = (votes_nMC & counts_nM[:, :, None]).sum(axis=1)
                is_first_nC = counted_nC == counted_nC.max(axis=1, keepdims=True)
                ranked_nC = np.where(is_first_nC, answer_nC.round(_TIE), -np.inf)
                words[target.name] = np.array(target.names, object)[ranked_nC.argmax(axis=1)]
                answer_nC = np.einsum("nm,nmc->nc", weights_nM, votes_nMC.astype(float))
            elif target.is_words:
                logs_nMC = logs(answers_nMC)
                pooled_nC = np.einsum("nm,nmc->nc", weights_nM, np.nan_to_num(logs_nMC))
                answer_nC = softmax(pooled_nC, axis=1)
                if self.stacking and target == self.first:
                    mean_nC = answer_nC[whole_n]
                    answer_nC[whole_n] = self.stacking.probabilities(logs_nMC[whole_n], mean_nC)
            answers.append(answer_nC)
        answered_from = _answered_from([table["answered_from"] for table in tables])
        answers_nW = np.concatenate(answers, axis=1)
        margin_W = np.full(answers_nW.shape[1], np.nan) if margin_W is None else margin_W
        margins_nW = np.where((answered_from != "prior")[:, None], margin_W, np.nan)
        table = answers_of(clips, answered_from, self.targets, answers_nW, margins_nW, words)
        return over_time(clips.table, table, self.targets, self.median_s)

    def text(self, roles: Sequence[str]) -> str:
        """What it does with the members of these roles, for cards."""
        weighed = ", ".join(
            f"{role} {weight:g}"
            for role, weight in zip(roles, self.weights_M.round(3), strict=True)
        )
        told = {
            "mean": f"the mean of {', '.join(roles)}",
            "weighted": f"the mean of {weighed}, weighted to fit validation clips",
            "f1": f"the mean of {weighed}, weighted by macro F1 on validation clips",
            "stacking": f"a regression over {', '.join(roles)}, fitted to validation clips",
            "vote": f"the vote of {', '.join(roles)}",
        }[self.by]
        if self.stacking and self.first:
            names = zip(self.first.names, self.stacking.is_known, strict=True)
            if lacking := [name for name, is_known in names if not is_known]:
                told += f" (too few had {', '.join(lacking)}: there it is the mean)"
        if self.median_s:
            told += f"; then the median over {self.median_s:g} s of a video"
        return told


def first_of_words(targets: Sequence[Target]) -> Target | None:
    """The first target of words, None without any."""
    return next((target for target in targets if target.is_words), None)


def fit(
    by: str,
    median_s: float | str,
    targets: Sequence[Target],
    val: Clips,
    truth_nW: Floats,
    tables: Sequence[pd.DataFrame],
) -> Combination:
    """Choose all that is to be chosen, by validation clips alone.

    Args:
        by: see ``Combination``.
        median_s: likewise, or "learnt": the best of ``over_time.WIDTHS``.
        targets: what the members were asked.
        val: n validation clips, of whole files.
        truth_nW: of them, NaN where it is not known.
        tables: what each member answers of them.
    """
    targets, first = tuple(targets), first_of_words(targets)
    n_members = len(tables)
    weights_M, stacking = np.full(n_members, 1 / n_members), None
    truth_nC = np.full((len(val), 1), np.nan)
    if first:
        truth_nC = split(targets, truth_nW)[targets.index(first)]
        is_whole_n = ~np.isnan(truth_nC).any(axis=1) & _judges(tables).all(axis=1)
        answers_nMC = np.stack([table[list(first.numbers)] for table in tables], axis=1)
        shared_n = is_whole_n & ~np.isnan(answers_nMC).any(axis=(1, 2))
        logs_nMC = logs(answers_nMC[shared_n])
        codes_n = truth_nC[shared_n].argmax(axis=1)
        if by == "weighted" and shared_n.any():
            weights_M = fit_weights(logs_nMC, codes_n)
        elif by == "f1" and shared_n.any():
            said = [pd.Index(first.names).get_indexer(t[first.predicted]) for t in tables]
            weights_M = f1_weights(np.stack(said, axis=1)[shared_n], codes_n)
        elif by == "stacking":
            stacking = Stacking.fit(logs_nMC, codes_n)
    width = 0.0 if median_s == "learnt" else float(median_s)
    combination = Combination(by, targets, weights_M, stacking, width)
    if median_s != "learnt" or not first:
        return combination
    answers = combination.together(val, tables)
    width = best_width(val.table, answers, targets, truth_nC)
    return Combination(by, targets, weights_M, stacking, width)


def logs(probabilities: NDArray[np.floating]) -> Floats:
    """Logarithms of probabilities, none below that of 0.0001."""
    return np.log(np.maximum(probabilities.astype(np.float64), _LEAST))


def fit_weights(logs_nMC: Floats, codes_n: Codes) -> Floats:
    """The weights (M,) with the lowest cross-entropy; not negative, adding up to 1, 4 digits."""
    n, n_members, _ = logs_nMC.shape

    def loss(weights_M: Floats) -> tuple[float, Floats]:
        pooled_nC = log_softmax(np.einsum("m,nmc->nc", weights_M, logs_nMC), axis=1)
        excess_nC = np.exp(pooled_nC)
        excess_nC[np.arange(n), codes_n] -= 1
        gradient_M = np.einsum("nc,nmc->m", excess_nC, logs_nMC) / n
        return float(-pooled_nC[np.arange(n), codes_n].mean()), gradient_M

    optimum = minimize(
        loss,
        np.full(n_members, 1 / n_members),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * n_members,
        constraints={"type": "eq", "fun": lambda weights_M: weights_M.sum() - 1},
    )
    return _normalised(np.clip(optimum.x, 0, 1))


def f1_weights(said_nM: Codes, codes_n: Codes) -> Floats:
    """Weights (M,) proportional to macro F1; equal if no member beats always the same word.

    Args:
        said_nM: the codes of the words that the members answer, -1 for none.
        codes_n: the truth.
    """
    f1_M = np.array([macro_f1(codes_n, said_n) for said_n in said_nM.T])
    constant = max(macro_f1(codes_n, np.full_like(codes_n, code)) for code in np.unique(codes_n))
    return _normalised(f1_M if f1_M.max() > constant else np.ones_like(f1_M))


def _normalised(weights_M: Floats) -> Floats:
    rounded_M = (weights_M / weights_M.sum()).round(_DECIMALS)
    normalised_M: Floats = rounded_M / rounded_M.sum()
    return normalised_M


def _judges(tables: Sequence[pd.DataFrame]) -> NDArray[np.bool_]:
    """Which members have more than the class frequencies to answer from, (n, M)."""
    return np.stack([table["answered_from"] != "prior" for table in tables], axis=1)


def _answered_from(members: "Sequence[pd.Series[Any]]") -> NDArray[np.str_]:
    """What members answer from, as one: face, voice, face and voice, or prior."""
    face_n, voice_n = (
        np.any([column.str.contains(sense) for column in members], axis=0)
        for sense in ("face", "voice")
    )
    chosen = [face_n & voice_n, face_n, voice_n]
    return np.select(chosen, ["face and voice", "face", "voice"], "prior")

"""Answers to the moments of a file, by what is answered of its neighbours in time. Pure.

A moment is a row about a part of its file; it stands at the middle of that part. Moments that are
answered from the class frequencies say nothing of others, and stay as they are, as do rows about
whole files and files with one moment alone.

Legend of names: n rows, w moments of a file, C words of a target.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.filters import filtered
from facewave.targets import Target

WIDTHS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # s, that ``best_width`` chooses among

Floats = NDArray[np.float64]


def moments(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows are moments of a file that has several, (n,)."""
    if "start" not in rows:
        return np.zeros(len(rows), bool)
    is_part = rows["start"].notna() & rows["end"].notna()
    return np.asarray(is_part & (rows["file_path"].where(is_part).duplicated(keep=False)))


def over_time(
    rows: pd.DataFrame,
    answers: pd.DataFrame,
    targets: Sequence[Target],
    width_s: float,
    causal: bool = False,
) -> pd.DataFrame:
    """Answers after a median filter over the probabilities of words, which then add up to 1.

    The word is the likeliest; of several the one that the moment has alone, if it is among them.
    A moment at which all medians are 0 stays as it is.

    Args:
        rows: n rows with file_path, start and end (s), of whole files in any order.
        answers: to them, as ``training.schema.answers_of`` gives them.
        targets: what was asked.
        width_s: of the filter; 0 changes nothing.
        causal: the filter ends at each moment: nothing is known of what comes.
    """
    if not width_s:
        return answers
    is_filtered_n = moments(rows) & (answers["answered_from"] != "prior").to_numpy()
    answers, parts = answers.copy(), rows[is_filtered_n]
    at_n = np.flatnonzero(is_filtered_n)
    centre_n = (parts["start"] + parts["end"]).to_numpy(float) / 2
    for within_w in parts.groupby("file_path", sort=False).indices.values():
        order_w = within_w[np.argsort(centre_n[within_w], kind="stable")]
        for target in (one for one in targets if one.is_words):
            places = answers.columns.get_indexer([*target.numbers, target.predicted])
            numbers_wC = answers.iloc[at_n[order_w], places[:-1]].to_numpy(float)
            if np.isnan(numbers_wC).any():  # nothing is known of the target
                continue
            medians_wC = filtered(centre_n[order_w], numbers_wC, width_s, causal=causal)
            total_w = medians_wC.sum(axis=1)
            changed_w = total_w > 0
            shares_wC = medians_wC[changed_w] / total_w[changed_w, None]
            chosen_w = at_n[order_w[changed_w]]
            alone_w = answers.iloc[chosen_w, places[-1]].to_numpy(object)
            is_first_wC = shares_wC == shares_wC.max(axis=1, keepdims=True)
            is_alone_wC = is_first_wC & (alone_w[:, None] == np.array(target.names, object))
            ranked_wC = is_first_wC.astype(int) + is_alone_wC
            answers.iloc[chosen_w, places[:-1]] = shares_wC
            answers.iloc[chosen_w, places[-1]] = np.array(target.names, object)[
                ranked_wC.argmax(axis=1)
            ]
    return answers


def best_width(
    rows: pd.DataFrame,
    answers: pd.DataFrame,
    targets: Sequence[Target],
    truth_nC: Floats,
    causal: bool = False,
) -> float:
    """Of ``WIDTHS`` that with the highest macro F1 of the first target of words.

    Of equal ones it is the smallest.

    Args (others as in ``over_time``):
        truth_nC: of the first target of words, NaN where it is not known.
    """
    first = next(target for target in targets if target.is_words)
    known_n = ~np.isnan(truth_nC).any(axis=1)
    if not (moments(rows) & known_n).any():
        return 0.0
    codes_n = truth_nC[known_n].argmax(axis=1)
    figures = []
    for width_s in WIDTHS:
        words = over_time(rows, answers, targets, width_s, causal)[first.predicted]
        said_n = pd.Index(first.names).get_indexer(words[known_n])
        figures.append(macro_f1(codes_n, said_n))
    return WIDTHS[int(np.argmax(figures))]


def macro_f1(actual_n: NDArray[np.int64], said_n: NDArray[np.int64]) -> float:
    """The mean F1 over the words that occur, as ``evaluation.measures`` has it; codes (n,)."""
    from sklearn.metrics import f1_score  # it takes a second to load, and only training needs it

    words = np.unique(actual_n)
    return float(f1_score(actual_n, said_n, labels=words, average="macro", zero_division=0))

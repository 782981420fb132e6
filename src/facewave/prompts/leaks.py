"""Refuses texts that give the label away, by what they are or by being there at all.

In MAFW (Liu et al., ACM MM 2022) every clip that is not neutral has a caption, no neutral one has,
and captions describe the expression: a model that reads them answers from the text alone.
"""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import random_table

from facewave.errors import UserError

_GAP = 0.5  # least difference of the shares with a text between a class's clips and the others
_CHANCE, _DRAWS = 0.001, 9999  # how often texts that are missing at random are refused
_TRACE = 0.01  # share of the texts that may be a caption or the class's word by accident; or one
_WORD = re.compile(r"\w+")


def check(table: pd.DataFrame, column: str) -> None:
    """Check that the texts of ``column`` do not give the label away.

    They do so if they are the clips' class words or captions (case, punctuation and spaces do not
    count), or if having a text tells the class: of one class far more (or fewer) clips have a text
    than of the others: by half of the clips, since in large tables any difference is significant;
    and more than if texts were missing at random, by a Monte Carlo test of Pearson's chi-square
    over tables with the same margins, which holds for tables and classes of any size.

    ``table`` has rows of training (labels/schema.py), with "" where there is no text.

    Raises:
        UserError: they give it away.
    """
    texts, classes = table[column].map(_plain), table["actual"]
    has_text, problem = texts != "", ""
    captions = ((name, "the clip's caption") for name in ("caption", "caption_zh"))
    for other, name in (*captions, ("actual", "the class's own word")):
        same = has_text & (texts == table[other].map(_plain))
        if same.sum() > max(1, _TRACE * has_text.sum()):
            counts = classes[same].value_counts().sort_index()
            listed = ", ".join(f"{word} {n}" for word, n in counts.items())
            problem = f"{same.sum()} of {has_text.sum()} texts are {name} ({listed})"
    problem = problem or _class_told_by_presence(has_text[classes != ""], classes[classes != ""])
    if problem:
        raise UserError(
            f"column {column}: {problem}. A model would read its answer. Set "
            "train.language.transcript: none in params.yaml, or put texts there that were made "
            "without the labels, for all clips alike."
        )


def _class_told_by_presence(has_text: pd.Series, classes: pd.Series) -> str:
    """The class that having a text tells best, in words; "" if it tells none."""
    if classes.nunique() < 2:
        return ""
    counts = has_text.groupby(classes).agg(["sum", "size"])
    n_texts, n = counts["sum"], counts["size"]
    n_other_texts, n_others = has_text.sum() - n_texts, len(has_text) - n
    gaps = (n_texts / n - n_other_texts / n_others).abs()
    name = gaps.idxmax()
    if gaps[name] < _GAP or _p_value(n_texts.to_numpy(), n.to_numpy()) >= _CHANCE:
        return ""
    return (
        f"whether there is a text tells the class: {n_texts[name]} of {n[name]} clips of {name} "
        f"have one, and {n_other_texts[name]} of the {n_others[name]} others"
    )


def _p_value(n_texts: NDArray[np.int64], n: NDArray[np.int64]) -> float:
    """The probability of so uneven a table if texts are missing at random, of n clips a class."""
    expected = n * n_texts.sum() / n.sum()

    def statistic(counts: NDArray[np.int64]) -> NDArray[np.float64]:  # chi-square up to a factor
        return ((counts - expected) ** 2 / n).sum(axis=-1)

    tables = random_table(n, np.array([n_texts.sum(), n.sum() - n_texts.sum()]))
    drawn = tables.rvs(_DRAWS, random_state=0)[:, :, 0]
    as_uneven = statistic(drawn) >= statistic(n_texts) * (1 - 1e-9)
    return float((1 + as_uneven.sum()) / (1 + _DRAWS))


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))

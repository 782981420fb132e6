"""Texts that tell the label, refused as inputs: whether one is there, what it is, what it repeats.

In MAFW (Liu et al., ACM MM 2022) every clip that is not neutral has a caption and no neutral one
has, and captions describe the expression: a model that reads them answers from the text alone.
"""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import random_table

from facewave.errors import UserError

_GAP = 0.5  # between the shares with a text, of a class's clips and of the others
_CHANCE, _DRAWS = 0.001, 9999  # so often a table whose texts are missing at random is refused
_TRACE = 0.01  # of the texts that may be a caption or the class's word by accident; and one always
_WORD = re.compile(r"\w+")


def check(table: pd.DataFrame, column: str) -> None:
    """See to it that the texts of ``column`` do not give the label away.

    Three ways to do so are refused:
      - a text is the clip's class word;
      - a text is the clip's caption;
      - whether there is a text tells a class: of its clips far more (or fewer) have one than of the
        others: by half of the clips at least, since in large tables any difference is significant
        (some emotions do speak more than others); and more than chance makes of texts that are
        missing at random, by a Monte Carlo test of Pearson's chi-square over tables with the same
        margins, which holds for tables and classes of any size.

    Differences in letters' case, punctuation and blanks do not make another text.

    Args:
        table: rows of training, with ``actual`` and ``caption`` (labels/schema.py).
        column: the texts, "" for none.

    Raises:
        UserError: they do.
    """
    text, word = table[column].map(_plain), table["actual"]
    there = text != ""
    for other, what in (("actual", "the class's own word"), ("caption", "the clip's caption")):
        same = there & (text == table[other].map(_plain))
        if same.sum() > max(1, _TRACE * there.sum()):
            counts = word[same].value_counts().sort_index()
            listed = ", ".join(f"{name} {n}" for name, n in counts.items())
            raise UserError(
                f"column {column}: {same.sum()} of {there.sum()} texts are {what} ({listed}). "
                + _ADVICE
            )
    presence = _told_by_presence(there[word != ""], word[word != ""])
    if presence:
        raise UserError(
            f"column {column}: whether there is a text tells the class: {presence}. " + _ADVICE
        )


_ADVICE = (
    "A model would read its answer. Set train.language.transcript: none in params.yaml, or put "
    "texts there that were made without the labels, for all clips alike."
)


def _told_by_presence(there: pd.Series, word: pd.Series) -> str:
    """The class of which having a text tells most, in words; "" if it tells of none."""
    if word.nunique() < 2:
        return ""
    counts = there.groupby(word).agg(["sum", "size"])
    n, own = counts["size"], counts["sum"]
    rest, others = len(there) - n, there.sum() - own
    gap = (own / n - others / rest).abs()
    name = gap.idxmax()
    if gap[name] < _GAP or _chance(own.to_numpy(), n.to_numpy()) >= _CHANCE:
        return ""
    return (
        f"{own[name]} of {n[name]} clips of {name} have one, and {others[name]} of the "
        f"{rest[name]} others"
    )


def _chance(own: NDArray[np.int64], n: NDArray[np.int64]) -> float:
    """How probable so uneven a table is, if texts are missing at random.

    Args:
        own: of each class, how many clips have a text.
        n: of each class, how many clips there are.
    """
    expected = n * own.sum() / n.sum()

    def unevenness(
        having: NDArray[np.int64],
    ) -> NDArray[np.float64]:  # chi-square, but for a factor
        return ((having - expected) ** 2 / n).sum(axis=-1)

    margins = random_table(n, np.array([own.sum(), n.sum() - own.sum()]))
    drawn = margins.rvs(_DRAWS, random_state=0)[:, :, 0]
    as_uneven = unevenness(drawn) >= unevenness(own) * (1 - 1e-9)
    return float((1 + as_uneven.sum()) / (1 + _DRAWS))


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))

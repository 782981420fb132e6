"""Labels that are hidden, and come back as pseudo-labels of which a known share is wrong. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.targets import Target, actual
from facewave.workspace import Clips


def hide(clips: Clips, partition: str | int, corpus: str) -> tuple[Clips, Clips]:
    """Clips without the words of one corpus's training and validation part, and with them.

    What validates is as unknown as what trains, in both: it chooses nothing. Other corpora and
    the test part keep their words. No clip has a pseudo-label.

    Args:
        clips: that have a part.
        partition: whose parts count.
        corpus: of the column ``dataset``.

    Raises:
        UserError: no training clip is of that corpus.
    """
    part = clips.parts(partition)
    is_of_corpus = clips.table["dataset"] == corpus
    if not (is_of_corpus & (part == "train")).any():
        known = ", ".join(sorted(clips.table["dataset"].unique()))
        raise UserError(
            f"params.yaml: study.teaching.hidden is {corpus!r}, of which partition {partition} has "
            f"no training clip. The corpora are {known}; name one that trains, or none."
        )
    table = clips.table.assign(pseudo="", pseudo_shares="")
    without, unhidden = (
        table.assign(**{name: table[name].mask(is_of_corpus & there, "")
                        for name in ("actual", "votes")})
        for there in (part.isin(["train", "val"]), part == "val")
    )  # fmt: skip
    return replace(clips, table=without, pseudo=None), replace(clips, table=unhidden, pseudo=None)


def returned(
    without: Clips, unhidden: Clips, classes: Target, error: float, seed: int
) -> tuple[Clips, float]:
    """Hidden words as pseudo-labels, a share of them wrong, and the share that is right.

    Args:
        without: clips whose words are hidden, of ``hide``.
        unhidden: the same with their words.
        classes: the words.
        error: the share of wrong ones, to the nearest clip.
        seed: of which are wrong, and of what they say instead.
    """
    known, truth = (actual(classes, one.table)[classes.actual[0]] for one in (without, unhidden))
    is_hidden = (known == "") & (truth != "")
    words = mistaken(truth[is_hidden], classes.names, error, seed)
    pseudo = without.table["pseudo"].copy()
    pseudo[is_hidden] = words
    right = float((words == truth[is_hidden]).mean())
    return replace(without, table=without.table.assign(pseudo=pseudo)), right


def mistaken(words: pd.Series, classes: Sequence[str], error: float, seed: int) -> pd.Series:
    """Words of which a share is wrong: exactly so many, and of each word to within one clip.

    A wrong word is any of the others, drawn evenly.
    """
    rng = np.random.default_rng(seed)
    codes_n = pd.Index(classes).get_indexer(words)
    shuffled_n = rng.permutation(len(words))
    drawn_n = rng.integers(1, len(classes), len(words))  # how many words further on
    counts_C = np.bincount(codes_n, minlength=len(classes))
    ends_C = np.floor(error * np.cumsum(counts_C) + 0.5).astype(int)
    wrong_n = np.zeros(len(words), bool)
    for code, count in enumerate(np.diff(ends_C, prepend=0)):
        of_word = shuffled_n[codes_n[shuffled_n] == code]
        wrong_n[of_word[:count]] = True
    told_n = np.where(wrong_n, (codes_n + drawn_n) % len(classes), codes_n)
    return pd.Series(np.array(classes, object)[told_n], words.index)

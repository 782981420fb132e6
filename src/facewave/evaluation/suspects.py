"""Likely label errors, suggested and never changed: a ranked list for a person to look at.

Confident learning (Northcutt, Jiang and Chuang, JAIR 2021), pruned by noise rate, on the answers of
models that had not seen the clip. cleanlab has it too, but takes longer to import than the whole
stage runs. A weak model mostly suggests its own mistakes: the list is for eyes, not for filters.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.evaluation.intervals import Codes, Floats, divide
from facewave.prediction.schema import JUDGED, UNREADABLE

COLUMNS = (
    *("video_idx", "file_path", "actual", "suggested", "quality", "p_label", "p_suggested"),
    *("votes", "table", "row", "start", "end"),  # as in the label table
)
_EQUAL = 1e-6


def suspects(answers: pd.DataFrame, table: pd.DataFrame, words: tuple[str, ...]) -> pd.DataFrame:
    """The clips whose label the models doubt, the most doubtful first.

    Args:
        answers: one row per test clip: video_idx, file_path, actual, predicted, answered_from and
            a probability ``p_<word>`` for each word. Clips that were not answered from their face
            or voice are left out, since nothing speaks against their label, and so are unreadable
            answers.
        table: the label table.
        words: all words, in the order of the codes.

    Returns:
        ``COLUMNS`` of clips that are likely mislabelled: suggested is the word that the model gives
        most to, p_suggested and p_label are its probability and the label's, and quality is the
        normalised margin of the label in [0, 1], low where it is doubtful.
    """
    seen = answers[answers["answered_from"].isin(JUDGED) & (answers["predicted"] != UNREADABLE)]
    codes = seen["actual"].map(words.index).to_numpy(np.int64)
    rounded = seen[[f"p_{word}" for word in words]].to_numpy(float)
    probabilities = rounded / rounded.sum(1, keepdims=True)
    p_label = np.take_along_axis(probabilities, codes[:, None], axis=1)[:, 0]
    listed = seen.assign(
        suggested=np.array(words, object)[probabilities.argmax(1)],
        quality=((p_label - probabilities.max(1) + 1) / 2).round(4),
        p_label=rounded[np.arange(len(seen)), codes].round(4),
        p_suggested=rounded.max(1).round(4),
    )[likely_errors(codes, probabilities)]
    listed = listed.merge(table[["video_idx", *COLUMNS[-5:]]], how="left", on="video_idx")
    return listed.sort_values(["quality", "video_idx"], ignore_index=True)[list(COLUMNS)]


def likely_errors(codes: Codes, probabilities: Floats) -> NDArray[np.bool_]:
    """Which labels are likely wrong, by their codes, (n), and the probabilities, (n, C); (n)."""
    n_classes = probabilities.shape[1]
    labelled = codes[:, None] == np.arange(n_classes)
    # A clip is counted as the likeliest class that gets at least its mean among clips labelled so.
    thresholds = divide((probabilities * labelled).sum(0), labelled.sum(0))
    confident = probabilities >= thresholds - _EQUAL
    counted = np.where(confident, probabilities, -1).argmax(1)
    joint = np.zeros((n_classes, n_classes))  # label, counted class
    np.add.at(joint, (codes, counted), confident.any(1))
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    joint *= (labelled.sum(0) / joint.sum(1))[:, None]
    errors = np.zeros(len(codes), bool)
    for code, row in enumerate(joint):
        clips = np.flatnonzero(labelled[:, code])
        margins = probabilities[clips] - probabilities[clips, code, None]
        for other, n_errors in enumerate(_rounded(row, code)):
            if other != code:
                errors[clips[np.argsort(-margins[:, other])[:n_errors]]] = True
    return errors & (probabilities.max(1) > probabilities[np.arange(len(codes)), codes])


def _rounded(values: Floats, first: int) -> Codes:
    """Integers of the same sum, by largest remainder; among equal ones ``first`` is rounded up."""
    whole = np.floor(values + _EQUAL)
    remainders = values - whole
    remainders[first] += _EQUAL
    missing = round(float(values.sum() - whole.sum()))
    whole[np.argsort(remainders, kind="stable")[len(values) - missing :]] += 1
    return whole.astype(np.int64)

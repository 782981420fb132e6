"""Likely label errors, suggested and never changed: a ranked list for a person to look at.

Confident learning (Northcutt et al., JAIR 2021) on the answers of models that had not seen the
clip. A weak model mostly suggests its own mistakes: the list is for eyes, not for filters.
"""

import warnings

import numpy as np
import pandas as pd

from facewave.prediction.schema import UNREADABLE

COLUMNS = (
    *("video_idx", "file_path", "actual", "suggested", "quality", "p_label", "p_suggested"),
    *("votes", "table", "row", "start", "end"),  # as in the label table
)


def suspects(answers: pd.DataFrame, table: pd.DataFrame, words: tuple[str, ...]) -> pd.DataFrame:
    """The clips whose label the models doubt, the most doubtful first.

    Args:
        answers: one row per test clip: video_idx, file_path, actual, predicted, answered_from and
            a probability ``p_<word>`` for each word. Clips that were not answered from their face
            are left out, since nothing seen speaks against their label, and so are unreadable
            answers.
        table: the label table.
        words: all words, in the order of the codes.

    Returns:
        ``COLUMNS`` of clips that are likely mislabelled: suggested is the word that the model gives
        most to, p_suggested and p_label are its probability and the label's, and quality is the
        normalised margin of the label in [0, 1], low where it is doubtful.
    """
    seen = answers[(answers["answered_from"] == "face") & (answers["predicted"] != UNREADABLE)]
    if seen["actual"].nunique() < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    from cleanlab.filter import find_label_issues  # takes seconds to load
    from cleanlab.rank import get_label_quality_scores

    codes = seen["actual"].map({word: code for code, word in enumerate(words)}).to_numpy(np.int64)
    rounded = seen[[f"p_{word}" for word in words]].to_numpy(float)
    probabilities = rounded / rounded.sum(1, keepdims=True)
    with warnings.catch_warnings():
        # Classes with few clips may hide errors, which a list for eyes can bear.
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        doubted = find_label_issues(codes, probabilities, n_jobs=1)
    quality = get_label_quality_scores(codes, probabilities, method="normalized_margin")
    rows = np.arange(len(seen))
    listed = seen.assign(
        suggested=np.array(words, object)[probabilities.argmax(1)],
        quality=np.round(quality, 4),
        p_label=rounded[rows, codes].round(4),
        p_suggested=rounded.max(1).round(4),
    )[doubted]
    listed = listed.merge(table[["video_idx", *COLUMNS[-5:]]], how="left", on="video_idx")
    return listed.sort_values(["quality", "video_idx"], ignore_index=True)[list(COLUMNS)]

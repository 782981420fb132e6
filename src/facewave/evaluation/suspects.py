"""Likely label errors, suggested and never changed: a ranked list for a person to look at.

Confident learning (Northcutt et al., JAIR 2021) on the answers of models that had not seen the
clip. A weak model suggests mostly its own mistakes: the list is for eyes, not for filters.
"""

import warnings

import numpy as np
import pandas as pd


def suspects(answers: pd.DataFrame, words: tuple[str, ...]) -> pd.DataFrame:
    """The clips whose label the models doubt, the most doubtful first.

    Args:
        answers: one row a test clip, none twice: video_idx, actual, answered_from and a
            probability ``p_<word>`` for each word. Clips that were not answered from their face
            are left out: nothing was seen that could speak against their label.
        words: all words, in the order of the codes.

    Returns:
        The rows of clips that are likely mislabelled, with suggested (the word that the model
        gives most to) and quality (normalised margin of the label in [0, 1]; low is doubtful).
    """
    from cleanlab.filter import find_label_issues  # takes seconds to load
    from cleanlab.rank import get_label_quality_scores

    seen = answers[answers["answered_from"] == "face"]
    columns = [f"p_{word}" for word in words]
    codes = seen["actual"].map({word: code for code, word in enumerate(words)}).to_numpy(np.int64)
    if len(np.unique(codes)) < 2:
        return seen.assign(suggested="", quality=0.0).iloc[:0]
    probabilities = seen[columns].to_numpy(float)
    probabilities = probabilities / probabilities.sum(1, keepdims=True)  # they were rounded
    with warnings.catch_warnings():
        # A word with few clips may hide errors: so it may, and the list is for eyes anyway.
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        doubted = find_label_issues(codes, probabilities, n_jobs=1)
    quality = get_label_quality_scores(codes, probabilities, method="normalized_margin")
    found = seen.assign(
        suggested=np.array(words, object)[probabilities.argmax(1)], quality=np.round(quality, 4)
    )[doubted]
    return found.sort_values(["quality", "video_idx"])

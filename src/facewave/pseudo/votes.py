"""Several tracks of pseudo-labels as one: prompts, models or people that vote. Pure.

Legend of names: n clips, M tracks, C words.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from facewave.pseudo.schema import ANSWER, REFUSED, SAID, TRACK

_EQUAL = 9  # digits: means of the same numbers in another order are the same


def vote(
    tracks: Mapping[str, pd.DataFrame], clips: pd.DataFrame, words: Sequence[str]
) -> pd.DataFrame:
    """The word that most tracks give each clip.

    Of several it is the one with the highest mean probability, and none where these are equal or
    not known, since the tracks' order means nothing. A refusal is no vote, and neither is the
    answer to a clip in which nothing was seen. Where all answers of all tracks have probabilities,
    the probabilities are their mean over those who answer, and ``confidence`` is the word's. Else
    the probabilities are the shares of the votes, and ``confidence`` is the share of the tracks,
    refusals among them, that vote for the word.

    Args:
        tracks: by name, as ``tracks.typed`` gives them.
        clips: ``tracks.CLIP`` of those that any of them is about.
        words: of the classes.

    Returns:
        The clips, ``TRACK`` and ``p_<word>``, numbers with 4 digits.
    """
    columns = [f"p_{word}" for word in words]
    rows = [
        table.set_index("video_idx").reindex(clips["video_idx"]).reindex(columns=[*TRACK, *columns])
        for table in tracks.values()
    ]
    is_answer_nM = np.stack([table["origin"].isin(SAID) for table in rows], axis=1)
    word_nM = np.where(is_answer_nM, np.stack([table["predicted"] for table in rows], axis=1), "")
    shares_nMC = np.stack([table[columns].to_numpy(float) for table in rows], axis=1)
    # A word that a track does not know has no probability where its others have.
    is_given_nM = is_answer_nM & ~np.isnan(shares_nMC).all(axis=2)
    votes_nMC = word_nM[:, :, None] == np.array(words, object)
    votes_nC = votes_nMC.sum(axis=1)
    given_nMC = np.nan_to_num(shares_nMC) * is_given_nM[:, :, None]
    n_given_n1 = is_given_nM.sum(axis=1, keepdims=True)
    mean_nC = given_nMC.sum(axis=1) / np.maximum(n_given_n1, 1)

    is_first_nC = (votes_nC == votes_nC.max(axis=1, keepdims=True)) & (votes_nC > 0)
    ranked_nC = np.where(is_first_nC, mean_nC.round(_EQUAL), -1.0)
    is_best_nC = is_first_nC & (ranked_nC == ranked_nC.max(axis=1, keepdims=True))
    is_decided_n = is_best_nC.sum(axis=1) == 1
    best_n = is_best_nC.argmax(axis=1)

    n_votes_n1 = votes_nC.sum(axis=1, keepdims=True)
    voted_nC = np.divide(
        votes_nC, n_votes_n1, out=np.full(votes_nC.shape, np.nan), where=n_votes_n1 > 0
    )
    confidence_n = votes_nC[np.arange(len(clips)), best_n] / len(rows)
    if (is_given_nM == is_answer_nM).all():
        voted_nC = np.where(n_given_n1 > 0, mean_nC, np.nan)
        confidence_n = mean_nC[np.arange(len(clips)), best_n]
    names = np.array(list(tracks), object)
    voters = (
        ", ".join(names[is_for_M]) for is_for_M in votes_nMC[np.arange(len(clips)), :, best_n]
    )
    in_all = (", ".join(names[is_answer_M]) or "nobody" for is_answer_M in is_answer_nM)
    sources = [
        f"vote of {won}" if is_decided else f"undecided vote of {everybody}"
        for is_decided, won, everybody in zip(is_decided_n, voters, in_all, strict=True)
    ]
    return clips.assign(
        predicted=np.where(is_decided_n, np.array(words, object)[best_n], ""),
        confidence=np.where(is_decided_n, confidence_n, np.nan).round(4),
        source=sources,
        origin=np.where(is_decided_n, ANSWER, REFUSED),
        **dict(zip(columns, voted_nC.T.round(4), strict=True)),
    )

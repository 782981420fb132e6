"""The best clips of a training part, where ``train.budget`` allows only so many. Pure.

How good a clip is, is known once stage extract has looked at it, so a budget is training's. It
never touches validation or test: figures over the best test clips alone would be too good, and not
over the clips that others report.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# What makes a clip better, of landmarks.schema.MEASURES and the label table: more of it, or less.
_MORE = ("face_share", "face_px", "sharpness", "agreement")
_LESS = ("others_share", "longest_gap", "yaw", "pitch", "roll", "jumps", "still")
_CELL = ("actual", "dataset", "source")


def quality(table: pd.DataFrame, index: pd.DataFrame) -> pd.Series:
    """How good each clip is among the others, in [0, 1]: the mean of its ranks by each measure.

    Args:
        table: rows of a label table.
        index: of the landmarks, by video_idx.

    Returns:
        With the index of ``table``; what is not known of a clip is left out of its mean, and a clip
        of which nothing is known is in the middle.
    """
    measured = index.loc[table["video_idx"], [*_MORE[:-1], *_LESS]].set_index(table.index)
    measured["agreement"] = table["agreement"]
    measured[list(_LESS)] *= -1
    return measured.astype(float).rank(pct=True).mean(axis=1).fillna(0.5)


def best(table: pd.DataFrame, index: pd.DataFrame, n: int) -> NDArray[np.bool_]:
    """Which n of the clips are kept, the best by ``quality``; all where there are no more than n.

    Every class keeps its share of the clips, and so does, within a class, every corpus and source
    (film or upload): of each the best come first.

    Args:
        table: rows of a label table: actual, dataset, source, agreement and rank.
        index: of the landmarks, by video_idx.
        n: how many.
    """
    rows = table[[*_CELL, "rank"]].assign(quality=quality(table, index))
    rows = rows.sort_values(["quality", "rank"], ascending=[False, True])
    cell = rows.groupby(list(_CELL))
    rows["place"] = (cell.cumcount() + 0.5) / cell["rank"].transform("size")
    rows = rows.sort_values(["place", "quality", "rank"], ascending=[True, False, True])
    of_class = rows.groupby("actual")
    rows["place"] = (of_class.cumcount() + 0.5) / of_class["rank"].transform("size")
    kept = rows.sort_values(["place", "quality", "rank"], ascending=[True, False, True]).index[:n]
    return table.index.isin(kept)

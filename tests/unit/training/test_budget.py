"""train.budget: the best of each class and source, and nothing of validation or test."""

import numpy as np
import pandas as pd

from facewave.landmarks.schema import INDEX
from facewave.training.budget import best, quality


def made(n: int, **columns: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of a label table and their index; a third are sad, and film a has four of five."""
    at = np.arange(n)
    table = pd.DataFrame(
        {
            "video_idx": [f"c{i}" for i in at],
            "actual": np.where(at % 3 == 0, "sad", "happy"),
            "dataset": "demo",
            "source": np.where(at % 5 == 0, "b", "a"),
            "agreement": np.nan,
            "rank": at / n,
        },
        index=at + 100,
    )
    index = table[["video_idx"]].reindex(columns=list(INDEX)).assign(**columns)
    return table, index.set_index("video_idx").iloc[::-1]


def test_the_best_of_each_class_and_source_come_first() -> None:
    table, index = made(60, face_px=np.arange(60.0), jumps=3.0)
    kept = table[best(table, index, 30)]
    assert kept["actual"].value_counts().to_dict() == {"happy": 20, "sad": 10}
    assert kept["source"].value_counts().to_dict() == {"a": 24, "b": 6}
    for _, cell in table.groupby(["actual", "source"]):
        inside = cell.index.isin(kept.index)
        assert cell.index[inside].min() > cell.index[~inside].max()
    assert best(table, index, 99).all()
    assert best(table, index, 7).sum() == 7


def test_quality_is_the_mean_rank_of_what_is_known() -> None:
    table, index = made(4)
    assert quality(table, index).tolist() == [0.5] * 4
    # Nothing is known: the stratified order decides.
    assert best(table, index, 2).tolist() == [True, True, False, False]
    table["agreement"] = [0.5, 0.9, np.nan, 0.7]
    index = index.iloc[::-1].assign(yaw=[10.0, 40.0, 20.0, 30.0])
    assert quality(table, index).round(3).tolist() == [0.667, 0.625, 0.75, 0.583]
    assert quality(table, index.iloc[::-1]).index.tolist() == table.index.tolist()

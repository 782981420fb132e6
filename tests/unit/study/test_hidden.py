"""Labels that are hidden and come back with a known share of mistakes."""

import numpy as np
import pandas as pd
import pytest

from facewave.study.hidden import mistaken

WORDS = ("a", "b", "c", "d")


@pytest.mark.parametrize("error", [0.0, 0.2, 0.33, 0.6, 1.0])
def test_exactly_the_share_is_wrong_and_evenly_so(error: float) -> None:
    counts = {"a": 400, "b": 37, "c": 101, "d": 3}
    truth = pd.Series([word for word, n in counts.items() for _ in range(n)]).sample(
        frac=1, random_state=1
    )
    told = mistaken(truth, WORDS, error, seed=3)
    assert told.index.equals(truth.index)
    assert set(told) <= set(WORDS)
    wrong = told != truth
    assert wrong.sum() == np.floor(error * len(truth) + 0.5)
    for word, n in counts.items():
        assert abs(wrong[truth == word].sum() - error * n) <= 1, word
    if error == 1.0:  # of 400 wrong ones each of the three others has a third
        instead = told[truth == "a"].value_counts()
        assert sorted(instead.index) == ["b", "c", "d"]
        assert instead.between(100, 167).all()
    assert mistaken(truth, WORDS, error, seed=3).equals(told)
    if 0 < error < 1:
        assert not mistaken(truth, WORDS, error, seed=4).equals(told)
        positions = np.flatnonzero(wrong)
        assert abs(positions.mean() / len(truth) - 0.5) < 0.1  # not the first ones

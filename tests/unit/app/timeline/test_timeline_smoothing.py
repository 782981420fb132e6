"""The running median over the windows of a person."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from facewave.app.timeline.smoothing import doubt, smoothed
from facewave.targets import UNITS, Target, number
from making import words

WORDS = words("happy", "sad")
VALENCE = number("valence")
AUS = Target(UNITS, "presence", ("AU01",))
TARGETS = (WORDS, VALENCE, AUS)


def windows(happy: Sequence[float], person: int = 0, hop: float = 1.0) -> pd.DataFrame:
    """Windows of 3 s; NaN: not answered."""
    shares = np.array(happy, float)
    columns = {
        "person": person,
        "start": hop * np.arange(len(shares)),
        "end": hop * np.arange(len(shares)) + 3,
        "answered_from": np.where(np.isnan(shares), "", "face"),
        "predicted": np.where(np.isnan(shares), "", np.where(shares > 0.5, "happy", "sad")),
        "p_happy": shares,
        "p_sad": 1 - shares,
    }
    columns |= dict.fromkeys([*VALENCE.numbers, *AUS.numbers], shares)
    columns |= {VALENCE.ends[0]: shares - 0.5, VALENCE.ends[1]: shares + 0.5}
    return pd.DataFrame(columns)


def test_a_window_that_stands_alone_is_outvoted() -> None:
    table = windows([0.9, 0.8, 0.1, 0.7, 0.9])
    told = smoothed(table, TARGETS, 3.0)
    np.testing.assert_allclose(told["p_happy"], [0.85, 0.8, 0.7, 0.7, 0.8])
    assert set(told["predicted"]) == {"happy"}
    np.testing.assert_allclose(told["p_happy"] + told["p_sad"], 1)
    for name, away in ((VALENCE.numbers[0], 0), (VALENCE.ends[0], -0.5), (VALENCE.ends[1], 0.5)):
        np.testing.assert_allclose(told[name], np.array([0.85, 0.8, 0.7, 0.7, 0.8]) + away)
    np.testing.assert_allclose(told[AUS.numbers[0]], [0.85, 0.8, 0.7, 0.7, 0.8])
    pd.testing.assert_frame_equal(smoothed(table, TARGETS, 0), table)
    assert table["p_happy"][2] == 0.1  # the table that was given stays


def test_people_gaps_and_windows_without_an_answer_stay_apart() -> None:
    alone = [0.9, 0.9, 0.9]
    gap = [math.nan] * 3
    table = pd.concat(
        [windows([*alone, *gap, 0.1, 0.1, 0.1]), windows([0.1] * 9, person=1)], ignore_index=True
    )
    told = smoothed(table, TARGETS, 3.0)
    pd.testing.assert_frame_equal(told, table)  # equal neighbours, and nothing across the gap
    one_missing = smoothed(windows([0.9, math.nan, 0.3]), TARGETS, 3.0)
    assert one_missing["answered_from"].tolist() == ["face", "", "face"]
    assert one_missing["p_happy"].isna().tolist() == [False, True, False]
    # Two seconds away are outside of a filter of 3 s, inside of one of 4 s.
    assert one_missing["p_happy"][0] == 0.9
    wider = smoothed(windows([0.9, math.nan, 0.3]), TARGETS, 4.0)
    np.testing.assert_allclose(wider["p_happy"].dropna(), 0.6)


def test_an_own_word_without_probabilities_stays() -> None:
    table = windows([0.9, 0.1, 0.9]).drop(columns=[*WORDS.numbers])
    assert smoothed(table, TARGETS, 3.0)["predicted"].tolist() == ["happy", "sad", "happy"]
    assert np.isnan(doubt(table, WORDS)).all()


def test_doubt_is_a_share_of_the_highest() -> None:
    told = doubt(windows([0.5, 1.0, 0.0, math.nan, 0.9]), WORDS)
    np.testing.assert_allclose(told[:3], [1, 0, 0], atol=1e-12)
    assert math.isnan(told[3])
    assert 0 < told[4] < 1
    assert np.isnan(doubt(windows([0.5]), None)).all()

"""Valence and arousal: quadrants, and bins that samplers balance."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.labels import affect

IN_RANGE = st.floats(-1, 1)


def test_a_quadrant_needs_two_signs() -> None:
    valence = [0.5, -0.5, -0.5, 0.5, 1e-9, 1.0, 0.0, 0.5, 0.0, None, -0.5, None]
    arousal = [0.5, 0.5, -0.5, -0.5, 1.0, -1e-9, 0.5, -0.0, 0.0, 0.5, None, None]
    index = pd.RangeIndex(3, 15)
    quadrants = affect.quadrants(pd.Series(valence, index), pd.Series(arousal, index))
    assert quadrants.tolist() == [
        "positive aroused", "negative aroused", "negative calm", "positive calm",
        "positive aroused", "positive calm", *[""] * 6,
    ]  # fmt: skip
    assert quadrants.index.equals(index)


def test_a_bin_holds_its_lower_edge_and_the_last_one_1_too() -> None:
    for number in range(20):
        edge = (number - 10) / 10
        assert affect.bins([edge]).tolist() == [number]
        assert affect.bins([edge + 0.05]).tolist() == [number]
    for edge in [0.1 + 0.2, 1 - 0.9, -1 + 0.7, 0.7 - 0.6]:  # computed
        assert affect.bins([edge]).tolist() == [round(10 * edge) + 10]
    assert affect.bins([-1, 0.89, 0.9, 1]).tolist() == [0, 18, 19, 19]


def test_a_value_out_of_range_has_no_bin() -> None:
    for value in [1.0001, -1.0001, math.inf, -math.inf, math.nan]:
        with pytest.raises(ValueError, match=r"lie in \[-1, 1\]"):
            affect.bins([0.0, value])


def test_rare_bins_are_drawn_more_often() -> None:
    assert affect.weights([0.55, 0.55, 0.55, -0.55]).tolist() == pytest.approx([2 / 3] * 3 + [2])


@settings(deadline=None)
@given(st.lists(IN_RANGE, min_size=1, max_size=40))
def test_weighted_bins_are_even_and_the_mean_weight_is_1(values: list[float]) -> None:
    weights, number = affect.weights(values), affect.bins(values)
    assert weights.mean() == pytest.approx(1)
    drawn = [weights[number == one].sum() for one in np.unique(number)]
    assert drawn == pytest.approx([len(values) / len(drawn)] * len(drawn))


def test_the_summary_counts_all_and_weighs_the_training_part() -> None:
    table = pd.DataFrame(
        {
            "valence": [0.55, 0.55, 0.55, -0.55, 0.0, 0.95, np.nan],
            "arousal": [0.55, 0.55, 0.55, 0.55, 0.55, -0.95, 0.5],
            "split": ["train"] * 4 + ["val", "test", "train"],
        }
    )
    table["quadrant"] = affect.quadrants(table["valence"], table["arousal"])
    found = affect.summary(table)
    assert found["quadrants"] == dict(zip(affect.QUADRANTS, (3, 1, 0, 1), strict=True))
    assert found["on_an_axis"] == 1
    assert found["valence"] == {
        "bins": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0, 0, 1],
        "train_weights": [0.0] * 4 + [2.0] + [0.0] * 10 + [0.6667] + [0.0] * 4,
    }
    assert found["arousal"] == {
        "bins": [1, *[0] * 14, 5, 0, 0, 0, 0],
        "train_weights": [0.0] * 15 + [1.0] + [0.0] * 4,
    }

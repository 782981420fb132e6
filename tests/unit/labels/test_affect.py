"""Valence and arousal: quadrants, and bins."""

import math

import numpy as np
import pandas as pd
import pytest

from facewave.labels import affect
from facewave.targets import QUADRANTS, quadrants


def test_a_quadrant_needs_two_signs() -> None:
    valence = [0.5, -0.5, -0.5, 0.5, 1e-9, 1.0, 0.0, 0.5, 0.0, None, -0.5, None]
    arousal = [0.5, 0.5, -0.5, -0.5, 1.0, -1e-9, 0.5, -0.0, 0.0, 0.5, None, None]
    named = quadrants(np.array(valence, float), np.array(arousal, float))
    assert named.tolist() == [
        "positive aroused", "negative aroused", "negative calm", "positive calm",
        "positive aroused", "positive calm", *[""] * 6,
    ]  # fmt: skip


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


def test_what_is_no_further_than_the_zone_from_the_centre_is_neutral() -> None:
    valence = pd.Series([0.3, 0.3, 0.0, 0.0, 0.5, -0.31, None])
    arousal = pd.Series([0.4, -0.41, 0.0, 0.6, 0.0, 0.4, 0.1])
    found = quadrants(np.array(valence), np.array(arousal), 0.5).tolist()
    assert found == ["neutral", "positive calm", "neutral", "", "neutral", "negative aroused", ""]


def test_the_summary_counts_all() -> None:
    table = pd.DataFrame(
        {
            "valence": [0.55, 0.55, 0.55, -0.55, 0.0, 0.95, np.nan],
            "arousal": [0.55, 0.55, 0.55, 0.55, 0.55, -0.95, 0.5],
        }
    )
    valence, arousal = table["valence"].to_numpy(), table["arousal"].to_numpy()
    table["quadrant"] = quadrants(valence, arousal)
    assert affect.summary(table) == {
        "quadrants": dict(zip(QUADRANTS, (3, 1, 0, 1), strict=True)),
        "on_an_axis": 1,
        "valence": {"bins": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0, 0, 1]},
        "arousal": {"bins": [1, *[0] * 14, 5, 0, 0, 0, 0]},
    }
    table["quadrant"] = quadrants(valence, arousal, 0.6)
    counts = affect.summary(table)["quadrants"]
    assert counts == dict(zip((*QUADRANTS, "neutral"), (3, 1, 0, 1, 1), strict=True))

"""Intervals: of few clips, of biased measures."""

from collections.abc import Mapping

import numpy as np
import pytest

from facewave.evaluation.intervals import Floats, estimates


def share(right: list[bool]) -> Mapping[str, Floats]:
    hits = np.array(right, float)

    def measure(weights: Floats | None) -> dict[str, Floats]:
        one = np.ones(len(hits)) if weights is None else weights
        return {"share": np.asarray(one @ hits / one.sum(-1)), "none": one.sum(-1) * np.nan}

    group = np.arange(len(hits))
    counts = {"share": np.array(float(len(hits))), "none": np.array(0.0)}
    found = estimates(measure, group, 200, seed=0, clips=counts)
    assert all(np.isnan(end) for end in found["none"].ends().values())
    return found["share"].ends()


def test_few_clips_that_are_all_right_or_wrong_are_no_certainty() -> None:
    # Wilson's interval of 0 of n: 0 to z^2 / (n + z^2).
    for n in (1, 4, 12):
        above = 1.959964**2 / (n + 1.959964**2)
        ends = [float(end) for end in share([False] * n).values()]
        assert ends == pytest.approx([0, 0, above])
        ends = [float(end) for end in share([True] * n).values()]
        assert ends == pytest.approx([1, 1 - above, 1])
    assert share([True, False] * 100)["_low"] < 0.45  # the bootstrap's, or a wider one


def test_an_interval_contains_its_estimate() -> None:
    def distance(weights: Floats | None) -> dict[str, Floats]:  # resamples are further from 0
        one = np.ones(20) if weights is None else weights
        return {"distance": np.abs(one @ np.tile([-1.0, 1.0], 10)) / 20}

    found = estimates(distance, np.arange(20), 3, seed=0)["distance"]
    value, low, high = found.named("distance").values()
    assert value == low == 0 < high

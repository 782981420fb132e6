"""Outputs: how they are divided among targets, and the bins of numbers."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from facewave.labels import affect
from facewave.models import outputs
from facewave.targets import Target

TARGETS = [
    Target("quadrant", "words", ("a", "b", "c", "d")),
    Target("valence", "number", ("valence",), -1, 1),
    Target("aus", "intensity", ("AU1", "AU2")),
]


def test_each_target_has_its_outputs_and_its_columns_of_the_truth() -> None:
    assert outputs.widths(TARGETS, binned=False) == outputs.truth_widths(TARGETS) == [4, 1, 2]
    assert outputs.widths(TARGETS, binned=True) == [4, 20, 2]


def test_the_expectation_of_one_bin_is_its_centre_and_of_all_the_middle() -> None:
    centres = outputs.centres()
    assert centres.double().numpy().round(6).tolist() == [
        round(i / 10 - 0.95, 6) for i in range(20)
    ]
    certain = 1e4 * torch.eye(20)
    torch.testing.assert_close(outputs.expectation(certain), centres, rtol=0, atol=1e-6)
    torch.testing.assert_close(outputs.expectation(torch.zeros(1, 20)), torch.zeros(1))
    assert outputs.bins(centres).tolist() == list(range(20))
    halves = torch.full((1, 20), -1e4)
    halves[0, [3, 9]] = 0
    expected = (centres[3] + centres[9]) / 2
    torch.testing.assert_close(outputs.expectation(halves)[0], expected)


@given(st.lists(st.integers(-1000, 1000), min_size=1))
def test_bins_are_those_of_the_labels_whatever_the_precision(thousandths: list[int]) -> None:
    values = np.array([*thousandths, *range(-1000, 1001, 100)]) / 1000
    expected = affect.bins(values).tolist()
    assert outputs.bins(torch.from_numpy(values)).tolist() == expected
    assert outputs.bins(torch.from_numpy(values).float()).tolist() == expected
    assert outputs.bins(torch.tensor([-7.0, 7.0])).tolist() == [0, 19]

"""Prediction intervals by conformal prediction: which distance, how often the truth is in."""

from fractions import Fraction
from math import ceil

import numpy as np

from facewave.training.conformal import COVERAGE, margin


def test_it_is_the_distance_of_the_exact_rank_and_nobody_knows_of_too_few() -> None:
    rng = np.random.default_rng(0)
    for m in range(200):
        distances = rng.random(m)
        rank = ceil((m + 1) * Fraction(9, 10))
        if rank > m:
            assert m < 9
            assert np.isnan(margin(distances))
        else:
            assert margin(distances) == np.sort(distances)[rank - 1]


def test_the_truth_is_inside_as_often_as_stated_and_hardly_more() -> None:
    """Exact for exchangeable clips: with m to validate, rank / (m + 1) of all further ones.

    Averaged over 4000 draws of a heavy-tailed toy, the coverage's standard error is below 0.005.
    """
    rng = np.random.default_rng(0)
    for m in (9, 24, 100):
        drawn = np.abs(rng.standard_cauchy((4000, m + 1)))
        inside = [margin(distances[:-1]) >= distances[-1] for distances in drawn]
        exact = ceil((m + 1) * Fraction(9, 10)) / (m + 1)
        assert exact >= COVERAGE
        assert abs(np.mean(inside) - exact) < 0.015

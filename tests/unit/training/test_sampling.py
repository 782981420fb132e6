"""Weights of a sampler: what they balance, and that draws follow them."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare
from torch.utils.data import WeightedRandomSampler

from facewave.labels import affect
from facewave.targets import Target
from facewave.training import sampling

WORDS = Target("classes", "words", ("happy", "sad", "angry", "never"))
VALENCE, AROUSAL, DOMINANCE = (
    Target(name, "number", (name,), -1, 1) for name in ("valence", "arousal", "dominance")
)
SCORE = Target("score.promis", "number", ("score.promis",))
UNITS = Target("aus", "presence", ("AU1", "AU12"))
NAN = float("nan")
seeds = st.integers(0, 2**32 - 1)


def weights(targets: list[Target], *columns: object) -> NDArray[np.float64]:
    """The weights of clips whose truth has these columns."""
    truth = np.column_stack([np.asarray(column, float) for column in columns])
    return sampling.weights(targets, torch.from_numpy(truth)).numpy()


def masses(weights: NDArray[np.float64], groups: NDArray[Any]) -> list[float]:
    """The sum of the weights of each group."""
    return [float(weights[groups == group].sum()) for group in np.unique(groups)]


def even(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights by which each of the 20 bins that occur is drawn equally often."""
    bins = affect.bins(values)
    counts = np.bincount(bins)
    return np.asarray(len(bins) / (np.count_nonzero(counts) * counts[bins]))


def one_hot(codes: list[int]) -> NDArray[np.float64]:
    return np.where(np.array(codes)[:, None] < 0, NAN, np.eye(4)[codes])


@given(seeds)
def test_every_word_bin_cell_and_state_that_occurs_is_drawn_equally_often(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, 60, p=[0.7, 0.2, 0.1])
    plane = np.clip(rng.normal(0.2, 0.3, (60, 2)), -1, 1)
    units = (rng.random((60, 2)) < [0.1, 0.6]).astype(float)
    of_words = weights([WORDS], one_hot(codes.tolist()))
    np.testing.assert_allclose(masses(of_words, codes), 60 / len(set(codes)))
    of_plane = weights([VALENCE, AROUSAL], plane)
    cells = affect.bins(plane) @ [20, 1]
    np.testing.assert_allclose(masses(of_plane, cells), 60 / len(set(cells)))
    of_valence = weights([VALENCE], plane[:, 0])
    np.testing.assert_allclose(of_valence, even(plane[:, 0]))
    np.testing.assert_allclose(weights([DOMINANCE], plane[:, 1]), even(plane[:, 1]))
    of_unit = [weights([Target("aus", "presence", ("AU1",))], unit) for unit in units.T]
    for weight, unit in zip(of_unit, units.T, strict=True):
        np.testing.assert_allclose(masses(weight, unit), 60 / len(set(unit)))
    of_units = weights([UNITS], units)
    np.testing.assert_allclose(of_units, np.mean(of_unit, axis=0))
    strengths = Target("aus", "intensity", ("AU1", "AU12"))
    np.testing.assert_allclose(weights([strengths], 3 * units), of_units)
    np.testing.assert_allclose(weights([strengths], 0.2 * units), of_units)
    np.testing.assert_allclose(weights([UNITS], 0.02 + 0.7 * units), of_units)  # as teachers answer
    together = weights([WORDS, VALENCE, AROUSAL, UNITS], one_hot(codes.tolist()), plane, units)
    np.testing.assert_allclose(together, (of_words + of_plane + of_units) / 3)
    scores = 50 + 10 * plane[:, 0]  # no bounds: those of the clips
    spread = (scores - scores.min()) / np.ptp(scores) * 2 - 1
    np.testing.assert_allclose(weights([SCORE], scores), even(spread))


def test_targets_are_drawn_equally_often_and_what_has_none_never() -> None:
    codes = [0, 0, 0, 1, -1, -1, -1]
    dominance = [NAN, NAN, NAN, NAN, 0.5, -0.5, NAN]
    of_both = weights([WORDS, DOMINANCE], one_hot(codes), dominance)
    np.testing.assert_allclose(of_both, 7 / 4 * np.array([1 / 3, 1 / 3, 1 / 3, 1, 1, 1, 0]))
    both = weights([WORDS, DOMINANCE], one_hot([0, 0, 1]), [0.5, NAN, NAN])  # a mean of what it has
    np.testing.assert_allclose(both, 3 * np.array([0.625, 0.25, 0.5]) / 1.375)
    one_alone = weights([VALENCE, AROUSAL], [0.5, 0.5, 0.5, NAN], [0.5, 0.5, NAN, 0.5])
    np.testing.assert_allclose(one_alone, [2 / 3, 2 / 3, 4 / 3, 4 / 3])
    ends = weights([VALENCE, AROUSAL], [1, 1, NAN], [NAN, NAN, -1])  # are no one cell
    np.testing.assert_allclose(ends, [0.75, 0.75, 1.5])
    halves = weights([UNITS], [0, 0, 1, 1], [0, NAN, NAN, NAN])  # the mean over units it has
    np.testing.assert_allclose(halves, 4 * np.array([0.625, 0.25, 0.25, 0.25]) / 1.375)
    shares = weights([WORDS], [[0.6, 0.4, 0, 0], [0.9, 0, 0.1, 0], [0, 0, 1, 0]])  # the foremost
    np.testing.assert_allclose(shares, [0.75, 0.75, 1.5])
    assert weights([SCORE], [3.0, 3.0]).tolist() == [1, 1]
    assert weights([SCORE], [NAN, NAN]).tolist() == [0, 0]


def test_draws_of_a_sampler_follow_the_weights() -> None:
    rng = np.random.default_rng(0)
    plane = np.clip(rng.normal(0.2, 0.3, (40, 2)), -1, 1)
    plane[:5, 1] = NAN
    codes = rng.choice(3, 40, p=[0.7, 0.2, 0.1])
    codes[3:12] = -1
    plane[10:14] = NAN
    weight_n = weights([WORDS, VALENCE, AROUSAL], one_hot(codes.tolist()), plane)
    assert weight_n.mean() == pytest.approx(1)
    assert (weight_n[10:12] == 0).all()
    generator = torch.Generator().manual_seed(0)
    draws = list(WeightedRandomSampler(weight_n.tolist(), 40_000, generator=generator))
    counts = np.bincount(draws, minlength=40)
    assert not counts[10:12].any()
    drawn = weight_n > 0
    assert chisquare(counts[drawn], 1000 * weight_n[drawn]).pvalue > 0.01
    assert chisquare(counts[drawn], np.full(38, 40_000 / 38)).pvalue < 1e-9

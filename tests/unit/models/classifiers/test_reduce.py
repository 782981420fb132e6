"""What is kept of N numbers: the best there is, and every clip counts alike."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facewave.models.classifiers import reduce

Floats = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def clips(seed: int, n_clips: int = 5, size: int = 16) -> Floats:
    """Random walks, (n, N, 3), some of which move far more than others, around other values."""
    rng = np.random.default_rng(seed)
    walks = rng.normal(size=(n_clips, size, 3)).cumsum(axis=1)
    return walks * 10.0 ** rng.uniform(-2, 2, (n_clips, 1, 1)) + rng.normal(size=(n_clips, 1, 3))


def unexplained(values_nNC: Floats, functions_NK: Floats) -> float:
    """The sum over clips of the share of the movement that is left by least squares."""
    left = values_nNC - functions_NK @ (np.linalg.pinv(functions_NK) @ values_nNC)
    moving = values_nNC - values_nNC.mean(axis=1, keepdims=True)
    return float(((left**2).sum(axis=(1, 2)) / (moving**2).sum(axis=(1, 2))).sum())


@given(seeds)
def test_moments_are_sums_over_channels(seed: int) -> None:
    values = clips(seed).astype(np.float32)
    moments_nNN = reduce.moments(values)
    assert moments_nNN.dtype == np.float64
    expected = np.einsum("nac,nbc->nab", values.astype(np.float64), values.astype(np.float64))
    np.testing.assert_allclose(moments_nNN, expected)


@given(seeds, st.integers(1, 16))
def test_principal_rows_are_orthonormal_the_mean_first(seed: int, k: int) -> None:
    rows = reduce.principal(reduce.moments(clips(seed)), k)
    assert rows.shape == (k, 16)
    np.testing.assert_allclose(rows @ rows.T, np.eye(k), atol=1e-9)
    np.testing.assert_allclose(rows[0], 0.25, atol=1e-6)
    assert (rows.max(axis=1) >= -rows.min(axis=1) - 1e-12).all()


@given(seeds, st.integers(1, 15), seeds)
def test_no_k_functions_with_the_mean_explain_more(seed: int, k: int, other: int) -> None:
    """Neither any at all, nor any near by."""
    values = clips(seed)
    best = reduce.principal(reduce.moments(values), k).T
    least = unexplained(values, best)
    rng = np.random.default_rng(other)
    for rival in (rng.normal(size=best.shape), best + 0.01 * rng.normal(size=best.shape)):
        rival[:, 0] = 1
        assert least <= unexplained(values, rival) + 1e-9


@given(seeds, st.integers(1, 7))
def test_largest_keeps_the_planted_positions(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=0.01, size=(4, 16, 3))
    planted = rng.choice(np.arange(1, 16), k - 1, replace=False)
    values[:, planted] += 1
    values *= 10.0 ** rng.uniform(-2, 2, (4, 1, 1))
    chosen = reduce.largest(reduce.moments(values), k)
    np.testing.assert_array_equal(chosen, np.eye(16)[[0, *np.sort(planted)]])


CHOICES = (reduce.largest, reduce.principal)


def test_every_clip_counts_alike_and_a_mean_or_one_that_stands_still_not_at_all() -> None:
    """And the moments stay as they are."""
    still = np.concatenate([clips(0), np.zeros((2, 16, 3))])
    still[-1, 0] = 7  # of a decomposition, the mean
    for choose in CHOICES:
        for wild in (1.0, 1e4):
            values = np.zeros((5, 8, 2))
            values[:3, 2], values[:3, 3] = 1, -1
            values[3:, 5], values[3:, 6] = wild, -wild
            moments = reduce.moments(values)
            kept = np.abs(choose(moments, 2)[1])
            np.testing.assert_array_equal(moments, reduce.moments(values))
            assert kept[[2, 3]].sum() > 3 * kept[[5, 6]].sum()
        without, with_still = (choose(reduce.moments(x), 5) for x in (clips(0), still[:-1]))
        np.testing.assert_allclose(without, with_still, atol=1e-9)
        assert np.isfinite(choose(reduce.moments(still[-2:]), 5)).all()
    # Two clips of three move at position 2; that the third's mean is far off is no movement.
    values = np.zeros((3, 4, 1))
    values[0, 2] = values[1, 2] = 0.1
    values[2, 3] = 1
    for mean in (0, 1000):
        values[:2, 0] = mean
        chosen = reduce.largest(reduce.moments(values), 2)
        np.testing.assert_array_equal(chosen, np.eye(4)[[0, 2]])

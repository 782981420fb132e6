"""Standardising by a person's other clips: the formula, a clip alone, channels that do not move."""

import numpy as np

from facewave.models.classifiers.classifier import HARDLY
from facewave.models.classifiers.person import KAPPA, Population

N, D = 3, 4


def drawn(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 2, (N, D))
    return (rng.normal(size=(n, N, D)) * scale + rng.normal(size=(N, D))).astype(np.float32)


def standardized(population: Population, clips: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The answers for clips of a person of whom others are known."""
    here, there = np.arange(len(clips)), len(clips) + np.arange(len(known))
    return population.standardize(clips, here, known, there)


def test_a_clip_is_standardised_by_the_shrunken_moments_of_the_others() -> None:
    population, clips = Population.of(drawn(50, seed=1)), drawn(7)
    for known in (clips[:2], clips[:6], clips[:1]):
        at = np.arange(len(known))
        found = population.standardize(known, at, known, at)
        for row in range(len(known)):
            others = np.delete(known, row, axis=0).astype(np.float64)
            k = len(others)
            mean, variance = (others.mean(0), others.var(0)) if k else (0.0, 0.0)
            mean = (k * mean + KAPPA * population.mean_ND) / (k + KAPPA)
            variance = (k * variance + KAPPA * population.variance_ND) / (k + KAPPA)
            expected = (known[row] - mean) / np.sqrt(variance)
            np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-6)


def test_a_clip_of_nobody_known_is_standardised_by_the_population() -> None:
    training, clip = drawn(50, seed=1), drawn(1)
    population = Population.of(training)
    expected = (clip - training.mean(0)) / training.std(0)
    for known, at in ((clip, np.arange(1)), (clip[:0], np.arange(0))):  # itself, or nothing at all
        found = population.standardize(clip, np.arange(1), known, at)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_with_many_clips_everybody_comes_to_the_same_mean_and_spread() -> None:
    population, clips = Population.of(drawn(50, seed=1)), 3 * drawn(4000) + 5
    at = np.arange(len(clips))
    found = population.standardize(clips, at, clips, at)
    np.testing.assert_allclose(found.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(found.std(0), 1, atol=0.02)


def test_channels_that_hardly_move_become_nothing_and_a_still_person_stays_finite() -> None:
    training = drawn(50, seed=1)
    training[:, :, 2] *= 1e-3 * HARDLY
    training[:, :, 3] = 4.0
    population, clips = Population.of(training), drawn(6)
    clips[:, :, :2] = clips[:1, :, :2]  # the person does not move at all
    found = standardized(population, clips, clips)
    assert (found[:, :, 2:] == 0).all()
    assert np.isfinite(found).all()
    assert np.abs(found[:, :, :2]).max() < 10

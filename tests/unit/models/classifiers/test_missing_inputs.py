"""Clips that lack some blocks, NaN there: what is fitted of them, and what becomes of them."""

from typing import Any

import numpy as np
import pytest
import torch

from facewave.models.classifiers.classifier import (
    Classifier,
    ClassifierConfig,
    Compress,
    Standardize,
    build,
    moments,
)
from facewave.models.classifiers.person import KAPPA, Population
from making import words

FACE, VOICE = slice(0, 3), slice(3, 5)  # channels
STEPS, WIDTHS = 4, (3, 2)


def inputs(n: int = 40) -> torch.Tensor:
    """Clips of which the first ten have no face, and the last ten no voice."""
    generator = torch.Generator().manual_seed(0)
    made = 5 + 2 * torch.randn(n, STEPS, sum(WIDTHS), generator=generator)
    made[:10, :, FACE] = torch.nan
    made[-10:, :, VOICE] = torch.nan
    return made


def test_moments_are_of_the_clips_that_have_a_number() -> None:
    made = inputs().numpy()
    mean, variance = moments(made)
    np.testing.assert_allclose(mean[:, FACE], made[10:, :, FACE].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance[:, VOICE], made[:-10, :, VOICE].var(axis=0), rtol=1e-5)
    whole = made[10:-10]  # where nothing is missing they are numpy's, to the bit
    for found, expected in zip(
        moments(whole), (whole.astype(float).mean(0), whole.astype(float).var(0)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    nobody = np.full((3, STEPS, 1), np.nan, np.float32)
    assert not np.any(moments(nobody))


def test_what_a_clip_lacks_becomes_the_mean_of_the_training_part() -> None:
    made, standardize = inputs(), Standardize(STEPS, sum(WIDTHS))
    standardize.fit(made)
    found = standardize(made)
    assert not found[:10, :, FACE].any()
    assert not found[-10:, :, VOICE].any()
    there = found[10:-10]
    assert there.abs().min() > 0
    for block, rows in ((FACE, slice(10, None)), (VOICE, slice(None, -10))):
        known = found[rows, :, block]
        np.testing.assert_allclose(known.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(known.std(0, correction=0), 1, atol=1e-4)


def test_bytes_stay_as_they_were_where_nothing_is_missing() -> None:
    whole, standardize = inputs()[10:-10], Standardize(STEPS, sum(WIDTHS))
    standardize.fit(whole)
    assert torch.equal(standardize.mean, whole.mean(0))
    assert torch.equal(standardize.scale, 1 / whole.std(0, correction=0))
    assert torch.equal(standardize(whole), (whole - whole.mean(0)) * standardize.scale)


def test_steps_and_components_are_chosen_by_the_clips_that_have_a_block() -> None:
    made = inputs()
    for reduction in ("largest", "pca"):
        compress = Compress(STEPS, WIDTHS, 2)
        compress.fit(made, reduction)
        for at, rows in enumerate((slice(10, None), slice(None, -10))):
            one = Compress(STEPS, (WIDTHS[at],), 2)
            one.fit(made[rows].split(WIDTHS, 2)[at], reduction)
            assert torch.equal(compress.matrices[at], one.matrices[0])
        kept = compress(made)
        assert kept[:10, :, FACE].isnan().all()
        assert kept[10:-10].isfinite().all()
    shape: dict[str, Any] = {"steps": STEPS, "widths": WIDTHS, "kept": 2, "pca": 3}
    config = ClassifierConfig("logistic", (words("a", "b"),), **shape)
    module: Any = build(config)
    assert isinstance(module, Classifier)
    module.fit_inputs(made, "pca")
    assert module.prepare(made).shape == (40, 2, 3)
    assert module.prepare(made).isfinite().all()


def test_a_person_s_own_clips_count_for_what_they_have() -> None:
    made = inputs().numpy()
    population = Population.of(made)
    at = np.arange(len(made))
    found = population.standardize(made, at, made, at)
    assert np.isnan(found[:10, :, FACE]).all()
    assert np.isfinite(found[10:-10]).all()
    # Of a clip with a voice, by the 29 others that have one.
    others = made[1:-10, :, VOICE].astype(float)
    mean_VOICE = population.mean_ND[:, VOICE]
    k = len(others)
    mean = (k * others.mean(axis=0) + KAPPA * mean_VOICE) / (k + KAPPA)
    within = ((others - others.mean(axis=0)) ** 2).sum(axis=0)
    variance = (within + KAPPA * population.variance_ND[:, VOICE]) / (k + KAPPA)
    expected = (made[0, :, VOICE] - mean) / np.sqrt(variance)
    np.testing.assert_allclose(found[0, :, VOICE], expected, rtol=1e-4)
    # One who was never heard is standardised by the others' voices alone.
    face_only = made[-10:]
    heard = made[20]
    alone = population.standardize(heard[None], np.array([20]), face_only, at[-10:])
    spread = np.sqrt(population.variance_ND[:, VOICE])
    expected = (heard[:, VOICE] - mean_VOICE) / spread
    assert alone[0, :, VOICE] == pytest.approx(expected, rel=1e-4)

"""The transform against slow, independent ways to get the same numbers."""

import math
import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.wavelets.transform import (
    Transform,
    block_level,
    cell_means,
    fill_gaps,
    frame_edges,
)

Floats = NDArray[np.float64]

FAMILIES = st.sampled_from(pywt.wavelist(kind="discrete"))
KS = st.integers(1, 16)
quick = settings(max_examples=80, deadline=None)


def slack(family: str) -> float:
    """How exact a family is: the discrete Meyer filter is a truncated one."""
    return 5e-3 if family == "dmey" else 1e-8


@dataclass(frozen=True, eq=False)
class Clip:
    values: Floats
    times: Floats

    def __repr__(self) -> str:
        return f"Clip(T={len(self.times)}, C={self.values.shape[1]})"


def make_clip(n_frames: int, seed: int, even: bool) -> Clip:
    rng = np.random.default_rng(seed)
    gaps = np.full(n_frames, 0.04) if even else rng.uniform(0.01, 0.1, n_frames)
    return Clip(rng.normal(size=(n_frames, 3)), gaps.cumsum())


clips = st.builds(make_clip, st.integers(2, 2000), st.integers(0, 2**32 - 1), st.booleans())


def spans(times: Floats) -> list[tuple[float, float]]:
    """From when to when each frame holds."""
    last = len(times) - 1
    halves = [(b - a) / 2 for a, b in pairwise(times)]
    return [
        (times[i] - halves[max(i - 1, 0)], times[i] + halves[min(i, last - 1)])
        for i in range(last + 1)
    ]


def slow_means(clip: Clip, n_parts: int) -> Floats:
    """Means over equal parts of the clip's time, part by part and frame by frame."""
    held = spans(clip.times)
    start, end = held[0][0], held[-1][1]
    length = (end - start) / n_parts
    means = []
    for part in range(n_parts):
        low, high = start + part * length, start + (part + 1) * length
        total = np.zeros(clip.values.shape[1])
        for value, (since, until) in zip(clip.values, held, strict=True):
            overlap = min(high, until) - max(low, since)
            if overlap > 0:
                total += overlap * value
        means.append(total / length)
    return np.array(means)


@quick
@given(clips, FAMILIES, KS)
def test_k_numbers_a_channel_whatever_the_length(clip: Clip, family: str, k: int) -> None:
    numbers = Transform(family=family, k=k)(clip.values, clip.times)
    assert numbers.shape == (k, 3)
    assert np.isfinite(numbers).all()


@quick
@given(clips, KS)
def test_haar_gives_means_over_equal_parts_of_the_time(clip: Clip, k: int) -> None:
    expected = slow_means(clip, k)
    np.testing.assert_allclose(Transform(k=k)(clip.values, clip.times), expected, atol=1e-9)


@pytest.mark.parametrize("level", [1, 3, 6])
def test_haar_means_do_not_depend_on_the_level(level: int) -> None:
    clip = make_clip(77, seed=1, even=False)
    numbers = Transform(k=7, level=level)(clip.values, clip.times)
    np.testing.assert_allclose(numbers, slow_means(clip, 7), atol=1e-9)


@quick
@given(clips, FAMILIES, KS)
def test_the_mean_of_the_numbers_is_the_mean_over_time(clip: Clip, family: str, k: int) -> None:
    numbers = Transform(family=family, k=k)(clip.values, clip.times)
    np.testing.assert_allclose(numbers.mean(axis=0), slow_means(clip, 1)[0], atol=slack(family))


@quick
@given(clips, FAMILIES, KS, st.floats(-1e3, 1e3))
def test_a_constant_stays_that_constant(clip: Clip, family: str, k: int, constant: float) -> None:
    still = np.full_like(clip.values, constant)
    numbers = Transform(family=family, k=k)(still, clip.times)
    np.testing.assert_allclose(numbers, constant, rtol=1e-8, atol=1e-12)


@quick
@given(clips, FAMILIES, KS, st.floats(-5, 5), st.floats(-5, 5))
def test_linear(clip: Clip, family: str, k: int, a: float, b: float) -> None:
    transform = Transform(family=family, k=k)
    other = np.cos(clip.values)
    np.testing.assert_allclose(
        transform(a * clip.values + b * other, clip.times),
        a * transform(clip.values, clip.times) + b * transform(other, clip.times),
        atol=1e-8,
    )


@quick
@given(clips, FAMILIES, KS, st.data())
def test_every_frame_matters(clip: Clip, family: str, k: int, data: st.DataObject) -> None:
    transform = Transform(family=family, k=k)
    before = transform(clip.values, clip.times)
    at = data.draw(st.sampled_from([-1, 0]) | st.integers(0, len(clip.times) - 1))
    clip.values[at] += 1000
    assert np.abs(transform(clip.values, clip.times) - before).max() > 1e-3


@quick
@given(clips, FAMILIES, KS)
def test_single_precision_is_enough(clip: Clip, family: str, k: int) -> None:
    transform = Transform(family=family, k=k)
    single = transform(clip.values.astype(np.float32), clip.times)
    np.testing.assert_allclose(single, transform(clip.values, clip.times), atol=1e-5)


@quick
@given(clips, FAMILIES, KS, st.floats(0.01, 100), st.floats(-100, 100))
def test_speed_and_start_change_nothing(
    clip: Clip, family: str, k: int, speed: float, start: float
) -> None:
    transform = Transform(family=family, k=k)
    np.testing.assert_allclose(
        transform(clip.values, speed * clip.times + start),
        transform(clip.values, clip.times),
        atol=1e-6,
    )


@quick
@given(clips, FAMILIES, KS)
def test_the_numbers_are_part_of_a_perfect_reconstruction(clip: Clip, family: str, k: int) -> None:
    transform = Transform(family=family, k=k)
    level = transform.levels(len(clip.times))
    cells = cell_means(clip.values, clip.times, k * 2**level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        details = pywt.wavedec(cells, family, "periodization", level, axis=0)[1:]
    numbers = transform(clip.values, clip.times) * math.sqrt(2) ** level
    again = pywt.waverec([numbers, *details], family, "periodization", axis=0)
    np.testing.assert_allclose(again, cells, atol=0.2 if family == "dmey" else 1e-8)


@pytest.mark.parametrize("k", [1, 3, 10, 16])
def test_the_level_is_the_smallest_that_holds_every_frame(k: int) -> None:
    levels = [Transform(k=k).levels(n) for n in range(2, 2001)]
    for n, level in enumerate(levels, start=2):
        assert k * 2**level >= n
        assert level == 1 or k * 2 ** (level - 1) < n
    assert levels == sorted(levels)


def block_to_the_letter(values: Floats, family: str) -> Floats:
    """The earlier formula, one channel after the other."""
    columns = []
    for channel in values.T:
        level = max(1, int(np.log2(2 ** np.ceil(np.log2(len(channel))) / 10)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            approximation = pywt.wavedec(channel, family, level=level)[0]
        scaled = approximation / np.sqrt(2) ** level
        columns.append([*scaled[:10], *[0.0] * (10 - len(scaled))])
    return np.array(columns).T


@quick
@given(clips, FAMILIES)
def test_block_is_the_formula_to_the_letter(clip: Clip, family: str) -> None:
    numbers = Transform("block", family)(clip.values, clip.times)
    np.testing.assert_allclose(numbers, block_to_the_letter(clip.values, family), atol=1e-12)


def test_block_does_not_see_the_end() -> None:
    clip = make_clip(128, seed=0, even=True)
    block, approximation = Transform("block"), Transform()
    assert block_level(128) == 3  # 16 blocks of 8 frames, of which 10 are kept
    before, seen = block(clip.values, clip.times), approximation(clip.values, clip.times)
    clip.values[80:] += 1000
    np.testing.assert_array_equal(block(clip.values, clip.times), before)
    assert np.abs(approximation(clip.values, clip.times) - seen).max() > 500
    clip.values[79] += 1000
    assert np.abs(block(clip.values, clip.times) - before).max() > 100


def test_block_pads_a_short_clip_with_zeros() -> None:
    clip = make_clip(9, seed=0, even=True)
    numbers = Transform("block")(clip.values, clip.times)
    assert numbers.shape == (10, 3)
    assert numbers[:5].all()
    assert not numbers[5:].any()


def test_block_level_never_falls() -> None:
    levels = [block_level(n) for n in range(2, 2001)]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (1, 7)


@pytest.mark.parametrize("mode", ["approximation", "block"])
@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(mode: str, spoilt: float) -> None:
    clip = make_clip(30, seed=0, even=True)
    clip.values[4, 1] = spoilt
    with pytest.raises(ValueError, match="finite"):
        Transform(mode)(clip.values, clip.times)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_frames", [0, 1])
def test_fewer_than_two_frames_are_refused(n_frames: int) -> None:
    with pytest.raises(ValueError, match="two frames"):
        Transform()(np.zeros((n_frames, 3)), np.arange(float(n_frames)))


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(UserError, match="'morlet'"):
        Transform(family="morlet")


@quick
@given(clips, st.data())
def test_gaps_are_filled_as_numpy_interpolates(clip: Clip, data: st.DataObject) -> None:
    n_frames = len(clip.times)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    valid = rng.random(n_frames) < data.draw(st.floats(0, 1))
    valid[rng.permutation(n_frames)[:2]] = True
    whole = clip.values.copy()
    clip.values[~valid] = np.nan
    filled = fill_gaps(clip.values, valid, clip.times)
    for channel in range(3):
        line = np.interp(clip.times, clip.times[valid], clip.values[valid, channel])
        np.testing.assert_allclose(filled[:, channel], line, atol=1e-9)
    np.testing.assert_allclose(filled[valid], whole[valid], atol=1e-9)


def test_gaps_at_the_ends_hold_the_nearest_value() -> None:
    times = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    values = np.array([[np.nan], [1.0], [np.nan], [5.0], [np.nan]])
    filled = fill_gaps(values, np.array([False, True, False, True, False]), times)
    np.testing.assert_allclose(filled[:, 0], [1, 1, 3, 5, 5])


@pytest.mark.parametrize("n_valid", [0, 1])
def test_too_few_valid_frames_cannot_be_filled(n_valid: int) -> None:
    valid = np.arange(5) < n_valid
    with pytest.raises(ValueError, match="two"):
        fill_gaps(np.ones((5, 2)), valid, np.arange(5.0))


SHORT = st.sampled_from(["haar", "db2", "bior1.3", "bior2.2", "bior3.1", "coif1", "sym3"])
ENOUGH = st.integers(5, 16)


long_clips = st.builds(make_clip, st.integers(80, 2000), st.integers(0, 2**32 - 1), st.booleans())


@quick
@given(long_clips, st.sampled_from(["haar", "bior3.1"]), ENOUGH)  # no faint ones at the ends
def test_a_fit_is_the_nearest_sum_of_its_functions(clip: Clip, family: str, k: int) -> None:
    """No step along any function comes nearer."""
    transform = Transform("fit", family, k=k)
    numbers = transform(clip.values, clip.times)
    assert numbers.shape == (k, 3)
    lasts = np.diff(frame_edges(clip.times))
    frames = transform.inverse(np.eye(k), clip.times)
    left = clip.values - transform.inverse(numbers, clip.times)
    size = np.sqrt((lasts[:, None] * frames**2).sum(axis=0))
    push = np.abs(frames.T @ (lasts[:, None] * left)) / np.maximum(size, 1e-12)[:, None]
    whole = np.sqrt((lasts[:, None] * clip.values**2).sum(axis=0))
    assert (push <= 1e-9 * whole).all()


@quick
@given(st.integers(2, 400), st.integers(0, 2**32 - 1), ENOUGH, st.booleans())
def test_what_functions_can_show_comes_back(n: int, seed: int, k: int, even: bool) -> None:
    """Perfect reconstruction of a sum of the functions."""
    times = make_clip(n, seed, even).times
    transform = Transform("fit", "bior3.1", k=k)
    wanted = np.random.default_rng(seed).normal(size=(k, 2))
    values = transform.inverse(wanted, times)
    again = transform.inverse(transform(values, times), times)
    if even:
        np.testing.assert_allclose(again, values, atol=1e-8)
    if n >= 4 * k and even:
        np.testing.assert_allclose(transform(values, times), wanted, atol=1e-8)


@pytest.mark.parametrize("n_frames", [2, 3, 5, 10])
def test_with_as_many_functions_as_frames_a_fit_keeps_everything(n_frames: int) -> None:
    clip = make_clip(n_frames, seed=3, even=True)
    transform = Transform("fit", "bior3.1", k=10)
    again = transform.inverse(transform(clip.values, clip.times), clip.times)
    np.testing.assert_allclose(again, clip.values, atol=1e-9)


@quick
@given(clips, SHORT, ENOUGH, st.floats(-1e3, 1e3))
def test_a_fit_of_a_constant_is_that_constant(
    clip: Clip, family: str, k: int, constant: float
) -> None:
    numbers = Transform("fit", family, k=k)(np.full_like(clip.values, constant), clip.times)
    np.testing.assert_allclose(numbers, constant, rtol=1e-8, atol=1e-9)


@quick
@given(clips, SHORT, ENOUGH, st.floats(0.01, 100), st.floats(-100, 100))
def test_speed_and_start_change_no_fit(
    clip: Clip, family: str, k: int, speed: float, start: float
) -> None:
    transform = Transform("fit", family, k=k)
    moved, still = (transform(clip.values, t) for t in (speed * clip.times + start, clip.times))
    # Where a combination of functions is on the verge of being left out, rounding may decide.
    near = transform.inverse(moved - still, clip.times)
    assert np.abs(near).max() < 0.1 * np.abs(clip.values).max()


def test_a_fit_sees_the_end() -> None:
    clip = make_clip(128, seed=0, even=True)
    transform = Transform("fit", "bior3.1")
    before = transform(clip.values, clip.times)
    clip.values[-1] += 10
    assert np.abs(transform(clip.values, clip.times) - before).max() > 0.5


def test_a_smooth_movement_is_fitted_better_than_by_its_parts() -> None:
    times = np.arange(90) / 30
    wave = np.sin(2 * np.pi * times / 1.5)[:, None]
    left = {}
    for family in ("haar", "bior3.1"):
        transform = Transform("fit", family)
        left[family] = np.abs(transform.inverse(transform(wave, times), times) - wave).mean()
    assert left["bior3.1"] < 0.2 * left["haar"]


@pytest.mark.parametrize(("family", "k"), [("db4", 6), ("bior3.1", 2), ("sym8", 14)])
def test_too_few_functions_for_a_family_are_refused(family: str, k: int) -> None:
    clip = make_clip(30, seed=0, even=True)
    with pytest.raises(UserError, match=f"wavelets.k {k} is too few for {family}, which needs"):
        Transform("fit", family, k=k)(clip.values, clip.times)
    assert Transform("fit", family, k=k + 1)(clip.values, clip.times).shape == (k + 1, 3)


@pytest.mark.parametrize("mode", ["approximation", "block"])
def test_other_modes_have_no_inverse(mode: str) -> None:
    with pytest.raises(ValueError, match="no inverse"):
        Transform(mode).inverse(np.zeros((10, 1)), np.arange(5.0))  # type: ignore[arg-type]

"""The transform against slow, independent ways to get the same numbers."""

import warnings
from dataclasses import dataclass
from itertools import pairwise, product
from typing import get_args

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.params import Boundary, TransformName
from facewave.wavelets import bases
from facewave.wavelets.transform import Transform, block_level, fill_gaps, frame_edges

Floats = NDArray[np.float64]

ORTHOGONAL = [
    "haar",
    *(f"db{n}" for n in range(2, 9)),
    *(f"sym{n}" for n in range(2, 9)),
    *(f"coif{n}" for n in range(1, 4)),
]
BIORTHOGONAL = pywt.wavelist("bior") + pywt.wavelist("rbio")
NAMES: tuple[TransformName, ...] = get_args(TransformName)
FITTED: tuple[TransformName, ...] = ("approximation", "pyramid", "dct")
SHORT = ("haar", "bior3.1", "db2")  # wavelets whose functions all lie in the clip
quick = settings(max_examples=60, deadline=None)


@dataclass(frozen=True, eq=False)
class Clip:
    values: Floats
    times: Floats

    def __repr__(self) -> str:
        return f"Clip(T={len(self.times)}, C={self.values.shape[1]})"


def make_clip(n_frames: int, seed: int, even: bool) -> Clip:
    rng = np.random.default_rng(seed)
    gaps = np.full(n_frames, 0.04) if even else rng.uniform(0.01, 0.1, n_frames)
    return Clip(rng.normal(size=(n_frames, 2)), gaps.cumsum())


seeds = st.integers(0, 2**32 - 1)
lengths = st.sampled_from([60] * 8 + [400] * 6 + [5000]).flatmap(lambda most: st.integers(2, most))
clips = st.builds(make_clip, lengths, seeds, st.booleans())


def least(name: TransformName, wavelet: str, boundary: Boundary) -> int:
    """The smallest K that a wavelet can have."""
    fits = name in ("approximation", "pyramid") and boundary == "open"
    return int(pywt.Wavelet(wavelet).rec_len) - 1 if fits else 1


@st.composite
def transforms(draw: st.DrawFn, *names: TransformName) -> Transform:
    name = draw(st.sampled_from(names or NAMES))
    wavelet = draw(st.sampled_from(ORTHOGONAL + BIORTHOGONAL))
    boundary = draw(st.sampled_from(get_args(Boundary)))
    k = draw(st.integers(max(4, least(name, wavelet, boundary)), 64))
    return Transform(name, wavelet, boundary, k)


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


@settings(max_examples=200, deadline=None)
@given(clips, transforms())
def test_as_many_numbers_as_told_whatever_the_length(clip: Clip, transform: Transform) -> None:
    numbers = transform(clip.values, clip.times)
    other = {"mean": 1, "mean_std": 2, "energy": min(transform.k, 7), "largest": 64, "pca": 64}
    assert numbers.shape == (other.get(transform.transform, transform.k), 2)
    assert transform.numbers == len(numbers)
    assert np.isfinite(numbers).all()
    again = transform.inverse(numbers, clip.times)
    assert again.shape == clip.values.shape
    assert np.isfinite(again).all()


@pytest.mark.filterwarnings("ignore:Level value")
@quick
@given(clips, transforms(), st.floats(-1e3, 1e3))
def test_a_constant_stays_that_constant(clip: Clip, transform: Transform, constant: float) -> None:
    """In the numbers that are values; in those that are movement there is none."""
    numbers = transform(np.full_like(clip.values, constant), clip.times)
    values = slice(None)
    match transform.transform:
        case "largest" | "dct" | "mean_std" | "energy":
            values = slice(1)
        case "block":
            level = block_level(len(clip.times))
            values = slice(len(pywt.wavedec(clip.times, transform.wavelet, level=level)[0]))
        case "pyramid":
            coarsest = bases.decompose(np.zeros(64), transform.wavelet, transform.boundary)[0]
            values = slice(len(coarsest))
    slack = 1e-8 * abs(constant) + 1e-12
    if transform.transform == "pyramid":  # its numbers have the size of its functions
        again = transform.inverse(numbers, clip.times)
        np.testing.assert_allclose(again, constant, atol=slack)
    else:
        np.testing.assert_allclose(numbers[values], constant, atol=slack)
    moving = numbers[values.stop :] if values.stop else numbers[:0]
    np.testing.assert_allclose(moving, 0, atol=slack)


@quick
@given(clips, transforms(), st.floats(0.01, 100), st.floats(-100, 100))
def test_speed_and_start_change_nothing(
    clip: Clip, transform: Transform, speed: float, start: float
) -> None:
    numbers = transform(clip.values, clip.times)
    moved = transform(clip.values, speed * clip.times + start)
    np.testing.assert_allclose(moved, numbers, atol=1e-6 * (1 + np.abs(numbers).max()))


@quick
@given(clips, transforms(*FITTED), seeds)
def test_what_the_functions_can_show_comes_back(
    clip: Clip, transform: Transform, seed: int
) -> None:
    """Perfect reconstruction; but of what the frames hardly show, as much is lost as they show."""
    wanted = np.random.default_rng(seed).normal(size=(transform.k, 2))
    values = transform.inverse(wanted, clip.times)
    again = transform(values, clip.times)
    lasts = np.diff(frame_edges(clip.times))
    weights = np.sqrt(lasts / lasts.sum())[:, None]
    shown = np.linalg.svd(weights * transform.synthesis(clip.times), compute_uv=False)
    if len(shown) == transform.k and shown[-1] > 0.011 * shown[0]:
        np.testing.assert_allclose(again, wanted, atol=1e-9)
    lost = np.linalg.norm(weights * (transform.inverse(again, clip.times) - values))
    one = np.linalg.norm(transform._one()) * np.abs(weights.T**2 @ values).sum()
    assert lost <= 0.011 * shown[0] * (np.linalg.norm(wanted) + one) + 1e-9


def test_numbers_come_back_with_periodic_ends_and_from_short_wavelets_with_open_ones() -> None:
    wanted = np.random.default_rng(0).normal(size=(12, 3))
    for even in (True, False):
        times = make_clip(150, 0, even).times
        tried = [Transform("approximation", wavelet, "open", 12) for wavelet in SHORT]
        for wavelet in (*ORTHOGONAL, *BIORTHOGONAL) if even else ():
            tried += [Transform(name, wavelet, "periodic", 12) for name in FITTED[:2]]
        for transform in tried:
            again = transform(transform.inverse(wanted, times), times)
            np.testing.assert_allclose(again, wanted, atol=1e-9, err_msg=transform.name)


@quick
@given(
    st.builds(make_clip, st.integers(320, 2000), seeds, st.booleans()),
    st.sampled_from(SHORT),
    st.integers(4, 16),
    st.sampled_from(["approximation", "dct"]),
)
def test_a_fit_is_the_nearest_sum_of_its_functions(
    clip: Clip, wavelet: str, k: int, name: TransformName
) -> None:
    """No step along any function comes nearer, in the least squares of what frames last."""
    transform = Transform(name, wavelet, k=k)
    lasts = np.diff(frame_edges(clip.times))[:, None]
    left = clip.values - transform.inverse(transform(clip.values, clip.times), clip.times)
    functions = transform.synthesis(clip.times)
    size = np.sqrt((lasts * functions**2).sum(axis=0))[:, None]
    push = np.abs(functions.T @ (lasts * left))
    assert (push <= 1e-9 * size * np.sqrt((lasts * clip.values**2).sum(axis=0))).all()


@quick
@given(st.integers(1, 20), st.integers(4, 16), seeds)
def test_haar_gives_means_over_equal_parts_of_as_many_frames(
    per_part: int, k: int, seed: int
) -> None:
    clip = make_clip(per_part * k, seed, even=True)
    numbers = Transform("approximation", "haar", k=k)(clip.values, clip.times)
    np.testing.assert_allclose(numbers, slow_means(clip, k), atol=1e-9)


def test_frames_at_any_times_give_nearly_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    times = np.concatenate([rng.uniform(0.005, 0.02, 200), rng.uniform(0.02, 0.1, 100)]).cumsum()
    start, *_, end = frame_edges(times)
    dense = start + (np.arange(3000) + 0.5) / 3000 * (end - start)
    shares = [(at - start) / (end - start) for at in (times, dense)]
    uneven, even = (np.stack([np.sin(2 * np.pi * at + 1), np.cos(5 * at) * at], 1) for at in shares)
    for wavelet in SHORT:
        change = {}
        for name in ("approximation", "pyramid", "block"):
            transform = Transform(name, wavelet)
            change[name] = np.abs(transform(uneven, times) - transform(even, dense)).max()
        assert max(change["approximation"], change["pyramid"]) < 0.03
        assert change["block"] > 0.3  # it ignores the times


def test_cosines_are_those_of_the_discrete_cosine_transform() -> None:
    """DCT-II of 64 frames, divided by what of a cosine is left in a frame's mean."""
    clip = make_clip(64, seed=0, even=True)
    orders = np.arange(12)
    table = np.cos(np.pi * np.outer(orders, np.arange(64) + 0.5) / 64)
    expected = np.where(orders > 0, 2, 1)[:, None] * (table @ clip.values) / 64
    expected /= np.sinc(orders / 128)[:, None]
    numbers = Transform("dct", k=12)(clip.values, clip.times)
    np.testing.assert_allclose(numbers, expected, atol=1e-4)


@quick
@given(clips, st.sampled_from(ORTHOGONAL + BIORTHOGONAL))
def test_all_64_numbers_rebuild_the_cells(clip: Clip, wavelet: str) -> None:
    numbers = Transform("largest", wavelet)(clip.values, clip.times)
    levels = np.split(8 * numbers, [1, 2, 4, 8, 16, 32])
    cells = pywt.waverec(levels, wavelet, "periodization", axis=0)
    np.testing.assert_allclose(cells, slow_means(clip, 64), atol=1e-8)


def test_of_64_even_frames_nothing_is_lost() -> None:
    clip = make_clip(64, seed=0, even=True)
    for wavelet in (*ORTHOGONAL, *BIORTHOGONAL):
        transform = Transform("largest", wavelet)
        again = transform.inverse(transform(clip.values, clip.times), clip.times)
        np.testing.assert_allclose(again, clip.values, atol=1e-8)


@quick
@given(clips)
def test_pca_and_the_means_begin_with_means_over_time(clip: Clip) -> None:
    cells = Transform("pca")(clip.values, clip.times)
    np.testing.assert_allclose(cells, slow_means(clip, 64), atol=1e-9)
    (mean,) = slow_means(clip, 1)
    np.testing.assert_allclose(Transform("mean")(clip.values, clip.times)[0], mean, atol=1e-9)
    lasts = [until - since for since, until in spans(clip.times)]
    spread = np.average((clip.values - mean) ** 2, axis=0, weights=lasts)
    both = Transform("mean_std")(clip.values, clip.times)
    np.testing.assert_allclose(both, [mean, np.sqrt(spread)], atol=1e-9)
    for name in ("mean", "mean_std"):
        again = Transform(name).inverse(both[: Transform(name).numbers], clip.times)
        np.testing.assert_allclose(again, np.tile(mean, (len(clip.times), 1)), atol=1e-9)


def test_between_cells_pca_goes_in_straight_lines() -> None:
    times = np.arange(640) / 30
    ramp = np.stack([times, 3 - 2 * times], axis=1)
    transform = Transform("pca")
    again = transform.inverse(transform(ramp, times), times)
    np.testing.assert_allclose(again[5:-5], ramp[5:-5], atol=0.005)  # a sixteenth of a cell
    assert np.abs(again[0] - ramp[0]).max() > 0.1  # half a cell that has no neighbour


@quick
@given(clips, st.integers(2, 64))
def test_uniform_takes_values_at_equal_distances(clip: Clip, k: int) -> None:
    at = np.linspace(clip.times[0], clip.times[-1], k)
    transform = Transform("uniform", k=k)
    numbers, again = transform(clip.values, clip.times), transform.inverse(np.eye(k), clip.times)
    for channel in range(2):
        line = np.interp(at, clip.times, clip.values[:, channel])
        np.testing.assert_allclose(numbers[:, channel], line, atol=1e-9)
    for number in range(k):
        line = np.interp(clip.times, at, np.eye(k)[number])
        np.testing.assert_allclose(again[:, number], line, atol=1e-9)


@quick
@given(clips, st.sampled_from(ORTHOGONAL), st.integers(2, 10))
def test_energies_share_out_the_variance(clip: Clip, wavelet: str, k: int) -> None:
    """Of the cells, whatever K is: the last octave has all that is faster in it."""
    numbers = Transform("energy", wavelet, k=k)(clip.values, clip.times)
    cells = slow_means(clip, 64)
    np.testing.assert_allclose(numbers[0], cells.mean(axis=0), atol=1e-8)
    np.testing.assert_allclose((numbers[1:] ** 2).sum(axis=0), cells.var(axis=0), atol=1e-8)
    fewer = Transform("energy", wavelet, k=max(k - 1, 1))(clip.values, clip.times)
    np.testing.assert_allclose(numbers[: max(k - 2, 1)], fewer[: max(k - 2, 1)], atol=1e-8)


def test_the_slowest_octave_comes_first() -> None:
    """Octave j, of six, has what turns between 2**(j - 2) and 2**(j - 1) times in a clip."""
    at = (np.arange(640) + 0.5) / 640
    for wavelet in ("haar", "db4"):
        for octave in range(3, 7):
            turning = np.sin(2 * np.pi * 3 * 2 ** (octave - 3) * at + 0.3)[:, None]
            numbers = Transform("energy", wavelet)(turning, at)[:, 0]
            assert numbers[1:].argmax() + 1 == octave
            assert numbers[0] == pytest.approx(0, abs=1e-9)
    square = np.where(np.arange(640) // 10 % 2, 1.0, -1.0)[:, None]
    numbers = Transform("energy", "haar")(square, at)[:, 0]
    np.testing.assert_allclose(numbers, np.eye(7)[6], atol=1e-9)


@quick
@given(
    st.builds(make_clip, st.integers(1, 150).map(lambda half: 2 * half), seeds, st.just(True)),
    st.sampled_from(ORTHOGONAL + BIORTHOGONAL),
    st.integers(1, 10),
)
def test_energy_does_not_depend_on_when(clip: Clip, wavelet: str, k: int) -> None:
    """A clip cut in the middle whose halves are swapped gives the same numbers; others do not."""
    swapped = np.roll(clip.values, len(clip.times) // 2, axis=0)
    energy = Transform("energy", wavelet, k=k)
    expected = energy(clip.values, clip.times)
    np.testing.assert_allclose(energy(swapped, clip.times), expected, atol=1e-8)
    ordered = Transform("approximation", "haar", k=10)
    if len(clip.times) >= 20:
        change = ordered(swapped, clip.times) - ordered(clip.values, clip.times)
        assert np.abs(change).max() > 0.01


def test_energy_hardly_depends_on_where_in_a_circle_a_clip_begins() -> None:
    values = np.random.default_rng(0).normal(size=(300, 20)).cumsum(axis=0)
    values -= np.linspace(0, 1, 300)[:, None] * (values[-1] - values[0])  # its end meets its start
    times = np.arange(300) / 30
    energy = Transform("energy", "haar")
    numbers = energy(values, times)
    for begins in (1, 7, 50, 150, 211):
        shifted = energy(np.roll(values, begins, axis=0), times)
        np.testing.assert_allclose(shifted[:4], numbers[:4], rtol=0.01)
        np.testing.assert_allclose(shifted, numbers, rtol=0.1)


def test_the_inverse_of_energy_is_the_mean() -> None:
    clip = make_clip(50, seed=0, even=True)
    transform = Transform("energy", "haar")
    again = transform.inverse(transform(clip.values, clip.times), clip.times)
    np.testing.assert_allclose(again, np.tile(clip.values.mean(axis=0), (50, 1)), atol=1e-9)
    assert transform.synthesis(clip.times).shape == (50, 1)
    assert transform.over_time(256).shape == (0, 7)


def block_to_the_letter(values: Floats, wavelet: str) -> Floats:
    """The earlier formula, one channel after the other."""
    columns = []
    for channel in values.T:
        level = max(1, int(np.log2(2 ** np.ceil(np.log2(len(channel))) / 10)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            approximation = pywt.wavedec(channel, wavelet, level=level)[0]
        scaled = approximation / np.sqrt(2) ** level
        columns.append([*scaled[:10], *[0.0] * (10 - len(scaled))])
    return np.array(columns).T


@quick
@given(clips, st.sampled_from(ORTHOGONAL + BIORTHOGONAL))
def test_block_is_the_formula_to_the_letter(clip: Clip, wavelet: str) -> None:
    numbers = Transform("block", wavelet)(clip.values, clip.times)
    np.testing.assert_allclose(numbers, block_to_the_letter(clip.values, wavelet), atol=1e-12)


def test_block_is_rebuilt_as_far_as_it_saw_and_then_goes_on_as_it_was() -> None:
    clip = make_clip(128, seed=0, even=True)
    block = Transform("block", "haar")
    numbers = block(clip.values, clip.times)
    again = block.inverse(numbers, clip.times)
    np.testing.assert_allclose(again[:80], numbers.repeat(8, axis=0), atol=1e-9)
    np.testing.assert_allclose(again[80:], np.tile(numbers[9], (48, 1)), atol=1e-9)
    with pytest.raises(ValueError, match="number of frames"):
        block.synthesis(clip.times)


def test_values_that_are_not_finite_and_single_frames_are_refused() -> None:
    clip = make_clip(30, seed=0, even=True)
    for name, value in product(NAMES, (np.nan, np.inf, -np.inf)):
        clip.values[4, 1] = value
        with pytest.raises(ValueError, match="finite"):
            Transform(name)(clip.values, clip.times)
    for name, n_frames in product(NAMES, (0, 1)):
        with pytest.raises(ValueError, match="two frames"):
            Transform(name)(np.zeros((n_frames, 3)), np.arange(float(n_frames)))


def test_impossible_settings_and_gaps_are_refused() -> None:
    clip = make_clip(30, seed=0, even=True)
    for wavelet in ("morlet", "mexh", ""):
        with pytest.raises(UserError, match=rf"wavelets\.wavelet '{wavelet}' is not a .* haar"):
            Transform(wavelet=wavelet)
    for name in ("largest", "pca"):
        assert Transform(name, k=64).numbers == 64
        with pytest.raises(UserError, match=r"wavelets\.k 65 exceeds the 64 numbers"):
            Transform(name, k=65)
    for name in FITTED[:2]:
        with pytest.raises(UserError, match=r"wavelets\.k 6 is too few for .*db4.* at least 7"):
            Transform(name, "db4", k=6)(clip.values, clip.times)
    with pytest.raises(UserError, match=r"wavelets\.k 65 exceeds the 64 functions"):
        Transform("pyramid", k=65)(clip.values, clip.times)
    unbounded: tuple[TransformName, ...] = ("approximation", "uniform", "dct", "block")
    for name in unbounded:
        assert len(Transform(name, k=256)(clip.values, clip.times)) == 256
    for n_valid in (0, 1):
        with pytest.raises(ValueError, match="two"):
            fill_gaps(np.ones((5, 2)), np.arange(5) < n_valid, np.arange(5.0))


@quick
@given(clips, st.data())
def test_gaps_are_filled_as_numpy_interpolates(clip: Clip, data: st.DataObject) -> None:
    n_frames = len(clip.times)
    rng = np.random.default_rng(data.draw(seeds))
    valid = rng.random(n_frames) < data.draw(st.floats(0, 1))
    valid[rng.permutation(n_frames)[:2]] = True
    whole = clip.values.copy()
    clip.values[~valid] = np.nan
    filled = fill_gaps(clip.values, valid, clip.times)
    for channel in range(2):
        line = np.interp(clip.times, clip.times[valid], clip.values[valid, channel])
        np.testing.assert_allclose(filled[:, channel], line, atol=1e-9)
    np.testing.assert_allclose(filled[valid], whole[valid], atol=1e-9)

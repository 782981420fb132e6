"""Numbers of the past alone: against the batch form, slow sums, and the offline transform."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.landmarks.schema import ClipFacts
from facewave.params import Block, Sides
from facewave.wavelets.causal import CausalEnergy, causal_energy, delays
from facewave.wavelets.features import moving_channels, observed_channels
from facewave.wavelets.transform import Transform
from making import trajectory

Floats = NDArray[np.float64]
WINDOW = 1.6  # s: cells of 25 ms
CELL = WINDOW / 64
NO_FACE = np.full(2, np.nan)
FACTS = ClipFacts(30.0, 64, 48, 12)


def walk(n_frames: int, seed: int, gaps: bool = True) -> tuple[Floats, Floats]:
    """A random walk of two channels at uneven times, with frames without a face."""
    rng = np.random.default_rng(seed)
    times_T = 100 + rng.uniform(0.01, 0.1, n_frames).cumsum()
    values_TC = rng.normal(size=(n_frames, 2)).cumsum(axis=0)
    if gaps:
        values_TC[:3] = values_TC[60:75] = np.nan
        values_TC[rng.random(n_frames) < 0.1, 1] = np.nan  # one channel is enough
        times_T[150:] += 1.0
        times_T[200:] += WINDOW  # everything starts anew
    return values_TC, times_T


def clock(n_frames: int) -> Floats:
    """Times of frames that last as long as cells."""
    return np.arange(n_frames) * np.float64(CELL)


def one_by_one(
    values_TC: Floats, times_T: Floats, window_s: float = WINDOW, k: int = 7
) -> tuple[Floats, Floats]:
    causal = CausalEnergy(window_s, k, values_TC.shape[1])
    numbers, ready = [], []
    for values_C, time in zip(values_TC, times_T, strict=True):
        causal.add(values_C, float(time))
        numbers.append(causal.numbers)
        ready.append(causal.ready)
    return np.array(numbers), np.array(ready)


@pytest.mark.parametrize("k", [1, 2, 4, 7, 10])
def test_frame_by_frame_and_all_at_once_are_the_same(k: int) -> None:
    values_TC, times_T = walk(400, k)
    numbers, ready = one_by_one(values_TC, times_T, k=k)
    batch, batch_ready = causal_energy(values_TC, times_T, WINDOW, k, np.arange(400))
    assert numbers.shape == (400, min(k, 7), 2)
    np.testing.assert_allclose(numbers, batch, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ready, batch_ready, rtol=0, atol=1e-9)
    some, _ = causal_energy(values_TC, times_T, WINDOW, k, np.array([7, 199, 399]))
    assert np.array_equal(some, batch[[7, 199, 399]])


def slowly(cells_GC: Floats) -> Floats:
    """The seven numbers by their definition, of the means of at least 128 cells until now."""
    now = len(cells_GC)
    numbers = [cells_GC[-64:].mean(axis=0)]
    for half in (32, 16, 8, 4, 2, 1):
        squares = [
            (cells_GC[end - half : end].mean(0) - cells_GC[end - 2 * half : end - half].mean(0))
            ** 2
            for end in range(now - 63, now + 1)
        ]
        numbers.append(np.sqrt(np.mean(squares, axis=0)) / 2)
    return np.array(numbers)


def test_they_are_means_and_root_mean_squares_over_the_past() -> None:
    cells_GC = np.random.default_rng(0).normal(size=(200, 3))
    numbers, ready = one_by_one(cells_GC, clock(200))
    # Cells begin half a frame before the first one; of the last one only half is over.
    np.testing.assert_allclose(numbers[-1], slowly(cells_GC[:-1]), atol=1e-12)
    assert ready[-1] == pytest.approx(1)
    half_seen = numbers[32]  # 32 cells are complete: octaves up to h = 16 have a filter in them
    seen = cells_GC[:32]
    differ = np.abs(seen[16:].mean(axis=0) - seen[:16].mean(axis=0)) / 2
    np.testing.assert_allclose(half_seen[1:3], [differ, differ], atol=1e-12)
    np.testing.assert_allclose(half_seen[0], seen.mean(axis=0))
    np.testing.assert_allclose(half_seen[6], np.sqrt((np.diff(seen, axis=0) ** 2).mean(0)) / 2)
    assert ready[32] == pytest.approx(0.5)


def test_uneven_frames_count_for_as_long_as_they_last() -> None:
    """Against values at every millisecond; cells are 25 of them."""
    rng = np.random.default_rng(5)
    at = 2 * rng.integers(3, 60, 120).cumsum()  # ms
    values_TC = rng.normal(size=(120, 1))
    numbers, _ = one_by_one(values_TC, at / 1000)
    start = at[0] - (at[1] - at[0]) // 2
    middles = (at[1:] + at[:-1]) // 2
    frame = np.searchsorted(middles, np.arange(start, at[-1]), "right")
    whole = len(frame) // 25
    cells_GC = values_TC[frame[: 25 * whole], 0].reshape(whole, 25).mean(axis=1)[:, None]
    assert whole > 128
    np.testing.assert_allclose(numbers[-1], slowly(cells_GC), atol=1e-10)


def test_in_a_gap_the_last_value_holds_and_less_of_the_window_is_seen() -> None:
    causal = CausalEnergy(WINDOW, 7, 2)
    for frame in range(200):
        causal.add(np.array([3.0, -1.0]) if frame < 128 else NO_FACE, CELL * frame)
        if frame == 127 + 16:
            assert causal.ready == pytest.approx(0.75, abs=0.02)
    assert causal.ready == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(causal.numbers[0], [3.0, -1.0])
    assert causal.numbers[1:].max() < 1e-7
    causal.add(np.array([9.0, 9.0]), CELL * 200)  # after longer than the window: anew
    assert not causal.numbers.any()
    for frame in range(201, 240):
        causal.add(np.array([9.0, 9.0]), CELL * frame)
    np.testing.assert_allclose(causal.numbers[0], [9.0, 9.0])
    assert causal.numbers[1:].max() < 1e-7
    assert causal.ready == pytest.approx(39 / 64)


def test_errors_do_not_grow() -> None:
    """What was very large long ago leaves nothing behind."""
    causal, still = CausalEnergy(WINDOW, 7, 1), 1234.567
    for frame in range(10_000):
        causal.add(np.array([still + 1e8 * (frame % 7) * (frame < 9_700)]), CELL * frame)
    np.testing.assert_allclose(causal.numbers[:, 0], [still, *[0] * 6], atol=1e-9, rtol=1e-12)


def test_what_comes_changes_nothing_before_it() -> None:
    values_TC, times_T = walk(300, 1)
    changed = values_TC.copy()
    changed[210:] = changed[210:][::-1] * 1e6
    changed[220] = np.nan
    later = np.concatenate([times_T[:210], times_T[210:] + 0.37])
    for first, second in (
        (one_by_one(values_TC, times_T), one_by_one(changed, later)),
        (
            causal_energy(values_TC, times_T, WINDOW, 7, np.arange(300)),
            causal_energy(changed, later, WINDOW, 7, np.arange(300)),
        ),
    ):
        assert np.array_equal(first[0][:210], second[0][:210])
        assert not np.allclose(first[0][215:], second[0][215:])


def on_average(values_TC: Floats, ends: NDArray[np.intp]) -> list[Floats]:
    """Root-mean-squares over windows that end at some frames: of the past, and offline."""
    times_T = clock(len(values_TC))
    causal, _ = causal_energy(values_TC, times_T, WINDOW, 7, ends)
    energy = Transform("energy", "haar", k=7)
    offline = [energy(values_TC[end - 64 : end], times_T[end - 64 : end]) for end in ends]
    return [np.sqrt((np.array(n) ** 2).mean(axis=(0, 2))) for n in (causal, offline)]


def test_on_average_they_are_the_offline_numbers() -> None:
    """Of white noise within 2 %, of sines and pulses that come back in the window within 1 %."""
    rng = np.random.default_rng(2)
    frames_T, ends = np.arange(4000), np.arange(130, 4000, 13)
    causal, offline = on_average(rng.normal(size=(4000, 20)), ends)
    np.testing.assert_allclose(causal, offline, rtol=0.02)
    for cycles in (1, 2, 5, 12):
        phases = rng.uniform(0, 2 * np.pi, 4)
        sines = np.sin(2 * np.pi * cycles * frames_T[:, None] / 64 + phases)
        causal, offline = on_average(sines, ends)
        np.testing.assert_allclose(causal, offline, rtol=0.01, atol=0.01)
    pulses = (frames_T[:, None] % 64 < 20).astype(float)
    causal, offline = on_average(pulses, ends)
    np.testing.assert_allclose(causal, offline, rtol=0.01)


def test_of_a_step_that_stays_the_offline_circle_has_the_way_back_as_well() -> None:
    """Squares over all the time in which it is in the window, or in what octaves look back to."""
    step = (np.arange(600) >= 300).astype(float)[:, None]
    causal, offline = on_average(step, np.arange(290, 500))
    ratios = (offline / causal) ** 2
    np.testing.assert_allclose(ratios, [1, 0.5, 1.25, 1.63, 1.82, 1.92, 1.97], atol=0.01)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_how_late_they_are(k: int) -> None:
    """Of a step: the mean's way on average, and its squares in each octave."""
    frames_T = np.arange(600)
    values_TC = (frames_T >= 200).astype(float)[:, None]
    numbers, _ = causal_energy(values_TC, clock(600), WINDOW, k, frames_T)
    after = CELL * (frames_T - 199.5)  # since the step, which is between two frames
    late = [(np.diff(numbers[:, 0, 0]) * (after[1:] - CELL / 2)).sum()]
    squares = numbers[:, 1:, 0] ** 2
    late += list((squares * after[:, None]).sum(axis=0) / squares.sum(axis=0))
    says = delays(WINDOW, k)
    assert len(says) == k
    own = slice(None) if k == 7 else slice(0, max(k - 1, 1))
    np.testing.assert_allclose(np.array(late)[own], says[own], atol=1.01 * CELL)
    assert (np.array(late) <= says + 1.01 * CELL).all()


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="a window of 0 s"):
        CausalEnergy(0, 7, 2)
    causal = CausalEnergy(WINDOW, 7, 2)
    assert causal.ready == 0
    assert not causal.numbers.any()
    causal.add(np.ones(2), 1.0)
    with pytest.raises(ValueError, match=r"a frame at 1\.0 s after one"):
        causal.add(np.ones(2), 1.0)
    with pytest.raises(ValueError, match="of 2 channels"):
        causal.add(np.ones(3), 2.0)


@pytest.mark.parametrize("sides", ["apart", "merged"])
def test_what_is_observed_needs_no_other_frame(sides: Sides) -> None:
    clip = trajectory(12, seed=3, gaps=(4, 5))
    names: tuple[Block, ...] = ("blendshapes", "landmarks", "points68")
    whole = observed_channels(clip, FACTS, sides, names)
    filled = moving_channels(clip, FACTS, sides, names)
    for name in names:
        for frame in (0, 5, 11):
            alone = observed_channels(clip[slice(frame, frame + 1)], FACTS, sides, names)[name]
            np.testing.assert_allclose(alone, whole[name][[frame]], atol=1e-12)
        assert np.isnan(whole[name][4:6]).all()
        np.testing.assert_allclose(filled[name][clip.valid_T], whole[name][clip.valid_T])
        assert np.isfinite(filled[name]).all()

"""Trajectories on one clock: means of moments, of what is seen and heard."""

from dataclasses import replace

import numpy as np
import pytest

from facewave.appearance.schema import Appearance
from facewave.landmarks.schema import ClipFacts
from facewave.params import Block
from facewave.voice.schema import CHANNELS, PITCH, Voice
from facewave.wavelets import moments
from facewave.wavelets.moments import MOST, Clock
from facewave.wavelets.schema import shapes
from making import trajectory

FACTS = ClipFacts(30.0, 64, 48, 12)


def sound(seconds: float, hop: float = 0.01) -> Voice:
    """A voice whose loudness is the time, without any pitch."""
    times = np.arange(0, seconds, hop)
    n = len(times)
    blocks = {name: np.zeros((n, len(names)), np.float32) for name, names in CHANNELS.items()}
    blocks["prosody"][:, 2] = times
    blocks["prosody"][:, PITCH] = np.nan
    return Voice(times, np.ones(n, bool), np.zeros(n, np.float32), blocks)


def test_a_clip_s_time_is_divided_into_equal_moments_about_as_many_as_asked() -> None:
    for start, end, rate, count in (
        (0.0, 2.0, 10.0, 20),
        (0.0, 2.04, 10.0, 20),
        (5.0, 5.3, 10.0, 3),
        (1.0, 1.0, 10.0, 1),
        (0.0, 0.01, 4.0, 1),
        (0.0, 3600.0, 10.0, MOST),
    ):
        clock = Clock.of(start, end, rate)
        assert clock.count == count
        assert clock.start == start
        assert clock.step * count == pytest.approx(max(end - start, 1 / rate))


def test_each_moment_is_the_mean_of_the_line_through_the_frames() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0.3, 1.7, 23))
    values = rng.normal(size=(23, 2))
    for rate in (3.0, 10.0, 60.0):  # slower than the frames, and faster
        clock = Clock.of(0.0, 2.0, rate)
        found = clock.means(values, times)
        assert found.dtype == np.float32
        fine = np.linspace(0, 2, 200 * clock.count, endpoint=False) + 1 / (200 * clock.count)
        line = np.stack([np.interp(fine, times, channel) for channel in values.T], axis=1)
        expected = line.reshape(clock.count, 200, 2).mean(axis=1)
        np.testing.assert_allclose(found, expected, atol=2e-3)
    still = Clock.of(0.0, 1.0, 5.0).means(values[:1], times[:1])
    np.testing.assert_allclose(still, np.tile(values[0], (5, 1)), rtol=1e-5)


def test_face_and_voice_tell_the_same_time() -> None:
    """A click at one time is in the same moment of both, whatever their frame rates are."""
    clock, at = Clock.of(0.0, 3.0, 10.0), 1.75
    voice, clip = sound(3.0), trajectory(90)
    voice.blocks["mel"][np.abs(voice.times_T - at).argmin()] = 100
    shown = np.zeros_like(clip.blendshapes_TB)
    clip = replace(clip, times_T=np.arange(90) / 30, blendshapes_TB=shown)
    shown[np.abs(clip.times_T - at).argmin()] = 1
    of_face = moments.seen(["blendshapes"], clip, None, FACTS, "apart", clock)
    of_voice = moments.heard(["mel"], voice, clock)
    assert of_face[:, 0].argmax() == of_voice[:, 0].argmax() == 17
    loudness = moments.heard(["prosody"], voice, clock)[:, 2]
    np.testing.assert_allclose(loudness, 0.05 + np.arange(30) / 10, atol=0.006)


def test_moments_beyond_what_is_seen_or_heard_are_not_there() -> None:
    clock = Clock.of(0.0, 10.0, 10.0)
    names: list[Block] = ["blendshapes", "head"]
    seen = trajectory(60, gaps=tuple(range(16)))
    seen = replace(seen, times_T=np.arange(60) / 30)
    voice = sound(4.0)
    late = replace(voice, valid_T=voice.times_T >= 2.95)
    for found, first, last in (
        (moments.seen(names, seen, None, FACTS, "apart", clock), 5, 19),
        (moments.heard(["mel"], sound(1.0), clock), 0, 9),
        (moments.heard(["mel"], late, clock), 29, 39),
    ):
        assert len(found) == 100
        known = np.isfinite(found).all(1)
        assert np.flatnonzero(known).tolist() == [*range(first, last + 1)]
        assert np.isnan(found[~known]).all()


def test_blocks_stand_side_by_side_without_gaps_and_merged_as_the_features_are() -> None:
    clock, clip = Clock.of(0.0, 1.0, 10.0), trajectory(30, gaps=(0, 4, 5))
    seen = Appearance(
        np.arange(5) / 5,
        np.array([False, True, False, True, True]),
        np.full((5, 2), np.nan, np.float32),
        np.full((5, 3), np.nan, np.float32),
    )
    seen.expression_FW[[1, 3, 4]] = seen.appearance_FE[[1, 3, 4], :2] = [[1, 2], [3, 4], [5, 6]]
    seen.appearance_FE[[1, 3, 4], 2] = 7
    names: list[Block] = ["pose_free", "expression", "blendshapes", "appearance"]
    for sides in ("apart", "merged"):
        found = moments.seen(names, clip, seen, FACTS, sides, clock)
        widths = [int(np.prod(shapes(sides)[name])) for name in ("pose_free", "blendshapes")]
        assert found.shape == (10, widths[0] + 2 + widths[1] + 3)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[:, -1], 7, rtol=1e-6)
        expression = found[:, widths[0] : widths[0] + 2]
        np.testing.assert_allclose(expression[3], [1.75, 2.75])  # at 0.35 s, between 0.2 and 0.6
    once = replace(seen, valid_F=np.arange(5) == 3)
    found = moments.seen(["expression"], clip, once, FACTS, "apart", clock)
    np.testing.assert_allclose(found, np.tile([3, 4], (10, 1)), rtol=1e-6)
    assert np.isfinite(moments.heard(["prosody", "mfcc", "mel"], sound(1.0), clock)).all()

"""Frames taken away: which, how many, and that the rest stays as it was."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.landmarks.schema import Trajectory
from facewave.study.thinned import every, without
from making import trajectory

LONG = trajectory(400, seed=1, gaps=tuple(range(100, 140)))


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectory:
    """Clips of up to 30 frames, of which two or more show the face."""
    n_frames = draw(st.integers(2, 30))
    faces = draw(st.sets(st.integers(0, n_frames - 1), min_size=2))
    return trajectory(n_frames, gaps=tuple(set(range(n_frames)) - faces))


def only(whole: Trajectory, thin: Trajectory) -> list[int]:
    """The frames that stay, once it is seen that nothing of them has changed."""
    kept = thin.frames_T.tolist()  # of a whole clip they are numbered from 0
    assert kept == sorted(set(kept))
    for field in fields(Trajectory):
        before, after = getattr(whole, field.name), getattr(thin, field.name)
        if field.name in ("names", "layout", "signals"):  # of the landmarker's
            assert after == before
        else:
            np.testing.assert_array_equal(after, before[kept])
            assert after.dtype == before.dtype
    return kept


@settings(max_examples=40)
@given(trajectories(), st.floats(0, 0.99), st.integers(0, 9))
def test_two_faces_stay_and_what_stays_is_as_it_was(
    whole: Trajectory, share: float, seed: int
) -> None:
    kept = only(whole, without(share, whole, seed))
    assert whole.valid_T[kept].sum() >= 2
    assert kept == only(whole, without(share, whole, seed))


def test_a_share_of_the_frames_is_taken_away() -> None:
    for share in (0.25, 0.5, 0.75):
        gone = [1 - len(without(share, LONG, seed).times_T) / 400 for seed in range(10)]
        assert np.mean(gone) == pytest.approx(share, abs=0.03)
        assert all(abs(one - share) < 0.12 for one in gone)


def test_frames_with_and_without_a_face_go_alike_and_all_over_the_clip() -> None:
    kept = np.array([np.isin(range(400), only(LONG, without(0.5, LONG, s))) for s in range(40)])
    assert kept[:, ~LONG.valid_T].mean() == pytest.approx(0.5, abs=0.1)
    assert kept.reshape(40, 4, 100).mean(axis=(0, 2)) == pytest.approx(0.5, abs=0.06)


@settings(max_examples=40)
@given(trajectories(), st.integers(2, 12), st.integers(0, 40))
def test_every_so_many_th_stays_and_two_faces_whatever_the_step(
    whole: Trajectory, step: int, seed: int
) -> None:
    kept = only(whole, every(step, whole, seed))
    regular = list(range(seed % step, len(whole.times_T), step))
    faces = np.flatnonzero(whole.valid_T).tolist()
    if whole.valid_T[regular].sum() >= 2:
        assert kept == regular
    else:
        assert kept == sorted({*regular, faces[0], faces[-1]})
    assert whole.valid_T[kept].sum() >= 2


def test_the_whole_is_left_as_it_was() -> None:
    whole = trajectory(20, gaps=(0, 19))
    before = whole.valid_T.copy(), whole.times_T.copy()
    without(0.9, whole, 0)
    every(19, whole, 0)
    np.testing.assert_array_equal(whole.valid_T, before[0])
    np.testing.assert_array_equal(whole.times_T, before[1])

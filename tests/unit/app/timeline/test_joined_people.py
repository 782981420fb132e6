"""Tracks of parts become those of a recording, and people are numbered by their time in sight."""

from collections.abc import Sequence

import numpy as np

from facewave.app.timeline.people import Followed, joined, told_apart, whole
from facewave.landmarks.follow import Spot
from facewave.landmarks.people import Track

HERE, THERE = Spot(100, 100, 50), Spot(400, 100, 50)
NO_CUT = np.empty(0)


def one(
    start: float, end: float, spot: Spot = HERE, looks: int = 0, part: int = 0, number: int = 0
) -> Followed:
    """A track whose pictures have one colour."""
    colours = np.zeros(432)
    colours[looks] = 1
    track = Track(start, end, spot, spot, colours, 10, 0, np.zeros((3, 3)))
    return Followed(((part, number),), track, round(25 * (end - start)) + 1, end - start + 0.04)


def join(
    *parts: Sequence[Followed], cuts: Sequence[float] = (), ends: Sequence[float] = (9.96, 19.96)
) -> list[tuple[tuple[int, int], ...]]:
    """The names of what two parts of 10 s are joined to."""
    told = joined(parts, ends, (0.0, 10.0), np.array(cuts), 0.04)
    return [followed.names for followed in told]


def test_a_face_goes_on_over_a_boundary_where_it_was() -> None:
    before, after = one(2, 9.96), one(10, 15, part=1)
    assert join([before], [after]) == [((0, 0), (1, 0))]
    (told,) = joined([[before], [after]], (9.96, 19.96), (0.0, 10.0), NO_CUT, 0.04)
    assert (told.track.start, told.track.end, told.track.count) == (2, 15, 20)
    assert told.face_frames == before.face_frames + after.face_frames
    apart = [((0, 0),), ((1, 0),)]
    assert join([before], [one(10, 15, THERE, part=1)]) == apart
    assert join([one(2, 8)], [after]) == apart  # it was gone before
    assert join([before], [one(12, 15, part=1)]) == apart  # it came later
    for cut in (9.5, 10.0, 10.5):  # a cut at the boundary ends it; one that is away does not
        expected = apart if cut == 10.0 else [((0, 0), (1, 0))]
        assert join([before], [after], cuts=[cut]) == expected
    # Cuts in the last and first frames: neither what was before nor what comes after goes on.
    assert join([one(2, 9.84), one(9.88, 9.96, number=1)], [after], cuts=[9.88]) == [
        ((0, 0),), ((0, 1), (1, 0)),
    ]  # fmt: skip
    assert join([before], [one(10, 10.04, part=1), one(10.08, 15, part=1, number=1)],
                cuts=[10.08]) == [((0, 0), (1, 0)), ((1, 1),)]  # fmt: skip


def test_what_comes_after_a_cut_goes_on_from_nothing_before_it() -> None:
    assert join([one(2, 9.96)], [one(10.08, 15, part=1)]) == [((0, 0), (1, 0))]
    assert join([one(2, 9.96)], [one(10.08, 15, part=1)], cuts=[10.08]) == [((0, 0),), ((1, 0),)]


def test_of_several_each_goes_on_as_the_nearest() -> None:
    near = Spot(120, 100, 50)
    before = [one(0, 9.96, HERE), one(0, 9.96, THERE, number=1)]
    after = [one(10, 12, THERE, part=1), one(10, 12, near, part=1, number=1)]
    assert join(before, after) == [((0, 0), (1, 1)), ((0, 1), (1, 0))]


def test_pieces_of_a_track_end_at_cuts_alone() -> None:
    pieces = [one(0, 1), one(1.04, 2, number=1), one(2.04, 3, THERE, number=2)]
    names = [followed.names for followed in whole(pieces, [5, 5, 7], NO_CUT)]
    assert names == [((0, 0), (0, 1)), ((0, 2),)]
    assert len(whole(pieces, [5, 5, 5], NO_CUT)) == 1
    names = [followed.names for followed in whole(pieces, [5, 5, 5], np.array([1.04]))]
    assert names == [((0, 0),), ((0, 1), (0, 2))]


def test_who_is_longest_in_sight_comes_first_and_short_tracks_are_passed_over() -> None:
    tracks = [one(0, 1, looks=1), one(2, 9, looks=2), one(12, 13, looks=1), one(20, 20.1, looks=3)]
    assert [told.person for told in told_apart(tracks, is_long=False)] == [1, 0, 1, 2]
    told = told_apart(tracks, is_long=True)
    assert [followed.person for followed in told] == [1, 0, 1]
    assert told_apart([], is_long=True) == []

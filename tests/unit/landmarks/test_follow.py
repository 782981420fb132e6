"""Whose face is which from frame to frame, and who is followed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.landmarks.follow import RULES, Spot, Tracks, chosen, followed, prominence, rule_of

FACE = Spot(300, 200, 100)


@given(st.lists(st.booleans(), min_size=40, max_size=40))
def test_faces_that_cross_keep_their_tracks_in_whatever_order_they_come(turned: list[bool]) -> None:
    tracks = Tracks()
    for t, swap in enumerate([False, *turned]):  # 10 px a frame, one a little lower
        faces = [Spot(100 + 10 * t, 200, 100), Spot(500 - 10 * t, 260, 100)]
        found = tracks.place(t / 25, faces[::-1] if swap else faces)
        assert found == ([1, 0] if swap else [0, 1])


def track_of(face: Spot, seconds: float = 0.04) -> int | None:
    """The track of a face that is seen after FACE, whose track is 0."""
    tracks = Tracks()
    assert tracks.place(0, [FACE]) == [0]
    assert tracks.place(seconds / 2, []) == []
    (track,) = tracks.place(seconds, [face])
    return track


def test_a_face_that_was_gone_or_jumped_or_is_of_another_size_is_another() -> None:
    for seconds, track in ((0.04, 0), (0.5, 0), (10.0, 0), (10.01, 1), (90, 1)):
        assert track_of(FACE, seconds) == track, seconds
    for move, track in ((0, 0), (99, 0), (-70, 0), (101, 1), (-300, 1)):
        assert track_of(FACE._replace(x=300 + move)) == track, move
        assert track_of(FACE._replace(y=200 + move)) == track, move
    for times, track in ((1, 0), (1.9, 0), (0.55, 0), (2.1, 1), (0.45, 1)):
        assert track_of(FACE._replace(size=100 * times)) == track, times
    assert track_of(Spot(420, 200, 190)) == 1  # the size before the jump counts


def test_a_face_found_twice_counts_once() -> None:
    tracks = Tracks()
    twice = Spot(310, 205, 110)
    assert tracks.place(0, [FACE, twice]) == [0, None]
    assert tracks.place(0.04, [twice, FACE, Spot(500, 200, 90)]) == [0, None, 1]
    assert tracks.place(0.08, [FACE, FACE, FACE]) == [0, None, None]
    beside = Spot(300 + 31, 200, 100)  # more than 0.3 of a face's size away
    assert tracks.place(0.12, [FACE, beside]) == [0, 2]
    # The smaller size decides: a small face before a large one is a face of its own.
    assert Tracks().place(0, [Spot(300, 200, 200), Spot(330, 200, 50)]) == [0, 1]


def test_the_sum_of_the_moves_decides_among_possible_pairs() -> None:
    for faces, expected in (
        # The first is nearest to where the second was, which only the second can reach.
        ([Spot(50, 0, 100), Spot(130, 0, 100)], [0, 1]),
        # The first is too large to be either; were its way counted, the second would be exchanged.
        ([Spot(90, 0, 250), Spot(58, 0, 100)], [2, 1]),
    ):
        tracks = Tracks()
        tracks.place(0, [Spot(0, 0, 100), Spot(60, 0, 100)])
        assert tracks.place(0.04, faces) == expected
    tracks = Tracks()
    tracks.place(0, [Spot(0, 0, 100), Spot(1000, 0, 100)])
    assert tracks.place(0.04, [Spot(500, 300, 100), Spot(20, 0, 100)]) == [2, 0]
    assert tracks.place(0.08, [Spot(1000, 0, 100)]) == [1]


spots = st.builds(
    Spot, st.floats(-2000, 2000), st.floats(-2000, 2000), st.floats(0, 3000, allow_subnormal=False)
)


@given(st.lists(st.lists(spots, max_size=5), max_size=8))
def test_a_frames_faces_have_different_tracks_and_new_ones_are_counted(
    frames: list[list[Spot]],
) -> None:
    tracks, known = Tracks(), 0
    for t, faces in enumerate(frames):
        placed = tracks.place(t / 10, faces)
        assert len(placed) == len(faces)
        found = [track for track in placed if track is not None]
        assert len(set(found)) == len(found)
        assert bool(found) == bool(faces)
        new = sorted(track for track in found if track >= known)
        assert new == list(range(known, known + len(new)))
        known += len(new)


def test_prominence_by_rule() -> None:
    faces = [Spot(320, 240, 80), Spot(0, 0, 160), Spot(320, 40, 80), Spot(520, 240, 80)]
    faces.append(Spot(-2000, 900, 3000))  # never outside [0, 1]
    for rule, shares in (
        ("center", (1, 0, 0.5, 0.5, 0)),
        ("largest", (0.1, 0.2, 0.1, 0.1, 1)),
        ("longest", (1, 1, 1, 1, 1)),
    ):
        assert [prominence(rule, face, 640, 480) for face in faces] == pytest.approx(shares)


def choose(*sightings: tuple[int, int, float]) -> list[int]:
    """Indices of the chosen sightings: (frame, track, prominence)."""
    frames, tracks, weights = (np.array(column) for column in zip(*sightings, strict=True))
    return np.flatnonzero(followed(frames, tracks, weights.astype(float))).tolist()


def test_the_most_prominent_is_followed_and_who_comes_back_is_the_same_person() -> None:
    # The sum decides, not the greatest single value.
    assert choose((0, 0, 0.9), (0, 1, 0.6), (1, 0, 0.1), (1, 1, 0.6)) == [1, 3]
    assert choose((0, 0, 0.9), (0, 1, 0.6), (1, 0, 0.4), (1, 1, 0.6)) == [0, 2]
    assert choose((0, 0, 1), (1, 0, 1), (5, 1, 0.5), (6, 1, 0.5)) == [0, 1, 2, 3]
    assert choose((0, 0, 1), (1, 0, 1), (1, 1, 0.5), (2, 1, 0.5), (3, 1, 0.5)) == [0, 1]
    # Of several who could have come back the more prominent goes first, of two alike the first.
    several = ((0, 0, 1), (1, 0, 1), (5, 1, 0.3), (5, 2, 0.7), (6, 1, 0.3), (8, 3, 0.1))
    assert choose(*several) == [0, 1, 3, 5]
    assert choose((0, 0, 0.5), (0, 1, 0.5)) == [0]
    assert len(followed(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))) == 0


@given(
    st.sets(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=40),
    st.integers(0, 99),
)
def test_each_frame_has_at_most_one_followed_face_and_tracks_stay_whole(
    places: set[tuple[int, int]], seed: int
) -> None:
    order = sorted(places)
    frames, tracks = (np.array(column) for column in zip(*order, strict=True))
    weights = np.random.default_rng(seed).uniform(0, 1, len(order))
    chosen = followed(frames, tracks, weights)
    assert len(set(frames[chosen])) == chosen.sum()
    for track in set(tracks):
        assert len(set(chosen[tracks == track])) == 1
    sums = np.bincount(tracks, weights)
    assert chosen[tracks == sums.argmax()].all()
    for track in set(tracks[~chosen]):  # whoever is left out was beside someone followed
        assert set(frames[tracks == track]) & set(frames[chosen])


def test_a_rule_chooses_the_person_who_counts_most_by_it_and_all_has_everybody() -> None:
    people = [
        {"center": 3.0, "largest": 5.0, "longest": 40.0},
        {"center": 9.0, "largest": 5.0, "longest": 30.0},
        {"center": 4.0, "largest": 6.0, "longest": 40.0},
    ]
    # Of two who count the same, the first who was seen.
    expected = {"center": [1], "largest": [2], "longest": [0], "all": [1, 2, 0]}
    for whose, numbers in expected.items():
        assert chosen(people, whose) == numbers
        assert chosen(people[:1], whose) == [0]
        assert chosen([], whose) == [0]  # a clip of another tool, say
        assert chosen([{}, {}], whose)[0] == 0
    assert [rule_of(whose) for whose in (*RULES, "all")] == [*RULES, "center"]

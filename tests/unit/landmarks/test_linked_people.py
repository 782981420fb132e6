"""Which tracks of a clip are one person's."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facewave.landmarks import people
from facewave.landmarks.follow import Spot
from facewave.landmarks.people import Track, link, looks

HERE, THERE = Spot(100, 100, 50), Spot(400, 100, 50)
LIMIT = math.acos(1 - 0.55**2)  # of angles between looks, see ``seen``


def seen(start: float, end: float, angle: float, spot: Spot = HERE, shot: int = 0) -> Track:
    """A track whose looks are an angle: two apart by a have Hellinger distance sqrt(1 - cos a)."""
    looks = np.array([math.cos(angle) ** 2, math.sin(angle) ** 2])
    return Track(start, end, spot, spot, looks, 1, shot, np.zeros((5, 3)))


def test_tracks_that_look_alike_are_one_persons_unless_they_are_seen_together() -> None:
    for angle, person in ((0.0, 0), (LIMIT - 0.01, 0), (LIMIT + 0.01, 1), (1.5, 1)):
        assert link([seen(0, 2, 0), seen(30, 32, angle, THERE)]) == [0, person], angle
    assert link([seen(0, 2, 0), seen(2, 4, 0)]) == [0, 1]  # both are in the frame at 2 s
    assert link([seen(0, 2, 0), seen(2.04, 4, 0)]) == [0, 0]
    assert link([seen(0, 9, 0), seen(3, 4, 0), seen(5, 6, 0)]) == [0, 1, 1]
    assert link([]) == []
    assert link([seen(0, 2, 0)]) == [0]


def test_people_are_numbered_as_they_are_first_seen() -> None:
    order = (2, 0, 2, 0, 1, 2, 0, 1)
    tracks = [replace(seen(t, t + 0.5, 0, THERE), looks=np.eye(3)[i]) for t, i in enumerate(order)]
    assert link(tracks) == [0, 1, 0, 1, 2, 0, 1, 2]


def test_who_goes_on_where_another_ended_may_look_a_little_different() -> None:
    unlike = math.acos(1 - 0.65**2)  # 0.15 may be taken off, to 0.5
    for gap, move, size, person in (
        (0.5, 20, 50, 0),
        (1.0, 50, 50, 0),
        (1.1, 0, 50, 1),
        (0.5, 51, 50, 1),  # beyond the face's size
        (0.5, 35, 30, 1),  # of the smaller of the two
        (0.5, 25, 30, 0),
    ):
        later = seen(2 + gap, 4, unlike, Spot(100 + move, 100, size))
        assert link([seen(0, 2, 0), later]) == [0, person], (gap, move, size)
    # Where it was last counts, not where it was first.
    moved = replace(seen(0, 2, 0), last=THERE)
    assert link([moved, seen(2.5, 4, unlike, THERE)]) == [0, 0]
    assert link([moved, seen(2.5, 4, unlike, HERE)]) == [0, 1]
    assert link([seen(0, 2, 0), seen(2.5, 4, math.pi / 2)]) == [0, 1]  # nothing in common
    # Beyond a cut others may stand where somebody stood.
    assert link([seen(0, 2, 0, shot=3), seen(2.5, 4, unlike, shot=3)]) == [0, 0]
    assert link([seen(0, 2, 0, shot=3), seen(2.5, 4, unlike, shot=4)]) == [0, 1]


def test_faces_of_other_shapes_are_of_other_people_but_shape_alone_does_not_tell() -> None:
    alike = math.acos(1 - 0.4**2)
    for moved, person in ((0.0, 0), (0.02, 0), (0.022, 1), (1.0, 1)):  # 7 times this is added
        other = replace(seen(30, 32, alike), shape=np.full((5, 3), moved / math.sqrt(3)))
        assert link([seen(0, 2, 0), other]) == [0, person], moved
        assert link([seen(0, 2, 0), replace(other, looks=seen(0, 2, 0).looks)]) == [0, 0]


def test_who_was_seen_beside_one_track_of_a_person_is_not_that_person() -> None:
    # Both of the first two look like the third; the first does more, and has it.
    assert link([seen(0, 2, 0.1), seen(1, 2, 0.3), seen(30, 32, 0.0)]) == [0, 1, 0]
    assert link([seen(0, 2, 0.3), seen(1, 2, 0.1), seen(30, 32, 0.0)]) == [0, 1, 1]
    # The last one is seen with the third, so it is not the first's either.
    tracks = [seen(0, 2, 0.1), seen(30, 32, 0.1), seen(31, 33, 0.1, THERE)]
    assert link(tracks) == [0, 0, 1]
    assert link([*tracks, seen(60, 62, 0.2), seen(61, 62, 0.1, THERE)]) in (
        [0, 0, 1, 1, 0],
        [0, 0, 1, 0, 1],
    )


def test_the_mean_distance_decides() -> None:
    step = 0.7 * LIMIT  # neighbours are alike, the ends are not
    near, ends = (math.sqrt(1 - math.cos(angle)) for angle in (step, 2 * step))
    assert near < 0.55 < (near + ends) / 2
    chain = [seen(0, 2, 0), seen(30, 32, 0.98 * step), seen(60, 62, 2 * step, THERE)]
    assert link(chain) == [0, 0, 1]  # single linkage would join all
    # One more that looks as the last one does, or as the middle: the mean of all pairs counts.
    assert link([*chain, seen(90, 92, 2 * step)]) == [0, 0, 1, 1]
    middle = [seen(90 + 30 * k, 92 + 30 * k, 0.98 * step) for k in range(6)]
    assert link([*chain, *middle]) == [0] * 9


def apart_from(one: Track, other: Track) -> float:
    """How unlike two tracks are, said pair by pair."""
    before, after = sorted((one, other), key=lambda track: track.start)
    if after.start <= before.end:
        return 1e9
    distance = math.sqrt(max(0.0, 1 - float(np.sqrt(one.looks * other.looks).sum())))
    shapes = math.sqrt(((one.shape - other.shape) ** 2).sum(axis=1).mean())
    distance += min(7.0 * shapes, 0.25)
    size = max(min(before.last.size, after.first.size), 1e-9)
    move = math.hypot(after.first.x - before.last.x, after.first.y - before.last.y) / size
    if before.shot == after.shot and after.start - before.end <= 1.0 and move <= 1.0:
        distance -= 0.15
    return max(0.0, distance)


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    start, length = draw(st.integers(0, 12)), draw(st.integers(0, 6))
    spot = Spot(draw(st.integers(0, 99)), 0, 50)
    return seen(start, start + length, draw(st.floats(0, 1.57)), spot)


@given(st.lists(tracks(), min_size=2, max_size=8))
def test_all_pairs_at_once_are_as_unlike_as_one_by_one(clip: list[Track]) -> None:
    expected = [apart_from(one, other) for one, other in combinations(clip, 2)]
    assert people._apart(clip).tolist() == expected  # to the last digit


@given(st.lists(tracks(), max_size=8))
def test_no_two_people_are_one_and_none_is_in_two_places(clip: list[Track]) -> None:
    numbers = link(clip)
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))  # as they come
    for (one, number), (other, its_number) in combinations(zip(clip, numbers, strict=True), 2):
        if one.start <= other.end and other.start <= one.end:
            assert number != its_number
    # Whoever could be joined is: two people who are left are unlike, or were seen together.
    far = {
        number: [t for t, n in zip(clip, numbers, strict=True) if n == number] for number in numbers
    }
    for a, b in combinations(far.values(), 2):
        apart = np.array([[apart_from(one, other) for other in b] for one in a])
        assert apart.mean() > 0.55 - 1e-9


def portrait(
    hair: int, skin: int, size: int = 1, shift: int = 0, light: float = 1.0
) -> NDArray[np.uint8]:
    picture = np.full((200, 400, 3), 128, np.uint8)
    picture[20:180, 40 + shift : 160 + shift] = (hair, hair // 2, hair // 3)
    picture[70:130, 70 + shift : 130 + shift] = (skin, skin // 2 + 40, skin // 2)
    return (picture * light).astype(np.uint8).repeat(size, 0).repeat(size, 1)


def test_looks_are_of_the_face_and_what_is_around_it() -> None:
    def apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        return math.sqrt(max(0.0, 1 - np.sqrt(one * other).sum()))

    face = Spot(100, 100, 60)
    first = looks(portrait(60, 200), face)
    assert first.sum() == pytest.approx(1)
    assert (first >= 0).all()
    moved = looks(portrait(60, 200, shift=150), face._replace(x=250))
    larger = looks(portrait(60, 200, size=3), Spot(300, 300, 180))
    for same in (moved, larger):
        assert apart(first, same) < 0.15
    for other in (portrait(200, 200), portrait(60, 120)):  # other hair, other skin
        assert apart(first, looks(other, face)) > 0.3
    # A hue of hardly any colour is noise, and tells nothing.
    greys = [
        np.full((99, 99, 3), colour, np.uint8) for colour in ((128, 128, 130), (130, 128, 128))
    ]
    assert apart(*(looks(grey, Spot(50, 50, 40)) for grey in greys)) == 0
    for outside in (Spot(-300, 100, 60), Spot(100, 900, 60), Spot(100, 100, 0)):
        assert not looks(portrait(60, 200), outside).any()
    assert looks(portrait(60, 200), Spot(5, 195, 60)).sum() == pytest.approx(1)  # half of it


def test_a_track_looks_like_the_mean_of_its_pictures() -> None:
    pictures = np.random.default_rng(0).dirichlet(np.ones(432), 5)
    track = people.track(3.0, HERE, 2)
    for looked in pictures:
        track = track.seen_as(looked)
    assert (track.start, track.end, track.first, track.last, track.count) == (3, 3, HERE, HERE, 5)
    np.testing.assert_allclose(track.looks, pictures.mean(axis=0))
    assert track.shot == 2

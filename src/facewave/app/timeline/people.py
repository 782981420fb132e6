"""Who is who in a recording: its parts' tracks joined, and linked to people. Pure.

A face that is followed up to the end of a part, and another found where it was at the start of the
next, are one track, unless there is a cut between them. Which tracks are one person's is told over
the whole recording by the rule of landmarks/people.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facewave.landmarks import follow, people
from facewave.landmarks.people import Track

_BOUNDARY_S = 0.25  # from a part's end, or frames' step: a track that ends there may go on
_INSTANT_S = 1e-6
_SHORT_S = 0.2  # tracks that are seen for less are passed over in recordings of more than a minute

Name = tuple[int, int]  # of a track: its part, and its number there


@dataclass(frozen=True, eq=False)
class Followed:
    """A face that was followed without a break, over parts.

    Attributes:
        names: of its tracks in the parts.
        track: what was seen of it.
        face_frames: how many sightings.
        seen_s: how long they last.
        person: from 0.
    """

    names: tuple[Name, ...]
    track: Track
    face_frames: int
    seen_s: float
    person: int = -1


def joined(
    parts: Sequence[Sequence[Followed]],
    ends: Sequence[float],
    starts: Sequence[float],
    cuts: NDArray[np.float64],
    step_s: float,
) -> list[Followed]:
    """The tracks of parts in the order of their beginning, those that go on over a boundary joined.

    Args:
        parts: the tracks of each part.
        ends: the time of each part's last frame (s).
        starts: that of its first.
        cuts: times of the frames with which a shot begins.
        step_s: between frames.
    """
    near = max(_BOUNDARY_S, 1.5 * step_s)
    done: list[Followed] = []
    open_: list[Followed] = []  # the tracks of the part before
    for number, tracks in enumerate(parts):
        pairs: dict[Followed, Followed] = {}
        if number:
            since, until = starts[number] - near, starts[number] + near
            at = int(np.searchsorted(cuts, starts[number], "right"))
            since = max(since, ends[number - 1] - near, *cuts[at - 1 : at])
            left = [one for one in open_ if one.track.end >= since]
            until = min(until, float(np.min(cuts[at:], initial=math.inf)) - _INSTANT_S)
            pairs = _pairs(left, [one for one in tracks if one.track.start <= until])
        before = {after: one for one, after in pairs.items()}
        done += [one for one in open_ if one not in pairs]
        open_ = [_sum(before[one], one) if one in before else one for one in tracks]
    return sorted([*done, *open_], key=lambda one: (one.track.start, one.names))


def whole(
    pieces: Sequence[Followed], track_of: Sequence[int], cuts: NDArray[np.float64]
) -> list[Followed]:
    """The tracks of a part, of pieces in the order of time: they end where there is a cut."""
    tracks: dict[int, list[Followed]] = {}
    for piece, track in zip(pieces, track_of, strict=True):
        known = tracks.setdefault(track, [])
        if known and not _is_between(known[-1].track.end, piece.track.start, cuts):
            known[-1] = _sum(known[-1], piece)
        else:
            known.append(piece)
    return [one for several in tracks.values() for one in several]


def _is_between(start: float, end: float, cuts: NDArray[np.float64]) -> bool:
    """Whether there is a cut after a frame and not after another (s)."""
    return bool(np.searchsorted(cuts, end, "right") > np.searchsorted(cuts, start, "right"))


def _pairs(left: Sequence[Followed], came: Sequence[Followed]) -> dict[Followed, Followed]:
    """Which tracks go on as which: those that moved the least, as from one frame to the next."""
    numbers = follow.Tracks()
    before = numbers.place(0.0, [one.track.last for one in left])
    after = numbers.place(0.0, [one.track.first for one in came])
    of_number = {
        number: one for number, one in zip(before, left, strict=True) if number is not None
    }
    return {
        of_number[number]: one
        for number, one in zip(after, came, strict=True)
        if number in of_number and of_number[number].track.end < one.track.start
    }


def _sum(one: Followed, other: Followed) -> Followed:
    """Two tracks, of which the other continues where the one ended."""
    counts, frames = (one.track.count, other.track.count), (one.face_frames, other.face_frames)
    track = replace(
        one.track,
        end=other.track.end,
        last=other.track.last,
        looks=_mean(one.track.looks, other.track.looks, counts),
        count=sum(counts),
        shape=_mean(one.track.shape, other.track.shape, frames),
    )
    return Followed(one.names + other.names, track, sum(frames), one.seen_s + other.seen_s)


def _mean(
    one: NDArray[np.float64], other: NDArray[np.float64], counts: tuple[int, int]
) -> NDArray[np.float64]:
    return (one * counts[0] + other * counts[1]) / max(sum(counts), 1)


def told_apart(tracks: Sequence[Followed], is_long: bool) -> list[Followed]:
    """The tracks with their people, whoever is in sight longest first.

    In a long recording very short tracks are passed over.
    """
    some = [one for one in tracks if not is_long or one.seen_s >= _SHORT_S]
    linked = people.link([one.track for one in some])
    seen_s = [0.0] * (max(linked, default=-1) + 1)
    for one, person in zip(some, linked, strict=True):
        seen_s[person] += one.seen_s
    order = sorted(range(len(seen_s)), key=lambda person: (-round(seen_s[person], 6), person))
    place = {person: number for number, person in enumerate(order)}
    return [replace(one, person=place[person]) for one, person in zip(some, linked, strict=True)]

"""Cuts of a recording: what lasts and stands out is one; flashes and fast moves are none."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewave.app.timeline import shots
from facewave.app.timeline.parts import ends
from facewave.app.timeline.recording import _over_boundary

FPS = 25
Picture = NDArray[np.uint8]


def scene(seed: int) -> Picture:
    """Smooth colours, (64, 96, 3)."""
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return few.repeat(16, 0).repeat(16, 1)


def watched(pictures: Sequence[Picture | None], fps: float = FPS) -> shots.Watch:
    watch = shots.Watch()
    for number, picture in enumerate(pictures):
        watch.add(number / fps, picture)
    return watch


def cuts(pictures: Sequence[Picture | None], fps: float = FPS) -> list[int]:
    return shots.cut_at(watched(pictures, fps).changes(), np.arange(len(pictures)) / fps)


def test_a_cut_is_where_pictures_change_for_good() -> None:
    noise = np.random.default_rng(0)
    one, other = ([(scene(seed) + noise.integers(0, 4, (64, 96, 3))).clip(0, 255).astype(np.uint8)
                   for _ in range(20)] for seed in (1, 2))  # fmt: skip
    assert cuts([*one, *other]) == [20]
    assert cuts([*one, *other, *one]) == [20, 40]
    assert cuts([*one[:19], None, *other]) == [20]  # what cannot be decoded looks like the last
    for fps in (1, 5):  # also where frames are far apart
        assert cuts([*one[:4], *other[:4], *one[:4]], fps) == [4, 8]
    for count in (0, 1, 2, 5):
        assert cuts([None] * count) == cuts([*one[:count]]) == []


def test_a_flash_is_no_cut() -> None:
    for length in (1, 2):
        flash = [(scene(1) // 2 + 128).astype(np.uint8)] * length
        assert cuts([scene(1)] * 20 + flash + [scene(1)] * 20) == []
    # Neither before a cut, which is found all the same.
    assert cuts([scene(1)] * 9 + [scene(3)] + [scene(1)] * 10 + [scene(2)] * 20) == [20]


def test_a_fast_move_and_a_dissolve_are_none() -> None:
    panorama = np.concatenate([scene(seed) for seed in range(6)], axis=1)
    moving = [panorama[:, x : x + 96] for x in range(0, 480, 16)]
    still = [moving[0]] * 10
    assert watched([*still, *moving]).changes().step_T.max() > 27  # of the engine's own cuts
    assert cuts([*still, *moving, *[moving[-1]] * 10]) == []
    mixed = [
        (scene(1) * (1 - share) + scene(2) * share).astype(np.uint8)
        for share in np.linspace(0, 1, FPS)
    ]
    assert cuts([scene(1)] * 20 + mixed + [scene(2)] * 20) == []


def test_memory_holds_few_pictures_and_they_tell_the_same() -> None:
    rng = np.random.default_rng(0)
    pictures = [scene(int(seed)) for seed in rng.integers(0, 3, 700)]
    watch = shots.Watch()
    small = []
    for number, picture in enumerate(pictures):
        watch.add(number / FPS, picture)
        small.append(watch.last[-1][1])
        assert len(watch._block) <= 256
    told, whole = watch.changes(), shots.between(np.stack(small), np.arange(700) / FPS)
    np.testing.assert_array_equal(told.step_T, whole.step_T)
    np.testing.assert_array_equal(told.lasting_T, whole.lasting_T)
    assert len(watch.first) == len(watch.last) == shots.EDGE


def test_a_boundary_of_parts_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    pictures = [scene(int(seed)) for seed in rng.integers(0, 3, 60)]
    times_T = np.arange(60) / FPS
    whole = watched(pictures).changes()
    for boundary in (20, 21, 35):
        before, after = shots.Watch(), shots.Watch()
        for at, picture in enumerate(pictures):
            (before if at < boundary else after).add(times_T[at], picture)
        known = [before.changes()]
        first, last = (ends(edge) for edge in (after.first, before.last))
        seen: Any = SimpleNamespace(changes=after.changes(), first=first)
        _over_boundary(known, seen, last)
        for name in ("step_T", "lasting_T"):
            told = getattr(shots.joined(known), name)
            np.testing.assert_array_equal(told, getattr(whole, name))

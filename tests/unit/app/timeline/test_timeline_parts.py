"""Where a recording is cut into parts."""

import math
from fractions import Fraction

from facewave.app.timeline.parts import divided
from facewave.marks import Mark, Marks
from facewave.video import Part


def marks(count: int, every: int = 25, whole: bool = True) -> Marks:
    """Frames at 25 a second, a keyframe every so often."""
    shown = [Mark(100 + k, k % every == 0) for k in range(count)]
    return Marks(shown, 100, Fraction(1, 25), whole)


def test_parts_begin_at_keyframes_and_are_the_whole() -> None:
    parts = divided(marks(250), 2.5)
    assert parts == [
        Part(100, 175, 0, 0.0, -math.inf),
        Part(175, 250, 75, 0.0, 2.96),
        Part(250, 325, 150, 0.0, 5.96),
        Part(325, None, 225, 0.0, 8.96),
    ]


def test_what_cannot_be_cut_is_one_part() -> None:
    late = Marks([Mark(0, False), *marks(250).shown], 0, Fraction(1, 25), True)
    twice = Marks(sorted([*marks(250).shown, Mark(150, False)]), 100, Fraction(1, 25), True)
    for told in (marks(0), marks(250, whole=False), marks(250, every=1000), late, twice):
        assert divided(told, 2.5) == [None]
    assert divided(marks(50), 2.5) == [None]

"""The last seconds of everybody in sight: nothing older, five looks a second, one person."""

from collections.abc import Mapping

import numpy as np
import pytest

from cameras import SEEN, face, frame
from facewave import params
from facewave.app.live.memory import Eyes, Memory
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen
from facewave.landmarks.engines.engine import Sighting
from running import ROOT

FACES = params.load(ROOT / "params.yaml").faces


class Counting:
    """An encoder's network whose one answer is how often it was asked."""

    def __init__(self) -> None:
        self.asked = -1  # once to open it

    def __call__(self, faces: Faces) -> Seen:
        self.asked += 1
        return np.full((1, 1), self.asked, np.float32), np.zeros((1, 0), np.float32)


def memory(seconds: float, whose: str = "center", network: Counting | None = None) -> Memory:
    network = network or Counting()
    encoder = Encoder(
        name="counting", side=8, words=("one",), identity={}, about={}, open=lambda: network
    )
    return Memory(seconds, whose, Eyes(FACES, encoder))


def seen(memory: Memory, tracks: Mapping[int, range], count: int) -> None:
    """Frames at 25 a second with the faces of some tracks, each at another place."""
    for number in range(count):
        faces = [track for track, there in tracks.items() if number in there]
        memory.add(
            frame(number), [Sighting(one, face(number, 0.4 * one, 1 - one / 4)) for one in faces]
        )


def test_a_window_is_the_last_seconds_alone() -> None:
    kept = memory(1.0)
    seen(kept, {0: range(10, 100)}, 40)
    (window,) = kept.windows(SEEN.names, everybody=False)
    assert window.trajectory.frames_T.tolist() == list(range(15, 40))
    assert window.trajectory.valid_T.all()
    assert np.array_equal(window.trajectory.blendshapes_TB[-1], face(39).blendshapes_B)
    assert window.facts.width == 160
    assert len(kept._moments) == 25
    seen(kept, {}, 5)  # nothing is left of what was seen long ago
    assert memory(1.0).windows(SEEN.names, everybody=False) == []


def test_a_face_is_looked_at_five_times_a_second() -> None:
    network = Counting()
    kept = memory(2.0, network=network)
    seen(kept, {0: range(3, 50)}, 50)
    (window,) = kept.windows(SEEN.names, everybody=False)
    assert network.asked == 10
    assert np.allclose(window.appearance.times_F, [0.12, *np.arange(1, 10) / 5])
    assert window.appearance.expression_FW[:, 0].tolist() == list(range(1, 11))
    assert np.isfinite(window.trajectory.sharpness_T).sum() == 10
    assert window.brightness == pytest.approx(128 / 255, abs=0.01)


def test_who_counts_most_is_followed_and_the_others_are_counted() -> None:
    kept = memory(4.0)
    seen(kept, {0: range(60), 1: range(30, 60)}, 60)
    (window,) = kept.windows(SEEN.names, everybody=False)
    assert (window.person, window.others) == (0, 1)
    both = kept.windows(SEEN.names, everybody=True)
    assert [one.person for one in both] == [0, 1]
    assert both[1].trajectory.valid_T.sum() == 30


def test_after_a_change_of_person_no_window_has_two_faces() -> None:
    kept = memory(4.0)
    seen(kept, {0: range(40), 7: range(40, 60)}, 70)  # the first is still in sight for longer
    (window,) = kept.windows(SEEN.names, everybody=False)
    assert window.person == 7
    assert window.trajectory.frames_T.tolist() == list(range(40, 70))
    assert window.trajectory.valid_T.sum() == 20
    assert len(window.appearance.times_F) == 4
    assert window.unseen == pytest.approx(0.4)
    assert window.others == 0

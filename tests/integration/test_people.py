"""Several people, small faces and turned ones, in videos built with known truth."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import crowds
from crowds import FPS, HEIGHT, SCENES, WIDTH, Crowd, Face, Place, Shot
from facewave.landmarks import quality
from facewave.landmarks.detect import Detection, detect
from facewave.landmarks.engines.mediapipe import Landmarker
from facewave.landmarks.headpose import angles
from facewave.landmarks.schema import ClipFacts
from facewave.video import Clip
from making import SETTINGS
from running import ROOT
from trajectories import assert_equal

Film = Callable[..., tuple[Crowd, Detection]]
REAL = os.environ.get("FACEWAVE_TEST_CLIPS")
# Identity F1: 0.96 and 0.94 were measured, of others 0.965 and more; with the demo's faces, which
# the detector finds with more trouble, 0.89, 0.97 and 0.93.
LEAST = {
    "two cross": (0.96, 0.85),
    "one leaves and comes back": (0.95, 0.95),
    "four walk about": (0.9, 0.9),
}
OTHERS = (0.95, 0.95)


@pytest.fixture(scope="module")
def faces(landmarker: Path) -> list[Face]:
    return crowds.people(Path(REAL) if REAL else None, landmarker)


@pytest.fixture
def film(tmp_path: Path, faces: list[Face], landmarker: Path) -> Film:
    """A video of shots, and who is seen in it."""

    def shoot(*shots: Shot) -> tuple[Crowd, Detection]:
        crowd = crowds.film(tmp_path / "a.mp4", faces, shots)
        return crowd, detect(crowd.clip, landmarker, FPS, SETTINGS)

    return shoot


def away(seen: Detection, crowd: Crowd, rule: str, person: int) -> NDArray[np.float64]:
    """How far the followed face is from somebody's, in sizes of the face, in all frames of both."""
    found_T4 = crowds.boxes(seen.person(rule).trajectory().landmarks_TPC, WIDTH, HEIGHT)
    truth_T4 = crowd.boxes_TN4[:, person]
    middles = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (found_T4, truth_T4))
    sizes = np.sqrt((truth_T4[:, 2:] - truth_T4[:, :2]).prod(axis=1))
    apart = np.hypot(*np.subtract(*middles).T) / sizes
    return apart[np.isfinite(apart)]


@pytest.mark.parametrize("name", SCENES)
def test_everybody_is_followed_and_keeps_their_number(name: str, film: Film) -> None:
    crowd, seen = film(*SCENES[name])
    score = crowds.score(crowd, seen)
    assert score.switches == 0
    assert score.people == np.isfinite(crowd.boxes_TN4[..., 0]).any(axis=0).sum()
    assert score.idf1 > LEAST.get(name, OTHERS)[0 if REAL else 1]
    assert score.invented <= 3  # faces that are a little more than half covered
    if name == "cuts":  # nobody glides to another's place, and nobody is late
        assert score.missed == score.invented == 0
        rows = np.flatnonzero(np.isfinite(crowd.boxes_TN4[:, 0, 0]))
        assert len(away(seen, crowd, "longest", 0)) == len(rows)
        assert away(seen, crowd, "longest", 0).max() < 0.1


def test_a_choice_takes_one_of_those_who_were_seen(
    film: Film, landmarker: Path, tmp_path: Path
) -> None:
    """Each of three people is foremost by one rule; choosing another detects nothing again."""
    n_frames = 60
    paths = {
        # In the middle at first, then to the right, while another comes near; gone at last.
        0: crowds.within(lambda t: Place(640 + max(0, t - 25) * 9, 400, 190), 0, 50),
        # The largest; comes late and moves from the left towards the middle.
        1: crowds.within(lambda t: Place(230 + max(0, t - 25) * 5, 420, 240), 8, 60),
        # The smallest, in the corner; there all the time.
        5: crowds.stay(1110, 170, 165),
    }
    crowd, seen = film(Shot(n_frames, paths))
    assert len(seen.people) == 3
    for rule, person, frames in (
        ("center", 0, range(50)),
        ("largest", 1, range(8, 60)),
        ("longest", 5, range(60)),
    ):
        chosen = seen.person(rule).trajectory()
        there = np.flatnonzero(chosen.valid_T)
        assert set(there) <= set(frames), rule
        assert len(there) > len(frames) - 14, rule  # half a second until the next look
        assert away(seen, crowd, rule, person).max() < 0.15, rule
        measures = quality.measure(
            quality.frames_of(chosen, ClipFacts(FPS, WIDTH, HEIGHT, n_frames))
        )
        assert measures["jumps"] == 0
        # Who is away is a gap with others in sight.
        assert measures["others_share"] == pytest.approx(1 - len(there) / n_frames, abs=1e-3)
    assert set(seen.person("longest").trajectory().faces_T[25:48]) == {3}
    again = detect(tmp_path / "a.mp4", landmarker, FPS, SETTINGS)
    for one, other in zip(seen.people, again.people, strict=True):
        assert one.prominence == other.prominence
        assert_equal(one.trajectory(), other.trajectory())


def test_small_faces_are_found_from_25_pixels_on(film: Film) -> None:
    """Of six people in a picture of 1280 x 720; all were found at 25 px, five of them at 20."""
    for size, least in ((25, 5), (32, 6), (60, 6), (120, 6), (250, 6)):
        found = 0
        for person in range(6):
            path = crowds.walk((400 + 90 * person, 250), (420 + 90 * person, 290), 12, size)
            crowd, seen = film(Shot(12, {person: path}, 7))
            score = crowds.score(crowd, seen)
            assert score.people <= 1
            assert score.invented == 0
            found += score.missed == 0
        assert found >= least, size


def test_small_ones_are_found_beside_a_large_one_and_a_large_one_beside_small_ones(
    film: Film,
) -> None:
    """The whole picture shows a face of 100 px too small; tiles show one of 380 px too large."""
    late = crowds.within(crowds.stay(950, 360, 300), 20, 100)
    for paths, seconds in (
        ({0: crowds.stay(350, 360, 300), 1: crowds.stay(900, 300, 100 if REAL else 130)}, 3),
        ({0: crowds.stay(350, 360, 40), 1: late}, 1.5),
    ):
        crowd, seen = film(Shot(100, paths))
        score = crowds.score(crowd, seen)
        assert score.people == 2
        assert score.missed < seconds * FPS


def test_turned_faces_are_found_as_they_are(film: Film) -> None:
    """On their side and upside down, large and small; the detector takes many for upright ones."""
    for turns in (1, 2, 3):
        for size in (90, 220):
            for person in range(6):
                crowd, seen = film(Shot(8, {person: crowds.stay(600, 350, size, turns)}, 7))
                assert crowds.score(crowd, seen).missed == 0, (turns, size, person)
                roll = angles(seen.person("longest").trajectory().pose_T44)[:, 2]
                astray = (roll - 90 * turns + 180) % 360 - 180
                assert np.abs(astray).max() < 45, (turns, size, person)


def test_a_small_real_face_is_found_and_letters_are_none(
    real_clips: Path, landmarker: Path
) -> None:
    seen = detect(real_clips / "liveportrait_s13_fullbody.mp4", landmarker, FPS, SETTINGS)
    (person,) = seen.people
    assert person.trajectory().valid_T.mean() >= 0.9
    seen = detect(real_clips / "no_face.mp4", landmarker, FPS, SETTINGS)
    assert not any(person.trajectory().valid_T.any() for person in seen.people)


def test_the_reference_sees_what_a_plain_landmarker_sees_bit_by_bit(landmarker: Path) -> None:
    path = ROOT / "data/raw/demo/clips/1.mp4"
    seen = detect(path, landmarker, FPS, replace(SETTINGS, engine="mediapipe"))
    (person,) = seen.people
    trajectory = person.trajectory()
    with Landmarker(landmarker.read_bytes()) as plain:
        for number, time, picture in Clip(path, FPS).frames():
            assert picture is not None
            ((_, face, _),) = plain.look(picture, round(time * 1000))
            np.testing.assert_array_equal(trajectory.landmarks_TPC[number], face.landmarks_PC)
            np.testing.assert_array_equal(trajectory.blendshapes_TB[number], face.blendshapes_B)
            np.testing.assert_array_equal(trajectory.pose_T44[number], face.pose_44)
    assert len(trajectory.times_T) == number + 1

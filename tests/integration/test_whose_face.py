"""Clips with several people, made of a real photograph: the declared face is followed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.landmarks import quality
from facewave.landmarks.detect import detect
from facewave.landmarks.engines.mediapipe import Landmarker
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.video import Clip
from making import SETTINGS
from running import ROOT
from trajectories import assert_equal

WIDTH, HEIGHT, FPS = 960, 720, 25.0
# Left, top, right, bottom of three women's faces in multi_face.jpg.
PEOPLE = {"a": (280, 215, 450, 400), "b": (500, 285, 660, 470), "c": (665, 270, 825, 460)}

Picture = NDArray[np.uint8]
Place = tuple[int, int, int]  # the middle of somebody's picture, and its height, in pixels
Scene = dict[str, Callable[[int], Place | None]]  # where everybody is in each frame
Rule = Literal["center", "largest", "longest"]


@pytest.fixture(scope="module")
def people(real_clips: Path) -> dict[str, Picture]:
    photograph: Any = cv2.imread(str(real_clips / "multi_face.jpg"))
    return {
        name: photograph[top:bottom, left:right]
        for name, (left, top, right, bottom) in PEOPLE.items()
    }


def film(path: Path, people: dict[str, Picture], scene: Scene, n_frames: int) -> Path:
    """A video of faces that move on a grey background."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
    for t in range(n_frames):
        picture = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
        for name, where in scene.items():
            if place := where(t):
                x, y, height = place
                width = round(height * people[name].shape[1] / people[name].shape[0])
                face = cv2.resize(people[name], (width, height), interpolation=cv2.INTER_CUBIC)
                top, left = y - height // 2, x - width // 2
                picture[top : top + height, left : left + width] = face
        writer.write(picture)
    writer.release()
    return path


def watch(path: Path, model: Path, rule: Rule) -> Trajectory:
    return detect(path, model, FPS, replace(SETTINGS, whose=rule)).trajectory()


def away(seen: Trajectory, where: Callable[[int], Place | None]) -> NDArray[np.float64]:
    """Distance of the followed face from somebody's place, in heights of their picture."""
    found = []
    for t, valid in enumerate(seen.valid_T):
        if valid:
            spot, place = quality.spot(seen.landmarks_TPC[t], WIDTH, HEIGHT), where(t)
            assert place is not None, f"frame {t}: a face is followed that is not there"
            found.append(np.hypot(spot.x - place[0], spot.y - place[1]) / place[2])
    return np.array(found)


# Each of the three is foremost by one rule.
N_FRAMES = 60
THREE: Scene = {
    # In the middle at first, then to the right, while b comes near; gone from frame 50 on.
    "a": lambda t: (480 + max(0, t - 25) * 9, 480, 280) if t < 50 else None,
    # The largest; comes in frame 8 and moves from the left towards the middle.
    "b": lambda t: (165 + max(0, t - 25) * 7, 480, 330) if t >= 8 else None,
    # The smallest, in the corner; moves a little; there all the time.
    "c": lambda t: (835 + t // 4, 130 + t // 2, 240),
}


@pytest.mark.parametrize(
    ("rule", "name", "frames"),
    [("center", "a", range(50)), ("largest", "b", range(8, 60)), ("longest", "c", range(60))],
)
def test_the_declared_face_is_followed_from_its_first_frame_to_its_last(
    tmp_path: Path,
    people: dict[str, Picture],
    landmarker: Path,
    rule: Rule,
    name: str,
    frames: range,
) -> None:
    seen = watch(film(tmp_path / "a.mp4", people, THREE, N_FRAMES), landmarker, rule)
    assert np.flatnonzero(seen.valid_T).tolist() == list(frames)
    assert away(seen, THREE[name]).max() < 0.15
    # Every face is counted; it may need a frame to see that somebody came or went.
    agree = seen.faces_T == [
        sum(where(t) is not None for where in THREE.values()) for t in range(60)
    ]
    assert agree.mean() > 0.9
    assert agree[12:48].all()
    # Who is away is a gap with others in sight.
    facts = ClipFacts(FPS, WIDTH, HEIGHT, N_FRAMES)
    measures = quality.measure(quality.frames_of(seen, facts))
    away_frames = N_FRAMES - len(frames)
    assert measures["others_share"] == pytest.approx(away_frames / N_FRAMES, abs=1e-3)
    assert measures["longest_gap"] == pytest.approx(away_frames / FPS, abs=0.01)
    assert measures["jumps"] == 0


def test_someone_who_comes_later_is_seen_and_all_is_the_same_each_time(
    tmp_path: Path, people: dict[str, Picture], landmarker: Path
) -> None:
    """The second face is found by the look after 2 s; then all is looked at again."""
    scene: Scene = {
        "a": lambda t: (300, 360, 280),
        "b": lambda t: (720, 360, 380) if 30 <= t < 55 else None,
    }
    path = film(tmp_path / "a.mp4", people, scene, 60)
    seen = watch(path, landmarker, "longest")
    assert seen.valid_T.all()
    assert away(seen, scene["a"]).max() < 0.15
    assert set(seen.faces_T[:30]) == {1}
    assert set(seen.faces_T[32:54]) == {2}
    assert set(seen.faces_T[57:]) == {1}
    assert_equal(watch(path, landmarker, "longest"), seen)


def test_one_face_is_what_a_plain_landmarker_sees_bit_by_bit(landmarker: Path) -> None:
    path = ROOT / "data/raw/demo/clips/1.mp4"
    seen = watch(path, landmarker, "center")
    with Landmarker(landmarker.read_bytes(), 1) as plain:
        for number, time, picture in Clip(path, FPS).frames():
            assert picture is not None
            (face,) = plain.look(picture, round(time * 1000))
            np.testing.assert_array_equal(seen.landmarks_TPC[number], face.landmarks_PC)
            np.testing.assert_array_equal(seen.blendshapes_TB[number], face.blendshapes_B)
            np.testing.assert_array_equal(seen.pose_T44[number], face.pose_44)
    assert len(seen.times_T) == number + 1
    assert_equal(watch(path, landmarker, "longest"), seen)  # with one face, rules change nothing

"""From frames to a trajectory: with the real decoder, and faces as a test says they are seen."""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import av
import cv2
import numpy as np
import pytest

from facewave.landmarks.engines.engine import Face, Sighting
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory
from facewave.video import Clip
from making import SETTINGS, write_video
from running import ROOT
from trajectories import NAMES, assert_equal

DEMO_CLIP = ROOT / "data/raw/demo/clips/1.mp4"
FPS = 25.0  # of pictures
BLOCKS = ("sharpness_T", "landmarks_TPC", "blendshapes_TB", "pose_T44")  # NaN without a face


@dataclass
class Seen:
    """What the fake landmarker sees and was shown."""

    tracks: list[tuple[int, ...]] = field(default_factory=list)  # in each picture; later, the first
    marks: list[int] = field(default_factory=list)  # milliseconds of the last clip's pictures
    asked: list[tuple[str, bytes, bool, None]] = field(default_factory=list)  # for each clip
    # Where the face of each track is, from left top to right bottom; of others, as of the first.
    places: dict[int, tuple[float, float]] = field(default_factory=lambda: {0: (0.1, 0.3)})


@pytest.fixture
def detecting() -> ModuleType:
    from facewave.landmarks import detect

    return detect


@pytest.fixture
def seen(detecting: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Faces whose blendshapes tell the picture and the track, in place of the landmarker's."""
    seen = Seen()

    class Landmarker:
        def __init__(self, *asked: Any) -> None:
            seen.asked.append(asked)
            seen.marks.clear()
            self.names: tuple[str, ...] = ()

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def look(self, picture: Any, milliseconds: int) -> list[Sighting]:
            assert picture.dtype == np.uint8
            t = len(seen.marks)
            seen.marks.append(milliseconds)
            return [self.sighting(t, i) for i in (*seen.tracks, *[(0,)] * 100)[t]]

        def sighting(self, t: int, track: int) -> Sighting:
            self.names = NAMES
            points = np.random.default_rng(t).uniform(size=(478, 3)).astype(np.float32)
            points[:2] = ((0, 0, 0), (1, 1, 0))
            start, end = seen.places.get(track, seen.places[0])
            blendshapes, pose = np.full(52, t + 100 * track, np.float32), np.eye(4, dtype="f4")
            return Sighting(track, Face(start + (end - start) * points, blendshapes, pose))

    monkeypatch.setattr(detecting.engines, "landmarker", Landmarker)
    return seen


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").write_bytes(b"")
    return tmp_path / "model"


def detected(clip: Path, model: Path, **settings: Any) -> tuple[ClipFacts, Trajectory]:
    from facewave.landmarks.detect import detect

    detection = detect(clip, model, FPS, replace(SETTINGS, **settings))
    (person,) = detection.people
    return detection.facts, person.trajectory()


def test_what_is_no_video_or_truncated_says_so(seen: Seen, model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"just text")
    (tmp_path / "empty").mkdir()
    for name, problem in {"a.mp4": "not a video", "empty": "a folder without pictures"}.items():
        facts, trajectory = detected(tmp_path / name, model)
        assert facts.problem.startswith(problem)
        assert_equal(trajectory, EMPTY)
    whole = DEMO_CLIP.read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: whole.index(b"mdat") + 4])  # its header alone
    facts, trajectory = detected(tmp_path / "a.mp4", model)
    assert facts.problem == "no frame can be decoded (h264)"
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])  # its header lies in front
    facts, full = detected(tmp_path / "a.mp4", model)
    assert 0 < len(full.times_T) < 0.9 * facts.declared_frames
    assert facts.problem == (
        f"truncated: {len(full.times_T)} of {facts.declared_frames} frames can be decoded"
    )
    again, some = detected(tmp_path / "a.mp4", model, fps=5.0)
    assert again == facts  # all of it was decoded
    _, first = np.unique(np.floor(full.times_T * 5 + 1e-6), return_index=True)
    np.testing.assert_array_equal(some.frames_T, first)
    np.testing.assert_array_equal(some.times_T, full.times_T[first])


@pytest.mark.usefixtures("seen")
def test_fewer_frames_than_the_header_counts_are_no_truncation_if_the_time_is_right(
    model: Path, tmp_path: Path, detecting: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with av.open(tmp_path / "a.mkv", "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in [*range(12), *range(12, 60, 6)]:  # later most frames are left out
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * i, np.uint8))
            frame.pts, frame.time_base = i, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    facts, trajectory = detected(tmp_path / "a.mkv", model)
    assert len(trajectory.times_T) == 20
    assert facts.declared_frames > 40  # what the header makes of its duration
    assert facts.problem == ""

    class Slow(Clip):  # all frames of the header are there: only its frame rate is wrong
        def __init__(self, path: Path, fps: float) -> None:
            super().__init__(path, fps)
            self.fps /= 2

    monkeypatch.setattr(detecting, "Clip", Slow)
    assert detected(DEMO_CLIP, model)[0].problem == ""


def test_each_frame_has_its_number_time_face_and_sharpness(
    seen: Seen, model: Path, detecting: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen.tracks = [()] * 100
    facts, trajectory = detected(DEMO_CLIP, model)  # of somebody who is never seen
    assert (facts.problem, trajectory.names) == ("", ())
    assert not trajectory.valid_T.any()
    assert not trajectory.faces_T.any()
    for name in BLOCKS:
        assert np.isnan(getattr(trajectory, name)).all()
    seen.tracks = [(0,), (), (1,), (1,), (), *[(2,)] * 100]
    facts, trajectory = detected(DEMO_CLIP, model)
    n_frames = facts.declared_frames
    assert trajectory.frames_T.tolist() == list(range(n_frames))
    assert trajectory.valid_T.tolist() == [t not in (1, 4) for t in range(n_frames)]
    assert (trajectory.faces_T == trajectory.valid_T).all()
    there = np.flatnonzero(trajectory.valid_T)
    track = np.digitize(there, [2, 5])
    np.testing.assert_array_equal(trajectory.blendshapes_TB[there, 0], there + 100 * track)
    for name in BLOCKS:
        assert np.isnan(getattr(trajectory, name)[[1, 4]]).all()
    assert np.isfinite(trajectory.landmarks_TPC[there]).all()
    sharp = np.flatnonzero(np.isfinite(trajectory.sharpness_T))
    assert sharp[:3].tolist() == [0, 2, 5]  # when a track begins,
    assert set(np.diff(sharp[2:])) <= {5, 6}  # and five times a second
    assert (trajectory.sharpness_T[sharp] > 0).all()
    assert seen.marks == [round(1000 * time) for time in trajectory.times_T]

    class Late(Clip):
        def _read(self) -> Generator[float]:
            yield from (5 + time for time in super()._read())

    monkeypatch.setattr(detecting, "Clip", Late)
    late = detected(DEMO_CLIP, model)[1]  # time is counted from the first frame
    np.testing.assert_allclose(late.times_T, trajectory.times_T, atol=1e-9)

    class Quick(Clip):
        def frames(self, rate: float = np.inf) -> Generator[Any]:
            yield from (frame._replace(time=i * 1e-4) for i, frame in enumerate(super().frames()))

    monkeypatch.setattr(detecting, "Clip", Quick)
    detected(DEMO_CLIP, model)
    assert seen.marks == list(range(len(seen.marks)))  # the landmarker wants them to increase


def test_everybody_has_a_trajectory_and_a_rule_chooses_among_them(
    seen: Seen, model: Path, detecting: ModuleType
) -> None:
    seen.places = {0: (0.02, 0.12), 1: (0.4, 0.6), 2: (0.5, 1.0)}
    frames = {0: range(49), 2: range(4, 40), 1: range(8, 45)}  # in the order of their first frames
    seen.tracks = [tuple(i for i in (2, 0, 1) if t in frames[i]) for t in range(49)]
    settings = replace(SETTINGS, engine="mediapipe", smooth=False)
    detection = detecting.detect(DEMO_CLIP, model, FPS, settings)
    assert seen.asked == [("mediapipe", b"", False, None)]
    assert detection.names == NAMES
    center = (0.14, 0.5, 1.0)  # how near they are to it
    for person, track, near in zip(detection.people, frames, center, strict=True):
        trajectory = person.trajectory()
        assert trajectory.faces_T.tolist() == [len(tracks) for tracks in seen.tracks]
        assert np.flatnonzero(trajectory.valid_T).tolist() == list(frames[track])
        told = trajectory.blendshapes_TB[trajectory.valid_T, 0]
        np.testing.assert_array_equal(told, np.array(frames[track]) + 100 * track)
        corners = trajectory.landmarks_TPC[frames[track][0], :2, 0]
        assert corners == pytest.approx(seen.places[track])
        assert person.prominence["longest"] == len(frames[track])
        assert person.prominence["center"] == pytest.approx(near * len(frames[track]), abs=1e-4)
    for rule, number in {"longest": 0, "largest": 1, "center": 2}.items():
        assert detection.person(rule) is detection.people[number]


def test_pictures_are_frames_even_if_one_is_broken(seen: Seen, model: Path, tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for number in (3, 4, 5, 9):
        assert cv2.imwrite(f"{tmp_path}/clip/{number}.png", np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "clip/4.png").write_bytes(b"no picture")
    facts, trajectory = detected(tmp_path / "clip", model)
    assert facts == ClipFacts(FPS, 64, 48, 4)
    assert trajectory.valid_T.tolist() == [True, False, True, True]
    assert trajectory.times_T.tolist() == [0, 1 / FPS, 2 / FPS, 6 / FPS]
    facts, trajectory = detected(tmp_path / "clip/3.png", model)
    assert facts == ClipFacts(FPS, 64, 48, 1)
    assert (trajectory.times_T.tolist(), trajectory.valid_T.tolist()) == ([0.0], [True])


def test_neither_chunks_nor_the_temporary_file_change_anything(
    seen: Seen, model: Path, detecting: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen.places[1] = (0.5, 0.7)
    seen.tracks = [(0,), (0, 1), (1,), (1, 0), *[()] * 12, (1, 0)]
    detection = detecting.detect(DEMO_CLIP, model, FPS, SETTINGS)
    whole = [person.trajectory() for person in detection.people]
    assert len(whole) == 2
    monkeypatch.setattr(detecting, "CHUNK", 7)
    for memory in (1, 1 << 24):
        monkeypatch.setattr(detecting, "_IN_MEMORY", memory)
        detection = detecting.detect(DEMO_CLIP, model, FPS, SETTINGS)
        assert detection.people[0]._sightings._file._rolled == (memory == 1)
        for person, expected in zip(detection.people, whole, strict=True):
            lengths = [len(chunk.times_T) for chunk in person.chunks()]
            assert set(lengths[:-1]) == {7}
            assert sum(lengths) == len(expected.times_T)
            assert_equal(person.trajectory(), expected)
            assert_equal(person.trajectory(), expected)  # once more, from the same file


def test_the_longer_side_is_shrunk(detecting: ModuleType) -> None:
    for size, expected in (((224, 224), (64, 64)), ((90, 1000), (6, 64)), ((1000, 3), (64, 1))):
        picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        small = detecting._shrink(picture, 64)
        assert (small.shape, small.dtype.name) == ((*expected, 3), "uint8")
        assert abs(small.mean() - picture.mean()) < 4
        assert small.std() < 0.6 * picture.std()  # every pixel counts: noise is averaged
        for large in ("source", max(size), 5000):
            assert detecting._shrink(picture, large) is picture


def test_a_demo_clip_shows_a_face_the_same_each_time(landmarker: Path, tmp_path: Path) -> None:
    facts, first = detected(DEMO_CLIP, landmarker, fps=8.0)
    assert not facts.problem
    assert first.valid_T.all()
    assert (first.names[0], len(set(first.names))) == ("_neutral", 52)
    points = first.landmarks_TPC
    assert 0 < points[..., :2].min() < points[..., :2].max() < 1  # in picture widths and heights
    assert ((first.blendshapes_TB >= 0) & (first.blendshapes_TB <= 1)).all()
    np.testing.assert_allclose(first.pose_T44[:, 3], [[0, 0, 0, 1]] * len(points))
    assert_equal(detected(DEMO_CLIP, landmarker, fps=8.0)[1], first)
    write_video(tmp_path / "a.mp4", 5)
    assert not detected(tmp_path / "a.mp4", landmarker)[1].valid_T.any()

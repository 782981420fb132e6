"""The graph between the models, of which squares of one colour are the faces.

A face is a coloured square whose upper third is darker. The models that stand in for MediaPipe's
see it, as those do, only if it is upright and large enough in what they are shown.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.landmarks.engines import detector, regions
from facewave.landmarks.engines.engine import Sighting
from facewave.landmarks.engines.geometry import Canonical
from facewave.landmarks.engines.smoothing import OneEuro
from facewave.landmarks.engines.tracker import Tracker

Picture = NDArray[np.uint8]
Place = tuple[float, float, int]  # the middle of a face, and its side, in pixels
WIDTH, HEIGHT, STEP_MS = 640, 480, 40
HUES = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))
LEAST = 16  # pixels of 128 that the detector needs
SPREAD = np.random.default_rng(0).uniform(0.1, 0.9, (478, 3)).astype(np.float32)
SPREAD[:2, :2] = ((0, 0), (1, 1))  # in shares of the square
SPREAD[[33, 263], :2] = ((0.25, 0.4), (0.75, 0.4))
CANONICAL = Canonical(10 * (SPREAD[:468].astype(float) - 0.5), np.ones(468))


def scene(
    places: dict[int, Place], grey: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)
) -> Picture:
    """A picture of faces by their hues, the later ones in front."""
    picture = np.full((*size, 3), grey, np.uint8)
    for hue, (x, y, side) in places.items():
        left, top = round(x - side / 2), round(y - side / 2)
        colour = np.array(HUES[hue])
        picture[max(0, top) : top + side, max(0, left) : left + side] = 240 * colour
        picture[max(0, top) : top + side // 3, max(0, left) : left + side] = 120 * colour
    return picture


@dataclass
class Models:
    """What the models answer, and how often they were asked."""

    canonical = CANONICAL
    detection: dict[int, float] = field(default_factory=dict)  # logits by hue, else 3
    presence: dict[int, float] = field(default_factory=dict)
    mistaken: bool = False  # whether upside-down faces are taken for upright ones, but less surely
    asked: Counter[str] = field(default_factory=Counter)  # inputs of each model
    calls: Counter[str] = field(default_factory=Counter)

    def __call__(self, name: str, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self.asked[name] += len(inputs)
        self.calls[name] += 1
        if name == "blendshapes":
            assert inputs.shape[1:] == (146, 2)
            return [inputs.reshape(len(inputs), -1)[:, :52]]
        assert inputs.dtype == np.float32
        one = {"detector": self._detected, "landmarks": self._points}[name]
        return [np.stack(values) for values in zip(*map(one, inputs), strict=True)]

    def _detected(self, seen: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        assert seen.shape == (128, 128, 3)
        assert seen.min() >= -1
        answers, logits = np.zeros((896, 16), np.float32), np.full(896, -50, np.float32)
        for hue, (left, top, right, bottom), upright in faces((seen / 2 + 0.5).astype(np.float32)):
            if min(right - left, bottom - top) >= LEAST and (upright or self.mistaken):
                x, y = (left + right) / 2, (top + bottom) / 2
                eyes = [x - 5, y, x + 5, y, *[x, y] * 4]
                anchor = 128 * detector.anchors()[100 * hue]
                answers[100 * hue] = [x, y, right - left, bottom - top, *eyes]
                answers[100 * hue] -= [*anchor, 0, 0, *[*anchor] * 6]
                logits[100 * hue] = self.detection.get(hue, 3) if upright else 1
        return answers.ravel(), logits

    def _points(self, seen: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        assert seen.shape == (256, 256, 3)
        assert 0 <= seen.min() <= seen.max() <= 1
        boxes = {
            hue: 2 * np.array(box)
            for hue, box, upright in faces(seen[::2, ::2])
            if upright or self.mistaken
        }
        moved = {hue: abs(box[:2] + box[2:] - 256).max() for hue, box in boxes.items()}
        points, presence = 256 * SPREAD, -9.0
        if moved and min(moved.values()) < 100:
            hue = min(moved, key=lambda hue: moved[hue])
            left, top, right, bottom = boxes[hue]
            points = SPREAD * (right - left, bottom - top, right - left) + (left, top, 0)
            presence = self.presence.get(hue, 9.0)
        return (
            points.astype(np.float32).ravel(),
            np.array([presence], np.float32),
            np.zeros(1, "f4"),
        )


def faces(
    seen: NDArray[np.float32],
) -> Iterable[tuple[int, tuple[float, float, float, float], bool]]:
    """Hues and boxes of faces in what is seen (levels in [0, 1]), and if they are upright or not.

    Those on their side are left out.
    """
    channels = np.ascontiguousarray(np.moveaxis(seen, -1, 0))
    colour = channels - channels.min(axis=0)
    codes = np.tensordot((1, 2, 4), colour > 0.2, 1)
    counts = np.bincount(codes.ravel(), minlength=8)
    for hue, code in enumerate(HUES):
        if counts[number := int(np.dot(code, (1, 2, 4)))] >= 20:
            y, x = np.nonzero(codes == number)
            dark = colour[:, y, x].max(axis=0) < 0.7
            above = (
                ((y.min() + y.max()) / 2 - y[dark].mean()) / (np.ptp(y) + 1) if dark.any() else 0
            )
            if abs(above) > 0.2:
                yield hue, (x.min(), y.min(), x.max() + 1, y.max() + 1), above > 0


@dataclass
class Run:
    """A clip that was followed."""

    models: Models
    frames: list[list[Sighting]]

    def tracks(self) -> list[list[int]]:
        return [[sighting.track for sighting in seen] for seen in self.frames]

    def points(self, track: int) -> NDArray[np.float32]:
        """Of a track in pixels, frame by frame."""
        return np.array([
            sighting.face.landmarks_PC * (WIDTH, HEIGHT, WIDTH)
            for seen in self.frames for sighting in seen if sighting.track == track
        ])  # fmt: skip


def follow(pictures: Iterable[Picture], smooth: bool = False, **answers: Any) -> Run:
    models = Models(**answers)
    tracker = Tracker(models, smooth)
    return Run(models, [tracker.look(picture, STEP_MS * t) for t, picture in enumerate(pictures)])


def clip(n_frames: int, *where: Callable[[int], Place | None]) -> list[Picture]:
    """Pictures of faces whose places change with the frame's number."""
    everybody = [{hue: at(t) for hue, at in enumerate(where)} for t in range(n_frames)]
    return [scene({hue: at for hue, at in places.items() if at}) for places in everybody]


def middles(points_TPC: NDArray[np.float32]) -> NDArray[np.float32]:
    return (points_TPC.min(axis=1) + points_TPC.max(axis=1))[:, :2] / 2


def test_a_single_face_costs_one_look_a_frame() -> None:
    """And a detection now and then, in case that there is another."""
    run = follow(clip(51, lambda t: (200 + 3 * t, 240, 150)))  # 2 s
    assert run.tracks() == [[0]] * 51
    expected = [[200 + 3 * t, 240] for t in range(51)]
    np.testing.assert_allclose(middles(run.points(0)), expected, atol=1.5)
    assert run.models.calls["landmarks"] == run.models.calls["blendshapes"] == 51
    assert run.models.asked["landmarks"] == run.models.asked["blendshapes"] == 51
    assert run.models.calls["detector"] <= 2 + 2 / 0.5
    assert run.models.asked["detector"] <= 1.5 * (2 + 2 / 0.5)  # every other time in a tile, too
    (first,), *_ = run.frames
    assert first.face.landmarks_PC.shape == (478, 3)
    assert first.face.pose_44.shape == (4, 4)
    # Blendshapes are told from some of the points, in pixels.
    low, high = first.face.blendshapes_B.min(), first.face.blendshapes_B.max()
    assert 124 < low < high < 316


def test_a_face_that_is_lost_is_found_again_as_another_track() -> None:
    def here(t: int) -> Place | None:
        return None if 10 <= t < 13 or t == 20 else (200, 200, 120)

    run = follow(clip(30, here, lambda t: (450, 250, 150)))
    alone = follow(clip(30, here))
    tracks = [track for seen in alone.tracks() for track in seen]
    assert tracks == [0] * 10 + [1] * 7 + [2] * 9  # found in the first frame in which it is back
    assert [len(seen) for seen in alone.frames] == [here(t) is not None for t in range(30)]
    # Beside somebody who is followed it is found a little later, and that one goes on.
    assert all(run.tracks()[t].count(0) + run.tracks()[t].count(1) >= 1 for t in range(30))
    assert {len(seen) for seen in run.tracks()[10:13]} == {1}
    assert {len(seen) for seen in run.tracks()[16:20]} == {2}
    (stays,) = set(run.tracks()[0]) & set(run.tracks()[-1])
    assert all(stays in seen for seen in run.tracks())
    assert len({track for seen in run.tracks() for track in seen}) == 4


def test_who_comes_later_is_found_within_half_a_second() -> None:
    run = follow(clip(40, lambda t: (150, 200, 120), lambda t: (450, 250, 150) if t >= 8 else None))
    counts = [len(seen) for seen in run.frames]
    assert sorted(counts) == counts
    assert 1 in counts[8:9]
    assert set(counts[8 + 13 :]) == {2}
    assert all(0 in seen for seen in run.tracks())


def test_two_tracks_that_meet_end_and_go_on_as_a_new_one() -> None:
    # The second passes behind the first, and both go on.
    run = follow(clip(80, lambda t: (500 - 5 * t, 240, 120), lambda t: (100 + 5 * t, 250, 130)))
    before, after = set(run.tracks()[0]), set(run.tracks()[-1])
    assert len(before) == len(after) == 2
    assert not before & after
    assert any(len(seen) == 1 and seen[0] not in before for seen in run.tracks())
    for seen in run.frames:  # two tracks never have the same face
        spots = [sighting.face.landmarks_PC[:, :2].mean(axis=0) for sighting in seen]
        assert len(seen) < 2 or np.abs(spots[0] - spots[1]).max() > 0.05


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_small_and_turned_faces_are_searched_for_and_then_followed(turns: int) -> None:
    side = 130 if turns else 26  # of 640: 5 of the 128 pixels that the detector sees
    run = follow(
        np.rot90(picture, turns).copy()
        for picture in clip(76, lambda t: (250 + t, 150, side))  # 3 s
    )
    assert run.tracks() == [[0]] * 76
    asked, views = run.models.asked, regions.views(WIDTH, HEIGHT)
    assert asked["landmarks"] == asked["blendshapes"] == 76
    found_in = 1 if turns else 4  # of the levels
    searched = sum(map(len, views[: found_in + 1]))
    again = len(views[found_in]) * (1 + 3 / max(0.5, 0.04 * len(views[found_in])))
    assert searched < asked["detector"] <= searched + len(views[0]) + again
    for t in (0, 75):
        size = np.array([WIDTH, HEIGHT] if turns % 2 == 0 else [HEIGHT, WIDTH])
        points = run.frames[t][0].face.landmarks_PC[:, :2] * size
        eyes = points[263] - points[33]
        expected = complex(side / 2, 0) * (-1j) ** turns  # the y axis points down
        np.testing.assert_allclose(eyes, [expected.real, expected.imag], atol=4)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_face_that_looks_like_one_upside_down_as_well_is_the_surer_one(turns: int) -> None:
    pictures = [np.rot90(scene({0: (250 + t, 150, 130)}), turns).copy() for t in range(8)]
    height, width = pictures[0].shape[:2]
    for logit in (3.0, 1.4):  # a score of 0.80; upside down it is 0.73
        run = follow(pictures, detection={0: logit}, mistaken=True)
        assert len({track for (track,) in run.tracks()}) == 1
        points = run.frames[-1][0].face.landmarks_PC * (width, height, 1)
        expected = complex(65, 0) * (-1j) ** turns
        np.testing.assert_allclose(
            (points[263] - points[33])[:2], [expected.real, expected.imag], atol=2
        )
        if not turns:  # an upright face that is unsure costs four more detections, once
            assert run.models.asked["detector"] <= 3 + 4 * (logit < 3)


def test_an_unsure_face_is_not_taken_for_the_one_beside_it() -> None:
    there = [scene({0: (250, 240, 120)})] * 3 + [
        scene({0: (250, 240, 120), 1: (400, 240, 120)})
    ] * 15
    run = follow(there, detection={1: 1.5})
    assert [len(seen) for seen in (run.frames[0], run.frames[-1])] == [1, 2]
    assert len(follow(there[-1:], detection={1: 1.5}).frames[0]) == 2


def test_pictures_without_faces_cost_hardly_more_than_a_detection_each() -> None:
    run = follow([scene({}, 90)] * 151)  # 6 s
    assert run.tracks() == [[]] * 151
    assert run.models.calls.keys() == {"detector"}
    searched = sum(map(len, regions.views(WIDTH, HEIGHT)))
    # A detector's view takes a fifth of the time that following a face in a frame takes.
    assert 151 + searched <= run.models.asked["detector"] < 151 + 6 / 0.04 + searched


def test_a_cut_ends_all_tracks() -> None:
    places: dict[int, Place] = {0: (200, 200, 120), 1: (450, 250, 150)}
    run = follow([scene(places)] * 5 + [scene(places, grey=190)] * 5)
    assert [sorted(seen) for seen in run.tracks()] == [[0, 1]] * 5 + [[2, 3]] * 5
    drift = follow(scene(places, grey=10 * t) for t in range(10))
    assert [sorted(seen) for seen in drift.tracks()] == [[0, 1]] * 10


def test_at_most_five_are_followed() -> None:
    def place(hue: int) -> Callable[[int], Place]:
        return lambda t: (110 + 200 * (hue % 3), 130 + 200 * (hue // 3), 100 + hue)

    run = follow(clip(9, *map(place, range(6))))
    assert run.tracks() == [[0, 1, 2, 3, 4]] * 9
    assert run.models.asked["landmarks"] == 5 * 9
    assert run.models.calls["landmarks"] == run.models.calls["blendshapes"] == 9
    # Of six the surest of the detector's are taken: here all but the first.
    sure = follow(clip(1, *map(place, range(6))), detection={0: 1.0, 3: 2.0, 4: 4.0})
    there = np.concatenate([middles(sure.points(track)) for track in range(5)])
    expected = [place(hue)(0)[:2] for hue in (4, 1, 2, 5, 3)]
    np.testing.assert_allclose(there, expected, atol=2)


def test_a_single_face_may_be_unsure_but_one_of_several_may_not() -> None:
    """The detector at 0.5 and 0.7 (logits 0.1 and 0.9), presence at 0.5 and 0.9 (0.1 and 2.2)."""
    pictures = clip(4, lambda t: (200, 200, 120), lambda t: (450, 250, 150) if t else None)
    cases: tuple[tuple[dict[str, Any], set[int]], ...] = (
        ({"detection": {1: 0.8}}, {1}),
        ({"detection": {1: 0.9}}, {1, 2}),
        ({"presence": {1: 2.1}}, {1}),
        ({"presence": {1: 2.3}}, {1, 2}),
        ({"detection": {0: 0.1}, "presence": {0: 0.1}}, {1, 2}),
        ({"detection": {0: -0.1, 1: -0.1}}, {0}),
        ({"presence": {0: -0.1, 1: -0.1}}, {0}),
    )
    for answers, counts in cases:
        run = follow(pictures, **answers)
        assert {len(seen) for seen in run.frames} == counts, answers
    small = clip(1, lambda t: (250, 150, 26))
    assert follow(small, presence={0: 2.1}).tracks() == [[]]
    assert follow(small, presence={0: 2.3}).tracks() == [[0]]


def test_each_face_is_smoothed_for_itself_or_not_at_all() -> None:
    def jitters(x: float, seed: int) -> Callable[[int], Place | None]:
        moves = np.random.default_rng(seed).integers(-3, 4, 40).cumsum()
        return lambda t: (x + moves[t], 240, 120 + 10 * seed)

    def first(t: int) -> Place | None:
        return jitters(160, 1)(t) if t != 20 else None

    pictures = clip(40, first, jitters(460, 2))
    raw, smooth = (follow(pictures, smooth=smooth) for smooth in (False, True))
    assert raw.tracks() == smooth.tracks()  # what is smoothed is not where a face is looked for
    assert len({track for seen in raw.tracks() for track in seen}) == 3
    for track in range(3):
        frames = [t for t, seen in enumerate(raw.tracks()) if track in seen]
        smoothing = OneEuro()
        expected = np.array([
            smoothing(points, STEP_MS * t)
            for t, points in zip(frames, raw.points(track).astype(np.float32), strict=True)
        ])  # fmt: skip
        np.testing.assert_allclose(smooth.points(track), expected, atol=1e-3)
        assert np.abs(smooth.points(track) - raw.points(track)).max() > 0.5

"""The quality of a clip, measure by measure and limit by limit."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from facewave import params, pictures
from facewave.landmarks import quality
from facewave.landmarks.follow import Spot
from facewave.landmarks.schema import BLENDSHAPES, MEASURES, POINTS, ClipFacts, Trajectory, blank
from making import SETTINGS, chunked
from trajectories import random_trajectory

FACTS = ClipFacts(fps=10.0, width=200, height=100, declared_frames=50)


def made(valid: str, faces: str = "", at: Any = None, turned: Any = None) -> Trajectory:
    """A clip at 10 frames a second.

    Args:
        valid: a character a frame: ``x`` the face is there, ``-`` it is not.
        faces: how many there are; if empty, one where it is there.
        at: the face's middle in each frame, in pixels; it is 40 x 40 pixels.
        turned: yaw, pitch and roll in each frame, in degrees.
    """
    n_frames = len(valid)
    there = np.array([letter == "x" for letter in valid], bool)
    middle = np.array([(100.0, 50.0)] * n_frames if at is None else at).reshape(-1, 2)
    spread = np.random.default_rng(0).uniform(-1, 1, (POINTS, 2)) * 20
    spread[:2] = (-20, -20), (20, 20)
    clip = replace(
        blank(n_frames),
        times_T=np.arange(n_frames) / 10,
        valid_T=there,
        faces_T=np.array([int(n) for n in faces] if faces else there, np.int16),
    )
    clip.landmarks_TPC[..., :2] = (middle[:, None] + spread) / (FACTS.width, FACTS.height)
    clip.landmarks_TPC[..., 2] = 0
    clip.blendshapes_TB[:] = 0.5 + 0.1 * np.sin(np.arange(n_frames))[:, None]
    clip.sharpness_T[:] = 10
    clip.pose_T44[:] = np.eye(4)
    if turned is not None:
        signed = np.array(turned, float) * (1, -1, 1)
        clip.pose_T44[:, :3, :3] = Rotation.from_euler("YXZ", signed, degrees=True).as_matrix()
    for name in ("landmarks_TPC", "blendshapes_TB", "sharpness_T", "pose_T44"):
        getattr(clip, name)[~there] = np.nan
    return clip


def measured(clip: Trajectory, start: float = math.nan, end: float = math.nan) -> dict[str, float]:
    return quality.measure(quality.frames_of(clip, FACTS), start, end)


def test_a_flawless_clip_has_all_measures_in_their_order() -> None:
    flawless = dict.fromkeys(MEASURES, 0) | {"frames": 20, "face_frames": 20, "face_share": 1}
    flawless |= {"duration": 2, "face_px": 40, "sharpness": 10}
    assert list(measured(made("x" * 20)).items()) == list(flawless.items())
    assert set(MEASURES) == set(get_args(params.Measure))


def test_of_nothing_nothing_is_measured() -> None:
    unknown = {"face_px", "sharpness", "yaw", "pitch", "roll", "still"}
    for name, value in quality.measure(quality.NONE).items():
        assert math.isnan(value) if name in unknown else value == 0, name
    counted = {"frames": 5, "duration": 0.5, "longest_gap": 0.5, "others_share": 0.2}
    for name, value in measured(made("-----", faces="00200")).items():
        assert math.isnan(value) if name in unknown else value == counted.get(name, 0), name
    others = measured(made("xx----xxxx", faces="1310021111"))["others_share"]
    assert others == 0.2  # beside the followed face they do not count


@example("xxxxxx----")
@example("-x--x-----")
@example("----x-----")
@example("-----x----")
@given(st.text("x-", min_size=1, max_size=40))
def test_gap_and_shares_by_counting(valid: str) -> None:
    found = measured(made(valid))
    longest = max(map(len, valid.split("x")))
    assert found["longest_gap"] == pytest.approx(longest / 10 if len(valid) > 1 else 0)
    assert found["face_frames"] == valid.count("x")
    assert found["face_share"] == pytest.approx(valid.count("x") / len(valid), abs=5e-5)
    assert found["longest_gap"] <= found["duration"]
    uneven = replace(made("xxx-xx"), times_T=np.array([0.0, 0.1, 0.2, 0.3, 1.5, 1.6]))
    assert measured(uneven)["longest_gap"] == pytest.approx(1.2)  # seconds


@given(
    n_frames=st.integers(8, 40),  # so that the hole is not the usual step
    at=st.integers(1, 39),
    hole=st.floats(0.6, 4000.0),
    unseen=st.sets(st.integers(0, 39)),
)
def test_a_hole_in_time_is_a_gap(n_frames: int, at: int, hole: float, unseen: set[int]) -> None:
    at = min(at, n_frames - 1)
    valid = "".join("-" if frame in unseen else "x" for frame in range(n_frames))
    clip = made(valid)
    before = measured(clip)["longest_gap"]
    times_T = clip.times_T + np.where(np.arange(n_frames) >= at, hole, 0.0)
    gap = measured(replace(clip, times_T=times_T))["longest_gap"]
    if clip.valid_T.any():
        assert max(before, hole) - 1e-3 <= gap <= before + hole + 1e-3
    slow = measured(replace(clip, times_T=clip.times_T * 100))  # a slow clip has no holes
    assert slow["longest_gap"] == pytest.approx(100 * before, abs=0.01)


def test_numbers_of_pictures_that_leap_are_a_gap() -> None:
    names = [Path(f"{number}.jpg") for number in (*range(7), *range(1007, 1014))]
    clip = replace(made("x" * 14), times_T=np.array(pictures.times(names, 25.0)))
    assert measured(clip)["longest_gap"] == pytest.approx(1001 / 25 - 1 / 25)
    dates = [Path(f"202401{day}.jpg") for day in range(10, 32)]
    dates += [Path(f"202402{day}.jpg") for day in range(10, 20)]
    clip = replace(made("x" * 32), times_T=np.array(pictures.times(dates, 25.0)))
    assert measured(clip)["longest_gap"] == pytest.approx((79 - 1) / 25)


def test_a_span_of_days_is_refused() -> None:
    clip = made("x" * 10)
    days = replace(clip, times_T=clip.times_T + np.where(np.arange(10) > 4, 3 * 86_400.0, 0.0))
    reason = quality.judge(measured(days), "", SETTINGS)
    assert reason.startswith("its frames span 3 days: their times, or the numbers of pictures")


def test_moves_by_more_than_half_the_faces_size_are_jumps() -> None:
    x = np.array([100, 119, 100, 121, 121, 100, 100], float)
    assert measured(made("x" * 7, at=np.stack([x, np.full(7, 50)], axis=1)))["jumps"] == 2
    y = np.array([50, 50, 30.5, 50, 71, 71, 71])
    assert measured(made("x" * 7, at=np.stack([np.full(7, 100), y], axis=1)))["jumps"] == 1
    at = np.stack([np.repeat([50.0, 150.0], [4, 2]), np.full(6, 50)], axis=1)
    assert measured(made("xx--xx", at=at))["jumps"] == 1  # over a gap too
    assert measured(made("xxxx--", at=at))["jumps"] == 0


def test_blendshapes_that_stand_still_are_counted() -> None:
    clip = made("xxxx-xx")
    clip.blendshapes_TB[:, 7] = 0.3
    clip.blendshapes_TB[:, 9] = 0.3 + np.arange(7) * 1e-4
    clip.blendshapes_TB[:, 11] = 0.3 + np.arange(7) * 1e-3
    clip.blendshapes_TB[4] = np.nan
    assert measured(clip)["still"] == 2
    clip.blendshapes_TB[:] = 0
    assert measured(clip)["still"] == BLENDSHAPES


def test_size_and_sharpness_are_the_medians_of_the_frames_that_have_them() -> None:
    clip = made("x" * 5)
    clip.landmarks_TPC[4, :, :2] *= 3  # one frame is far off
    assert measured(clip)["face_px"] == 40
    clip.landmarks_TPC[..., 0] *= 2
    assert measured(clip)["face_px"] == pytest.approx(40 * math.sqrt(2), abs=1e-3)
    clip = made("xxx-x")
    clip.sharpness_T[:] = [1, 5, 6, np.nan, 100]
    assert measured(clip)["sharpness"] == 5.5
    clip.sharpness_T[0] = np.nan  # the followed face's centre may leave the picture for a frame
    assert measured(clip)["sharpness"] == 6


def test_angles_are_the_95th_percentile_whatever_the_side() -> None:
    for axis, name in enumerate(("yaw", "pitch", "roll")):
        for sign in (1, -1):
            turned = np.zeros((101, 3))
            turned[:, axis] = sign * np.arange(101) * 0.4
            found = measured(made("x" * 101, turned=turned))
            expected = dict.fromkeys(("yaw", "pitch", "roll"), 0.0) | {name: 38.0}
            assert {key: found[key] for key in expected} == pytest.approx(expected, abs=0.01)


def test_a_part_is_measured_by_itself() -> None:
    clip = made("--xxxx----xx", faces="001112200011", at=[(50, 50)] * 6 + [(150, 50)] * 6)
    assert measured(clip)["jumps"] == 1
    part = measured(clip, 0.2, 0.8)
    assert (part["frames"], part["face_frames"], part["duration"]) == (6, 4, 0.6)
    assert (part["longest_gap"], part["jumps"]) == (0.2, 0)
    assert part["others_share"] == pytest.approx(1 / 6, abs=1e-4)
    assert measured(clip, 0.2, 0.6)["longest_gap"] == 0
    assert measured(clip, end=0.2)["face_frames"] == 0
    assert measured(clip, start=1.0)["frames"] == 2
    assert measured(clip, 7, 9) == pytest.approx(quality.measure(quality.NONE), nan_ok=True)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 99))
def test_chunk_by_chunk_is_the_same_as_whole(n_frames: int, size: int, seed: int) -> None:
    clip = random_trajectory(n_frames, seed)
    whole = quality.frames_of(clip, FACTS)
    parts = np.concatenate([quality.frames_of(chunk, FACTS) for chunk in chunked(clip, size)])
    for name in whole.dtype.names or ():
        np.testing.assert_array_equal(parts[name], whole[name])
    np.testing.assert_equal(quality.measure(parts), quality.measure(whole))


def test_where_a_face_is() -> None:
    points = np.zeros((POINTS, 3), np.float32)
    points[0], points[1] = (0.25, 0.5, 9), (0.75, 0.7, -9)
    points[2:] = 0.5, 0.6, 0
    found = quality.spot(points, 200, 100)
    assert found == pytest.approx((100, 60, math.sqrt(100 * 20)), rel=1e-6)
    assert all(np.isnan(quality.spot(points * np.nan, 200, 100)))


def test_sharpness_is_of_the_face_alone_whatever_its_number_of_pixels() -> None:
    fine = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)  # of every size
    at_side = {
        side: cv2.resize(fine, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        for side in (100, 256, 400, 800, 1600)
    }
    textured, plain = at_side[400], np.full((400, 400, 3), 128, np.uint8)
    blurred = [cv2.GaussianBlur(textured, (0, 0), sigma).astype(np.uint8) for sigma in (3, 6, 12)]
    found = [quality.sharpness(picture, Spot(200, 200, 300)) for picture in (textured, *blurred)]
    assert all(a > 1.5 * b for a, b in pairwise(found))
    by_size = [
        quality.sharpness(picture, Spot(side / 2, side / 2, 0.75 * side))
        for side, picture in at_side.items()
        if side > 100
    ]
    assert max(by_size) < 1.35 * min(by_size)
    plain[150:250, 150:250] = at_side[100]
    assert quality.sharpness(plain, Spot(200, 200, 90)) > 5
    assert quality.sharpness(plain, Spot(60, 60, 90)) == 0
    for face in (Spot(0, 0, 100), Spot(400, 200, 100), Spot(200, 200, 3000)):  # over the edge
        assert quality.sharpness(textured, face) > 1, face
    outside = (Spot(-200, 50, 100), Spot(50, 900, 100), Spot(600, -300, 100), Spot(200, 200, 0))
    for face in outside:
        assert math.isnan(quality.sharpness(textured, face)), face


def judged(clip: Trajectory, problem: str = "", **limits: Any) -> str:
    return quality.judge(measured(clip), problem, replace(SETTINGS, **limits))


def test_a_problem_comes_first_then_limits_below_and_above() -> None:
    share = "(share of the frames with the followed face)"
    for frames, faces, reason in (
        (50, 15, ""),
        (50, 14, f"face_share is 0.28, less than 0.3 {share}"),
        (9, 9, "face_frames is 9, less than 10 (frames with the followed face)"),
        (10, 10, ""),
        (50, 0, "no face in any frame"),
        (0, 0, "no face in any frame"),
    ):
        assert judged(made("x" * faces + "-" * (frames - faces))) == reason
    clip = made("x" * 9 + "--" + "x" * 9)
    gap = f"longest_gap is 0.2, more than 0.19 ({MEASURES['longest_gap']})"
    assert judged(clip, at_most={"longest_gap": 0.2}) == ""
    assert judged(clip, at_most={"longest_gap": 0.19}) == gap
    assert judged(clip, at_most={"jumps": 0, "frames": 1}).startswith("frames is 20, more than 1")
    small = replace(clip, landmarks_TPC=clip.landmarks_TPC * np.float32(0.7))
    assert judged(small).startswith("face_px is 28, less than 32")
    assert judged(small, at_least={"face_px": 28.0}) == ""
    assert judged(made("x" + 30 * "-"), at_least={}, at_most={}) == ""
    clip.sharpness_T[:] = np.nan  # what is not known keeps no limit
    for section in ("at_least", "at_most"):
        limits: Any = {"at_least": {}, "at_most": {}} | {section: {"sharpness": 5.0}}
        assert judged(clip, **limits).startswith("sharpness is not known")
    assert judged(clip, "truncated") == judged(made("-"), "truncated") == "truncated"

"""Recordings spliced from clips: who is seen when, and what the default model answers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import splicing
from facewave import params, pool
from facewave.app import predict
from facewave.app.models import choose
from facewave.app.timeline import kept, parts
from facewave.app.timeline.answer import Options, answer
from facewave.app.timeline.recording import Kept, follow
from facewave.app.timeline.stretches import in_sight, stretches
from facewave.errors import UserError
from facewave.params import Params
from running import ROOT

SETTINGS: Params = params.load(ROOT / "params.yaml")
# The demo's faces are all one woman's: in clip 5 before another wall, so they are two people.
ONE, OTHER = "2", "5"
CUTS = (35, 103, 138)  # of ONE, OTHER, ONE, OTHER
NEAR = 2  # frames


@pytest.fixture(scope="module")
def spliced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people in four shots, 206 frames, 8.24 s."""
    folder = tmp_path_factory.mktemp("spliced")
    pictures = [
        picture
        for name in (ONE, OTHER, ONE, OTHER)
        for picture in splicing.pictures_of(splicing.DEMO / f"{name}.mp4")
    ]
    return splicing.write(folder / "two.mp4", pictures)


@pytest.fixture(scope="module")
def followed(spliced: Path, landmarker: Path) -> Kept:
    return follow(spliced, 25, SETTINGS, progress=False)


def numbers_of(table: pd.DataFrame) -> np.ndarray:
    named = [name for name in table if name.startswith(("p_", "predicted_v", "predicted_a"))]
    return table[named].to_numpy(float)


def test_shots_and_people_are_found(followed: Kept) -> None:
    assert np.abs(followed.shots["first"].to_numpy()[1:] - CUTS).max() <= NEAR
    assert followed.shots["end"].iloc[-1] == pytest.approx(followed.duration) == 206 / 25
    assert (followed.shots["start"].to_numpy()[1:] == followed.shots["end"].to_numpy()[:-1]).all()
    tracks = followed.tracks
    assert tracks["person"].tolist() == [1, 0, 1, 0]  # OTHER is longer in sight
    firsts, lasts = np.array([0, *CUTS]), np.array([*CUTS, 206]) - 1
    assert np.abs(tracks["first"] - firsts).max() <= NEAR
    assert np.abs(tracks["last"] - lasts).max() <= NEAR
    assert followed.people["tracks"].tolist() == [2, 2]
    assert followed.people["seen_s"].tolist() == pytest.approx([136 / 25, 70 / 25], abs=0.2)
    seen = followed.trajectory(1, 1.0, 5.0)
    assert (seen.times_T[0], len(seen.times_T)) == (1.0, 100)
    assert seen.valid_T.sum() == pytest.approx((35 - 25) + (125 - 103), abs=2 * NEAR)


def test_windows_inside_a_clip_say_what_its_own_answer_says(
    followed: Kept, encoder: Path, landmarker: Path
) -> None:
    timeline = answer(followed, choose(None), Options(window=0.8, hop=0.2, smooth=0), SETTINGS)
    ends = (0, *CUTS, 206)
    alike = []
    for name in (ONE, OTHER):
        clip = splicing.DEMO / f"{name}.mp4"
        _, tables = predict.ask([clip], predict.Options(window=0.8, hop=0.2))
        (own,) = tables
        for shot in range(4):
            inside = timeline.windows[
                (timeline.windows["start"] >= ends[shot] / 25)
                & (timeline.windows["end"] <= ends[shot + 1] / 25)
                & timeline.windows["usable"]
            ]
            if (shot % 2 == 0) == (name == ONE):
                assert len(inside) > 0
                alike += [word in set(own["predicted"]) for word in inside["predicted"]]
    assert len(alike) >= 8
    assert np.mean(alike) > 0.8


def test_the_whole_and_windows_of_a_clip_of_one_person_are_those_of_predict(
    landmarker: Path, encoder: Path, tmp_path: Path
) -> None:
    """Of a demo clip and, where there are any, a real one."""
    real = os.environ.get("FACEWAVE_TEST_CLIPS")
    clips = [splicing.DEMO / "10.mp4"]
    clips += [Path(real) / "liveportrait_d11.mp4"] if real else []
    model = choose(None)
    for clip in clips:
        _, (own,) = predict.ask([clip], predict.Options())
        timeline = answer(
            follow(clip, 25, SETTINGS, progress=False), model, Options(smooth=0), SETTINGS
        )
        np.testing.assert_allclose(numbers_of(timeline.whole), numbers_of(own.head(1)), atol=1e-6)
        parts_of_it = own.iloc[1:] if len(own) > 1 else own  # a short clip is one window
        assert len(timeline.windows) == len(parts_of_it)
        np.testing.assert_allclose(numbers_of(timeline.windows), numbers_of(parts_of_it), atol=1e-6)
        assert timeline.windows["predicted"].tolist() == parts_of_it["predicted"].tolist()


def test_boundaries_of_parts_change_next_to_nothing(
    spliced: Path, followed: Kept, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker begins anew there, so answers may differ by a little; all else is the same."""
    monkeypatch.setattr(parts, "LENGTH_S", 1.9)
    divided = follow(spliced, 25, SETTINGS, progress=False)
    assert len(followed.files) == 1
    assert len(divided.files) >= 4
    for name in ("shots", "people", "tracks"):
        pd.testing.assert_frame_equal(
            getattr(divided, name), getattr(followed, name), atol=0.1, obj=name
        )
    for person in (0, 1):
        one, other = (made.trajectory(person, 0, 9) for made in (followed, divided))
        np.testing.assert_array_equal(one.times_T, other.times_T)
        np.testing.assert_array_equal(one.frames_T, other.frames_T)
        assert (one.valid_T == other.valid_T).mean() > 0.97
        (first,), (again,) = (list(made.faces(person, 0, 9)) for made in (followed, divided))
        np.testing.assert_array_equal(first.frames_F, again.frames_F)
    told = [
        answer(made, choose(None), Options(window=1.2, hop=0.4), SETTINGS)
        for made in (followed, divided)
    ]
    away = np.abs(numbers_of(told[0].windows) - numbers_of(told[1].windows))
    assert np.nanmax(away) < 0.05


def test_a_killed_run_goes_on_with_the_parts_that_are_missing(
    spliced: Path, landmarker: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import sys; from pathlib import Path; from facewave import params\n"
        "from facewave.app.timeline import parts, recording\n"
        "parts.LENGTH_S = 0.9\n"
        "recording.follow(Path(sys.argv[1]), 25, params.load(Path(sys.argv[2])))\n"
    )
    command = [sys.executable, "-c", script, str(spliced), str(ROOT / "params.yaml")]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(cache.rglob("[!.]*.npz"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {file: file.stat().st_mtime_ns for file in cache.rglob("[!.]*.npz")}
    assert len(done) >= 2
    monkeypatch.setattr(parts, "LENGTH_S", 0.9)
    resumed = follow(spliced, 25, SETTINGS, progress=False)
    assert len(done) < len(resumed.files)
    assert {file: file.stat().st_mtime_ns for file in done} == done
    assert list(cache.rglob(".*")) == []  # temporary files, which have faces in them
    assert resumed.people["tracks"].tolist() == [2, 2]

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pool, "each", refuse)  # all are there now
    follow(spliced, 25, SETTINGS, progress=False)
    next(iter(done)).write_bytes(b"")  # a damaged part is looked at again
    monkeypatch.undo()
    monkeypatch.setattr(parts, "LENGTH_S", 0.9)
    monkeypatch.setenv("FACEWAVE_CACHE", str(cache))
    follow(spliced, 25, SETTINGS, progress=False)
    assert all(kept.read(file) for file in resumed.files)


def test_what_shows_no_face_and_what_cannot_be_read(
    tmp_path: Path, landmarker: Path, encoder: Path
) -> None:
    grey = [np.full((96, 96, 3), 20 + level, np.uint8) for level in range(30)]
    empty = follow(splicing.write(tmp_path / "a.mp4", grey), 25, SETTINGS, progress=False)
    assert len(empty.people) == len(empty.tracks) == 0
    assert len(empty.shots) == 1
    timeline = answer(empty, choose(None), Options(), SETTINGS)
    assert len(timeline.windows) == len(timeline.whole) == 0
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"b\.mp4"):
        follow(tmp_path / "b.mp4", 25, SETTINGS, progress=False)


def test_nobody_is_in_sight_where_frames_are_missing(
    tmp_path: Path, landmarker: Path, encoder: Path
) -> None:
    """The tracker knows the face again after 5 s, and the pictures do not change."""
    pictures = splicing.pictures("5", 6.0)
    times_ms = [40 * at + 5000 * (at >= 75) for at in range(150)]
    seen = follow(
        splicing.write(tmp_path / "a.mp4", pictures, times_ms=times_ms), 25, SETTINGS, False
    )
    np.testing.assert_allclose(in_sight(seen, 0), [(0, 3), (8, 11)], atol=0.1)
    np.testing.assert_allclose(seen.holes, [(3, 8)], atol=0.01)
    assert seen.people["seen_s"].tolist() == pytest.approx([6], abs=0.1)
    told = answer(seen, choose(None), Options(), SETTINGS)
    reasons = told.windows.set_index("start")["reason"]
    assert reasons.index[reasons == "no frames"].tolist() == [3, 4, 5]
    assert not [row for row in stretches(told).itertuples() if row.start < 7.9 and row.end > 3.1]


def test_a_picture_is_a_window(tmp_path: Path, landmarker: Path, encoder: Path) -> None:
    (picture,) = splicing.pictures_of(splicing.DEMO / "5.mp4", 1)
    cv2.imwrite(str(tmp_path / "a.png"), picture[:, :, ::-1])
    _, (own,) = predict.ask([tmp_path / "a.png"], predict.Options())
    told = answer(
        follow(tmp_path / "a.png", 25, SETTINGS, progress=False), choose(None), Options(), SETTINGS
    )
    assert len(told.windows) == 1
    assert told.windows["reason"].tolist() == own["reason"].tolist()
    assert told.windows["predicted"].tolist() == own["predicted"].tolist()


MEMORY = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from facewave import params
from facewave.app.timeline import parts, recording
settings = params.load(Path(sys.argv[2]))
settings = replace(settings, landmarks=replace(settings.landmarks, fps=5.0))
parts.LENGTH_S = 10.0
seen = recording.follow(Path(sys.argv[1]), 25, settings, progress=False)
share = 0
for start in range(0, round(seen.duration), 10):
    share += seen.trajectory(0, start, start + 10).valid_T.sum() / seen.frames
    faces = [len(chunk) for chunk in seen.faces(0, start, start + 10)]
assert share > 0.9
print(seen.duration, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_a_recording_of_four_times_the_length_takes_hardly_more_memory(
    tmp_path: Path, landmarker: Path
) -> None:
    some = splicing.pictures_of(splicing.DEMO / "5.mp4", 60, side=160)
    peaks = []
    for times in (25, 100):  # half a minute and two; the difference is 6 MB
        path = splicing.write(
            tmp_path / f"{times}.mp4",
            (picture for _ in range(times) for picture in some[:12]),
            options={"preset": "ultrafast"}, keyframe_every=50, fps=10,
        )  # fmt: skip
        command = [sys.executable, "-c", MEMORY, str(path), str(ROOT / "params.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        seconds, peak = map(float, done.stdout.split()[-2:])
        assert seconds == pytest.approx(times * 1.2)
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 3, peaks


def test_times_that_are_uneven_are_kept(tmp_path: Path, landmarker: Path) -> None:
    pictures = splicing.pictures_of(splicing.DEMO / "5.mp4", 60)
    times_ms = np.cumsum(np.random.default_rng(0).integers(20, 90, 60)).tolist()
    path = splicing.write(tmp_path / "a.mkv", pictures, times_ms=times_ms)
    seen = follow(path, 25, SETTINGS, progress=False)
    told = seen.trajectory(0, 0, 100)
    expected = (np.array(times_ms) - times_ms[0]) / 1000
    np.testing.assert_allclose(told.times_T, expected, atol=0.0011)
    assert told.valid_T.mean() > 0.9
    shutil.rmtree(seen.files[0].parent)  # its cache is gone
    with pytest.raises(UserError, match="damaged"):
        seen.trajectory(0, 0, 1)

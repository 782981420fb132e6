"""The picture of a clip's trajectories: it shows the clip, and what K numbers keep of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewave.app.trajectories import draw
from facewave.errors import UserError
from facewave.landmarks import cache
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory
from making import SETTINGS, remember, trajectory, write_params, write_video
from running import ROOT, run

DEMO = ROOT / "data/raw/demo/clips"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the shipped trajectories: no landmarker is needed."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "data").mkdir()
    (folder / "data/trajectories").symlink_to(ROOT / "data/trajectories")
    monkeypatch.chdir(folder)
    return folder


def picture(path: Path) -> np.ndarray:
    read = cv2.imread(str(path))
    assert read is not None
    return read


def colors(drawn: np.ndarray) -> int:
    return len(np.unique(drawn.reshape(-1, 3), axis=0))


def known(path: Path, seen: Trajectory) -> Path:
    """A small video whose detections are remembered."""
    write_video(path, max(len(seen.times_T), 1))
    facts = ClipFacts(30.0, 64, 48, len(seen.times_T), "" if len(seen.times_T) else "no frame")
    remember(cache.key(path, 25, SETTINGS), seen, facts)
    return path


def test_a_demo_clip_is_drawn_without_a_landmarker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEWAVE_ASSETS", "")
    for name in ("one.png", "two.png"):
        draw(DEMO / "21.mp4", tmp_path / name, 25)
    said = capsys.readouterr().out
    assert f"{tmp_path / 'one.png'}: 29 frames, 10 numbers a trajectory" in said
    drawn = picture(tmp_path / "one.png")
    assert min(drawn.shape[:2]) > 500
    assert colors(drawn) > 5000  # stills of the clip
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_what_the_numbers_keep_follows_the_settings(project: Path, tmp_path: Path) -> None:
    drawn = {}
    for k, mode in ((2, "dct"), (20, "dct"), (20, "energy")):
        write_params(project, wavelets={"k": k, "mode": mode})
        draw(DEMO / "21.mp4", tmp_path / f"{mode}{k}.png", 25)
        drawn[mode, k] = picture(tmp_path / f"{mode}{k}.png")
    assert len({one.tobytes() for one in drawn.values()}) == 3


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (EMPTY, "a face in fewer than two frames: there is no trajectory."),
        (trajectory(8, gaps=tuple(range(8))), "a face in fewer than two frames"),
        (trajectory(8, gaps=tuple(range(1, 8))), "a face in fewer than two frames"),
    ],
    ids=["no frames", "no face", "one face"],
)
def test_without_a_trajectory_there_is_no_picture(
    tmp_path: Path, seen: Trajectory, sentence: str
) -> None:
    clip = known(tmp_path / "a.mp4", seen)
    with pytest.raises(UserError, match=f"{clip}: {sentence}"):
        draw(clip, tmp_path / "out.png", 25)
    assert list(tmp_path.glob("*out*")) == []


def test_two_faces_are_enough_and_gaps_are_no_trouble(tmp_path: Path) -> None:
    for name, gaps in (("two", tuple(range(1, 7))), ("gaps", (0, 3, 4))):
        clip = known(tmp_path / f"{name}.mp4", trajectory(8, seed=len(gaps), gaps=gaps))
        draw(clip, tmp_path / f"{name}.png", 25)
        assert colors(picture(tmp_path / f"{name}.png")) > 50


def test_a_face_that_does_not_move_is_drawn(tmp_path: Path) -> None:
    seen = trajectory(8)
    still = replace(seen, blendshapes_TB=np.zeros_like(seen.blendshapes_TB))
    draw(known(tmp_path / "a.mp4", still), tmp_path / "out.png", 25)
    assert colors(picture(tmp_path / "out.png")) > 50


def test_a_clip_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.mp4 is not here\. Name a video"):
        draw(Path("nowhere.mp4"), tmp_path / "out.png", 25)


def test_the_command_names_the_picture_by_the_clip_and_its_mistakes_are_sentences(
    project: Path, tmp_path: Path
) -> None:
    output = run(project, "facewave", "trajectories", str(DEMO / "21.mp4"))
    assert "21.trajectories.png: 29 frames" in output
    assert colors(picture(project / "21.trajectories.png")) > 5000
    output = run(project, "facewave", "trajectories", "nowhere.mp4", ok=False)
    assert output.splitlines()[-1].startswith("facewave: nowhere.mp4 is not here.")
    assert "Traceback" not in output
    assert len(output.splitlines()) == 1


@pytest.mark.usefixtures("landmarker")
def test_a_text_that_calls_itself_a_video_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(UserError, match=r"text\.mp4: "):
        draw(tmp_path / "text.mp4", tmp_path / "out.png", 25)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.usefixtures("landmarker")
def test_a_real_clip_is_detected_and_drawn(
    real_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = sorted(real_clips.glob("*_d*.mp4"), key=lambda clip: clip.stat().st_size)
    if not clips:
        pytest.skip("FACEWAVE_TEST_CLIPS has no clip of a portrait")
    draw(clips[0], tmp_path / "out.png", 25)
    assert "10 numbers a trajectory" in capsys.readouterr().out
    assert colors(picture(tmp_path / "out.png")) > 5000

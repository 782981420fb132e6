"""The plot of a clip's trajectories: it shows the clip, and what K numbers keep of it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewave.landmarks import cache
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory
from making import SETTINGS, remember, trajectory, write_params, write_video
from running import ROOT, facewave

CLIP = ROOT / "data/raw/demo/clips/21.mp4"

pytestmark = pytest.mark.usefixtures("shipped")


def drawn(path: Path, *options: str) -> np.ndarray:
    """The picture that the command writes."""
    assert facewave("trajectories", str(path), *options) == 0
    picture = cv2.imread(options[1] if options else f"{path.stem}.trajectories.png")
    assert picture is not None
    return picture


def colors(picture: np.ndarray) -> int:
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def known(path: Path, seen: Trajectory) -> Path:
    """A small video whose detections are remembered."""
    write_video(path, max(len(seen.times_T), 1))
    facts = ClipFacts(30.0, 64, 48, len(seen.times_T), "" if len(seen.times_T) else "no frame")
    remember(cache.key(path, 25, SETTINGS), seen, facts)
    return path


@pytest.mark.slow
def test_a_demo_clip_is_drawn_the_same_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    picture = drawn(CLIP)
    said = capsys.readouterr().out
    assert "21.trajectories.png: 29 frames, 10 numbers a trajectory" in said
    assert min(picture.shape[:2]) > 500
    assert colors(picture) > 200  # stills of the clip
    drawn(CLIP, "--out", "again.png")
    assert Path("21.trajectories.png").read_bytes() == Path("again.png").read_bytes()


def test_what_the_numbers_keep_follows_the_settings_if_they_can_be_turned_back(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = set()
    for k, transform, kept in ((2, "dct", 2), (7, "energy", 10)):  # 10 of an approximation
        write_params(shipped, wavelets={"k": k, "transform": transform})
        pictures.add(drawn(CLIP).tobytes())
        assert f"29 frames, {kept} numbers a trajectory" in capsys.readouterr().out
    assert len(pictures) == 2


def test_without_a_trajectory_there_is_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seen in (EMPTY, *(trajectory(8, gaps=tuple(range(start, 8))) for start in (0, 1))):
        clip = known(tmp_path / "a.mp4", seen)
        assert facewave("trajectories", str(clip), "--out", "out.png") == 2
        sentence = f"{clip}: a face in fewer than two frames: there is no trajectory."
        assert capsys.readouterr().err.endswith(f"facewave: {sentence}\n")
    assert facewave("trajectories", str(CLIP), "--out", "out.jpg") == 2
    assert not list(Path().glob("*out*"))


@pytest.mark.slow
def test_two_faces_gaps_and_a_face_that_does_not_move_are_drawn(tmp_path: Path) -> None:
    seen = trajectory(8)
    still = replace(seen, blendshapes_TB=np.zeros_like(seen.blendshapes_TB))
    for clip in (trajectory(8, gaps=tuple(range(1, 7))), trajectory(8, gaps=(0, 3, 4)), still):
        assert colors(drawn(known(tmp_path / "a.mp4", clip))) > 50

"""Some commands in processes of their own, on this machine and on real clips."""

from pathlib import Path

import pytest

from language_project import killed, second_dataset, write_project
from running import ROOT, run


def test_this_machine_is_fit() -> None:
    output = run(ROOT, "facewave", "doctor")
    for line in ("OpenCV: loads", "landmark engine: litert", "owner of cv2: opencv-contrib-python"):
        assert f"✓ {line}" in output
    assert "✗" not in output


@pytest.mark.usefixtures("landmarker", "encoder")
def test_real_clips_are_answered_and_drawn(workspace: Path, real_clips: Path) -> None:
    clips = sorted(path for path in real_clips.iterdir() if path.suffix in {".mp4", ".mov"})
    assert clips
    output = run(workspace, "facewave", "predict", *map(str, clips), ok=False)
    for clip in clips:
        assert clip.name in output
    assert output.count("no answer:") == 1  # a title
    assert "a face in 43%" in output
    portrait = min(real_clips.glob("*_d*.mp4"), key=lambda clip: clip.stat().st_size)
    output = run(workspace, "facewave", "trajectories", str(portrait), "--out", "portrait.png")
    assert "10 numbers a trajectory" in output
    assert (workspace / "portrait.png").stat().st_size > 10_000


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    output = run(tmp_path, "facewave", "predict", "nowhere.mp4", ok=False)
    assert output == (
        "facewave: nowhere.mp4 is not here. Name a video, a picture, or a folder of either.\n"
    )


def test_a_killed_description_is_resumed(tmp_path: Path) -> None:
    write_project(tmp_path)
    second_dataset(tmp_path)
    arguments = ["annotate", "demo", "--examples-of", "other", "--examples", "2"]
    track = tmp_path / "data/tracks/demo/captions.csv"
    count = killed(tmp_path, track, *arguments)
    assert 0 < count < 21
    before = track.read_bytes()
    output = run(tmp_path, "facewave", *arguments)
    assert f"has {count - count % 2} of 21 clips already" in output
    assert track.read_bytes().startswith(before)

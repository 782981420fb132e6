"""``facewave predict`` as a person runs it."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewave.app.predict import predict_all
from facewave.landmarks import cache as cache_of_detections
from facewave.landmarks.schema import ClipFacts
from facewave.video import Clip
from making import SETTINGS, remember, trained_project, trajectory
from running import run

WORDS = {"happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"}


def probabilities(output: str) -> dict[str, float]:
    return {word: float(p) for word, p in re.findall(r"^\s*(\w+)\s+([\d.]+)%", output, re.M)}


def test_a_demo_clip_needs_no_landmarker(project: Path) -> None:
    output = run(
        project, "facewave", "predict", "data/raw/demo/clips/1.mp4", env={"FACEWAVE_ASSETS": ""}
    )
    assert re.search(r"1\.mp4: \d+ frames, [\d.]+ s, a face in 100% of the frames", output)
    found = probabilities(output)
    assert set(found) == WORDS
    assert sum(found.values()) == pytest.approx(100, abs=0.5)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_fold_s_model_can_be_named(project: Path) -> None:
    clip = "data/raw/demo/clips/1.mp4"
    one = run(project, "facewave", "predict", clip, "--model", "models/trained/1/logistic")
    other = run(project, "facewave", "predict", clip, "--model", "models/trained/1/majority")
    assert probabilities(one) != probabilities(other)
    assert max(probabilities(other).values()) < 25


def test_mistakes_get_a_sentence(project: Path, tmp_path: Path) -> None:
    output = run(project, "facewave", "predict", "no.mp4", ok=False)
    assert "no.mp4 is not here. Name a video, or a folder of pictures." in output
    output = run(project, "facewave", "predict", "params.yaml", "--model", "nowhere", ok=False)
    assert "nowhere" in output
    assert "dvc repro" in output
    for text in (output, run(tmp_path, "facewave", "predict", "a.mp4", ok=False)):
        assert "Traceback" not in text
        assert len(text.splitlines()) == 1


@pytest.mark.usefixtures("landmarker")
def test_one_clip_without_an_answer_stops_no_other(project: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    clips = [str(tmp_path / "text.mp4"), "data/raw/demo/clips/93.mp4", "data/raw/demo/clips/2.mp4"]
    output = run(project, "facewave", "predict", *clips, ok=False)
    assert "cannot be opened" in output
    assert output.count("no answer") == 2
    assert set(probabilities(output)) == WORDS


@pytest.mark.usefixtures("landmarker")
def test_real_clips_run_through(project: Path, real_clips: Path) -> None:
    clips = sorted(path for path in real_clips.iterdir() if path.suffix in {".mp4", ".mov"})
    assert clips
    output = run(project, "facewave", "predict", *map(str, clips), ok=False)
    for clip in clips:
        assert clip.name in output
    assert output.count("no answer") == 2  # a title, and a full-body shot
    assert "a face in 43%" in output


@pytest.mark.usefixtures("landmarker")
def test_a_folder_of_pictures_is_a_clip_with_its_own_frame_rate(
    project: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (_, _, picture) in enumerate(
        Clip(project / "data/raw/demo/clips/1.mp4", 25).frames()
    ):
        assert picture is not None
        assert cv2.imwrite(str(folder / f"{number}.png"), picture[..., ::-1].copy())
    n = number + 1
    output = run(project, "facewave", "predict", str(folder), "--fps", "10")
    assert f"pictures: {n} frames, {n / 10:.2f} s, a face in 100% of the frames" in output
    assert set(probabilities(output)) == WORDS


@pytest.mark.parametrize("fps", ["0", "-25"])
def test_no_frame_rate_is_a_mistake_with_a_sentence(tmp_path: Path, fps: str) -> None:
    output = run(tmp_path, "facewave", "predict", str(tmp_path), f"--fps={fps}", ok=False)
    assert "fps" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("gap", "warning"),
    [
        (0, ""),
        (24, ""),
        (
            30,
            "warning: no face for 1.20 s: longer gaps than wavelets.max_gap_s (1) are not "
            "interpolated",
        ),
        (60, "warning: face_share is 0.85, less than 0.9"),
    ],
)
def test_a_gap_is_warned_about_and_answered_all_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    gap: int,
    warning: str,
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"known by its hash")
    seen = trajectory(400, seed=1, gaps=tuple(range(100, 100 + gap)))
    key = cache_of_detections.key(tmp_path / "a.mp4", 25.0, SETTINGS)
    remember(key, replace(seen, times_T=np.arange(400) / 25), ClipFacts(25.0, 640, 480, 400))
    monkeypatch.chdir(trained_project())
    assert predict_all([tmp_path / "a.mp4"], None, 25.0)
    said = capsys.readouterr().out
    assert ("warning" in said) == bool(warning)
    assert warning in said
    assert f"a face in {1 - gap / 400:.0%} of the frames" in said
    assert sum(probabilities(said).values()) == pytest.approx(100, abs=0.5)

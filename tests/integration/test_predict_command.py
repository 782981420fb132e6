"""``facewave predict`` as a person runs it: with the landmarker, and without needless imports."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from facewave import assets
from facewave.appearance.encoders import fer
from facewave.video import Clip
from making import trained_project
from running import ROOT, run

WORDS = {"happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"}


def words(output: str) -> set[str]:
    return set(re.findall(r"^\s*(\w+)\s+[\d.]+%", output, re.M))


def test_a_classifier_loads_nothing_that_it_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command starts slowly with what others need."""
    heavy = [
        *("transformers", "accelerate", "peft", "sklearn", "scipy.stats", "matplotlib"),
        *("mediapipe", "dvc", "dvclive", "distributed", "skimage"),
    ]
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from facewave.app.predict import Options, predict_all\n"
        f"assert {{'torch', *{heavy}}}.isdisjoint(sys.modules), 'before the model'\n"
        f"clip = Path({str(ROOT / 'data/raw/demo/clips/21.mp4')!r})\n"
        f"if {assets.find(fer.ASSET) is not None}: assert predict_all([clip], Options())\n"
        "assert 'torch' not in sys.modules, 'for what needs no training'\n"
        "assert predict_all([clip], Options('models/trained/split/model'))\n"
        f"assert 'torch' in sys.modules\nprint(sorted(set({heavy}) & set(sys.modules)))"
    )
    (tmp_path / "data").mkdir()
    for name in ("models", "params.yaml"):
        (tmp_path / name).symlink_to(trained_project() / name)
    (tmp_path / "data/trajectories").symlink_to(ROOT / "data/trajectories")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    output = subprocess.check_output(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True
    )
    assert output.splitlines()[-1] == "[]"


def test_mistakes_get_a_line_and_an_exit_code(project: Path) -> None:
    for arguments in (["no.mp4"], ["params.yaml", "--model", "nowhere"]):
        output = run(project, "facewave", "predict", *arguments, ok=False)
        assert "Traceback" not in output
        assert len(output.splitlines()) == 1


@pytest.mark.usefixtures("landmarker")
def test_one_clip_without_an_answer_stops_no_other(project: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    clips = [str(tmp_path / "text.mp4"), "data/raw/demo/clips/93.mp4", "data/raw/demo/clips/2.mp4"]
    output = run(project, "facewave", "predict", "--model", "demo", *clips, ok=False)
    assert "no answer: not a video" in output
    assert output.count("no answer") == 2
    assert words(output) == WORDS


@pytest.mark.usefixtures("landmarker")
def test_only_records_go_to_stdout(project: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    shutil.copy(project / "data/raw/demo/clips/2.mp4", tmp_path)
    options = ["--model", "demo", "--json"]
    process = subprocess.run(
        [sys.executable, "-m", "facewave.app.cli", "predict", *options, str(tmp_path)],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    good, bad = json.loads(process.stdout)
    assert good["answered_from"] == "face"
    assert "not a video" in bad["reason"]
    assert "UAR" in good["model"]  # stage evaluate has measured this very model
    assert process.stderr.count(good["model"]) == 1


@pytest.mark.usefixtures("landmarker", "encoder")
def test_real_clips_run_through(project: Path, real_clips: Path, tmp_path: Path) -> None:
    clips = sorted(path for path in real_clips.iterdir() if path.suffix in {".mp4", ".mov"})
    assert clips
    out = tmp_path / "answers.json"
    output = run(project, "facewave", "predict", str(real_clips), "--out", str(out), ok=False)
    for clip in clips:
        assert clip.name in output
    assert output.count("encoder fer and rules on facial actions") == 1
    assert "beware" not in output
    # A title, and a clip whose face is gone after 43 % of it.
    assert output.count("no answer: no face in any frame") == 1
    assert "a face in 43%" in output
    assert "in windows of 3 s" in output
    assert output.count("no interval for valence and arousal") == 1
    # Somebody who weeps, then laughs, by words and by numbers.
    (record,) = [r for r in json.loads(out.read_text()) if "WolfgangLanger" in r["file"]]
    valence = [window["predicted_valence"] for window in record["windows"]]
    assert max(valence[:8]) < 0.2 < 0.6 < min(valence[-8:])


@pytest.mark.usefixtures("landmarker")
def test_a_folder_of_pictures_is_a_clip_with_its_own_frame_rate(
    project: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    frames = list(Clip(project / "data/raw/demo/clips/1.mp4", 25).frames())
    for number, (_, _, picture) in enumerate(frames):
        assert picture is not None
        assert cv2.imwrite(str(folder / f"{number}.png"), picture[..., ::-1].copy())
    options = ["--model", "demo", "--fps", "10"]
    output = run(project, "facewave", "predict", str(folder), *options)
    n = len(frames)
    assert f"pictures: {n} frames, {n / 10:.2f} s, a face in 100% of the frames" in output
    assert words(output) == WORDS

"""``facewave predict`` as a person runs it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from facewave.app.predict import predict_all
from facewave.app.pseudo_label import pseudo_label
from facewave.landmarks import cache as cache_of_detections
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.prompts import answers
from facewave.video import Clip
from making import SETTINGS, remember, trained_project, trajectory
from running import run
from writing import write_model, write_project

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


# Language models.

Capture = pytest.CaptureFixture[str]
CLIP = Path("data/raw/demo/clips/003.mp4")
FACTS = ClipFacts(30.0, 64, 48, 12)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose train.model is a language model, not yet trained."""
    folder = tmp_path_factory.mktemp("made")
    write_project(folder)
    return folder


def seen_in_003() -> Trajectory:
    """What stage extract saw of this clip (writing.write_project)."""
    return trajectory(12, seed=4)


def answer(project: Path, monkeypatch: pytest.MonkeyPatch, seen: Trajectory, **model: Any) -> bool:
    write_model(project, **model)
    monkeypatch.chdir(project)
    remember(cache_of_detections.key(CLIP, 25.0, SETTINGS), seen, FACTS)
    return predict_all([CLIP], None, 25.0)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float32]]:
    """What the model gave, with all digits: of tiny models few of them differ."""
    found: list[NDArray[np.float32]] = []
    of_model = answers.probabilities

    def watched(*arguments: Any) -> NDArray[np.float32]:
        found.append(of_model(*arguments))
        return found[-1]

    monkeypatch.setattr(answers, "probabilities", watched)
    return found


@pytest.mark.parametrize("shots", [(), ("001", "002", "004")])
def test_a_language_model_says_of_a_clip_what_it_says_of_it_in_a_dataset(
    made: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    given: list[NDArray[np.float32]],
    shots: tuple[str, ...],
) -> None:
    tested = {"partition": "2"}  # its test part has the clip
    assert answer(made, monkeypatch, seen_in_003(), shots=shots, about=tested, by_length=True)
    found = probabilities(capsys.readouterr().out)
    assert set(found) == WORDS
    pseudo_label("demo", None, f"as-{len(shots)}")
    rows = pd.read_csv(f"data/tracks/demo/as-{len(shots)}.csv", dtype={"video_idx": str})
    at = rows["video_idx"].tolist().index("003")
    for word, percent in found.items():
        assert percent == pytest.approx(100 * rows[f"p_{word}"].iloc[at], abs=0.051)
    np.testing.assert_allclose(given[0][0], np.concatenate(given[1:])[at], rtol=1e-6)


def test_the_face_tokens_are_of_the_clip_s_own_numbers(
    made: Path, monkeypatch: pytest.MonkeyPatch, given: list[NDArray[np.float32]]
) -> None:
    moved = seen_in_003()
    moved.blendshapes_TB[:] = moved.blendshapes_TB[::-1].copy()
    for faces in (True, False):
        for seen in (seen_in_003(), moved):
            assert answer(made, monkeypatch, seen, faces=faces, mode="pretrain", by_length=True)
    assert not np.array_equal(given[0], given[1])
    assert np.array_equal(given[2], given[3])


def test_without_a_face_a_language_model_looks_at_the_frames(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    blind = trajectory(12, seed=4, gaps=tuple(range(12)))
    assert answer(made, monkeypatch, blind, faces=True, mode="pretrain")
    said = capsys.readouterr().out
    assert "warning: no face in any frame" in said
    assert sum(probabilities(said).values()) == pytest.approx(100, abs=0.5)
    assert not answer(made, monkeypatch, blind, faces=True, mode="pretrain", frames=0)
    assert "no answer: there is no face to judge by" in capsys.readouterr().out


def test_what_it_writes_is_no_answer_unless_it_is_a_label(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert not answer(made, monkeypatch, seen_in_003(), answers="generation")
    assert "no answer: what the model wrote is none of its labels" in capsys.readouterr().out
    monkeypatch.setattr("facewave.prompts.answers.texts", lambda *_: iter([" Sad.\n"]))
    assert predict_all([CLIP], None, 25.0)
    assert "emotion, as the model wrote it: sad" in capsys.readouterr().out


def test_a_regression_gives_its_targets(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    targets = ("valence", "score.stress")
    assert answer(made, monkeypatch, seen_in_003(), targets=targets, objective="mse", faces=True)
    found = re.findall(
        r"^\s*(valence|score\.stress)\s+(-?\d\.\d{3})\s*$", capsys.readouterr().out, re.M
    )
    assert [name for name, _ in found] == list(targets)
    assert found[0][1] != found[1][1]


def test_what_lies_beside_a_clip_is_what_the_person_says(
    made: Path, monkeypatch: pytest.MonkeyPatch, given: list[NDArray[np.float32]]
) -> None:
    beside = made / CLIP.with_suffix(".txt")
    for text in ("I am so sad", "I am so glad", ""):
        beside.write_text(text)
        assert answer(made, monkeypatch, seen_in_003(), transcript="known", by_length=True)
    beside.unlink()
    assert answer(made, monkeypatch, seen_in_003(), transcript="none", by_length=True)
    assert not np.array_equal(given[0], given[1])
    assert not np.array_equal(given[1], given[2])
    assert np.array_equal(given[2], given[3])

"""``facewave predict`` as a person runs it."""

import re
import shutil
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
from making import SETTINGS, remember, trained_project, trajectory
from running import ROOT, facewave
from writing import write_model, write_project

WORDS = {"happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"}
Capture = pytest.CaptureFixture[str]


def probabilities(output: str) -> dict[str, float]:
    return {word: float(p) for word, p in re.findall(r"^\s*(\w+)\s+([\d.]+)%", output, re.M)}


@pytest.fixture
def trained(shipped: Path) -> Path:
    """A project with trained models and the demo's shipped trajectories, which we are in."""
    for name in ("models", "params.yaml"):
        (shutil.copytree if name == "models" else shutil.copy)(trained_project() / name, name)
    return shipped


def test_a_demo_clip_needs_no_landmarker(trained: Path, capsys: Capture) -> None:
    clip = str(ROOT / "data/raw/demo/clips/1.mp4")
    assert trained.exists()
    assert facewave("predict", clip) == 0
    output = capsys.readouterr().out
    assert re.search(r"1\.mp4: \d+ frames, [\d.]+ s, a face in 100% of the frames", output)
    found = probabilities(output)
    assert set(found) == WORDS
    assert sum(found.values()) == pytest.approx(100, abs=0.5)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    # Another model can be named.
    assert facewave("predict", clip, "--model", "models/trained/1/logistic") == 0
    assert probabilities(capsys.readouterr().out) != found


def test_mistakes_get_a_sentence(trained: Path, capsys: Capture) -> None:
    for words, sentence in {
        (f"{ROOT}/data/raw/demo/clips/1.mp4", "--model", "nowhere"): "nowhere/config.json is not",
        (str(trained), "--fps=0"): "--fps is 0; pictures need a number of frames a second above 0",
        (str(trained), "--fps=-25"): "--fps is -25; pictures need",
    }.items():
        assert facewave("predict", *words) == 2
        assert f"facewave: {sentence}" in capsys.readouterr().err


def test_clips_without_an_answer_stop_no_other(
    trained: Path, landmarker: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("FACEWAVE_ASSETS", str(landmarker.parent))
    (trained / "text.mp4").write_text("not a video")
    demo = ROOT / "data/raw/demo/clips"
    assert facewave("predict", "text.mp4", str(demo / "93.mp4"), str(demo / "2.mp4")) == 1
    output = capsys.readouterr().out
    assert "cannot be opened" in output
    assert output.count("no answer") == 2
    assert set(probabilities(output)) == WORDS


def test_a_folder_of_pictures_is_a_clip_with_its_own_frame_rate(
    trained: Path, capsys: Capture
) -> None:
    (trained / "pictures").mkdir()
    for number in range(20):
        picture = np.full((48, 64, 3), number, np.uint8)
        assert cv2.imwrite(str(trained / f"pictures/{number:02}.png"), picture)
    key = cache_of_detections.key(trained / "pictures", 10.0, SETTINGS)
    seen = replace(trajectory(20, seed=1), times_T=np.arange(20) / 10)
    remember(key, seen, ClipFacts(10.0, 64, 48, 20))
    assert facewave("predict", "pictures", "--fps", "10") == 0
    output = capsys.readouterr().out
    assert "pictures: 20 frames, 2.00 s, a face in 100% of the frames" in output
    assert set(probabilities(output)) == WORDS


def test_a_gap_is_warned_about_and_answered_all_the_same(trained: Path, capsys: Capture) -> None:
    for gap, warning in (
        (0, ""),
        (24, ""),
        (30, "warning: no face for 1.20 s: longer gaps than wavelets.max_gap_s (1)"),
        (60, "warning: face_share is 0.85, less than 0.9"),
    ):
        (trained / "a.mp4").write_bytes(b"known by its hash, with a gap of %d" % gap)
        seen = trajectory(400, seed=1, gaps=tuple(range(100, 100 + gap)))
        key = cache_of_detections.key(trained / "a.mp4", 25.0, SETTINGS)
        remember(key, replace(seen, times_T=np.arange(400) / 25), ClipFacts(25.0, 640, 480, 400))
        assert facewave("predict", "a.mp4") == 0
        output = capsys.readouterr().out
        assert ("warning" in output) == bool(warning)
        assert warning in output
        assert f"a face in {1 - gap / 400:.0%} of the frames" in output
        assert sum(probabilities(output).values()) == pytest.approx(100, abs=0.5)


# Language models.

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

"""``facewave predict``: what is printed of a clip, by every kind of model."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from facewave.app.predict import predict_all
from facewave.app.pseudo_label import pseudo_label
from facewave.errors import UserError
from facewave.landmarks import cache as cache_of_detections
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.prompts import answers
from language_project import write_model, write_project
from making import REPOSITORY, SETTINGS, remember, trained_project, trajectory, write_params

Capture = pytest.CaptureFixture[str]
WORDS = {"happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"}


def probabilities(output: str) -> dict[str, float]:
    return {word: float(p) for word, p in re.findall(r"^\s*(\w+)\s+([\d.]+)%", output, re.M)}


def test_a_demo_clip_needs_no_landmarker_and_a_model_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("FACEWAVE_ASSETS", "")
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/trajectories").symlink_to(REPOSITORY / "data/trajectories")
    found = {}
    for role in ("model", "majority"):
        folder = trained_project() / "models/trained/1" / role
        assert predict_all([REPOSITORY / "data/raw/demo/clips/1.mp4"], folder, 25.0)
        output = capsys.readouterr().out
        assert re.search(r"1\.mp4: \d+ frames, [\d.]+ s, a face in 100% of the frames", output)
        found[role] = probabilities(output)
        assert set(found[role]) == WORDS
        assert sum(found[role].values()) == pytest.approx(100, abs=0.5)
        assert list(found[role].values()) == sorted(found[role].values(), reverse=True)
    assert found["model"] != found["majority"]
    with pytest.raises(UserError, match=r"models/trained/split/model.* is not here\. Train it"):
        predict_all([REPOSITORY / "data/raw/demo/clips/1.mp4"], None, 25.0)
    for fps in (0.0, -25.0):
        with pytest.raises(UserError, match=f"--fps is {fps:g}; pictures need more"):
            predict_all([Path("params.yaml")], None, fps)


def test_a_gap_is_warned_about_and_answered_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(trained_project())
    gap_too_long = "warning: no face for 1.20 s: longer gaps than wavelets.max_gap_s (1)"
    for gap, warning in (
        (0, ""),
        (24, ""),
        (30, gap_too_long),
        (60, "warning: face_share is 0.85, less than 0.9"),
        (400, "warning: no face in any frame"),
    ):
        clip = tmp_path / f"{gap}.mp4"
        clip.write_text(f"known by its hash {gap}")
        start = 100 if gap < 400 else 0
        seen = trajectory(400, seed=1, gaps=tuple(range(start, start + gap)))
        key = cache_of_detections.key(clip, 25.0, SETTINGS)
        remember(key, replace(seen, times_T=np.arange(400) / 25), ClipFacts(25.0, 640, 480, 400))
        answered = predict_all([clip], None, 25.0)
        output = capsys.readouterr().out
        assert ("warning" in output) == bool(warning)
        assert warning in output
        assert f"a face in {1 - gap / 400:.0%} of the frames" in output
        assert answered == (gap < 400)
        if answered:
            assert sum(probabilities(output).values()) == pytest.approx(100, abs=0.5)
        else:
            assert "no answer: there is no face to judge by" in output


# Language models.

CLIP = Path("data/raw/demo/clips/003.mp4")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose train.model is a language model, not yet trained."""
    folder = tmp_path_factory.mktemp("made")
    write_project(folder)
    return folder


def seen_in_003() -> Trajectory:
    """What stage extract saw of this clip (write_project)."""
    return trajectory(12, seed=4)


Answer = Callable[..., bool]


@pytest.fixture
def answer(made: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Predict the clip with a language model of some options."""
    monkeypatch.chdir(made)

    def run(seen: Trajectory | None = None, **model: Any) -> bool:
        write_model(made, **model)
        key = cache_of_detections.key(CLIP, 25.0, SETTINGS)
        remember(key, seen or seen_in_003(), ClipFacts(30.0, 64, 48, 12))
        return predict_all([CLIP], None, 25.0)

    return run


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float32]]:
    """The model's probabilities with all digits: of tiny models few of them differ."""
    found: list[NDArray[np.float32]] = []
    of_model = answers.probabilities

    def watched(*arguments: Any) -> NDArray[np.float32]:
        found.append(of_model(*arguments))
        return found[-1]

    monkeypatch.setattr(answers, "probabilities", watched)
    return found


def test_a_language_model_answers_as_it_does_within_a_dataset(
    answer: Answer, capsys: Capture, exact: list[NDArray[np.float32]]
) -> None:
    for shots in ((), ("001", "002", "004")):
        exact.clear()
        about = {"partition": "2"}  # its test part has the clip
        assert answer(shots=shots, about=about, by_length=True)
        found = probabilities(capsys.readouterr().out)
        assert set(found) == WORDS
        pseudo_label("demo", None, f"as-{len(shots)}")
        rows = pd.read_csv(f"data/tracks/demo/as-{len(shots)}.csv", dtype={"video_idx": str})
        at = rows["video_idx"].tolist().index("003")
        for word, percent in found.items():
            assert percent == pytest.approx(100 * rows[f"p_{word}"].iloc[at], abs=0.051)
        np.testing.assert_allclose(exact[0][0], np.concatenate(exact[1:])[at], rtol=1e-6)


def test_numbers_and_words_of_the_clip_itself_reach_the_model(
    made: Path, answer: Answer, exact: list[NDArray[np.float32]]
) -> None:
    moved = seen_in_003()
    moved.blendshapes_TB[:] = moved.blendshapes_TB[::-1].copy()
    for faces in (True, False):
        for seen in (seen_in_003(), moved):
            assert answer(seen, faces=faces, mode="pretrain", by_length=True)
    assert not np.array_equal(exact[0], exact[1])
    assert np.array_equal(exact[2], exact[3])
    exact.clear()
    beside = made / CLIP.with_suffix(".txt")
    for text in ("I am so sad", "I am so glad", ""):
        beside.write_text(text)
        assert answer(transcript="known", by_length=True)
    beside.unlink()
    assert answer(transcript="none", by_length=True)
    assert not np.array_equal(exact[0], exact[1])
    assert not np.array_equal(exact[1], exact[2])
    assert np.array_equal(exact[2], exact[3])


def test_without_a_face_a_language_model_looks_at_the_frames(
    answer: Answer, capsys: Capture
) -> None:
    blind = trajectory(12, seed=4, gaps=tuple(range(12)))
    assert answer(blind, faces=True, mode="pretrain")
    output = capsys.readouterr().out
    assert "warning: no face in any frame" in output
    assert sum(probabilities(output).values()) == pytest.approx(100, abs=0.5)
    assert not answer(blind, faces=True, mode="pretrain", frames=0)
    assert "no answer: there is no face to judge by" in capsys.readouterr().out


def test_written_answers_and_numbers_are_printed(
    answer: Answer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not answer(answers="generation")
    assert "no answer: what the model wrote is none of its labels" in capsys.readouterr().out
    with monkeypatch.context() as context:
        context.setattr(answers, "texts", lambda *_: iter([" Sad.\n"]))
        assert predict_all([CLIP], None, 25.0)
    assert "emotion, as the model wrote it: sad" in capsys.readouterr().out
    targets = ("valence", "score.stress")
    assert answer(targets=targets, objective="mse", faces=True)
    pattern = r"^\s*(valence|score\.stress)\s+(-?\d\.\d{3})\s*$"
    found = re.findall(pattern, capsys.readouterr().out, re.M)
    assert [name for name, _ in found] == list(targets)
    assert found[0][1] != found[1][1]

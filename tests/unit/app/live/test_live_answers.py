"""What is answered of a window, and what is said instead."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cameras import SEEN, face, frame
from facewave import params
from facewave.app import models
from facewave.app.live.answering import Asker, Smoother, check, told
from facewave.app.live.memory import Eyes, Memory, Window
from facewave.errors import UserError
from facewave.landmarks.engines.engine import Sighting
from facewave.training.schema import Trained, answers_of
from facewave.wavelets.features import features
from facewave.wavelets.schema import channels_of
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips
from making import NO_ENCODER, words
from running import ROOT

SETTINGS = params.load(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def rules() -> Trained:
    """The rules on facial actions alone, which need no encoder."""
    return models.untrained().members["knowledge"]  # type: ignore[attr-defined]


def window(count: int = 50, x: float = 0.0, scale: float = 1.0) -> Window:
    kept = Memory(3.0, "center", Eyes(SETTINGS.faces, None))
    for number in range(count):
        kept.add(frame(number), [Sighting(0, face(number, x, scale))])
    return kept.windows(SEEN.names, everybody=False)[0]


def test_a_window_in_memory_is_answered_as_a_clip_is(rules: Trained) -> None:
    asker = Asker(rules, None, SETTINGS, 3.0)
    asker.warm()
    answer, reason, measures = asker.ask(window())
    assert reason == ""
    assert answer is not None
    said = told(answer, rules)
    assert sum(said["words"].values()) == pytest.approx(1, abs=1e-3)
    assert said["predicted"] == max(said["words"], key=said["words"].__getitem__)
    assert said["numbers"]["valence"] == {
        "value": pytest.approx(answer["predicted_valence"], abs=1e-4), "low": None, "high": None
    }  # fmt: skip
    assert measures["face_frames"] == 50


class Numbers(Trained):
    """A classifier that keeps the numbers that it is asked about."""

    type, kind = "classifier", "numbers"
    targets, inputs = (words("a", "b"),), ("blendshapes", "timing")

    def __init__(self) -> None:
        named = channels_of(SEEN.names, "merged")
        made = {"transform": "energy", "wavelet": "haar", "boundary": "open", "k": 7}
        self.wavelets = made | {"sides": "merged", "blendshapes": named, "encoder": NO_ENCODER}
        self.about: dict[str, Any] = {}

    def answer(self, clips: Clips) -> pd.DataFrame:
        self.asked = {name: clips.blocks[name][0] for name in self.inputs}
        shares = np.array([[0.2, 0.8]])
        return answers_of(clips, clips.judged_from(self.inputs), self.targets, shares)

    describe = save = load = None  # type: ignore[assignment]


def test_numbers_are_those_of_the_window() -> None:
    model, shown = Numbers(), window()
    asker = Asker(model, None, SETTINGS, 3.0)
    asker.warm()
    answer, reason, _ = asker.ask(shown)
    assert reason == ""
    assert answer is not None
    assert answer["predicted"] == "b"
    transform = Transform("energy", "haar", k=7, sides="merged")
    expected = features(shown.trajectory, shown.facts, transform, model.inputs)
    assert set(model.asked) == set(expected)
    for name, numbers in model.asked.items():
        assert np.array_equal(numbers, expected[name])


def test_what_keeps_a_window_from_an_answer_is_said(rules: Trained) -> None:
    asker, good = Asker(rules, None, SETTINGS, 3.0), window()
    turned = replace(good.trajectory, pose_T44=good.trajectory.pose_T44.copy())
    frames = good.frames.copy()
    frames["angles"][:, 0] = 70
    reasons = [
        (window(10), "warming up: 0.4 of 1 s"),
        (window(scale=0.1), "face_px is"),
        (replace(good, frames=frames, trajectory=turned), "turned away by 70 degrees"),
        (replace(good, brightness=0.04), "the face is dark"),
        (replace(good, unseen=0.8), "out of sight for 0.8 s"),
    ]
    for shown, expected in reasons:
        answer, reason, _ = asker.ask(shown)
        assert answer is None
        assert expected in reason
    assert asker.ask(replace(good, unseen=0.3))[0] is not None
    assert "0.3 s" in Asker(rules, None, SETTINGS, 0.3).ask(window(2))[1]


def test_models_that_cannot_be_asked_live_say_why() -> None:
    def kind(**attributes: Any) -> Any:
        usual = {"type": "classifier", "kind": "k", "inputs": ("blendshapes",)}
        needs = dict.fromkeys(("needs_transcript", "needs_voice", "needs_pictures"), False)
        return SimpleNamespace(**usual | needs | attributes)

    for named, why in (
        (kind(type="language_model"), "language model"),
        (kind(type="served"), "language model"),
        (kind(inputs=("blendshapes", "mel")), "listens"),
        (kind(needs_voice=True), "listens"),
        (kind(needs_pictures=True), "network over pictures"),
    ):
        with pytest.raises(UserError, match=why):
            check(named)
    check(kind())
    check(models.untrained())
    ensemble = models.untrained()
    ensemble.members["voice"] = kind(needs_transcript=True)  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="listens"):
        check(ensemble)


def answers(model: Trained, values: list[float]) -> list["pd.Series[Any]"]:
    """Answers whose first word has these probabilities, and valence the same."""
    made = []
    for value in values:
        shares = dict(zip(model.targets[0].numbers, [value, 1 - value] + [0.0] * 5, strict=True))
        rest = {name: math.nan for target in model.targets[1:] for name in target.answered}
        rest |= {"predicted_valence": value}
        made.append(pd.Series({"answered_from": "face", "predicted": ""} | shares | rest))
    return made


def test_smoothing_is_the_mean_of_the_last_second_of_the_same_person(rules: Trained) -> None:
    smoother, first = Smoother(rules, 1.0), rules.targets[0]
    shares = [0.0, 0.9, 0.9, 0.2, 0.1, 0.1]
    times = [0.0, 0.5, 1.0, 1.5, 2.0, 5.0]
    smoothed = [
        smoother.add(0, at, one)
        for at, one in zip(times, answers(rules, shares), strict=True)
    ]  # fmt: skip
    expected = [0.0, 0.45, 0.6, 2 / 3, 0.4, 0.1]
    assert np.allclose([one[first.numbers[0]] for one in smoothed], expected)
    assert np.allclose([one["predicted_valence"] for one in smoothed], expected)
    happy = [one["predicted"] == first.names[0] for one in smoothed]
    assert happy == [False, False, True, True, False, False]
    assert math.isnan(smoothed[0]["low_valence"])
    assert len(smoother._kept[0]) == 1  # what is too old is forgotten
    other = smoother.add(1, 5.1, answers(rules, [0.7])[0])
    assert other[first.numbers[0]] == pytest.approx(0.7)
    alone = Smoother(rules, 0.0)
    assert [alone.add(0, at, one)[first.numbers[0]]
            for at, one in zip(times, answers(rules, shares), strict=True)] == shares  # fmt: skip

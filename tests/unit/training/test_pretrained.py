"""The encoder's own answers as those of a dataset's classes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewave.errors import UserError
from facewave.training import schema
from facewave.training.pretrained import learn
from making import contents, words
from making_untrained import ENCODER, given, handmade, look

CLASSES = ("Happiness", "sadness", "Anger", "contempt")  # the encoder knows neutral, no contempt
TARGETS = [words(*CLASSES)]
LOOKS = [
    look([0.1, 0.6, 0.1, 0.2], None, [0.4, 0.2, 0.2, 0.2]),
    look([0.2, 0.3, 0.4, 0.1]),
    None,
    look(None, None),
    look([0.1, 0.1, 0.1, 0.7]),
]
ACTUAL = ["Happiness", "sadness", "sadness", "Anger", "Anger"]
P = [f"p_{name}" for name in CLASSES]


def clips(**changes: Any) -> Any:
    return handmade(CLASSES, ACTUAL, LOOKS, **changes)


def normalised(*values: float) -> list[float]:
    return [value / sum(values) for value in values]


def test_answers_are_the_geometric_mean_over_the_words_that_the_classes_have() -> None:
    model = learn(given(clips(), TARGETS, train=[0, 1]))
    found = model.answer(clips())
    assert list(found) == ["answered_from", "predicted", *P]
    assert found.index.tolist() == [100, 101, 102, 103, 104]
    assert found["answered_from"].tolist() == ["face", "face", "prior", "prior", "face"]
    assert found["predicted"].tolist()[:2] == ["Happiness", "sadness"]
    happy, sad, angry = np.sqrt([0.6 * 0.2, 0.1 * 0.2, 0.1 * 0.4])
    np.testing.assert_allclose(found[P].iloc[0], [*normalised(happy, sad, angry), 0], atol=1e-6)
    np.testing.assert_allclose(found[P].iloc[1], [*normalised(0.3, 0.4, 0.2), 0], atol=1e-6)
    np.testing.assert_allclose(found[P].iloc[4], [1 / 3] * 3 + [0], atol=1e-6)  # neutral left out
    for row in (2, 3):  # no face: the training part's classes, each counted one up
        np.testing.assert_allclose(found[P].iloc[row], np.array([2, 2, 1, 1]) / 6)
    assert model.unknown == model.describe()["unknown"] == ["contempt"]
    assert model.answer(clips().select([])).empty


def test_a_compound_is_told_from_two_basic_emotions() -> None:
    """Of the mean log answers: the geometric mean of two words', beside single words."""
    classes = ("Sadly_Angry", "Angrily_Surprised", "sadness", "sadness_anger_fear", "neutral_happy")
    some = handmade(classes, [classes[0]] * 2, LOOKS)
    model = learn(given(some, [words(*classes)], train=[0, 1]))
    found = model.answer(some)[[f"p_{name}" for name in classes]]
    expected = normalised(np.sqrt(0.2 * 0.4), 0.4, np.sqrt(0.3 * 0.1))
    np.testing.assert_allclose(found.iloc[1], np.insert(expected, [1, 2], 0), atol=1e-6)
    assert model.unknown == ["Angrily_Surprised", "sadness_anger_fear"]  # no surprise; three words
    assert model.describe()["compounds"] == {
        "Sadly_Angry": ["angry", "sad"],
        "neutral_happy": ["happy", "neutral"],
    }
    told = "the words of tiny; Sadly_Angry from angry and sad, neutral_happy from happy and neutral"
    assert f"| answers by | {told} |" in model.card()


def test_a_word_of_its_own_is_taken_before_two() -> None:
    both = replace(ENCODER, words=("angry", "happy", "sad", "sadness_anger"))
    some = handmade(("Sadly_Angry", "sad"), ["sad"] * 2, LOOKS, config=both)
    model = learn(given(some, [words("Sadly_Angry", "sad")], train=[0, 1]))
    assert (model.columns, model.compounds) == (((3,), (2,)), {})
    assert "answers by" not in model.card()


def test_corrections_subtract_means_of_training_or_of_test_clips() -> None:
    training = given(clips(), TARGETS, [0, 1, 2], pretrained={"correction": "train"})
    logs = [np.log(np.sqrt([0.6 * 0.2, 0.1 * 0.2, 0.1 * 0.4])), np.log([0.3, 0.4, 0.2])]
    corrected = logs[1] - np.mean(logs, axis=0)
    found = learn(training).answer(clips())
    np.testing.assert_allclose(found[P].iloc[1], [*normalised(*np.exp(corrected)), 0], atol=1e-6)
    assert not learn(training).describe()["transductive"]

    training = given(clips(), TARGETS, [0, 1], pretrained={"correction": "test"})
    model = learn(training)
    assert model.describe()["transductive"]
    few = model.answer(clips())  # too few at once: by the training clips
    np.testing.assert_allclose(few[P], found[P].where(found["answered_from"] == "face", few[P]))
    many = handmade(CLASSES, ACTUAL * 4, [*LOOKS, *LOOKS[:2], *LOOKS[:2], *LOOKS[:2], *LOOKS[:2]])
    logs = [logs[0]] * 5 + [logs[1]] * 5 + [np.log([0.1, 0.1, 0.1])]
    corrected = np.log([0.3, 0.4, 0.2]) - np.mean(logs, axis=0)
    windows = replace(many, table=many.table.assign(file_path="one.mp4"))
    np.testing.assert_allclose(model.answer(windows)[P].iloc[1], few[P].iloc[1])
    found = model.answer(many)
    np.testing.assert_allclose(found[P].iloc[1], [*normalised(*np.exp(corrected)), 0], atol=1e-6)


def test_what_is_saved_answers_alike_and_has_the_same_bytes(tmp_path: Path) -> None:
    for correction in ("none", "train", "test"):
        model = learn(given(clips(), TARGETS, [0, 1], pretrained={"correction": correction}))
        model.save(tmp_path / "a")
        loaded = schema.load(tmp_path / "a")
        loaded.save(tmp_path / "b")
        assert contents(tmp_path / "a") == contents(tmp_path / "b")
        assert loaded.answer(clips()).equals(model.answer(clips()))
        assert loaded.describe() == model.describe()
        needs = (loaded.encoder, loaded.needs_face, loaded.inputs)
        assert needs == ("tiny", True, ())
        assert loaded.about["encoder"]["identity"] == {"v": 1}
    config = json.loads((tmp_path / "a/config.json").read_text())
    for key, value in (
        ("columns", [[1], [2]]),
        ("columns", [[1], [2], [0], [9]]),
        ("columns", [1, 2, 0, -1]),
        ("words", ["happy"]),
    ):
        (tmp_path / "a/config.json").write_text(json.dumps(config | {key: value}))
        with pytest.raises(UserError, match="is damaged"):
            schema.load(tmp_path / "a")
    (tmp_path / "a/config.json").write_text(json.dumps(config))
    (tmp_path / "a/model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="is damaged"):
        schema.load(tmp_path / "a")


def test_encoders_that_cannot_answer_are_refused_in_a_sentence() -> None:
    for config, classes, problem in (
        (replace(ENCODER, words=()), CLASSES, r"\(tiny\) does not answer in words\. Name one that"),
        (
            ENCODER,
            ("contempt", "calm"),
            r"none of the encoder's words \(angry, .* is one of the cl",
        ),
    ):
        some = handmade(classes, [classes[0]] * 2, LOOKS, config=config)
        with pytest.raises(UserError, match=problem):
            learn(given(some, [words(*classes)], [0, 1]))
    model = learn(given(clips(), TARGETS, [0, 1]))
    for other in (replace(ENCODER, words=ENCODER.words[::-1]), replace(ENCODER, identity={"v": 2})):
        with pytest.raises(UserError, match=r"another version of it.* has looked at these faces"):
            model.answer(clips(config=other))
    unseen = handmade(CLASSES, ACTUAL)
    assert set(learn(given(unseen, TARGETS, [0])).answer(unseen)["answered_from"]) == {"prior"}

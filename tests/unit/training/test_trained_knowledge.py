"""Facial-action rules as a model of a dataset's classes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewave.errors import UserError
from facewave.labels.readers import CORPORA
from facewave.models import knowledge
from facewave.models.real_faces import FACES
from facewave.targets import number
from facewave.training import schema
from facewave.training.knowledge import learn
from making import contents, words
from making_untrained import given, handmade, move

CLASSES = ("anger", "anxiety", "happiness", "neutral", "Happily Surprised")
TARGETS = [words(*CLASSES), number("valence"), number("arousal")]
VALENCE, AROUSAL = (target.numbers[0] for target in TARGETS[1:])
SMILE = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "jawOpen": 0.1,
         "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3}  # fmt: skip
FROWN = {"browDownLeft": 0.7, "browDownRight": 0.7, "eyeSquintLeft": 0.8, "eyeSquintRight": 0.8,
         "mouthPressLeft": 0.3, "mouthPressRight": 0.4}  # fmt: skip
SURPRISED = {"browInnerUp": 0.8, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.7, "jawOpen": 0.6}
MOVES = [
    move(SMILE),
    move(FROWN, without=(0, 2)),
    move({}),
    None,
    move(SMILE | SURPRISED),
    move(SMILE, without=(0, 1, 2, 3)),
]
ACTUAL = ["happiness", "anger", "neutral", "neutral", "Happily Surprised", "happiness"]
P = [f"p_{name}" for name in CLASSES]
BARE = handmade(CLASSES, ACTUAL, moves=MOVES)
CLIPS = replace(BARE, table=BARE.table.assign(valence=[0.9, -0.5, 0, 0, 0.6, 1], arousal=0.25))


def test_faces_are_answered_by_the_rules_and_others_by_the_prior() -> None:
    model = learn(given(CLIPS, TARGETS, [0, 1]))
    found = model.answer(CLIPS)
    of_numbers = [name for target in TARGETS[1:] for name in (*target.numbers, *target.ends)]
    assert list(found) == ["answered_from", "predicted", *P, *of_numbers]
    assert found["answered_from"].tolist() == ["face", "face", "face", "prior", "face", "prior"]
    at = [0, 1, 2, 4]
    assert found["predicted"].iloc[at].tolist() == [ACTUAL[row] for row in at]
    np.testing.assert_allclose(found[P].sum(axis=1), 1)
    for row in (3, 5):
        np.testing.assert_allclose(found[P].iloc[row], np.array([2, 1, 2, 1, 1]) / 7)
    assert found["p_anxiety"].iloc[at].tolist() == [0] * 4
    assert model.unknown == ["anxiety"]
    assert found[VALENCE].iloc[0] > 0.5 > -0.5 > found[VALENCE].iloc[1]
    assert found[VALENCE].iloc[[3, 5]].tolist() == pytest.approx([0.2] * 2)  # the training mean
    assert found[AROUSAL].iloc[[3, 5]].tolist() == pytest.approx([0.25] * 2)
    assert found[of_numbers].filter(regex="low_|high_").isna().all(axis=None)
    by_hand = np.array([[FROWN.get(name, 0.0) for name in knowledge.BLENDSHAPES]])
    statistics = np.array([FACES[name] for name in knowledge.BLENDSHAPES]).T
    actions = knowledge.read_actions(by_hand, knowledge.BLENDSHAPES, *statistics)
    emotions = [frozenset({word}) for word in ("angry", "happy")]
    angry, happy = np.exp(knowledge.scores(actions, emotions)[0] / knowledge.TEMPERATURE)
    ratio = found["p_anger"].iloc[1] / found["p_happiness"].iloc[1]
    np.testing.assert_allclose(ratio, angry / happy, rtol=1e-5)
    assert model.answer(CLIPS.select([])).empty


def test_the_training_clips_can_say_what_is_usual() -> None:
    grinning = [move({name: value * share for name, value in SMILE.items()})
                for share in (0.9, 1.0, 1.1)]  # fmt: skip
    some = handmade(CLASSES, ["neutral"] * 4, moves=[*grinning, move({})])
    model = learn(given(some, TARGETS, [0, 1, 2], knowledge={"standardise": "train"}))
    smile = knowledge.BLENDSHAPES.index("mouthSmileLeft")
    np.testing.assert_allclose([model.mean_B[smile], model.std_B[smile]], [0.9, 0.09], rtol=1e-5)
    usual = learn(given(some, TARGETS, [0, 1, 2]))
    assert usual.answer(some)[VALENCE].iloc[1] > 0.5
    assert abs(model.answer(some)[VALENCE].iloc[1]) < 0.01
    with pytest.raises(UserError, match=r"fewer than two training clips show a face\. Set it"):
        learn(given(CLIPS, TARGETS, [0, 3, 5], knowledge={"standardise": "train"}))


def test_what_is_saved_answers_alike_and_has_the_same_bytes(tmp_path: Path) -> None:
    for standardise in ("faces", "train"):
        model = learn(given(CLIPS, TARGETS, [0, 1, 2], knowledge={"standardise": standardise}))
        model.save(tmp_path / "a")
        loaded = schema.load(tmp_path / "a")
        loaded.save(tmp_path / "b")
        assert contents(tmp_path / "a") == contents(tmp_path / "b")
        assert loaded.answer(CLIPS).equals(model.answer(CLIPS))
        assert loaded.describe() == model.describe()
        assert loaded.describe()["unknown"] == ["anxiety"]
        needs = (loaded.encoder, loaded.needs_face, loaded.inputs)
        assert needs == ("", True, ())
    config = json.loads((tmp_path / "a/config.json").read_text())
    for damaged in (
        config | {"emotions": [["happy"]]},
        config | {"targets": config["targets"][1:]},
    ):
        (tmp_path / "a/config.json").write_text(json.dumps(damaged))
        with pytest.raises(UserError, match="is damaged"):
            schema.load(tmp_path / "a")


def test_classes_without_a_rule_and_other_blendshapes_are_refused() -> None:
    classes = ("calm", "anxiety")
    with pytest.raises(UserError, match=r"no class \(calm, anxiety\) has a rule"):
        learn(given(handmade(classes, ["calm"], moves=MOVES), [words(*classes)], [0]))
    renamed = replace(move(SMILE), names=tuple(f"other{i}" for i in range(52)))
    some = handmade(CLASSES, ["neutral"], moves=[renamed])
    with pytest.raises(UserError, match="clip 0: its blendshapes lack browInnerUp, which"):
        learn(given(some, TARGETS, [0])).answer(some)


def test_the_challenge_s_seven_compounds_are_all_known() -> None:
    compounds = CORPORA["abaw_compound"].tracks["compound"].words
    table = {
        "Happily_Surprised": SURPRISED | SMILE,
        "Sadly_Surprised": {"browInnerUp": 0.9, "browDownLeft": 0.6, "browDownRight": 0.6,
                            "jawOpen": 0.6, "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3},
        "Sadly_Angry": {"browDownLeft": 0.7, "browDownRight": 0.7, "mouthFrownLeft": 0.5,
                        "mouthFrownRight": 0.5, "mouthShrugLower": 0.5},
    }  # fmt: skip
    clips = handmade(compounds, list(table), moves=list(map(move, table.values())))
    model = learn(given(clips, [words(*compounds)], [0]))
    assert model.unknown == []
    found = model.answer(clips)
    assert found["predicted"].tolist() == list(table)
    shares = found[[f"p_{word}" for word in compounds]]
    assert (shares > 0).all(axis=None)
    np.testing.assert_allclose(shares.sum(axis=1), 1)

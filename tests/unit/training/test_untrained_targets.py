"""What models that answer without training know of targets other than the classes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import plane
from facewave.errors import UserError
from facewave.targets import NEUTRAL, QUADRANT, QUADRANTS, Target, number
from facewave.training import ensemble, knowledge, pretrained, schema, untrained
from facewave.training.combination import Combination
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.schema import Trained, answers_of
from making import contents, words
from making_untrained import ENCODER, given, handmade, look, move

WORDS = ("happy", "sad", "angry")
CLASSES, VALENCE, DOMINANCE = words(*WORDS), number("valence"), number("dominance")
FOUR = Target(QUADRANT, "words", QUADRANTS)
FIVE = Target(QUADRANT, "words", (*QUADRANTS, NEUTRAL))
UNITS = Target("aus", "presence", ("AU1", "AU12"))
TARGETS = (CLASSES, VALENCE, DOMINANCE, FOUR, UNITS)
P = [f"p_{word}" for word in WORDS]


def test_words_say_where_in_the_plane_a_face_is() -> None:
    """The mean of the words' positions; a word in no quadrant says nothing of the four."""
    shares = np.array([[0.5, 0.25, 0.25, 0.0], [0.2, 0.1, 0.3, 0.4]])
    names = ("happy", "sad", "neutral", "bored-of-tests")  # nobody knows where the last one lies
    happy, sad = (np.array(plane.position(word)) for word in ("happy", "sad"))
    first, second = (row[:3] / row[:3].sum() for row in shares)
    found = untrained.by_words((VALENCE, DOMINANCE, FOUR, UNITS, number("score.a")), names, shares)
    expected = [row[0] * happy + row[1] * sad for row in (first, second)]
    np.testing.assert_allclose(found[:, 0], [at[0] for at in expected])
    np.testing.assert_allclose(found[:, 1], [at[2] for at in expected])
    four = [
        [row[0] + row[2] / 4, row[2] / 4, row[1] + row[2] / 4, row[2] / 4]
        for row in (first, second)
    ]
    assert [QUADRANTS[at] for at in (0, 2)] == ["positive aroused", "negative calm"]
    np.testing.assert_allclose(found[:, 2:6], four)
    assert np.isnan(found[:, 6:]).all()
    five = untrained.by_words((FIVE,), names, shares)
    np.testing.assert_allclose(five, [[r[0], 0, r[1], 0, r[2]] for r in (first, second)])
    assert np.isnan(untrained.by_words(TARGETS, ("bored-of-tests",), shares[:, :1])).all()


def some(n: int = 12) -> Any:
    """Clips half of which look happy; the last one has no face. Each has a valence."""
    looks = [look([0.1, 0.6, 0.2, 0.1]), look([0.1, 0.2, 0.6, 0.1])] * (n // 2)
    smile = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}
    moves = [move(smile), move({"browDownLeft": 0.6})] * (n // 2)
    clips = handmade(WORDS, ["happy", "sad"] * (n // 2), [*looks[:-1], None], [*moves[:-1], None])
    valence = np.where(np.arange(n) % 2, -0.4, 0.9)
    return replace(clips, table=clips.table.assign(valence=valence, dominance=0.25, aus=""))


def test_encoders_and_rules_answer_the_plane_with_intervals_and_know_of_nothing_else(
    tmp_path: Path,
) -> None:
    clips = some(24)
    for learn, own in ((pretrained.learn, 0.5), (knowledge.learn, None)):
        model = learn(given(clips, TARGETS, [0, 1], val=range(2, 20)))
        found = model.answer(clips)
        seen, last = found.iloc[:-1], found.iloc[-1]
        assert (seen["predicted"] == clips.table["actual"].iloc[:-1]).all()
        if own is not None:  # the encoder's own, whatever its words say
            np.testing.assert_allclose(seen["predicted_valence"], own)
        assert seen["predicted_quadrant"].iloc[0] == "positive aroused"
        np.testing.assert_allclose(found[list(FOUR.numbers)].sum(axis=1), 1)
        distances = np.abs(found["predicted_valence"] - clips.table["valence"]).iloc[2:20]
        margin = np.sort(distances)[17]  # the ceil(19 x 0.9)-th of 18
        low, high = (seen["predicted_valence"] + sign * margin for sign in (-1, 1))
        np.testing.assert_allclose(seen["low_valence"], low.clip(-1, 1))
        np.testing.assert_allclose(seen["high_valence"], high.clip(-1, 1))
        assert found[list(UNITS.numbers)].isna().all(axis=None)
        # Without a face: frequencies and means of the training part, and no interval.
        assert last["predicted_valence"] == pytest.approx(0.25)
        np.testing.assert_allclose(last[P].astype(float), np.array([2, 2, 1]) / 5)
        assert np.isnan(last["low_valence"])
        model.save(tmp_path / "a")
        loaded = schema.load(tmp_path / "a")
        loaded.save(tmp_path / "b")
        assert contents(tmp_path / "a") == contents(tmp_path / "b")
        pd.testing.assert_frame_equal(loaded.answer(clips), found)
        # Alone, without any class, too; but of units alone nobody knows.
        alone = learn(given(clips, [VALENCE], [0, 1])).answer(clips)
        np.testing.assert_array_equal(alone["predicted_valence"], found["predicted_valence"])
        assert alone["low_valence"].isna().all()
        with pytest.raises(UserError, match=r"nothing else of train\.targets"):
            learn(given(clips, [UNITS], [0, 1]))


def test_an_encoder_without_numbers_goes_by_its_words() -> None:
    config = replace(ENCODER, numbers=())
    clips = handmade(WORDS, ["happy"] * 2, [look([0.05, 0.85, 0.05, 0.05])] * 2, config=config)
    model = pretrained.learn(given(clips, [VALENCE], [0]))
    shares = np.array([[0.05, 0.85, 0.05, 0.05]])
    expected = untrained.by_words([VALENCE], ENCODER.words, shares)
    np.testing.assert_allclose(model.answer(clips)["predicted_valence"], expected[0, 0], rtol=1e-5)


class Fixed(Trained):
    """Gives every clip the same answers, or says nothing of a target: NaN."""

    type = kind = "fixed"
    targets, inputs = (VALENCE, UNITS, FOUR), ()

    def __init__(self, *numbers: float, sees: bool = True) -> None:
        self.numbers, self.sees = numbers, sees

    def answer(self, clips: Any) -> pd.DataFrame:
        answered_from = np.full(len(clips), "face" if self.sees else "prior")
        return answers_of(
            clips, answered_from, self.targets, np.tile(self.numbers, (len(clips), 1))
        )

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind}

    def save(self, path: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "Fixed":
        raise NotImplementedError


def test_an_ensemble_takes_means_of_the_members_that_know_a_target() -> None:
    nan = np.nan
    members: dict[str, Trained] = {
        "a": Fixed(0.5, 1.0, 0.2, *[nan] * 4),
        "b": Fixed(-0.1, nan, nan, *[nan] * 4),
        "c": Fixed(nan, 0.4, 0.6, *[nan] * 4),
        "blind": Fixed(-1, 0, 0, 1, 0, 0, 0, sees=False),
    }
    weights = [0.2, 0.6, 0.1, 0.1]
    combined = Combination("weighted", Fixed.targets, np.array(weights))
    model = TrainedEnsemble(members, {}, "ensemble", combined, {}, {})
    found = model.answer(handmade(WORDS, ["happy"] * 2)).iloc[0]
    assert found["predicted_valence"] == pytest.approx((0.2 * 0.5 - 0.6 * 0.1) / 0.8)
    assert found["predicted_AU1"] == pytest.approx((0.2 * 1 + 0.1 * 0.4) / 0.3)
    assert found["predicted_AU12"] == pytest.approx((0.2 * 0.2 + 0.1 * 0.6) / 0.3)
    # Who saw no face counts where nobody who did knows the target.
    assert found["predicted_quadrant"] == QUADRANTS[0]
    del members["blind"]
    combined = Combination("mean", Fixed.targets, np.full(3, 1 / 3))
    model = TrainedEnsemble(members, {}, "ensemble", combined, {}, {})
    found = model.answer(handmade(WORDS, ["happy"] * 2)).iloc[0]
    assert found["predicted_quadrant"] == ""
    assert found[list(FOUR.numbers)].isna().all()


def test_an_ensemble_has_intervals_of_its_own_by_validation(tmp_path: Path) -> None:
    clips = some(24)
    asked = given(clips, TARGETS, [0, 1], val=range(2, 20), folder=tmp_path)
    for role, learn in (("pretrained", pretrained.learn), ("knowledge", knowledge.learn)):
        learn(asked).save(tmp_path / role)
    found = ensemble.learn(asked).answer(clips)
    members = [schema.load(tmp_path / role).answer(clips) for role in ("pretrained", "knowledge")]
    mean = sum(member["predicted_valence"] for member in members) / 2
    np.testing.assert_allclose(found["predicted_valence"], mean)
    margin = np.sort(np.abs(mean - clips.table["valence"]).iloc[2:20])[17]
    expected = (mean + margin).clip(-1, 1).iloc[:-1]
    np.testing.assert_allclose(found["high_valence"].iloc[:-1], expected)
    assert np.isnan(found["high_valence"].iloc[-1])

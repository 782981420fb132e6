"""Several roles as one: how their answers are combined, weighed and kept together."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave.errors import UserError
from facewave.training import ensemble, knowledge, pretrained, schema
from facewave.training.combination import Combination
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.schema import Trained, answers_of
from making import contents, words
from making_untrained import given, handmade, look, move

WORDS = ("happy", "sad", "angry")
CLASSES = words(*WORDS)
P = [f"p_{word}" for word in WORDS]


class Fixed(Trained):
    """Answers with given probabilities; without any from the prior, [.6, .3, .1]."""

    type = kind = "fixed"
    targets, inputs = (CLASSES,), ()

    def __init__(self, *probabilities: list[float] | None) -> None:
        self.rows = probabilities

    def answer(self, clips: Any) -> pd.DataFrame:
        sees = np.array([row is not None for row in self.rows])
        numbers = np.array([row or [0.6, 0.3, 0.1] for row in self.rows])
        return answers_of(clips, np.where(sees, "face", "prior"), self.targets, numbers)

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "transductive": self.rows[0] is None}

    def save(self, path: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "Fixed":
        raise NotImplementedError


def pooled(by: str, weights: list[float], *members: Fixed) -> pd.DataFrame:
    named: dict[str, Trained] = {str(at): member for at, member in enumerate(members)}
    clips = handmade(WORDS, ["happy"] * len(members[0].rows))
    return TrainedEnsemble(named, {}, "ensemble", way(by, weights), {}, {}).answer(clips)


def way(by: str, weights: list[float]) -> Combination:
    return Combination(by, (CLASSES,), np.array(weights))


def test_means_are_of_log_probabilities_and_weights_count() -> None:
    one, other = [0.7, 0.2, 0.1], [0.1, 0.3, 0.6]
    for by, weights in (("mean", [0.5, 0.5]), ("weighted", [0.8, 0.2])):
        found = pooled(by, weights, Fixed(one), Fixed(other))
        expected = np.array(one) ** weights[0] * np.array(other) ** weights[1]
        np.testing.assert_allclose(found[P].iloc[0], expected / expected.sum())
        assert found["predicted"].tolist() == [WORDS[expected.argmax()]]
    unknown = pooled("mean", [0.5, 0.5], Fixed([0.5, 0.5, 0.0]), Fixed([0.0005, 0.0005, 0.999]))
    assert unknown["predicted"].tolist() == ["happy"]
    assert unknown["p_angry"].iloc[0] > 0.2  # what one does not know stays possible


def test_only_who_sees_a_face_counts_unless_nobody_does() -> None:
    blind, sure = Fixed(None, None), Fixed([0.1, 0.1, 0.8], None)
    for by in ("mean", "vote"):
        found = pooled(by, [0.9, 0.1], blind, sure)
        assert found["answered_from"].tolist() == ["face", "prior"]
        assert found["predicted"].tolist() == ["angry", "happy"]
    np.testing.assert_allclose(
        pooled("mean", [0.9, 0.1], blind, sure)[P], [[0.1, 0.1, 0.8], [0.6, 0.3, 0.1]]
    )
    # Without weight, yet alone in seeing a face.
    np.testing.assert_allclose(pooled("weighted", [1, 0], blind, sure)[P].iloc[0], [0.1, 0.1, 0.8])


def test_votes_decide_and_ties_go_to_the_likelier_class() -> None:
    happy, sad, angry = [0.4, 0.35, 0.25], [0.1, 0.5, 0.4], [0.05, 0.05, 0.9]
    third = [1 / 3] * 3
    found = pooled("vote", third, Fixed(happy), Fixed([0.45, 0.44, 0.11]), Fixed(angry))
    assert found["predicted"].tolist() == ["happy"]  # though angry has the highest mean
    np.testing.assert_allclose(found[P].iloc[0], [2 / 3, 0, 1 / 3])
    for members in ((happy, sad, angry), (angry, sad, happy), (sad, happy, angry)):
        found = pooled("vote", third, *map(Fixed, members))
        assert found["predicted"].tolist() == ["angry"]
        np.testing.assert_allclose(found[P].iloc[0], third)


def made(folder: Path, by: str, val: tuple[int, ...] = (2, 3)) -> Any:
    """Clips, and what an ensemble of the two real members is made from; these are saved."""
    looks = [look([0.1, 0.6, 0.2, 0.1]), look([0.1, 0.2, 0.6, 0.1])] * 6
    moves = [move({"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}), move({"browDownLeft": 0.6})] * 6
    clips = handmade(WORDS, ["happy", "sad"] * 6, looks, moves)
    some = given(clips, [CLASSES], [0, 1], val, folder, ensemble={"by": by})
    pretrained.learn(some).save(folder / "pretrained")
    knowledge.learn(some).save(folder / "knowledge")
    return clips, some


def test_an_ensemble_is_kept_as_the_names_of_its_members(tmp_path: Path) -> None:
    for by in ("mean", "weighted", "f1", "stacking", "vote"):
        clips, some = made(tmp_path, by, val=tuple(range(len(WORDS) * 4)))
        model = ensemble.learn(some)
        model.save(tmp_path / "model")
        loaded = schema.load(tmp_path / "model")
        assert set(contents(tmp_path / "model")) == {"config.json", "model.safetensors"}
        loaded.save(tmp_path / "again")
        assert contents(tmp_path / "model") == contents(tmp_path / "again")
        assert loaded.answer(clips).equals(model.answer(clips))
        assert loaded.describe() == model.describe()
        assert list(loaded.describe()["members"]) == ["pretrained", "knowledge"]
        assert (loaded.encoder, loaded.needs_face) == ("tiny", True)
        found = loaded.answer(clips)
        assert list(found) == ["answered_from", "predicted", *P]
        assert (found["predicted"] == clips.table["actual"]).all()
    weights = ensemble.learn(made(tmp_path, "weighted")[1]).combined.weights_M
    assert weights.tolist() != [0.5, 0.5]
    for by, val in (("weighted", ()), ("f1", ()), ("mean", (2, 3))):
        equal = ensemble.learn(made(tmp_path, by, val=val)[1])
        assert equal.combined.weights_M.tolist() == [0.5, 0.5]
        assert equal.card().count("| answers by | the mean of pretrained") == 1
    stacked = ensemble.learn(made(tmp_path, "stacking", val=(2, 3))[1])
    assert "(too few had happy, sad, angry: there it is the mean) |" in stacked.card()


def test_members_that_are_missing_or_others_are_refused(tmp_path: Path) -> None:
    _, some = made(tmp_path, "mean")
    ensemble.learn(some).save(tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    assert [member["folder"] for member in config["members"]] == ["../pretrained", "../knowledge"]
    fewer = config | {"members": config["members"][:1]}
    (tmp_path / "model/config.json").write_text(json.dumps(fewer))
    with pytest.raises(UserError, match="is damaged"):
        schema.load(tmp_path / "model")
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    model = schema.load(tmp_path / "knowledge")
    model.about = {"dataset": "other"}
    model.save(tmp_path / "knowledge")
    with pytest.raises(UserError, match=r"knowledge is not what the ensemble in .* was made of"):
        schema.load(tmp_path / "model")
    (tmp_path / "knowledge/config.json").unlink()
    with pytest.raises(UserError, match=r"knowledge/config.json is not here\. Train it"):
        schema.load(tmp_path / "model")


def test_an_ensemble_is_transductive_if_a_member_is() -> None:
    for member, expected in ((Fixed([1.0, 0.0, 0.0]), False), (Fixed(None), True)):
        members: dict[str, Trained] = {"a": member, "b": Fixed([1.0, 0.0, 0.0])}
        model = TrainedEnsemble(members, {}, "ensemble", way("mean", [0.5, 0.5]), {}, {})
        assert model.describe()["transductive"] is expected

"""train.normalize: person, from the stage's roles to the answers: what leaves a trace, what not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.params import Params
from facewave.prediction.__main__ import main as predict
from facewave.prediction.schema import read
from facewave.training import cards, schema
from facewave.training.__main__ import main as train
from facewave.training.classifier import TrainedClassifier
from facewave.training.parts import plan, split
from facewave.training.person import normalized
from facewave.workspace import Clips, Dataset
from making import (
    TOY_TRAIN,
    Toy,
    contents,
    toy,
    words,
    write_landmarks,
    write_params,
    write_toy,
)
from making import trajectory as trajectory_of

CHANGES: dict[str, Any] = {"normalize": "person", "model": "logistic", "partitions": [1],
                           "baselines": ["trees"]}  # fmt: skip
TRAINED = ("model", "majority", "trees", schema.UNNORMALIZED)


def shifted(seed: int = 0) -> Toy:
    """The toy, whose people's faces differ at rest by much more than their classes."""
    made = toy(seed=seed)
    rest = np.random.default_rng(seed).normal(size=(20, 1, 52)) * 4
    numbers = made.blendshapes + rest.repeat(3, axis=0)
    return Toy(made.table, made.usable, numbers.astype(np.float32))


def written(made: Toy, **changes: Any) -> Params:
    """A project here, with its params.yaml."""
    write_params(Path(), train=TOY_TRAIN | CHANGES | changes)
    write_toy(Path(), made)
    names = made.table["video_idx"]
    write_landmarks(Path(), {name: trajectory_of(12) for name in names}, unusable=(names[0],))
    return params.load()


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    return written(shifted())


def model(role: str = "model") -> TrainedClassifier:
    found = schema.load(schema.folder(1, role))
    assert isinstance(found, TrainedClassifier)
    return found


def test_the_model_without_it_is_trained_and_answered_as_well_and_all_say_what_they_are(
    loaded: Params,
) -> None:
    train()
    predict()
    answers, models = read()
    assert tuple(models.roles) == TRAINED
    assert models.normalized == dict.fromkeys(("model", "trees"), cards.NORMALIZED)
    by_role = {role: rows["p_happy"].to_numpy() for role, rows in answers.groupby("role")}
    assert not np.allclose(by_role["model"], by_role[schema.UNNORMALIZED])
    for role in TRAINED:
        named = [cards.NORMALIZED in model(role).card(), cards.NORMALIZED in model(role).line()]
        assert named == [role in models.normalized] * 2
    # What is trained without it is the model that is trained where it is not asked for.
    before = contents(schema.folder(1, schema.UNNORMALIZED))
    write_params(Path(), train=TOY_TRAIN | CHANGES | {"normalize": "none"})
    train()
    assert contents(schema.folder(1, "model")) == before
    assert not schema.folder(1, schema.UNNORMALIZED).exists()


def clips_of(loaded: Params) -> Clips:
    return Dataset("demo", loaded).clips()


def test_a_loaded_model_gives_the_same_answers_by_whichever_clips_are_asked_about(
    loaded: Params,
) -> None:
    train()
    clips, trained = clips_of(loaded), model()
    assert trained.normalizes
    answers = trained.answer(clips)
    trained.save(Path("again"))
    pd.testing.assert_frame_equal(schema.load(Path("again")).answer(clips), answers)
    some = [7, 30, 3]  # a person's other clips are known, whether they are asked about or not
    pd.testing.assert_frame_equal(trained.answer(clips.select(some)), answers.iloc[some])
    alone = trained.answer(replace(clips, people={}))
    usable = clips.table["usable"].to_numpy()
    assert not np.allclose(alone["p_happy"][usable], answers["p_happy"][usable])


def test_no_label_and_no_test_clip_but_every_usable_clip_of_the_person_leaves_a_trace(
    loaded: Params,
) -> None:
    clips, settings = clips_of(loaded), loaded.train
    usable = clips.select(clips.table["usable"])
    parts = labels.parts(usable.table, 1)
    targets = Dataset("demo", loaded).targets
    samples, _, population = split(usable, parts, targets, settings)
    assert population is not None
    learnt = usable.select(parts == "train").inputs(settings.inputs).astype(np.float64)
    np.testing.assert_allclose(population.mean_ND, learnt.mean(0), rtol=1e-12)
    np.testing.assert_allclose(population.variance_ND, learnt.var(0), rtol=1e-12)

    numbers = normalized(clips, settings.inputs, population)
    relabelled = clips.table.assign(label=0, actual="happy")
    again = normalized(replace(clips, table=relabelled), settings.inputs, population)
    np.testing.assert_array_equal(again, numbers)

    # The clip without a single label is subject 0's, and so is the one without a face.
    undecided = Dataset("demo", loaded).read_labels().query("video_idx == 'undecided'")
    assert undecided["excluded"].item()
    assert undecided["subject"].item() == "s0"
    of_s0 = clips.people["s0"]
    features = Dataset("demo", loaded).read_features()
    assert features.clips["video_idx"].iloc[of_s0].tolist() == ["undecided", "001", "002"]

    # Other numbers of a test person change that person's clips alone, and nothing that is fitted.
    tested = usable.table.loc[parts == "test", "subject"].iloc[-1]
    changed = {name: block.copy() for name, block in clips.blocks.items()}
    for block in changed.values():
        block[clips.people[tested][0]] += 3
    other = replace(usable, blocks=changed)
    other_samples, _, other_population = split(other, parts, targets, settings)
    assert other_population is not None
    np.testing.assert_array_equal(other_samples.inputs_nND, samples.inputs_nND)
    np.testing.assert_array_equal(other_population.mean_ND, population.mean_ND)
    after = normalized(replace(clips, blocks=changed), settings.inputs, population)
    moved = (after != numbers).any(axis=(1, 2)) & clips.table["usable"].to_numpy()
    assert set(clips.table.loc[moved, "subject"]) == {tested}
    assert moved.sum() == 3


def test_what_it_cannot_be_used_with_is_named(loaded: Params) -> None:
    clips = clips_of(loaded)
    nobody = replace(clips, people={})
    with pytest.raises(UserError, match="demo does not say who is in its clips"):
        split(nobody, labels.parts(clips.table, 1), [words("happy")], loaded.train)
    with pytest.raises(UserError, match="the transform largest chooses among them"):
        plan("logistic", [words("happy")], clips, {"transform": "largest", "k": 2}, loaded.train)
    for kind in ("majority", "pretrained", "tiny-smolvlm"):
        write_params(Path(), train=TOY_TRAIN | CHANGES | {"model": kind})
        with pytest.raises(UserError, match=rf"train\.model is {kind}\. Set train\.normalize: non"):
            params.load()

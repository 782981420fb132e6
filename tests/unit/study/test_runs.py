"""One run: no test clip leaves a trace, and the answers are those of the stages."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.evaluation import measures
from facewave.evaluation.intervals import estimates
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.params import Block, ClassifierKind, Evaluate
from facewave.study.runs import FIGURES, Outcome, figures, run
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips, people_in
from making import REPOSITORY, Toy, toy

TRAIN = params.load(REPOSITORY / "params.yaml").train
SETTINGS = replace(
    TRAIN,
    inputs=["blendshapes"],
    logistic=params.Linear(c=0.1),
    trees=params.Trees(stages=3),
    network=replace(TRAIN.network, epochs=4, hidden=8, lr=0.01),
)
HAAR = Transform("approximation", "haar", k=10)
TRANSFORMS = (HAAR, Transform("largest", "haar", k=4), Transform("pca", k=4))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As the stages have it; on more, small sums wait for each other."""
    torch.set_num_threads(1)


def clips_of_toy() -> Toy:
    """The toy's clips, their table with all columns that are read of it."""
    made = toy()
    table = made.table.assign(source="", validation=pd.NA).astype({"label": "Int64"})
    return replace(made, table=table)


def clips_of(made: Toy) -> Clips:
    """The toy's clips; where there is no face there are no numbers."""
    seen = np.where(made.usable[:, None, None], made.blendshapes, np.nan).astype(np.float32)
    table = made.table.assign(usable=made.usable, at=range(len(made.table)), face_share=1.0)
    return Clips(table, {"blendshapes": seen}, Path(), 25.0, Path(), pd.DataFrame(), {})


def outcome(
    made: Toy,
    kind: ClassifierKind = "logistic",
    transform: Transform = HAAR,
    settings: params.Train = SETTINGS,
    partitions: tuple[str | int, ...] = (1,),
) -> Outcome:
    """A run on a toy's clips."""
    parts = [labels.parts(made.table, partition) for partition in partitions]
    return run(clips_of(made), transform, WORDS, kind, settings, parts)


def changed(made: Toy, part: str) -> Toy:
    """Other numbers and words in half of a part of fold 1's partition; subjects stay."""
    at = np.flatnonzero(labels.parts(made.table, 1) == part)[::2]
    table, blendshapes = made.table.copy(), made.blendshapes.copy()
    table.loc[at, "label"] = (table.loc[at, "label"] + 1) % 3
    table["actual"] = [WORDS[code] for code in table["label"]]
    blendshapes[at] = 50 * np.random.default_rng(5).normal(size=blendshapes[at].shape)
    return Toy(table, made.usable, blendshapes)


def test_test_clips_leave_no_trace_in_what_is_fitted() -> None:
    made = clips_of_toy()
    other = changed(made, "test")
    haar, largest, pca = TRANSFORMS
    pairs: list[tuple[ClassifierKind, Transform]] = [("logistic", haar), ("logistic", largest)]
    pairs += [("mlp", pca), ("mlp", largest), ("trees", haar), ("majority", haar)]
    for kind, transform in pairs:
        before, after = (outcome(one, kind, transform) for one in (made, other))
        # Every second test clip has changed; the answers to the others stay.
        np.testing.assert_array_equal(
            after.answers.probabilities[1::2], before.answers.probabilities[1::2]
        )
        assert after.val_uar == before.val_uar
        np.testing.assert_array_equal(after.answers.actual[1::2], before.answers.actual[1::2])
        assert (after.answers.actual[::2] != before.answers.actual[::2]).all()


def test_training_and_validation_clips_do_leave_a_trace_and_a_run_learns() -> None:
    made = clips_of_toy()
    for transform in TRANSFORMS:
        before = outcome(made, "mlp", transform).answers.probabilities
        for part in ("train", "val"):
            after = outcome(changed(made, part), "mlp", transform).answers.probabilities
            assert not np.array_equal(after, before)
        found = outcome(made, "logistic", transform, partitions=(1, 2, 3))
        assert found.val_uar > 0.5
        assert figures(found.answers, Evaluate(resamples=2, seed=0))["uar"] > 50


def test_a_clip_without_a_face_is_answered_from_the_frequencies_of_the_training_part() -> None:
    made = clips_of_toy()
    codes = made.table["label"].to_numpy(int)
    skewed = made.table["fold"].to_numpy() == 3  # fold 1's training part
    codes[np.flatnonzero(skewed)[:6]] = 5
    actual = [WORDS[code] for code in codes]
    table = made.table.assign(label=pd.array(codes, "Int64"), actual=actual)
    usable = made.usable.copy()
    blind = np.flatnonzero(table["fold"] == 1)[[0, 4, 7]]
    usable[blind] = False
    usable[np.flatnonzero(skewed)[6:9]] = False  # nor are these counted
    found = outcome(Toy(table, usable, made.blendshapes))
    counts = np.bincount(codes[skewed & usable], minlength=len(WORDS))
    expected = (counts + 1) / (counts + 1).sum()
    is_blind = ~usable[np.flatnonzero(table["fold"] == 1)]
    assert is_blind.sum() == 3
    np.testing.assert_allclose(
        found.answers.probabilities[is_blind], np.tile(expected, (3, 1)), rtol=1e-6
    )
    seen = found.answers.probabilities[~is_blind]
    assert np.isfinite(seen).all()
    assert (np.abs(seen - expected).max(axis=1) > 0.05).all()


def test_answers_are_in_the_order_of_the_partitions_with_their_folds_and_groups() -> None:
    made = clips_of_toy()
    partitions: tuple[str | int, ...] = (3, "split", 1)
    found = outcome(made, partitions=partitions).answers
    tests = [
        np.flatnonzero(labels.parts(made.table, partition) == "test") for partition in partitions
    ]
    rows = made.table.iloc[np.concatenate(tests)]
    np.testing.assert_array_equal(found.fold, np.repeat([0, 1, 2], [len(one) for one in tests]))
    np.testing.assert_array_equal(found.actual, rows["label"])
    np.testing.assert_array_equal(found.group, pd.factorize(rows["subject"])[0])
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(found.predicted, found.probabilities.argmax(axis=1))


def test_validation_is_the_mean_over_the_partitions_that_have_any() -> None:
    made = clips_of_toy()
    table = made.table.copy()
    each = [outcome(made, partitions=(k,)).val_uar for k in (1, 2)]
    assert each[0] != each[1]
    assert outcome(made, partitions=(1, 2)).val_uar == pytest.approx(np.mean(each))
    table["split"] = table["split"].replace("val", "train")
    without = Toy(table, made.usable, made.blendshapes)
    assert np.isnan(outcome(without, partitions=("split",)).val_uar)
    assert outcome(without, partitions=("split", 2)).val_uar == each[1]


def test_figures_are_those_of_the_evaluation_in_percent() -> None:
    whole = outcome(clips_of_toy(), partitions=(1, 2, 3)).answers
    for n_groups in (4, 20):
        tested = replace(whole, group=whole.group % n_groups)
        found = figures(tested, Evaluate(resamples=50, seed=3))
        assert tuple(found) == FIGURES
        assert (found["n"], found["groups"], found["folds"]) == (60, n_groups, 3)
        measured = estimates(partial(measures.overall, tested), tested.group, 50, 3)
        for name in ("war", "uar"):
            for key, value in measured[name].named(name).items():
                assert found[key] == round(100 * value, 2)
        assert found["uar_low"] < found["uar_high"]


def test_normalised_by_the_persons_clips_a_run_recognises_more_where_faces_differ_at_rest() -> None:
    rng = np.random.default_rng(0)
    person, code = np.arange(360) // 30, np.arange(360) % 3
    numbers = rng.normal(size=(360, 2, 5)) + 6 * rng.normal(size=(12, 2, 5))[person]
    numbers[np.arange(360), :, code] += 1.5
    words = ("happy", "sad", "angry")
    table = pd.DataFrame({
        "video_idx": [f"{i}" for i in range(360)], "file_path": "", "source": "", "at": range(360),
        "subject": person.astype(str), "label": pd.array(code, "Int64"),
        "actual": np.array(words)[code],
        "usable": True, "face_share": 1.0, "rank": 0.5,
    })  # fmt: skip
    block: dict[Block, Any] = {"blendshapes": numbers.astype(np.float32)}
    clips = Clips(table, block, Path(), 25.0, Path(), pd.DataFrame(), {}, people=people_in(table))
    parts = pd.Series(np.array(["train", "train", "val", "test"])[person % 4])
    none = replace(TRAIN, inputs=["blendshapes"])
    uar = {}
    for settings in (none, replace(none, normalize="person")):
        outcome = run(clips, Transform("mean", k=2), words, "logistic", settings, [parts])
        uar[settings.normalize] = figures(outcome.answers, Evaluate(resamples=2, seed=0))["uar"]
    assert uar["person"] > uar["none"] + 20
    assert uar["person"] > 75

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
from facewave.study import scores
from facewave.study.runs import Outcome, run
from facewave.study.scores import Answered, Score, columns_of
from facewave.targets import CLASSES, Target
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
TARGET = Target(CLASSES, "words", WORDS)
SCORE = Score((TARGET,))
TRANSFORMS = (HAAR, Transform("largest", "haar", k=4), Transform("pca", k=4))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As the stages have it; on more, small sums wait for each other."""
    torch.set_num_threads(1)


def clips_of_toy() -> Toy:
    """The toy's clips, their table with all columns that are read of it."""
    made = toy()
    table = made.table.assign(source="", validation=pd.NA, votes="").astype({"label": "Int64"})
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
    return run(clips_of(made), transform, [TARGET], kind, settings, parts)


def probabilities(found: Outcome) -> np.ndarray:
    """Of the test clips, (n, C)."""
    return found.tested[list(TARGET.numbers)].to_numpy(float)


def figures(found: Outcome | Answered, evaluate: Evaluate) -> dict[str, Any]:
    """What tables have of it."""
    tested = found if isinstance(found, Answered) else SCORE.tested(found.tested)
    return scores.figures(SCORE, tested, evaluate)


def val_uar(found: Outcome) -> float:
    """The mean over the partitions that have a validation part."""
    each = [SCORE.tested(rows).figures(["uar"])["uar"] for rows in found.validated]
    return float(np.nanmean(each)) if not np.isnan(each).all() else float("nan")


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
        np.testing.assert_array_equal(probabilities(after)[1::2], probabilities(before)[1::2])
        assert val_uar(after) == val_uar(before)
        same = (after.tested["actual"] == before.tested["actual"]).to_numpy()
        assert same[1::2].all()
        assert not same[::2].any()


def test_training_and_validation_clips_do_leave_a_trace_and_a_run_learns() -> None:
    made = clips_of_toy()
    for transform in TRANSFORMS:
        before = probabilities(outcome(made, "mlp", transform))
        for part in ("train", "val"):
            after = probabilities(outcome(changed(made, part), "mlp", transform))
            assert not np.array_equal(after, before)
        found = outcome(made, "logistic", transform, partitions=(1, 2, 3))
        assert val_uar(found) > 0.5
        assert figures(found, Evaluate(2, 0, params.Traces(0, 0)))["uar"] > 50


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
    np.testing.assert_allclose(probabilities(found)[is_blind], np.tile(expected, (3, 1)), rtol=1e-6)
    seen = probabilities(found)[~is_blind]
    assert np.isfinite(seen).all()
    assert (np.abs(seen - expected).max(axis=1) > 0.05).all()


def test_answers_are_in_the_order_of_the_partitions_with_their_folds_and_groups() -> None:
    made = clips_of_toy()
    partitions: tuple[str | int, ...] = (3, "split", 1)
    answered = outcome(made, partitions=partitions)
    found = SCORE.tested(answered.tested)
    tests = [
        np.flatnonzero(labels.parts(made.table, partition) == "test") for partition in partitions
    ]
    rows = made.table.iloc[np.concatenate(tests)]
    np.testing.assert_array_equal(found.fold, np.repeat([0, 1, 2], [len(one) for one in tests]))
    np.testing.assert_array_equal(found.truth_nM.argmax(axis=1), rows["label"])
    np.testing.assert_array_equal(found.group, pd.factorize(rows["subject"])[0])
    np.testing.assert_allclose(probabilities(answered).sum(axis=1), 1, rtol=1e-6)
    best = probabilities(answered).argmax(axis=1)
    np.testing.assert_array_equal(found.said_nM.argmax(axis=1), best)
    assert answered.tested["predicted"].tolist() == [WORDS[code] for code in best]


def test_validation_is_the_mean_over_the_partitions_that_have_any() -> None:
    made = clips_of_toy()
    table = made.table.copy()
    each = [val_uar(outcome(made, partitions=(k,))) for k in (1, 2)]
    assert each[0] != each[1]
    assert val_uar(outcome(made, partitions=(1, 2))) == pytest.approx(np.mean(each))
    table["split"] = table["split"].replace("val", "train")
    without = Toy(table, made.usable, made.blendshapes)
    assert np.isnan(val_uar(outcome(without, partitions=("split",))))
    assert val_uar(outcome(without, partitions=("split", 2))) == each[1]


def test_figures_are_those_of_the_evaluation_in_percent() -> None:
    whole = outcome(clips_of_toy(), partitions=(1, 2, 3)).tested
    for n_groups in (4, 20):
        numbered = (pd.factorize(whole["subject"])[0] % n_groups).astype(str)
        rows = whole.assign(subject=numbered)
        found = figures(SCORE.tested(rows), Evaluate(50, 3, params.Traces(0, 0)))
        assert tuple(found) == columns_of(["war", "uar"])
        assert (found["n"], found["groups"], found["folds"]) == (60, n_groups, 3)
        answers = measures.from_table(rows, WORDS)
        measured = estimates(partial(measures.war_and_uar, answers), answers.group, 50, 3)
        for name in ("war", "uar"):
            for key, value in measured[name].named(name).items():
                assert found[key] == pytest.approx(100 * value, abs=0.0051)
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
        "actual": np.array(words)[code], "excluded": "", "votes": "",
        "usable": True, "face_share": 1.0, "rank": 0.5,
    })  # fmt: skip
    block: dict[Block, Any] = {"blendshapes": numbers.astype(np.float32)}
    clips = Clips(table, block, Path(), 25.0, Path(), pd.DataFrame(), {}, people=people_in(table))
    parts = pd.Series(np.array(["train", "train", "val", "test"])[person % 4])
    none = replace(TRAIN, inputs=["blendshapes"])
    uar = {}
    for settings in (none, replace(none, normalize="person")):
        target = Target(CLASSES, "words", words)
        outcome = run(clips, Transform("mean", k=2), [target], "logistic", settings, [parts])
        tested = Score((target,)).tested(outcome.tested)
        uar[settings.normalize] = 100 * tested.figures(["uar"])["uar"]
    assert uar["person"] > uar["none"] + 20
    assert uar["person"] > 75

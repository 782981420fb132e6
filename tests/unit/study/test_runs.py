"""One run: no test clip leaves a trace, and the answers are those of the stages."""

import shutil
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.evaluation import measures
from facewave.evaluation.__main__ import main as evaluate
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.params import ClassifierKind, Evaluate, TransformName
from facewave.study.runs import Outcome, figures, run
from facewave.training import schema as training
from facewave.wavelets import schema as wavelets
from facewave.wavelets.transform import Transform
from making import REPOSITORY, TOY_TRAIN, Toy, toy, trained_project

QUICK: dict[str, Any] = TOY_TRAIN | {"epochs": 4, "trees": 3, "inputs": ["blendshapes"]}
SETTINGS = replace(params.load(REPOSITORY / "params.yaml").train, **QUICK)
HAAR = Transform("approximation", "haar", k=10)
MODES: dict[TransformName, Transform] = {
    "approximation": HAAR,
    "largest": Transform("largest", "haar", k=4),
    "pca": Transform("pca", k=4),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As the stages have it; on more, small sums wait for each other."""
    torch.set_num_threads(1)


def clips_of_toy() -> Toy:
    """The toy's clips, their table with all columns that are read of it."""
    made = toy()
    table = made.table.assign(source="", validation=pd.NA).astype({"label": "Int64"})
    return replace(made, table=table)


def outcome(
    made: Toy,
    kind: ClassifierKind = "logistic",
    transform: Transform = HAAR,
    settings: params.Train = SETTINGS,
    partitions: tuple[str | int, ...] = (1,),
) -> Outcome:
    """A run on a toy's clips; where there is no face there are no numbers."""
    blocks = {"blendshapes": np.where(made.usable[:, None, None], made.blendshapes, np.nan)}
    clips = made.table.assign(usable=made.usable, at=range(len(made.table)))
    parts = [labels.parts(clips, partition) for partition in partitions]
    return run(clips, blocks, transform, WORDS, kind, settings, parts)  # type: ignore[arg-type]


def changed(made: Toy, part: str, half: slice) -> tuple[Toy, np.ndarray]:
    """Other numbers and words in half of a part of fold 1's partition, and which clips these are.

    Subjects, and so groups, stay.
    """
    at = np.flatnonzero(labels.parts(made.table, 1) == part)[half]
    table, blendshapes = made.table.copy(), made.blendshapes.copy()
    table.loc[at, "label"] = (table.loc[at, "label"] + 1) % 3
    table["actual"] = [WORDS[code] for code in table["label"]]
    blendshapes[at] = 50 * np.random.default_rng(5).normal(size=blendshapes[at].shape)
    return Toy(table, made.usable, blendshapes), at


HALF = slice(0, None, 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["logistic", "mlp", "trees", "majority"])
def test_test_clips_leave_no_trace_in_what_is_fitted(
    kind: ClassifierKind, mode: TransformName
) -> None:
    made = clips_of_toy()
    other, _ = changed(made, "test", HALF)
    before, after = (outcome(one, kind, MODES[mode]) for one in (made, other))
    # Of the test clips, every second has changed; the answers to the others stay.
    np.testing.assert_array_equal(
        after.answers.probabilities[1::2], before.answers.probabilities[1::2]
    )
    assert after.val_uar == before.val_uar
    np.testing.assert_array_equal(after.answers.actual[1::2], before.answers.actual[1::2])
    assert (after.answers.actual[::2] != before.answers.actual[::2]).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("part", ["train", "val"])
def test_training_and_validation_clips_do_leave_a_trace(mode: TransformName, part: str) -> None:
    made = clips_of_toy()
    other, _ = changed(made, part, HALF)
    before, after = (outcome(one, "mlp", MODES[mode]) for one in (made, other))
    assert not np.array_equal(after.answers.probabilities, before.answers.probabilities)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_learns(mode: TransformName) -> None:
    found = outcome(clips_of_toy(), "logistic", MODES[mode], partitions=(1, 2, 3))
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


def test_numbers_are_taken_from_the_clip_s_place() -> None:
    made = clips_of_toy()
    order = np.random.default_rng(0).permutation(len(made.table))
    clips = made.table.assign(usable=made.usable, at=range(len(made.table)))
    parts = [labels.parts(clips, 1)]
    blocks: dict[params.Block, Any] = {"blendshapes": made.blendshapes}
    before = run(clips, blocks, HAAR, WORDS, "logistic", SETTINGS, parts)
    moved = clips.assign(at=np.argsort(order))
    shuffled: dict[params.Block, Any] = {"blendshapes": made.blendshapes[order]}
    after = run(moved, shuffled, HAAR, WORDS, "logistic", SETTINGS, parts)
    np.testing.assert_array_equal(after.answers.probabilities, before.answers.probabilities)


def test_a_subset_cuts_the_training_part_alone() -> None:
    made = clips_of_toy()
    small = replace(SETTINGS, subset=[0.0, 0.5])
    parts = labels.parts(made.table, 1)
    outside = (parts == "train") & (made.table["rank"] >= 0.5)
    kept = made.usable & ~outside.to_numpy()
    assert 0 < outside.sum() < (parts == "train").sum()
    without = Toy(
        made.table[kept].reset_index(drop=True), made.usable[kept], made.blendshapes[kept]
    )
    by_hand = outcome(without, "mlp")
    found = outcome(made, "mlp", settings=small)
    usable = made.usable[np.flatnonzero(parts == "test")]
    np.testing.assert_allclose(
        found.answers.probabilities[usable], by_hand.answers.probabilities, rtol=1e-5
    )
    assert found.val_uar == by_hand.val_uar
    assert outcome(made, "mlp").val_uar != found.val_uar


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


def test_the_validation_uar_is_the_mean_recall_of_its_clips() -> None:
    # As a test part, the same clips are answered by the same model.
    made = clips_of_toy()
    parts = labels.parts(made.table, 1)
    exchanged = parts.replace({"val": "test", "test": "spare"})
    clips = made.table.assign(usable=made.usable, at=range(len(made.table)))
    blocks: dict[params.Block, Any] = {"blendshapes": made.blendshapes}
    alone = replace(SETTINGS, c=0.05)
    said = run(clips, blocks, HAAR, WORDS, "logistic", alone, [exchanged]).answers
    right = pd.Series(said.predicted == said.actual).groupby(said.actual).mean()
    found = run(clips, blocks, HAAR, WORDS, "logistic", alone, [parts]).val_uar
    assert found == pytest.approx(right.mean())  # of a linear head, validation changes no answer


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy project after the stages train and evaluate."""
    project = tmp_path_factory.mktemp("evaluated") / "project"
    shutil.copytree(trained_project(), project)
    with chdir(project):
        evaluate()
    return project


@pytest.mark.parametrize("role", ["model", "majority", "logistic"])
def test_a_run_s_answers_are_those_of_the_stages(evaluated: Path, role: str) -> None:
    with chdir(evaluated):
        settings = params.load()
        features = wavelets.read(Path("data/features/demo"))
        words = labels.read_words(Path("data/labels/demo.csv"))
        clips = wavelets.join(
            labels.single_label(labels.read(Path("data/labels/demo.csv"))), features
        )
        text = dict.fromkeys(("partition", "video_idx"), str)
        predictions = pd.read_csv(
            "metrics/evaluate/predictions.csv", dtype=text, keep_default_na=False
        )
    partitions = settings.train.partitions
    expected = pd.concat(
        [
            predictions[(predictions["role"] == role) & (predictions["partition"] == str(one))]
            for one in partitions
        ]
    )
    transform = Transform(**{name: features.config[name] for name in vars(HAAR)})
    kind = training.classifiers(settings.train)[role]
    parts = [labels.parts(clips, partition) for partition in partitions]
    found = run(clips, features.blocks, transform, words, kind, settings.train, parts).answers
    assert len(found.actual) == len(expected) == 54
    assert [words[code] for code in found.actual] == expected["actual"].tolist()
    assert [words[code] for code in found.predicted] == expected["predicted"].tolist()
    said = expected[[f"p_{word}" for word in words]].to_numpy()
    np.testing.assert_allclose(found.probabilities, said, atol=0.51e-4)
    same = measures.from_table(expected, words)
    for name in ("fold", "group"):
        np.testing.assert_array_equal(getattr(found, name), getattr(same, name))


def answers(n: int = 60, n_groups: int = 12) -> measures.Answers:
    rng = np.random.default_rng(1)
    actual = rng.integers(0, 3, n)
    probabilities = rng.dirichlet(np.ones(3), n) + 0.8 * np.eye(3)[actual]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return measures.Answers(
        actual=actual,
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        fold=np.arange(n) % 2,
        group=np.arange(n) % n_groups,
    )


@pytest.mark.parametrize("n_groups", [4, 12])
def test_figures_are_those_of_the_evaluation_in_percent(n_groups: int) -> None:
    said = answers(n_groups=n_groups)
    found = figures(said, Evaluate(resamples=50, seed=3))
    assert (found.pop("n"), found.pop("groups"), found.pop("folds")) == (60, n_groups, 2)
    overall, drawn = measures.overall(said), measures.bootstrap(said, 50, 3)
    expected: dict[str, Any] = {}
    for name in ("war", "uar"):
        low, high = measures.interval(drawn[name])
        expected |= {name: overall[name], f"{name}_low": low, f"{name}_high": high}
    assert found == {name: round(100 * float(value), 2) for name, value in expected.items()}
    assert found["uar_low"] < found["uar"] < found["uar_high"]

"""From tables to what is fitted: which clips, which numbers, and how many steps are kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave import params
from facewave.models.classifiers.classifier import ClassifierConfig, Reduction
from facewave.params import Block, TransformName
from facewave.training.parts import plan, split
from making import REPOSITORY

WORDS = ("happy", "sad", "angry")
TRAIN = params.load(REPOSITORY / "params.yaml").train
STEPS = 4
PARTS = ("train", "val", "test")


def clips(parts: Sequence[str], ranks: Sequence[float] | None = None) -> pd.DataFrame:
    """So many clips, whose places in the blocks are the other way round."""
    n = len(parts)
    codes = [i % len(WORDS) for i in range(n)]
    return pd.DataFrame(
        {
            "label": pd.array(codes, "Int64"),
            "actual": [WORDS[code] for code in codes],
            "votes": '{"sad": 3, "angry": 1}',
            "rank": ranks or [0.5] * n,
            "at": range(n)[::-1],
        }
    )


def blocks(n: int) -> dict[Block, Any]:
    """A clip's numbers are its place, the head's with a half more."""
    places = np.arange(n, dtype=np.float32)[:, None, None]
    return {
        "blendshapes": np.tile(places, (1, STEPS, 52)),
        "pose_free": np.full((n, STEPS, 478, 3), np.nan, np.float32),
        "head": np.tile(places + 0.5, (1, STEPS, 7)),
    }


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(PARTS), st.floats(0, 1, exclude_max=True)), min_size=1),
    st.tuples(st.floats(0, 0.4), st.floats(0.5, 1)),
)
def test_each_part_has_its_clips_and_the_subset_cuts_training_alone(
    drawn: list[tuple[str, float]], subset: tuple[float, float]
) -> None:
    parts, ranks = zip(*drawn, strict=True)
    table = clips(parts, ranks)
    chosen = replace(TRAIN, inputs=["blendshapes"], subset=list(subset))
    train, val = split(table, pd.Series(parts), blocks(len(parts)), WORDS, chosen)
    learnt = [
        i for i, (part, r) in enumerate(drawn) if part == "train" and subset[0] <= r < subset[1]
    ]
    checked = [i for i, part in enumerate(parts) if part == "val"]
    for found, rows in ((train, learnt), (val, checked)):
        assert found.inputs_nND[:, 0, 0].tolist() == [len(parts) - 1 - i for i in rows]
        assert found.codes_n.tolist() == [i % len(WORDS) for i in rows]
        assert found.targets_nC.argmax(1).tolist() == found.codes_n.tolist()
        assert found.targets_nC.sum(1).tolist() == [1.0] * len(rows)


def test_the_inputs_stand_side_by_side_in_the_order_of_the_settings() -> None:
    table, parts = clips(["train", "val"]), pd.Series(["train", "val"])
    orders: list[tuple[list[Block], tuple[int, int]]] = [
        (["blendshapes", "head"], (52, 7)),
        (["head", "blendshapes"], (7, 52)),
    ]
    for inputs, widths in orders:
        chosen = replace(TRAIN, inputs=inputs)
        train, val = split(table, parts, blocks(2), WORDS, chosen)
        assert train.inputs_nND.shape == val.inputs_nND.shape == (1, STEPS, 59)
        at_first = {"blendshapes": 1.0, "head": 1.5}  # the first clip's place is 1
        expected = [
            at_first[name] for name, n in zip(inputs, widths, strict=True) for _ in range(n)
        ]
        assert train.inputs_nND[0, 0].tolist() == expected


def test_votes_are_targets_where_they_are_asked_for() -> None:
    table, parts = clips(["train", "train", "val"]), pd.Series(["train", "train", "val"])
    table.loc[0, "votes"] = ""
    chosen = replace(TRAIN, soft_labels=True)
    train, val = split(table, parts, blocks(3), WORDS, chosen)
    assert train.targets_nC.tolist() == [[1, 0, 0], [0, 0.75, 0.25]]
    assert val.targets_nC.tolist() == [[0, 0.75, 0.25]]
    assert train.targets_nC.dtype == train.inputs_nND.dtype
    assert train.codes_n.tolist() == [0, 1]
    hard, _ = split(table, parts, blocks(3), WORDS, TRAIN)
    assert hard.targets_nC.tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("mode", get_args(TransformName))
def test_training_keeps_steps_in_the_modes_that_learn_which(mode: TransformName) -> None:
    config, how = plan("logistic", WORDS, blocks(1), mode, 3, replace(TRAIN, inputs=["head"]))
    assert (how == mode) == (mode in get_args(Reduction))
    expected = ClassifierConfig("logistic", WORDS, STEPS, (7,), 3 if how else 0, TRAIN.pca)
    assert config == expected


def test_no_more_steps_are_kept_than_there_are() -> None:
    config, _ = plan("svm", WORDS, blocks(1), "pca", 9, replace(TRAIN, inputs=["head"]))
    assert config.kept == STEPS


def test_a_network_s_plan_has_its_inputs_and_settings() -> None:
    inputs: list[Block] = ["pose_free", "blendshapes"]
    chosen = replace(TRAIN, inputs=inputs, hidden=5, dropout=0.25, pca=6)
    config, how = plan("mlp", WORDS, blocks(1), "dct", 4, chosen)
    assert how is None
    assert config == ClassifierConfig("mlp", WORDS, STEPS, (478 * 3, 52), 0, 6, 5, 0.25)


def test_the_majority_needs_no_more_than_the_classes() -> None:
    config, _ = plan("majority", WORDS, blocks(1), "dct", 4, TRAIN)
    assert config == ClassifierConfig("majority", WORDS)


def test_a_clip_of_another_part_is_nowhere() -> None:
    parts = pd.Series(["test", "spare", "test"])
    train, val = split(clips(parts.tolist()), parts, blocks(3), WORDS, TRAIN)
    for part in (train, val):
        assert len(part.codes_n) == len(part.inputs_nND) == len(part.targets_nC) == 0

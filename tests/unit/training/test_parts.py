"""What a classifier is fitted on: which clips, which numbers, and how many steps are kept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave import params
from facewave.errors import UserError
from facewave.models.classifiers.classifier import ClassifierConfig, Reduction
from facewave.params import Block, TransformName
from facewave.training.parts import plan, split
from facewave.workspace import Clips
from making import NAMES, REPOSITORY

WORDS = ("happy", "sad", "angry")
TRAIN = params.load(REPOSITORY / "params.yaml").train
STEPS = 4
PARTS = ("train", "val", "test")


def clips(parts: Sequence[str], ranks: Sequence[float] | None = None) -> Clips:
    """Clips whose positions in the blocks are reversed; their numbers are their positions."""
    n = len(parts)
    codes = [i % len(WORDS) for i in range(n)]
    table = pd.DataFrame(
        {
            "label": pd.array(codes, "Int64"),
            "actual": [WORDS[code] for code in codes],
            "votes": '{"sad": 3, "angry": 1}',
            "rank": ranks or [0.5] * n,
            "at": range(n)[::-1],
            "face_share": np.linspace(0.5, 1, n),
        }
    )
    positions = np.arange(n, dtype=np.float32)[:, None, None]
    blocks: dict[Block, Any] = {
        "blendshapes": np.tile(positions, (1, STEPS, 52)),
        "pose_free": np.full((n, STEPS, 478, 3), np.nan, np.float32),
        "head": np.tile(positions + 0.5, (1, STEPS, 7)),
    }
    wavelets = {"transform": "energy", "sides": "apart", "blendshapes": list(NAMES)}
    return Clips(table, blocks, Path(), 25.0, Path(), pd.DataFrame(), wavelets)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from([*PARTS, "spare"]), st.floats(0, 1, exclude_max=True)), min_size=1
    ),
    st.tuples(st.floats(0, 0.4), st.floats(0.5, 1)),
)
def test_each_part_has_its_clips_and_the_subset_cuts_training_alone(
    drawn: list[tuple[str, float]], subset: tuple[float, float]
) -> None:
    parts, ranks = zip(*drawn, strict=True)
    chosen = replace(TRAIN, inputs=["blendshapes"], subset=list(subset))
    train, val, _ = split(clips(parts, ranks), pd.Series(parts), WORDS, chosen)
    learnt = [
        i for i, (part, r) in enumerate(drawn) if part == "train" and subset[0] <= r < subset[1]
    ]
    checked = [i for i, part in enumerate(parts) if part == "val"]
    for found, rows in ((train, learnt), (val, checked)):
        assert found.inputs_nND[:, 0, 0].tolist() == [len(parts) - 1 - i for i in rows]
        assert found.codes_n.tolist() == [i % len(WORDS) for i in rows]
        assert found.targets_nC.argmax(1).tolist() == found.codes_n.tolist()
        assert found.targets_nC.sum(1).tolist() == [1.0] * len(rows)
        shares = np.linspace(0.5, 1, len(parts))[rows]
        np.testing.assert_allclose(found.quality_n, shares, rtol=1e-6)


def test_votes_are_targets_if_asked_for() -> None:
    some, parts = clips(["train", "train", "val"]), pd.Series(["train", "train", "val"])
    some.table.loc[0, "votes"] = ""
    chosen = replace(TRAIN, network=replace(TRAIN.network, soft_labels=True))
    train, val, _ = split(some, parts, WORDS, chosen)
    assert train.targets_nC.tolist() == [[1, 0, 0], [0, 0.75, 0.25]]
    assert val.targets_nC.tolist() == [[0, 0.75, 0.25]]
    assert train.targets_nC.dtype == train.inputs_nND.dtype
    assert train.codes_n.tolist() == [0, 1]
    assert split(some, parts, WORDS, TRAIN)[0].targets_nC.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_mirror_images_are_learnt_from_too_but_never_validated_on() -> None:
    some, parts = clips(["train", "val", "train"]), pd.Series(["train", "val", "train"])
    some.blocks["blendshapes"][:] = np.random.default_rng(0).random((3, STEPS, 52))
    chosen = replace(TRAIN, inputs=["blendshapes"], mirror=True)
    train, val, _ = split(some, parts, WORDS, chosen)
    alone, same, _ = split(some, parts, WORDS, replace(chosen, mirror=False))
    assert len(val.codes_n) == 1
    assert torch.equal(val.inputs_nND, same.inputs_nND)
    for name in ("codes_n", "targets_nC", "quality_n"):
        once = getattr(alone, name)
        assert torch.equal(getattr(train, name), torch.cat([once, once]))
    assert torch.equal(train.inputs_nND[:2], alone.inputs_nND)
    left, right = NAMES.index("mouthSmileLeft"), NAMES.index("mouthSmileRight")
    images, middle = train.inputs_nND[2:], NAMES.index("jawOpen")
    assert torch.equal(images[:, :, [left, right]], alone.inputs_nND[:, :, [right, left]])
    assert torch.equal(images[:, :, middle], alone.inputs_nND[:, :, middle])
    with pytest.raises(UserError, match=r"train\.mirror .* not head"):
        split(some, parts, WORDS, replace(chosen, inputs=["blendshapes", "head"]))


def test_a_plan_has_what_its_kind_needs() -> None:
    some = clips(["train"])
    for transform in get_args(TransformName):
        wavelets = {"transform": transform, "k": 3}
        config, reduction = plan("logistic", WORDS, some, wavelets, replace(TRAIN, inputs=["head"]))
        assert (reduction == transform) == (transform in get_args(Reduction))
        kept = 3 if reduction else 0
        assert config == ClassifierConfig("logistic", WORDS, STEPS, (7,), kept, TRAIN.pca)
    network = replace(TRAIN.network, hidden=5, dropout=0.25)
    inputs: list[Block] = ["pose_free", "blendshapes"]
    chosen = replace(TRAIN, inputs=inputs, network=network, pca=6)
    for kind, transform, k, expected in (
        ("svm", "pca", 9, (STEPS, (1434, 52), STEPS, 6)),  # no more are kept than there are
        ("mlp", "dct", 4, (STEPS, (1434, 52), 0, 6, 5, 0.25)),
        ("trees", "dct", 4, (STEPS, (1434, 52), 0, 6, 0, 0.0, TRAIN.trees.stages)),
        ("majority", "dct", 4, ()),
    ):
        config, _ = plan(kind, WORDS, some, {"transform": transform, "k": k}, chosen)  # type: ignore[arg-type]
        assert config == ClassifierConfig(kind, WORDS, *expected)  # type: ignore[arg-type]

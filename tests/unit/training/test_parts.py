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
from facewave.models.classifiers.classifier import (
    Classifier,
    ClassifierConfig,
    Reduction,
    build,
)
from facewave.params import Block, ClassifierKind, TransformName
from facewave.targets import Target, number
from facewave.training.fit import Samples
from facewave.training.parts import labelled, plan, split, taught, truth_of
from facewave.workspace import Clips
from making import NAMES, REPOSITORY, words

WORDS = ("happy", "sad", "angry")
CLASSES = (words(*WORDS),)
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
            "excluded": "",
            "votes": '{"sad": 3, "angry": 1}',
            "rank": ranks or [0.5] * n,
            "at": range(n)[::-1],
            "usable": True,
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
    train, val, _ = split(clips(parts, ranks), pd.Series(parts), CLASSES, chosen)
    learnt = [
        i for i, (part, r) in enumerate(drawn) if part == "train" and subset[0] <= r < subset[1]
    ]
    checked = [i for i, part in enumerate(parts) if part == "val"]
    for found, rows in ((train, learnt), (val, checked)):
        assert found.inputs_nND[:, 0, 0].tolist() == [len(parts) - 1 - i for i in rows]
        assert found.truth_nW.argmax(1).tolist() == [i % len(WORDS) for i in rows]
        assert found.truth_nW.sum(1).tolist() == [1.0] * len(rows)
        shares = np.linspace(0.5, 1, len(parts))[rows]
        np.testing.assert_allclose(found.quality_n, shares, rtol=1e-6)


def test_votes_are_targets_if_asked_for() -> None:
    some, parts = clips(["train", "train", "val"]), pd.Series(["train", "train", "val"])
    some.table.loc[0, "votes"] = ""
    chosen = replace(TRAIN, network=replace(TRAIN.network, soft_labels=True))
    train, val, _ = split(some, parts, CLASSES, chosen)
    assert train.truth_nW.tolist() == [[1, 0, 0], [0, 0.75, 0.25]]
    assert val.truth_nW.tolist() == [[0, 0.75, 0.25]]
    assert train.truth_nW.dtype == train.inputs_nND.dtype
    assert split(some, parts, CLASSES, TRAIN)[0].truth_nW.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_ambiguous_clips_have_the_shares_of_their_votes_alone() -> None:
    """Whatever word stands in their row, and whether votes are asked for or not."""
    some = clips(["train"] * 4)
    some.table["excluded"] = ["", "vote tie", "low agreement", ""]
    some.table.loc[2, "votes"] = ""
    nobody = [np.nan] * 3
    for soft, others in ((False, [[1, 0, 0], [1, 0, 0]]), (True, [[0, 0.75, 0.25]] * 2)):
        found = truth_of(some, CLASSES, soft)
        np.testing.assert_array_equal(found, [others[0], [0, 0.75, 0.25], nobody, others[1]])


def test_a_teacher_fills_what_is_missing_and_nothing_else() -> None:
    """Each unit and number that is not known, and words as a whole, softened by the temperature."""
    nan = float("nan")
    targets = (words("a", "b"), number("valence"), Target("aus", "presence", ("AU1", "AU2")))
    module = build(ClassifierConfig("logistic", targets, steps=STEPS, widths=(7,)))
    truth = torch.tensor(
        [[1, 0, nan, 0, nan], [nan, nan, 0.5, nan, 1], [nan] * 5, [0.3, 0.7, 0.1, 1, 0]]
    )
    part = Samples(torch.randn(4, STEPS, 7), truth, torch.ones(4))
    assert isinstance(module, Classifier)
    for temperature in (1.0, 5.0):
        found = taught(part, module, temperature)
        with torch.inference_mode():
            outputs = module(part.inputs_nND)
            answers = module.read(outputs)
            answers[:, :2] = (outputs[:, :2] / temperature).softmax(1)
        is_known = ~truth.isnan()
        assert torch.equal(found.truth_nW[is_known], truth[is_known])
        torch.testing.assert_close(found.truth_nW[~is_known], answers[~is_known])
        assert torch.equal(found.inputs_nND, part.inputs_nND)
    kept = labelled(part)
    assert torch.equal(kept.inputs_nND, part.inputs_nND[[0, 1, 3]])
    assert len(kept.quality_n) == 3


def test_validation_clips_without_any_target_do_not_count() -> None:
    """A part of them alone would have a loss of 0 in every epoch, and the first one be best."""
    some, parts = clips(["train", "val", "train", "val"]), pd.Series(["train", "val"] * 2)
    some.table.loc[[0, 1], ["actual", "label"]] = ["", None]
    train, val, _ = split(some, parts, CLASSES, TRAIN)
    assert len(train.truth_nW) == 2
    assert train.truth_nW.isnan().all(1).tolist() == [True, False]
    assert val.truth_nW.tolist() == [[1, 0, 0]]


def test_mirror_images_are_learnt_from_too_but_never_validated_on() -> None:
    some, parts = clips(["train", "val", "train"]), pd.Series(["train", "val", "train"])
    some.blocks["blendshapes"][:] = np.random.default_rng(0).random((3, STEPS, 52))
    chosen = replace(TRAIN, inputs=["blendshapes"], mirror=True)
    train, val, _ = split(some, parts, CLASSES, chosen)
    alone, same, _ = split(some, parts, CLASSES, replace(chosen, mirror=False))
    assert len(val.truth_nW) == 1
    assert torch.equal(val.inputs_nND, same.inputs_nND)
    for name in ("truth_nW", "quality_n"):
        once = getattr(alone, name)
        assert torch.equal(getattr(train, name), torch.cat([once, once]))
    assert torch.equal(train.inputs_nND[:2], alone.inputs_nND)
    left, right = NAMES.index("mouthSmileLeft"), NAMES.index("mouthSmileRight")
    images, middle = train.inputs_nND[2:], NAMES.index("jawOpen")
    assert torch.equal(images[:, :, [left, right]], alone.inputs_nND[:, :, [right, left]])
    assert torch.equal(images[:, :, middle], alone.inputs_nND[:, :, middle])
    with pytest.raises(UserError, match=r"train\.mirror .* not head"):
        split(some, parts, CLASSES, replace(chosen, inputs=["blendshapes", "head"]))


def test_a_plan_has_what_its_kind_needs() -> None:
    some = clips(["train"])
    for transform in get_args(TransformName):
        wavelets = {"transform": transform, "k": 3}
        config, reduction = plan(
            "logistic", CLASSES, some, wavelets, replace(TRAIN, inputs=["head"])
        )
        assert (reduction == transform) == (transform in get_args(Reduction))
        kept = 3 if reduction else 0
        sizes: Any = {"steps": STEPS, "widths": (7,), "kept": kept, "pca": TRAIN.pca}
        assert config == ClassifierConfig("logistic", CLASSES, **sizes)
    network = replace(TRAIN.network, hidden=5, dropout=0.25, shake=True, numbers="bins")
    inputs: list[Block] = ["pose_free", "blendshapes"]
    chosen = replace(TRAIN, inputs=inputs, network=network, pca=6)
    sized: dict[str, Any] = {"steps": STEPS, "widths": (1434, 52), "pca": 6}
    of_network = sized | {"binned": True, "hidden": 5, "dropout": 0.25}
    cases: list[tuple[ClassifierKind, str, int, dict[str, Any]]] = [
        ("svm", "pca", 9, sized | {"kept": STEPS}),  # no more are kept than there are
        ("mlp", "dct", 4, of_network | {"shake": True}),
        ("gru", "dct", 4, of_network),
        ("trees", "dct", 4, sized | {"trees": TRAIN.trees.stages}),
        ("majority", "dct", 4, {}),
    ]
    for kind, transform, k, expected in cases:
        config, _ = plan(kind, CLASSES, some, {"transform": transform, "k": k}, chosen)
        assert config == ClassifierConfig(kind, CLASSES, **expected)

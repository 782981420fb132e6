"""Importance: what is planted is found, nothing else is touched, figures are those of measures."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.fft import dct

from facewave import targets
from facewave.evaluation import measures
from facewave.evaluation.intervals import interval, resampled
from facewave.params import Block, TransformName
from facewave.study import importance as module
from facewave.study.face_map import REGIONS
from facewave.study.importance import Fold, groups_by_kind, importances, scales
from facewave.study.scores import Score, score_of
from facewave.targets import Target
from facewave.wavelets.schema import BLOCKS, POINTS

Array = NDArray[Any]
CLASSES, STEPS = 3, 8
NAMES = ("_neutral", "browInnerUp", "eyeBlinkLeft", "jawOpen", "mouthPucker", "noseSneerLeft")
SHAPES = (*NAMES, *(f"mouth{i}" for i in range(46)))
REGION_P = np.array([REGIONS[i % len(REGIONS)] for i in range(478)])
SEEN: dict[Block, int] = {"expression": 8, "appearance": 5}
QUICK: dict[str, int] = {"repeats": 5, "resamples": 200, "seed": 0}


SCORE = Score((Target("classes", "words", ("a", "b", "c")),))


def importance(folds: list[Fold], masks: Any, **drawn: int) -> pd.DataFrame:
    return module.importance(folds, SCORE, masks, **drawn)


def one_hot(codes: Array) -> Array:
    return np.eye(CLASSES)[codes]


def fold(tell: Callable[[Array], Array], inputs: Array, first_group: int = 0) -> Fold:
    """A fold whose model tells the class by a function of the inputs, and is always right."""
    n = len(inputs)
    return Fold(
        lambda x: one_hot(tell(x)),
        inputs,
        one_hot(tell(inputs)),
        np.arange(first_group, first_group + n),
    )


def noise(seed: int, n: int = 24, channels: int = 52) -> Array:
    return np.random.default_rng(seed).normal(size=(n, STEPS, channels)).astype(np.float32)


def thirds(values: Array) -> Array:
    """Numbers of normal noise of variance 1 -> classes that are about as frequent."""
    return np.digitize(values, [-0.43, 0.43])


def folds(tell: Callable[[Array], Array], channels: int = 52) -> list[Fold]:
    return [fold(tell, noise(seed, channels=channels), 24 * seed) for seed in range(3)]


def named(
    kind: str, inputs: tuple[Block, ...] = ("blendshapes",), name: TransformName = "mean"
) -> Any:
    return groups_by_kind(inputs, SHAPES, REGION_P, STEPS, name, {})[kind]


def ranked(found: pd.DataFrame) -> dict[str, float]:
    return dict(zip(found["name"], found["importance"], strict=True))


def test_only_the_blendshape_parts_and_region_that_matter_are_found() -> None:
    found = importance(folds(lambda x: thirds(x[:, 2, 3])), named("blendshape"), **QUICK)
    values = ranked(found)
    assert values.pop("jawOpen") > 0.4
    assert set(values.values()) == {0.0}
    rest = found[found["name"] != "jawOpen"]
    assert not rest[["spread", "low", "high"]].any(axis=None)
    own = found.set_index("name").loc["jawOpen"]
    assert own["low"] < own["importance"] < own["high"]
    assert 0 < own["spread"] < 0.2
    matter = folds(lambda x: thirds(x[:, : STEPS // 2, 4].sum(1) / 2))
    parts = importance(matter, named("part"), **QUICK)["importance"]
    assert (parts[: STEPS // 2] > 0.05).all()
    assert (parts[STEPS // 2 :] == 0).all()
    regions = ranked(importance(matter, named("region"), **QUICK))
    assert regions.pop("mouth") > 0.4
    assert set(regions.values()) == {0.0}


def to_and_fro(x: Array) -> Array:
    return thirds((x[:, ::2, 1].sum(1) - x[:, 1::2, 1].sum(1)) / np.sqrt(STEPS))


def test_the_one_time_scale_that_matters_is_found() -> None:
    def of(tell: Callable[[Array], Array], transform: TransformName) -> pd.DataFrame:
        made = folds(tell)
        return importances(
            made, SCORE, ["blendshapes"], SHAPES, REGION_P, transform, seen={}, **QUICK
        )

    tells: dict[str, Callable[[Array], Array]] = {
        "level": lambda x: thirds(x[:, :, 1].sum(1) / np.sqrt(STEPS)),
        "1": lambda x: thirds(dct(x[:, :, 1], axis=1, norm="ortho")[:, 1]),
        "1/7 to 1/4": to_and_fro,
    }
    for scale, tell in tells.items():
        table = of(tell, "approximation")
        values = ranked(table[table["kind"] == "scale"])
        assert max(values, key=lambda name: values[name]) == scale
        own = values.pop(scale)
        assert own > 0.3
        # To and fro has other cosines in it too; the other two are one each.
        rest = np.abs(list(values.values())).max()
        assert rest < own / 2 if tell is to_and_fro else rest == 0
    assert list(of(to_and_fro, "pca")["kind"].unique())[-1] == "place"  # no scales


def test_with_a_seed_it_is_the_same_whatever_else_is_asked() -> None:
    made, all_of_them = folds(lambda x: thirds(x[:, 2, 3:5].sum(1) / 1.4)), named("blendshape")
    first = importance(made, all_of_them, **QUICK)
    pd.testing.assert_frame_equal(first, importance(made, all_of_them, **QUICK))
    alone = importance(made, {"mouthPucker": all_of_them["mouthPucker"]}, **QUICK)
    same = first[first["name"] == "mouthPucker"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, same)
    other = importance(made, all_of_them, **QUICK | {"seed": 1})
    assert not first["importance"].equals(other["importance"])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_a_group_moves_as_one_and_nothing_else_does(seed: int, repeats: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(6, 3, 4))
    masks = {name: rng.random((3, 4)) < 0.4 for name in "ab"}
    seen: list[Array] = []

    def model(x: Array) -> Array:
        seen.append(x.copy())
        return one_hot(thirds(x[:, 0, 0]))

    before = inputs.copy()
    made = Fold(model, inputs, one_hot(thirds(inputs[:, 0, 0])), np.arange(6))
    importance([made], masks, repeats=repeats, resamples=2, seed=0)
    np.testing.assert_array_equal(inputs, before)
    assert len(seen) == 1 + len(masks) * repeats
    np.testing.assert_array_equal(seen[0], before)
    orders: dict[str, list[list[int]]] = {}
    for name, at in (("a", 1), ("b", 1 + repeats)):
        for x in seen[at : at + repeats]:
            np.testing.assert_array_equal(x[:, ~masks[name]], before[:, ~masks[name]])
            if masks[name].any():
                distance = np.abs(x[:, None, masks[name]] - before[None, :, masks[name]]).max(-1)
                order = distance.argmin(1)
                assert distance[np.arange(6), order].max() == 0
                assert sorted(order) == list(range(6))
                orders.setdefault(name, []).append(order.tolist())
    if len(orders) == 2:
        assert orders["a"] == orders["b"]


def by_hand(probabilities: list[Array], made: list[Fold]) -> measures.Answers:
    said = np.concatenate(probabilities)
    return measures.Answers(
        actual=np.concatenate([each.truth_nM for each in made]).argmax(1),
        predicted=said.argmax(1),
        probabilities=said,
        fold=np.repeat(np.arange(len(made)), [len(each.group_n) for each in made]),
        group=np.concatenate([each.group_n for each in made]),
    )


@pytest.mark.parametrize("n_groups", [4, 12])  # clips are drawn, or groups
def test_figures_are_those_of_measures(n_groups: int) -> None:
    rng = np.random.default_rng(0)
    seen: list[list[Array]] = [[], []]
    made = []
    for number, n in enumerate((13, 30)):

        def model(x: Array, number: int = number) -> Array:
            seen[number].append(one_hot(thirds(x[:, 0, 0] + x[:, 1, 0])))
            return seen[number][-1]

        inputs, actual = rng.normal(size=(n, STEPS, 2)), rng.integers(0, CLASSES, n)
        actual[actual == 2 * number] = 1  # no fold has all classes
        made.append(Fold(model, inputs, one_hot(actual), rng.integers(0, n_groups, n)))
    mask = np.zeros((STEPS, 2), bool)
    mask[0] = True
    found = importance(made, {"first": mask}, repeats=1, resamples=300, seed=5).iloc[0]
    before, after = (by_hand([said[i] for said in seen], made) for i in (0, -1))
    fall = measures.overall(before)["uar"] - measures.overall(after)["uar"]
    assert found["importance"] == pytest.approx(float(fall))
    assert fall != 0
    drawn = [
        resampled(partial(measures.war_and_uar, each), each.group, 300, 5)["uar"]
        for each in (before, after)
    ]
    low, high = interval(drawn[0] - drawn[1])
    assert found["low"] == pytest.approx(float(low))
    assert found["high"] == pytest.approx(float(high))
    assert found["spread"] == 0


def test_of_numbers_it_is_the_fall_of_the_mean_ccc() -> None:
    rng = np.random.default_rng(0)
    seen: list[list[Array]] = [[], []]
    made = []
    for at, n in enumerate((14, 25)):

        def model(x: Array, at: int = at) -> Array:
            seen[at].append(x[:, :2, 0] + 0.3 * x[:, 2:4, 1])
            return seen[at][-1]

        inputs = rng.normal(size=(n, STEPS, 2))
        truth = inputs[:, :2, 0] + 0.5 * rng.normal(size=(n, 2))
        truth[::5, 1] = np.nan  # of some clips one number alone is known
        made.append(Fold(model, inputs, truth, rng.integers(0, 12, n)))
    masks = {name: np.zeros((STEPS, 2), bool) for name in ("first", "unused")}
    masks["first"][0], masks["unused"][7] = True, True
    score = score_of([targets.number("valence"), targets.number("arousal")])
    found = module.importance(made, score, masks, repeats=2, resamples=200, seed=5).set_index(
        "name"
    )
    assert set(found["measure"]) == {"ccc"}
    assert not found.loc["unused", ["importance", "spread", "low", "high"]].any()

    fold_n = np.repeat([0, 1], [14, 25])
    truth_nT = np.concatenate([fold.truth_nM for fold in made])

    def one_ccc(x: Array, y: Array) -> float:
        covariance = ((x - x.mean()) * (y - y.mean())).mean()
        return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))

    def ccc(call: int, weights: Any = None) -> Array:
        """Of clips that are there as often as weights say, by the textbook."""
        said_nT = np.concatenate([said[call] for said in seen])
        figures = []
        for times in np.ones((1, len(fold_n))) if weights is None else weights:
            drawn = np.repeat(np.arange(len(fold_n)), times.astype(int))
            each = [
                one_ccc(truth_nT[at, t], said_nT[at, t])
                for fold in (0, 1)
                for t in (0, 1)
                for at in [drawn[(fold_n[drawn] == fold) & ~np.isnan(truth_nT[drawn, t])]]
            ]
            figures.append(np.mean(each))
        return np.array(figures)

    group = np.concatenate([fold.group_n for fold in made])
    falls = [ccc(0) - ccc(call) for call in (1, 2)]
    assert found.loc["first", "importance"] == pytest.approx(np.mean(falls))
    assert found.loc["first", "spread"] == pytest.approx(np.std(falls))
    measure = lambda w: {"fall": ccc(0, w) - (ccc(1, w) + ccc(2, w)) / 2}  # noqa: E731
    low, high = interval(resampled(measure, group, 200, 5)["fall"])
    assert found.loc["first", "low"] == pytest.approx(float(low))
    assert found.loc["first", "high"] == pytest.approx(float(high))
    assert low > 0.1


def test_spread_is_over_the_repeats() -> None:
    # Of one fold, where a repeat more leaves those before as they were.
    made, mask = folds(lambda x: thirds(x[:, 2, 3]))[:1], named("block")
    one, two = (
        importance(made, mask, repeats=repeats, resamples=2, seed=0).iloc[0] for repeats in (1, 2)
    )
    first, second = one["importance"], 2 * two["importance"] - one["importance"]
    assert first != second
    assert one["spread"] == 0
    assert two["spread"] == pytest.approx(np.std([first, second]))


def test_folds_without_a_clip_count_for_nothing() -> None:
    made, mask = folds(lambda x: thirds(x[:, 2, 3])), named("block")
    empty = Fold(made[0].numbers, noise(0)[:0], made[0].truth_nM[:0], made[0].group_n[:0])
    pd.testing.assert_frame_equal(
        importance(made, mask, **QUICK), importance([empty, *made], mask, **QUICK)
    )
    with pytest.raises(ValueError, match="no test clip"):
        importance([empty], mask, **QUICK)


def test_frequencies_are_the_same_model_and_clips() -> None:
    plain = folds(lambda x: thirds(x[:, 2, 3]))[0]
    waves = module.in_frequencies(plain)
    assert not np.allclose(waves.inputs_nND, plain.inputs_nND)
    np.testing.assert_allclose((waves.inputs_nND**2).sum(), (plain.inputs_nND**2).sum(), rtol=1e-5)
    seen: list[Array] = []
    keep = Fold(
        lambda x: seen.append(x) or one_hot(thirds(x[:, 2, 3])),  # type: ignore[func-returns-value]
        plain.inputs_nND,
        plain.truth_nM,
        plain.group_n,
    )
    again = module.in_frequencies(keep)
    again.numbers(again.inputs_nND)
    np.testing.assert_array_equal(seen[0], plain.inputs_nND)
    assert seen[0].dtype == np.float32


@given(st.integers(1, 70), st.integers(1, 3))
def test_scales_are_octaves_that_share_out_all_indices(n_steps: int, channels: int) -> None:
    masks = list(scales(n_steps, channels).values())
    np.testing.assert_array_equal(np.sum(masks, axis=0), np.ones((n_steps, channels)))
    firsts = [int(mask[:, 0].argmax()) for mask in masks]
    assert firsts == [0, 1, 2, 4, 8, 16, 32, 64][: len(firsts)]


def test_scales_are_called_by_what_a_movement_takes() -> None:
    assert list(scales(10, 1)) == ["level", "1", "1/3 to 1/2", "1/7 to 1/4", "1/9 to 1/8"]
    assert list(scales(9, 1))[-1] == "1/8"
    assert list(scales(1, 1)) == ["level"]


@pytest.mark.parametrize(
    "inputs",
    [
        ("blendshapes",),
        ("head", "timing", "blendshapes"),
        ("pose_free", "landmarks"),
        ("expression", "head", "appearance"),
    ],
)
def test_every_input_has_its_groups(inputs: tuple[Block, ...]) -> None:
    found = groups_by_kind(inputs, SHAPES, REGION_P, STEPS, "mean", SEEN)
    width = sum(SEEN.get(block) or int(np.prod(BLOCKS[block])) for block in inputs)
    elsewhere = groups_by_kind(inputs, SHAPES, REGION_P, STEPS, "pca", SEEN)
    assert [kind.replace("place", "part") for kind in elsewhere] == list(found)
    assert "place" in elsewhere  # where numbers are not in temporal order
    for kind in ("block", "part"):  # these share out everything
        np.testing.assert_array_equal(
            np.sum(list(found[kind].values()), axis=0), np.ones((STEPS, width))
        )
    assert list(found["block"]) == list(inputs)
    without = {"blendshapes": 1, "timing": 2, **SEEN}  # _neutral, and what is no part of a face
    expected = width - sum(without.get(block, 0) for block in inputs)
    union = np.sum(list(found["region"].values()), axis=0)
    assert union.max() == 1
    assert union[0].sum() == expected
    assert ("blendshape" in found) == ("blendshapes" in inputs)
    assert ("head" in found["region"]) == ("head" in inputs)


def test_groups_lie_where_their_names_say() -> None:
    found = groups_by_kind(
        ("head", "blendshapes", "pose_free"), SHAPES, REGION_P, STEPS, "mean", SEEN
    )
    columns = {
        name: np.flatnonzero(mask[0]).tolist()
        for kind in ("block", "blendshape", "region")
        for name, mask in found[kind].items()
    }
    assert columns["head"] == list(range(7))
    assert columns["jawOpen"] == [7 + 3]
    assert columns["blendshapes"] == list(range(7, 59))
    jaw = [7 + 3] + [59 + 3 * p + c for p in np.flatnonzero(REGION_P == "jaw") for c in range(3)]
    assert columns["jaw"] == jaw
    third = found["part"]["3 of 8"]
    assert third[2].all()
    assert third.sum() == third.shape[1]


def test_merged_sides_have_their_own_widths() -> None:
    names = [name.removesuffix("Left") for name in NAMES]
    inputs: tuple[Block, ...] = ("blendshapes", "pose_free", "head")
    found = groups_by_kind(inputs, names, REGION_P[POINTS], STEPS, "energy", {})
    assert [mask[0].sum() for mask in found["block"].values()] == [6, 3 * 253, 7]
    assert found["blendshape"]["eyeBlink"].sum() == STEPS
    assert found["region"]["eyes"][0].sum() == 1 + 3 * (REGION_P[POINTS] == "eyes").sum()
    assert "place" in found

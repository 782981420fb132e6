"""The grid: every combination once, in order; keys that tell runs apart; validation's choice."""

from dataclasses import replace
from itertools import product
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.params import Block, ClassifierKind, Study, TransformName, Wavelets
from facewave.study.grid import Run, chosen, chosen_by_fold, key, runs, written
from facewave.wavelets.transform import Transform

WAVELETS = Wavelets(
    mode="approximation", family="bior3.1", boundary="periodic", k=10, max_gap_s=1.0
)


def study(**changes: Any) -> Study:
    settings: dict[str, Any] = {
        "transforms": ["approximation"],
        "k": [8],
        "inputs": [["blendshapes"]],
        "models": ["logistic"],
        "removed": [],
        "every": [],
    }
    return Study(**settings | changes)


def some(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


TRANSFORMS = ("approximation haar", "energy haar", "pyramid haar", "largest db2", "dct", "mean")
INPUTS: tuple[tuple[Block, ...], ...] = (("blendshapes",), ("head",), ("pose_free", "timing"))


@given(
    transforms=some(TRANSFORMS),
    k=some((2, 5, 10, 64)),
    inputs=some(INPUTS),
    models=some(get_args(ClassifierKind)),
)
def test_every_combination_is_there_once_in_the_order_of_the_settings(
    transforms: list[str],
    k: list[int],
    inputs: list[tuple[Block, ...]],
    models: list[ClassifierKind],
) -> None:
    settings = study(transforms=transforms, k=k, inputs=[list(i) for i in inputs], models=models)
    found = [
        (run.transform.transform, run.transform.k, run.inputs, run.model)
        for run in runs(settings, WAVELETS)
    ]
    assert found == [
        (name.split()[0], *rest) for name, *rest in product(transforms, k, inputs, models)
    ]


@pytest.mark.parametrize("mode", get_args(TransformName))
def test_a_mode_may_bring_its_family_or_takes_the_one_of_the_wavelets(mode: TransformName) -> None:
    for name, family in ((f"{mode} haar", "haar"), (mode, "bior3.1")):
        (run,) = runs(study(transforms=[name]), WAVELETS)
        assert run.transform == Transform(mode, family, "periodic", 8)


def test_a_run_is_named_by_its_four_settings() -> None:
    settings = study(transforms=["energy haar"], inputs=[["blendshapes", "head"]], models=["svm"])
    (run,) = runs(settings, WAVELETS)
    assert run.named == {
        "transform": "energy haar",
        "k": 8,
        "inputs": "blendshapes + head",
        "model": "svm",
    }


@pytest.mark.parametrize(
    ("transforms", "names"),
    [
        (["approximation", "approximation bior3.1"], ["approximation bior3.1 periodic"]),
        (["dct haar", "approximation haar", "dct"], ["dct", "approximation haar periodic"]),
    ],
)
def test_one_transform_by_two_names_is_one(transforms: list[str], names: list[str]) -> None:
    found = [run.named for run in runs(study(transforms=transforms, k=[5, 8]), WAVELETS)]
    assert [(one["transform"], one["k"]) for one in found] == list(product(names, (5, 8)))


@pytest.mark.parametrize(
    ("transform", "k", "said"),
    [
        ("approximation haard", 8, "'haard' is no discrete wavelet"),
        ("dct morl", 8, "'morl' is no discrete wavelet"),
        ("approximation sym8", 8, "k 8 is too few for sym8, which needs 15"),
        ("pyramid db8", 2, "k 2 is too few for the pyramid of db8"),
        ("pca", 65, "k 65 is more than the 64 numbers"),
        ("largest haar", 65, "k 65 is more than the 64 numbers"),
        ("pyramid haar", 65, "k 65 is more than a decomposition's 64"),
    ],
)
def test_what_cannot_be_transformed_is_told_before_the_first_run(
    transform: str, k: int, said: str
) -> None:
    settings = study(transforms=["dct", transform], k=[20, k])
    with pytest.raises(UserError, match=said):
        next(runs(settings, replace(WAVELETS, boundary="open")))


RUN = Run(Transform("energy", "haar", "open", 8), ("blendshapes", "head"), "logistic")
GIVEN: dict[str, Any] = {"code": "a", "labels": "b", "settings": [{"lr": 0.1}, {"seed": 0}, 1.0]}
OTHER_RUNS = [
    replace(RUN, transform=replace(RUN.transform, mode="dct")),
    replace(RUN, transform=replace(RUN.transform, family="db2")),
    replace(RUN, transform=replace(RUN.transform, boundary="periodic")),
    replace(RUN, transform=replace(RUN.transform, k=9)),
    replace(RUN, inputs=("blendshapes",)),
    replace(RUN, inputs=("head", "blendshapes")),
    replace(RUN, model="svm"),
]
OTHER_GIVEN: list[dict[str, Any]] = [
    GIVEN | {"code": "b"},
    GIVEN | {"labels": "a"},
    GIVEN | {"code": "b", "labels": "a"},
    GIVEN | {"settings": [{"lr": 0.2}, {"seed": 0}, 1.0]},
    GIVEN | {"settings": [{"lr": 0.1}, {"seed": 1}, 1.0]},
    GIVEN | {"settings": [{"lr": 0.1}, {"seed": 0}, 0.5]},
    {name: value for name, value in GIVEN.items() if name != "labels"},
]


def test_a_key_is_another_for_any_other_setting_or_anything_else_given() -> None:
    keys = [key(RUN, GIVEN)]
    keys += [key(other, GIVEN) for other in OTHER_RUNS]
    keys += [key(RUN, other) for other in OTHER_GIVEN]
    assert len(set(keys)) == 1 + len(OTHER_RUNS) + len(OTHER_GIVEN)


def test_a_key_is_the_same_whatever_the_order_of_what_is_given() -> None:
    assert key(RUN, GIVEN) == key(replace(RUN), dict(reversed(GIVEN.items())))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.integers(0, 99))
def test_the_first_of_validation_s_best_is_chosen_whatever_the_test_parts_say(
    validated: list[int], seed: int
) -> None:
    names = ("war", "war_low", "war_high", "uar", "uar_low", "uar_high", "n")
    rng = np.random.default_rng(seed)
    tested = pd.DataFrame({name: rng.random(len(validated)) for name in names})
    table = tested.assign(val_uar=[20.0 * value for value in validated], at=range(len(validated)))
    first = validated.index(max(validated))
    assert chosen(table)["at"] == first
    order = rng.permutation(len(validated))
    for name in names:
        table[name] = table[name].to_numpy()[order]
    assert chosen(table)["at"] == first


def test_a_run_without_validation_is_not_chosen() -> None:
    assert chosen(pd.DataFrame({"val_uar": [np.nan, 30.0, 20.0]})).name == 1


def test_without_any_validation_nothing_can_choose() -> None:
    with pytest.raises(UserError, match="no partition has a usable validation clip"):
        chosen(pd.DataFrame({"val_uar": [np.nan, np.nan]}))


def test_each_fold_s_own_validation_chooses_what_it_is_tested_with() -> None:
    val = ["10.00 90.00 nan", "50.00 20.00 nan", "50.00 80.00 nan"]
    test = ["1.00 2.00 3.00", "4.00 5.00 6.00", "7.00 8.00 9.00"]
    table = pd.DataFrame({"val_uar_by_fold": val, "uar_by_fold": test, "k": [1, 2, 3]})
    rows, uar = chosen_by_fold(table)
    assert [row["k"] for row in rows] == [2, 1, 1]  # the first of equals; without validation, too
    assert uar == pytest.approx((4 + 2 + 3) / 3)
    assert written([0.1, 0.9, np.nan]) == val[0]

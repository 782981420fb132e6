"""The grid: every combination once, in order; keys that tell runs apart; validation's choice."""

from dataclasses import asdict, replace
from itertools import product
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.params import Block, ClassifierKind, Study, Teaching, TransformName, Wavelets
from facewave.study.grid import Run, chosen, chosen_by_fold, joined, runs
from facewave.study.kept import key
from facewave.wavelets.transform import Transform

WAVELETS = Wavelets(
    transform="approximation",
    wavelet="bior3.1",
    boundary="periodic",
    k=10,
    sides="merged",
    max_gap_s=1.0,
)


def study(**changes: Any) -> Study:
    settings: dict[str, Any] = {
        "transforms": ["approximation"],
        "k": [8],
        "inputs": [["blendshapes"]],
        "models": ["logistic"],
        "targets": [],
        "trunk": "mlp",
        "removed": [],
        "every": [],
        "networks": [],
        "teaching": Teaching([], "none", [0.0], []),
        "language": [],
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


def test_a_transform_may_bring_its_wavelet_or_takes_that_of_the_wavelets() -> None:
    for name in get_args(TransformName):
        for text, wavelet in ((f"{name} haar", "haar"), (name, "bior3.1")):
            (run,) = runs(study(transforms=[text]), WAVELETS)
            assert run.transform == Transform(name, wavelet, "periodic", 8, "merged")


def test_one_transform_by_two_names_is_one() -> None:
    for transforms, names in (
        (["approximation", "approximation bior3.1"], ["approximation bior3.1 periodic"]),
        (["dct haar", "approximation haar", "dct"], ["dct", "approximation haar periodic"]),
    ):
        found = [run.named for run in runs(study(transforms=transforms, k=[5, 8]), WAVELETS)]
        assert [(one["transform"], one["k"]) for one in found] == list(product(names, (5, 8)))


def test_impossible_transforms_are_refused_before_the_first_run() -> None:
    for transform, k, message in (
        ("approximation haard", 8, "'haard' is not a discrete wavelet"),
        ("dct morl", 8, "'morl' is not a discrete wavelet"),
        ("approximation sym8", 8, "k 8 is too few for sym8, which needs at least 15"),
        ("pyramid db8", 2, "k 2 is too few for the pyramid of db8"),
        ("pca", 65, "k 65 exceeds the 64 numbers"),
        ("largest haar", 65, "k 65 exceeds the 64 numbers"),
        ("pyramid haar", 65, "k 65 exceeds the 64 functions"),
    ):
        settings = study(transforms=["dct", transform], k=[20, k])
        with pytest.raises(UserError, match=message):
            next(runs(settings, replace(WAVELETS, boundary="open")))


def test_a_key_differs_for_every_other_setting_or_input() -> None:
    run = asdict(Run(Transform("energy", "haar", "open", 8), ("blendshapes", "head"), "logistic"))
    content: list[Any] = [run, {"labels": "b", "settings": [{"lr": 0.1}, 1.0]}]
    others = [
        [run | {"transform": run["transform"] | {name: value}}, content[1]]
        for name, value in {
            "transform": "dct",
            "wavelet": "db2",
            "boundary": "periodic",
            "k": 9,
        }.items()
    ]
    of_runs: list[Any] = [{"inputs": ["head", "blendshapes"]}, {"model": "svm"}]
    of_rest: list[Any] = [{"labels": "a"}, {"settings": [{"lr": 0.2}, 1]}, {"settings": [{}, 2]}]
    others += [[run | changed, content[1]] for changed in of_runs]
    others += [[run, content[1] | changed] for changed in of_rest]
    keys = [key(*content), *(key(*other) for other in others)]
    assert len(set(keys)) == len(keys)
    assert key(run, dict(reversed(content[1].items()))) == keys[0]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.integers(0, 99))
def test_the_first_of_validation_s_best_is_chosen_whatever_the_test_parts_say(
    validated: list[int], seed: int
) -> None:
    names = ("war", "war_low", "war_high", "uar", "uar_low", "uar_high", "n")
    rng = np.random.default_rng(seed)
    figures = {name: rng.random(len(validated)) for name in names}
    tested = pd.DataFrame(figures).assign(measure="uar")
    table = tested.assign(val_uar=[20.0 * value for value in validated], at=range(len(validated)))
    first = validated.index(max(validated))
    assert chosen(table)["at"] == first
    order = rng.permutation(len(validated))
    for name in names:
        table[name] = table[name].to_numpy()[order]
    assert chosen(table)["at"] == first


def test_a_run_without_validation_is_not_chosen_and_without_any_nothing() -> None:
    assert chosen(pd.DataFrame({"measure": "uar", "val_uar": [np.nan, 30.0, 20.0]})).name == 1
    with pytest.raises(UserError, match="no partition has a usable validation clip"):
        chosen(pd.DataFrame({"measure": "uar", "val_uar": [np.nan, np.nan]}))


def test_each_fold_s_own_validation_chooses_what_it_is_tested_with() -> None:
    val = ["10.00 90.00 nan", "50.00 20.00 nan", "50.00 80.00 nan"]
    test = ["1.00 2.00 3.00", "4.00 5.00 6.00", "7.00 8.00 9.00"]
    of_folds = {"val_uar_by_fold": val, "uar_by_fold": test}
    table = pd.DataFrame({"measure": "uar", "k": [1, 2, 3]} | of_folds)
    rows, uar = chosen_by_fold(table)
    assert [row["k"] for row in rows] == [2, 1, 1]  # the first of equals; without validation, too
    assert uar == pytest.approx((4 + 2 + 3) / 3)
    assert joined("uar", [0.1, 0.9, np.nan]) == val[0]
    assert joined("ccc", [-0.00001, 0.51234]) == "0.0000 0.5123"

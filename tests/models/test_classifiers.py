"""Classifiers: what a config builds, and what comes back from a saved one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.models.classifiers import Config, Majority, Standardize, Standardized, build
from facewave.params import Block
from facewave.training import schema
from making import contents

CLASSES = ("happy", "sad", "angry")
N_INPUTS = 11
CONFIGS: list[Config] = [
    Config("majority", CLASSES, N_INPUTS),
    Config("logistic", CLASSES, N_INPUTS),
    Config("mlp", CLASSES, N_INPUTS, hidden=5, dropout=0.5),
]
every_kind = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
quick = settings(max_examples=60, deadline=None)


def made(config: Config) -> schema.Trained:
    """A classifier with weights and buffers of its own."""
    torch.manual_seed(1)
    module = build(config)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.copy_(torch.randn_like(tensor))
    return schema.Trained(module.eval(), config, ("blendshapes",), {"family": "haar", "k": 10})


@every_kind
@pytest.mark.parametrize("n", [0, 1, 7])
def test_one_shape_for_all(config: Config, n: int) -> None:
    assert build(config)(torch.randn(n, N_INPUTS)).shape == (n, len(CLASSES))


def test_a_config_makes_the_modules_it_names() -> None:
    shapes = [
        {name: tuple(tensor.shape) for name, tensor in build(config).state_dict().items()}
        for config in CONFIGS
    ]
    standardize = {"standardize.mean": (11,), "standardize.scale": (11,)}
    assert shapes == [
        {"log_prior": (3,)},
        standardize | {"head.weight": (3, 11), "head.bias": (3,)},
        standardize
        | {"head.0.weight": (5, 11), "head.0.bias": (5,)}
        | {"head.3.weight": (3, 5), "head.3.bias": (3,)},
    ]


def test_dropout_acts_in_training_only() -> None:
    module = build(CONFIGS[2])
    inputs = torch.randn(4, N_INPUTS)
    module.train()
    assert not torch.equal(module(inputs), module(inputs))
    module.eval()
    assert torch.equal(module(inputs), module(inputs))


@quick
@given(st.integers(2, 50), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_standardized_inputs_have_mean_0_and_variance_1(n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(rng.normal(size=d), rng.uniform(0.1, 5, d), (n, d)).astype(np.float32)
    standardize = Standardize(d)
    standardize.fit(torch.from_numpy(inputs))
    outputs = standardize(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(outputs.std(axis=0), 1, atol=1e-3)


@quick
@given(st.integers(1, 200), st.floats(-1e3, 1e3, width=32))
def test_an_input_that_never_varies_becomes_0(n: int, constant: float) -> None:
    standardize = Standardize(2)
    varying = torch.arange(float(n))
    standardize.fit(torch.stack([torch.full((n,), constant), varying], dim=1))
    outputs = standardize(torch.tensor([[constant, 0.5], [constant + 1, 0.5]]))
    assert outputs[:, 0].tolist() == [0, 0]
    assert torch.isfinite(outputs).all()


def test_a_classifier_standardizes_before_its_head() -> None:
    module = made(CONFIGS[1]).module
    assert isinstance(module, Standardized)
    inputs = torch.randn(4, N_INPUTS)
    state = module.state_dict()
    by_hand = (inputs - state["standardize.mean"]) * state["standardize.scale"]
    expected = by_hand @ state["head.weight"].T + state["head.bias"]
    torch.testing.assert_close(module(inputs), expected)


def test_majority_answers_with_smoothed_frequencies() -> None:
    majority = Majority(3)
    majority.fit(torch.tensor([1, 1, 1, 0]))
    trained = schema.Trained(majority, CONFIGS[0], ("blendshapes",), {})
    probabilities = trained.probabilities(np.full((2, N_INPUTS), np.nan, np.float32))
    np.testing.assert_allclose(probabilities, [[2 / 7, 4 / 7, 1 / 7]] * 2, rtol=1e-6)


@every_kind
def test_probabilities_add_up_to_1(config: Config) -> None:
    inputs = np.random.default_rng(0).normal(size=(6, N_INPUTS)).astype(np.float32)
    np.testing.assert_allclose(made(config).probabilities(inputs).sum(axis=1), 1, rtol=1e-6)


@every_kind
def test_a_saved_classifier_comes_back_equal(config: Config, tmp_path: Path) -> None:
    trained = made(config)
    schema.save(tmp_path / "a", trained)
    loaded = schema.load(tmp_path / "a")
    inputs = np.random.default_rng(0).normal(size=(6, N_INPUTS)).astype(np.float32)
    np.testing.assert_array_equal(loaded.probabilities(inputs), trained.probabilities(inputs))
    assert (loaded.config, loaded.inputs, loaded.wavelets) == (
        trained.config,
        trained.inputs,
        trained.wavelets,
    )
    assert not loaded.module.training


@every_kind
def test_the_same_weights_give_the_same_bytes(config: Config, tmp_path: Path) -> None:
    schema.save(tmp_path / "a", made(config))
    schema.save(tmp_path / "b", made(config))
    schema.save(tmp_path / "c", schema.load(tmp_path / "a"))
    assert set(contents(tmp_path / "a")) == {"config.json", "model.safetensors"}
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    schema.save(tmp_path, made(CONFIGS[1]))
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=r"is not here\. Train it"):
        schema.load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kept", [0, 0.5, 0.9])
def test_a_file_cut_short_is_refused(name: str, kept: float, tmp_path: Path) -> None:
    schema.save(tmp_path, made(CONFIGS[1]))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match="damaged"):
        schema.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_inputs", N_INPUTS + 1),
        ("n_inputs", "eleven"),
        ("n_inputs", -1),
        ("classes", [*CLASSES, "fear"]),
        ("kind", "mlp"),
        ("kind", "majority"),
        ("kind", "svm"),
        ("depth", 3),
        ("classes", None),
    ],
)
def test_a_config_that_does_not_fit_is_refused(key: str, value: object, tmp_path: Path) -> None:
    schema.save(tmp_path, made(CONFIGS[1]))
    path = tmp_path / "config.json"
    content = json.loads(path.read_text("utf-8"))
    content["model"][key] = value
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UserError, match="damaged"):
        schema.load(tmp_path)


@pytest.mark.parametrize("key", ["model", "inputs", "wavelets"])
def test_a_config_without_a_key_is_refused(key: str, tmp_path: Path) -> None:
    schema.save(tmp_path, made(CONFIGS[1]))
    path = tmp_path / "config.json"
    content = json.loads(path.read_text("utf-8"))
    del content[key]
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UserError, match="damaged"):
        schema.load(tmp_path)


def test_blocks_stand_side_by_side_in_the_order_asked_for() -> None:
    blocks: dict[Block, NDArray[np.float32]] = {
        "landmarks": np.arange(12, dtype=np.float32).reshape(2, 3, 2),
        "blendshapes": -np.arange(4, dtype=np.float32).reshape(2, 2),
    }
    both = schema.flatten(blocks, ("blendshapes", "landmarks"))
    assert both.tolist() == [[0, -1, 0, 1, 2, 3, 4, 5], [-2, -3, 6, 7, 8, 9, 10, 11]]
    assert schema.flatten(blocks, ("landmarks",)).shape == (2, 6)


def test_inputs_of_rounding_noise_have_no_say() -> None:
    """Some blendshapes never move but by their last digits, which differ between machines."""
    generator = torch.Generator().manual_seed(0)
    moving = torch.rand(50, 5, generator=generator)
    still = 1e-6 * torch.rand(50, 3, generator=generator)
    standardize = Standardize(8)
    standardize.fit(torch.hstack([moving, still]))
    out = standardize(torch.hstack([moving, still + 1e-4]))
    assert out[:, :5].std(0, correction=0).allclose(torch.ones(5))
    assert out[:, 5:].abs().max() == 0

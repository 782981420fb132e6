"""Classifiers: what a configuration builds, and what precedes their heads."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from facewave.models.classifiers import reduce
from facewave.models.classifiers.classifier import (
    HARDLY,
    Balance,
    Classifier,
    ClassifierConfig,
    Compress,
    Project,
    Reduction,
    Standardize,
    build,
)
from facewave.params import ClassifierKind
from facewave.targets import Target, number
from making import words

TARGETS = (
    words("happy", "sad", "angry"),
    number("valence"),
    Target("aus", "presence", ("AU1", "AU12")),
    Target("score.a", "number", ("score.a",)),
    Target("aus", "intensity", ("AU4",)),
)
STEPS, WIDTHS = 6, (3, 2)
SHAPE = (STEPS, sum(WIDTHS))
SIZES: dict[ClassifierKind, dict[str, Any]] = {
    "majority": {},
    "logistic": {},
    "svm": {"pca": 2},
    "trees": {"kept": 3, "trees": 4},
    "mlp": {"binned": True, "hidden": 5, "dropout": 0.5},
    "gru": {"kept": 4, "pca": 3, "hidden": 5, "dropout": 0.5},
    "transformer": {"hidden": 6, "dropout": 0.5},
}
CONFIGS = [
    ClassifierConfig(kind, TARGETS, steps=STEPS, widths=WIDTHS, **sizes)
    for kind, sizes in SIZES.items()
]
BY_KIND = {config.kind: config for config in CONFIGS}


def made(config: ClassifierConfig) -> Classifier:
    """A classifier with random weights and buffers, and temperatures of 1.5."""
    torch.manual_seed(1)
    module = build(config)
    assert isinstance(module, Classifier)
    for name, tensor in module.state_dict().items():
        tensor.copy_(
            torch.full_like(tensor, 1.5) if name == "temperature" else torch.randn(tensor.shape)
        )
    return module.eval()


def test_one_shape_for_all_and_dropout_acts_in_training_only() -> None:
    assert set(BY_KIND) == set(get_args(ClassifierKind))
    for config in CONFIGS:
        for n in (0, 1, 7):
            answers = build(config).eval().answers(torch.randn(n, *SHAPE))
            assert answers.shape == (n, 3 + 1 + 2 + 1 + 1)
        state = build(config).state_dict()
        assert ("project.mean" in state) == bool(config.pca)
        assert ("compress.matrices" in state) == bool(config.kept)
    with pytest.raises(ValueError, match="Input should be"):
        ClassifierConfig("forest", TARGETS)  # type: ignore[arg-type]
    inputs = torch.randn(4, *SHAPE)
    for config in CONFIGS[-3:]:
        module = build(config).train()
        assert not torch.equal(module(inputs), module(inputs))
        module.eval()
        assert torch.equal(module(inputs), module(inputs))


@given(st.integers(2, 50), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_standardized_inputs_have_mean_0_and_variance_1(n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(rng.normal(size=d), rng.uniform(0.1, 5, d), (n, 1, d)).astype(np.float32)
    standardize = Standardize(1, d)
    standardize.fit(torch.from_numpy(inputs))
    outputs = standardize(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-3)
    moves = inputs.std(axis=0) > 1.01 * HARDLY  # of two clips, some hardly differ
    np.testing.assert_allclose(outputs.std(axis=0)[moves], 1, atol=1e-3)


@given(st.integers(1, 200), st.floats(-1e3, 1e3, width=32))
def test_an_input_that_never_varies_becomes_0(n: int, constant: float) -> None:
    standardize = Standardize(1, 2)
    varying = torch.arange(float(n))
    standardize.fit(torch.stack([torch.full((n,), constant), varying], dim=1)[:, None])
    outputs = standardize(torch.tensor([[[constant, 0.5]], [[constant + 1, 0.5]]]))
    assert outputs[:, 0, 0].tolist() == [0, 0]
    assert torch.isfinite(outputs).all()


def test_the_fine_steps_of_a_channel_that_moves_are_kept_however_small() -> None:
    rng = np.random.default_rng(0)
    spreads = np.array([[0.1, 1e-6], [1e-4, 1e-6], [0, 1e-6]])  # the second channel hardly moves
    inputs = torch.from_numpy((rng.normal(size=(50, 3, 2)) * spreads).astype(np.float32))
    standardize = Standardize(3, 2)
    standardize.fit(inputs)
    outputs = standardize(inputs).std(0, correction=0)
    torch.testing.assert_close(outputs, torch.tensor([[1.0, 0], [1, 0], [0, 0]]))
    # Rounding noise, which differs between machines, has no say.
    assert (standardize(inputs + 1e-4)[:, :, 1] == 0).all()


def test_inputs_are_compressed_standardized_balanced_and_projected() -> None:
    module = made(BY_KIND["gru"])
    inputs = torch.randn(4, *SHAPE)
    state = {name: tensor.double() for name, tensor in module.state_dict().items()}
    blocks = inputs.double().split(WIDTHS, dim=2)
    pairs = zip(state["compress.matrices"], blocks, strict=True)
    kept = [torch.einsum("kn,bnd->bkd", matrix, block) for matrix, block in pairs]
    balance = torch.tensor([2.5 / 3] * 3 + [2.5 / 2] * 2).sqrt()
    standard = (torch.cat(kept, 2) - state["standardize.mean"]) * state["standardize.scale"]
    expected = (standard * balance - state["project.mean"]) @ state["project.components"].T
    torch.testing.assert_close(module.prepare(inputs).double(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(module(inputs), module.head(module.prepare(inputs)))
    assert (Balance([4]).factor == 1).all()
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(20, *SHAPE, generator=generator)
    inputs[:, 2, :3] *= 9
    inputs[:, 5, 3:] *= 9
    compress = Compress(STEPS, WIDTHS, 2)
    reductions: dict[Reduction, Any] = {"largest": reduce.largest, "pca": reduce.principal}
    for reduction, choose in reductions.items():
        compress.fit(inputs, reduction)
        for matrix, block in zip(compress.matrices, inputs.split(WIDTHS, dim=2), strict=True):
            expected = choose(reduce.moments(block.numpy()), 2)
            np.testing.assert_allclose(matrix, expected, atol=1e-6)
        assert not torch.equal(compress.matrices[0], compress.matrices[1])


def test_outputs_are_read_as_probabilities_and_as_numbers_within_bounds() -> None:
    outputs_of = torch.randn(6, 8, generator=torch.Generator().manual_seed(4))
    module = made(BY_KIND["gru"])
    answers = module.read(outputs_of)
    expected = [
        (outputs_of[:, :3] / 1.5).softmax(1),
        (outputs_of[:, 3:4] * module.scale[3] + module.centre[3]).clamp(-1, 1),
        (outputs_of[:, 4:6] / 1.5).sigmoid(),
        outputs_of[:, 6:] * module.scale[6:] + module.centre[6:],
    ]
    torch.testing.assert_close(answers, torch.cat(expected, 1))
    softened = module.read(outputs_of, softened=2.0)
    torch.testing.assert_close(softened[:, :3], (outputs_of[:, :3] / 3).softmax(1))
    assert torch.equal(softened[:, 3:], answers[:, 3:])
    extreme = module.read(1e6 * outputs_of)
    assert set(extreme[:, 3].tolist()) == {-1, 1}
    assert extreme[:, 6:].abs().min() > 1  # nobody says between what these lie
    # Binned numbers are the bins' mean: all in the last one is its middle.
    module = made(BY_KIND["mlp"])
    binned = torch.zeros(1, 3 + 20 + 2 + 20 + 1)
    binned[:, [22, 44]] = 1e4
    answers = module.read(binned)
    middle = 0.95 * module.scale + module.centre
    torch.testing.assert_close(answers[0, 3], middle[3].clamp(-1, 1))
    torch.testing.assert_close(answers[0, 6], middle[6])


def test_the_floor_is_frequencies_means_and_shares_of_what_is_known() -> None:
    nan = float("nan")
    truth = torch.tensor(
        [
            [1, 0, 0, 0.5, 1, nan, 10, nan],
            [1, 0, 0, nan, 0, nan, nan, nan],
            [0, 0.5, 0.5, -0.1, 1, nan, 20, nan],
            [nan, nan, nan, nan, 1, nan, nan, nan],
        ]
    )
    module = build(BY_KIND["majority"])
    module.prior.fit(truth)
    expected = [3 / 6, 1.5 / 6, 1.5 / 6, 0.2, 0.75, 0, 15, 0]
    torch.testing.assert_close(module.answers(torch.zeros(1, 2))[0], torch.tensor(expected))


def test_projection_equals_scikit_learn_and_is_learnt_from_what_it_is_applied_to() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(30, 4, 2, generator=generator) @ torch.randn(2, 6, generator=generator) + 1
    module = Project(6, 2)
    module.fit(inputs)
    rows = inputs.flatten(0, 1).double().numpy()
    expected = PCA(2, svd_solver="full").fit(rows).transform(rows)
    np.testing.assert_allclose(module(inputs).flatten(0, 1), expected, atol=1e-4)
    back = module(inputs) @ module.components + module.mean
    torch.testing.assert_close(back, inputs, rtol=1e-4, atol=1e-4)  # two directions are all it has
    # Of compressed, standardised and balanced steps: only of these are they uncorrelated.
    inputs = torch.randn(50, *SHAPE, generator=generator)
    inputs[:, :, 3] += inputs[:, :, 0]
    whole = made(BY_KIND["gru"])
    whole.fit_inputs(inputs, "pca")
    covariance = np.cov(whole.prepare(inputs).flatten(0, 1).T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-5)
    assert (np.diff(np.diag(covariance)) < 0).all()
    assert whole.compress
    kept = whole.standardize(whole.compress(inputs))
    np.testing.assert_allclose(kept.std(0, correction=0), 1, rtol=1e-4)

"""Encoders that ONNX Runtime runs: graphs of a few numbers and, where they are here, real ones."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from facewave import assets
from facewave.appearance import encoders
from facewave.appearance.encoders import emotiefflib, mobilefacenet, on_onnxruntime
from facewave.appearance.encoders.encoder import log_softmax
from facewave.errors import UserError
from facewave.files import sha256
from tiny_networks import onnx

HALF = np.array([0.5, 0.5, 0.5])
RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 256, (5, 1, 1, 3), np.uint8).repeat(112, 1).repeat(112, 2)
Use = Callable[[ModuleType], Path]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], Path]:
    """Where an encoder looks for its file."""
    monkeypatch.setenv(assets.ASSETS, str(tmp_path))
    return lambda module: tmp_path / module.ASSET.name


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, file: Callable[[ModuleType], Path]) -> Use:
    """Make the file that an encoder finds the one that is published."""

    def publish(module: ModuleType) -> Path:
        path = file(module)
        monkeypatch.setattr(module, "ASSET", replace(module.ASSET, sha256=sha256(path)))
        return path

    return publish


def test_logits_and_probabilities_of_any_number_of_faces(file: Use, use: Use) -> None:
    weights = RNG.normal(size=(3, 7)).astype("f4")
    expected = log_softmax(((FACES[:, 0, 0] / 255 - HALF) / HALF @ weights).astype("f4"))
    for batch in (0, 1):
        for softmax in (False, True):
            onnx(file(mobilefacenet), 112, weights, batch=batch, softmax=softmax)
            use(mobilefacenet)
            encoder = encoders.load("mobilefacenet")
            for n in (5, 1):
                answers, embedding = encoder(FACES[:n])
                np.testing.assert_allclose(answers, expected[:n], atol=1e-4)
                assert answers.dtype == np.float32
                assert embedding.shape == (n, 0)


def test_valence_arousal_and_the_input_of_the_last_layer(
    file: Use, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = RNG.normal(size=(3, 10)).astype("f4")
    onnx(file(emotiefflib), 224, weights)
    use(emotiefflib)
    with pytest.raises(UserError, match=r"10 answers and 3 features .* arousal\) and 1280"):
        encoders.load("enet_b0_8_va_mtl")(np.zeros((1, 224, 224, 3), np.uint8))
    monkeypatch.setattr(emotiefflib, "_WIDTH", 3)
    encoder = encoders.load("enet_b0_8_va_mtl")
    faces = FACES.repeat(2, 1).repeat(2, 2)
    answers, embedding = encoder(faces)
    means = (faces[:, 0, 0] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(embedding, means, atol=1e-3)  # summed in float32
    np.testing.assert_allclose(answers[:, 8:], (means @ weights)[:, 8:], atol=3e-3)
    np.testing.assert_allclose(np.exp(answers[:, :8]).sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(answers[:, :8].argmax(1), (means @ weights)[:, :8].argmax(1))
    assert encoder.numbers == ("valence", "arousal")


def test_other_words_a_file_that_is_none_and_no_runtime(
    file: Use, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx(file(mobilefacenet), 112, np.zeros((3, 8), np.float32))
    whole = use(mobilefacenet).read_bytes()
    with pytest.raises(UserError, match=r"gives 8 answers .* not the 7 \(angry, disgust, fear"):
        encoders.load("mobilefacenet")(FACES)
    for content in (
        b"",
        b"<html>Sign in</html>",
        whole[:-20],
        whole[5:],
        whole.replace(b"Gemm", b"Gemn"),  # an operation that there is not
        whole.replace(b"features", b"featuret", 1),  # an input that nothing gives
        whole.replace(b"\x10\x0d", b"\x10\x7f"),  # of the future
    ):
        file(mobilefacenet).write_bytes(content)
        use(mobilefacenet)
        with pytest.raises(
            UserError, match=r"2022july\.onnx is no graph that ONNX Runtime can read"
        ):
            encoders.load("mobilefacenet")(FACES)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="needs ONNX Runtime, which does not load"):
        encoders.load("mobilefacenet")(FACES)


def test_a_protobuf_message_is_read_as_it_was_written() -> None:
    layer = on_onnxruntime.field(1, b"x" * 300) + on_onnxruntime.field(4, b"Gemm")
    skipped = b"\x18\xff\x01" + b"\x21" + b"8" * 8 + b"\x2d" + b"4" * 4  # numbers of three kinds
    graph = on_onnxruntime.field(1, b"") + on_onnxruntime.field(1, skipped + layer)
    model = skipped + on_onnxruntime.field(7, graph)
    assert on_onnxruntime.last_layer(model) == ("Gemm", "x" * 300)


@pytest.mark.parametrize("module", [mobilefacenet, emotiefflib])
def test_the_real_ones_give_the_same_alone_and_among_others(module: ModuleType) -> None:
    if assets.find(module.ASSET) is None:
        pytest.skip(f"not here: {module.ASSET.name} in {assets.ASSETS}")
    encoder = module.load()
    faces = RNG.integers(0, 256, (3, encoder.side, encoder.side, 3), np.uint8)
    answers, embedding = encoder(faces)
    words = len(encoder.words)
    np.testing.assert_allclose(np.exp(answers[:, :words]).sum(1), 1, atol=1e-5)
    for face, said, features in zip(faces, answers, embedding, strict=True):
        np.testing.assert_allclose(encoder(face[None])[0][0], said, atol=1e-4)
        np.testing.assert_allclose(encoder(face[None])[1][0], features, atol=1e-3)

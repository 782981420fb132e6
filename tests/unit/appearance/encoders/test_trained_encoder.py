"""A network over faces that was trained here as an encoder of faces."""

import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.special import softmax

from facewave.appearance import embed, encoders
from facewave.errors import UserError
from facewave.models.vision import build
from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig
from facewave.targets import UNITS, Target, number
from facewave.training import leaks, pretrained, schema
from facewave.training.face_network import ShownConfig, TrainedFaceNetwork
from making import edit, faces, words
from making_untrained import given, handmade
from small_gpu import FREE_SOME, memory_runs_out

TARGETS = (
    number("valence"), words("happy", "sad"), Target("about.sex", "words", ("female", "male")),
    Target(UNITS, "presence", ("AU4", "AU12"), 0, 1),
)  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> TrainedFaceNetwork:
    """A network with random weights, saved in ``copy``."""
    config = ShownConfig(
        FaceNetworkConfig("resnet18", TARGETS, width=0.125, side=32, over_time="gru", hidden=8),
        *(4, "box", 0.1),
    )
    torch.manual_seed(0)
    module = build(config.network).eval()
    module.scale[0] = 0.5
    about: dict[str, Any] = {
        "dataset": "demo", "partition": "2", "licence": "CC0-1.0", "before": [["big", "split"]],
        "weights": {"name": "x.pth", "licence": "MIT"},
    }  # fmt: skip
    trained = TrainedFaceNetwork(module, config, (), {}, about)
    schema.save(trained, tmp_path / "copy")
    return trained


def test_it_answers_single_faces_and_tells_what_it_learnt_from(
    model: TrainedFaceNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoders.load(f"trained:{tmp_path / 'copy'}")
    assert (encoder.side, encoder.margin, encoder.width) == (32, 0.1, 64)
    assert encoder.words == ("happy", "sad")
    assert encoder.numbers == ("valence", "AU4", "AU12")
    assert encoder.about["licence"] == "CC0-1.0; MIT"
    assert encoder.about["learnt_on"] == "big (partition split), demo (partition 2)"
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    answers, embedding = encoder(pictures)
    module = cast(FaceNetwork, model.module)
    with torch.inference_mode():
        inputs = torch.from_numpy(pictures.transpose(0, 3, 1, 2))
        alone = module(faces=inputs[:, None], faces_there=torch.ones(3, 1, dtype=torch.bool))
        expected = module.read(alone).numpy()
        features = module.embed(inputs).numpy()
    np.testing.assert_allclose(embedding, features, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(answers[:, :2]), expected[:, 1:3], rtol=1e-4)
    np.testing.assert_allclose(answers[:, 2:], expected[:, [0, 5, 6]], rtol=1e-3, atol=1e-4)
    for _ in memory_runs_out(monkeypatch):
        with pytest.raises(UserError, match=FREE_SOME):
            encoders.load(f"trained:{tmp_path / 'copy'}")(pictures)
    seen = embed.look(faces(5, 10, gaps=(2,)), encoder, margin=0.5)
    assert seen.expression_FW.shape == (5, 5)
    assert np.isnan(seen.appearance_FE).any(axis=1).tolist() == [False, False, True, False, False]


def test_its_words_tell_compounds_that_it_has_not_learnt(
    model: TrainedFaceNetwork, tmp_path: Path
) -> None:
    encoder = encoders.load(f"trained:{tmp_path / 'copy'}")
    seen = embed.look(faces(5, 10), encoder, margin=0.5)
    classes = ("Sadly_Happy", "sadness")
    clips = handmade(classes, ["sadness"] * 2, [seen, None], config=embed.describe(encoder))
    told = pretrained.learn(given(clips, [words(*classes)], train=[0, 1]))
    happy, sad = seen.expression_FW[:, :2].mean(axis=0, dtype=float)
    expected = softmax([(happy + sad) / 2, sad])
    found = told.answer(clips)
    np.testing.assert_allclose(found[["p_Sadly_Happy", "p_sadness"]].iloc[0], expected, rtol=1e-5)
    assert told.compounds == {"Sadly_Happy": ["happy", "sad"]}


def test_who_it_is_follows_from_its_files_and_what_it_learnt_goes_along(
    model: TrainedFaceNetwork, tmp_path: Path
) -> None:
    encoder = encoders.load(f"trained:{tmp_path / 'copy'}")
    shutil.copytree(tmp_path / "copy", tmp_path / "again")
    assert encoders.load(f"trained:{tmp_path / 'again'}").identity == encoder.identity
    model.about = model.about | {"licence": "another"}
    schema.save(model, tmp_path / "again")
    other = encoders.load(f"trained:{tmp_path / 'again'}")
    assert embed.key("face", other) != embed.key("face", encoder)
    config = json.loads(json.dumps({"encoder": embed.describe(encoder).described}))
    before = [["big", "split"], ["demo", "2"]]
    assert leaks.of_encoder(config) == before
    assert leaks.before(["blendshapes", "appearance"], config) == {"before": before}
    assert leaks.before(["blendshapes"], config) == {}


def test_a_folder_that_is_none_is_a_sentence(
    model: TrainedFaceNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree("copy", "models/trained/2/model")
    with pytest.raises(UserError, match=r"Copy it, to models/encoders/model"):
        encoders.load("trained:models/trained/2/model")
    with pytest.raises(UserError, match=r"absent/config\.json is not here"):
        encoders.load("trained:absent")
    for name, change in {
        "damaged": ('"type"', '"tipe"'),
        "no network over faces": ("face_network", "classifier"),
    }.items():
        shutil.copytree("copy", name)
        edit(Path(name) / "config.json", lambda text, change=change: text.replace(*change))  # type: ignore[misc]
        with pytest.raises(UserError, match=name):
            encoders.load(f"trained:{name}")
    weights = Path("copy/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(UserError, match="is damaged"):
        encoders.load("trained:copy")
    edit(Path("copy/config.json"), str)  # without checksums
    with pytest.raises(UserError, match="is damaged"):
        encoders.load("trained:copy")(np.zeros((1, 32, 32, 3), np.uint8))

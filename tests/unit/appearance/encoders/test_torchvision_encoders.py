"""Classifiers of torchvision as encoders, with random weights in place of published ones."""

import urllib.error
from typing import Any

import numpy as np
import pytest

from facewave.appearance import encoders
from facewave.errors import UserError


def test_the_input_of_the_last_layer_is_the_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torchvision import models

    from small_gpu import FREE_SOME, memory_runs_out

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.resnet18(weights=None)
    state = network.state_dict()
    network.fc = torch.nn.Identity()

    def published(self: Any, **options: Any) -> dict[str, Any]:
        # Checked, and nothing but tensors.
        assert options == {"progress": False, "check_hash": True, "weights_only": True}
        return state

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", published)
    encoder = encoders.load("torchvision:resnet18")
    assert (encoder.side, encoder.width, encoder.words) == (224, 512, ())
    assert "resnet18-" in str(encoder.identity["weights"])
    faces = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    answers, embedding = encoder(faces)
    x = (faces / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        values = network.eval()(torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float32))
    assert answers.shape == (2, 0)
    np.testing.assert_allclose(embedding, values.numpy(), rtol=1e-3, atol=1e-4)
    for _ in memory_runs_out(monkeypatch):
        with pytest.raises(UserError, match=FREE_SOME):
            encoders.load("torchvision:resnet18")(faces)


def test_models_that_are_unknown_without_a_last_layer_or_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torchvision import models

    for name, message in (
        ("resnet19", "no classifier 'resnet19'. It has, among others, resnet101"),
        ("squeezenet1_0", "squeezenet1_0 does not end in a linear layer"),
    ):
        with pytest.raises(UserError, match=message):
            encoders.load(f"torchvision:{name}")

    def offline(self: Any, **options: Any) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", offline)
    with pytest.raises(
        UserError, match=r"resnet18 could not be downloaded .*no route.*hub/checkpoints"
    ):
        encoders.load("torchvision:resnet18")(np.zeros((1, 224, 224, 3), np.uint8))

"""Networks over faces: what a configuration builds, masks, gradients, published weights."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn
from torchvision import models

from facewave.errors import UserError
from facewave.models import vision
from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig
from facewave.models.vision.over_time import Gru
from facewave.models.vision.torchvision_networks import OFFICIAL
from facewave.params import FaceNetworkKind, OverTime
from facewave.targets import Target, number
from making import words

TARGETS = (words("happy", "sad", "angry"), number("valence"), Target("aus", "presence", ("AU1",)))
KINDS: tuple[FaceNetworkKind, ...] = get_args(FaceNetworkKind)
# Parameters with the head of 1,000 classes, and that head's inputs: torchvision's own tables.
PUBLISHED = {
    "mobilenet_v2": (3_504_872, 1280),
    "resnet18": (11_689_512, 512),
    "resnet50": (25_557_032, 2048),
    "resnet152": (60_192_808, 2048),
    "densenet121": (7_978_856, 1024),
    "densenet201": (20_013_928, 1920),
}
THERE = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]) > 0


def tiny(kind: FaceNetworkKind, **changes: object) -> FaceNetwork:
    """A network of an eighth of the channels, with the smallest faces that it takes."""
    torch.manual_seed(0)
    config = FaceNetworkConfig(
        kind, TARGETS, width=0.125, side=64 if kind == "emofan" else 32, hidden=8
    )
    network = vision.build(replace(config, **changes))  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.momentum = None  # one batch of training is enough for lively features
    return network


def faces_of(network: FaceNetwork, *shape: int) -> torch.Tensor:
    side = network.config.side
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (*shape, 3, side, side), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_network_answers_a_clip_the_same_in_any_batch_and_learns_everywhere(
    kind: FaceNetworkKind,
) -> None:
    assert vision.MODULES.keys() == set(KINDS)
    network = tiny(kind)
    assert vision.build(network.config).state_dict().keys() == network.state_dict().keys()
    faces = faces_of(network, 3, 3)
    network.train()(faces=faces, faces_there=THERE).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    with torch.inference_mode():
        network.eval()
        batch = network(faces=faces, faces_there=THERE)
        assert batch.shape == (3, 5)
        assert batch.isfinite().all()
        alone = network(faces=faces[1:2, :1], faces_there=THERE[1:2, :1])
        features, outputs = network.look(faces[1])
        assert features.shape == (3, network.width)
        scale = (batch[0] - batch[1]).abs().max()  # rounding is far below what tells clips apart
        for same in (alone, outputs[:1]):
            assert (same - batch[1:2]).abs().max() < 0.01 * scale
        assert (outputs[1] - outputs[0]).abs().max() > 0.05 * scale


def test_batches_without_any_face_and_of_one_face_are_answered() -> None:
    for over_time in get_args(OverTime):
        network = tiny("resnet18", over_time=over_time).train()
        faces = faces_of(network, 2, 3)
        for frames in (0, 3):
            outputs = network(faces=faces[:, :frames], faces_there=torch.zeros(2, frames) > 0)
            assert outputs.shape == (2, 5)
            assert outputs.isfinite().all()
            torch.testing.assert_close(outputs[0], outputs[1])
        network(faces=faces[:1, :1], faces_there=torch.ones(1, 1) > 0).sum().backward()
        assert network.look(faces[0, :0])[1].shape == (0, 5)


def test_resnet50_gru_has_a_gru_whatever_is_asked_for() -> None:
    kinds = {over_time: type(tiny("resnet50", over_time=over_time).over_time).__name__.lower()
             for over_time in get_args(OverTime)}  # fmt: skip
    assert all(kind == name for kind, name in kinds.items())
    assert isinstance(tiny("resnet50_gru", over_time="mean").over_time, Gru)


def test_sizes_are_those_that_are_published() -> None:
    for kind, name in OFFICIAL.items():
        with torch.device("meta"):
            network = vision.build(FaceNetworkConfig(kind, TARGETS))
        parameters, width = PUBLISHED[name]
        assert network.width == width
        trunk = sum(parameter.numel() for parameter in network.trunk.parameters())
        assert trunk == parameters - 1000 * (width + 1), kind


def test_published_weights_load_by_name_and_what_does_not_fit_is_named() -> None:
    config = FaceNetworkConfig("resnet18", TARGETS, side=32)
    published = models.resnet18()
    state = {name: tensor for name, tensor in published.state_dict().items()
             if not name.endswith("num_batches_tracked")}  # fmt: skip
    network = vision.build_from(config, state, "a.pth").eval()
    faces = faces_of(network, 2)
    published.fc = nn.Identity()
    mean, std = (
        torch.tensor(x)[:, None, None] for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    expected = published.eval()((faces / 255 - mean) / std)
    torch.testing.assert_close(network.look(faces)[0], expected, rtol=1e-4, atol=1e-5)
    ours = vision.build_from(config, network.state_dict(), "model.safetensors").eval()
    torch.testing.assert_close(ours.look(faces)[0], network.look(faces)[0])
    wrong = state | {"layer5.weight": state["bn1.weight"], "bn1.bias": torch.zeros(3)}
    del wrong["conv1.weight"]
    message = r"a\.pth: .* resnet18 at width 1 and side 32: conv1\.weight missing; "
    message += r"layer5\.weight unknown; bn1\.bias of another shape"
    with pytest.raises(UserError, match=message):
        vision.build_from(config, wrong, "a.pth")
    with pytest.raises(UserError, match="of another shape"):
        vision.build_from(replace(config, width=0.5), state, "a.pth")
    # torchvision's files of DenseNets have names with dots that its modules have lost.
    network = tiny("densenet121")
    old = {name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): tensor
           for name, tensor in network.trunk.state_dict().items()}  # fmt: skip
    assert any(".norm.1." in name for name in old)
    old["classifier.weight"] = torch.zeros(1000, 128)
    loaded = vision.build_from(network.config, old, "d.pth").trunk.state_dict()
    for name, tensor in network.trunk.state_dict().items():
        assert torch.equal(loaded[name], tensor), name

"""Networks over faces in their real sizes: one step of training each, and what it reaches."""

from typing import get_args

import pytest
import torch

from facewave.models import vision
from facewave.models.vision.network import FaceNetworkConfig
from facewave.params import FaceNetworkKind
from making import words

SIDES = {"emofan": 256, "vit_mae": 224}  # what they are published for


@pytest.mark.parametrize("kind", get_args(FaceNetworkKind))
def test_a_step_of_the_real_size(kind: FaceNetworkKind) -> None:
    torch.manual_seed(0)
    config = FaceNetworkConfig(kind, (words("happy", "sad"),), side=SIDES.get(kind, 112))
    network = vision.build(config).train()
    faces = torch.randint(0, 256, (1, 2, 3, config.side, config.side), dtype=torch.uint8)
    outputs = network(faces=faces, faces_there=torch.ones(1, 2, dtype=torch.bool))
    assert outputs.shape == (1, 2)
    torch.nn.functional.cross_entropy(outputs, torch.tensor([1])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name

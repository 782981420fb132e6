"""ResNets, DenseNets and MobileNetV2 of torchvision without their last layer, and narrower ones.

He et al., CVPR 2016; Huang et al., CVPR 2017; Sandler et al., CVPR 2018. At width 1 names and
shapes are torchvision's, so that its weights load by name.

Legend of names: m faces, C = 3 colours, H and W pixels, E features.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchvision.models import DenseNet, MobileNetV2, ResNet
from torchvision.models.resnet import BasicBlock, Bottleneck

from facewave.models.vision.network import FaceNetworkConfig, Trunk
from facewave.params import FaceNetworkKind

# Its network at torchvision, whose weights it can start from.
OFFICIAL: dict[FaceNetworkKind, str] = {
    "mobilenet_v2": "mobilenet_v2",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnet152": "resnet152",
    "densenet121": "densenet121",
    "densenet201": "densenet201",
    "resnet50_gru": "resnet50",
}
_RESNETS: dict[str, tuple[type[BasicBlock | Bottleneck], list[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet152": (Bottleneck, [3, 8, 36, 3]),
}
_DENSENETS = {"densenet121": (6, 12, 24, 16), "densenet201": (6, 12, 48, 32)}
_STEM = 64  # channels of the first layer, but for MobileNetV2's
_GROWTH = 32  # channels that each layer of a DenseNet adds
_LAST = {"fc", "classifier"}  # what makes ImageNet's classes


class _ResNet(ResNet):  # type: ignore[misc]  # mypy skips torchvision
    """A ResNet whose layers have a share of their channels."""

    def __init__(
        self, block: type[BasicBlock | Bottleneck], blocks: list[int], share: float
    ) -> None:
        self.share = share
        super().__init__(block, blocks)
        self.fc = nn.Identity()

    def _make_layer(
        self, block: type[BasicBlock | Bottleneck], planes: int, *rest: int, **options: Any
    ) -> nn.Sequential:
        if planes == _STEM:  # the first stage: the stem has just been made, with all its channels
            self.inplanes = _scaled(_STEM, self.share)
            self.conv1 = nn.Conv2d(3, self.inplanes, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(self.inplanes)
        return super()._make_layer(block, _scaled(planes, self.share), *rest, **options)


def trunk(config: FaceNetworkConfig) -> Trunk:
    """The network without its last layer."""
    name = OFFICIAL[config.kind]
    if name in _RESNETS:
        block, blocks = _RESNETS[name]
        width = block.expansion * _scaled(8 * _STEM, config.width)
        return Trunk(_ResNet(block, blocks, config.width), width)
    network: Any = (
        MobileNetV2(width_mult=config.width)
        if name == "mobilenet_v2"
        else DenseNet(
            _scaled(_GROWTH, config.width), _DENSENETS[name], _scaled(_STEM, config.width)
        )
    )
    *_, last = (layer for layer in network.modules() if isinstance(layer, nn.Linear))
    network.classifier = nn.Identity()
    return Trunk(network, last.in_features)


def convert(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published weights by the names that torchvision's modules have, without the last layer.

    Its files of DenseNets have dots in some names (``norm.1``) that its modules no longer have.
    """
    return {
        re.sub(r"(denselayer\d+\.(?:norm|conv))\.", r"\1", name): tensor
        for name, tensor in weights.items()
        if name.partition(".")[0] not in _LAST
    }


def _scaled(channels: int, share: float) -> int:
    return max(1, round(channels * share))

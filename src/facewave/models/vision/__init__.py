"""Networks over faces, by kind. Pure: no files, no stages.

A new one is a module here with ``trunk(config) -> Trunk`` and ``convert(weights) -> weights``, and
a line in ``MODULES``.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from torch import Tensor

from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig, load_weights
from facewave.params import FaceNetworkKind

__all__ = [
    "MODULES",
    "OURS",
    "FaceNetwork",
    "FaceNetworkConfig",
    "build",
    "build_from",
    "load_weights",
]

OURS = "backbone."  # what the trunk's tensors are called in networks that were trained here

# A network's kind -> the module here with its trunk, imported when it is asked for.
MODULES: dict[FaceNetworkKind, str] = {
    "mobilenet_v2": "torchvision_networks",
    "resnet18": "torchvision_networks",
    "resnet50": "torchvision_networks",
    "resnet152": "torchvision_networks",
    "densenet121": "torchvision_networks",
    "densenet201": "torchvision_networks",
    "resnet50_gru": "torchvision_networks",
    "emofan": "emofan",
    "vit_mae": "vit_mae",
}


def build(config: FaceNetworkConfig) -> FaceNetwork:
    """A network with fresh weights, drawn from torch's global generator.

    Raises:
        UserError: the network takes no faces of ``config.side`` pixels.
    """
    return FaceNetwork(config, _module(config).trunk(config))


def build_from(
    config: FaceNetworkConfig, weights: Mapping[str, Tensor], source: str
) -> FaceNetwork:
    """A network whose trunk has published weights; what follows the trunk is fresh.

    Args:
        config: as for ``build``; the number of emofan's hour-glasses is that of the weights.
        weights: by their published names, with or without the head, which is left out; or those of
            a network that was trained here.
        source: where they come from, for messages.

    Raises:
        UserError: a tensor is missing, too much, or of another shape; or as of ``build``.
    """
    ours = {name.removeprefix(OURS): tensor for name, tensor in weights.items()
            if name.startswith(OURS)}  # fmt: skip
    weights = ours or _module(config).convert(weights)
    if config.kind == "emofan":
        config = replace(config, modules=_module(config).count_modules(weights))
    network = build(config)
    load_weights(network, weights, source)
    return network


def _module(config: FaceNetworkConfig) -> Any:
    return import_module(f"{__name__}.{MODULES[config.kind]}")

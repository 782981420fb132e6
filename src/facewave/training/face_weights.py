"""Where a network over faces starts: at random, with ImageNet's weights or with a file's."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from facewave import assets
from facewave.errors import UserError
from facewave.files import sha256
from facewave.models.vision import OURS, build, build_from
from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig
from facewave.training import leaks
from facewave.training.leaks import Lineage

NONE, IMAGENET = "none", "imagenet"
_FILES = ".safetensors, .pth, .pt or .bin"


def start(config: FaceNetworkConfig, weights: str) -> tuple[FaceNetwork, dict[str, Any], Lineage]:
    """A network as its training begins, and what is known of its weights.

    Args:
        config: of the network.
        weights: ``train.vision.weights``.

    Returns:
        The network; what a card says, ``weights``: their name, and where they are published or
        were trained their address, sha256, licence and what they learnt_on; and what they learnt
        from, if they were trained here.

    Raises:
        UserError: they cannot be had, or are no weights of this network.
    """
    if weights == NONE:
        return build(config), {"weights": {"name": NONE}}, leaks.NOTHING
    if weights == IMAGENET:
        state, about = _imagenet(config)
        return build_from(config, state, "ImageNet's weights"), {"weights": about}, leaks.NOTHING
    path = Path(weights)
    about = {"weights": {"name": path.name, "sha256": _sha256(path)}}
    tensors = _read(path)
    return build_from(config, tensors, weights), about, _lineage(path, tensors)


def _imagenet(config: FaceNetworkConfig) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from torchvision import models

    from facewave.models.vision.torchvision_networks import OFFICIAL  # they take seconds to load

    if config.kind not in OFFICIAL:
        raise UserError(
            f"params.yaml: train.vision.weights is imagenet, which torchvision has not trained "
            f"{config.kind} on. Set it to none, or name a file with weights of {config.kind}."
        )
    if config.width != 1:
        raise UserError(
            f"params.yaml: train.vision.weights is imagenet, whose weights are of whole networks, "
            f"and train.vision.width is {config.width:g}. Set width: 1.0, or weights: none."
        )
    name = OFFICIAL[config.kind]
    published = models.get_model_weights(name).DEFAULT
    state = assets.of_torchvision(name, published)
    file = Path(torch.hub.get_dir()) / "checkpoints" / published.url.rpartition("/")[2]
    return state, {
        "name": IMAGENET,
        "address": published.url,
        "sha256": _sha256(file),
        "licence": published.meta.get("license", "BSD-3-Clause"),
        "learnt_on": f"ImageNet ({published.name})",
    }


def _sha256(path: Path) -> str:
    try:
        return sha256(path)
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(
            f"params.yaml: train.vision.weights is {path}, and there is no such file. Name one "
            f"({_FILES}), imagenet or none."
        ) from None


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name.

    Raises:
        UserError: it is torn, or has something else than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError) as error:
        problem = " ".join(str(error).split())[:200]
    else:
        for name in ("state_dict", "model", "model_state_dict"):  # as many programs keep them
            if isinstance(content, dict) and isinstance(content.get(name), dict):
                content = content[name]
        if isinstance(content, dict) and all(isinstance(x, Tensor) for x in content.values()):
            return dict(content)
        problem = "it holds something else"
    raise UserError(
        f"{path} is no file of weights ({problem}). Name one ({_FILES}) in train.vision.weights."
    )


def _lineage(path: Path, weights: Mapping[str, Tensor]) -> Lineage:
    """What weights learnt from that were trained here; of others nothing is known.

    Raises:
        UserError: they were trained here, and the file does not say on what.
    """
    problem = "it does not say what it learnt from"
    if path.suffix == ".safetensors":
        try:
            if lineage := leaks.of_file(path):
                return lineage
        except (TypeError, ValueError) as error:
            problem = f"what it says it learnt from is damaged: {error}"
    if any(name.startswith(OURS) for name in weights):
        raise UserError(
            f"{path} has the weights of a network that was trained here (they are called {OURS}), "
            f"but {problem}, and labels could leak. Name a model.safetensors as stage train writes "
            "it, or a copy of one, in train.vision.weights."
        )
    return leaks.NOTHING

"""Image classifiers of torchvision without their last layer, whose input is the embedding."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

from facewave import assets, on_torch
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen
from facewave.errors import UserError

_VERSION = 1  # of what is done before the network


def load(weights: str) -> Encoder:
    """The encoder of a model of torchvision, such as ``resnet18``, with its best weights.

    Raises:
        UserError: torchvision has no such model, or it does not end in a linear layer.
    """
    known = models.list_models(module=models)
    if weights not in known:
        raise UserError(
            f"torchvision has no classifier {weights!r}. It has, among others, "
            f"{', '.join(name for name in known if name.startswith('resn'))}; all: "
            "https://docs.pytorch.org/vision/stable/models.html#classification."
        )
    published = models.get_model_weights(weights).DEFAULT
    with torch.device("meta"):
        name = _last_linear(models.get_model(weights, weights=None))
    if not name:
        raise UserError(
            f"torchvision's {weights} does not end in a linear layer, so it has no embedding. "
            "Take another model."
        )
    (side,) = published.transforms().crop_size
    return Encoder(
        name=f"torchvision:{weights}",
        side=side,
        width=name[1],
        identity={"torchvision": weights, "weights": published.url, "version": _VERSION},
        about={
            "licence": published.meta.get("license", "BSD-3-Clause"),
            "learnt_on": f"ImageNet ({published.name})",
            "address": published.url,
        },
        device=on_torch.device(),
        open=partial(_open, weights, published, name[0]),
    )


def _last_linear(network: nn.Module) -> tuple[str, int] | None:
    """The name and the width of the input of a network's last linear layer."""
    layers = [(name, layer.in_features) for name, layer in network.named_modules()
              if isinstance(layer, nn.Linear)]  # fmt: skip
    return layers[-1] if layers else None


def _open(weights: str, published: Any, last: str) -> Callable[[Faces], Seen]:
    device, transforms = on_torch.device(), published.transforms()
    state = assets.of_torchvision(weights, published)
    network = models.get_model(weights, weights=None)
    network.load_state_dict(state)
    network.set_submodule(last, nn.Identity())
    with on_torch.enough_memory():
        network.to(device).eval()
    mean_C11, std_C11 = (
        torch.tensor(values, device=device)[:, None, None]
        for values in (transforms.mean, transforms.std)
    )

    def look(faces: Faces) -> Seen:
        with on_torch.repeatable():
            x = torch.from_numpy(faces).to(device).permute(0, 3, 1, 2).float() / 255
            embedding = network((x - mean_C11) / std_C11)
            return np.zeros((len(faces), 0), np.float32), embedding.cpu().numpy()

    return look

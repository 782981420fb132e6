"""Image encoders of transformers: DINOv2, the vision towers of CLIP and SigLIP, and others.

They answer nothing; what they pool of a face is its embedding. Weights are read from safetensors
files alone, and no code that lies beside them is run.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
from transformers import AutoImageProcessor

from facewave import hub, on_torch
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen

_VERSION = 1  # of what is done before the network, and of how its output is pooled
_ADVICE = (
    "Name an image encoder of the Hugging Face hub and connect to the internet once, or a folder "
    "with config.json, preprocessor_config.json and safetensors files."
)


def load(weights: str) -> Encoder:
    """The encoder of a hub id, ID@REVISION or a folder as ``save_pretrained`` writes it.

    Raises:
        UserError: there is none, or it is no encoder of images.
    """
    with _explained(weights):
        pinned = hub.pin(weights)
        processor = AutoImageProcessor.from_pretrained(pinned.source, **pinned.options)
        config = getattr(pinned.config, "vision_config", pinned.config)  # of two towers, that one
        width = getattr(config, "hidden_size", None) or config.hidden_sizes[-1]
    return Encoder(
        name=f"hub:{weights}",
        side=_side(processor),
        width=width,
        identity=pinned.identity | {"version": _VERSION},
        about=pinned.about,
        device=on_torch.device(),
        open=partial(_open, weights, pinned, config, processor),
    )


def _open(weights: str, pinned: hub.Pinned, config: Any, processor: Any) -> Callable[[Faces], Seen]:
    device = on_torch.device()
    with _explained(weights):
        network, absent = hub.network(pinned, config)
    unpooled = {key for key in absent if key.startswith("pooler.")}  # as DINO's have no pooler
    hub.require_complete(f"hub:{weights}", absent - unpooled)
    with on_torch.enough_memory():
        network.to(device).eval()

    def look(faces: Faces) -> Seen:
        # They come as large as they are wanted.
        inputs = processor(
            list(faces), return_tensors="pt", do_resize=False, do_center_crop=False
        ).to(device)
        with on_torch.repeatable():
            output = network(**inputs)
            pooled = None if unpooled else getattr(output, "pooler_output", None)
            embedding = output.last_hidden_state.mean(1) if pooled is None else pooled.flatten(1)
            return np.zeros((len(faces), 0), np.float32), embedding.cpu().numpy()

    return look


def _explained(weights: str) -> AbstractContextManager[None]:
    return hub.explained(f"hub:{weights}", _ADVICE)


def _side(processor: Any) -> int:
    """The side of the pictures that an image processor makes, px."""
    size = processor.crop_size if getattr(processor, "do_center_crop", False) else processor.size
    return int(size.height or size.shortest_edge)

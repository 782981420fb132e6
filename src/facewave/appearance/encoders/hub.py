"""Image encoders of transformers: DINOv2, the vision towers of CLIP and SigLIP, and others.

They answer nothing; what they pool of a face is its embedding. Weights are read from safetensors
files alone, and no code that lies beside them is run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoImageProcessor, AutoModel
from transformers.utils import logging

from facewave.appearance.encoders import on_torch
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen
from facewave.errors import UserError
from facewave.files import sha256

_VERSION = 1  # of what is done before the network, and of how its output is pooled


def load(weights: str) -> Encoder:
    """The encoder of a hub id, ID@REVISION or a folder as ``save_pretrained`` writes it.

    Raises:
        UserError: there is none, or it is no encoder of images.
    """
    source, _, revision = (weights, "", "") if Path(weights).is_dir() else weights.partition("@")
    with _explained(weights):
        # trust_remote_code: otherwise transformers asks, and a y runs the folder's code.
        pinned: dict[str, Any] = {"revision": revision or None, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(source, **pinned)
        pinned["revision"] = _commit(source, revision) or None
        processor = AutoImageProcessor.from_pretrained(source, **pinned)
        config = getattr(config, "vision_config", config)  # of the two towers, that for images
        width = getattr(config, "hidden_size", None) or config.hidden_sizes[-1]
    if pinned["revision"]:
        identity = {"hub": source, "revision": pinned["revision"], "version": _VERSION}
    else:
        files = [path for kind in ("*.json", "*.safetensors") for path in Path(source).glob(kind)]
        hashes = {path.name: sha256(path) for path in sorted(files)}
        identity = {"sha256": hashes, "version": _VERSION}
    address = source if Path(source).is_dir() else f"https://huggingface.co/{source}"
    return Encoder(
        name=f"hub:{weights}",
        side=_side(processor),
        width=width,
        identity=identity,
        about={"licence": "its own", "learnt_on": "see its address", "address": address},
        device=on_torch.device(),
        open=partial(_open, weights, source, config, processor, pinned),
    )


def _open(
    weights: str, source: str, config: Any, processor: Any, pinned: dict[str, Any]
) -> Callable[[Faces], Seen]:
    device = on_torch.device()
    with _explained(weights), _quiet():
        loaded: Any = AutoModel.from_pretrained(
            source,
            config=config,
            use_safetensors=True,  # other files of weights are pickles
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below
            **pinned,
        )
    network, info = loaded
    absent = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    unpooled = {key for key in absent if key.startswith("pooler.")}  # as DINO's have no pooler
    if absent - unpooled:  # they would be random
        raise UserError(
            f"encoder hub:{weights}: {len(absent)} tensors are missing or of another shape, as "
            f"{min(absent - unpooled)}. Name weights that are complete."
        )
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


def _side(processor: Any) -> int:
    """The side of the pictures that an image processor makes, px."""
    size = processor.crop_size if getattr(processor, "do_center_crop", False) else processor.size
    return int(size.height or size.shortest_edge)


def _commit(source: str, revision: str) -> str:
    """The commit that a revision named when its configuration was fetched, "" for a folder."""
    if Path(source).is_dir():
        return ""
    file = try_to_load_from_cache(source, "config.json", revision=revision or None)
    return Path(file).parent.name if isinstance(file, str) else ""


@contextmanager
def _explained(weights: str) -> Iterator[None]:
    try:
        yield
    except (
        OSError, HFValidationError, KeyError, ValueError, AttributeError, SafetensorError,
    ) as error:  # fmt: skip
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise UserError(
            f"encoder hub:{weights} cannot be loaded ({reason}). Name an image encoder of the "
            "Hugging Face hub and connect to the internet once, or a folder with config.json, "
            "preprocessor_config.json and safetensors files."
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' table of the other tower's weights, and its bar."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()

"""Networks over faces that were trained here: their answers and features of single faces."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from facewave import on_torch
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen, log_of
from facewave.errors import UserError
from facewave.files import opened, sha256
from facewave.models.vision import build
from facewave.models.vision.network import FaceNetworkConfig
from facewave.targets import CLASSES, Target

_VERSION = 1  # of what is done before and after the network
_TRAINED = Path("models/trained")  # what follows from the stage that an encoder is for


def load(weights: str) -> Encoder:
    """The encoder of a network's folder, a copy of ``models/trained/<partition>/<role>``.

    It answers with the classes' log probabilities, then all numbers and action units. Its
    ``identity`` has ``learnt_from``, datasets and partitions whose labels it knows.

    Raises:
        UserError: it is not there, no network over faces, or damaged; or it is no copy.
    """
    folder = Path(weights)
    if folder.resolve().is_relative_to(_TRAINED.resolve()):
        raise UserError(
            f"appearance.encoder: {folder} is what stage train writes, which follows from stage "
            f"embed: it cannot be embed's own encoder. Copy it, to models/encoders/{folder.name} "
            "say, and name the copy."
        )
    try:
        config = opened(json.loads((folder / "config.json").read_text("utf-8")), folder)
        if config["type"] != "face_network":
            raise UserError(
                f"appearance.encoder: {folder} is a {config['type']}, no network over faces. Name "
                "a copy of one."
            )
        model, about = config["model"], config["about"]
        network = FaceNetworkConfig(**model["network"])
        learnt_from = [*about.get("before", []), [about["dataset"], about["partition"]]]
        with torch.device("meta"):
            width = build(network).width
        hashes = {name: sha256(folder / name) for name in ("config.json", "model.safetensors")}
        licence = [about.get("licence", ""), about.get("weights", {}).get("licence", "")]
    except FileNotFoundError as error:
        raise UserError(
            f"appearance.encoder: {error.filename} is not here. Name a copy of "
            f"{_TRAINED}/<partition>/<role>, where stage train has written a network over faces."
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, error) from None
    words = [name for target in network.targets if _is_of_classes(target) for name in target.names]
    numbers = [name for target in network.targets if not target.is_words for name in target.names]
    return Encoder(
        name=f"trained:{weights}",
        side=network.side,
        margin=model["margin"],
        words=tuple(words),
        numbers=tuple(numbers),
        width=width,
        identity={"trained": hashes, "learnt_from": learnt_from, "version": _VERSION},
        about={
            "licence": "; ".join(dict.fromkeys(filter(None, licence))) or "unknown",
            "learnt_on": ", ".join(f"{name} (partition {part})" for name, part in learnt_from),
            "address": weights,
        },
        device=on_torch.device(),
        open=partial(_open, folder, network),
    )


def _is_of_classes(target: Target) -> bool:
    return target.name == CLASSES


def _open(folder: Path, config: FaceNetworkConfig) -> Callable[[Faces], Seen]:
    network = build(config)
    try:
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (SafetensorError, RuntimeError) as error:
        raise _damaged(folder, error) from None
    device = on_torch.device()
    with on_torch.enough_memory():
        network.to(device).eval()

    def look(faces: Faces) -> Seen:
        with on_torch.repeatable():
            faces_mCHW = torch.from_numpy(faces.transpose(0, 3, 1, 2).copy()).to(device)
            features_mE, outputs_mO = network.look(faces_mCHW)
            answers_mW = network.read(outputs_mO).cpu().numpy()
        words, numbers, first = [], [], 0
        for target in config.targets:
            answers = answers_mW[:, first : first + target.width]
            words += [log_of(answers)] if _is_of_classes(target) else []
            numbers += [] if target.is_words else [answers]
            first += target.width
        empty = np.zeros((len(faces), 0), np.float32)
        return np.concatenate([empty, *words, *numbers], axis=1), features_mE.cpu().numpy()

    return look


def _damaged(folder: Path, error: Exception) -> UserError:
    problem = " ".join(str(error).split())
    return UserError(f"appearance.encoder: {folder} is damaged ({problem}). Copy it again.")

"""The contract of models/trained/<partition>/<role>/: model.safetensors and config.json.

``role`` is "model" (what params.yaml names) or a baseline's name. config.json alone rebuilds the
modules; it also tells which inputs they take and how the wavelets made them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facewave.errors import UserError
from facewave.files import replacing, write_json
from facewave.models.classifiers import Config, build
from facewave.params import Block, Kind, Train

ROOT = Path("models/trained")
MODEL = "model"
PRIOR: Literal["majority"] = (
    "majority"  # always there: the floor, and the answer for a clip without a face
)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classifier and what it needs to know of its inputs.

    Attributes:
        module: (n, N, D) -> (n, C) logits, in evaluation mode.
        config: rebuilds the module.
        inputs: which blocks of features make up D, in order.
        wavelets: the transform's settings and the blendshapes' names.
    """

    module: nn.Module
    config: Config
    inputs: tuple[Block, ...]
    wavelets: dict[str, Any]

    def probabilities(self, inputs_nND: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, N, D) -> (n, C), rows adding up to 1."""
        with torch.inference_mode():
            return torch.softmax(self.module(torch.from_numpy(inputs_nND)), dim=1).numpy()


def folder(partition: str | int, role: str) -> Path:
    """Where a trained classifier lies."""
    return ROOT / str(partition) / role


def roles(settings: Train) -> dict[str, Kind]:
    """What is trained on every partition: role -> kind of classifier."""
    return {MODEL: settings.model, PRIOR: PRIOR} | {name: name for name in settings.baselines}


def arrange(
    blocks: Mapping[Block, NDArray[np.float32]], inputs: Sequence[Block]
) -> NDArray[np.float32]:
    """The chosen blocks of features, each (n, N, ...), side by side: (n, N, D)."""
    chosen = [np.asarray(blocks[name]) for name in inputs]
    return np.concatenate(
        [block.reshape(*block.shape[:2], math.prod(block.shape[2:])) for block in chosen], axis=2
    )


def widths(blocks: Mapping[Block, NDArray[np.float32]], inputs: Sequence[Block]) -> tuple[int, ...]:
    """The channels of each chosen block."""
    return tuple(math.prod(blocks[name].shape[2:]) for name in inputs)


def save(place: Path, trained: Trained) -> None:
    """Write a classifier; the same weights give the same bytes."""
    weights: dict[str, Tensor] = dict(trained.module.state_dict())
    with replacing(place / "model.safetensors") as temporary:
        save_file(weights, temporary)
    about = {"inputs": list(trained.inputs), "wavelets": trained.wavelets}
    write_json(place / "config.json", {"model": asdict(trained.config), **about})


def load(place: Path) -> Trained:
    """Rebuild a classifier.

    Raises:
        UserError: it is not there, or the two files do not fit each other.
    """
    try:
        content = json.loads((place / "config.json").read_text("utf-8"))
        model = content["model"]
        tuples = {name: tuple(model[name]) for name in ("classes", "widths")}
        config = Config(**model | tuples)
        module = build(config)
        module.load_state_dict(load_file(place / "model.safetensors"))
        inputs, wavelets = tuple(content["inputs"]), content["wavelets"]
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename or place} is not here. Train it with dvc repro, or fetch it: dvc pull"
        ) from None
    except (KeyError, TypeError, ValueError, SafetensorError, RuntimeError) as error:
        raise UserError(
            f"{place} is damaged ({error}). Train it again: dvc repro -f train"
        ) from None
    return Trained(module.eval(), config, inputs, wavelets)

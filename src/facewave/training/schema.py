"""The contract of models/trained/<partition>/<role>/: model.safetensors and config.json.

``role`` is "model" (what params.yaml names) or a baseline's name. config.json alone rebuilds the
modules; it also tells which inputs they take and how the wavelets made them. Of a language model
only what was trained beside the backbone is there, and config.json names the backbone and says how
it was prompted.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facewave.errors import UserError
from facewave.files import replacing, write_json
from facewave.models.classifiers.classifier import ClassifierConfig, build
from facewave.params import Block, ClassifierKind, Language, LanguageModelKind, Lora, Train

if TYPE_CHECKING:
    from facewave.models.vlm.model import LanguageModel

ROOT = Path("models/trained")
MODEL = "model"
PRIOR: Literal["majority"] = (
    "majority"  # beside every model of classes: the floor, and the answer where no face is
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
    config: ClassifierConfig
    inputs: tuple[Block, ...]
    wavelets: dict[str, Any]

    def probabilities(self, inputs_nND: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, N, D) -> (n, C), rows adding up to 1."""
        with torch.inference_mode():
            return torch.softmax(self.module(torch.from_numpy(inputs_nND)), dim=1).numpy()


@dataclass(frozen=True, eq=False)
class TrainedLanguage:
    """A language model, and how it is prompted.

    Attributes:
        model: backbone and what was trained beside it.
        settings: the prompt, the frames and the way of answering.
        inputs: which blocks of features its face tokens are made of, in order.
        wavelets: the transform's settings and the blendshapes' names.
        shots: the clips that are shown as examples, by video_idx.
        about: the dataset, partition and subset that it learnt from, the clips (``learnt``, and
            ``validated``, with those of the run it started from) and a regression's ``means``.
    """

    model: "LanguageModel"
    settings: Language
    inputs: tuple[Block, ...]
    wavelets: dict[str, Any]
    shots: tuple[str, ...]
    about: dict[str, Any]


def folder(partition: str | int, role: str) -> Path:
    """Where a trained classifier lies."""
    return ROOT / str(partition) / role


def roles(settings: Train) -> dict[str, ClassifierKind | LanguageModelKind]:
    """What is trained on every partition: role -> kind; beside a regression no classifier."""
    if settings.is_regression:
        return {MODEL: settings.model}
    return {MODEL: settings.model, PRIOR: PRIOR} | {name: name for name in settings.baselines}


def classifiers(settings: Train) -> dict[str, ClassifierKind]:
    """Those of the roles that are classifiers."""
    kinds = roles(settings)
    return {
        role: kind for role in kinds for kind in get_args(ClassifierKind) if kinds[role] == kind
    }


def of_classifiers(settings: Train) -> dict[str, Any]:
    """The settings without those of language models."""
    return {name: value for name, value in asdict(settings).items() if name != "language"}


def arrange(
    blocks: Mapping[Block, NDArray[np.float32]], inputs: Sequence[Block]
) -> NDArray[np.float32]:
    """The chosen blocks of features, each (n, N, ...), side by side: (n, N, D)."""
    chosen = [np.asarray(blocks[name]) for name in inputs]
    return np.concatenate(
        [block.reshape(*block.shape[:2], math.prod(block.shape[2:])) for block in chosen], axis=2
    )


def numbers(
    blocks: Mapping[Block, NDArray[np.float32]], inputs: Sequence[Block]
) -> Callable[[int], NDArray[np.float32]]:
    """A function from a clip's place in the blocks to its numbers, (N, D)."""

    def of(at: int) -> NDArray[np.float32]:
        return arrange({name: blocks[name][at : at + 1] for name in inputs}, inputs)[0]

    return of


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
        config = ClassifierConfig(**model | tuples)
        module = build(config)
        module.load_state_dict(load_file(place / "model.safetensors"))
        inputs, wavelets = tuple(content["inputs"]), content["wavelets"]
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename or place} is not here. Train it with dvc repro, or fetch it: dvc pull"
        ) from None
    except (KeyError, TypeError, ValueError, SafetensorError, RuntimeError) as error:
        raise _damaged(place, error) from None
    return Trained(module.eval(), config, inputs, wavelets)


def without_faces(settings: Language) -> Language:
    """The same prompts without places for face tokens."""
    return replace(settings, face_tokens=0)


def save_language(place: Path, trained: TrainedLanguage) -> None:
    """Write what was trained beside the backbone; the same weights give the same bytes."""
    with replacing(place / "model.safetensors") as temporary:
        tensors = {name: x.contiguous().cpu() for name, x in trained.model.trained().items()}
        save_file(tensors, temporary)
    write_json(
        place / "config.json",
        {
            "language": asdict(trained.model.config),
            "settings": asdict(trained.settings),
            "inputs": list(trained.inputs),
            "wavelets": trained.wavelets,
            "shots": list(trained.shots),
            "about": trained.about,
        },
    )


def read_language(place: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the configuration of a language model, without its backbone.

    Raises:
        UserError: they are not there, or damaged, or a classifier's.
    """
    try:
        about = json.loads((place / "config.json").read_text("utf-8"))
        if "language" not in about:
            raise UserError(f"{place} is a classifier, no language model.")
        return load_file(place / "model.safetensors"), about
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename or place} is not here. Train it with dvc repro, or fetch it: dvc pull"
        ) from None
    except (ValueError, SafetensorError) as error:
        raise _damaged(place, error) from None


def load_language(place: Path) -> TrainedLanguage:
    """Rebuild a language model; its backbone comes from where it came from.

    Raises:
        UserError: as ``read_language``; or the two files do not fit, or there is no backbone.
    """
    from facewave.models.vlm import backbones, face_tokens  # takes seconds to load
    from facewave.models.vlm.model import LanguageModel, LanguageModelConfig

    tensors, about = read_language(place)
    try:
        own = about["language"]
        faces, lora = own["faces"], own["lora"]
        config = LanguageModelConfig(
            **own
            | {name: tuple(own[name]) for name in ("classes", "targets")}
            | {
                "faces": faces
                and face_tokens.FaceTokensConfig(**faces | {"widths": tuple(faces["widths"])})
            }
            | {"lora": lora and Lora(**lora)}
        )
        settings = Language(**about["settings"] | {"lora": Lora(**about["settings"]["lora"])})
        weights = config.weights
        if config.revision:
            source = backbones.FAMILIES[config.kind].hub if weights == backbones.HUB else weights
            weights = f"{source.partition('@')[0]}@{config.revision}"
        backbone = backbones.load(config.kind, weights, config.quantized)
        model = LanguageModel(config, backbone)
        model.load_trained(tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(place, error) from None
    rest = (tuple(about[name]) for name in ("inputs", "shots"))
    inputs, shots = rest
    return TrainedLanguage(model.eval(), settings, inputs, about["wavelets"], shots, about["about"])


def _damaged(place: Path, error: Exception) -> UserError:
    return UserError(f"{place} is damaged ({error}). Train it again: dvc repro -f train")

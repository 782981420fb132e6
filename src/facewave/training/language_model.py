"""A trained language model as a model that answers.

Legend of names: n clips, C classes, T targets.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from facewave import params
from facewave.errors import UserError
from facewave.files import replacing, write_json
from facewave.models.vlm import backbones, face_tokens
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.params import Block, Language, Lora
from facewave.prompts import answers
from facewave.prompts.examples import Examples, PromptClips, gather
from facewave.prompts.templates import question
from facewave.training.classifier import classification
from facewave.training.schema import Trained, damaged
from facewave.workspace import Clips, Dataset


class TrainedLanguageModel(Trained):
    """A language model and how it is prompted.

    Args:
        module: the backbone and what was trained beside it.
        settings: the prompt, the frames and the way of answering.
        inputs: the blocks of features that its face tokens are made of.
        wavelets: see ``Trained``.
        shots: the clips that are shown as examples, by video_idx.
        about: see ``Trained``; also the clips that it learnt from (``learnt``, ``validated``: with
            those of the run that it started from) and a regression's ``means``.
    """

    type = "language_model"

    def __init__(
        self,
        module: LanguageModel,
        settings: Language,
        inputs: Sequence[Block],
        wavelets: dict[str, Any],
        shots: Sequence[str],
        about: dict[str, Any],
    ) -> None:
        config = module.config
        self.module, self.settings, self.shots = module, settings, tuple(shots)
        self.kind, self.classes, self.targets = config.kind, config.classes, config.targets
        self.inputs = tuple(inputs) if config.faces else ()
        self.wavelets, self.about = wavelets, about
        self.needs_face = not settings.frames
        self.needs_transcript = settings.transcript != "none"
        self.writes = settings.answers == "generation" and not config.targets

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers by face and frames; a clip without a usable face is answered from its frames.

        A written answer has probability 1; one that cannot be read gives every class as much.
        """
        prompted = gather(clips, self.inputs, self.settings)
        shots = self._shots() if self.shots else prompted.select([])
        examples = Examples(prompted, shots, self.classes, self.targets, self.settings, seed=0)
        usable = clips.table["usable"].to_numpy(bool)
        answered_from = np.where(usable, "face", "frames" if self.settings.frames else "words")
        if self.targets:
            values_nT = answers.values(self.module, examples, self.settings)
            columns = {f"predicted_{t}": v for t, v in zip(self.targets, values_nT.T, strict=True)}
            return pd.DataFrame({"answered_from": answered_from, **columns}, clips.table.index)
        if self.writes:
            predicted = answers.written(self.module, examples, self.classes, self.settings)
            one_hot = np.array([[c == p for c in self.classes] for p in predicted], np.float32)
            probabilities = np.where(one_hot.any(1, keepdims=True), one_hot, 1 / len(self.classes))
        else:
            probabilities = answers.probabilities(
                self.module, examples, self.classes, self.settings
            )
            predicted = [self.classes[code] for code in probabilities.argmax(1)]
        return classification(clips, answered_from, predicted, self.classes, probabilities)

    def _shots(self) -> PromptClips:
        """The clips that are shown as examples, from the dataset that the model learnt from."""
        dataset = Dataset(str(self.about["dataset"]), params.load())
        features = dataset.read_features()
        self.check(features, dataset.name)
        clips = dataset.clips(features=features)
        rows = pd.Index(clips.table["video_idx"]).get_indexer(list(self.shots))
        if (rows < 0).any():
            raise UserError(
                f"{dataset.name} lacks clips that the model shows as examples. Train it again: "
                "dvc repro train"
            )
        return gather(clips.select(rows), self.inputs, self.settings)

    def describe(self) -> dict[str, Any]:
        """How it was made and asked.

        Returns:
            kind; weights: the hub's id or a folder, "" where they are random; revision; mode;
            parameters and trained, their numbers; inputs, of the face tokens; prompt: a question
            as it is asked, without examples, one ``<face>`` for all face tokens and "..." for what
            is said; adapter and lora (None without), face_tokens, prefix, projector, quantized;
            and settings: section train.language as it was in training.
        """
        config, settings = self.module.config, self.settings
        trainable, parameters = self.module.counts()
        is_random = config.kind.startswith("tiny-")
        from_hub = config.weights == backbones.HUB
        weights = (
            backbones.FAMILIES[config.kind].hub if from_hub and not is_random else (config.weights)
        )
        transcript = "" if settings.transcript == "none" else "..."
        return {
            "kind": config.kind,
            "weights": "" if is_random else weights,
            "revision": config.revision,
            "mode": config.mode,
            "parameters": parameters,
            "trained": 0 if config.mode == "zero_shot" else trainable,
            "inputs": list(self.inputs),
            "prompt": question(
                settings.prompt,
                config.classes,
                config.targets,
                transcript,
                int(config.faces is not None),
            ),
            "adapter": config.faces.kind if config.faces else None,
            "face_tokens": config.faces.tokens if config.faces else 0,
            "lora": asdict(config.lora) if config.lora else None,
            "prefix": config.prefix,
            "projector": config.projector,
            "quantized": config.quantized,
            "settings": asdict(settings),
        }

    def save(self, path: Path) -> None:
        """Write what was trained beside the backbone; the same weights give the same bytes."""
        with replacing(path / "model.safetensors") as temporary:
            tensors = {name: x.contiguous().cpu() for name, x in self.module.trained().items()}
            save_file(tensors, temporary)
        config = {
            "type": self.type,
            "model": asdict(self.module.config),
            "settings": asdict(self.settings),
            "inputs": list(self.inputs),
            "wavelets": self.wavelets,
            "shots": list(self.shots),
            "about": self.about,
        }
        write_json(path / "config.json", config)

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedLanguageModel":
        """Rebuild a language model; its backbone comes from where it came from."""
        model = config["model"]
        faces, lora = model["faces"], model["lora"]
        if faces:
            faces = face_tokens.FaceTokensConfig(**faces | {"widths": tuple(faces["widths"])})
        built = LanguageModelConfig(
            **model
            | {name: tuple(model[name]) for name in ("classes", "targets")}
            | {"faces": faces, "lora": lora and Lora(**lora)}
        )
        settings = config["settings"]
        settings = Language(**settings | {"lora": Lora(**settings["lora"])})
        weights = built.weights
        if built.revision:
            hub = backbones.FAMILIES[built.kind].hub
            source = hub if weights == backbones.HUB else weights
            weights = f"{source.partition('@')[0]}@{built.revision}"
        module = LanguageModel(built, backbones.load(built.kind, weights, built.quantized))
        module.load_trained(read(path)[1])
        rest = (config[name] for name in ("inputs", "wavelets", "shots", "about"))
        return cls(module.eval(), settings, *rest)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The configuration and the tensors of a language model, without its backbone.

    Raises:
        UserError: they are not there, or damaged, or a classifier's.
    """
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
        if config["type"] != TrainedLanguageModel.type:
            raise UserError(f"{path} is a {config['type']}, not a language model.")
        return config, load_file(path / "model.safetensors")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or path} is not here. Train it, or dvc pull.") from None
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise damaged(path, error) from None


def without_faces(settings: Language) -> Language:
    """The same prompts without places for face tokens."""
    return replace(settings, face_tokens=0)


TRAINED = TrainedLanguageModel

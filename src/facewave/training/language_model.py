"""A trained language model as a model that answers.

Legend of names: n clips, C classes, T targets.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from facewave import params
from facewave.errors import UserError
from facewave.files import opened, replacing, write_json
from facewave.labels import schema as labels
from facewave.models.vlm import backbones
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.params import Block, Language
from facewave.prompts import answers
from facewave.prompts.examples import Examples, PromptClips, gather
from facewave.prompts.templates import question
from facewave.targets import CLASSES, Target, number
from facewave.training.schema import Trained, answers_of, damaged, encoder_of
from facewave.workspace import Clips, Dataset


class TrainedLanguageModel(Trained):
    """A language model and how it is prompted.

    Args (others as in ``Trained``):
        module: the backbone and what was trained beside it.
        settings: the prompt, the frames and the way of answering.
        shots: the clips that are shown as examples, by video_idx.
        about: see ``Trained``; also ``learnt`` and ``validated``: the clips that were used so in
            this run and those that it started from.
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
        self.kind = config.kind
        self.targets = tuple(map(number, config.targets))
        if not self.targets:
            self.targets = (Target(CLASSES, "words", config.classes),)
        self.inputs = tuple(inputs) if config.faces else ()
        self.wavelets, self.about = wavelets, about
        self.needs_face = not settings.frames
        self.encoder = encoder_of(self.inputs, wavelets)
        self.needs_pictures = bool(settings.frames) and settings.picture == "face"
        self.needs_transcript = settings.transcript != "none"
        self.writes = settings.answers == "generation" and not config.targets

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers from face and frames; of a clip without a usable face, from its frames.

        A written answer has probability 1; an unreadable one gives every class the same, as does
        one by probabilities that are no numbers, and "" is what is predicted. In place of a value
        that is no number stands the training part's mean.
        """
        prompted = gather(clips, self.inputs, self.settings)
        shots = self._shown if self.shots else prompted.select([])
        regressed = self.module.config.targets
        examples = Examples(prompted, shots, self.classes, regressed, self.settings, seed=0)
        usable = clips.table["usable"].to_numpy(bool)
        answered_from = np.where(usable, "face", "frames" if self.settings.frames else "words")
        if regressed:
            values_nT = answers.values(self.module, examples, self.settings)
            mean_T = self.module.head.mean.cpu().numpy() if self.module.head else 0
            answered_from = np.where(np.isnan(values_nT).any(1), "prior", answered_from)
            values_nT = np.where(np.isnan(values_nT), mean_T, values_nT)
            return answers_of(clips, answered_from, self.targets, values_nT)
        if self.writes:
            predicted = answers.written(self.module, examples, self.classes, self.settings)
            shares_nC = np.array([[c == p for c in self.classes] for p in predicted], np.float32)
        else:
            shares_nC = answers.probabilities(self.module, examples, self.classes, self.settings)
        is_answered_n = np.any(shares_nC > 0, axis=1)
        likeliest_n = np.array(self.classes, object)[np.nan_to_num(shares_nC).argmax(axis=1)]
        shares_nC = np.where(is_answered_n[:, None], shares_nC, 1 / len(self.classes))
        words = {CLASSES: np.where(is_answered_n, likeliest_n, "")}
        return answers_of(clips, answered_from, self.targets, shares_nC, words=words)

    @cached_property
    def _shown(self) -> PromptClips:
        """The clips that are shown as examples, from the dataset that the model learnt from."""
        dataset = Dataset(str(self.about["dataset"]), params.load())
        features = dataset.read_features()
        self.check(features, dataset.name)
        clips = dataset.clips(labels.single_label(dataset.read_labels()), features)
        rows = pd.Index(clips.table["video_idx"]).get_indexer(list(self.shots))
        if (rows < 0).any():
            raise UserError(
                f"{dataset.name} lacks clips that the model shows as examples. Train it again: "
                "dvc repro train"
            )
        return gather(clips.select(rows), self.inputs, self.settings)

    def describe(self) -> dict[str, Any]:
        """How it was made and is prompted.

        ``weights`` is the hub's id or a folder, "" if they are random; ``parameters`` and
        ``trained`` are how many; ``prompt`` is a question as it is asked, without examples, with
        one ``<face>`` for all face tokens and "..." for what is said and told; ``settings`` is
        section train.language as it was in training.
        """
        config, settings = self.module.config, self.settings
        trainable, parameters = self.module.counts()
        return {
            "kind": config.kind,
            "weights": "" if config.kind.startswith("tiny-") else _source(config),
            "revision": config.revision,
            "mode": config.mode,
            "parameters": parameters,
            "trained": 0 if config.mode == "zero_shot" else trainable,
            "inputs": list(self.inputs),
            "prompt": question(
                settings.prompt,
                config.classes,
                config.targets,
                "" if settings.transcript == "none" else "...",
                int(config.faces is not None),
                "...",
                "...",
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
        """Rebuild a language model; its backbone is loaded from where training loaded it."""
        model = TypeAdapter(LanguageModelConfig).validate_json(json.dumps(config["model"]))
        settings = TypeAdapter(Language).validate_json(json.dumps(config["settings"]))
        weights = model.weights
        if model.revision:
            weights = f"{_source(model).partition('@')[0]}@{model.revision}"
        module = LanguageModel(model, backbones.load(model.kind, weights, model.quantized))
        module.load_trained(read(path)[1])
        rest = (config[name] for name in ("inputs", "wavelets", "shots", "about"))
        return cls(module.eval(), settings, *rest)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The configuration and the tensors of a language model, without its backbone.

    Raises:
        UserError: they are not there, or damaged, or a classifier's.
    """
    try:
        config = opened(json.loads((path / "config.json").read_text("utf-8")), path)
        if config["type"] != TrainedLanguageModel.type:
            raise UserError(f"{path} is a {config['type']}, not a language model.")
        return config, load_file(path / "model.safetensors")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or path} is not here. Train it, or dvc pull.") from None
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise damaged(path, error) from None


def _source(config: LanguageModelConfig) -> str:
    """The hub's id or the folder of a backbone's weights."""
    is_default = config.weights == backbones.HUB
    return backbones.FAMILIES[config.kind].hub if is_default else config.weights


TRAINED = TrainedLanguageModel

"""A trained language model as a model that answers.

Legend of names: n clips, C classes, T targets.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from facewave.errors import UserError
from facewave.files import opened, replacing, write_json
from facewave.models.vlm import backbones, families
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.params import Block, Language
from facewave.prompts import answers
from facewave.prompts.examples import Examples, PromptClips
from facewave.prompts.templates import question
from facewave.targets import CLASSES, Target, number
from facewave.training import calibration, schema
from facewave.training.prompted import Prompted
from facewave.training.schema import answers_of, damaged, is_calibrated

MERGED = "merged"  # the backbone's folder in that of a model that was exported


class TrainedLanguageModel(Prompted):
    """A language model and how it is prompted.

    Args (others as in ``Trained``):
        module: the backbone and what was trained beside it.
        settings: the prompt, the frames and the way of answering.
        shots: the clips that are shown as examples, by video_idx.
        about: see ``Trained``; also ``learnt`` and ``validated``: the clips that were used so in
            this run and those that it started from.
        temperature: of its likelihoods, chosen on validation; None: nothing has chosen it.
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
        temperature: float | None = None,
    ) -> None:
        config = module.config
        self.module = module
        self.kind = config.kind
        self.targets = tuple(map(number, config.targets))
        if not self.targets:
            self.targets = (Target(CLASSES, "words", config.classes),)
        self.inputs = tuple(inputs) if config.faces else ()
        self.wavelets, self.about, self.temperature = wavelets, about, temperature
        self._prompt(settings, shots)
        self.writes = settings.answers == "generation" and not config.targets

    @property
    def source(self) -> tuple[str, str]:
        """The hub's id of its backbone's weights and their commit; "" where they are not of it."""
        config = self.module.config
        is_random = config.kind.startswith("tiny-")
        name = "" if is_random or Path(config.weights).is_dir() else _source(config)
        return name.partition("@")[0], config.revision

    @property
    def calibrated(self) -> bool:
        """Whether enough clips of real people have chosen its temperature."""
        return self.temperature is not None and is_calibrated(self.about)

    def calibrate(self, val: Examples, truth_nC: Tensor) -> None:
        """Choose the temperature by the validation clips' labels, where enough clips were learnt.

        What writes its answers has no probabilities, and what regresses none either.
        """
        n_labelled = self.about["labelled"]
        if self.writes or not self.classes or not len(val) or n_labelled < schema.ENOUGH:
            return
        logs_nC = answers.likelihoods(self.module, val, self.classes, self.settings)
        is_number_n = logs_nC.isfinite().all(1)
        loss = partial(functional.cross_entropy, target=truth_nC.argmax(1)[is_number_n])
        self.temperature = calibration.temperature(loss, logs_nC[is_number_n])

    def answer_prompted(self, prompted: PromptClips) -> pd.DataFrame:
        """Answers to clips with what is told of them, as ``answer`` gives them.

        A written answer has probability 1; an unreadable one gives every class the same, as does
        one by probabilities that are no numbers, and "" is what is predicted. In place of a value
        that is no number stands the training part's mean.
        """
        clips = prompted.clips
        regressed = self.module.config.targets
        examples = self._examples(prompted, regressed)
        if regressed:
            values_nT = answers.values(self.module, examples, self.settings)
            mean_T = self.module.head.mean.cpu().numpy() if self.module.head else 0
            answered_from = np.where(
                np.isnan(values_nT).any(1), "prior", self._answered_from(clips)
            )
            values_nT = np.where(np.isnan(values_nT), mean_T, values_nT)
            return answers_of(clips, answered_from, self.targets, values_nT)
        if self.writes:
            predicted, lenient = answers.written(self.module, examples, self.classes, self.settings)
            shares_nC = np.array([[c == p for c in self.classes] for p in predicted], np.float32)
            return self._by_shares(clips, shares_nC, lenient)
        shares_nC = answers.probabilities(
            self.module, examples, self.classes, self.settings, self.temperature or 1.0
        )
        return self._by_shares(clips, shares_nC)

    def describe(self) -> dict[str, Any]:
        """How it was made and is prompted.

        ``weights`` is the hub's id or a folder, "" if they are random; ``parameters`` and
        ``trained`` are how many; ``temperature`` is what divides its log likelihoods, None if
        nothing has chosen one; ``prompt`` is a question as it is asked, without examples, with one
        ``<face>`` for all face tokens and "..." for what is said and told; ``settings`` is section
        train.language as it was in training; ``elsewhere`` is what LoRA changes of other answers
        (prompts/elsewhere.py), None without LoRA, when nothing does.
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
                "...",
            ),
            "adapter": config.faces.kind if config.faces else None,
            "face_tokens": config.faces.tokens if config.faces else 0,
            "lora": asdict(config.lora) if config.lora else None,
            "prefix": config.prefix,
            "projector": config.projector,
            "quantized": config.quantized,
            "elsewhere": self.about.get("elsewhere"),
            "temperature": self.temperature,
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
            "temperature": self.temperature,
        }
        write_json(path / "config.json", config)

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedLanguageModel":
        """Rebuild a language model; its backbone is loaded from where training loaded it."""
        model = TypeAdapter(LanguageModelConfig).validate_json(json.dumps(config["model"]))
        settings = TypeAdapter(Language).validate_json(json.dumps(config["settings"]))
        is_inside = model.weights == MERGED and (path / MERGED).is_dir()
        weights = str(path / MERGED) if is_inside else model.weights
        if model.revision:
            weights = f"{_source(model).partition('@')[0]}@{model.revision}"
        backbone = backbones.load(model.kind, weights, model.quantized, settings.pixels)
        module = LanguageModel(model, backbone)
        module.load_trained(read(path)[1])
        rest = (config[name] for name in ("inputs", "wavelets", "shots", "about", "temperature"))
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
    return families.FAMILIES[config.kind].hub if is_default else config.weights


TRAINED = TrainedLanguageModel

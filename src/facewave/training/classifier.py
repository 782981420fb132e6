"""A trained classifier as a model that answers.

Legend of names: n clips, N numbers per channel, D channels of all inputs side by side, W answers of
all targets.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from facewave.files import replacing, write_json
from facewave.models.classifiers.classifier import Classifier, ClassifierConfig, build
from facewave.models.classifiers.person import Population
from facewave.models.readout import Majority
from facewave.params import Block
from facewave.training import cards
from facewave.training.person import normalized
from facewave.training.schema import Trained, answers_of, damaged, encoder_of, is_calibrated
from facewave.workspace import Clips

_TOGETHER = 2**16  # clips that are answered at a time, to bound memory


class TrainedClassifier(Trained):
    """A classifier over wavelet numbers, in evaluation mode.

    ``population`` is what the training part was standardised by beside each person's other clips
    (``train.normalize: person``); None: nothing was.
    """

    type = "classifier"

    def __init__(
        self,
        module: Classifier | Majority,
        config: ClassifierConfig,
        inputs: Sequence[Block],
        wavelets: dict[str, Any],
        about: dict[str, Any],
        population: Population | None = None,
    ) -> None:
        self.module, self.config, self.population = module, config, population
        self.normalizes = population is not None
        self.kind, self.targets = config.kind, config.targets
        self.inputs, self.wavelets, self.about = tuple(inputs), wavelets, about
        self.encoder = encoder_of(inputs, wavelets)

    @property
    def calibrated(self) -> bool:
        """Whether enough clips of real people have chosen the temperatures."""
        return self.kind != "majority" and is_calibrated(self.about)

    def taken(self, clips: Clips) -> NDArray[np.float32]:
        """The clips' numbers, normalised as those that it learnt from, (n, N, D)."""
        return normalized(clips, self.inputs, self.population)

    def answers(self, inputs_nND: NDArray[np.float32]) -> NDArray[np.float32]:
        """What ``taken`` gives, (n, N, D) -> (n, W): probabilities and values."""
        with torch.inference_mode():
            parts = torch.from_numpy(inputs_nND).split(_TOGETHER)
            return torch.cat([self.module.answers(part) for part in parts]).numpy()

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers by face, voice or both; a clip without any gets the same as all such clips."""
        judged_from = clips.judged_from(self.inputs)
        known = (judged_from != "prior")[:, None]
        answers_nW = self.answers(self.taken(clips))
        answers_nW = np.where(known, answers_nW, self.module.prior.answer.numpy())
        margins_nW = np.where(known, self.module.margin.numpy(), np.nan)
        return answers_of(clips, judged_from, self.targets, answers_nW, margins_nW)

    def describe(self) -> dict[str, Any]:
        """The kind, the inputs and what it learnt from."""
        described = {"kind": self.kind, "inputs": list(self.inputs), "about": self.about}
        return described | ({"normalized": cards.NORMALIZED} if self.normalizes else {})

    def save(self, path: Path) -> None:
        """Write the folder; the same weights give the same bytes."""
        weights: dict[str, Tensor] = dict(self.module.state_dict())
        if self.population:
            numbers = self.population.tensors()
            weights |= {name: torch.from_numpy(array) for name, array in numbers.items()}
        with replacing(path / "model.safetensors") as temporary:
            save_file(weights, temporary)
        config = {"type": self.type, "model": asdict(self.config), "inputs": list(self.inputs)}
        config |= {"normalize": "person"} if self.normalizes else {}
        write_json(path / "config.json", config | {"wavelets": self.wavelets, "about": self.about})

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedClassifier":
        """Rebuild a classifier from its folder."""
        model, population = ClassifierConfig(**config["model"]), None
        try:
            module, weights = build(model), load_file(path / "model.safetensors")
            if config.get("normalize") == "person":
                names = [name for name in weights if name.startswith("population.")]
                population = Population.from_tensors({n: weights.pop(n).numpy() for n in names})
            module.load_state_dict(weights)
        except (SafetensorError, RuntimeError) as error:
            raise damaged(path, error) from None
        return cls(
            module.eval(), model, config["inputs"], config["wavelets"], config["about"], population
        )


TRAINED = TrainedClassifier

"""The contract of models/trained/<partition>/<role>/: model.safetensors and config.json.

``role`` is "model" (what params.yaml names) or the name of a baseline. config.json alone rebuilds
the model; it also says which inputs the model takes, how the wavelets made them, and what it
learnt from. Of a language model only what was trained beside the backbone is stored.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd

from facewave.errors import UserError
from facewave.params import Block, ClassifierKind, LanguageModelKind, Train
from facewave.workspace import Clips

if TYPE_CHECKING:
    from facewave.wavelets.schema import Features

ROOT = Path("models/trained")
MODEL = "model"
PRIOR: Literal["majority"] = "majority"  # trained beside every classifier: the floor

_MODULES = {  # "type" in config.json -> the module with its class ``TRAINED``
    "classifier": "facewave.training.classifier",
    "language_model": "facewave.training.language_model",
}


class Trained(ABC):
    """A trained model, whatever it is.

    Attributes:
        kind: what params.yaml calls it.
        classes: in the order of the codes; () of a regression.
        targets: names of what a regression answers; () of a classifier.
        inputs: the blocks of features that it takes, in order; () if it takes none.
        wavelets: how these were made: the transform's settings and the blendshapes' names.
        about: what it learnt from: dataset, description, partition, subset; ``before``, datasets
            and partitions of the runs that it started from; and what its type alone has.
        needs_face: whether all that it can say of a clip without a usable face is the class prior.
        needs_transcript: whether it reads what is said.
        writes: whether it answers in its own words, without probabilities.
    """

    type: ClassVar[str]
    kind: str
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    inputs: tuple[Block, ...]
    wavelets: dict[str, Any]
    about: dict[str, Any]
    needs_face: bool = True
    needs_transcript: bool = False
    writes: bool = False

    @abstractmethod
    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers, one row per clip, with the index of ``clips.table``.

        Returns:
            Column ``answered_from``: "face", "frames", "words" or "prior"; then, for a
            classification, ``predicted``, a class (or "", if what the model wrote is none), and
            ``p_<class>`` for every class, each row adding up to 1; for a regression,
            ``predicted_<target>`` for every target.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What a reader should know about it, as JSON; ``kind`` always."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the folder; the same weights give the same bytes."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "Trained":
        """Rebuild a model from its folder, whose config.json is ``config``."""

    @property
    def learnt_from(self) -> set[tuple[str, str]]:
        """What it learnt from, directly or before: (dataset, partition)."""
        before = {(dataset, partition) for dataset, partition in self.about.get("before", [])}
        return {(self.about["dataset"], self.about["partition"])} | before

    def check(self, features: "Features", dataset: str) -> None:
        """Check that a dataset's features are made like those that the model learnt from.

        Raises:
            UserError: they are not.
        """
        expected = self.wavelets if self.inputs else {}
        differing = [name for name in expected if features.config.get(name) != expected[name]]
        if differing:
            settings = [f"{name}: {expected[name]}" for name in differing if name != "blendshapes"]
            raise UserError(
                f"data/features/{dataset} differs in {', '.join(differing)} from the features that "
                f"the model learnt from. Set wavelets in params.yaml to the model's "
                f"({'; '.join(settings) or 'as now'}) and make them again (dvc repro wavelet), or "
                "train the model again."
            )


def folder(partition: str | int, role: str) -> Path:
    """Where a trained model lies."""
    return ROOT / str(partition) / role


def roles(settings: Train) -> dict[str, ClassifierKind | LanguageModelKind]:
    """What is trained on every partition: role -> kind; beside a regression no classifier."""
    if settings.is_regression:
        return {MODEL: settings.model}
    return {MODEL: settings.model, PRIOR: PRIOR} | {name: name for name in settings.baselines}


def used_by(kind: ClassifierKind, settings: Train) -> dict[str, Any]:
    """The settings that the fit of a kind of classifier follows from, beside its inputs."""
    shared = ("dataset", "subset", "partitions", "pca", "imbalance", "seed")
    group = {"majority": (), "logistic": ("logistic",), "svm": ("svm",), "trees": ("trees",)}
    return {name: asdict(settings)[name] for name in (*shared, *group.get(kind, ("network",)))}


def load(path: Path) -> Trained:
    """Rebuild a trained model, whatever it is.

    Raises:
        UserError: it is not there, its files are damaged or do not fit each other, or its backbone
            cannot be loaded.
    """
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
        trained: type[Trained] = import_module(_MODULES[config["type"]]).TRAINED
        return trained.load(path, config)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename or path} is not here. Train it with dvc repro, or fetch it: dvc pull"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> UserError:
    """The error for a model's folder that cannot be read."""
    problem = " ".join(str(error).split())
    return UserError(f"{path} is damaged ({problem}). Train it again: dvc repro -f train")

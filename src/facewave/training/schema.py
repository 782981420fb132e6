"""The contract of models/trained/<partition>/<role>/: model.safetensors, config.json, README.md.

``role`` is "model" (what params.yaml names) or the name of a baseline. config.json alone rebuilds
the model; it also says which inputs the model takes, how the wavelets made them, and what it
learnt from. Of a language model only what was trained beside the backbone is stored. README.md is
the model's card, for people.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.files import opened, replacing, sealed, write_json
from facewave.params import NETWORKS, Block, FaceNetworkKind, Train, apart
from facewave.targets import CLASSES, Target, split
from facewave.training import cards
from facewave.wavelets.schema import SEEN
from facewave.workspace import Clips

if TYPE_CHECKING:
    from facewave.wavelets.schema import Features

ROOT = Path("models/trained")
MODEL = "model"
PRIOR = "majority"  # trained beside every model: the floor
LATE_FUSION = "late_fusion"  # a kind, which is made of the roles ``face`` and ``voice``
UNNORMALIZED = "unnormalized"  # trained beside a model with train.normalize: person
FIRST_STAGE = "-labels"  # ends the role of a network that learns pseudo-labels after them
TEACHER, STUDENTS = "teacher", "students"  # a role, and the kind of a model that is several
LENIENTLY = "read_leniently"  # column of answers in a model's own words (prompts/reading.py)

Which = Literal["labels", "both", "pseudo"]  # what a role learns (parts.truth_of)

_MODULES = {  # "type" in config.json -> the module with its class ``TRAINED``
    "classifier": "facewave.training.classifier",
    "language_model": "facewave.training.language_model",
    "served": "facewave.training.served",
    "pretrained": "facewave.training.pretrained",
    "knowledge": "facewave.training.knowledge",
    "ensemble": "facewave.training.ensemble",
    "face_network": "facewave.training.face_network",
    "fusion": "facewave.training.fusion",
}
# What streamed networks are called there.
TYPES = dict.fromkeys(get_args(FaceNetworkKind), "face_network") | {"fusion": "fusion"}
ENOUGH = 200  # training clips: beside fewer, those for validation say little of a temperature


class Trained(ABC):
    """A trained model, whatever it is.

    Attributes:
        kind: what params.yaml calls it.
        targets: what it is asked, in the order of its answers.
        inputs: the blocks of features that it takes, in order; () if it takes none.
        wavelets: how these were made: the transform's settings and the blendshapes' names.
        about: what it learnt from (about.py); ``before``, datasets and partitions of the
            runs that it started from; what its type alone has; and, where it has been measured,
            ``figures`` (cards.Figure by measure).
        needs_face: whether all that it can say of a clip without a usable face is the class prior.
        encoder: the frame encoder whose answers it reads (``Clips.appearance``), "" for none.
        needs_pictures: whether it looks at pictures (``Clips.faces``).
        needs_transcript: whether it reads what is said.
        needs_voice: whether it is told how somebody sounds (``Clips.voice``), whatever its inputs.
        writes: whether it answers in its own words, without probabilities.
        normalizes: whether it standardises a clip by the same person's other clips
            (``Clips.people``).
        usage: what its last answers took, where somebody counts (prompts/served.py).
    """

    type: ClassVar[str]
    kind: str
    targets: tuple[Target, ...]
    inputs: tuple[Block, ...]
    wavelets: dict[str, Any]
    about: dict[str, Any]
    needs_face: bool = True
    encoder: str = ""
    needs_pictures: bool = False
    needs_transcript: bool = False
    needs_voice: bool = False
    writes: bool = False
    normalizes: bool = False
    usage: dict[str, Any] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The corpus's own words, in the order of their codes; () if it is not asked for them."""
        return next((target.names for target in self.targets if target.name == CLASSES), ())

    def taken(self, clips: Clips) -> NDArray[np.float32]:
        """The numbers of clips that it answers by, (n, N, D); NaN in what a clip lacks."""
        return clips.inputs(self.inputs)

    @abstractmethod
    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers, one row per clip, with the index of ``clips.table``.

        Returns:
            Column ``answered_from`` (prediction/schema.py); then each target's
            ``predicted`` (a word, or "", if what the model wrote is none), ``numbers`` and
            ``ends`` (targets.py); NaN in those that it knows nothing of. Where it ``writes``, also
            ``LENIENTLY``: the word that its answer names when it is read leniently.
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
    def calibrated(self) -> bool:
        """Whether its numbers are probabilities, by clips of real people; else they are scores."""
        return False

    def line(self) -> str:
        """What it is, what it learnt from and how well it did, in a line."""
        return cards.line(self.kind, self.about, self.normalizes)

    def card(self) -> str:
        """The same in full, as Markdown."""
        return cards.card(
            self.kind, self.targets, self.inputs, self.wavelets, self.calibrated,
            self.about, self.normalizes,
        )  # fmt: skip

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
        expected = {
            name: value
            for name, value in (self.wavelets if self.inputs else {}).items()
            if (self.encoder or name != "encoder")
            and (apart(self.inputs)["voice"] or name != "voice")
        }
        differing = [name for name in expected if features.config.get(name) != expected[name]]
        if differing:
            settings = [f"{name}: {expected[name]}" for name in differing if name != "blendshapes"]
            raise UserError(
                f"data/features/{dataset} differs in {', '.join(differing)} from the features that "
                f"the model learnt from. Set wavelets in params.yaml to the model's "
                f"({'; '.join(settings) or 'as now'}) and make them again (dvc repro wavelet), or "
                "train the model again."
            )


def is_calibrated(about: Mapping[str, Any]) -> bool:
    """Whether enough clips of real people have chosen a network's temperatures."""
    return about.get("synthetic") is False and about.get("labelled", 0) >= ENOUGH


def class_of(type_: str) -> type[Trained]:
    """The class of a type of models; its module is loaded only now.

    Raises:
        KeyError: there is no such type.
    """
    trained: type[Trained] = import_module(_MODULES[type_]).TRAINED
    return trained


def encoder_of(inputs: Sequence[Block], wavelets: dict[str, Any]) -> str:
    """The frame encoder whose answers are among a model's inputs, "" if none are."""
    return str(wavelets["encoder"]["name"]) if set(SEEN) & set(inputs) else ""


def answers_of(
    clips: Clips,
    answered_from: NDArray[np.str_],
    targets: Sequence[Target],
    numbers_nW: NDArray[np.floating],
    margins_nW: NDArray[np.floating] | None = None,
    words: Mapping[str, Sequence[str] | NDArray[np.object_]] | None = None,
) -> pd.DataFrame:
    """A table of answers as ``Trained.answer`` gives it.

    Args:
        clips: n clips.
        answered_from: of each.
        targets: what was asked.
        numbers_nW: probabilities and values, NaN for targets that are not answered.
        margins_nW: half the widths of the prediction intervals, NaN or None where there are none.
        words: what was answered, by target's name; else it is the word with the highest
            probability.
    """
    columns: dict[str, Any] = {"answered_from": answered_from}
    if margins_nW is None:
        margins_nW = np.full(np.shape(numbers_nW), np.nan)
    parts = (split(targets, np.asarray(all_nW, float)) for all_nW in (numbers_nW, margins_nW))
    for target, numbers, margins in zip(targets, *parts, strict=True):
        if target.predicted:
            chosen = np.array(target.names, object)[np.nan_to_num(numbers).argmax(axis=1)]
            chosen = np.array((words or {}).get(target.name, chosen), object)
            columns[target.predicted] = np.where(np.isnan(numbers).any(axis=1), "", chosen)
        columns |= dict(zip(target.numbers, numbers.T, strict=True))
        if target.ends:
            low, high = numbers - margins, numbers + margins
            if target.low is not None:
                low, high = (np.clip(end, target.low, target.high) for end in (low, high))
            columns |= dict(zip(target.ends, (low[:, 0], high[:, 0]), strict=True))
    return pd.DataFrame(columns, index=clips.table.index)


def folder(partition: str | int, role: str) -> Path:
    """Where a trained model lies."""
    return ROOT / str(partition) / role


def roles(settings: Train) -> dict[str, str]:
    """What is made for every partition: role -> kind.

    With ``train.pseudo: after`` each network over faces has a first stage beside it, which learns
    the labels alone: ``resnet18-labels``, whatever the role of the second.
    """
    others = [name for name in settings.baselines if name != settings.model]
    shared = {MODEL: str(settings.model), PRIOR: PRIOR} | {name: name for name in others}
    if LATE_FUSION in shared.values():
        shared |= dict.fromkeys(apart(settings.inputs), settings.late_fusion.of)
    if settings.normalize == "person":
        shared[UNNORMALIZED] = settings.model
    if settings.students:
        named = {TEACHER: settings.model} | dict.fromkeys(students(settings), settings.model)
        shared |= {MODEL: STUDENTS} | named
    if settings.pseudo == "after":
        over_faces = [kind for kind in shared.values() if kind in get_args(FaceNetworkKind)]
        shared |= {kind + FIRST_STAGE: kind for kind in over_faces}
    return shared


def first_stage(role: str, settings: Train) -> str | None:
    """The role whose weights a role starts from to learn pseudo-labels alone, None for others."""
    first = roles(settings)[role] + FIRST_STAGE
    return first if role != first and first in roles(settings) else None


def learns(role: str, settings: Train) -> Which:
    """What a role learns: labels and pseudo-labels, unless it is the first or second of stages."""
    if role.endswith(FIRST_STAGE):
        return "labels"
    return "pseudo" if first_stage(role, settings) else "both"


def role_of(kind: str, settings: Train) -> str:
    """The role of a kind that params.yaml names as the model or among the baselines."""
    return MODEL if kind == settings.model else kind


def students(settings: Train) -> list[str]:
    """The roles of the students."""
    return [f"student-{number}" for number in range(1, settings.students + 1)]


def for_kind(kind: str, settings: Train) -> Train:
    """Section ``train`` as it holds for a kind: of networks alone the votes may be the labels."""
    if kind in NETWORKS:
        return settings
    return replace(settings, network=replace(settings.network, soft_labels=False))


def settings_of(role: str, settings: Train) -> Train:
    """Section ``train`` as it holds for a role."""
    settings = for_kind(roles(settings)[role], settings)
    if role in students(settings):
        return replace(settings, seed=settings.seed + int(role.rpartition("-")[2]))
    if role in apart(settings.inputs):
        return replace(settings, inputs=apart(settings.inputs)[role])
    return replace(settings, normalize="none") if role == UNNORMALIZED else settings


def used_by(kind: str, settings: Train) -> dict[str, Any]:
    """The settings that the fit of a kind of classifier follows from, beside what it is shown.

    What a teacher answers is among what students are shown.
    """
    shared = ["dataset", "subset", "budget", "partitions", "targets", "pca", "imbalance", "mirror"]
    shared += ["seed"] if kind == PRIOR else ["seed", "normalize", "delay"]
    group = {"majority": (), "logistic": ("logistic",), "svm": ("svm",), "trees": ("trees",)}
    group |= {STUDENTS: ("network", "students", "teacher"), "fusion": ("network", "fusion")}
    group |= dict.fromkeys(get_args(FaceNetworkKind), ("network", "vision"))
    if kind in TYPES:
        shared.remove("pca")
    return {name: asdict(settings)[name] for name in (*shared, *group.get(kind, ("network",)))}


def save(trained: Trained, path: Path) -> None:
    """Write a trained model's folder, with its card."""
    trained.save(path)
    config = json.loads((path / "config.json").read_text("utf-8"))
    write_json(path / "config.json", sealed(config, [path / "model.safetensors"]))
    with replacing(path / "README.md") as temporary:
        temporary.write_text(trained.card(), "utf-8")


def fingerprint(path: Path) -> str:
    """The SHA-256 of what a model's folder rebuilds it from."""
    hashed = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        hashed.update((path / name).read_bytes())
    return hashed.hexdigest()


def load(path: Path) -> Trained:
    """Rebuild a trained model, whatever it is.

    Raises:
        UserError: it is not there, its files are damaged or do not fit each other, or its backbone
            cannot be loaded.
    """
    try:
        config = opened(json.loads((path / "config.json").read_text("utf-8")), path)
        model = class_of(config["type"]).load(path, config)
        if model.inputs and not {"sides", "encoder"} <= set(model.wavelets):
            raise ValueError("an earlier version of facewave has written it")
        return model
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

"""params.yaml as typed, frozen dataclasses: one section a stage, one field an option.

An unknown or ill-typed key is an error that names it. Comments in params.yaml say what each
option does; the types and bounds stand here.
"""

import json
import math
import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from string import Formatter
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from facewave import parsing, validation
from facewave.errors import UserError, explain

PARAMS_FILE = Path("params.yaml")

_strict = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy takes
Name = Annotated[str, Field(pattern=r"^\w[\w-]*$")]  # it names files, and DVC splits at dots
Positive = Annotated[float, Field(gt=0)]
Folds = Annotated[int, Field(ge=3)]  # test, validation, train

# What is measured of each clip; landmarks/schema.py says what they mean.
Measure = Literal[
    "frames", "face_frames", "face_share", "others_share", "duration", "longest_gap", "face_px",
    "sharpness", "yaw", "pitch", "roll", "jumps", "still",
]  # fmt: skip

# How a face is cut out; faces/align.py says how.
Align = Literal["box", "points"]

# What training can take in; wavelets/schema.py says what they are.
Block = Literal[
    "blendshapes", "landmarks", "pose_free", "points68", "head", "timing", "expression",
    "appearance", "mel", "prosody", "mfcc", "speech", "action_units", "gaze", "other",
    "functionals",
]  # fmt: skip
SOUNDS: tuple[Block, ...] = ("mel", "prosody", "mfcc", "speech")  # of these; the others are seen

# What finds landmarks; landmarks/engines/ has them.
EngineName = Literal["mediapipe", "litert"]
# Who of a clip's people; landmarks/follow.py says what the rules are.
Whose = Literal["center", "largest", "longest", "all"]

# Whose per-frame tables can stand in for what the landmarker finds; landmarks/tools/ reads them.
Tool = Literal["openface", "py-feat", "libreface", "mediapipe", "live-link", "columns"]

# How trajectories become numbers; wavelets/transform.py says how.
TransformName = Literal[
    "approximation", "pyramid", "largest", "energy", "block", "mean", "mean_std", "uniform", "dct",
    "pca",
]  # fmt: skip
Boundary = Literal["open", "periodic"]
# Whether left and right of a face are transformed apart; wavelets/schema.py says what merged is.
Sides = Literal["apart", "merged"]

# What can be trained; models/ says what they are.
ClassifierKind = Literal["majority", "logistic", "svm", "trees", "mlp", "gru", "transformer"]
# Networks that look at pictures of the face; models/vision/ has them.
FaceNetworkKind = Literal[
    "mobilenet_v2", "resnet18", "resnet50", "resnet152", "densenet121", "densenet201",
    "resnet50_gru", "emofan", "vit_mae",
]  # fmt: skip
OverTime = Literal["mean", "attention", "gru", "transformer"]  # what joins a clip's faces
StreamedKind = Literal["fusion"] | FaceNetworkKind  # their inputs are read while they train
STREAMED: tuple[str, ...] = ("fusion", *get_args(FaceNetworkKind))
# What is trained by gradient descent, with settings of train.network.
NETWORKS: tuple[str, ...] = ("mlp", "gru", "transformer", *STREAMED)
CORRELATED = ("ccc", "pcc", "emonet", "bins")  # losses of numbers that need several clips at once
PLANE = ("valence", "arousal", "dominance")
# Losses of words; training/losses.py has them.
Loss = Literal["cross_entropy", "focal", "balanced", "dice", "balanced_dice"]
# They answer without training of their own.
UntrainedKind = Literal["pretrained", "knowledge", "ensemble", "late_fusion"]
Way = Literal["mean", "weighted", "f1", "stacking", "vote"]  # of several roles to answer as one
LanguageModelKind = Literal[
    "paligemma2", "gemma3", "qwen2.5-vl", "qwen3-vl", "internvl3", "smolvlm", "smolvlm2",
    "tiny-paligemma2", "tiny-gemma3", "tiny-qwen2.5-vl", "tiny-qwen3-vl", "tiny-internvl3",
    "tiny-smolvlm", "tiny-smolvlm2",
]  # fmt: skip
LanguageWay = Literal["facts", "face_tokens", "both"]  # of telling a language model of a face
Checkpointing = Literal["auto", "always", "never"]  # of a language model's activations

# What a prompt can have filled in; prompts/templates.py says what they are.
PROMPT_FIELDS = ("labels", "transcript", "face", "targets", "facts", "voice", "expression")
_CAPTIONS = (
    "they tell the label (in MAFW all but neutral clips have one) and are a track of their own, "
    "never an input of a main run"
)


def _once(values: list[Any]) -> list[Any]:
    if any(value in values[:at] for at, value in enumerate(values)):
        raise ValueError("it should name nothing twice")
    return values


def _no_caption(values: Any) -> Any:
    if isinstance(values, list) and {"caption", "captions"} & set(map(str, values)):
        raise ValueError(f"it should have no captions: {_CAPTIONS}")
    return values


def _fillable(template: str) -> str:
    try:
        fields = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise ValueError(f"it should be a template, but has {error}") from None
    if {"caption", "captions"} & fields:
        raise ValueError(f"it should have no caption: {_CAPTIONS}")
    if strange := sorted(fields - set(PROMPT_FIELDS)):
        known = ", ".join(f"{{{name}}}" for name in PROMPT_FIELDS)
        raise ValueError(f"it should fill in no {{{strange[0]}}}; there are {known}")
    return template


def _rising(values: list[Any]) -> list[Any]:
    if values[0] >= values[1]:
        raise ValueError("it should begin before it ends")
    return values


Once = AfterValidator(_once)
Inputs = Annotated[list[Block], Field(min_length=1), Once, BeforeValidator(_no_caption)]
Numbers = Annotated[int, Field(ge=1, le=256)]  # per trajectory
# What is asked of a clip; targets.py says what they are.
TargetName = Annotated[
    str,
    Field(pattern=r"^(classes|quadrant|valence|arousal|dominance|aus|(score|about)\..+)$"),
]
Targets = Annotated[list[TargetName], Field(min_length=1), Once]
# A transform, followed by a wavelet where it is another than wavelets.wavelet.
Transforms = Annotated[str, Field(pattern=rf"^({'|'.join(get_args(TransformName))})( [\w.]+)?$")]


@dataclass(frozen=True, config=_strict)
class Part:
    """One corpus of a union, in its folder below the union's root."""

    reader: Name
    root: str
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    table: str = ""
    clips: str = ""
    track: str = ""
    encoding: str = ""
    every: Count = 1
    window: Positive = 2.0
    columns: dict[str, str] = Field(default_factory=dict)
    part: Literal["", "official", "train", "test"] = ""  # of its clips; "": drawn


@dataclass(frozen=True, config=_strict)
class Tracks:
    """Per-frame tables of another tool: the clips of a dataset are these files, not videos."""

    tool: Tool
    fps: Positive | None = None  # of tables that number their frames and have no times
    time: str = ""  # tool `columns`: the column with the time (s)
    frame: str = ""  # tool `columns`: the column with the frame's number
    blocks: dict[Block, list[str]] = Field(default_factory=dict)  # tool `columns`: column patterns


@dataclass(frozen=True, config=_strict)
class FeatureTable:
    """Numbers of whole clips, one row each: the clips of a dataset are its rows, not videos."""

    table: str  # below root: .csv, .parquet or .npy
    clip: str = ""  # the column with the clips' names
    columns: list[str] = Field(default_factory=list)  # patterns of the features; all of a .npy


@dataclass(frozen=True, config=_strict)
class Dataset:
    """One entry of ``datasets``; ``facewave datasets`` says which options a reader takes."""

    reader: Name
    root: str
    about: str
    licence: str = ""  # for the cards of models that learn from it
    synthetic: bool = False  # its faces are nobody's, and a model of them says nothing about people
    table: str = ""  # the label table below root, unless it is where the corpus has it
    more: str = ""  # another table below root, with numbers of the same clips
    clips: str = ""  # where a clip lies below root, unless it is where the corpus has it
    track: str = ""  # which of the corpus's labels, unless the first
    encoding: str = ""  # of its texts, unless the corpus's own
    words: Literal["own", "seven", "compound"] | Annotated[list[str], Field(min_length=1), Once] = (
        "own"
    )
    min_count: Annotated[int, Field(ge=0)] = 0  # a word with fewer clips is left out
    official: bool = True  # take the corpus's own folds and parts; else ours are drawn
    folds: Folds | Name | None = None  # how many are drawn, unless labels.folds; or a preset
    every: Count = 1  # of labels for every frame, each n-th makes a row
    window: Positive = 2.0  # seconds of video that such a row is about
    fps: Positive = 25.0  # of clips that are folders of pictures
    follow_links: bool = False  # whether links in root may lead out of it
    colour_only: bool = False  # corpora of grey pictures are left out
    columns: dict[str, str] = Field(default_factory=dict)  # of the reader `table`: ours -> its
    parts: list[Part] = Field(default_factory=list)  # of the reader `union`
    tracks: Tracks | None = None  # another tool's tables in place of videos
    features: FeatureTable | None = None  # numbers of whole clips in place of videos
    at_least: dict[Measure, float] = Field(default_factory=dict)  # over landmarks.at_least
    at_most: dict[Measure, float] = Field(default_factory=dict)  # over landmarks.at_most

    @property
    def has_pictures(self) -> bool:
        """Whether its clips are videos or pictures."""
        return self.tracks is None and self.features is None


@dataclass(frozen=True, config=_strict)
class Labels:
    """Stage clean."""

    folds: Folds
    seed: Seed
    min_agreement: Share
    ambiguous: Literal["exclude", "soft"]
    neutral_zone: Annotated[float, Field(ge=0, lt=1)]
    on_problem: Literal["exclude", "fail"]


@dataclass(frozen=True, config=_strict)
class Landmarks:
    """Stage extract. ``engine`` to ``smooth`` change what is found."""

    engine: EngineName
    device: Literal["cpu", "cuda"]
    fps: Literal["source"] | Positive
    max_side: Literal["source"] | Annotated[int, Field(ge=64)]
    smooth: bool
    whose: Whose
    scheduler: Annotated[str, Field(pattern=r"^(local|(tcp|tls)://.+)$")]
    time_limit_s: Positive
    at_least: dict[Measure, float]
    at_most: dict[Measure, float]

    @property
    def rate(self) -> float:
        """Frames a second that are looked at, at most."""
        return math.inf if self.fps == "source" else self.fps

    def for_dataset(self, entry: Dataset) -> "Landmarks":
        """These settings, with the dataset's own quality limits over the section's."""
        at_least, at_most = self.at_least | entry.at_least, self.at_most | entry.at_most
        return replace(self, at_least=at_least, at_most=at_most)


@dataclass(frozen=True, config=_strict)
class Faces:
    """Stage crop. All of it changes what is cut out."""

    fps: Positive
    align: Align
    margin: Annotated[float, Field(ge=0, le=2)]
    side: Annotated[int, Field(ge=48)]
    quality: Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True, config=_strict)
class Appearance:
    """Stage embed."""

    encoder: str


@dataclass(frozen=True, config=_strict)
class Voice:
    """Stage listen."""

    encoder: str
    layer: int


@dataclass(frozen=True, config=_strict)
class Wavelets:
    """Stage wavelet."""

    transform: TransformName
    wavelet: str
    boundary: Boundary
    k: Numbers
    sides: Sides
    max_gap_s: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=_strict)
class Pseudo:
    """Stage pseudo."""

    track: Literal["none"] | Name
    confidence: Share
    per_class: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=_strict)
class Lora:
    """Low-rank matrices beside a language model's projections; rank 0: none."""

    rank: Annotated[int, Field(ge=0)]
    alpha: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    targets: Literal["attention", "all"]


@dataclass(frozen=True, config=_strict)
class Rates:
    """Learning rates of what is trained beside a language model."""

    new: Positive
    lora: Positive
    projector: Positive


@dataclass(frozen=True, config=_strict)
class Facts:
    """What a prompt tells of a face in words, where it asks for it."""

    actions: Annotated[int, Field(ge=0)]
    parts: Annotated[int, Field(ge=1, le=64)]


@dataclass(frozen=True, config=_strict)
class Pixels:
    """Bounds of a picture's area, in pixels; 0: the weights' own."""

    min: Annotated[int, Field(ge=0)]
    max: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=_strict)
class Server:
    """Where a served language model is, and how it is asked."""

    address: str
    model: str
    parallel: Count


@dataclass(frozen=True, config=_strict)
class Language:
    """What language models need beyond the rest of section ``train``."""

    mode: Literal["zero_shot", "pretrain", "finetune", "reinforce"]
    weights: str
    frames: Annotated[int, Field(ge=0, le=64)]
    sampling: Literal["uniform", "random", "middle"]
    picture: Literal["face", "whole"]
    side: Annotated[int, Field(ge=28)]
    pixels: Pixels
    grid: bool
    transcript: Literal["none", "known", "speech"]
    speech: str
    prompt: Annotated[str, AfterValidator(_fillable)]
    wordings: list[Annotated[str, AfterValidator(_fillable)]]
    label_order: Literal["fixed", "drawn"]
    reasons: Literal["none", "facts", "captions"]
    facts: Facts
    examples: Annotated[int, Field(ge=0)]
    face_tokens: Annotated[int, Field(ge=0, le=256)]
    adapter: Literal["linear", "transformer", "cross"]
    answers: Literal["likelihood", "generation"]
    by_length: bool
    by_prior: bool
    soft_labels: bool
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    objective: Literal["mse", "ccc"]
    start: str
    lora: Lora
    projector: bool
    quantized: bool
    prefix: Annotated[int, Field(ge=0)]
    lr: Rates
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    clip: Positive
    batch_size: Count
    inference_batch_size: Count
    accumulation: Count
    checkpointing: Checkpointing
    epochs: Count
    server: Server

    @property
    def prompts(self) -> list[str]:
        """All that a training clip may be asked with; others are asked with the first."""
        return [self.prompt, *self.wordings]


@dataclass(frozen=True, config=_strict)
class Linear:
    """A linear classifier: logistic regression or SVM."""

    c: Positive


@dataclass(frozen=True, config=_strict)
class Trees:
    """Boosted trees."""

    stages: Count


@dataclass(frozen=True, config=_strict)
class Network:
    """What networks (``NETWORKS``) have in common: their size and their training."""

    hidden: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    loss: Loss
    numbers: Literal["mse", "mae", "ccc", "pcc", "emonet", "bins"]
    task_weights: Literal["learnt"] | dict[TargetName, Positive]
    shake: bool
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    soft_labels: bool
    lr: Positive
    schedule: Literal["constant", "cosine", "step"]
    warmup: Share
    decay: Annotated[float, Field(gt=0, le=1)]
    decay_every: Count
    weight_decay: Annotated[float, Field(ge=0)]
    batch_size: Count
    epochs: Count
    patience: Count


@dataclass(frozen=True, config=_strict)
class Vision:
    """What networks over faces need beyond ``network``."""

    weights: str
    width: Annotated[float, Field(gt=0, le=1)]
    frames: Count
    side: Annotated[int, Field(ge=32)]
    over_time: OverTime
    frozen_epochs: Annotated[int, Field(ge=0)]
    trunk_lr: Annotated[float, Field(ge=0, le=1)]
    augment: bool
    ema: Annotated[float, Field(ge=0, lt=1)]
    precision: Literal["float32", "bfloat16", "float16"]
    workers: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=_strict)
class Fusion:
    """What a network over face and voice needs beyond ``network``."""

    tokens: Literal["wavelets", "trajectories"]
    rate: Positive
    layers: Count
    missing: Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=_strict)
class LateFusion:
    """Two classifiers, of the face and of the voice, as one."""

    of: ClassifierKind
    by: Literal["mean", "weighted"]


@dataclass(frozen=True, config=_strict)
class Pretrained:
    """The frame encoder's own answers."""

    correction: Literal["none", "train", "test"]


@dataclass(frozen=True, config=_strict)
class Knowledge:
    """Rules on facial actions."""

    standardise: Literal["faces", "train"]


@dataclass(frozen=True, config=_strict)
class Ensemble:
    """Several roles as one."""

    roles: Annotated[
        list[ClassifierKind | FaceNetworkKind | Literal["pretrained", "knowledge"]],
        Field(min_length=1),
        Once,
    ]
    by: Way
    median_s: Literal["learnt"] | Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=_strict)
class Teacher:
    """What students learn from where a clip has no label of a target."""

    temperature: Positive


@dataclass(frozen=True, config=_strict)
class Train:
    """Stage train. A kind of model reads the settings above ``logistic`` and its own group."""

    dataset: str
    subset: Annotated[list[Share], Field(min_length=2, max_length=2), AfterValidator(_rising)]
    budget: Annotated[int, Field(ge=0)]
    partitions: Annotated[list[Literal["split"] | Count], Field(min_length=1), Once]
    targets: Targets
    model: ClassifierKind | StreamedKind | UntrainedKind | LanguageModelKind | Literal["served"]
    baselines: Annotated[list[ClassifierKind | StreamedKind | UntrainedKind], Once]
    inputs: Inputs
    pca: Annotated[int, Field(ge=0)]
    imbalance: Literal["none", "weights", "sampler"]
    mirror: bool
    normalize: Literal["none", "person"]
    delay: Literal["none", "learnt"]
    students: Annotated[int, Field(ge=0)]
    pseudo: Literal["together", "after"]
    seed: Seed
    logistic: Linear
    svm: Linear
    trees: Trees
    network: Network
    vision: Vision
    fusion: Fusion
    late_fusion: LateFusion
    teacher: Teacher
    pretrained: Pretrained
    knowledge: Knowledge
    ensemble: Ensemble
    language: Language

    @property
    def is_language_model(self) -> bool:
        """Whether ``model`` is a language model, here or on a server."""
        return self.model in ("served", *get_args(LanguageModelKind))

    @property
    def is_regression(self) -> bool:
        """Whether ``model`` is a language model that answers with numbers instead of a label."""
        return self.is_language_model and "classes" not in self.targets


@dataclass(frozen=True, config=_strict)
class Traces:
    """How answers to the windows of a clip become one trace."""

    median_s: Annotated[float, Field(ge=0)]
    smooth_s: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=_strict)
class Evaluate:
    """Stage evaluate."""

    resamples: Count
    seed: Seed
    traces: Traces

    @property
    def bootstrap(self) -> dict[str, int]:
        """What intervals are drawn by."""
        return {"resamples": self.resamples, "seed": self.seed}


@dataclass(frozen=True, config=_strict)
class Teaching:
    """Networks over faces that learn from pseudo-labels, with and without."""

    networks: Annotated[list[FaceNetworkKind], Once]
    hidden: str
    errors: Annotated[list[Share], Field(min_length=1), Once]
    losses: Annotated[list[Loss], Once]


@dataclass(frozen=True, config=_strict)
class Study:
    """Stage study."""

    transforms: Annotated[list[Transforms], Field(min_length=1), Once]
    k: Annotated[list[Numbers], Field(min_length=1), Once]
    inputs: Annotated[list[Inputs], Field(min_length=1), Once]
    models: Annotated[list[ClassifierKind], Field(min_length=1), Once]
    targets: Annotated[list[Targets], Once]
    trunk: Literal["mlp", "gru", "transformer"]
    networks: Annotated[list[FaceNetworkKind], Once]
    teaching: Teaching
    language: Annotated[list[LanguageWay], Once]
    removed: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Once]
    every: Annotated[list[Annotated[int, Field(ge=2)]], Once]


@dataclass(frozen=True, config=_strict)
class Params:
    """The whole of params.yaml."""

    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    labels: Labels
    landmarks: Landmarks
    faces: Faces
    appearance: Appearance
    voice: Voice
    wavelets: Wavelets
    pseudo: Pseudo
    train: Train
    evaluate: Evaluate
    study: Study


def load(path: Path = PARAMS_FILE) -> Params:
    """Read and check ``params.yaml``.

    Raises:
        UserError: the file is missing, is no YAML, or has an unknown, missing or ill-typed key.
    """
    try:
        content = parsing.yaml(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path} is not here. Run the command in the project's folder, where dvc.yaml lies."
        ) from None
    except ValueError as error:
        raise UserError(f"{path} is not readable YAML: {error}") from None
    params = validation.checked(Params, content, path)
    if params.train.dataset not in params.datasets:
        raise UserError(
            f"{path}: train.dataset is {params.train.dataset!r}, but datasets has only "
            f"{', '.join(params.datasets)}."
        )
    for name, entry in params.datasets.items():
        if not (root := Path(entry.root)).is_absolute() and leaves_project(root):
            raise UserError(
                f"{path}: datasets.{name}.root is {entry.root!r}, which leads out of the project. "
                "Experiments run in copies of the project, which cannot reach it from there: write "
                f"the whole path, {root.resolve()}."
            )
    if params.train.mirror and params.wavelets.sides == "merged":
        raise UserError(
            f"{path}: train.mirror: true changes nothing with wavelets.sides: merged, where a clip "
            "and its mirror image have the same numbers. Set train.mirror: false, or "
            "wavelets.sides: apart."
        )
    settings = params.train
    _check_vision(settings, path)
    _check_served(settings, path)
    _check_stages(settings, params.pseudo.track, path)
    trained = [kind for kind in get_args(ClassifierKind) if kind != "majority"]
    lacking = [sense for sense, blocks in apart(settings.inputs).items() if not blocks]
    for kind in ("fusion", "late_fusion"):
        if lacking and kind in (settings.model, *settings.baselines):
            some = "mel, prosody" if lacking[0] == "voice" else "blendshapes, appearance"
            raise UserError(
                f"{path}: {kind} joins face and voice, but train.inputs has no block of the "
                f"{lacking[0]}: {', '.join(settings.inputs)}. Add some ({some}), or take another "
                "model."
            )
    if settings.normalize == "person" and settings.model not in trained:
        raise UserError(
            f"{path}: train.normalize: person is for classifiers of a clip's numbers, but "
            f"train.model is {settings.model}. Set train.normalize: none, or make train.model one "
            f"of {', '.join(trained)}."
        )
    if settings.is_language_model and settings.targets != ["classes"]:
        others = [name for name in settings.targets if name not in PLANE and name[:6] != "score."]
        if others:
            raise UserError(
                f"{path}: train.targets has {others[0]!r}, but a language model answers with the "
                "classes alone, or with numbers alone. Set train.targets to [classes], or to some "
                "of valence, arousal, dominance and score.NAME."
            )
    if settings.is_language_model and settings.delay == "learnt":
        raise UserError(
            f"{path}: train.delay is learnt by classifiers alone, and train.model is "
            f"{settings.model}. Set train.delay: none."
        )
    if settings.students and settings.model not in NETWORKS:
        raise UserError(
            f"{path}: train.students is {settings.students}, but students are networks that differ "
            f"in their seeds, and train.model is {settings.model}. Set it to one of "
            f"{', '.join(NETWORKS)}, or train.students: 0."
        )
    if unknown := sorted(set(_weighed(settings.network)) - set(settings.targets)):
        raise UserError(
            f"{path}: train.network.task_weights has {unknown[0]!r}, which is not among "
            f"train.targets: {', '.join(settings.targets)}. Take it out, or add the target."
        )
    is_number = any(name not in ("classes", "quadrant") for name in settings.targets)
    is_network = {settings.model, *settings.baselines} & set(NETWORKS)
    is_correlated = settings.network.numbers in CORRELATED and is_number and is_network
    if is_correlated and settings.network.batch_size == 1:
        raise UserError(
            f"{path}: train.network.batch_size is 1, and train.network.numbers "
            f"{settings.network.numbers}, a correlation, which one clip alone does not have. Raise "
            "the former, or take mse."
        )
    beside: list[str] = [*settings.baselines, *([] if settings.students else [settings.model])]
    beside = [kind for kind in beside if kind != "ensemble"]
    absent = [role for role in settings.ensemble.roles if role not in beside]
    if absent and "ensemble" in (settings.model, *settings.baselines):
        raise UserError(
            f"{path}: train.ensemble.roles has {absent[0]!r}, but only what is trained beside the "
            f"ensemble can be in it: {', '.join(beside) or 'nothing'}. Add it to "
            "train.baselines."
        )
    return params


def apart(inputs: Sequence[Block]) -> dict[str, list[Block]]:
    """Which of some inputs are seen, ``face``, and which are heard, ``voice``."""
    heard = [name for name in inputs if name in SOUNDS]
    return {"face": [name for name in inputs if name not in heard], "voice": heard}


def _check_served(settings: Train, path: Path) -> None:
    """Refuse what a model on a server cannot do.

    Raises:
        UserError: it is to.
    """
    language = settings.language
    problems = {
        "train.targets": ("[classes]: numbers have to be learnt", settings.targets != ["classes"]),
        "train.language.mode": ("zero_shot: it cannot be trained", language.mode != "zero_shot"),
        "train.language.by_length": ("false: its whole labels are not scored", language.by_length),
        "train.language.by_prior": ("false: its whole labels are not scored", language.by_prior),
    }
    for name, (remedy, is_present) in problems.items():
        if settings.model == "served" and is_present:
            raise UserError(f"{path}: train.model is served, so set {name} to {remedy}.")


def _check_vision(settings: Train, path: Path) -> None:
    """Refuse settings of networks over faces that contradict each other.

    Raises:
        UserError: some do.
    """
    if settings.mirror and settings.model in STREAMED:
        instead = (
            ", or make train.model a classifier"
            if settings.model == "fusion"
            else "; networks over faces learn from flipped ones, too, with "
            "train.vision.augment: true"
        )
        raise UserError(
            f"{path}: train.mirror is for classifiers of a clip's numbers, but train.model is "
            f"{settings.model}. Set train.mirror: false{instead}."
        )
    over_faces = {settings.model, *settings.baselines} & set(get_args(FaceNetworkKind))
    if over_faces and settings.vision.weights == "none" and not settings.vision.trunk_lr:
        raise UserError(
            f"{path}: train.vision.trunk_lr is 0, so the trunk never learns, and "
            "train.vision.weights is none, so it would stay random. Raise trunk_lr, or name "
            "weights."
        )


def _check_stages(settings: Train, track: str, path: Path) -> None:
    """Refuse two stages of training where there is nothing to teach, or nobody to learn.

    Raises:
        UserError: so it is.
    """
    if settings.pseudo == "together":
        return
    kinds = get_args(FaceNetworkKind)
    others = [name for name in settings.targets if name != "classes"]
    problems = {
        "but pseudo.track is none, so that there are no pseudo-labels. Name a track there": (
            track == "none"
        ),
        "which networks over faces alone do, and there is none among train.model and "
        f"train.baselines. Add one ({', '.join(kinds[:2])}, ...)": (
            not {settings.model, *settings.baselines} & set(kinds)
        ),
        "which students do not: they learn everything at once. Set train.students: 0": (
            settings.students > 0
        ),
        f"and these are words of the classes: train.targets should have no {', '.join(others)}. "
        "Set train.targets: [classes]": bool(others),
    }
    for problem, is_present in problems.items():
        if is_present:
            raise UserError(
                f"{path}: train.pseudo: after teaches pseudo-labels in a second stage, {problem}, "
                "or set train.pseudo: together."
            )


def _weighed(network: Network) -> list[str]:
    """The targets that have a weight of their own."""
    return [] if isinstance(network.task_weights, str) else list(network.task_weights)


def leaves_project(path: Path) -> bool:
    """Whether a relative path climbs out of the project's folder."""
    return ".." in PurePath(os.path.normpath(path)).parts


def for_clips() -> Params:
    """The params.yaml of this folder, or, where there is none, the project's own.

    For people's own clips, which belong to no dataset.

    Raises:
        UserError: the file is not readable or has a mistake.
    """
    checkout = Path(__file__).parents[2]
    installed = Path(sysconfig.get_path("data"), "share/facewave")
    places = (folder / PARAMS_FILE for folder in (Path(), checkout, installed))
    return load(next((path for path in places if path.is_file()), PARAMS_FILE))


def check_wavelets(transform: str, wavelet: str, boundary: str, k: int, sides: str) -> Wavelets:
    """Section ``wavelets`` of these values.

    Raises:
        UserError: one of them is none that the section takes.
    """
    values = {"transform": transform, "wavelet": wavelet, "boundary": boundary, "k": k,
              "sides": sides, "max_gap_s": 0.0}  # fmt: skip
    try:
        return TypeAdapter(Wavelets).validate_json(json.dumps(values))
    except ValidationError as error:
        problem = error.errors()[0]
        raise UserError(f"{problem['loc'][0]}: {validation.say(problem)}") from None


def dataset(params: Params, name: str) -> Dataset:
    """The entry ``datasets.<name>``.

    Raises:
        UserError: there is none.
    """
    if name not in params.datasets:
        raise UserError(
            f"{PARAMS_FILE}: there is no dataset {name!r}; datasets has "
            f"{', '.join(params.datasets)}. Add an entry or name one of these."
        )
    return params.datasets[name]


def dataset_argument() -> str:
    """The dataset's name, the one word after ``python -m facewave.<room>``.

    Raises:
        UserError: there is none, or more than one word.
    """
    if len(sys.argv) != 2:
        raise UserError("name one dataset of params.yaml after the command: ... DATASET")
    return sys.argv[1]


if __name__ == "__main__":  # before DVC puts names of datasets into a shell line
    explain(load)

"""A language model before its training on one partition: its clips, its parts, where it starts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import peft
import torch
import transformers
from accelerate import PartialState

from facewave import models, prompts
from facewave.errors import UserError
from facewave.files import sha256
from facewave.labels.schema import spoken
from facewave.models.vlm import backbones
from facewave.models.vlm.face_tokens import FaceTokensConfig
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.params import LanguageModelKind, Train
from facewave.prompts import elsewhere, leaks
from facewave.prompts.examples import Examples, PromptClips, choose_shots
from facewave.targets import CLASSES, known
from facewave.training import cards, checkpoints, language_trainer, parts, schema
from facewave.training.about import fewest_labels, of_training
from facewave.training.language_model import TrainedLanguageModel, read
from facewave.training.leaks import Lineage, keys, of_pseudo
from facewave.training.loop import Report
from facewave.training.teaching import Teaching, teaching
from facewave.wavelets.schema import Features
from facewave.workspace import Clips, Dataset

_VERSIONS = (transformers.__version__, peft.__version__)
_MODELS = Path(models.__path__[0])
_CODE = [_MODELS / "classifiers", _MODELS / "vlm", Path(prompts.__path__[0]), Path(__file__).parent]
_FEWEST = 8  # clips of a batch whose concordance is learnt


@dataclass(frozen=True, eq=False)
class Run:
    """A training that is ready to start."""

    trained: TrainedLanguageModel  # the model, to be trained in place
    train: Examples | None  # its training part; None for zero-shot: nothing is trained
    val: Examples  # its validation part, may be empty
    teaching: Teaching  # what is made of the labels of both
    settings: Train  # section ``train``
    fingerprint: str  # of all that the outcome follows from

    @property
    def folder(self) -> Path:
        """Where its checkpoints are."""
        partition = str(self.trained.about["partition"])
        return checkpoints.ROOT / partition / f"{schema.MODEL}-{self.fingerprint[:16]}"

    def fit(self, report: Report) -> None:
        """Train, resuming from this run's checkpoints; then choose the temperature.

        Raises:
            UserError: it diverged.
        """
        module, partition = self.trained.module, self.trained.about["partition"]
        if self.train is None:
            return
        trainable, total = module.counts()
        is_first = PartialState().is_main_process
        if is_first:
            print(
                f"partition {partition}: {trainable:,} of {total:,} parameters of "
                f"{self.settings.model} are trained ({trainable / total:.2%}), on "
                f"{len(self.train)} clips"
            )
        language, seed = self.trained.settings, self.settings.seed
        language_trainer.fit(
            module, self.train, self.val, language, seed, self.folder, report, self.teaching.draws_n
        )
        if is_first:  # it alone saves the model
            self.trained.calibrate(self.val, self.teaching.val_nW)
        if is_first and module.config.lora:
            cost = elsewhere.cost(module, language.inference_batch_size)
            self.trained.about["elsewhere"] = cost
            print(f"partition {partition}: {cards.elsewhere(cost)}")


def prepare(
    clips: PromptClips, partition: str | int, dataset: Dataset, features: Features, settings: Train
) -> Run:
    """Build what ``settings.model`` names, and collect what it is trained on.

    ``clips`` are all of the dataset with a label or pseudo-label, with or without a usable face.
    Pseudo-labels are learnt, and never shown as examples.

    Raises:
        UserError: settings do not go together, transcripts give the label away, there is nothing to
            train or to train on, or the run to start from does not fit.
    """
    language = settings.language
    learns = language.mode != "zero_shot"
    targets = settings.targets if settings.is_regression else []
    _check(settings)
    part = clips.clips.parts(partition).to_numpy()
    is_taught = (part == "train") & (clips.table["pseudo"] != "").to_numpy()
    asked = [target for target in dataset.targets if (target.name == CLASSES) != bool(targets)]
    # What has votes alone has no word to say, unless answers are drawn from them.
    has_any = known(asked, clips.table)
    if language.soft_labels and not targets:
        shares_nC = parts.truth_of(clips.clips, asked, soft=True)
        has_any |= (part == "train") & ~np.isnan(shares_nC).any(1)
    is_known = (has_any | is_taught) & ~np.isnan(clips.targets_nT).any(1)
    words = clips.table["pseudo"].map(spoken).where(is_taught, list(clips.answers))
    clips = replace(clips, answers=words.tolist())
    told = clips.clips.select(is_known)
    is_learnt = parts.is_learnt_from(told, told.parts(partition), dataset.targets, settings)
    train_clips = clips.select(np.flatnonzero(is_known)[is_learnt].tolist())
    val_clips = clips.select(np.flatnonzero((part == "val") & is_known).tolist())
    is_labelled = known(asked, train_clips.table) & (train_clips.table["pseudo"] == "")
    labelled = train_clips.select(np.flatnonzero(is_labelled).tolist())
    if language.transcript != "none":
        texts = labelled.table.assign(transcript=list(labelled.transcripts))
        leaks.check(texts, "transcript")
    if learns and train_clips.table.empty:
        raise UserError(
            f"partition {partition} of {settings.dataset} has no training clip in train.subset. "
            "metrics/clean says why clips were left out."
        )
    if language.reasons == "captions" and not any(train_clips.reasons):
        raise UserError(
            f"params.yaml: train.language.reasons is captions, and no training clip of "
            f"{settings.dataset} has one. Set reasons: none, or facts."
        )
    # One more than are shown, since no clip is shown its own.
    n_shots = language.examples + bool(language.examples)
    shots = labelled.select(choose_shots(labelled.table, n_shots, dataset.classes))

    torch.manual_seed(settings.seed)
    kind = cast(LanguageModelKind, settings.model)
    backbone = backbones.load(kind, language.weights, language.quantized, language.pixels)
    config = _configure(backbone, dataset.classes, targets, clips.clips, settings)
    module = LanguageModel(config, backbone)
    prompting = language if config.faces else replace(language, face_tokens=0)
    learnt = train_clips if learns else shots
    whole = clips.table[part == "train"] if learns else learnt.table
    about = of_training(dataset, partition, settings, learnt.table, whole) | {
        "learnt": keys(learnt.clips),
        "validated": keys(val_clips.clips) if learns else [],
        "labelled": fewest_labels(asked, learnt.table),
    }
    trained = TrainedLanguageModel(
        module, prompting, settings.inputs, features.config, shots.table["video_idx"], about
    )
    start = ""
    if learns:
        _fit_buffers(module, train_clips)
        if language.start != "none":
            folder = Path(language.start) / str(partition) / schema.MODEL
            _start(trained, folder, keys(clips.clips.select(part == "test")))
            start = "".join(sha256(file) for file in sorted(folder.iterdir()))
        if clips.clips.pseudo:
            about |= asdict(_lineage(about).beside(of_pseudo(clips.clips)))
        if not module.counts()[0]:
            raise UserError(
                "nothing would be trained: params.yaml has neither train.language.face_tokens nor "
                "projector, nor, for modes finetune and reinforce, lora.rank or prefix. Set one "
                "above 0."
            )
    taught = teaching(train_clips.clips, val_clips.clips, asked, settings)
    used = (settings.model, settings.inputs, settings.seed, settings.imbalance, language)
    mark = checkpoints.fingerprint(
        _digest(train_clips, val_clips) + checkpoints.digest([taught.truth_nW, taught.val_nW]),
        _CODE,
        *(config, used, features.config, list(trained.shots), about, start, _VERSIONS),
    )
    shown = (shots, dataset.classes, targets, prompting, settings.seed)
    of_train = (taught.shares_nC, taught.weights_n, True)
    train = Examples(train_clips, *shown, *of_train) if learns else None
    val = Examples(val_clips, *shown, weights_n=taught.val_weights_n)
    return Run(trained, train, val, taught, settings, mark)


def _check(settings: Train) -> None:
    """Raise a UserError if the settings of a language model do not go together."""
    language, learns = settings.language, settings.language.mode != "zero_shot"
    regresses, has_reasons = settings.is_regression, settings.language.reasons != "none"
    prompts = language.prompts
    checks = {
        "reasons come before a label, and have to be learnt. Set train.language.reasons: none, or "
        "train.language.mode: pretrain or finetune, and train.targets: [classes].": (
            has_reasons and (regresses or not learns)
        ),
        "train.language.reasons is facts, and so would be copied from {facts} in the prompt. Take "
        "that out of train.language.prompt and wordings, or set reasons: none.": (
            language.reasons == "facts" and any("{facts}" in prompt for prompt in prompts)
        ),
        "train.language.by_prior compares labels with those after nothing, and behind a reason "
        "there is always something. Set by_prior: false, or reasons: none.": (
            has_reasons and language.by_prior
        ),
        "numbers have to be learnt. Set train.language.mode to pretrain or finetune, or "
        "train.targets: [classes].": regresses and not learns,
        "train.language.prompt (or one of wordings) asks for a label. For a regression ask for "
        "{targets}, such as: These are frames of a clip of a person.{face}{transcript} How high "
        "are {targets}?": (regresses and not all("{targets}" in prompt for prompt in prompts)),
        "examples are answered with words, and a regression answers with numbers. Set "
        "train.language.examples: 0.": regresses and language.examples,
        f"a concordance is learnt from {_FEWEST} clips at a time or more, not from "
        f"{language.batch_size}. Raise train.language.batch_size (and lower accumulation), or "
        "take objective: mse.": (
            regresses and language.objective == "ccc" and language.batch_size < _FEWEST
        ),
        "soft_labels and label_smoothing are of labels, and a regression has none. Set both to "
        "their defaults in train.language: false and 0.": (
            regresses and (language.soft_labels or language.label_smoothing > 0)
        ),
        "train.language.prompt and each of wordings should have {face}, where the face tokens go, "
        "once. Without face tokens set train.language.face_tokens: 0.": (
            language.face_tokens
            and learns
            and any(prompt.count("{face}") != 1 for prompt in prompts)
        ),
        f"train.language.start is {language.start}, and train.language.mode {language.mode}: only "
        "finetune and reinforce start from another run. Set start: none.": (
            language.mode not in ("finetune", "reinforce") and language.start != "none"
        ),
        "numbers have no answers to draw and reward. Set train.language.mode: finetune.": (
            regresses and language.mode == "reinforce"
        ),
    }
    for problem, is_present in checks.items():
        if is_present:
            raise UserError(f"params.yaml: {problem}")


def _configure(
    backbone: backbones.Backbone,
    classes: Sequence[str],
    targets: Sequence[str],
    clips: Clips,
    settings: Train,
) -> LanguageModelConfig:
    language = settings.language
    learns, finetunes = language.mode != "zero_shot", language.mode in ("finetune", "reinforce")
    faces = None
    if language.face_tokens and learns:  # an adapter that has learnt nothing would only disturb
        steps = clips.blocks[settings.inputs[0]].shape[1]
        widths, tokens = clips.widths(settings.inputs), language.face_tokens
        faces = FaceTokensConfig(language.adapter, steps, widths, tokens, backbone.hidden)
    return LanguageModelConfig(
        kind=cast(LanguageModelKind, settings.model),
        weights=language.weights,
        revision=backbone.revision,
        mode=language.mode,
        classes=tuple(classes),
        targets=tuple(targets),
        faces=faces,
        lora=language.lora if finetunes and language.lora.rank else None,
        projector=language.projector and learns,
        prefix=language.prefix if finetunes else 0,
        quantized=language.quantized,
    )


def _fit_buffers(module: LanguageModel, clips: PromptClips) -> None:
    if module.faces is not None:
        usable = clips.clips.select(clips.table["usable"])
        if not len(usable):
            raise UserError("no training clip has a usable face: set train.language.face_tokens: 0")
        module.faces.standardize.fit(torch.from_numpy(usable.inputs(clips.inputs)))
    if module.head is not None:
        module.head.fit(torch.from_numpy(clips.targets_nT).float())


def _start(trained: TrainedLanguageModel, folder: Path, test: Sequence[str]) -> None:
    """Load a pretrained run's weights, if it fits and learnt from none of this run's clips."""
    if not folder.is_dir():
        raise UserError(
            f"train.language.start: {folder} is not here. Copy the models/trained of a pretrained "
            "run there, of one that was trained on the same partitions."
        )
    config, tensors = read(folder)  # without its backbone: two would be one too many
    model = json.loads(json.dumps(asdict(trained.module.config)))
    names = ("kind", "weights", "revision", "targets", "faces")
    ours = {name: model[name] for name in names}
    theirs = {name: config["model"].get(name) for name in names}
    ours |= {"inputs": list(trained.inputs), "wavelets": trained.wavelets}
    theirs |= {name: config[name] for name in ("inputs", "wavelets")}
    if differing := [name for name, value in ours.items() if theirs[name] != value]:
        raise UserError(
            f"train.language.start: {folder} was trained with another {', '.join(differing)}. "
            "Finetune with the settings of the pretrained run."
        )
    before, now = config["about"], trained.about
    lineage = _lineage(before)
    shared = lineage.shared(now["validated"], test) | set(before["learnt"]) & set(now["learnt"])
    if shared:
        raise UserError(
            f"{folder} and this run share clips: {len(shared)} of those that it learnt from (or "
            "validated on) are in the training, validation or test part here. Give the two runs "
            "slices of train.subset that do not overlap, and the same folds."
        )
    learnt = lineage.after([before["dataset"], before["partition"]], (), ())
    now |= asdict(learnt.beside(_lineage(now)))
    fresh = trained.module.trained()
    if strange := sorted(set(tensors) - set(fresh)):
        raise UserError(
            f"train.language.start: {folder} trained {strange[0]}, which this run does not. "
            "Finetune with the settings of the pretrained run."
        )
    trained.module.load_trained(fresh | tensors)


def _lineage(about: Mapping[str, Any]) -> Lineage:
    """What a language model learnt from, of its ``about``."""
    return Lineage(about.get("before", []), about["learnt"], about["validated"])


def _digest(*parts: PromptClips) -> str:
    """Of all that the clips teach."""
    columns = ["video_idx", "file_path", "start", "end", "usable"]
    digests = []
    for clips in parts:
        texts = (
            *(clips.table[columns].to_csv(), clips.clips.origins().to_csv()),
            *(list(clips.transcripts), list(clips.reasons), list(clips.answers)),
            *(list(clips.facts), list(clips.voices), list(clips.expressions)),
        )
        usable = clips.clips.select(clips.table["usable"])
        arrays = [clips.targets_nT, *([usable.inputs(clips.inputs)] if clips.inputs else [])]
        tensors = checkpoints.digest(torch.from_numpy(array) for array in arrays)
        digests.append(checkpoints.fingerprint(tensors, [], *texts))
    return " ".join(digests)

"""A language model's training on one partition: its clips, what is built, what it starts from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import peft
import torch
import transformers

from facewave import prompts
from facewave.errors import UserError
from facewave.files import sha256
from facewave.labels import schema as labels
from facewave.models import vlm
from facewave.models.vlm import backbones, face_tokens
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.params import LanguageModelKind, Train
from facewave.prompts import leaks
from facewave.prompts.examples import Examples, PromptClips, choose_shots
from facewave.training import checkpoints, language, schema
from facewave.training.language_model import TrainedLanguageModel, read, without_faces
from facewave.wavelets.schema import Features
from facewave.workspace import Clips, Dataset

_VERSIONS = (transformers.__version__, peft.__version__)
_CODE = [Path(vlm.__path__[0]), Path(prompts.__path__[0]), Path(__file__).parent]
_FEWEST = 8  # clips of a batch whose concordance is learnt


def train(
    clips: PromptClips,
    parts: pd.Series,
    partition: str | int,
    dataset: Dataset,
    features: Features,
    settings: Train,
    report: language.Report,
) -> TrainedLanguageModel:
    """Train (or, zero-shot, only assemble) what ``settings.model`` names.

    Args:
        clips: all labelled clips, also those without a usable face.
        parts: which part each is in.
        partition: their partition's name.
        dataset: theirs.
        features: the dataset's.
        settings: section ``train``.
        report: called with the losses.

    Raises:
        UserError: transcripts tell the label, the run to start from does not fit, or what
            ``language.fit`` raises.
    """
    own = settings.language
    learns = settings.language.mode != "zero_shot"
    targets = own.targets if settings.is_regression else []
    _check(settings)
    known = ~np.isnan(clips.targets_nT).any(1)
    learnt = labels.subset(clips.table, *settings.subset).index
    inside = (parts == "train").to_numpy() & clips.table.index.isin(learnt) & known
    train_clips = clips.select(np.flatnonzero(inside).tolist())
    val_clips = clips.select(np.flatnonzero((parts == "val").to_numpy() & known).tolist())
    if own.transcript != "none":
        told = train_clips.table.assign(transcript=list(train_clips.transcripts))
        leaks.check(told, "transcript")
    if learns and not inside.any():
        raise UserError(
            f"partition {partition} of {settings.dataset} has no training clip in train.subset. "
            "metrics/clean tells why clips were left out."
        )
    shots = train_clips.select(
        choose_shots(train_clips.table, own.examples + bool(own.examples), dataset.classes)
    )

    torch.manual_seed(settings.seed)
    backbone = backbones.load(_kind(settings), own.weights, own.quantized)
    config = _configure(backbone, dataset.classes, targets, clips.clips, settings)
    module = LanguageModel(config, backbone)
    prompting = own if config.faces else without_faces(own)
    about: dict[str, Any] = {
        "dataset": settings.dataset,
        "description": dataset.entry.about,
        "partition": str(partition),
        "subset": settings.subset,
        "means": clips.targets_nT[inside].mean(0).tolist() if learns else [],
        "learnt": _keys(train_clips if learns else shots),
        "validated": _keys(val_clips) if learns else [],
    }
    trained = TrainedLanguageModel(
        module, prompting, settings.inputs, features.config, shots.table["video_idx"], about
    )
    if not learns:
        return trained
    _fit_buffers(module, train_clips)
    start = Path(own.start) / str(partition) / schema.MODEL
    before = ""
    if settings.language.mode == "finetune" and own.start != "none":
        test = clips.select(np.flatnonzero((parts == "test").to_numpy()).tolist())
        _start(trained, start, _keys(test))
        before = "".join(sha256(file) for file in sorted(start.iterdir()))
    trainable, total = module.counts()
    if not trainable:
        raise UserError(
            "nothing would be trained: params.yaml has neither train.language.face_tokens nor "
            "projector, nor, for mode finetune, lora.rank or prefix. Set one above 0."
        )
    print(
        f"partition {partition}: {trainable:,} of {total:,} parameters of {settings.model} are "
        f"trained ({trainable / total:.2%}), on {len(train_clips.table)} clips"
    )
    learn, validate = (
        Examples(some, shots, dataset.classes, targets, prompting, settings.seed)
        for some in (train_clips, val_clips)
    )
    data = _digest(train_clips, val_clips)
    mark = checkpoints.fingerprint(data, _CODE, config, settings, before, _VERSIONS)
    folder = checkpoints.ROOT / str(partition) / f"{schema.MODEL}-{mark[:16]}"
    language.fit(module, learn, validate, prompting, settings.seed, folder, report)
    return trained


def _check(settings: Train) -> None:
    """Whether the settings of a language model go together."""
    own, learns = settings.language, settings.language.mode != "zero_shot"
    told = "params.yaml: "
    if settings.is_regression and not learns:
        raise UserError(
            told
            + "a regression has to be learnt. Set train.language.mode to pretrain or finetune, or "
            "train.language.objective: likelihood."
        )
    if settings.is_regression and "{targets}" not in own.prompt:
        raise UserError(
            told + "train.language.prompt asks for a label. For a regression ask for {targets}, "
            "such as: These are frames of a clip of a person.{face}{transcript} How high are "
            "{targets}?"
        )
    if settings.is_regression and own.examples:
        raise UserError(
            told + "examples are answered with words, and a regression answers with numbers. Set "
            "train.language.examples: 0."
        )
    if own.objective == "ccc" and own.batch_size < _FEWEST:
        raise UserError(
            told + f"a concordance is learnt of {_FEWEST} clips at a time or more, not of "
            f"{own.batch_size}. Raise train.language.batch_size (and lower accumulation), or take "
            "objective: mse."
        )
    if own.face_tokens and learns and own.prompt.count("{face}") != 1:
        raise UserError(
            told + "train.language.prompt should have {face}, the place of the face tokens, once. "
            "Without face tokens set train.language.face_tokens: 0."
        )
    if settings.language.mode != "finetune" and own.start != "none":
        raise UserError(
            told + f"train.language.start is {own.start}, and train.language.mode {own.mode}: only "
            "finetune starts from another run. Set start: none."
        )


def _configure(
    backbone: backbones.Backbone,
    words: Sequence[str],
    targets: Sequence[str],
    clips: Clips,
    settings: Train,
) -> LanguageModelConfig:
    own, learns = settings.language, settings.language.mode != "zero_shot"
    faces = None
    if own.face_tokens and learns:  # an adapter that has learnt nothing would only disturb
        widths = clips.widths(settings.inputs)
        steps = clips.blocks[settings.inputs[0]].shape[1]
        faces = face_tokens.FaceTokensConfig(
            own.adapter, steps, widths, own.face_tokens, backbone.hidden
        )
    return LanguageModelConfig(
        kind=_kind(settings),
        weights=own.weights,
        revision=backbone.revision,
        mode=settings.language.mode,
        classes=tuple(words),
        targets=tuple(targets),
        faces=faces,
        lora=own.lora if settings.language.mode == "finetune" and own.lora.rank else None,
        projector=own.projector and learns,
        prefix=own.prefix if settings.language.mode == "finetune" else 0,
        quantized=own.quantized,
    )


def _fit_buffers(module: LanguageModel, clips: PromptClips) -> None:
    """What is learnt before training: the numbers' and the targets' means and spreads."""
    if module.faces is not None:
        usable = clips.clips.select(clips.table["usable"])
        if not len(usable):
            raise UserError("no training clip has a usable face: set train.language.face_tokens: 0")
        module.faces.standardize.fit(torch.from_numpy(usable.inputs(clips.inputs)))
    if module.head is not None:
        module.head.fit(torch.from_numpy(clips.targets_nT).float())


def _start(trained: TrainedLanguageModel, place: Path, test: Sequence[str]) -> None:
    """Take a pretrained run's weights, if it fits and learnt from none of the clips."""
    if not place.is_dir():
        raise UserError(
            f"train.language.start: {place} is not here. Copy the models/trained of a pretrained "
            "run there, of one that was trained on the same partitions."
        )
    config, tensors = read(place)  # without its backbone: two would be one too many
    module = trained.module
    model = json.loads(json.dumps(asdict(module.config)))
    names = ("kind", "weights", "revision", "targets", "faces")
    ours = {name: model[name] for name in names}
    theirs = {name: config["model"].get(name) for name in names}
    ours |= {"inputs": list(trained.inputs), "wavelets": trained.wavelets}
    theirs |= {name: config[name] for name in ("inputs", "wavelets")}
    if other := [name for name, value in ours.items() if theirs[name] != value]:
        raise UserError(
            f"train.language.start: {place} was trained with another {', '.join(other)}. Finetune "
            "with the settings of the pretrained run."
        )
    before, now = config["about"], trained.about
    again = set(before["learnt"]) & {*now["learnt"], *now["validated"], *test}
    again |= set(before["validated"]) & set(test)
    if again:
        raise UserError(
            f"{place} and this run share clips: {len(again)} of those that were learnt from (or "
            "validated on) there are in the training, validation or test part here. Give the two "
            "runs slices of train.subset that do not overlap, and the same folds."
        )
    trained.about["before"] = [
        *before.get("before", []),
        [before["dataset"], before["partition"]],
    ]
    trained.about["learnt"] = sorted({*now["learnt"], *before["learnt"]})
    trained.about["validated"] = sorted({*now["validated"], *before["validated"]})
    own = module.trained()
    if strange := sorted(set(tensors) - set(own)):
        raise UserError(
            f"train.language.start: {place} trained {strange[0]}, which this run does not. "
            "Finetune with the settings of the pretrained run."
        )
    module.load_trained({**own, **tensors})


def _keys(clips: PromptClips) -> list[str]:
    """What clips are, by their bytes and the part of them that a row is about."""
    rows = clips.clips.index.loc[clips.table["video_idx"], ["key", "start", "end"]]
    return sorted(f"{key[:16]} {start:g} {end:g}" for key, start, end in rows.to_numpy())


def _digest(*groups: PromptClips) -> str:
    """Of all that the clips teach."""
    found = hashlib.sha256()
    for clips in groups:
        columns = [
            "video_idx",
            "file_path",
            "actual",
            "valence",
            "arousal",
            "scores",
            "start",
            "end",
        ]
        found.update(clips.table[[*columns, "usable"]].to_csv(index=False).encode())
        found.update("\n".join(clips.transcripts).encode())
        usable = clips.clips.select(clips.table["usable"])
        if len(usable) and clips.inputs:
            found.update(np.ascontiguousarray(usable.inputs(clips.inputs)).data)
    return found.hexdigest()


def _kind(settings: Train) -> LanguageModelKind:
    return next(kind for kind in get_args(LanguageModelKind) if kind == settings.model)

"""Training the roles of a partition that are classifiers."""

from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch

from facewave import models
from facewave.errors import UserError
from facewave.models.classifiers.classifier import Classifier
from facewave.models.readout import Majority
from facewave.params import ClassifierKind, Params
from facewave.targets import CLASSES
from facewave.training import checkpoints, leaks, parts, schema
from facewave.training.about import fewest_labels, of_training
from facewave.training.checkpoints import Finished
from facewave.training.classifier import TrainedClassifier
from facewave.training.fit import Samples, fit
from facewave.training.roles import CURVES, curves, delay_of, fitted
from facewave.wavelets.schema import Features
from facewave.workspace import Clips, Dataset

_MODELS = Path(models.__path__[0])
_CODE = [_MODELS / "classifiers", _MODELS / "outputs.py", _MODELS / "readout.py"] + [
    Path(__file__).with_name(f"{name}.py")
    for name in (
        *("calibration", "classifier", "conformal", "delay", "fit", "loop", "losses", "parts"),
        *("person", "roles", "sampling"),
    )
]


def train(
    clips: Clips, partition: str | int, features: Features, dataset: Dataset, loaded: Params
) -> None:
    """Train all roles that are classifiers, each on the clips that its inputs know."""
    targets = dataset.targets
    kinds: tuple[ClassifierKind, ...] = get_args(ClassifierKind)
    names = schema.roles(loaded.train).items()
    roles = [(role, kind) for role, name in names for kind in kinds if kind == name]
    samples = {}  # by all in which roles differ
    teacher: TrainedClassifier | None = None
    for role, kind in roles:
        settings = schema.settings_of(role, loaded.train)
        known_n = clips.known_by(settings.inputs)
        if kind == schema.PRIOR and not known_n.any():  # of pictures, in which nothing moves
            known_n[:] = True
        judged = clips.select(known_n)
        part = judged.parts(partition)
        is_train_n = parts.is_learnt_from(judged, part, targets, loaded.train)
        learnt, whole = judged.select(is_train_n).table, judged.select(part == "train").table
        truth_nW = parts.truth_of(judged.select(is_train_n), targets, soft=False, which="both")
        is_labelled_n = ~np.isnan(truth_nW).all(axis=1)
        val_clips = judged.select((part == "val").to_numpy())
        is_student = role in schema.students(settings)
        config, reduction = parts.plan(kind, targets, judged, features.config, settings)
        shown = (settings.normalize, settings.network.soft_labels, tuple(settings.inputs))
        if shown not in samples:
            samples[shown] = parts.split(judged, part, targets, settings)
        everything, val, population = samples[shown]
        train = parts.labelled(everything)
        population = None if kind == schema.PRIOR else population
        rows = learnt if is_student else learnt[is_labelled_n]
        if is_student and teacher:
            temperature = settings.teacher.temperature
            train = parts.taught(everything, teacher.module, temperature)
        if not len(train.truth_nW):
            raise UserError(
                f"partition {partition} of {dataset.name} has no usable training clip for {role}. "
                "metrics/clean, metrics/extract and metrics/listen say why clips were left out."
            )
        about = of_training(dataset, partition, settings, rows, whole)
        about |= {"labelled": fewest_labels(targets, rows)}
        inputs = settings.inputs if kind != schema.PRIOR else ()
        about |= leaks.before(inputs, features.config, leaks.of_pseudo(clips))
        folder, has_curves = schema.folder(partition, role), role == schema.MODEL
        tensors = [tensor for one in (train, val) for tensor in vars(one).values()]
        used = schema.used_by(kind, settings) | {"partitions": partition, "inputs": settings.inputs}
        if population:
            tensors += map(torch.from_numpy, population.tensors().values())
        follows_from = (config, used, reduction, features.config, about)
        mark = checkpoints.fingerprint(checkpoints.digest(tensors), _CODE, *follows_from)
        finished = Finished(partition, role, folder, mark)
        if finished and (not has_curves or (CURVES / str(partition)).is_dir()):
            if role == schema.TEACHER:
                teacher = cast(TrainedClassifier, schema.load(folder))
            continue
        with curves(partition, has_curves) as log:
            module = fit(config, train, val, settings, reduction, log)
        if any(target.name == CLASSES for target in targets):
            labelled = parts.labelled(everything)  # a student's, too: not what a teacher said
            about |= {"fitted": {"train": _fitted(module, labelled), "val": _fitted(module, val)}}
        made = (module, config, settings.inputs, features.config, about, population)
        trained = TrainedClassifier(*made)
        if settings.delay == "learnt" and len(val_clips):
            about["delay_s"] = delay_of(trained, val_clips)
        schema.save(trained, folder)
        finished.write()
        if role == schema.TEACHER:
            teacher = trained


def _fitted(module: Classifier | Majority, part: Samples) -> dict[str, float | None]:
    with torch.inference_mode():
        return fitted(module.targets, module.answers(part.inputs_nND), part.truth_nW)

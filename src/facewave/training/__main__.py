"""Stage train: ``python -m facewave.training``.

Reads   data/features/<train.dataset>/ and data/labels/<train.dataset>.csv; for a language model
        also the clips, and data/landmarks/<train.dataset>/, which says where their faces are
Writes  models/trained/<partition>/<role>/   config.json, model.safetensors
        metrics/train/<partition>/           DVCLive's curves of the model
        models/checkpoints/                  what a killed run resumes from
Test parts are not read: each clip's part is looked up, and only train and val are used.
``accelerate launch -m facewave.training`` trains a language model on several GPUs.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import joblib
import torch
from dvclive import Live
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import models, params, training
from facewave.errors import UserError, explain
from facewave.labels import schema as labels
from facewave.params import ClassifierKind, Params
from facewave.training import checkpoints, schema
from facewave.training.checkpoints import Finished
from facewave.training.classifier import TrainedClassifier
from facewave.training.fit import NETWORKS, fit
from facewave.training.loop import Report
from facewave.training.parts import plan, split
from facewave.wavelets.schema import Features
from facewave.workspace import Clips, Dataset

CURVES = Path("metrics/train")
_CODE = [Path(models.__path__[0]) / "classifiers"] + [
    Path(training.__path__[0]) / f"{name}.py"
    for name in ("classifier", "fit", "loop", "losses", "parts")
]


def main() -> None:
    """Train the model and its baselines on every partition."""
    loaded = params.load()
    settings = loaded.train
    dataset = Dataset(settings.dataset, loaded)
    if not dataset.classes and not settings.is_regression:
        raise UserError(
            f"{dataset.name} has no classes to learn, only valence and arousal or action units. "
            "Name another dataset in train.dataset, or another track in its entry; a language "
            "model can learn numbers: train.language.objective."
        )
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    if settings.is_regression and settings.baselines:
        print("train.baselines are classifiers: none is trained beside a regression")

    # One thread: sums in a fixed order, so that the same clips give the same bytes.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if _is_first_process():  # it alone trains classifiers
            for folder in (schema.ROOT, CURVES, checkpoints.ROOT):
                checkpoints.remove_all_but(map(str, settings.partitions), folder)
            for partition in tqdm(settings.partitions, "train", unit="partition"):
                checkpoints.remove_all_but(schema.roles(settings), schema.ROOT / str(partition))
                _train_classifiers(clips, partition, features, dataset, loaded)
        if settings.is_language_model:
            _train_language_models(clips, features, dataset, loaded)


@contextmanager
def _curves(partition: str | int, wanted: bool) -> Iterator[Report]:
    if not wanted:
        yield lambda step, figures: None
        return
    folder = CURVES / str(partition)
    shutil.rmtree(folder, ignore_errors=True)
    with Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None) as live:

        def log(step: int, figures: dict[str, float]) -> None:
            live.step = step
            for name, value in figures.items():
                live.log_metric(name, value)

        yield log


def _train_classifiers(
    clips: Clips, partition: str | int, features: Features, dataset: Dataset, loaded: Params
) -> None:
    """Train all roles that are classifiers, on the clips with a usable face."""
    settings = loaded.train
    kinds: tuple[ClassifierKind, ...] = get_args(ClassifierKind)
    names = schema.roles(settings).items()
    roles = [(role, kind) for role, name in names for kind in kinds if kind == name]
    if not roles:
        return
    clips = clips.select(clips.table["usable"])
    train, val = split(clips, labels.parts(clips.table, partition), dataset.classes, settings)
    if not len(train.codes_n):
        raise UserError(
            f"partition {partition} of {dataset.name} has no usable training clip. "
            "metrics/clean and metrics/extract say why clips were left out."
        )
    about = {
        "dataset": dataset.name,
        "description": dataset.entry.about,
        "partition": str(partition),
        "subset": settings.subset,
        "clips": len(train.codes_n),
    }
    for role, kind in roles:
        config, reduction = plan(kind, dataset.classes, clips, features.config, settings)
        folder, has_curves = schema.folder(partition, role), role == schema.MODEL
        tensors = [tensor for part in (train, val) for tensor in (part.inputs_nND, part.codes_n)]
        if kind in NETWORKS:
            tensors += [train.targets_nC, val.targets_nC]
        used = schema.used_by(kind, settings) | {"partitions": partition, "inputs": settings.inputs}
        follows_from = (config, used, reduction, features.config, about)
        mark = checkpoints.fingerprint(checkpoints.digest(tensors), _CODE, *follows_from)
        finished = Finished(partition, role, folder, mark)
        if finished and (not has_curves or (CURVES / str(partition)).is_dir()):
            continue
        with _curves(partition, has_curves) as log:
            module = fit(config, train, val, settings, reduction, log)
        TrainedClassifier(module, config, settings.inputs, features.config, about).save(folder)
        finished.write()


def _train_language_models(
    clips: Clips, features: Features, dataset: Dataset, loaded: Params
) -> None:
    """Train the model, a language model, on all labelled clips."""
    from accelerate import PartialState  # these take seconds to load

    from facewave.prompts.examples import gather
    from facewave.training import language_setup

    settings, processes = loaded.train, PartialState()
    targets = settings.language.targets if settings.is_regression else []
    with processes.main_process_first():  # the others find its transcripts in the cache
        prompted = gather(clips, settings.inputs, settings.language, targets)
    if not settings.model.startswith("tiny-"):
        torch.set_num_threads(joblib.cpu_count())

    def train(partition: str | int) -> None:  # its backbone is freed before the next one's
        run = language_setup.prepare(prompted, partition, dataset, features, settings)
        folder = schema.folder(partition, schema.MODEL)
        finished = Finished(partition, schema.MODEL, folder, run.fingerprint)
        is_due = not finished or not (CURVES / str(partition)).is_dir()
        processes.wait_for_everyone()  # all have looked before the first one writes
        if not is_due:
            return
        with _curves(partition, _is_first_process()) as log:
            run.fit(log)
        if _is_first_process():
            run.trained.save(folder)
            finished.write()
            for used in (checkpoints.ROOT / str(partition)).glob(f"{schema.MODEL}-*"):
                shutil.rmtree(used)

    for partition in tqdm(settings.partitions, settings.model, unit="partition"):
        train(partition)


def _is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"  # of the processes that accelerate has launched


if __name__ == "__main__":
    explain(main)

"""Stage train: ``python -m facewave.training``.

Reads   data/features/<train.dataset>/ and data/labels/<train.dataset>.csv; for a language model
        also the clips, and data/landmarks/<train.dataset>/, where their faces are
Writes  models/trained/<partition>/<role>/   config.json, model.safetensors
        metrics/train/<partition>/           DVCLive's curves of the model
        models/checkpoints/                  what a run that is killed resumes from
A role that is finished and follows from nothing that has changed is not trained again. The test
parts are not touched: of every clip its part is looked up, and only train and val are read.
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
from facewave.training.fit import fit
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
        print("train.baselines are classifiers: beside a regression none is trained")

    # One thread: sums in a fixed order, so the same clips give the same bytes; it is small work.
    torch.set_num_threads(1)
    if _is_first_process():
        for folder in (schema.ROOT, CURVES, checkpoints.ROOT):
            checkpoints.remove_all_but(map(str, settings.partitions), folder)
    with threadpool_limits(1):
        if _is_first_process():  # the classifiers are its work alone
            for partition in tqdm(settings.partitions, "train", unit="partition"):
                checkpoints.remove_all_but(schema.roles(settings), schema.ROOT / str(partition))
                _train_classifiers(clips, partition, features, dataset, loaded)
        if settings.is_language_model:
            _train_language_models(clips, features, dataset, loaded)


@contextmanager
def _curves(partition: str | int, wanted: bool) -> Iterator[Report]:
    """DVCLive's, of the model's losses."""
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
    roles = schema.roles(settings)
    kinds: tuple[ClassifierKind, ...] = get_args(ClassifierKind)
    chosen = {role: kind for role in roles for kind in kinds if roles[role] == kind}
    if not chosen:
        return
    clips = clips.select(clips.table["usable"])
    parts = labels.parts(clips.table, partition)
    train, val = split(clips, parts, dataset.classes, settings)
    if not len(train.codes_n):
        raise UserError(
            f"partition {partition} of {dataset.name} has no usable training clip. "
            "metrics/clean and metrics/extract say why clips were left out."
        )
    data = checkpoints.digest(tensor for part in (train, val) for tensor in vars(part).values())
    about = {
        "dataset": dataset.name,
        "description": dataset.entry.about,
        "partition": str(partition),
        "subset": settings.subset,
        "clips": len(train.codes_n),
    }
    for role, kind in chosen.items():
        config, reduction = plan(kind, dataset.classes, clips, features.config, settings)
        folder = schema.folder(partition, role)
        follows_from = (config, schema.used_by(kind, settings), reduction, features.config, about)
        mark = checkpoints.fingerprint(data, _CODE, *follows_from)
        finished = Finished(partition, role, folder, mark)
        has_curves = role == schema.MODEL
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
    from facewave.training import conversations

    settings = loaded.train
    targets = settings.language.targets if settings.is_regression else []
    with PartialState().main_process_first():  # what is heard is in the cache then
        prompted = gather(clips, settings.inputs, settings.language, targets)
    if not settings.model.startswith("tiny-"):
        torch.set_num_threads(joblib.cpu_count())
    for partition in tqdm(settings.partitions, settings.model, unit="partition"):
        parts = labels.parts(clips.table, partition)
        with _curves(partition, _is_first_process()) as log:
            trained = conversations.train(
                prompted, parts, partition, dataset, features, settings, log
            )
        if _is_first_process():
            trained.save(schema.folder(partition, schema.MODEL))
        del trained  # two backbones would be one too many
    if _is_first_process():
        for partition in settings.partitions:
            for folder in (checkpoints.ROOT / str(partition)).glob(f"{schema.MODEL}-*"):
                shutil.rmtree(folder)


def _is_first_process() -> bool:
    """Of those that accelerate has launched."""
    return os.environ.get("RANK", "0") == "0"


if __name__ == "__main__":
    explain(main)

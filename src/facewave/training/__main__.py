"""Stage train: ``python -m facewave.training``.

Reads   data/features/<train.dataset>/ and data/labels/<train.dataset>.csv; for a language model
        also the clips, and data/landmarks/<train.dataset>/, where their faces are
Writes  models/trained/<partition>/<role>/   config.json, model.safetensors
        metrics/train/<partition>/           DVCLive's curves of the model
        models/checkpoints/                  while it runs: where it goes on if it is killed
The test parts are not touched: a clip's part is asked for, and only train and val are read.
``accelerate launch -m facewave.training`` trains a language model on several GPUs.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import pandas as pd
import torch
from dvclive import Live
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import params
from facewave.errors import UserError, explain
from facewave.labels import schema as labels
from facewave.params import Params
from facewave.training import checkpoints, schema
from facewave.training.checkpoints import Checkpoint, digest, fingerprint
from facewave.training.fit import fit
from facewave.training.loop import Report
from facewave.training.parts import plan, split
from facewave.wavelets import schema as wavelets

CURVES = Path("metrics/train")


def main() -> None:
    """Train the model and its baselines on every partition."""
    loaded = params.load()
    settings = loaded.train
    place = Path("data/labels") / f"{settings.dataset}.csv"
    words = labels.read_words(place)
    table = labels.single_label(labels.read(place))
    if not words and not settings.is_regression:
        raise UserError(
            f"{settings.dataset} has no words to learn, only valence and arousal or action units. "
            "Name another dataset in train.dataset, or another track in its entry; a language "
            "model can learn numbers: train.language.objective."
        )
    features = wavelets.read(Path("data/features") / settings.dataset)
    clips = wavelets.join(table, features)
    if settings.is_regression and settings.baselines:
        print("train.baselines are classifiers: beside a regression none is trained")

    # One thread: sums in a fixed order, so the same clips give the same bytes; it is small work.
    torch.set_num_threads(1)
    if _first_process():
        shutil.rmtree(schema.ROOT, ignore_errors=True)
        shutil.rmtree(CURVES, ignore_errors=True)
    with threadpool_limits(1):
        if _first_process():  # the classifiers are its work alone
            for partition in tqdm(settings.partitions, "train", unit="partition"):
                with _curves(partition, not settings.is_language_model) as log:
                    _classifiers(clips, partition, words, features, settings, log)
        if settings.is_language_model:
            _language_models(clips, words, features, loaded)
    if _first_process():
        shutil.rmtree(checkpoints.ROOT, ignore_errors=True)


@contextmanager
def _curves(partition: str | int, wanted: bool) -> Iterator[Report]:
    """DVCLive's, for the losses of the model."""
    if not wanted:
        yield lambda step, figures: None
        return
    place = CURVES / str(partition)
    with Live(str(place), dvcyaml=None, save_dvc_exp=False, report=None) as live:

        def log(step: int, figures: dict[str, float]) -> None:
            live.step = step
            for name, value in figures.items():
                live.log_metric(name, value)

        yield log


def _classifiers(
    clips: pd.DataFrame,
    partition: str | int,
    words: tuple[str, ...],
    features: wavelets.Features,
    settings: params.Train,
    log: Report,
) -> None:
    """Train all roles that are classifiers, on the clips with a usable face."""
    kinds = schema.classifiers(settings)
    if not kinds:
        return
    clips = clips[clips["usable"]].reset_index(drop=True)
    train, val = split(clips, labels.parts(clips, partition), features.blocks, words, settings)
    if not len(train.codes_n):
        raise UserError(
            f"partition {partition} of {settings.dataset} has no usable training clip. "
            "metrics/clean and metrics/extract tell why clips were left out."
        )
    data = digest(tensor for part in (train, val) for tensor in vars(part).values())

    for role, kind in kinds.items():
        hear = {"report": log} if role == schema.MODEL else {}
        mode, k = features.config["transform"], features.config["k"]
        config, how = plan(kind, words, features.blocks, mode, k, settings)
        mark = fingerprint(data, config, schema.of_classifiers(settings), how)
        checkpoint = Checkpoint(checkpoints.path(partition, role), mark)
        module = fit(config, train, val, settings, how, checkpoint=checkpoint, **hear)
        trained = schema.Trained(module, config, tuple(settings.inputs), features.config)
        schema.save(schema.folder(partition, role), trained)


def _language_models(
    clips: pd.DataFrame, words: tuple[str, ...], features: wavelets.Features, loaded: Params
) -> None:
    """Train the model, a language model, on all labelled clips."""
    from accelerate import PartialState  # take seconds to load

    from facewave.prompts.examples import gather
    from facewave.prompts.transcripts import transcripts
    from facewave.training import conversations

    settings = loaded.train
    entry = loaded.datasets[settings.dataset]
    with PartialState().main_process_first():  # what is heard is in the cache then
        said = transcripts(clips, Path(entry.root), settings.language)
    numbers = schema.numbers(features.blocks, settings.inputs)
    gathered = gather(clips, entry, settings, numbers, said)
    if not settings.model.startswith("tiny-"):
        torch.set_num_threads(joblib.cpu_count())
    for partition in tqdm(settings.partitions, settings.model, unit="partition"):
        parts = labels.parts(clips, partition)
        with _curves(partition, _first_process()) as log:
            trained = conversations.train(
                gathered, parts, partition, words, features, settings, log
            )
        if _first_process():
            schema.save_language(schema.folder(partition, schema.MODEL), trained)
        del trained  # two backbones would be one too many


def _first_process() -> bool:
    """Of those that accelerate has launched."""
    return os.environ.get("RANK", "0") == "0"


if __name__ == "__main__":
    explain(main)

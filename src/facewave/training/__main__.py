"""Stage train: ``python -m facewave.training``.

Reads   data/features/<train.dataset>/ and data/labels/<train.dataset>.csv
Writes  models/trained/<partition>/<role>/   config.json, model.safetensors
        metrics/train/<partition>/           DVCLive's curves of the model
The test parts are not touched: a clip's part is asked for, and only train and val are read.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from dvclive import Live
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import params
from facewave.errors import UserError, explain
from facewave.labels import schema as labels
from facewave.training import schema
from facewave.training.fit import Part, fit
from facewave.wavelets import schema as wavelets

CURVES = Path("metrics/train")


def main() -> None:
    """Train the model and its baselines on every partition."""
    loaded = params.load()
    settings = loaded.train
    place = Path("data/labels") / f"{settings.dataset}.csv"
    words = labels.read_words(place)
    table = labels.single_label(labels.read(place))
    if not words:
        raise UserError(
            f"{settings.dataset} has no words to learn, only valence and arousal or action units. "
            "Name another dataset in train.dataset, or another track in its entry."
        )
    features = wavelets.read(Path("data/features") / settings.dataset)
    clips = wavelets.join(table, features)
    clips = clips[clips["usable"]].reset_index(drop=True)

    # One thread: sums in a fixed order, so the same clips give the same bytes; it is small work.
    torch.set_num_threads(1)
    shutil.rmtree(schema.ROOT, ignore_errors=True)
    shutil.rmtree(CURVES, ignore_errors=True)
    with threadpool_limits(1):
        for partition in tqdm(settings.partitions, "train", unit="partition"):
            parts = labels.parts(clips, partition)
            learnt = labels.subset(clips[parts == "train"], *settings.subset)
            train, val = (
                _part(some, features, settings.inputs) for some in (learnt, clips[parts == "val"])
            )
            if not len(train.codes_n):
                raise UserError(
                    f"partition {partition} of {settings.dataset} has no usable training clip. "
                    "metrics/clean and metrics/extract tell why clips were left out."
                )
            curves = CURVES / str(partition)
            with Live(str(curves), dvcyaml=None, save_dvc_exp=False, report=None) as live:

                def log(epoch: int, figures: dict[str, float], live: Live = live) -> None:
                    for name, value in figures.items():
                        live.log_metric(name, value)
                    live.next_step()

                for role, kind in schema.roles(settings).items():
                    hear = {"report": log} if role == schema.MODEL else {}
                    config, module = fit(kind, train, val, words, settings, **hear)
                    trained = schema.Trained(
                        module, config, tuple(settings.inputs), features.config
                    )
                    schema.save(schema.folder(partition, role), trained)


def _part(clips: pd.DataFrame, features: wavelets.Features, inputs: Sequence[params.Block]) -> Part:
    """The inputs and codes of some clips."""
    at = clips["at"].to_numpy()
    blocks = {name: features.blocks[name][at] for name in inputs}
    codes = clips["label"].to_numpy(np.int64)
    return Part(torch.from_numpy(schema.flatten(blocks, tuple(inputs))), torch.from_numpy(codes))


if __name__ == "__main__":
    explain(main)

"""Stage train: ``python -m facewave.training``.

Reads   data/features/<train.dataset>/ and data/labels/<train.dataset>.csv
Writes  models/trained/<partition>/<role>/   config.json, model.safetensors
        metrics/train/<partition>/           DVCLive's curves of the model
        models/checkpoints/                  while it runs: where it goes on if it is killed
The test parts are not touched: a clip's part is asked for, and only train and val are read.
"""

import shutil
from pathlib import Path

import torch
from dvclive import Live
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import params
from facewave.errors import UserError, explain
from facewave.labels import schema as labels
from facewave.training import checkpoints, schema
from facewave.training.checkpoints import Checkpoint, digest, fingerprint
from facewave.training.fit import fit
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
    if not words:
        raise UserError(
            f"{settings.dataset} has no words to learn, only valence and arousal or action units. "
            "Name another dataset in train.dataset, or another track in its entry."
        )
    features = wavelets.read(Path("data/features") / settings.dataset)
    clips = wavelets.join(table, features)
    clips = clips[clips["usable"]].reset_index(drop=True)
    mode, k = features.config["mode"], features.config["k"]

    # One thread: sums in a fixed order, so the same clips give the same bytes; it is small work.
    torch.set_num_threads(1)
    shutil.rmtree(schema.ROOT, ignore_errors=True)
    shutil.rmtree(CURVES, ignore_errors=True)
    with threadpool_limits(1):
        for partition in tqdm(settings.partitions, "train", unit="partition"):
            parts = labels.parts(clips, partition)
            train, val = split(clips, parts, features.blocks, words, settings)
            if not len(train.codes_n):
                raise UserError(
                    f"partition {partition} of {settings.dataset} has no usable training clip. "
                    "metrics/clean and metrics/extract tell why clips were left out."
                )
            data = digest(tensor for part in (train, val) for tensor in vars(part).values())
            curves = CURVES / str(partition)
            with Live(str(curves), dvcyaml=None, save_dvc_exp=False, report=None) as live:

                def log(epoch: int, figures: dict[str, float], live: Live = live) -> None:
                    for name, value in figures.items():
                        live.log_metric(name, value)
                    live.next_step()

                for role, kind in schema.roles(settings).items():
                    hear = {"report": log} if role == schema.MODEL else {}
                    config, how = plan(kind, words, features.blocks, mode, k, settings)
                    mark = fingerprint(data, config, settings, how)
                    checkpoint = Checkpoint(checkpoints.path(partition, role), mark)
                    module = fit(config, train, val, settings, how, checkpoint=checkpoint, **hear)
                    trained = schema.Trained(
                        module, config, tuple(settings.inputs), features.config
                    )
                    schema.save(schema.folder(partition, role), trained)
    shutil.rmtree(checkpoints.ROOT, ignore_errors=True)


if __name__ == "__main__":
    explain(main)

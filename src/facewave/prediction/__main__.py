"""Stage predict: ``python -m facewave.prediction``.

Reads   models/trained/, data/features/ and data/labels/ of train.dataset; for a language model also
        the clips, and data/landmarks/<train.dataset>/, where their faces are
Writes  data/answers/answers.csv   one row per test clip, partition and role (prediction/schema.py)
        data/answers/models.json   what the models are
        models/checkpoints/answers/   while it runs: the answers that a killed run resumes from
No other stage runs a model after training, but for the study. Test parts are answered by models
that have not seen them, and nothing is chosen by the answers.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import models, params, prompts
from facewave.errors import UserError, explain
from facewave.files import write_csv
from facewave.labels import schema as labels
from facewave.prediction import schema
from facewave.training import schema as training
from facewave.training.schema import Trained
from facewave.workspace import Clips, Dataset

_PARTS = Path("models/checkpoints/answers")
_COPIED = ("video_idx", "file_path", "subject", "source")


def main() -> None:
    """Have every trained model answer its test part."""
    loaded = params.load()
    settings = loaded.train
    dataset = Dataset(settings.dataset, loaded)
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    targets = settings.language.targets if settings.is_regression else []
    actual_nT = labels.targets(clips.table, targets)
    for column, target in enumerate(targets):
        clips.table[f"actual_{target}"] = actual_nT[:, column]
    if targets:
        clips = clips.select(clips.table[[f"actual_{target}" for target in targets]].notna().all(1))

    roles: dict[str, dict[str, Any]] = {}
    tables = []
    for partition in tqdm(settings.partitions, "predict", unit="partition"):
        test = clips.select(labels.parts(clips.table, partition) == "test")
        if not len(test):
            raise UserError(f"partition {partition} has no test clip; metrics/clean has the parts.")
        for role in training.roles(settings):
            trained = training.load(training.folder(partition, role))
            trained.check(features, dataset.name)
            roles.setdefault(role, trained.describe())  # the partitions' are made alike
            answers = _answer(trained, test, training.folder(partition, role))
            columns = [*_COPIED, *(f"actual_{t}" for t in targets or [])]
            known = test.table[columns if targets else [*_COPIED, "actual"]]
            tables.append(known.assign(partition=str(partition), role=role).join(answers))
            if targets:
                tables.append(_floor(tables[-1], trained))
                roles.setdefault(schema.MEAN, {"kind": schema.MEAN})
            del trained  # two backbones would be one too many
    described = schema.Models(
        dataset.name, dataset.entry.about, () if targets else dataset.classes, tuple(targets), roles
    )
    schema.write(pd.concat(tables), described)
    shutil.rmtree(_PARTS, ignore_errors=True)


def _answer(trained: Trained, test: Clips, folder: Path) -> pd.DataFrame:
    """The model's answers, or those that a killed run left, if they follow from the same."""
    hashed = hashlib.sha256(test.table.to_csv().encode())
    code = [f for room in (models, prompts) for f in sorted(Path(room.__path__[0]).rglob("*.py"))]
    for file in (*sorted(folder.iterdir()), *code):
        hashed.update(file.read_bytes())
    part = _PARTS / f"{hashed.hexdigest()}.csv"
    if not part.exists():
        write_csv(part, trained.answer(test))
    texts = {"answered_from": str, "predicted": str}
    answers = pd.read_csv(part, dtype=texts, keep_default_na=False)
    return answers.set_axis(test.table.index)


def _floor(answers: pd.DataFrame, trained: Trained) -> pd.DataFrame:
    """A regression's floor: every clip is answered with the training part's means."""
    means = dict(zip(trained.targets, trained.about["means"], strict=True))
    predicted = {f"predicted_{target}": mean for target, mean in means.items()}
    return answers.assign(role=schema.MEAN, **predicted)


if __name__ == "__main__":
    # Sums in a fixed order, and much of it is small: threads cost more than they bring.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        explain(main)

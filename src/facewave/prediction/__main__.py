"""Stage predict: ``python -m facewave.prediction``.

Reads   models/trained/, data/features/ and data/labels/ of train.dataset; for a language model also
        the clips, and data/landmarks/<train.dataset>/, where their faces are; for a pretrained
        encoder's answers data/appearance/<train.dataset>/
Writes  data/answers/answers.csv   one row per test clip, partition and role (prediction/schema.py)
        data/answers/models.json   what the models are
        models/checkpoints/answers/   while it runs: the answers that a killed run resumes from
After training, only this stage and the study run a model. Test parts are answered by models that
have not seen them, and nothing is chosen by the answers.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import models, params, prompts
from facewave.errors import UserError, explain
from facewave.files import read_csv, write_csv
from facewave.prediction import schema
from facewave.targets import actual, known
from facewave.training import schema as training
from facewave.training.schema import Trained
from facewave.workspace import Clips, Dataset

_PARTS = Path("models/checkpoints/answers")
_COPIED = ("video_idx", "file_path", "subject", "source")
_TRAINING = Path(training.__file__).parent
_CODE = [Path(room.__path__[0]) for room in (models, prompts)] + [
    _TRAINING / f"{name}.py"
    for name in (
        *("schema", "classifier", "person", "language_model", "streamed", "face_network"),
        *("conformal", "untrained", "pretrained", "knowledge", "ensemble"),
        *("combination", "over_time", "fusion", "prompted", "served"),
    )
]


def main() -> None:
    """Have every trained model answer its test part."""
    loaded = params.load()
    settings = loaded.train
    dataset = Dataset(settings.dataset, loaded)
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    targets = dataset.targets
    truths = pd.concat([actual(target, clips.table) for target in targets], axis=1)
    is_known_n = known(targets, clips.table)

    roles: dict[str, dict[str, Any]] = {}
    tables = []
    for partition in tqdm(settings.partitions, "predict", unit="partition"):
        is_test = clips.parts(partition) == "test"
        test = clips.select(is_test.to_numpy() & is_known_n)
        if not len(test):
            raise UserError(
                f"partition {partition} has no test clip with {' or '.join(settings.targets)}; "
                "metrics/clean has the parts. Add clips of other subjects, or name another "
                "partition in train.partitions."
            )
        asked = test.table[list(_COPIED)].join(truths).assign(partition=str(partition))
        for role in training.roles(settings):
            folder = training.folder(partition, role)
            trained = training.load(folder)
            trained.check(features, dataset.name)
            described = roles.setdefault(role, trained.describe())  # the partitions' are alike
            described.setdefault("fingerprints", {})[str(partition)] = training.fingerprint(folder)
            if fitted := trained.about.get("fitted"):
                described.setdefault("fitted", {})[str(partition)] = fitted
            if (delay_s := trained.about.get("delay_s")) is not None:
                described.setdefault("delay_s", {})[str(partition)] = delay_s
            answers = _answer(trained, test, folder)
            if trained.writes:
                readings = _readings(asked["actual"], answers)
                described.setdefault("read", {})[str(partition)] = readings
                tqdm.write(f"{role}, partition {partition}: {_told(readings)}")
            tables.append(asked.assign(role=role).join(answers))
            if trained.usage:
                described.setdefault("usage", {})[str(partition)] = trained.usage
            del trained  # two backbones would be one too many
    models_asked = schema.Models(dataset.name, dataset.entry.about, tuple(targets), roles)
    schema.write(pd.concat(tables), models_asked)
    shutil.rmtree(_PARTS, ignore_errors=True)


def _answer(trained: Trained, test: Clips, folder: Path) -> pd.DataFrame:
    """The model's answers, or those that a killed run left if they follow from the same."""
    part = _PARTS / f"{_fingerprint(trained, test, folder)}.csv"
    if not part.exists() or trained.type == "served":  # it keeps its answers, and what they took
        write_csv(part, trained.answer(test))
    words = [target.predicted for target in trained.targets if target.predicted]
    words += [training.LENIENTLY] * trained.writes
    return read_csv(part, ("answered_from", *words)).set_axis(test.table.index)


def _readings(actual: pd.Series, answers: pd.DataFrame) -> dict[str, dict[str, int]]:
    """How many written answers are words, and right ones, when read strictly and leniently."""
    columns = {"strictly": "predicted", "leniently": training.LENIENTLY}
    return {
        reading: {
            "n": len(answers),
            "read": int((answers[column] != schema.UNREADABLE).sum()),
            "right": int((answers[column] == actual).sum()),
        }
        for reading, column in columns.items()
    }


def _told(readings: dict[str, dict[str, int]]) -> str:
    parts = [f"{name} {of['read']} of {of['n']}" for name, of in readings.items()]
    return f"written answers that are words: {', '.join(parts)}"


def _fingerprint(trained: Trained, test: Clips, folder: Path) -> str:
    """The SHA-256 of all that answers follow from: model, clips, numbers, code."""
    hashed = hashlib.sha256((test.table.to_csv() + test.origins().to_csv()).encode())
    if trained.inputs:
        hashed.update(np.ascontiguousarray(trained.taken(test)).data)
    for path in (folder, *_CODE):
        for file in sorted(path.rglob("*.*")) if path.is_dir() else [path]:
            if file.suffix in (".py", ".json", ".safetensors"):
                hashed.update(file.read_bytes())
    return hashed.hexdigest()


if __name__ == "__main__":
    # One thread: sums in a fixed order, and much of the work is too small for more.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        explain(main)

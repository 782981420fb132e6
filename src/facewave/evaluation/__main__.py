"""Stage evaluate: ``python -m facewave.evaluation``.

Reads   data/answers/, and of the same dataset the learning curves in metrics/train/, the label
        table and the index of landmarks; no model and no clip
Writes  metrics/evaluate/metrics.json      few figures, for ``dvc exp show`` and ``dvc metrics``
        metrics/evaluate/report.json       all of them with intervals, recalls, folds, confusion,
                                           how a language model was prompted, and what others
                                           published
        metrics/evaluate/robustness.csv    the model's figures by quality, length, pose, subject
        metrics/evaluate/suspects.csv      clips whose label a person should look at
        metrics/evaluate/plots/*.png
The tables about classes are empty for a regression. Nothing is chosen by test answers.
"""

import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from facewave import params
from facewave.errors import explain
from facewave.evaluation import plots, published
from facewave.evaluation.tasks import TABLES, task
from facewave.files import for_spreadsheets, write_csv, write_json
from facewave.labels import schema as labels
from facewave.prediction import schema as prediction
from facewave.workspace import Dataset, Stored

OUT = Path("metrics/evaluate")


def main() -> None:
    """Evaluate the answers of every trained model."""
    answers, models = prediction.read()
    loaded = params.load()
    evaluated = task(models, loaded.evaluate)
    dataset = Dataset(models.dataset, loaded)
    table = labels.single_label(dataset.read_labels())
    title = f"{models.kind} on {models.dataset} ({models.about})"
    shutil.rmtree(OUT / "plots", ignore_errors=True)
    (OUT / "plots").mkdir(parents=True)

    in_split = answers["partition"] == prediction.SPLIT
    protocols = {"split": answers[in_split], "folds": answers[~in_split]}
    protocols = {key: rows for key, rows in protocols.items() if len(rows)}
    summaries = {key: evaluated.summarize(rows) for key, rows in protocols.items()}
    # Over folds every clip is a test clip once: the fullest picture there is.
    fullest = "folds" if "folds" in protocols else "split"
    tested = list(protocols[fullest]["partition"].unique())
    n_classes, n = len(models.classes), summaries[fullest]["n"]
    normalized = prediction.MODEL in models.normalized
    run = published.run_of(dataset.entry, table, n_classes, n, tested, normalized)
    others = [] if dataset.entry.synthetic else published.beside(run)
    about = _about(models) | ({"published": {"here": run.text(), "rows": others}} if others else {})
    write_json(OUT / "report.json", about | summaries)

    write_json(OUT / "metrics.json", evaluated.headline(summaries[fullest]))
    shown = protocols[fullest]
    model = shown[shown["role"] == prediction.MODEL]
    index, faces = dataset.read_index(), Stored(dataset.faces, "faces")
    index["brightness"] = faces.column("brightness", index["video_idx"])
    tables = evaluated.tables(model, table, index)
    for name, columns in TABLES.items():
        content = tables.get(name, pd.DataFrame(columns=list(columns)))
        content = for_spreadsheets(content) if name == "suspects" else content
        write_csv(OUT / f"{name}.csv", content.round(4))
    evaluated.plot(model, tables, title, OUT / "plots")
    curves = {name: Path("metrics/train") / name for name in answers["partition"].unique()}
    plots.curves(curves, *_axes(models), title, OUT / "plots/curves.png")


def _about(models: prediction.Models) -> dict[str, Any]:
    """What report.json says of the models."""
    about: dict[str, Any] = {"dataset": models.title}
    about |= {"targets": models.targets} if models.targets else {"classes": models.classes}
    about |= {"transductive": models.transductive} if models.transductive else {}
    about |= {"normalized": models.normalized} if models.normalized else {}
    return about | ({"language": models.language} if models.language else {})


def _axes(models: prediction.Models) -> tuple[tuple[str, str], float | None]:
    """What the learning curves show, over what, and the loss of guessing where it is known."""
    if models.language is None:
        return ("epoch", "cross-entropy (nats)"), math.log(len(models.classes))
    losses = {"ccc": "1 - CCC", "mse": "squared error (variances)"}
    objective = models.language["settings"]["objective"]
    guessing = 1.0 if objective in losses else None
    return ("step", losses.get(objective, "cross-entropy (nats)")), guessing


if __name__ == "__main__":
    with threadpool_limits(1):  # sums in a fixed order, and most arrays are small
        explain(main)

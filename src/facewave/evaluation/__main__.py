"""Stage evaluate: ``python -m facewave.evaluation``.

Reads   data/answers/, and of the same dataset the learning curves in metrics/train/, the label
        table, the truth of its frames and the indexes of landmarks, faces and voice; no model and
        no clip
Writes  metrics/evaluate/metrics.json      few figures, for ``dvc exp show`` and ``dvc metrics``
        metrics/evaluate/report.json       all of them by task (tasks.py), with intervals, recalls,
                                           folds, confusion, how a language model was prompted, and
                                           what others published
        metrics/evaluate/robustness.csv    the model's figures by quality, length, pose, speech,
                                           subject
        metrics/evaluate/suspects.csv      clips whose word a person should look at
        metrics/evaluate/worst.csv         clips whose numbers the model misses most
        metrics/evaluate/plots/*.png
The first task comes first that the model answers; plots of the others have its name. Suspects are
those of the corpus's own words, if they are asked. A table is empty where no task fills it. Nothing
is chosen by test answers.
"""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from facewave import params
from facewave.errors import explain
from facewave.evaluation import plots, published
from facewave.evaluation.task import NUMBERS, TABLES, Task
from facewave.evaluation.tasks import tasks
from facewave.files import for_spreadsheets, write_csv, write_json
from facewave.labels import schema as labels
from facewave.prediction import schema as prediction
from facewave.targets import CLASSES
from facewave.workspace import Dataset, Stored

OUT = Path("metrics/evaluate")


def main() -> None:
    """Evaluate the answers of every trained model."""
    answers, models = prediction.read()
    loaded = params.load()
    dataset = Dataset(models.dataset, loaded)
    table = _of_clips(dataset.read_labels())
    index = dataset.read_index()
    for stored, column in (
        (Stored(dataset.faces, "faces"), "brightness"),
        (Stored(dataset.voice, "voice"), "speech_share"),
    ):
        index[column] = stored.column(column, index["video_idx"])
    title = f"{models.kind} on {models.dataset} ({models.about})"
    shutil.rmtree(OUT / "plots", ignore_errors=True)
    (OUT / "plots").mkdir(parents=True)

    report: dict[str, Any] = {}
    short: dict[str, Any] = {}
    parts: dict[str, dict[str, pd.DataFrame]] = {name: {} for name in TABLES}
    frames = labels.read_frames(dataset.labels)
    asked = tasks(models, loaded.evaluate, table, frames)
    of_tasks = {key: task.rows(answers) for key, task in asked.items()}
    untested = [key for key, rows in of_tasks.items() if rows.empty]
    for key in untested:
        print(f"{key} is left out: no test clip has it.")
    tested = [key for key in asked if key not in untested]
    answered = [key for key in tested if (of_tasks[key]["role"] == prediction.MODEL).any()]
    for key in dict.fromkeys([*answered[:1], *tested]):
        task, rows = asked[key], of_tasks[key]
        in_split = rows["partition"] == prediction.SPLIT
        protocols = {"split": rows[in_split], "folds": rows[~in_split]}
        protocols = {name: rows for name, rows in protocols.items() if len(rows)}
        is_first = not report
        summaries = {name: task.summarize(rows) for name, rows in protocols.items()}
        # Over folds every clip is a test clip once: the fullest picture there is.
        fullest = "folds" if "folds" in protocols else "split"
        shown, summary = protocols[fullest], summaries[fullest]
        report[key] = {"kind": task.kind, "names": task.names}
        report[key] |= _published(task, dataset, summary["n"], shown["partition"].unique())
        report[key] |= summaries
        headline = task.headline(summary)
        short |= headline if is_first else {key: headline}
        model = shown[shown["role"] == prediction.MODEL]
        if len(model):
            tables = task.tables(model, index)
            for name, content in tables.items():
                parts[name][key] = content
            end, of = ("", title) if is_first else (f"_{key}", f"{title}: {task.title}")
            task.plot(model, summary[prediction.MODEL], tables, of, OUT / "plots", end)

    about = _notes(models) | ({"untested": untested} if untested else {})
    write_json(OUT / "report.json", {"dataset": models.title, "tasks": report} | about)
    write_json(OUT / "metrics.json", short)
    for name, columns in TABLES.items():
        some = list(parts[name].values())
        if name == "suspects":  # those of other words follow from the same clips
            some = [parts[name][CLASSES]] if CLASSES in parts[name] else some[:1]
        content = (pd.concat(some) if some else pd.DataFrame()).reindex(columns=list(columns))
        content = content if name == "robustness" else for_spreadsheets(content)
        write_csv(OUT / f"{name}.csv", content.round(4))
    curves = {name: Path("metrics/train") / name for name in answers["partition"].unique()}
    plots.curves(curves, *_axes(models), title, OUT / "plots/curves.png")


def _of_clips(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each clip that may be tested; of several its labelled one."""
    table = table[table["excluded"].isin(["", *labels.AMBIGUOUS])]
    return table.sort_values("excluded", kind="stable").drop_duplicates("video_idx")


def _published(task: Task, dataset: Dataset, n: int, tested: Sequence[str]) -> dict[str, Any]:
    """What others published for the same task, and what differs there."""
    if dataset.entry.synthetic or task.key not in (CLASSES, NUMBERS) or task.table is None:
        return {}
    run = published.run_of(
        dataset.entry,
        labels.single_label(task.table),
        len(task.names) if task.key == CLASSES else 0,
        n,
        tested,
        prediction.MODEL in task.models.normalized,
    )
    rows = published.beside(run)
    return {"published": {"here": run.text(), "rows": rows}} if rows else {}


def _notes(models: prediction.Models) -> dict[str, Any]:
    """What report.json says of the models."""
    about = {
        "transductive": models.transductive,
        "normalized": models.normalized,
        "language": models.language,
    }
    return {name: value for name, value in about.items() if value}


def _axes(models: prediction.Models) -> tuple[tuple[str, str], float | None]:
    """What the learning curves show, over what, and the loss of guessing where it is known."""
    losses = {"ccc": "1 - CCC", "mse": "squared error (variances)"}
    step = "step" if models.language else "epoch"
    if len(models.targets) == 1 and models.targets[0].is_words:
        guessing = None if models.language else math.log(models.targets[0].width)
        return (step, "cross-entropy (nats)"), guessing
    if models.language and all(target.kind == "number" for target in models.targets):
        return (step, losses[models.language["settings"]["objective"]]), 1.0
    return (step, "loss"), None


if __name__ == "__main__":
    with threadpool_limits(1):  # sums in a fixed order, and most arrays are small
        explain(main)

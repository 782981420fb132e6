"""Stage report: ``python -m facewave.report``.

Reads   params.yaml; of train.dataset metrics/clean/, extract/, listen/, wavelet/, evaluate/ and
        study/; data/answers/, and for pictures some clips with their features and landmarks
Writes  metrics/report/pictures/*.png   one clip from face to numbers, clips with doubtful labels
        metrics/report.html             what was done, on what, how good, how sure, what failed; one
                                        file that needs no network
Both show people and stay out of git.
"""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params
from facewave.errors import UserError, explain
from facewave.files import replacing
from facewave.labels import schema as labels
from facewave.prediction import schema as prediction
from facewave.prediction.schema import Models
from facewave.report import pictures
from facewave.report.cells import number
from facewave.report.page import render
from facewave.report.results import Json, Records, Results
from facewave.report.tasks import tasks
from facewave.targets import CLASSES
from facewave.wavelets.schema import for_both_sides
from facewave.workspace import Clips, Dataset

METRICS = Path("metrics")
OUT = METRICS / "report.html"
PICTURES = METRICS / "report/pictures"
_TABLES = {
    "evaluate": ("robustness", "suspects", "worst"),
    "study": (
        *("runs", "leakage", "removed", "reconstruction", "importance", "speaking"),
        *("tasks", "quadrants", "sampling", "networks", "combination", "online", "pseudo"),
        *("teaching", "losses", "language", "causal", "causal_numbers"),
    ),
}
_PLOTS = ("evaluate/plots", "study/plots", "report/pictures")


def main() -> None:
    """Draw the pictures of people and write the page."""
    settings = params.load()
    dataset = Dataset(settings.train.dataset, settings)
    about = f"{dataset.name}: {dataset.entry.about}"
    report = _json(METRICS / "evaluate/report.json", "evaluate")
    study = _json(METRICS / "study/summary.json", "study")
    for stage, figures in (("evaluate", report), ("study", study)):
        if figures["dataset"] != about:
            raise UserError(
                f"{METRICS / stage} is about {figures['dataset']!r}, not "
                f"{about!r} of {params.PARAMS_FILE}. Make it again with: dvc repro {stage}"
            )
    records = {
        table: _records(METRICS / stage / f"{table}.csv", stage)
        for stage, names in _TABLES.items()
        for table in names
    }
    draw(dataset, records["suspects"], tasks(report)[0].main["n"])
    first = {
        stage: _json(METRICS / stage / f"{dataset.name}.json", f"{stage}@{dataset.name}")
        for stage in ("clean", "extract", "listen", "wavelet")
    }
    paths = {name: METRICS / name / f"{dataset.name}.png" for name in ("clean", "extract")}
    for folder in _PLOTS:
        paths |= {path.stem: path for path in sorted((METRICS / folder).glob("*.png"))}
    pngs = {name: path.read_bytes() for name, path in paths.items() if path.exists()}
    results = Results(**first, report=report, study=study, records=records, pictures=pngs)
    page = render(results, settings, params.PARAMS_FILE.read_text("utf-8"))
    with replacing(OUT) as temporary:
        temporary.write_text(page, "utf-8")
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.1f} MB, opens in any browser without a network")


def draw(dataset: Dataset, suspects: Records, n: int) -> None:
    """Write ``PICTURES``, given the lines of suspects.csv and the number of test clips."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    if not dataset.entry.has_pictures:
        return
    answers, models = prediction.read()
    features = dataset.read_features()
    clips = dataset.clips(labels.with_trajectories(dataset.read_labels()), features)
    answer, blendshapes_NB = _telling(answers, models, clips)
    trajectory = None if answer is None else clips.trajectory(answer["video_idx"])
    if answer is not None and trajectory is not None and len(trajectory.times_T) > 1:
        pictures.clip(
            trajectory,
            for_both_sides(blendshapes_NB, trajectory.names, features.config["sides"]),
            features.functions_PN,
            clips.video(answer["file_path"]),
            f"{dataset.title}\nclip {answer['video_idx']}: {_verdict(answer, models)}",
            PICTURES / "clip.png",
        )
    if any(target.is_words for target in models.targets):
        listed = []
        for record in suspects[: pictures.SHEET]:
            faces = clips.faces(record["video_idx"].removeprefix("'"))  # as for_spreadsheets
            middle = faces.times_F.mean() if faces else 0.0
            text = (
                f"{record['table']}:{record['row']}\n{record['file_path']}\n"
                f"label {record['actual']} ({number(record['p_label'], 2)})\n"
                f"model {record['suggested']} ({number(record['p_suggested'], 2)})"
            )
            listed.append((faces, middle, text))
        title = f"{dataset.entry.about}\n{len(suspects)} labels of {n} that the models doubt"
        pictures.sheet(listed, title, PICTURES / "suspects.png")


def _telling(
    answers: pd.DataFrame, models: Models, clips: Clips
) -> tuple["pd.Series[Any] | None", NDArray[np.float32]]:
    """The test clip whose blendshapes move most among those answered right, else among all.

    Returns:
        The model's answer, None where no test clip shows a usable face; the numbers of the clip's
        blendshapes, (N, channels).
    """
    model = answers[answers["role"] == prediction.MODEL]
    in_folds = model[model["partition"] != prediction.SPLIT]
    pool = in_folds if len(in_folds) else model
    pool = pool[pool["answered_from"].isin(prediction.BY_FACE)]
    first = models.targets[0]
    if first.predicted and (right := pool[first.actual[0]] == pool[first.predicted]).any():
        pool = pool[right]
    at = clips.table.set_index("video_idx")["at"][pool["video_idx"]].to_numpy(int)
    blendshapes_nNB = clips.blocks["blendshapes"][at]
    if pool.empty:
        return None, np.empty((0, 0), np.float32)
    chosen = int(np.argmax(blendshapes_nNB.std(axis=1).sum(axis=1)))
    return pool.iloc[chosen], blendshapes_nNB[chosen]


def _verdict(answer: "pd.Series[Any]", models: Models) -> str:
    """What a clip shows, and what the model answers: words and numbers, a line each."""
    lines = []
    for target in models.targets:
        name = "" if target.name == CLASSES else f"{target.name} "
        actual = answer[target.actual[0]]
        if target.predicted:
            predicted = answer[target.predicted]
            says = f" says {predicted}" if predicted else "'s answer is unreadable"
            lines.append(f"{name}{actual or 'not labelled'}, the model{says}")
        elif target.kind == "number":
            predicted = number(answer[target.numbers[0]], 2)
            lines.append(f"{name}{number(actual, 2)}, the model says {predicted}")
    return "\n".join(lines)


def _json(path: Path, stage: str) -> Json:
    try:
        content: Json = json.loads(_text(path, stage))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is not readable JSON: {error}. Make it again with: dvc repro --force {stage}"
        ) from None
    return content


def _records(path: Path, stage: str) -> Records:
    """The lines of a CSV as text, so that no name becomes a missing value."""
    return list(csv.DictReader(io.StringIO(_text(path, stage), newline="")))


def _text(path: Path, stage: str) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Make it with: dvc repro {stage}") from None


if __name__ == "__main__":
    explain(main)

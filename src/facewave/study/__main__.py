"""Stage study: ``python -m facewave.study``.

Reads   data/landmarks/, data/features/ and data/labels/ of train.dataset, models/trained/
Writes  metrics/study/reconstruction.csv   what every transform loses of a trajectory, over K
        metrics/study/importance.csv       which inputs the model relies on
        metrics/study/removed.csv          the trained models on test clips with frames removed
        metrics/study/leakage.csv          the same models on folds that share subjects, or do not
        metrics/study/runs.csv             every combination of transform, K, inputs and classifier
        metrics/study/keys.json            what the other tables were made from
        metrics/study/summary.json         the main figures
        metrics/study/plots/*.png
Classifiers are studied: with another model, those trained beside it; with a regression, none, and
all tables but the first are empty. Tables and runs whose keys (kept.py) have not changed are
kept, so that a study that was killed resumes, and a larger grid costs only what is new in it.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast, get_args

import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from facewave import params
from facewave.errors import explain
from facewave.files import sha256, write_csv, write_json
from facewave.params import ClassifierKind, Params
from facewave.study import ablation, grid, importance, kept, leakage, plots, reconstruction, thinned
from facewave.study.clips import Trajectories
from facewave.study.explanation import explanation, of_columns
from facewave.study.face_map import mean_face
from facewave.training import schema as training
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset

_PLOTS = kept.OUT / "plots"


def main() -> None:
    """Make the study."""
    loaded = params.load()
    settings, dataset = loaded.train, Dataset(loaded.train.dataset, loaded)
    if dataset.entry.features:
        runs = list(grid.of_features(loaded.study, settings, loaded.wavelets))
        print("A table of features has no trajectories: its models are compared, no transforms.")
    else:
        runs = list(grid.runs(loaded.study, loaded.wavelets))  # fails now if one is impossible
    kinds = {
        role: cast(ClassifierKind, kind)
        for role, kind in training.roles(settings).items()
        if kind in get_args(ClassifierKind)
    }
    trajectories = Trajectories(dataset)
    if training.MODEL not in kinds:
        studied = ", ".join(kinds) or "no classifier, only the transforms"
        why = "no classifier of wavelet numbers"
        if settings.is_language_model:
            why = "a language model: every condition would take all its training or answers again"
        print(f"studied: {studied}. {settings.model} is {why}.")
    shutil.rmtree(_PLOTS, ignore_errors=True)
    torch.set_num_threads(1)
    with threadpool_limits(1):  # sums in a fixed order: the same clips give the same figures
        figures = _classifiers(loaded, trajectories, kinds, runs) if kinds else _no_classifier()
        figures["reconstruction"] = _reconstruction(loaded, trajectories)
    about = {"dataset": f"{dataset.name}: {dataset.entry.about}"}
    write_json(kept.OUT / "summary.json", about | figures)


def _no_classifier() -> dict[str, Any]:
    """Leave empty tables."""
    modules = {"runs": ablation, "leakage": leakage, "removed": thinned, "importance": importance}
    for name, module in modules.items():
        write_csv(kept.OUT / f"{name}.csv", pd.DataFrame(columns=list(module.COLUMNS)))
    return {"runs": 0}


def _classifiers(
    loaded: Params,
    trajectories: Trajectories,
    kinds: Mapping[str, ClassifierKind],
    runs: Sequence[grid.Run],
) -> dict[str, Any]:
    """Make tables and figures about classifiers of these kinds, by role; their summary."""
    dataset, settings = trajectories.dataset, loaded.train
    dataset.read_labels()  # says what to do if they are missing
    folds: list[str | int] = [name for name in settings.partitions if name != "split"]
    partitions = folds or ["split"]
    models = {
        role: {name: training.load(training.folder(name, role)) for name in partitions}
        for role in kinds
    }
    hashes = {role: [_hashes(training.folder(name, role)) for name in partitions] for role in kinds}
    data: list[Any] = [sha256(dataset.labels), sha256(dataset.landmarks / "index.csv")]
    data += [asdict(loaded.evaluate), loaded.wavelets.max_gap_s]
    fits = {
        role: training.used_by(kind, training.settings_of(role, settings))
        for role, kind in kinds.items()
    }
    wavelets, seed = asdict(loaded.wavelets), loaded.labels.seed

    important = kept.table(
        "importance",
        kept.key(kept.code("importance", "clips"), data, hashes.get(training.MODEL)),
        lambda: importance.of_models(models.get(training.MODEL, {}), dataset, loaded.evaluate),
    )
    has_frames = dataset.entry.features is None
    removed = kept.table(
        "removed",
        kept.key(kept.code("thinned"), data, hashes, loaded.study.removed, loaded.study.every),
        lambda: (
            thinned.removal(trajectories, models, loaded.study, loaded.evaluate)
            if has_frames
            else pd.DataFrame(columns=list(thinned.COLUMNS))
        ),
    )
    leaking = kept.table(
        "leakage",
        kept.key(kept.code("leakage"), data, kinds, fits, settings.inputs, wavelets, seed),
        lambda: leakage.leakage(trajectories, kinds, loaded),
    )
    code = kept.code("runs", "clips")
    table = ablation.ablation(
        {kept.key(code, data, asdict(r), training.used_by(r.model, settings)): r for r in runs},
        kept.runs(),
        trajectories,
        partitions,
        loaded,
        kept.save_runs,
    )
    plots.ablation(table, dataset.title, _PLOTS / "ablation.png")
    plots.removed(removed, dataset.title, _PLOTS / "removed.png")
    plots.leakage(leaking, dataset.title, _PLOTS / "leakage.png")
    if len(important):
        features = dataset.read_features()
        clips = dataset.clips(features=features)
        at = clips.table.loc[clips.table["usable"], "at"].to_numpy()
        seconds = float(features.clips["duration"].iloc[at].median())
        title = f"{settings.model} on {dataset.title}"
        if dataset.entry.features:
            of_columns(important, title, _PLOTS / "explanation.png")
        else:
            face = mean_face(features, at) if "pose_free" in features.blocks else None
            explanation(important, face, seconds, title, _PLOTS / "explanation.png")
    return grid.summary(table, leaking)


def _reconstruction(loaded: Params, trajectories: Trajectories) -> dict[str, Any]:
    """Make the table and figure of what transforms lose; its summary."""
    dataset, transform = trajectories.dataset, Transform.of(loaded.wavelets)
    index = sha256(dataset.landmarks / "index.csv")
    table = kept.table(
        "reconstruction",
        kept.key(kept.code("reconstruction"), asdict(loaded.wavelets), index),
        lambda: reconstruction.reconstruction(trajectories, transform),
    )
    measured = len(reconstruction.measured_of(trajectories.index))
    title = f"{dataset.title}, n = {measured} clips"
    if len(table) or dataset.entry.features is None:
        plots.reconstruction(table, title, _PLOTS / "reconstruction.png")
    unexplained = reconstruction.unexplained(table, loaded.wavelets.k)
    return {"clips_measured": measured, "unexplained": unexplained}


def _hashes(folder: Path) -> list[str]:
    return [sha256(folder / name) for name in ("config.json", "model.safetensors")]


if __name__ == "__main__":
    explain(main)

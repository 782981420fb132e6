"""Stage study: ``python -m facewave.study``.

Reads   data/landmarks/, data/features/ and data/labels/ of train.dataset, models/trained/
Writes  metrics/study/reconstruction.csv   what every transform loses of a trajectory, over K
        metrics/study/importance.csv       which inputs the model relies on
        metrics/study/removed.csv          the trained models on test clips with frames removed
        metrics/study/leakage.csv          the same models on folds that share subjects, or do not
        metrics/study/speaking.csv         the model without the mouth, with and without speech
        metrics/study/causal.csv           answers by numbers of the past alone, and their delay
        metrics/study/causal_numbers.csv   how far these numbers are from the offline ones
        metrics/study/runs.csv             every combination of transform, K, inputs and classifier
        metrics/study/tasks.csv            study.targets: targets that are learnt apart and together
        metrics/study/quadrants.csv        quadrants: four classes, or valence and arousal, cut
        metrics/study/sampling.csv         valence and arousal without and with a balanced sampler
        metrics/study/networks.csv         study.networks: depth against overfit
        metrics/study/pseudo.csv           pseudo-labels against known labels, by confidence
        metrics/study/confusion.csv        which of them are taken for which
        metrics/study/combination.csv      an ensemble and its members, and ways to combine them
        metrics/study/online.csv           answers while a video runs, and afterwards
        metrics/study/teaching.csv         study.teaching: networks that learn pseudo-labels, or not
        metrics/study/losses.csv           the same by loss
        metrics/study/language.csv         study.language: what a language model is told of a face
        metrics/study/keys.json            what the other tables were made from
        metrics/study/summary.json         the main figures
        metrics/study/plots/*.png
Classifiers are studied: with another model, those trained beside it. They learn all of
train.targets and are counted by the first, or by all numbers if it is one (scores.py). Where a
partition has no usable training clip, as of single pictures, their tables are empty. Tables and
runs whose keys (kept.py) have not changed are kept, so that a study that was killed resumes, and a
larger grid costs only what is new in it.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from facewave import params, targets
from facewave.errors import explain
from facewave.files import sha256, write_json
from facewave.labels import schema as labels
from facewave.params import ClassifierKind, Params, Train
from facewave.study import (
    ablation,
    causal,
    combination,
    grid,
    importance,
    kept,
    language,
    leakage,
    networks,
    online,
    plots,
    pseudo_labels,
    reconstruction,
    speaking,
    tasks,
    teaching,
    thinned,
)
from facewave.study.clips import Trajectories
from facewave.study.explanation import explanation, of_columns
from facewave.study.face_map import mean_face
from facewave.study.scores import score_of
from facewave.training import leaks
from facewave.training import schema as training
from facewave.wavelets.schema import SEEN
from facewave.wavelets.transform import Transform
from facewave.workspace import PSEUDO, Dataset

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
        if kind in get_args(ClassifierKind) and role not in training.students(settings)
    }
    if any(set(SEEN) & set(inputs) for inputs in loaded.study.inputs):
        clips = dataset.clips()
        leaks.check_encoder(clips.wavelets, clips, dataset.name, _partitions(settings))
    trajectories = Trajectories(dataset)
    if reason := _unmoving(trajectories, settings):
        print(f"Classifiers are not studied, and their tables are empty: {reason}.")
        kinds, runs = {}, []
    elif training.MODEL not in kinds:
        print(f"studied: {', '.join(kinds)}. {_not_studied(settings)}.")
    shutil.rmtree(_PLOTS, ignore_errors=True)
    torch.set_num_threads(1)
    with threadpool_limits(1):  # sums in a fixed order: the same clips give the same figures
        figures = _classifiers(loaded, trajectories, kinds, runs)
        figures |= _tasks(loaded, dataset)
        of_networks = networks.of_dataset(loaded, dataset, _partitions(settings))
        plots.networks(of_networks, dataset.title, _PLOTS / "networks.png")
        figures |= pseudo_labels.of_dataset(loaded, dataset)
        _ensembles(loaded, dataset)
        figures |= teaching.of_dataset(loaded, dataset, _partitions(settings))
        language.of_dataset(loaded, dataset, _partitions(settings))
        figures["reconstruction"] = _reconstruction(loaded, trajectories)
    about = {"dataset": f"{dataset.name}: {dataset.entry.about}"}
    write_json(kept.OUT / "summary.json", about | figures)


def _unmoving(trajectories: Trajectories, settings: Train) -> str:
    """Why classifiers have nothing to learn from, "" if they have; so it is in single pictures."""
    table = trajectories.table()
    there = table["usable"] | table["heard"]
    folds = labels.folds_of(trajectories.dataset.read_labels())
    for partition in _partitions(settings):
        if not (there & (labels.parts(table, partition, folds) == "train")).any():
            return f"partition {partition} has no usable training clip, as where nothing moves"
    return ""


def _not_studied(settings: Train) -> str:
    """Why the model that train.model names is none of those that are studied."""
    if settings.is_language_model:
        again = "every condition would take all its training or answers again"
        return f"{settings.model} is a language model: {again}"
    if settings.students:
        return "The students are not: every condition would take their teacher again"
    return f"{settings.model} is no classifier of wavelet numbers"


def _classifiers(
    loaded: Params,
    trajectories: Trajectories,
    kinds: Mapping[str, ClassifierKind],
    runs: Sequence[grid.Run],
) -> dict[str, Any]:
    """Make tables and figures about classifiers of these kinds, by role; their summary."""
    dataset, settings = trajectories.dataset, loaded.train
    score = score_of(dataset.targets)
    partitions = _partitions(settings)
    models = {
        role: {name: training.load(training.folder(name, role)) for name in partitions}
        for role in kinds
    }
    hashes = {role: [_hashes(training.folder(name, role)) for name in partitions] for role in kinds}
    data: list[Any] = [sha256(dataset.labels), sha256(dataset.landmarks / "index.csv")]
    data += [asdict(loaded.evaluate), loaded.wavelets.max_gap_s, loaded.labels.ambiguous]
    data += [sha256(PSEUDO / "labels.csv")] if dataset.pseudo else []
    fits = {
        role: training.used_by(kind, training.settings_of(role, settings))
        for role, kind in kinds.items()
    }
    wavelets, seed = asdict(loaded.wavelets), loaded.labels.seed

    important = kept.table(
        "importance",
        kept.key(kept.code("importance", "clips"), data, hashes.get(training.MODEL)),
        lambda: importance.of_models(
            models.get(training.MODEL, {}), dataset, score, loaded.evaluate
        ),
    )
    has_frames = dataset.entry.features is None
    removed = kept.table(
        "removed",
        kept.key(kept.code("thinned"), data, hashes, loaded.study.removed, loaded.study.every),
        lambda: (
            thinned.removal(trajectories, models, score, loaded.study, loaded.evaluate)
            if has_frames and models
            else pd.DataFrame(columns=list(thinned.columns(score)))
        ),
    )
    leaking = kept.table(
        "leakage",
        kept.key(kept.code("leakage"), data, kinds, fits, settings.inputs, wavelets, seed),
        lambda: leakage.leakage(trajectories, kinds, score, loaded),
    )
    heard = dataset.voice / "index.csv"
    of_mouth = kept.table(
        "speaking",
        kept.key(
            *(kept.code("speaking"), data, kinds, fits, settings.inputs, wavelets),
            sha256(heard) if heard.exists() else "",
        ),
        lambda: speaking.of_dataset(dataset, kinds, score, partitions, loaded),
    )
    if kinds and of_mouth.empty:
        print(f"speaking.csv is empty: {', '.join(settings.inputs)}: no channels of the mouth.")
    follows_from = (data, hashes, kinds, fits, settings.inputs, wavelets)
    causal.of_dataset(trajectories, models, kinds, score, loaded, follows_from)
    code = kept.code("runs", "clips", "scores")
    table = ablation.ablation(
        {kept.key(code, data, asdict(r), training.used_by(r.model, settings)): r for r in runs},
        kept.runs(),
        trajectories,
        score,
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
    of_runs = grid.summary(table, leaking) if runs else {"runs": 0, "measure": score.measure}
    return of_runs | speaking.summary(of_mouth)


def _tasks(loaded: Params, dataset: Dataset) -> dict[str, Any]:
    """Make tables and figures about sets of targets (tasks.py); their summary."""
    settings, study = replace(loaded.train, students=0), loaded.study
    evaluate, zone = loaded.evaluate, loaded.labels.neutral_zone
    table = dataset.read_labels()
    known = targets.available(table, dataset.classes)
    rows = labels.learnable(table, list(known.values()), loaded.labels.ambiguous == "soft")
    clips = dataset.clips(rows)
    parts = [clips.parts(partition) for partition in _partitions(settings)]
    transform = Transform.of(loaded.wavelets)
    learner = tasks.Learner(clips, transform, study.trunk, settings, parts)
    sets = []
    for names in study.targets:
        missing = [f"no clip has {name}" for name in names if name not in known]
        together = [known[name] for name in names if name in known]
        if reason := missing[0] if missing else learner.lacking(together):
            print(f"study.targets: [{', '.join(names)}] is left out: {reason}.")
        else:
            sets.append(together)
    plane = [known[name] for name in tasks.AXES if name in known]
    has_plane = len(plane) == len(tasks.AXES) and not (sets and learner.lacking(plane))
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "tasks": lambda: tasks.tasks(learner, sets, evaluate)
    }
    if sets and has_plane and targets.QUADRANT in known:
        quadrant = known[targets.QUADRANT]
        if reason := learner.lacking([quadrant]):
            print(f"quadrants.csv is empty: {reason}.")
        else:
            makers["quadrants"] = lambda: tasks.quadrants(learner, quadrant, plane, zone, evaluate)
    if any(set(plane) <= set(one) for one in sets) and has_plane:
        if not learner.is_tested(plane):
            print(f"sampling.csv is empty: no test clip has {' and '.join(tasks.AXES)}.")
        else:
            makers["sampling"] = lambda: tasks.sampling(learner, plane, evaluate)
    follows_from = [
        *(kept.code("tasks"), sha256(dataset.labels), sha256(dataset.landmarks / "index.csv")),
        *(asdict(evaluate), asdict(loaded.wavelets), loaded.labels.ambiguous, zone, study.trunk),
        *(training.used_by(study.trunk, settings) | {"targets": []}, settings.inputs),
        [[asdict(target) for target in one] for one in sets],
    ]
    made = {
        name: kept.table(
            name,
            kept.key(follows_from, name in makers),
            makers.get(name, partial(pd.DataFrame, columns=list(columns))),
        )
        for name, columns in tasks.COLUMNS.items()
    }
    plots.tasks(made["tasks"], dataset.title, _PLOTS / "tasks.png")
    return tasks.summary(made)


def _ensembles(loaded: Params, dataset: Dataset) -> None:
    """Make tables and figure of ways to combine models, and of answers while a video runs."""
    settings, partitions = loaded.train, _partitions(loaded.train)
    asked = (dataset.clips(), tuple(dataset.targets), partitions, settings)
    index, tables = dataset.faces / "index.csv", {}
    for name, columns, lacking, make in (
        ("combination", combination.COLUMNS, combination.lacking, combination.ways),
        ("online", online.COLUMNS, online.lacking, online.ways),
    ):
        if reason := lacking(*asked):
            print(f"{name}.csv is empty: {reason}.")
            nothing = partial(pd.DataFrame, columns=list(columns))
            tables[name] = kept.table(name, kept.key(f"no {name}"), nothing)
            continue
        roles = training.roles(settings)
        key = kept.key(
            *(kept.code(name, "face_network"), networks.code_of_vision()),
            *([_hashes(training.folder(at, role)) for at in partitions for role in roles], roles),
            *(sha256(dataset.labels), sha256(dataset.landmarks / "index.csv")),
            *(sha256(index) if index.exists() else "", asdict(loaded.wavelets)),
            *(asdict(settings.ensemble), asdict(loaded.evaluate)),
        )
        tables[name] = kept.table(name, key, partial(make, *asked, loaded.evaluate))
    plots.combination(tables["combination"], dataset.title, _PLOTS / "combination.png")


def _partitions(settings: Train) -> list[str | int]:
    """Those that are studied: the folds, or the split where there are none."""
    folds: list[str | int] = [name for name in settings.partitions if name != "split"]
    return folds or ["split"]


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
    if len(table):
        plots.reconstruction(table, title, _PLOTS / "reconstruction.png")
    unexplained = reconstruction.unexplained(table, loaded.wavelets.k)
    return {"clips_measured": measured, "unexplained": unexplained}


def _hashes(folder: Path) -> list[str]:
    return [sha256(folder / name) for name in ("config.json", "model.safetensors")]


if __name__ == "__main__":
    explain(main)

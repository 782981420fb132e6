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
Classifiers are studied: with a language model, those trained beside it; with a regression, none,
and all tables but the first are empty. Tables and runs whose keys (keys.py) have not changed are
kept, so that a study that was killed resumes, and a larger grid costs only what is new in it.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import pandas as pd
from threadpoolctl import threadpool_limits

from facewave import params
from facewave.errors import UserError, explain
from facewave.files import sha256, write_csv, write_json
from facewave.params import ClassifierKind, Params
from facewave.study import grid, plots, reconstruction
from facewave.study.clips import Trajectories
from facewave.study.explanation import explanation
from facewave.study.face_map import mean_face
from facewave.study.keys import CODE, key
from facewave.training import schema as training
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset

OUT = Path("metrics/study")
_PLOTS, _KEYS = OUT / "plots", OUT / "keys.json"


@dataclass(frozen=True)
class _Study:
    """What is studied: the classifiers of ``kinds`` (by role), on the test parts of partitions."""

    loaded: Params
    trajectories: Trajectories
    kinds: Mapping[str, ClassifierKind]
    partitions: Sequence[str | int]


def main() -> None:
    """Make the study."""
    loaded = params.load()
    settings = loaded.train
    dataset = Dataset(settings.dataset, loaded)
    runs = list(grid.runs(loaded.study, loaded.wavelets))  # fails now if one is impossible
    folds: list[str | int] = [name for name in settings.partitions if name != "split"]
    kinds = {
        role: cast(ClassifierKind, kind)
        for role, kind in training.roles(settings).items()
        if kind in get_args(ClassifierKind)
    }
    trajectories = Trajectories(dataset, loaded.wavelets.max_gap_s)
    study = _Study(loaded, trajectories, kinds, folds or ["split"])
    if settings.is_language_model:
        print(
            f"studied: {', '.join(kinds) or 'no classifier, only the transforms'}. For "
            f"{settings.model}, every condition would take all its training or answers again."
        )
    shutil.rmtree(_PLOTS, ignore_errors=True)
    figures: dict[str, Any] = {"dataset": f"{dataset.name}: {dataset.entry.about}"}
    with threadpool_limits(1):  # sums in a fixed order: the same clips give the same figures
        figures |= _classifiers(study, runs) if kinds else _no_classifier()
        figures["reconstruction"] = _reconstruction(study)
    write_json(OUT / "summary.json", figures)


def _no_classifier() -> dict[str, Any]:
    """Leave empty tables."""
    from facewave.study import ablation, importance, leakage, thinned

    for name, module in {
        "runs": ablation,
        "leakage": leakage,
        "removed": thinned,
        "importance": importance,
    }.items():
        write_csv(OUT / f"{name}.csv", pd.DataFrame(columns=list(module.COLUMNS)))
    return {"runs": 0}


def _classifiers(study: _Study, runs: Sequence[grid.Run]) -> dict[str, Any]:
    """Make tables and figures about classifiers; their summary."""
    loaded, settings = study.loaded, study.loaded.train
    dataset = study.trajectories.dataset
    dataset.read_labels()  # says what to do if they are missing
    data: list[Any] = [sha256(dataset.labels), sha256(dataset.landmarks / "index.csv")]
    data += [asdict(loaded.evaluate), loaded.wavelets.max_gap_s]
    models = {
        role: [_hashes(training.folder(name, role)) for name in study.partitions]
        for role in study.kinds
    }
    fits = {role: training.used_by(kind, settings) for role, kind in study.kinds.items()}
    follows_from = {
        "importance": models.get(training.MODEL),
        "removed": [models, loaded.study.removed, loaded.study.every],
        "leakage": [
            study.kinds,
            fits,
            settings.inputs,
            asdict(loaded.wavelets),
            loaded.labels.seed,
        ],
    }
    # First what needs the trained models: if one is missing, that is found at once.
    importance, removed, leaking = (
        _kept(name, key(CODE[name], data, content), partial(_make, name, study))
        for name, content in follows_from.items()
    )
    keys = [
        key(CODE["runs"], data, asdict(run), training.used_by(run.model, settings)) for run in runs
    ]
    table = _ablation(dict(zip(keys, runs, strict=True)), study)
    plots.ablation(table, dataset.title, _PLOTS / "ablation.png")
    plots.removed(removed, dataset.title, _PLOTS / "removed.png")
    plots.leakage(leaking, dataset.title, _PLOTS / "leakage.png")
    if len(importance):
        features = dataset.read_features()
        clips = dataset.clips(features=features)
        at = clips.table.loc[clips.table["usable"], "at"].to_numpy()
        seconds = float(features.clips["duration"].iloc[at].median())
        title = f"{settings.model} on {dataset.title}"
        face = mean_face(features, at)
        explanation(importance, face, seconds, title, _PLOTS / "explanation.png")
    return grid.summary(table, leaking)


def _make(name: str, study: _Study) -> pd.DataFrame:
    """One of the tables about classifiers."""
    import torch  # these take seconds to load

    from facewave.study import importance, leakage, thinned

    torch.set_num_threads(1)
    loaded, dataset = study.loaded, study.trajectories.dataset
    if name == "leakage":
        return leakage.leakage(study.trajectories, study.kinds, loaded)
    models = {
        role: {name: training.load(training.folder(name, role)) for name in study.partitions}
        for role in study.kinds
    }
    if name == "removed":
        return thinned.removal(study.trajectories, models, loaded.study, loaded.evaluate)
    return importance.of_models(models.get(training.MODEL, {}), dataset, loaded.evaluate)


def _ablation(runs: Mapping[str, grid.Run], study: _Study) -> pd.DataFrame:
    """The runs, of which runs.csv has those that were made before."""
    known = _known_runs(OUT / "runs.csv")
    if not runs.keys() <= known.keys():
        import torch  # these take seconds to load

        from facewave.study.ablation import ablation

        torch.set_num_threads(1)
        arguments = (study.trajectories, study.partitions, study.loaded)
        known = ablation(runs, known, *arguments, save=partial(write_csv, OUT / "runs.csv"))
    table = pd.DataFrame([known[name] for name in runs])
    write_csv(OUT / "runs.csv", table)
    return table


def _known_runs(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a runs.csv by their keys; none if the file is no table.

    Truncated lines, or those that git has put between two versions, are no runs.
    """
    types = dict.fromkeys(("k", "n", "groups", "folds"), "Int64")  # integers, whatever is missing
    try:
        table = pd.read_csv(path, dtype=types | {"key": "str"})
    except (FileNotFoundError, TypeError, ValueError):  # pandas' own errors are ValueErrors
        return {}
    return {row["key"]: row for row in table.to_dict("records")} if "key" in table else {}


def _reconstruction(study: _Study) -> dict[str, Any]:
    """Make the table and figure of what transforms lose; its summary."""
    trajectories, settings = study.trajectories, study.loaded.wavelets
    transform, name = Transform.of(settings), "reconstruction"
    made_from = key(
        CODE[name], asdict(settings), sha256(trajectories.dataset.landmarks / "index.csv")
    )
    table = _kept(name, made_from, lambda: reconstruction.reconstruction(trajectories, transform))
    measured = len(reconstruction.measured_of(trajectories.index))
    title = f"{trajectories.dataset.title}, n = {measured} clips"
    plots.reconstruction(table, title, _PLOTS / f"{name}.png")
    unexplained = reconstruction.unexplained(table, settings.k)
    return {"clips_measured": measured, "unexplained": unexplained}


def _kept(name: str, made_from: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A table of the study: the present one if it was made under the same key, else a new one."""
    path = OUT / f"{name}.csv"
    try:
        keys = dict(json.loads(_KEYS.read_text("utf-8")))
    except (FileNotFoundError, TypeError, ValueError):
        keys = {}
    if not path.exists() or keys.get(name) != [made_from, sha256(path)]:
        write_csv(path, make())
        write_json(_KEYS, dict(sorted((keys | {name: [made_from, sha256(path)]}).items())))
    return pd.read_csv(path)


def _hashes(folder: Path) -> list[str]:
    """What a trained model is, without loading it.

    Raises:
        UserError: it is not there.
    """
    try:
        return [sha256(folder / name) for name in ("config.json", "model.safetensors")]
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} is not here. Train it with dvc repro, or fetch it: dvc pull"
        ) from None


if __name__ == "__main__":
    explain(main)

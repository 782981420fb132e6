"""Stage study: ``python -m facewave.study``.

Reads   data/landmarks/ and data/labels/ of train.dataset, models/trained/
Writes  metrics/study/runs.csv        every combination of transform, K, inputs and classifier
        metrics/study/leakage.csv     the same models on folds that share subjects, and that do not
        metrics/study/removed.csv     the trained models on test clips with frames taken away
        metrics/study/summary.json    what validation would choose, and how much subjects leak
        metrics/study/plots/*.png
Studied are classifiers: beside a language model those that are trained with it, beside a regression
none; then the tables are empty.
A run whose figures are in runs.csv, and nothing it follows from has changed, is not made again: a
study that was killed goes on, and a larger grid costs what is new in it.
"""

import hashlib
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import models, params, study, training, wavelets
from facewave.errors import explain
from facewave.evaluation import measures
from facewave.evaluation.answers import predict
from facewave.files import sha256, write_csv, write_json
from facewave.labels import schema as labels
from facewave.landmarks import headpose
from facewave.landmarks import schema as landmarks
from facewave.params import Block
from facewave.study import grid, plots, thinned
from facewave.study.runs import figures, run
from facewave.training import schema as trained
from facewave.training.fit import used_by
from facewave.wavelets.features import features, unusable
from facewave.wavelets.schema import BLOCKS
from facewave.wavelets.transform import Transform

OUT = Path("metrics/study")
_RUN = ("transform", "k", "inputs", "model")
_FIGURES = (
    *("n", "groups", "folds"),
    *(f"{name}{end}" for name in ("war", "uar") for end in ("", "_low", "_high")),
)
_COLUMNS = {
    "runs": (*_RUN, *_FIGURES, "val_uar", "uar_by_fold", "val_uar_by_fold", "key"),
    "leakage": ("protocol", "role", "model", *_FIGURES),
    "removed": ("condition", "role", "model", *_FIGURES),
}

Blocks = dict[Block, NDArray[np.float32]]
# (trajectory, position in the index) -> trajectory
Change = Callable[[landmarks.Trajectory, int], landmarks.Trajectory]


def _as_it_is(trajectory: landmarks.Trajectory, at: int) -> landmarks.Trajectory:
    return trajectory


class Clips:
    """A dataset's trajectories and labels."""

    def __init__(self, settings: params.Params) -> None:
        name = settings.train.dataset
        self.place = Path("data/labels") / f"{name}.csv"
        self.source = Path("data/landmarks") / name
        self.words = labels.read_words(self.place)
        self.index = landmarks.read_index(self.source)
        gap = settings.wavelets.max_gap_s
        self.usable = [not unusable(row, gap) for row in self.index.to_dict("records")]
        places = self.index[["video_idx"]].assign(at=range(len(self.index)), usable=self.usable)
        self.table = labels.single_label(labels.read(self.place)).merge(places, on="video_idx")

    def blocks(
        self,
        transform: Transform,
        names: Sequence[Block],
        change: Change = _as_it_is,
    ) -> Blocks:
        """Features as stage wavelet has them, of clips that are changed first; (n, N, ...)."""
        shape = (len(self.index), transform.numbers)
        blocks = {name: np.full((*shape, *BLOCKS[name]), np.nan, np.float32) for name in names}
        for at, row in enumerate(self.index.itertuples()):
            if self.usable[at]:
                trajectory = change(landmarks.read_row(self.source, row), at)
                numbers = features(trajectory, row, transform)
                for name in names:
                    blocks[name][at] = numbers[name]
        return blocks


def main() -> None:
    """Make the study."""
    settings = params.load()
    if settings.train.is_regression:
        return _nothing(settings)
    if settings.train.is_language_model:
        others = ", ".join(trained.classifiers(settings.train))
        print(
            f"leakage and frames removed: of {others} only. Of {settings.train.model} they would "
            "cost all its training and its answers again."
        )
    clips = Clips(settings)
    folds = [partition for partition in settings.train.partitions if partition != "split"]
    partitions: list[str | int] = [*folds] or ["split"]
    shutil.rmtree(OUT / "plots", ignore_errors=True)
    # One thread: sums in a fixed order, so the same clips give the same figures.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        # First what can find that a model is not there: it is soon done.
        removed = removal(clips, partitions, settings)
        leaking = leakage(clips, settings)
        table = ablation(clips, partitions, settings)
    write_csv(OUT / "leakage.csv", leaking)
    write_csv(OUT / "removed.csv", removed)
    write_json(OUT / "summary.json", summary(table, leaking, settings))
    name = settings.train.dataset
    title = f"{name} ({settings.datasets[name].about})"
    (OUT / "plots").mkdir()
    plots.ablation(table, title, OUT / "plots/ablation.png")
    plots.removed(removed, title, OUT / "plots/removed.png")
    if (leaking["model"] != trained.PRIOR).any():
        plots.leakage(leaking, title, OUT / "plots/leakage.png")


def _nothing(settings: params.Params) -> None:
    """What a study of no classifier leaves."""
    for name, columns in _COLUMNS.items():
        write_csv(OUT / f"{name}.csv", pd.DataFrame(columns=list(columns)))
    write_json(OUT / "summary.json", {"dataset": _said(settings), "runs": 0})
    shutil.rmtree(OUT / "plots", ignore_errors=True)
    (OUT / "plots").mkdir()
    print("nothing to study: train.model is a regression, and a study compares classifiers")


def _said(settings: params.Params) -> str:
    """The dataset, and what it says of itself."""
    name = settings.train.dataset
    return f"{name}: {settings.datasets[name].about}"


def ablation(
    clips: Clips, partitions: Sequence[str | int], settings: params.Params
) -> pd.DataFrame:
    """Make the runs that are not there; runs.csv is written after each."""
    place = OUT / "runs.csv"
    done = _done(place)
    given = {
        "code": _code(),
        "labels": sha256(clips.place),
        "trajectories": sha256(clips.source / "index.csv"),
        "settings": [asdict(settings.evaluate), settings.wavelets.max_gap_s],
    }
    parts = [labels.parts(clips.table, partition) for partition in partitions]
    runs = list(grid.runs(settings.study, settings.wavelets))
    keys = [grid.key(one, given | {"train": used_by(one.model, settings.train)}) for one in runs]
    rows = [done.get(key) for key in keys]
    names = sorted({name for one in runs for name in one.inputs})
    progress = tqdm(total=len(runs), initial=len(runs) - rows.count(None), desc="study", unit="run")
    for transform, some in groupby(range(len(runs)), lambda i: runs[i].transform):
        missing = [i for i in some if rows[i] is None]
        blocks = clips.blocks(transform, names) if missing else {}
        for i in missing:
            one = runs[i]
            chosen = replace(settings.train, inputs=list(one.inputs))
            outcome = run(clips.table, blocks, transform, clips.words, one.model, chosen, parts)
            found = figures(outcome.answers, settings.evaluate)
            uars = measures.uar(measures.confusion(outcome.answers))
            rows[i] = {
                **one.named,
                **found,
                "val_uar": round(100 * outcome.val_uar, 2),
                "uar_by_fold": grid.written(uars.tolist()),
                "val_uar_by_fold": grid.written(outcome.val_uars),
                "key": keys[i],
            }
            write_csv(place, pd.DataFrame([row for row in rows if row is not None]))
            progress.update()
    progress.close()
    table = pd.DataFrame(rows)
    write_csv(place, table)
    return table


def _done(place: Path) -> dict[str, dict[str, Any]]:
    """The runs of a runs.csv by their keys; of a file that is no table, none.

    Lines cut short, or that git has put between two versions, are no runs.
    """
    kinds = dict.fromkeys(("k", "n", "groups", "folds"), "Int64")  # integers, whatever is missing
    try:
        known = pd.read_csv(place, dtype=kinds | {"key": "str"})
    except (FileNotFoundError, TypeError, ValueError):  # pandas' own errors are ValueErrors
        return {}
    return {row["key"]: row for row in known.to_dict("records")} if "key" in known else {}


def leakage(clips: Clips, settings: params.Params) -> pd.DataFrame:
    """The configured models on the dataset's folds and on random ones of the same number.

    With both, the fold after the tested one is validation, whatever the dataset's protocol has: the
    two differ in nothing but who is in which fold. Without rows where no two clips share a subject
    or source, or where there are fewer than three folds.
    """
    rows = []
    table = clips.table[clips.table["fold"].notna()].reset_index(drop=True)
    n_folds = table["fold"].nunique()
    drawable = len(table) and table["label"].value_counts().max() >= n_folds
    if drawable and labels.groups(table).duplicated().any() and n_folds > 2:
        chosen = settings.wavelets
        transform = Transform(chosen.transform, chosen.wavelet, chosen.boundary, chosen.k)
        blocks = clips.blocks(transform, settings.train.inputs)
        folds = {
            "disjoint": table["fold"],
            "random": _random_folds(table, n_folds, settings.labels.seed),
        }
        kinds = trained.classifiers(settings.train)
        for protocol, role in product(folds, kinds):
            kind = kinds[role]
            parts = _parts(folds[protocol])
            outcome = run(table, blocks, transform, clips.words, kind, settings.train, parts)
            found = figures(outcome.answers, settings.evaluate)
            rows.append({"protocol": protocol, "role": role, "model": kind} | found)
    return pd.DataFrame(rows, columns=list(_COLUMNS["leakage"]))


def _random_folds(table: pd.DataFrame, n_folds: int, seed: int) -> pd.Series:
    """Stratified folds that know nothing of subjects."""
    fold = pd.Series(0, table.index)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clips than there are folds is not in all of them: so be it.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for number, (_, test) in enumerate(folds.split(table, table["label"].to_numpy(np.int64))):
            fold.iloc[test] = number
    return fold


def _parts(fold: pd.Series) -> list[pd.Series]:
    """For each fold, which part each clip is in: it is tested, the next one validates."""
    numbers = sorted(fold.unique())
    following = [*numbers[1:], numbers[0]]
    return [
        fold.map({one: "test", other: "val"}).fillna("train")
        for one, other in zip(numbers, following, strict=True)
    ]


def removal(clips: Clips, partitions: Sequence[str | int], settings: params.Params) -> pd.DataFrame:
    """The trained classifiers on test clips with fewer frames than they were trained on."""
    changes: dict[str, Change] = {"all frames": _as_it_is}
    for share in settings.study.removed:
        changes[f"{100 * share:g}% removed"] = partial(thinned.without, share)
    for step in settings.study.every:
        changes[f"1 of {step} frames"] = partial(thinned.every, step)
    config = trained.load(trained.folder(partitions[0], trained.PRIOR)).wavelets
    transform = Transform(
        **{name: config[name] for name in ("transform", "wavelet", "boundary", "k")}
    )
    rows = []
    for condition, change in tqdm(changes.items(), "frames removed", unit="condition"):
        blocks = clips.blocks(transform, settings.train.inputs, change)
        for role, kind in trained.classifiers(settings.train).items():
            answers = pd.concat(
                [
                    predict(
                        trained.load(trained.folder(partition, role)),
                        trained.load(trained.folder(partition, trained.PRIOR)),
                        clips.table,
                        blocks,
                        partition,
                    )
                    for partition in partitions
                ]
            )
            found = figures(measures.from_table(answers, clips.words), settings.evaluate)
            rows.append({"condition": condition, "role": role, "model": kind} | found)
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame, leaking: pd.DataFrame, settings: params.Params) -> dict[str, Any]:
    """What the study says in a few figures, in percent.

    ``best_on_test`` is named so because choosing by it would be choosing on the test parts.
    ``chosen_by_each_fold`` is what choosing may claim: nothing of it has seen its test clips.
    """
    names = [*_RUN, "val_uar", "uar", "uar_low", "uar_high", "n"]

    def told(row: pd.Series) -> dict[str, Any]:
        return {name: getattr(row[name], "item", lambda v=row[name]: v)() for name in names}

    rows, by_folds = grid.chosen_by_fold(table)
    found: dict[str, Any] = {
        "dataset": _said(settings),
        "runs": len(table),
        "chosen_by_validation": told(grid.chosen(table)),
        "chosen_by_each_fold": {
            "uar": round(by_folds, 2),
            "runs": [" ".join(map(str, (row[name] for name in names[:4]))) for row in rows],
        },
        "best_on_test": told(table.loc[table["uar"].idxmax()]),
    }
    if len(leaking):
        uar = leaking.pivot(index="role", columns="protocol", values="uar")
        found["leakage"] = {
            role: {
                "disjoint": float(row["disjoint"]),
                "random": float(row["random"]),
                "difference": round(float(row["random"] - row["disjoint"]), 2),
            }
            for role, row in uar.iterrows()
        }
    return found


def _code() -> str:
    """The SHA-256 of all code that figures follow from."""
    rooms = (wavelets, models, training, study)
    files = [file for room in rooms for file in sorted(Path(room.__path__[0]).glob("*.py"))]
    files = [file for file in files if file.stem not in ("plots", "information")]
    files += [Path(str(module.__file__)) for module in (labels, landmarks, headpose, measures)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


if __name__ == "__main__":
    explain(main)

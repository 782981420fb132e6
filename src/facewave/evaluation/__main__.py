"""Stage evaluate: ``python -m facewave.evaluation``.

Reads   models/trained/, data/features/, data/labels/; for one picture data/landmarks/ and its clip
Writes  metrics/evaluate/metrics.json      WAR, UAR, macro F1, baselines beside: for ``dvc metrics``
        metrics/evaluate/report.json       the same with intervals, recalls, folds, confusion
        metrics/evaluate/predictions.csv   one row per test clip, partition and model
        metrics/evaluate/confusion.csv     the model's answers, for ``dvc plots``
        metrics/evaluate/suspects.csv      clips whose label a person should look at
        metrics/evaluate/plots/*.png
Each test part is looked at once, by models that have not seen it.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave import params
from facewave.errors import UserError, explain
from facewave.evaluation import measures, plots
from facewave.evaluation.suspects import suspects
from facewave.files import write_csv, write_json
from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.training import schema as training
from facewave.video import Clip
from facewave.wavelets import schema as wavelets

OUT = Path("metrics/evaluate")
MEASURES = {"war": measures.war, "uar": measures.uar, "macro_f1": measures.macro_f1}
_KEY = ["partition", "role", "video_idx"]


def main() -> None:
    """Evaluate every trained model on its test part."""
    loaded = params.load()
    settings, name = loaded.train, loaded.train.dataset
    entry = loaded.datasets[name]
    words = labels.read_words(Path("data/labels") / f"{name}.csv")
    table = labels.single_label(labels.read(Path("data/labels") / f"{name}.csv"))
    features = wavelets.read(Path("data/features") / name)
    clips = wavelets.join(table, features)
    roles = training.roles(settings)

    shutil.rmtree(OUT, ignore_errors=True)
    answers = pd.concat(
        [
            predict(
                training.load(training.folder(partition, role)), clips, features, partition
            ).assign(role=role)
            for partition in settings.partitions
            for role in roles
        ]
    )
    rest = answers.columns.difference(_KEY, sort=False)
    write_csv(OUT / "predictions.csv", answers[[*_KEY, *rest]])
    folds = answers["partition"] != "split"
    groups = {"split": answers[~folds], "folds": answers[folds]}
    figures: dict[str, Any] = {"dataset": f"{name}: {entry.about}", "classes": words}
    for key, group in groups.items():
        if len(group):
            figures[key] = summarize(group, roles, words, loaded.evaluate)
    write_json(OUT / "report.json", figures)
    write_json(OUT / "metrics.json", headline(figures))

    # Over folds every clip is a test clip once: the fullest picture there is.
    shown = groups["folds"] if len(groups["folds"]) else groups["split"]
    model = shown[shown["role"] == training.MODEL]
    write_csv(OUT / "confusion.csv", model[["actual", "predicted"]])
    title = f"{settings.model} on {name} ({entry.about})"
    plots.confusion(model["actual"], model["predicted"], words, title, OUT / "plots/confusion.png")
    curves = {str(p): Path("metrics/train") / str(p) for p in settings.partitions}
    plots.curves(curves, title, OUT / "plots/curves.png")
    show_clip(model, features, loaded, OUT / "plots/clip.png")
    show_suspects(model, table, words, entry, OUT)


def predict(
    trained: training.Trained,
    clips: pd.DataFrame,
    features: wavelets.Features,
    partition: str | int,
) -> pd.DataFrame:
    """Answers for a partition's test clips, one row each.

    Raises:
        UserError: the partition's test part is empty.
    """
    test = clips[labels.parts(clips, partition) == "test"]
    if test.empty:
        raise UserError(f"partition {partition} has no test clip; see metrics/clean for the parts.")
    usable = test["usable"].to_numpy(bool)
    prior = training.load(training.folder(partition, training.PRIOR))
    blocks = {name: features.blocks[name][test["at"]] for name in trained.inputs}
    inputs = training.flatten(blocks, trained.inputs)
    probabilities = np.where(
        usable[:, None],
        trained.probabilities(np.nan_to_num(inputs)),
        prior.probabilities(np.zeros((len(test), 1), np.float32)),
    )
    words = np.array(trained.config.classes)
    table = test[["video_idx", "file_path", "subject", "source", "actual"]].assign(
        partition=str(partition),
        predicted=words[probabilities.argmax(1)],
        answered_from=np.where(usable, "face", "prior"),
    )
    for word, column in zip(words, probabilities.T, strict=True):
        table[f"p_{word}"] = column.round(4)
    return table


def summarize(
    group: pd.DataFrame, roles: Mapping[str, str], words: tuple[str, ...], settings: params.Evaluate
) -> dict[str, Any]:
    """Figures of every role on the same test clips; confusion has a row per actual class."""
    first = group[group["role"] == training.MODEL]
    codes = {word: code for code, word in enumerate(words)}
    summary: dict[str, Any] = {
        "n": len(first),
        "subjects": int(first["subject"].nunique()) if (first["subject"] != "").all() else None,
        "unusable": int((first["answered_from"] == "prior").sum()),
    }
    for role, kind in roles.items():
        rows = group[group["role"] == role]
        fold, names = pd.factorize(rows["partition"])
        answers = measures.Answers(
            actual=rows["actual"].map(codes).to_numpy(np.int64),
            predicted=rows["predicted"].map(codes).to_numpy(np.int64),
            fold=fold,
            group=pd.factorize(labels.groups(rows))[0],
            n_classes=len(words),
        )
        counts = measures.confusion(answers)
        resampled = measures.resampled_confusion(answers, **asdict(settings))
        in_groups = measures.resampled_by(answers) == "subjects"
        summary["interval_over"] = _named(first) if in_groups else "clips"
        figures: dict[str, Any] = {"name": kind}
        for name, measure in MEASURES.items():
            low, high = measures.interval(measure, resampled)
            figures[name] = round(float(measures.over_folds(measure, counts)), 4)
            figures[f"{name}_low"], figures[f"{name}_high"] = round(low, 4), round(high, 4)
        pooled = counts.sum(0)
        figures["recall"] = {
            word: round(value, 4)
            for word, value in zip(words, measures.recalls(pooled).tolist(), strict=True)
            if not np.isnan(value)
        }
        figures["confusion"] = pooled.astype(int).tolist()
        if len(names) > 1:
            figures["fold"] = {
                name: {
                    "n": int(fold_counts.sum()),
                    "war": round(float(measures.war(fold_counts)), 4),
                    "uar": round(float(measures.uar(fold_counts)), 4),
                }
                for name, fold_counts in zip(names, counts, strict=True)
            }
        summary[role] = figures
    return summary


def _named(rows: pd.DataFrame) -> str:
    """What the groups of all rows are."""
    known = (name for name in ("subject", "source") if (rows[name] != "").all())
    return next(known, "clip") + "s"


def headline(figures: dict[str, Any]) -> dict[str, Any]:
    """What fits a table of experiments: n, and each role's three measures."""
    short: dict[str, Any] = {"dataset": figures["dataset"]}
    for key in ("split", "folds"):
        if key in figures:
            short[key] = {"n": figures[key]["n"]}
            for role, found in figures[key].items():
                if isinstance(found, dict):
                    short[key][role] = {name: found[name] for name in ("name", *MEASURES)}
    return short


def show_clip(
    model: pd.DataFrame, features: wavelets.Features, loaded: params.Params, path: Path
) -> None:
    """Draw the test clip whose blendshapes move most among those answered right (else of all)."""
    seen = model[model["answered_from"] == "face"]
    right = seen[seen["actual"] == seen["predicted"]]
    pool = right if len(right) else seen
    if pool.empty:
        return
    at = pd.Series(range(len(features.clips)), features.clips["video_idx"])
    shapes_nKB = features.blocks["blendshapes"][at[pool["video_idx"]]]
    chosen = pool.iloc[int(np.argmax(shapes_nKB.std(axis=1).sum(axis=1)))]
    name = loaded.train.dataset
    folder = Path("data/landmarks") / name
    index = landmarks.read_index(folder).set_index("video_idx").loc[chosen["video_idx"]]
    plots.clip(
        landmarks.read_row(folder, index),
        np.asarray(features.blocks["blendshapes"][at[chosen["video_idx"]]]),
        Clip(Path(loaded.datasets[name].root) / chosen["file_path"], loaded.datasets[name].fps),
        features.config,
        f"{name} ({loaded.datasets[name].about})\n"
        f"clip {chosen['video_idx']}: {chosen['actual']}, the model says {chosen['predicted']}",
        path,
    )


def show_suspects(
    model: pd.DataFrame,
    table: pd.DataFrame,
    words: tuple[str, ...],
    entry: params.Dataset,
    out: Path,
) -> None:
    """List the clips whose label is in doubt, and draw a sheet of the first."""
    found = suspects(model, words)
    known = table.set_index("video_idx").loc[found["video_idx"]]
    probability = {
        name: [round(float(row[f"p_{row[word]}"]), 4) for _, row in found.iterrows()]
        for name, word in (("p_label", "actual"), ("p_suggested", "suggested"))
    }
    listed = found[["video_idx", "file_path", "actual", "suggested", "quality"]].assign(
        **probability, **{name: known[name].to_numpy() for name in ("votes", "table", "row")}
    )
    write_csv(out / "suspects.csv", listed)
    listed["middle"] = ((known["start"] + known["end"]) / 2).to_numpy()
    shown = [
        (
            Clip(Path(entry.root) / row.file_path, entry.fps),
            row.middle,
            f"{row.table}:{row.row}\n{row.file_path}\nlabel {row.actual} ({row.p_label:.2f})\n"
            f"model {row.suggested} ({row.p_suggested:.2f})",
        )
        for row in listed.head(plots.SHEET).itertuples()
    ]
    title = f"{entry.about}\n{len(listed)} labels of {len(model)} that the models doubt"
    plots.sheet(shown, title, out / "plots/suspects.png")


if __name__ == "__main__":
    explain(main)

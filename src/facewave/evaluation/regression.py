"""The files of a regression in metrics/evaluate/: what it gave, its figures, and a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.evaluation import continuous, measures, plots
from facewave.files import write_csv, write_json
from facewave.params import Evaluate, Params
from facewave.training import schema as training

FLOOR = "mean"  # the role that answers with the training part's means
_KEY = ["partition", "role", "video_idx"]


def write(
    answers: pd.DataFrame, how: dict[str, Any], loaded: Params, title: str, out: Path
) -> pd.DataFrame:
    """Write predictions.csv, report.json, metrics.json and plots/regression.png.

    Args:
        answers: of all partitions (answers.measure), with role.
        how: what report.json also has.
        loaded: params.yaml.
        title: of the picture.
        out: the folder.

    Returns:
        The answers that are drawn: over folds, where there are any, else of the split.
    """
    settings, entry = loaded.train, loaded.datasets[loaded.train.dataset]
    targets = tuple(settings.language.targets)
    rest = answers.columns.difference(_KEY, sort=False)
    write_csv(out / "predictions.csv", answers[[*_KEY, *rest]])
    folds = answers["partition"] != "split"
    groups = {"split": answers[~folds], "folds": answers[folds]}
    about = {"dataset": f"{settings.dataset}: {entry.about}", "targets": list(targets)}
    summaries = {
        key: summarize(group, settings.model, targets, loaded.evaluate)
        for key, group in groups.items()
        if len(group)
    }
    write_json(out / "report.json", about | how | summaries)
    short = {key: _headline(summary, targets) for key, summary in summaries.items()}
    write_json(out / "metrics.json", {"dataset": about["dataset"]} | short)
    shown = groups["folds"] if len(groups["folds"]) else groups["split"]
    values = continuous.from_table(shown, targets)
    plots.scatter(values, targets, title, out / "plots/regression.png")
    return shown


def summarize(
    group: pd.DataFrame, kind: str, targets: Sequence[str], settings: Evaluate
) -> dict[str, Any]:
    """Figures of the model and of the floor on the same test clips; what is undefined is None.

    Over several folds each role also has ``fold``: partition -> n and each target's figures in it.
    """
    means = {f"predicted_{target}": group[f"mean_{target}"] for target in targets}
    tables = {training.MODEL: (kind, group), FLOOR: (FLOOR, group.assign(**means))}
    values = continuous.from_table(group, targets)
    whole = measures.enough_groups(values.group_n)
    summary: dict[str, Any] = {
        "n": len(group),
        "subjects": int(group["subject"].nunique()) if (group["subject"] != "").all() else None,
        "interval_over": measures.grouped_by(group) if whole else "clips",
    }
    for role, (name, rows) in tables.items():
        values = continuous.from_table(rows, targets)
        found, drawn = continuous.overall(values), continuous.bootstrap(values, **asdict(settings))
        summary[role] = {"name": name} | {
            target: _figures(found, drawn, at) for at, target in enumerate(targets)
        }
        if values.n_folds > 1:
            by_fold = continuous.by_fold(values)
            summary[role]["fold"] = {
                partition: {"n": int((values.fold_n == fold).sum())}
                | {
                    target: {name: _rounded(by_fold[name][fold, at]) for name in by_fold}
                    for at, target in enumerate(targets)
                }
                for fold, partition in enumerate(rows["partition"].unique())
            }
    return summary


def _figures(
    found: Mapping[str, measures.Floats], drawn: Mapping[str, measures.Floats], target: int
) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for name in continuous.MEASURES:
        low, high = measures.interval(drawn[name][:, target])
        for end, value in (("", found[name][target]), ("_low", low), ("_high", high)):
            figures[name + end] = _rounded(value)
    return figures


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _headline(summary: Mapping[str, Any], targets: Sequence[str]) -> dict[str, Any]:
    """What fits a table of experiments."""
    roles = {role: found for role, found in summary.items() if isinstance(found, dict)}
    return {"n": summary["n"]} | {
        role: {"name": found["name"]}
        | {
            target: {name: found[target][name] for name in continuous.MEASURES}
            for target in targets
        }
        for role, found in roles.items()
    }

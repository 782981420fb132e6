"""The runs of the grid, of which some may have been made before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from facewave.evaluation.intervals import mean
from facewave.params import Params
from facewave.study.clips import Trajectories
from facewave.study.grid import COLUMNS, Run, joined
from facewave.study.runs import run
from facewave.study.scores import MEASURES, Score, columns_of, figures

Row = dict[str, Any]


def ablation(
    runs: Mapping[str, Run],
    known: Mapping[str, Row],
    trajectories: Trajectories,
    score: Score,
    partitions: Sequence[str | int],
    loaded: Params,
    save: Callable[[pd.DataFrame], None],
) -> pd.DataFrame:
    """The table of runs; those that are missing are made.

    Args:
        runs: key -> run, those of one transform and K in succession.
        known: key -> row of the runs that were made before.
        trajectories: of the dataset.
        score: what answers are counted by.
        partitions: each run is fitted on every one.
        loaded: params.yaml.
        save: called with the table so far after each run, so that a killed study resumes, and at
            the end.

    Returns:
        ``columns``, one row per run; of the measure that counts, such as uar, also val_uar,
        uar_by_fold and val_uar_by_fold.
    """
    rows = {key: known[key] for key in runs if key in known}
    names = sorted({name for one in runs.values() for name in one.inputs})
    missing = [key for key in runs if key not in known]
    with tqdm(total=len(runs), initial=len(runs) - len(missing), desc="study", unit="run") as bar:
        for transform, keys in groupby(missing, lambda key: runs[key].transform):
            clips = trajectories.clips(transform, names)
            parts = [clips.parts(partition) for partition in partitions]
            for key in keys:
                chosen, name = runs[key], score.measure
                settings = replace(loaded.train, inputs=list(chosen.inputs))
                targets = trajectories.dataset.targets
                outcome = run(clips, chosen.transform, targets, chosen.model, settings, parts)
                tested = score.tested(outcome.tested)
                val = [
                    float(score.tested(rows).figures([name])[name]) for rows in outcome.validated
                ]
                of_folds = [*tested.by_fold(name), *([np.nan] * len(parts))][: len(parts)]
                rows[key] = {
                    **chosen.named,
                    **figures(score, tested, loaded.evaluate),
                    f"val_{name}": MEASURES[name].written(float(mean(np.array(val)))),
                    f"{name}_by_fold": joined(name, of_folds),
                    f"val_{name}_by_fold": joined(name, val),
                    "key": key,
                }
                save(pd.DataFrame([rows[key] for key in runs if key in rows]))
                bar.update()
    table = pd.DataFrame([rows[key] for key in runs], columns=list(columns(score)))
    save(table)
    return table


def columns(score: Score) -> tuple[str, ...]:
    """Of the table of ``ablation``."""
    name = score.measure
    by_fold = (f"val_{name}", f"{name}_by_fold", f"val_{name}_by_fold")
    return (*COLUMNS, *columns_of(score.measures), *by_fold, "key")

"""The runs of the grid, of which some may have been made before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import pandas as pd
from tqdm import tqdm

from facewave.evaluation import measures
from facewave.labels import schema as labels
from facewave.params import Params
from facewave.study import grid
from facewave.study.clips import Trajectories
from facewave.study.grid import Run, joined
from facewave.study.runs import FIGURES, figures, run

COLUMNS = (*grid.COLUMNS, *FIGURES, "val_uar", "uar_by_fold", "val_uar_by_fold", "key")

Row = dict[str, Any]


def ablation(
    runs: Mapping[str, Run],
    known: Mapping[str, Row],
    trajectories: Trajectories,
    partitions: Sequence[str | int],
    loaded: Params,
    save: Callable[[pd.DataFrame], None],
) -> pd.DataFrame:
    """The table of runs; those that are missing are made.

    Args:
        runs: key -> run, those of one transform and K in succession.
        known: key -> row of the runs that were made before.
        trajectories: of the dataset.
        partitions: each run is fitted on every one.
        loaded: params.yaml.
        save: called with the table so far after each run, so that a killed study resumes, and at
            the end.

    Returns:
        ``COLUMNS``, one row per run.
    """
    rows = {key: known[key] for key in runs if key in known}
    names = sorted({name for one in runs.values() for name in one.inputs})
    missing = [key for key in runs if key not in known]
    with tqdm(total=len(runs), initial=len(runs) - len(missing), desc="study", unit="run") as bar:
        for transform, keys in groupby(missing, lambda key: runs[key].transform):
            clips = trajectories.clips(transform, names)
            parts = [labels.parts(clips.table, partition) for partition in partitions]
            for key in keys:
                chosen, classes = runs[key], trajectories.dataset.classes
                settings = replace(loaded.train, inputs=list(chosen.inputs))
                outcome = run(clips, chosen.transform, classes, chosen.model, settings, parts)
                rows[key] = {
                    **chosen.named,
                    **figures(outcome.answers, loaded.evaluate),
                    "val_uar": round(100 * outcome.val_uar, 2),
                    "uar_by_fold": joined(measures.uar(measures.confusion(outcome.answers))),
                    "val_uar_by_fold": joined(outcome.val_uars),
                    "key": key,
                }
                save(pd.DataFrame([rows[key] for key in runs if key in rows]))
                bar.update()
    table = pd.DataFrame([rows[key] for key in runs])
    save(table)
    return table

"""Depth against overfit: networks over faces of growing size, trained alike, and how they do.

Each of ``study.networks`` is trained on every partition with section train's settings, by labels
alone, whatever pseudo-labels there are (these are teaching.py's). What it answers of the clips that
it learnt from, less what it answers of test clips, is the gap: how much of what it knows is known
by heart.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.evaluation.intervals import mean
from facewave.files import sha256
from facewave.models import vision
from facewave.params import Evaluate, FaceNetworkKind, Params, Train
from facewave.study import kept
from facewave.study.runs import answer
from facewave.study.scores import Score, chance, counts, estimate, rounded, score_of
from facewave.training import checkpoints
from facewave.training import schema as training
from facewave.workspace import PSEUDO, Clips, Dataset

_VISION = Path(vision.__file__).parent
POOLED = "all"  # partitions together
COLUMNS = (
    *("network", "partition", "parameters", "measure", "n", "groups", "folds"),
    *("figure", "low", "high", "chance", "train", "validation", "gap"),
)


def of_dataset(loaded: Params, dataset: Dataset, partitions: Sequence[str | int]) -> pd.DataFrame:
    """Make networks.csv: without rows where no network is asked for, or none can be trained.

    Raises:
        UserError: as ``networks`` and ``made_from``.
    """
    kinds, settings = loaded.study.networks, replace(loaded.train, students=0)
    if kinds and (dataset.entry.features or dataset.entry.tracks):
        print(f"networks.csv is empty: {dataset.name} has no pictures of faces.")
        kinds = []
    key, make = kept.key("no networks"), partial(pd.DataFrame, columns=list(COLUMNS))
    if kinds:
        made = made_from(kinds, loaded, dataset)
        key = kept.key(kept.code("networks", "face_network"), made)
        make = partial(
            networks, kinds, dataset.clips(), score_of(dataset.targets), partitions, settings,
            loaded.evaluate, key,
        )  # fmt: skip
    return kept.table("networks", key, make)


def networks(
    kinds: Sequence[FaceNetworkKind],
    clips: Clips,
    score: Score,
    partitions: Sequence[str | int],
    settings: Train,
    evaluate: Evaluate,
    key: str,
) -> pd.DataFrame:
    """What networks answer of clips that they learnt from, and of others, as shares of 1.

    Args:
        kinds: of networks.
        clips: that have any of the targets, and a part.
        score: what answers are counted by.
        partitions: each is trained on every one.
        settings: section ``train``.
        evaluate: the bootstrap.
        key: names the checkpoints, from which a killed study resumes.

    Returns:
        ``COLUMNS``: a row for each network and partition and, where there are several partitions,
        one for all of them, whose figures are means over the partitions.

    Raises:
        UserError: a network cannot be trained, as in stage train.
    """
    from facewave.study.face_network import trained  # torchvision takes seconds to load

    rows, folder = [], place(key)
    for kind in kinds:
        tables: dict[str, list[pd.DataFrame]] = {"train": [], "val": [], "test": []}
        for partition in partitions:
            model, learnt = trained(
                kind, score.targets, clips, partition, settings, folder / f"{kind}-{partition}",
                "labels",
            )  # fmt: skip
            part = clips.parts(partition)
            judged = clips.select(model.judged(clips) & (part == "val").to_numpy())
            shown = {"train": learnt, "val": judged, "test": clips.select(part == "test")}
            for name, some in shown.items():
                tables[name].append(answer(model, some, partition))
            size = sum(weight.numel() for weight in model.module.parameters())
            named = {"network": kind, "partition": str(partition), "parameters": size}
            rows.append(named | _figures({n: t[-1:] for n, t in tables.items()}, score, evaluate))
        if len(partitions) > 1:
            named = {"network": kind, "partition": POOLED, "parameters": size}
            rows.append(named | _figures(tables, score, evaluate))
    shutil.rmtree(folder, ignore_errors=True)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def place(key: str) -> Path:
    """Where checkpoints of networks that are studied under a key are."""
    return checkpoints.ROOT / f"study-{key}"


def made_from(kinds: Sequence[FaceNetworkKind], loaded: Params, dataset: Dataset) -> list[Any]:
    """What figures of networks over faces follow from, but for the study's own code: for ``kept``.

    Raises:
        UserError: the dataset has no faces yet.
    """
    settings, index = replace(loaded.train, students=0), dataset.faces / "index.csv"
    if not index.exists():
        raise UserError(f"{index} is not here. Make it with: dvc repro crop@{dataset.name}")
    weights = Path(settings.vision.weights)
    return [
        *(code_of_vision(), sha256(dataset.labels), sha256(index)),
        sha256(weights) if weights.is_file() else "",
        sha256(PSEUDO / "labels.csv") if dataset.pseudo else "",
        [[kind, training.used_by(kind, settings)] for kind in kinds],
        *(asdict(loaded.evaluate), loaded.labels.ambiguous),
        sha256(dataset.landmarks / "index.csv"),
    ]


def code_of_vision() -> list[str]:
    """The hashes of the networks' modules, which are imported by name."""
    return [sha256(file) for file in sorted(_VISION.glob("*.py"))]


def _figures(
    tables: dict[str, list[pd.DataFrame]], score: Score, evaluate: Evaluate
) -> dict[str, Any]:
    """Counts and figures of answers, each list of which has a table a partition."""
    tested = score.tested(pd.concat(tables["test"], ignore_index=True))
    measured = estimate(score.measure, tested, evaluate)
    of_others = {
        name: float(mean(np.array([_figure(score, table) for table in tables[part]])))
        for name, part in (("train", "train"), ("validation", "val"))
    }
    figures = measured.named("figure")
    figures = {
        "figure": figures["figure"], "low": figures["figure_low"], "high": figures["figure_high"],
        "chance": chance(score, tested), **of_others,
        "gap": of_others["train"] - figures["figure"],
    }  # fmt: skip
    return {"measure": score.measure} | counts(tested) | rounded(figures)


def _figure(score: Score, table: pd.DataFrame) -> float:
    """The measure of one table of answers, NaN where none can be counted."""
    return float(score.tested(table).figures([score.measure])[score.measure])

"""What a model tells of what it learnt from, for its config.json and its card. Pure."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from facewave.params import Train
from facewave.targets import PROBABLE, Target, known
from facewave.workspace import Dataset


def of_training(
    dataset: Dataset, partition: str | int, settings: Train, learnt: pd.DataFrame, of: pd.DataFrame
) -> dict[str, Any]:
    """What a model tells of what it learnt from, for config.json.

    Args:
        dataset: which it is.
        partition: whose training part.
        settings: section ``train``.
        learnt: the label table's rows that it learnt from.
        of: those of the whole training part.

    Returns:
        dataset, description, licence, synthetic, partition, subset, clips and people, which is None
        where not all clips' subjects are known; with a budget ``left_out``, how many clips of
        each word are in the training part and not learnt from; and with pseudo-labels among what
        is learnt ``pseudo``: their track, who gave them (by), of how many clips, and whether it is
        known what those learnt from (known), and of how many clips neither label nor pseudo-label
        is known, as where a teacher answers (without). A second stage adds the role that it goes
        on from (after).
    """
    people = learnt["subject"].nunique() if (learnt["subject"] != "").all() else None
    return {
        "dataset": dataset.name,
        "description": dataset.entry.about,
        "licence": dataset.entry.licence,
        "synthetic": dataset.entry.synthetic,
        "partition": str(partition),
        "subset": settings.subset,
        "clips": len(learnt),
        "people": people,
        **({"left_out": _left_out(learnt, of)} if settings.budget else {}),
        **_of_pseudo(dataset, learnt),
    }


def _of_pseudo(dataset: Dataset, learnt: pd.DataFrame) -> dict[str, Any]:
    """``pseudo`` of ``of_training``; {} where nothing is learnt from pseudo-labels."""
    n_taught = int((learnt["pseudo"] != "").sum()) if "pseudo" in learnt else 0
    if dataset.pseudo is None or not n_taught:
        return {}
    told = {"track": dataset.pseudo.track, "by": dataset.pseudo.by, "clips": n_taught}
    has_votes = (learnt["excluded"] != "") & (learnt["votes"] != "")
    is_labelled = known(dataset.targets, learnt) | has_votes
    if without := int((~is_labelled & (learnt["pseudo"] == "")).sum()):
        told |= {"without": without}
    return {"pseudo": told | {"known": dataset.pseudo.is_lineage_known}}


def fewest_labels(targets: Sequence[Target], learnt: pd.DataFrame) -> int:
    """How many rows have the target of words or units that the fewest have; 0 without any."""
    counted = [one for one in targets if one.kind in PROBABLE]
    return min((int(known([one], learnt).sum()) for one in counted), default=0)


def _left_out(learnt: pd.DataFrame, of: pd.DataFrame) -> dict[str, int]:
    counts = of["actual"][~of.index.isin(learnt.index)].value_counts()
    return {str(word): int(n) for word, n in counts.sort_index().items() if word}

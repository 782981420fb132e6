"""Stage pseudo: ``python -m facewave.pseudo``.

Reads   data/tracks/<train.dataset>/<pseudo.track>.csv and .json, data/labels/<train.dataset>.csv,
        data/landmarks/<train.dataset>/index.csv
Writes  data/pseudo/labels.csv    what teaches, one row per clip without a label of its own
        data/pseudo/known.csv     what the track, and those whose vote it is, answer of clips whose
                                  label is known
        data/pseudo/config.json   what made it
        metrics/pseudo.json       how many answers there are, of which words, and how many teach
It runs each time: a track is made by a command, after stage train, and no stage writes it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from facewave import params
from facewave.errors import UserError, explain
from facewave.files import sha256, write_json
from facewave.labels import schema as labels
from facewave.params import Params
from facewave.pseudo import choose, schema, tracks
from facewave.workspace import PSEUDO, Dataset

METRICS = Path("metrics/pseudo.json")


def main() -> None:
    """Choose what teaches."""
    loaded = params.load()
    pseudo = schema.NOTHING
    if loaded.pseudo.track != schema.NOTHING.track:
        pseudo, counts = _chosen(loaded)
        print(f"{PSEUDO}/labels.csv: {len(pseudo.labels)} of {counts['answers']} answers teach")
    else:
        _, counts = choose.teaching(tracks.typed(tracks.EMPTY, (), METRICS), (), loaded.pseudo)
    schema.write(PSEUDO, pseudo)
    n_known = int((pseudo.known["track"] == pseudo.track).sum())
    about = {"track": pseudo.track, "by": pseudo.by, "known": n_known}
    write_json(METRICS, about | counts)


def _chosen(loaded: Params) -> tuple[schema.Pseudo, dict[str, int]]:
    dataset, settings = Dataset(loaded.train.dataset, loaded), loaded.pseudo
    table = tracks.keyed(labels.with_trajectories(dataset.read_labels()), dataset)
    rows, about = tracks.read(dataset, settings.track, table)
    answers = tracks.typed(rows, dataset.classes, tracks.path_of(dataset, settings.track))
    lineage = about.get("lineage", {})
    unlabelled = table[labels.unlabelled(table)]
    is_trained_on = _is_trained_on(unlabelled, dataset, loaded)
    of_others = answers[answers["video_idx"].isin(unlabelled.loc[is_trained_on, "video_idx"])]
    if n_never := answers["video_idx"].isin(unlabelled.loc[~is_trained_on, "video_idx"]).sum():
        answers_to = "answers are to clips" if n_never > 1 else "answer is to a clip"
        print(f"{n_never} {answers_to} that no partition trains on, and cannot teach")
    if settings.confidence and len(of_others) and of_others["confidence"].isna().all():
        raise UserError(
            f"pseudo.confidence is {settings.confidence}, but nobody knows how sure the answers of "
            f"track {settings.track} are. Set it to 0, or take another track."
        )
    voters = _voters(dataset, about.get("vote", {}), table)
    chosen, counts = choose.teaching(of_others, dataset.classes, settings)
    pseudo = replace(
        schema.NOTHING,
        labels=chosen,
        lineage=lineage,
        track=settings.track,
        by=about.get("by", ""),
        known=pd.concat(
            choose.known(rows, table, dataset.classes, lineage, name)
            for name, rows in ({settings.track: answers} | voters).items()
        ).reset_index(drop=True),
        unknown=about.get("unknown", ()),
    )
    return pseudo, counts


def _is_trained_on(clips: pd.DataFrame, dataset: Dataset, loaded: Params) -> "pd.Series[bool]":
    """Which rows of the label table are in the training part of any of train.partitions."""
    folds = labels.folds_of(dataset.read_labels())
    parts = [labels.parts(clips, partition, folds) for partition in loaded.train.partitions]
    return (pd.concat(parts, axis=1) == "train").any(axis=1) & (clips["split"] != "")


def _voters(
    dataset: Dataset, votes: Mapping[str, str], table: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The answers of tracks that voted, those that are still what they were then.

    Args:
        dataset: what they are about.
        votes: their names and the SHA-256 of their files.
        table: rows of the label table with their ``key``.
    """
    answers = {}
    for name, digest in votes.items():
        place = tracks.path_of(dataset, name)
        if not place.exists() or sha256(place) != digest:
            print(f"{place} is not what voted: known.csv is without its answers")
            continue
        rows, _ = tracks.read(dataset, name, table)
        answers[name] = tracks.typed(rows, dataset.classes, place)
    return answers


if __name__ == "__main__":
    explain(main)

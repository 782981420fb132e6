"""What others published for a corpus, beside a run's own figures.

``published.csv`` has a row for each method: the corpus and its track, what it looks at, its figures
in percent, on how many classes and test clips and whose folds, what it was chosen on (many papers
keep the epoch that is best on the test part), and where the figure stands. A corpus's rows begin
with those of its first track. Nothing of it is computed here.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pandas as pd

from facewave.params import Dataset

MEASURES = ("war", "uar", "macro_f1", "ccc_valence", "ccc_arousal")
OFFICIAL, DRAWN = "official", "drawn here"


@dataclass(frozen=True)
class Run:
    """What a run's own figures are of, as far as a published figure may differ in it."""

    corpus: str
    track: str  # "" for the corpus's first
    classes: int
    n: int  # test clips
    folds: str


def run_of(entry: Dataset, table: pd.DataFrame, classes: int, n: int, tested: Sequence[str]) -> Run:
    """What a run is of.

    Args:
        entry: of the dataset in params.yaml.
        table: the label table's rows with a label.
        classes: how many it has.
        n: test clips.
        tested: the partitions: "split", or numbers of folds.
    """
    of_folds = tested[0] != "split"
    is_official = table["validation"].notna().any() if of_folds else table["fold"].isna().all()
    folds = OFFICIAL if entry.official and is_official else DRAWN
    if isinstance(entry.folds, str):  # a preset of the corpus
        folds = entry.folds
    if of_folds and set(tested) != set(table["fold"].dropna().map(str)):
        folds += f" fold{'s' * (len(tested) > 1)} {', '.join(tested)}"
    return Run(entry.reader, entry.track, classes, n, folds)


def beside(run: Run) -> list[dict[str, Any]]:
    """The published figures of a run's corpus and track, those of the fewest differences first.

    Returns:
        The columns of ``published.csv``, numbers as such and None where there is none, and
        ``differs``: in what the run differs, as text; empty where nothing is known to.
    """
    content = resources.files("facewave.evaluation").joinpath("published.csv").read_text("utf-8")
    rows = [row for row in csv.DictReader(content.splitlines()) if row["corpus"] == run.corpus]
    track = run.track or (rows[0]["track"] if rows else "")
    found = [_typed(row) for row in rows if row["track"] == track]
    found = [row | {"differs": _differences(row, run)} for row in found]
    return sorted(found, key=lambda row: len(row["differs"]))


def _typed(row: dict[str, str]) -> dict[str, Any]:
    numbers = {name: float(row[name]) if row[name] else None for name in MEASURES}
    counts = {name: int(row[name]) if row[name] else None for name in ("classes", "n")}
    return row | numbers | counts


def _differences(row: dict[str, Any], run: Run) -> list[str]:
    """What is not the same, there and here."""
    pairs = {"classes": run.classes, "test clips": run.n, "folds": run.folds}
    there = {"classes": row["classes"], "test clips": row["n"], "folds": row["folds"]}
    if there["test clips"] is None:
        there["test clips"] = "unknown"
    return [
        f"{name}: {there[name]}, here {here}" for name, here in pairs.items() if there[name] != here
    ]

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

from facewave.labels import schema as labels
from facewave.params import Dataset

RECOGNISED = ("war", "uar", "macro_f1")
REGRESSED = ("ccc_valence", "ccc_arousal")
OFFICIAL, DRAWN = "official", "drawn here"
_CHALLENGE = (
    "abaw_compound",
    "compound",
)  # of the seven compounds; whose test part differs by year


@dataclass(frozen=True)
class Run:
    """What a run's own figures are of, as far as a published figure may differ in it."""

    corpus: str
    track: str  # "" for the corpus's first
    classes: int  # 0 of a regression
    n: int  # test clips
    folds: str
    normalized: bool = False  # by other clips of each person
    compounds: bool = False  # whether its words are the seven compounds, of whatever corpus

    def text(self) -> str:
        """In words, for the reader of what differs."""
        classes = f"{self.classes} classes, " * bool(self.classes)
        baseline = ", with other clips of each person" * self.normalized
        return f"{classes}{self.n} test clips, folds {self.folds}{baseline}"


def run_of(
    entry: Dataset,
    table: pd.DataFrame,
    classes: int,
    n: int,
    tested: Sequence[str],
    normalized: bool = False,
) -> Run:
    """What a run is of.

    Args:
        entry: of the dataset in params.yaml.
        table: the label table's rows with a label.
        classes: how many it has, 0 for a regression.
        n: test clips.
        tested: the partitions: "split", or numbers of folds.
        normalized: whether the model takes other clips of each person.
    """
    of_folds = tested[0] != "split"
    is_official = table["validation"].notna().any() if of_folds else table["fold"].isna().all()
    folds = OFFICIAL if entry.official and is_official else DRAWN
    preset: object = entry.folds
    if of_folds and isinstance(preset, str):  # published folds, by their name
        folds = preset
    if of_folds and set(tested) != set(table["fold"].dropna().map(str)):
        folds += f", fold{'s' * (len(tested) > 1)} {', '.join(tested)}"
    words = table["actual"].unique()
    is_compound = classes == len(labels.COMPOUND) and all(map(labels.compound, words))
    return Run(entry.reader, entry.track, classes, n, folds, normalized, is_compound)


def beside(run: Run) -> list[dict[str, Any]]:
    """The published figures of a run's corpus and track, those of the fewest differences first.

    A classification (``run.classes``) gets those that are of one, a regression the others; one of
    the seven compounds also those of the challenge that asks for them.

    Returns:
        The columns of ``published.csv``, numbers as such and None where there is none, and
        ``differs``: what is not the same there as in the run, as text; empty where nothing is known
        not to be.
    """
    content = resources.files("facewave.evaluation").joinpath("published.csv").read_text("utf-8")
    rows = list(csv.DictReader(content.splitlines()))
    first = next((row["track"] for row in rows if row["corpus"] == run.corpus), "")
    asked = {(run.corpus, run.track or first)} | ({_CHALLENGE} if run.compounds else set())
    measures = RECOGNISED if run.classes else REGRESSED
    found = [
        row | {"differs": _differences(row, run)}
        for row in map(_typed, rows)
        if (row["corpus"], row["track"]) in asked
        and any(row[name] is not None for name in measures)
    ]
    return sorted(found, key=lambda row: len(row["differs"]))


def _typed(row: dict[str, str]) -> dict[str, Any]:
    numbers = {name: float(row[name]) if row[name] else None for name in (*RECOGNISED, *REGRESSED)}
    counts = {name: int(row[name]) if row[name] else None for name in ("classes", "n")}
    return row | numbers | counts


def _differences(row: dict[str, Any], run: Run) -> list[str]:
    """What is not the same there as here."""
    pairs: dict[str, tuple[Any, Any]] = {
        "corpus": (row["corpus"], run.corpus),
        "classes": (row["classes"], run.classes or row["classes"]),
        "test clips": (row["n"] or "not known", run.n),
        "folds": (row["folds"], run.folds),
    }
    differing = [f"{what} {there}" for what, (there, here) in pairs.items() if there != here]
    return differing + ["each clip alone"] * run.normalized

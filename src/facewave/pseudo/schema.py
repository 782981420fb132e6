"""The contracts of pseudo-labels: a track that answers a dataset's clips, and data/pseudo/.

A track is data/tracks/<dataset>/<track>.csv (tracks.py), one row per clip, and beside it a .json
that says what made it, with ``by``, who it is, ``lineage``: what the models behind it learnt from
(as training.leaks.Lineage), and ``unknown``: of whom behind it nobody knows that.
data/pseudo/labels.csv has the rows that teach, one per clip without a label of its own; known.csv
what the track answers of clips whose label is known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from facewave.errors import UserError
from facewave.files import read_csv, write_csv, write_json

# Columns of a track of pseudo-labels, beside the clip and ``p_<word>`` (empty where whoever answers
# gives no probabilities).
TRACK = (
    "predicted",  # one of the dataset's words; "": refused, or nothing that can be read
    "confidence",  # [0, 1]: the word's probability, or share of the votes; empty: not known
    "source",  # who said it: a model, a file and its row, the tracks that voted
    "origin",  # one of ``ORIGINS``
)
ANSWER = "answer"
PRIOR = "prior"  # nothing was seen or heard: the class frequencies
PREVIOUS = "previous"  # one of these, which took the label of the moment before
REFUSED = "refused"  # no word was said, or none that can be read
ORIGINS = (ANSWER, PRIOR, PREVIOUS, REFUSED)
SAID = (ANSWER, PREVIOUS)  # of these labels may be learnt

COLUMNS = (
    "video_idx",
    "word",  # one of the dataset's
    "confidence",
    "shares",  # JSON object, word -> probability; "" where they are not known
    "source",
)
# What the track, and those whose vote it is, answer of clips with a known label that nobody behind
# the track learnt from.
KNOWN = (
    "track",
    *("video_idx", "file_path", "subject", "source", "actual"),  # of the label table
    *("predicted", "confidence", "origin"),  # of the track
)


def _none_known() -> pd.DataFrame:
    return pd.DataFrame(columns=list(KNOWN))


@dataclass(frozen=True, eq=False)
class Pseudo:
    """Pseudo-labels that teach.

    Attributes:
        labels: ``COLUMNS``, by video_idx.
        lineage: ``before``: datasets and partitions that the models behind them learnt from;
            ``learnt`` and ``validated``: those clips (training.leaks.keys). {} where nobody knows.
        track: their name, "none" without any.
        by: who gave them, for people.
        known: ``KNOWN``, track by track, ``track`` first, in the label table's order.
        unknown: those behind them of whom nobody knows what they learnt from, beside the others
            that ``lineage`` is about.
    """

    labels: pd.DataFrame
    lineage: Mapping[str, Any]
    track: str
    by: str = ""
    known: pd.DataFrame = field(default_factory=_none_known)
    unknown: Sequence[str] = ()

    @property
    def is_lineage_known(self) -> bool:
        """Whether ``lineage`` is all that they follow from."""
        return bool(self.lineage) and not self.unknown


NOTHING = Pseudo(pd.DataFrame(columns=list(COLUMNS)).set_index("video_idx"), {}, "none")


def write(folder: Path, pseudo: Pseudo) -> None:
    """Write labels.csv, known.csv and config.json; the same labels give the same bytes."""
    write_csv(folder / "labels.csv", pseudo.labels.reset_index()[list(COLUMNS)])
    write_csv(folder / "known.csv", pseudo.known[list(KNOWN)])
    config = {"track": pseudo.track, "by": pseudo.by, "lineage": dict(pseudo.lineage)}
    config |= {"unknown": list(pseudo.unknown)}
    write_json(folder / "config.json", config)


def read(folder: Path) -> Pseudo:
    """Read what stage pseudo wrote.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        number: dict[str, Any] = {"confidence": float}
        labels, known = (
            read_csv(folder / f"{name}.csv", [one for one in columns if one not in number], number)
            for name, columns in (("labels", COLUMNS), ("known", KNOWN))
        )
        config = json.loads((folder / "config.json").read_text("utf-8"))
        made = (config["lineage"], config["track"], config["by"], known[list(KNOWN)])
        of_clips = labels[list(COLUMNS)].set_index("video_idx")
        return Pseudo(of_clips, *made, unknown=config["unknown"])
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not here. Make it with: dvc repro pseudo") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} is damaged ({error}). Make it: dvc repro -f pseudo") from None

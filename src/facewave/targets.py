"""What models are asked about a clip: words, numbers and action units. Pure.

``train.targets`` names them:

- ``classes``: the corpus's own words; ``quadrant``: of valence and arousal; ``about.<name>``: words
  of what else the corpus knows, such as ``about.sex``;
- ``valence``, ``arousal``, ``dominance``, in [-1, 1]; ``score.<name>``: what a questionnaire gives;
- ``aus``: action units, whether each is there (0 or 1) or how strong it is.

A clip may have some targets and lack others. What it lacks is NaN, or "" where it is a word.

Legend of names: n clips, W columns of a target: its words, its units, or one number.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError

CLASSES, QUADRANT, UNITS = "classes", "quadrant", "aus"
PLANE = ("valence", "arousal", "dominance")
SCORE, ABOUT = "score.", "about."
QUADRANTS = ("positive aroused", "negative aroused", "negative calm", "positive calm")
_MOST_WORDS = 30  # of what else is known, to be a target
NEUTRAL = "neutral"  # the fifth quadrant, where there is a neutral zone

Kind = Literal["words", "number", "presence", "intensity"]
Floats = NDArray[np.float64]
PROBABLE: tuple[Kind, ...] = ("words", "presence")  # whose answers are probabilities


@dataclass(frozen=True)
class Target:
    """One thing that is asked of a clip.

    Attributes:
        name: as ``train.targets`` has it.
        kind: one of several words, a number, or of each action unit whether it is there
            (``presence``) or how strong it is (``intensity``).
        names: the words, in the order of their codes; the units; of a number its own name alone.
        low, high: between which a number lies, None where nobody says so.
    """

    name: str
    kind: Kind
    names: tuple[str, ...]
    low: float | None = None
    high: float | None = None

    @property
    def is_words(self) -> bool:
        """Whether the answer is one of its names."""
        return self.kind == "words"

    @property
    def width(self) -> int:
        """W: the columns of its truth, and of the answers to it."""
        return len(self.names)

    @property
    def actual(self) -> tuple[str, ...]:
        """Columns with the truth, of a table of answers."""
        if self.is_words:
            return ("actual" + self._suffix,)
        return tuple(f"actual_{name}" for name in self.names)

    @property
    def predicted(self) -> str | None:
        """The column with the word that was answered."""
        return "predicted" + self._suffix if self.is_words else None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns with the model's own numbers: W probabilities or values."""
        if self.is_words:
            return tuple(f"p{self._suffix}_{name}" for name in self.names)
        return tuple(f"predicted_{name}" for name in self.names)

    @property
    def ends(self) -> tuple[str, ...]:
        """Columns with the ends of a number's prediction interval."""
        return (f"low_{self.name}", f"high_{self.name}") if self.kind == "number" else ()

    @property
    def answered(self) -> tuple[str, ...]:
        """Columns with what a model answered."""
        return (*filter(None, [self.predicted]), *self.numbers, *self.ends)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a table of answers that are about it."""
        return (*self.actual, *self.answered)

    @property
    def _suffix(self) -> str:
        return "" if self.name == CLASSES else f"_{self.name}"


def number(name: str) -> Target:
    """The target of one number."""
    return Target(name, "number", (name,), *((-1.0, 1.0) if name in PLANE else ()))


def quadrants(valence: Floats, arousal: Floats, neutral_zone: float = 0.0) -> NDArray[np.object_]:
    """The quadrant of each point, "" where a value is missing or exactly 0: it has no sign.

    Points no further than ``neutral_zone`` from the plane's centre are neutral, if it is above 0.
    """
    names = np.full(np.shape(valence), "", object)
    for name in QUADRANTS:
        side, height = name.split(" ")
        across = valence > 0 if side == "positive" else valence < 0
        names[across & (arousal > 0 if height == "aroused" else arousal < 0)] = name
    if neutral_zone:
        names[np.hypot(valence, arousal) <= neutral_zone] = NEUTRAL
    return names


def resolve(names: Sequence[str], table: pd.DataFrame, classes: Sequence[str]) -> list[Target]:
    """The targets of a dataset.

    Args:
        names: as ``train.targets`` has them.
        table: a label table with all its rows.
        classes: the dataset's words.

    Raises:
        UserError: no clip has one of them.
    """
    known = available(table, classes)
    if missing := [name for name in names if name not in known]:
        raise UserError(
            f"params.yaml: train.targets: no clip has {missing[0]!r}; there are "
            f"{', '.join(known) or 'none'}. Name some of these, or add a table that has it "
            "(datasets.NAME.more)."
        )
    return [known[name] for name in names]


def available(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Target]:
    """The targets that some clip has, by name.

    What else is known is one if it has 2 to 30 words that are not all numbers, such as ages.
    """
    found = [Target(CLASSES, "words", tuple(classes))] if classes else []
    quadrants = set(table[QUADRANT]) - {""}
    if quadrants:
        names = (*QUADRANTS, *([NEUTRAL] if NEUTRAL in quadrants else []))
        found.append(Target(QUADRANT, "words", names))
    found += [number(name) for name in PLANE if table[name].notna().any()]
    units = [value for row in _entries(table, "aus") for value in row.items()]
    if units:
        kind: Kind = "presence" if {value for _, value in units} <= {0, 1} else "intensity"
        names = tuple(sorted({unit for unit, _ in units}, key=_number_of))
        found.append(Target(UNITS, kind, names))
    scores = {name for row in _entries(table, "scores") for name in row}
    found += [number(SCORE + name) for name in sorted(scores)]
    texts: dict[str, set[str]] = {}
    for row in _entries(table, "about"):
        for name, text in row.items():
            texts.setdefault(name, set()).add(str(text))
    found += [
        Target(ABOUT + name, "words", tuple(sorted(words - {""})))
        for name, words in sorted(texts.items())
        if 1 < len(words - {""}) <= _MOST_WORDS
        and pd.to_numeric(pd.Series(sorted(words - {""})), errors="coerce").isna().any()
    ]
    return {target.name: target for target in found}


def actual(target: Target, table: pd.DataFrame) -> pd.DataFrame:
    """The truth of each row of a label table: ``target.actual``, with the table's index."""
    if target.is_words:
        return pd.DataFrame({target.actual[0]: _words(target, table)}, index=table.index)
    return pd.DataFrame(_values(target, table), table.index, list(target.actual))


def truth(target: Target, table: pd.DataFrame) -> Floats:
    """The truth as numbers, (n, W), NaN where it is not known; of a word 1 in its column."""
    if not target.is_words:
        return _values(target, table)
    codes_n = pd.Index(target.names).get_indexer(_words(target, table))
    one_hot_nW = np.eye(len(target.names))[codes_n]
    return np.where(codes_n[:, None] >= 0, one_hot_nW, np.nan)


def split(targets: Sequence[Target], of_all: Floats) -> list[Floats]:
    """The columns of each target, of those of all (..., W)."""
    ends = np.cumsum([target.width for target in targets])[:-1]
    return np.split(of_all, ends, axis=-1)


def known(targets: Sequence[Target], table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows of a label table have any of the targets, (n,)."""
    found = [~np.isnan(truth(target, table)).all(axis=1) for target in targets]
    return np.asarray(np.any(found, axis=0)) if found else np.zeros(len(table), bool)


def _words(target: Target, table: pd.DataFrame) -> NDArray[np.object_]:
    """A word for each row, "" where none is known."""
    if target.name == CLASSES:  # what is left out for its label alone has no word to trust
        words = table["actual"].where(table["excluded"] == "", "")
    elif target.name == QUADRANT:
        words = table[QUADRANT]
    else:
        name = target.name.removeprefix(ABOUT)
        words = pd.Series([str(row.get(name, "")) for row in _entries(table, "about")])
    return np.where(np.isin(words, target.names), words, "").astype(object)


def _values(target: Target, table: pd.DataFrame) -> Floats:
    """A number for each row and name, (n, W)."""
    if target.name in PLANE:
        return table[[target.name]].to_numpy(float)
    column, names = "aus", list(target.names)
    if target.name.startswith(SCORE):
        column, names = "scores", [target.name.removeprefix(SCORE)]
    rows = _entries(table, column)
    values = [[row.get(name, np.nan) for name in names] for row in rows]
    return np.array(values, float).reshape(len(table), len(names))


def _entries(table: pd.DataFrame, column: str) -> list[dict[str, float]]:
    """The JSON objects of a column, {} where there is none."""
    return [json.loads(text) if text else {} for text in table[column]]


def _number_of(unit: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, unit))
    return int(digits or 0), unit

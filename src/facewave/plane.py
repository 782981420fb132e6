"""Words for numbers: where emotions lie in the plane of valence and arousal, and what scores mean.

plane.csv has the mean pleasure, arousal and dominance of emotion words, each in [-1, 1], as 300
people rated them, most of them from Russell and Mehrabian ("Evidence for a three-factor theory of
emotions", Journal of Research in Personality 11, 1977), whose word for it stands in column
``term``; one that they lack is from Gebhard ("ALMA: a layered model of affect", AAMAS 2005), who
set it by judgement. Neutral is the origin by definition. What a word means to a corpus's annotators
may lie elsewhere.

cut_points.csv has published cut points of questionnaires' scores: T scores of PROMIS (mean 50,
standard deviation 10 in a reference population of adults), for the banks of symptoms, of which
more is worse. They are for scores whose names begin with ``promis`` and have one of the ``banks``
in them, in any case; others, such as function, positive affect or support, are read the other way
round or have cut points of their own, and get no reading.
"""

import csv
import math
import re
from functools import cache
from importlib import resources

Position = tuple[float, float, float]  # valence, arousal, dominance


@cache
def _rows(name: str) -> list[dict[str, str]]:
    content = resources.files("facewave").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(content.splitlines()))


@cache
def _positions() -> dict[str, Position]:
    """Where each word of plane.csv lies, and each of its other forms."""
    return {
        word: (float(row["valence"]), float(row["arousal"]), float(row["dominance"]))
        for row in _rows("plane.csv")
        for word in (row["word"], *row["also"].split())
    }


WORDS = tuple(row["word"] for row in _rows("plane.csv"))  # those that ``nearest`` chooses from


def position(word: str) -> Position | None:
    """Where a word lies: valence, arousal and dominance, each in [-1, 1].

    A compound (``sadness_anger``, ``Fearfully Surprised``) lies at the mean of its parts.

    Returns:
        None where the word, or a part of it, is not in plane.csv.
    """
    parts = [_positions().get(part) for part in re.split("[_ ]", word.lower())]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    valence, arousal, dominance = (
        math.fsum(axis) / len(known) for axis in zip(*known, strict=True)
    )
    return valence, arousal, dominance


def nearest(valence: float, arousal: float) -> str:
    """The word of ``WORDS`` that lies nearest to a point, whatever its dominance."""
    at = _positions()
    return min(WORDS, key=lambda word: math.dist(at[word][:2], (valence, arousal)))


def reading(score: str, value: float) -> str:
    """What the published cut points say of a score, such as "mild"; "" where there are none.

    Args:
        score: its name, without ``score.``.
        value: as the questionnaire gives it; NaN has no reading.
    """
    name = " ".join(re.findall("[a-z]+", score.lower()))
    said = ""
    for row in _rows("cut_points.csv"):
        applies = name.startswith(row["names"])
        applies &= any(bank in name for bank in row["banks"].split("; "))
        if applies and value >= float(row["from"]):
            said = row["reading"]
    return said

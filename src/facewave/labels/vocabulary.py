"""The words that corpora have in common: seven emotions, or seven compounds of them.

The counterparts among the seven are those of vocabulary.csv: one row a word of a corpus, which says
why it has none; those among the compounds follow from the emotions that a word names.
"""

import csv
from importlib import resources

from facewave.errors import UserError
from facewave.labels.schema import compound


def to_compounds(reader: str, words: tuple[str, ...]) -> dict[str, str]:
    """Each word's counterpart among the seven compounds, "" for none.

    Raises:
        UserError: no word has one.
    """
    compound_of = {word: compound(word) for word in words}
    if not any(compound_of.values()):
        raise UserError(
            f"params.yaml: words: compound has no counterparts for {reader}'s {', '.join(words)}. "
            "Use words: own, or a track of compounds."
        )
    return compound_of


def to_seven(reader: str, words: tuple[str, ...]) -> dict[str, str]:
    """Each word's counterpart among the seven, "" for none.

    Raises:
        UserError: a word has no row, as those of compound expressions have not.
    """
    content = resources.files("facewave.labels").joinpath("vocabulary.csv").read_text("utf-8")
    counterparts = {
        row["word"]: row["common"]
        for row in csv.DictReader(content.splitlines())
        if row["reader"] == reader
    }
    if missing := [word for word in words if word not in counterparts]:
        raise UserError(
            f"params.yaml: words: seven has no counterparts for {reader}'s {missing[0]!r}. Use "
            "words: own, or another track."
        )
    return {word: counterparts[word] for word in words}


MAPPINGS = {"seven": to_seven, "compound": to_compounds}  # as schema.VOCABULARIES

"""The seven words that corpora have in common: vocabulary.csv, read and checked.

One row a word of a corpus: its counterpart among the seven, or none and why not.
"""

import csv
from importlib import resources

from facewave.errors import UserError


def to_seven(reader: str, words: tuple[str, ...]) -> dict[str, str]:
    """Each word's counterpart, "" for none.

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

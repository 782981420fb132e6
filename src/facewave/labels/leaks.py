"""Leak check: nothing in the test part, and nobody, is also in training or validation."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import pandas as pd

from facewave.errors import UserError
from facewave.labels.schema import parts

# Columns whose values must not be in two parts, and their names in messages.
_KEYS = {"video_idx": "clip", "file_path": "file", "twin": "copied file"}
_KEYS |= {"subject": "subject", "source": "source"}
_NAMED = 3


def check(table: pd.DataFrame, what: str) -> None:
    """Check the split and every fold of the kept rows of the label table named ``what``.

    Raises:
        UserError: a clip, a file, a subject or a source is in two parts of a partition.
    """
    for title, part in _partitions(table):
        for one, other in combinations(("train", "val", "test"), 2):
            in_common = shared(table[part == one], table[part == other])
            if in_common:
                official = table["validation"].notna().any() or (table["part"] != "").any()
                raise UserError(
                    f"{what}, {title}: {one} and {other} share {in_common}. "
                    + _ADVICE[bool(official)]
                )


_ADVICE = {
    True: "The corpus's own parts leak; to draw disjoint ones set official: false in its entry "
    "in params.yaml (of a union, take part out of its parts).",
    False: "The stored parts no longer fit the table: delete its .folds.json to draw new ones.",
}


def empty_parts(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """The title of each partition that lacks parts, with these parts."""
    for title, part in _partitions(table):
        if missing := [name for name in ("train", "val", "test") if not (part == name).any()]:
            yield title, " and ".join(missing)


def absent_words(table: pd.DataFrame, words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each word, "train" or "test", and the partitions, joined, in which that part has none of it.

    Parts without any clip are left to ``empty_parts``.
    """
    partitions = dict(_partitions(table))
    for word, name in product(words, ("train", "test")):
        titles = [
            title
            for title, part in partitions.items()
            if (part == name).any() and not ((part == name) & (table["actual"] == word)).any()
        ]
        if titles:
            yield word, name, ", ".join(titles)


def _partitions(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """The split and every fold by its title, with each row's part."""
    folds = sorted(int(fold) for fold in table["fold"].dropna().unique())
    yield "split", parts(table, "split")
    if table["validation"].notna().any() or len(folds) > 2:
        for fold in folds:
            yield f"fold {fold}", parts(table, fold)


def shared(one: pd.DataFrame, other: pd.DataFrame) -> str:
    """A description of what two sets of rows have in common; "" for nothing.

    Both have video_idx, file_path, subject and source, and twin if it is known.
    """
    texts = []
    for column, name in _KEYS.items():
        both = sorted((set(one[column]) & set(other[column])) - {""}) if column in one else []
        if both:
            more = f" and {len(both) - _NAMED} more" if len(both) > _NAMED else ""
            texts.append(f"{len(both)} {name}s ({', '.join(both[:_NAMED])}{more})")
    return ", ".join(texts)

"""Answers from elsewhere, of any service or person: a table with a row a clip, read strictly."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from facewave.errors import UserError
from facewave.labels import tables
from facewave.prompts.reading import read as read_answer
from facewave.pseudo.schema import ANSWER, REFUSED
from facewave.pseudo.tracks import CLIP

_CLIPS = ("video_idx", "file_path", "image_location")  # the first that there is says which clip
_ANSWERS = ("predicted", "answer")  # a word, or free text
_EXPECTED = {  # of a clip's video_idx and file_path
    "video_idx": "video_idx should be as in the label table, such as {0}",
    "file_path": "file_path should be as in the label table, such as {1}",
    "image_location": "image_location should be the end of a clip's name, such as {0} or {1}",
}
_REFUSED = "no word, or no single one, which counts as a refusal"
_SHOWN = 3  # rows that a message names


def read(path: Path, clips: pd.DataFrame, words: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The answers of a table, and what is wrong with rows of it.

    Columns: one of ``video_idx``, ``file_path`` and ``image_location`` (01/00001.jpg, as the
    challenge names frames: the end of the clip's name) for the clip; ``predicted``, a word, or
    ``answer``, free text (prompts.reading), which counts where there is no word; ``confidence`` and
    ``p_<word>``, if it has them. Others are left alone. A text that names no word is a refusal;
    the confidence is then empty.

    Args:
        path: .csv, .tsv or .xlsx.
        clips: ``CLIP`` of rows of the label table.
        words: of the classes.

    Returns:
        ``CLIP``, ``schema.TRACK`` and ``p_<word>`` of the clips with an answer, in their order; one
        sentence for each kind of problem, with its rows. They are left out, but for refusals.

    Raises:
        UserError: it is no such table, or no row of it fits a clip.
    """
    if not path.exists():
        raise UserError(f"{path} is not here. Name a table of answers with --answers.")
    known = (*_CLIPS, *_ANSWERS, "confidence", *(f"p_{word}" for word in words))
    lines = tables.rows(path, (), known)
    header = lines[0][1]
    lines = [(number, fields) for number, fields in lines if any(fields.values())]
    column = next((name for name in _CLIPS if name in header), None)
    of_answers = [name for name in _ANSWERS if name in header]
    if column is None or not of_answers:
        raise UserError(
            f"{path}: the header should have {', '.join(_CLIPS[:-1])} or {_CLIPS[-1]}, for the "
            f"clip, and {' or '.join(_ANSWERS)}, for what is said of it."
        )
    place_of = _places(clips, column)
    shares = [f"p_{word}" for word in words if f"p_{word}" in header]
    kept: dict[int, dict[str, Any]] = {}
    problems: dict[str, list[int]] = {}
    for number, fields in lines:
        try:
            place = place_of(fields[column])
            if place in kept:
                raise tables.Unusable("a clip that a row before it answers")
            text = next((fields[name] for name in of_answers if fields[name]), "")
            word = read_answer(text, words)
            if fields.get("predicted") and not word:
                raise tables.Unusable("a word that is none of the classes")
            numbers = {name: _share(fields[name], name) for name in ("confidence", *shares)
                       if name in header}  # fmt: skip
        except tables.Unusable as problem:
            problems.setdefault(str(problem), []).append(number)
            continue
        if text and not word:
            problems.setdefault(_REFUSED, []).append(number)
        kept[place] = {
            "predicted": word,
            "confidence": _confidence(numbers, word),
            "source": f"{path.name}, row {number}",
            "origin": ANSWER if word else REFUSED,
        } | {name: numbers[name] for name in shares}
    if not kept:
        reasons = " ".join(_sentences(problems)).removesuffix(".")
        expected = _EXPECTED[column].format(*clips[CLIP[:2]].iloc[0])
        raise UserError(f"{path}: no row is an answer to a clip ({reasons}). {expected}.")
    rows = clips[CLIP].iloc[sorted(kept)].reset_index(drop=True)
    return rows.join(pd.DataFrame([kept[place] for place in sorted(kept)])), _sentences(problems)


def _sentences(problems: dict[str, list[int]]) -> list[str]:
    return [
        f"{problem}: {len(numbers)} row{'s' * (len(numbers) > 1)} "
        f"({', '.join(map(str, numbers[:_SHOWN]))}{', ...' * (len(numbers) > _SHOWN)})."
        for problem, numbers in problems.items()
    ]


def _places(clips: pd.DataFrame, column: str) -> Callable[[str], int]:
    """Where among the clips a name is."""
    is_frame = column == "image_location"
    places: dict[tuple[str, ...], list[int]] = {}
    for at, (name, file_path, _) in enumerate(clips[CLIP].itertuples(index=False)):
        whole = file_path if column == "file_path" else name
        for form in {*_ends(name), *_ends(file_path)} if is_frame else {(whole,)}:
            places.setdefault(form, []).append(at)

    def place_of(name: str) -> int:
        of_name = places.get(_ends(name)[0] if is_frame else (name,), [])
        if len(of_name) != 1:
            raise tables.Unusable(
                "one name of several clips" if of_name else "no clip of the dataset"
            )
        return of_name[0]

    return place_of


def _ends(name: str) -> list[tuple[str, ...]]:
    """The ends of a path, as its parts, without its ending and the zeros before numbers."""
    parts = [re.sub(r"^0+(?=\d)", "", part) for part in re.sub(r"\.\w+$", "", name).split("/")]
    return [tuple(parts[at:]) for at in range(len(parts))]


def _share(field: str, name: str) -> float | None:
    if not tables.given(field):
        return None
    value = tables.real(field, name)
    if not 0 <= value <= 1:
        raise tables.Unusable(f"{name} is not from 0 to 1 (is it percent?)")
    return value


def _confidence(numbers: dict[str, float | None], word: str) -> float | None:
    """How sure an answer is: as it says, or else by its word's probability."""
    if not word:
        return None
    given = numbers.get("confidence")
    return numbers.get(f"p_{word}") if given is None else given

"""What others write about a dataset's clips: data/tracks/<dataset>/<track>.csv.

One row per clip, in the order of the label table; the JSON file beside it says what made them. Rows
are added batch by batch, so that a run that was killed resumes where it stopped. A model's answer
about a clip is neither its label nor its caption: stage pseudo alone reads a track, the one that
params.yaml names, and keeps what it chooses apart from the labels.
"""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from facewave.errors import UserError
from facewave.files import locked, write_csv, write_json
from facewave.pseudo.schema import ORIGINS, SAID, TRACK
from facewave.workspace import Dataset

# The clip that a row is about; a new key means other bytes or another trajectory.
CLIP = ["video_idx", "file_path", "key"]
EMPTY = pd.DataFrame(columns=[*CLIP, *TRACK], dtype=str)


def keyed(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Rows of a label table with the ``key`` of their clips (landmarks.schema.INDEX).

    Raises:
        UserError: clips of the table have no trajectories.
    """
    keys = dataset.read_index().set_index("video_idx")["key"]
    if (unseen := ~table["video_idx"].isin(keys.index)).any():
        raise UserError(
            f"{dataset.landmarks} lacks {unseen.sum()} clips of the label table, "
            f"{table.loc[unseen, 'file_path'].iloc[0]} among them. Make it again: dvc repro extract"
        )
    return table.assign(key=table["video_idx"].map(keys))


def fill(
    dataset: Dataset,
    track: str,
    about: dict[str, Any],
    clips: pd.DataFrame,
    answer: Callable[[pd.DataFrame], Iterator[pd.DataFrame]],
    limit: int | None = None,
    notes: Mapping[str, Any] | None = None,
    unit: str = "video_idx",
) -> pd.DataFrame:
    """Add the rows that a track lacks; return the whole track, as text.

    Rows about clips that are no longer among ``clips`` are dropped. Meanwhile no other run can
    write a track of the dataset.

    Args:
        dataset: what it is about.
        track: its name.
        about: everything that decides what is written, for the JSON file.
        clips: ``CLIP`` of all clips that the track is about.
        answer: yields the rows of some of ``clips`` in their order, one table a batch: ``CLIP``,
            and always the same further columns.
        limit: answer at most N clips.
        notes: what the JSON file says beside ``about``.
        unit: the column whose clips are answered together: where one lacks a row, all of them are
            answered again.

    Raises:
        UserError: the existing rows were made in another way or cannot be read, or the track's name
            is invalid.
    """
    if not re.fullmatch(r"\w[\w-]*", track):
        raise UserError(f"--track is {track!r}; letters, digits, _ and - make a track's name.")
    path = path_of(dataset, track)
    with locked(dataset.tracks):
        kept = _about(path, clips)
        lacking = clips.loc[~clips["video_idx"].isin(kept["video_idx"]), unit]
        kept = kept[~kept[unit].isin(lacking)]
        _check(path, about, kept)
        if kept.empty:
            path.unlink(missing_ok=True)
        else:
            write_csv(path, kept)  # without what a killed run left of a row
            print(f"{path} has {len(kept)} of {len(clips)} clips already")
        write_json(path.with_suffix(".json"), about | dict(notes or {}))
        missing = clips[~clips["video_idx"].isin(kept["video_idx"])]
        for rows in answer(missing.head(len(missing) if limit is None else limit)):
            text = rows.to_csv(index=False, header=not path.exists(), lineterminator="\n")
            with path.open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        whole = _about(path, clips)
        order = pd.Index(clips["video_idx"]).get_indexer(whole["video_idx"]).argsort()
        whole = whole.iloc[order].reset_index(drop=True)
        if len(whole):
            write_csv(path, whole)
    return whole


def path_of(dataset: Dataset, track: str) -> Path:
    """Where a track lies."""
    return dataset.tracks / f"{track}.csv"


def read(dataset: Dataset, track: str, clips: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A track's rows about some clips, as text in the clips' order, and what made it.

    Args:
        dataset: what it is about.
        track: its name.
        clips: ``CLIP`` of rows of the label table.

    Raises:
        UserError: there is no such track, it is damaged, or it is about none of these clips.
    """
    place = path_of(dataset, track)
    if not place.exists():
        others = sorted(file.stem for file in dataset.tracks.glob("*.csv"))
        raise UserError(
            f"there is no track {track!r} of {dataset.name}; there "
            f"{'are ' + ', '.join(others) if others else 'is none'}. Make it with: facewave "
            f"pseudo-label {dataset.name} --track {track}"
        )
    whole, rows = _rows(place), _about(place, clips)
    if len(whole) and rows.empty:
        raise UserError(
            f"{place} is about other clips than {dataset.labels}: their names, files or "
            f"trajectories have changed. Delete it and make it again: facewave pseudo-label "
            f"{dataset.name} --track {track}"
        )
    order = pd.Index(clips["video_idx"]).get_indexer(rows["video_idx"]).argsort()
    try:
        about = json.loads(place.with_suffix(".json").read_bytes())
    except (FileNotFoundError, ValueError):
        raise UserError(
            f"{place.with_suffix('.json')}, which says who made the track, is missing or damaged. "
            "Put it back, or make the track again under another name."
        ) from None
    return rows.iloc[order].reset_index(drop=True), about


def typed(rows: pd.DataFrame, words: Sequence[str], place: Path) -> pd.DataFrame:
    """Rows of a track of pseudo-labels with their numbers as numbers, NaN where nobody knows.

    Raises:
        UserError: they are no pseudo-labels, or have a word that is none of ``words``.
    """
    if missing := [name for name in (*CLIP, *TRACK) if name not in rows]:
        raise UserError(
            f"{place} is no track of pseudo-labels: it has no column {missing[0]!r}. Make one with "
            "facewave pseudo-label."
        )
    numbers = ["confidence", *(name for name in rows if str(name).startswith("p_"))]
    read = rows.assign(**{name: pd.to_numeric(rows[name], "coerce") for name in numbers})
    is_number = (rows[numbers].astype(str) == "") | read[numbers].notna()
    is_share = read[numbers].isna() | ((read[numbers] >= 0) & (read[numbers] <= 1))
    problems = {
        "a number that is no share of 1": ~(is_number & is_share).all(axis=1),
        "an unknown origin": ~rows["origin"].isin(ORIGINS),
        f"a word that is none of {', '.join(words)}": ~rows["predicted"].isin([*words, ""]),
        "no word": rows["origin"].isin(SAID) & (rows["predicted"] == ""),
    }
    for problem, wrong in problems.items():
        if wrong.any():
            row = rows[wrong].iloc[0]
            answer = f"{row['predicted']!r}, {row['confidence']}, {row['origin']}"
            raise UserError(
                f"{place}: clip {row['video_idx']} has {problem} ({answer}). Ask somebody who "
                "knows the dataset's words, or make the track again."
            )
    return read


def _about(place: Path, clips: pd.DataFrame) -> pd.DataFrame:
    """The rows of a track that are about ``clips``, as text."""
    return _rows(place).merge(clips[CLIP], on=CLIP)


def _rows(path: Path) -> pd.DataFrame:
    content = _complete(path.read_bytes()) if path.exists() else b""
    if not content:
        return pd.DataFrame(columns=CLIP, dtype=str)
    try:
        # Not pandas.read_csv, which silently accepts lines of uneven length.
        header, *rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        if {len(row) for row in rows} - {len(header)}:
            raise ValueError("its rows differ in length")
        if missing := [name for name in CLIP if name not in header]:
            raise ValueError(f"column {missing[0]!r} is missing")
        return pd.DataFrame(rows, columns=header, dtype=str)
    except (csv.Error, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}). Delete it, or name another track.") from None


def _complete(content: bytes) -> bytes:
    """A table's complete rows: at a row's end the number of quotes is even."""
    end = content.rfind(b"\n") + 1
    while content.count(b'"', 0, end) % 2:
        end = content.rfind(b"\n", 0, end - 1) + 1
    return content[:end]


def _check(path: Path, about: dict[str, Any], kept: pd.DataFrame) -> None:
    description = path.with_suffix(".json")
    try:
        known = json.loads(description.read_bytes())
    except (FileNotFoundError, ValueError):
        known = {}
    different = [name for name, value in about.items() if known.get(name) != value]
    if len(kept) and different:
        raise UserError(
            f"{path} was made with another {' and another '.join(different)} (see "
            f"{description.name}), and a track has answers of one kind. Name another with --track, "
            "or delete this one."
        )

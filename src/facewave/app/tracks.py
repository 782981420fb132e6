"""What a model writes about a dataset's clips: data/tracks/<dataset>/<track>.csv.

One row per clip, in the order of the label table; the JSON file beside it says what made them. Rows
are added batch by batch, so that a run that was killed resumes where it stopped. No stage reads a
track: a model's answer about a clip is neither its label nor its caption.
"""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from facewave.errors import UserError
from facewave.files import locked, write_csv, write_json
from facewave.workspace import Dataset

# The clip that a row is about; a new key means other bytes or another trajectory.
CLIP = ["video_idx", "file_path", "key"]


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

    Raises:
        UserError: the existing rows were made in another way or cannot be read, or the track's name
            is invalid.
    """
    if not re.fullmatch(r"\w[\w-]*", track):
        raise UserError(f"--track is {track!r}; letters, digits, _ and - make a track's name.")
    path = dataset.tracks / f"{track}.csv"
    with locked(dataset.tracks):
        kept = _read(path, clips)
        _check(path, about, kept)
        if kept.empty:
            path.unlink(missing_ok=True)
        else:
            write_csv(path, kept)  # without what a killed run left of a row
            print(f"{path} has {len(kept)} of {len(clips)} clips already")
        write_json(path.with_suffix(".json"), about)
        missing = clips[~clips["video_idx"].isin(kept["video_idx"])]
        for rows in answer(missing.head(len(missing) if limit is None else limit)):
            text = rows.to_csv(index=False, header=not path.exists(), lineterminator="\n")
            with path.open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        whole = _read(path, clips)
        order = pd.Index(clips["video_idx"]).get_indexer(whole["video_idx"]).argsort()
        whole = whole.iloc[order].reset_index(drop=True)
        if len(whole):
            write_csv(path, whole)
    return whole


def _read(path: Path, clips: pd.DataFrame) -> pd.DataFrame:
    """The rows of a track that are about ``clips``, as text."""
    content = _complete(path.read_bytes()) if path.exists() else b""
    if not content:
        return pd.DataFrame(columns=CLIP, dtype=str)
    try:
        # Not pandas.read_csv, which silently accepts lines of uneven length.
        header, *rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        if {len(row) for row in rows} - {len(header)}:
            raise ValueError("its rows differ in length")
        table = pd.DataFrame(rows, columns=header, dtype=str)
        return table.merge(clips[CLIP], on=CLIP)
    except (csv.Error, ValueError, KeyError) as error:
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

"""What a model writes about a dataset's clips: data/tracks/<dataset>/<track>.csv.

One row per clip, in the order of the label table; the JSON file beside it says what made them. Rows
are added batch by batch, so that a run that was killed goes on where it stopped. No stage reads a
track: what a model says of a clip is neither its label nor its caption.
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
from facewave.landmarks import schema as landmarks

ROOT = Path("data/tracks")
# Which clip a row is about; with another key its bytes are others, or its trajectory is.
CLIP = ["video_idx", "file_path", "key"]


def keyed(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Rows of a label table with the ``key`` of their clips (landmarks.schema.INDEX).

    Raises:
        UserError: the clips have not been looked at.
    """
    index = landmarks.read_index(Path("data/landmarks") / dataset)
    keys = index.set_index("video_idx")["key"]
    if (unseen := ~table["video_idx"].isin(keys.index)).any():
        raise UserError(
            f"data/landmarks/{dataset} lacks {unseen.sum()} clips of the label table, "
            f"{table.loc[unseen, 'file_path'].iloc[0]} among them. Make it again: dvc repro extract"
        )
    return table.assign(key=table["video_idx"].map(keys))


def fill(
    dataset: str,
    track: str,
    about: dict[str, Any],
    clips: pd.DataFrame,
    answer: Callable[[pd.DataFrame], Iterator[pd.DataFrame]],
    limit: int | None = None,
) -> pd.DataFrame:
    """Have the rows written that a track lacks; give all of it, as text.

    Rows about what is no longer one of the clips are dropped. While it lasts, no other run can
    write a track of the dataset.

    Args:
        dataset: its name.
        track: its name.
        about: all that decides what is written, as JSON can say it.
        clips: ``CLIP`` of all clips that the track is about.
        answer: gives the rows of some of ``clips`` in their order, a table a batch: ``CLIP``, and
            columns that are the same every time.
        limit: answer so many clips at most.

    Raises:
        UserError: something else made the rows that are there, they cannot be read, or the name
            is none.
    """
    if not re.fullmatch(r"\w[\w-]*", track):
        raise UserError(f"--track is {track!r}; letters, digits, _ and - make a track's name.")
    folder = ROOT / dataset
    path = folder / f"{track}.csv"
    with locked(folder):
        kept = _read(path, clips)
        _check(path, about, kept)
        if kept.empty:
            path.unlink(missing_ok=True)
        else:
            write_csv(path, kept)  # what a killed run left of a row is not gone on from
            print(f"{path} has {len(kept)} of {len(clips)} clips already")
        write_json(path.with_suffix(".json"), about)
        missing = clips[~clips["video_idx"].isin(kept["video_idx"])]
        for rows in answer(missing.head(len(missing) if limit is None else limit)):
            _append(path, rows)
        whole = _read(path, clips)
        place = pd.Index(clips["video_idx"]).get_indexer(whole["video_idx"])
        whole = whole.iloc[place.argsort()].reset_index(drop=True)
        if len(whole):
            write_csv(path, whole)
    return whole


def _read(path: Path, clips: pd.DataFrame) -> pd.DataFrame:
    """The rows of a track that are about ``clips``, as text."""
    content = _whole(path.read_bytes()) if path.exists() else b""
    if not content:
        return pd.DataFrame(columns=CLIP, dtype=str)
    try:
        # Not pandas.read_csv: lines of uneven length it takes without a word.
        header, *rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        if {len(row) for row in rows} - {len(header)}:
            raise ValueError("its rows differ in length")
        table = pd.DataFrame(rows, columns=header, dtype=str)
        return table.merge(clips[CLIP], on=CLIP)
    except (csv.Error, ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged ({error}). Delete it, or name another track.") from None


def _whole(content: bytes) -> bytes:
    """A table's lines without a last one that was cut off: after a row's end quotes are even."""
    end = content.rfind(b"\n") + 1
    while content.count(b'"', 0, end) % 2:
        end = content.rfind(b"\n", 0, end - 1) + 1
    return content[:end]


def _check(path: Path, about: dict[str, Any], kept: pd.DataFrame) -> None:
    beside = path.with_suffix(".json")
    try:
        known = json.loads(beside.read_bytes())
    except (FileNotFoundError, ValueError):
        known = {}
    other = [name for name, value in about.items() if known.get(name) != value]
    if len(kept) and other:
        raise UserError(
            f"{path} was made with another {' and another '.join(other)} ({beside.name} tells "
            "which), and one track has answers of one kind. Name another with --track, or delete "
            "this one."
        )


def _append(path: Path, rows: pd.DataFrame) -> None:
    text = rows.to_csv(index=False, header=not path.exists(), lineterminator="\n")
    with path.open("ab") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())

"""The corpora of params.yaml for the page: their clips, doubts about labels, videos."""

import json
import mimetypes
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave import params
from facewave.app.page.limits import Refused
from facewave.errors import UserError
from facewave.files import read_csv
from facewave.labels.folders import is_below
from facewave.labels.listing import VIDEOS
from facewave.params import Params
from facewave.pictures import PICTURES
from facewave.workspace import Dataset, Stored

PAGE = 50  # rows at a time
_SHOWN = (
    *("video_idx", "file_path", "actual", "split", "subject", "usable", "reason", "duration"),
    *("start", "end", "agreement", "transcript"),
)
_SEARCHED = ("video_idx", "file_path", "subject", "transcript", "reason")
_SUSPECTS = Path("metrics/evaluate/suspects.csv")


def names() -> list[str]:
    """The corpora whose label tables are here; none where there is no params.yaml."""
    try:
        loaded = _loaded(_changed(params.PARAMS_FILE))
    except UserError:
        return []
    return [name for name in loaded.datasets if Dataset(name, loaded).labels.is_file()]


@lru_cache(maxsize=1)
def _loaded(_: int) -> Params:
    """The folder's params.yaml as it was when it was last changed."""
    return params.load()


def _changed(file: Path) -> int:
    """When a file was last changed; 0: there is none."""
    return file.stat().st_mtime_ns if file.is_file() else 0


@dataclass
class Corpora:
    """Reads the corpora's tables, each once until its files change."""

    _read: dict[str, tuple[tuple[int, ...], "Corpus"]] = field(default_factory=dict)

    def get(self, name: str) -> "Corpus":
        """A corpus.

        Raises:
            Refused: there is none of this name, or it cannot be read.
        """
        if name not in names():
            raise Refused(404, "There is no such corpus here.")
        dataset = Dataset(name, _loaded(_changed(params.PARAMS_FILE)))
        files = (params.PARAMS_FILE, dataset.labels, dataset.landmarks / "index.csv", _SUSPECTS)
        state = tuple(map(_changed, files))
        if name not in self._read or self._read[name][0] != state:
            try:
                self._read[name] = state, Corpus(dataset)
            except UserError as error:
                raise Refused(500, str(error)) from None
        return self._read[name][1]


class Corpus:
    """A corpus's clips.

    Raises:
        UserError: its label table cannot be read.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.table = _table(dataset)
        self.words = dataset.classes or tuple(sorted(set(self.table["actual"]) - {""}))

    def clips(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """A page of clips.

        Args:
            asked: ``word``, ``part``, ``usable`` (yes or no), ``search``, ``sort`` (a column, with
                a minus before it for the opposite order) and ``page``, from 1; any may be missing.

        Raises:
            Refused: there is no such column, or the page is no number.
        """
        table = self.table
        for column, value in (("actual", asked.get("word")), ("split", asked.get("part"))):
            table = table[table[column] == value] if value else table
        if usable := asked.get("usable"):
            table = table[table["usable"] == (usable == "yes")]
        if search := asked.get("search", "").casefold():
            found = np.zeros(len(table), bool)
            for column in _SEARCHED:
                found |= table[column].str.casefold().str.contains(search, regex=False).to_numpy()
            table = table[found]
        if sort := asked.get("sort"):
            column = sort.removeprefix("-")
            if column not in _SHOWN:
                raise Refused(400, "The clips cannot be sorted by that.")
            table = table.sort_values(column, ascending=column == sort, kind="stable")
        page = asked.get("page", "1")
        if not page.isdecimal() or len(page) > 6:
            raise Refused(400, "The page is no number.")
        first = PAGE * (max(int(page), 1) - 1)
        rows = rows_of(table.iloc[first : first + PAGE][list(_SHOWN)])
        for row in rows:
            row["has_video"] = self._path(row["file_path"]) is not None
        return {
            "total": len(table),
            "pages": -(-len(table) // PAGE),
            "rows": rows,
            "words": self.words,
            "parts": sorted(set(self.table["split"]) - {""}),
        }

    def suspects(self) -> list[dict[str, Any]]:
        """The clips whose label a model doubts, the most doubtful first; none of other corpora."""
        if self._dataset.name != _loaded(_changed(params.PARAMS_FILE)).train.dataset:
            return []
        try:
            table = read_csv(_SUSPECTS, ("video_idx", "file_path", "actual", "suggested", "votes"))
        except (FileNotFoundError, ValueError):
            return []
        return rows_of(table.sort_values("quality", kind="stable"))

    def video(self, video_idx: str) -> tuple[Path, str]:
        """The file of a clip and what kind it is, for a browser.

        Raises:
            Refused: there is none, or it does not lie below the corpus's folder.
        """
        path = self._path(str(self._row(video_idx)["file_path"]))
        if path is None:
            raise Refused(404, "The clip's video is not here.")
        kind, _ = mimetypes.guess_type(path.name)
        return path, kind or "application/octet-stream"

    def picture(self, video_idx: str) -> bytes:
        """The face in the middle of a clip that stage crop has cut out, JPEG.

        Raises:
            Refused: there is none.
        """
        row = self._row(video_idx)
        try:
            faces = Stored(self._dataset.faces, "faces").read(str(row["video_idx"]))
        except UserError:
            faces = None
        seen = np.flatnonzero(faces.valid) if faces is not None else np.empty(0, int)
        if faces is None or not len(seen):
            raise Refused(404, "No face of this clip has been cut out: dvc repro crop does it.")
        return bytes(faces.pictures_F[int(seen[len(seen) // 2])])

    def _row(self, video_idx: str) -> pd.Series:
        rows = self.table[self.table["video_idx"] == video_idx]
        if rows.empty:
            raise Refused(404, "There is no such clip in this corpus.")
        return rows.iloc[0]

    def _path(self, file_path: str) -> Path | None:
        """A clip's file, None if it is none that may be shown: links may not lead out."""
        entry, root = self._dataset.entry, self._dataset.root
        if Path(file_path).suffix.lower() not in (*VIDEOS, *PICTURES):
            return None
        path = root / file_path
        written = os.path.normpath(path)
        if not is_below(written, os.path.normpath(root)):
            return None
        if not entry.follow_links and not is_below(os.path.realpath(path), os.path.realpath(root)):
            return None
        return path if path.is_file() else None


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows for JSON: null is what is not known."""
    rows = json.loads(table.to_json(orient="records", double_precision=6))
    return [dict(row) for row in rows]


def _table(dataset: Dataset) -> pd.DataFrame:
    """The label table, with what the index of landmarks says of each row, where there is one."""
    table = dataset.read_labels()
    table = table[table["video_idx"] != ""]
    measured = pd.DataFrame({"usable": [], "reason": [], "duration": []})
    if (dataset.landmarks / "index.csv").is_file():
        measured = dataset.read_index().drop_duplicates("video_idx").set_index("video_idx")
    joined = measured[["usable", "reason", "duration"]].reindex(table["video_idx"])
    out = table["excluded"] != ""
    why = table["excluded"].where(table["note"] == "", table["excluded"] + ": " + table["note"])
    reason = pd.Series(joined["reason"].to_numpy(), table.index).fillna("")
    usable = pd.Series(joined["usable"].to_numpy(), table.index).fillna(value=False).astype(bool)
    return table.assign(
        usable=usable & ~out,
        reason=why.where(out, reason),
        duration=pd.to_numeric(pd.Series(joined["duration"].to_numpy(), table.index)),
    )

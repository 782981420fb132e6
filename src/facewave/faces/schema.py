"""The contract of data/faces/<dataset>/: pictures of the followed face, a few a second.

``part-*.parquet`` holds one row for each 1 / ``faces.fps`` of a second, never dropped: frame (its
number in the source), time (s from the first frame, as in the landmarks), picture (a square JPEG;
missing without a face), and of the face, NaN without one, x, y, side and angle (its square in the
source's pixels and degrees, without the margin) and brightness (its mean, in [0, 1]). A clip has
row groups of its own; ``index.csv`` says which (shards.INDEX); its entry has ``rows``, ``faces``
(rows with a picture) and ``brightness`` (their median). ``config.json`` has section ``faces``.

Legend of names: F rows, n pictures.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facewave import shards
from facewave.errors import UserError
from facewave.shards import Kind

Floats = NDArray[Any]

CHUNK = 256  # rows, some 5 MB: what is held in memory of a clip, however long it is
_SQUARE = ("x", "y", "side", "angle", "brightness")
_SCHEMA = pa.schema(
    [("frame", pa.int32()), ("time", pa.float64()), ("picture", pa.binary())]
    + [(name, pa.float32()) for name in _SQUARE]
)
KIND = Kind(
    name="faces",
    form="1",  # raise it with every change of the files
    # JPEG files hardly get smaller.
    options={"compression": "none", "use_dictionary": False, "write_statistics": False},
    remake="dvc repro crop",
)


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of a clip, or of a part of it."""

    frames_F: NDArray[np.int32]
    times_F: NDArray[np.float64]  # s from the clip's first frame, strictly increasing
    pictures_F: list[bytes | None]  # JPEG; None without a face
    squares_F5: NDArray[np.float32]  # x, y, side, angle, brightness; NaN without a face

    def __len__(self) -> int:
        return len(self.times_F)

    def __getitem__(self, rows: slice) -> "Faces":
        """Some rows only."""
        return Faces(
            self.frames_F[rows], self.times_F[rows], self.pictures_F[rows], self.squares_F5[rows]
        )

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether there is a face."""
        return np.array([picture is not None for picture in self.pictures_F], bool)

    def decode(self, rows: NDArray[np.intp]) -> list[NDArray[np.uint8]]:
        """The pictures of some rows that have one, each (side, side, 3) RGB."""
        return [decoded(self.pictures_F[row]) for row in rows]


def write_clip(path: Path, chunks: Iterable[Faces]) -> None:
    """Write one clip, as the cache does."""
    squares: list[NDArray[np.float32]] = []

    def tables() -> Iterator[pa.Table]:
        for chunk in chunks:
            squares.append(chunk.squares_F5)
            columns = [chunk.frames_F, chunk.times_F, chunk.pictures_F, *chunk.squares_F5.T]
            yield pa.table([pa.array(column) for column in columns], schema=_SCHEMA)

    def about() -> dict[str, Any]:
        brightness = np.concatenate([*squares, np.empty((0, 5), np.float32)])[:, 4]
        seen = brightness[np.isfinite(brightness)]
        median = round(float(np.median(seen)), 4) if len(seen) else None
        return {"rows": len(brightness), "faces": len(seen), "brightness": median}

    KIND.write(path, _SCHEMA, tables(), about)


def chunks(path: Path, first: int = 0, count: int | None = None) -> Iterator[Faces]:
    """A clip of a shard, row group by row group: ``count`` from ``first`` on (None: all)."""
    for table in shards.tables(path, first, count):
        squares = np.stack([table[name].to_numpy() for name in _SQUARE], axis=1)
        frames, times = (table[name].to_numpy() for name in ("frame", "time"))
        yield Faces(frames, times, table["picture"].to_pylist(), squares)


def seen(path: Path) -> Iterator[NDArray[np.bool_]]:
    """Which rows have a picture, of each row group of a shard; no picture is read."""
    for table in shards.tables(path, columns=["x"]):
        yield np.isfinite(table["x"].to_numpy())


def read_clip(path: Path, first: int, count: int) -> Faces:
    """The faces of a whole clip: ``count`` row groups of a shard, from ``first`` on."""
    parts = list(chunks(path, first, count))
    return Faces(
        np.concatenate([part.frames_F for part in parts]),
        np.concatenate([part.times_F for part in parts]),
        [picture for part in parts for picture in part.pictures_F],
        np.concatenate([part.squares_F5 for part in parts]),
    )


Place = tuple[Path, int, int]  # of a clip: its shard, the first of its row groups, how many


class Reader:
    """Reads single faces of clips here and there; memory does not grow with what has been read."""

    def __init__(self) -> None:
        self._files = shards.Files()
        self._last: tuple[Place, list[tuple[Floats, Floats]]] | None = None  # times, brightness

    def seen(self, place: Place, start: float, end: float) -> NDArray[np.int64]:
        """Which rows of a clip have a face within a part of it, (n, 2): row group, and row in it.

        Args:
            place: of the clip.
            start: of the part, s from the first frame; NaN: the clip's.
            end: the same.
        """
        if self._last is None or self._last[0] != place:  # rows may be parts of one long clip
            path, first, count = place
            tables = (
                self._files.read(path, row_group, ("time", "brightness"))
                for row_group in range(first, first + count)
            )
            self._last = place, [(t["time"].to_numpy(), t["brightness"].to_numpy()) for t in tables]
        found = [np.empty((0, 2), np.int64)]
        for at, (times, brightness) in enumerate(self._last[1]):
            rows = shards.within(times, start, end)
            faces = rows.start + np.flatnonzero(~np.isnan(brightness[rows]))
            found.append(np.stack([np.full_like(faces, at), faces], axis=1))
        return np.concatenate(found)

    def pictures(self, place: Place, rows_n2: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """The faces of some rows, as ``seen`` names them, each (side, side, 3) RGB."""
        path, first, _ = place
        pictures = []
        for at in np.unique(rows_n2[:, 0]):
            column = self._files.read(path, first + int(at), ("picture",))["picture"]
            rows = rows_n2[rows_n2[:, 0] == at, 1]
            pictures += [decoded(column[int(row)].as_py()) for row in rows]
        return pictures


def decoded(picture: bytes | None) -> NDArray[np.uint8]:
    """A picture, (side, side, 3) RGB."""
    bgr = cv2.imdecode(np.frombuffer(picture or b"", np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_config(folder: Path) -> dict[str, Any]:
    """Section ``faces`` of params.yaml as it was when the faces were cut out.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = folder / "config.json"
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: {KIND.remake}") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}). Make it again: {KIND.remake}") from None

"""Many clips in few parquet files, of which only the changed ones are rewritten.

A clip has row groups of its own in a shard, and an entry in its metadata. Which shard holds a clip,
and where, follows from the keys of all clips alone: the same clips give the same bytes, whatever
was there before, and one more clip changes one shard. Every page has a checksum, and so has what
the metadata says; both are verified whenever a file is read.
"""

import hashlib
import json
import os
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.files import cache_folder, read_csv, replacing, write_csv

PER_SHARD = 500  # clips, at most on average: few files keep DVC fast
_OPEN = 64  # files that stay open, whose metadata are some 4 MB each
_SUM = b"sha256"  # in a file's metadata, of all the rest that we write there
_ADDED = (b"clips", _SUM)  # at the end of writing


class DamagedError(UserError):
    """A shard or a cached clip is not as it was written."""

    def __init__(self, path: Path, error: object) -> None:
        reason = " ".join(str(error).split())
        super().__init__(f"{path} is damaged ({reason}). Delete it and run the same command again.")
        self.path = path


@dataclass(frozen=True)
class Entry:
    """A clip of a shard."""

    key: str  # its name in the cache
    row_group: int  # its first
    row_groups: int  # how many; 0 without frames
    about: dict[str, Any]


class Writer:
    """Appends clips to one parquet file, each in row groups of its own."""

    def __init__(self, file: Path, schema: pa.Schema, options: Mapping[str, Any]) -> None:
        """``options`` are pyarrow's; the schema's metadata has "format" (see ``entries``)."""
        ours = {name: text for name, text in schema.metadata.items() if name not in _ADDED}
        schema = schema.with_metadata(ours)
        self._writer = pq.ParquetWriter(file, schema, **options, write_page_checksum=True)
        self._rows: list[int] = []  # of each row group
        self._entries: list[Entry] = []

    @property
    def schema(self) -> pa.Schema:
        """Of the file."""
        return self._writer.schema

    def add_rows(self, table: pa.Table) -> None:
        """Write the next row group of a clip."""
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._rows.append(table.num_rows)

    def end(self, key: str, about: dict[str, Any]) -> None:
        """End a clip, of which all row groups have been added."""
        first = self._entries[-1].row_group + self._entries[-1].row_groups if self._entries else 0
        self._entries.append(Entry(key, first, len(self._rows) - first, about))

    def close(self) -> None:
        """Finish the file."""
        clips = [
            {"key": entry.key, "row_group": entry.row_group, "row_groups": entry.row_groups}
            | entry.about
            for entry in self._entries
        ]
        told = self.schema.metadata | {b"clips": json.dumps(clips).encode()}
        added = {b"clips": told[b"clips"], _SUM: _sum(told, self.schema, self._rows)}
        self._writer.add_key_value_metadata(added)
        self._writer.close()


def _sum(told: Mapping[bytes, bytes], schema: pa.Schema, rows: list[int]) -> bytes:
    """The SHA-256 of what a file's metadata says: our part, its columns, rows of each row group."""
    names = sorted(told.keys() - {_SUM, b"ARROW:schema"})
    listed = [(name.hex(), told[name].hex()) for name in names]
    content = json.dumps([listed, schema.names, rows])
    return hashlib.sha256(content.encode()).hexdigest().encode()


W = TypeVar("W", bound=Writer)


@contextmanager
def shard(path: Path, make: Callable[[Path], W]) -> Iterator[W]:
    """A shard that replaces ``path`` when the block ends without an error."""
    with replacing(path) as temporary:
        writer = make(temporary)
        try:
            yield writer
        finally:
            writer.close()


def entries(path: Path, form: str) -> list[Entry]:
    """The clips of a shard; none if it is missing, damaged or of another format than ``form``."""
    try:
        told = metadata(path)
        if told.get(b"format") != form.encode():
            return []
        clips: list[dict[str, Any]] = json.loads(told[b"clips"])
        return [
            Entry(clip.pop("key"), clip.pop("row_group"), clip.pop("row_groups"), clip)
            for clip in clips
        ]
    except (FileNotFoundError, DamagedError):
        return []


def metadata(path: Path) -> dict[bytes, bytes]:
    """What a shard says beyond its columns.

    Raises:
        DamagedError: it is not as it was written.
    """
    with _reading(path):
        footer = pq.read_metadata(path)
        told = dict(footer.metadata or {})
        rows = [footer.row_group(at).num_rows for at in range(footer.num_row_groups)]
        digest = _sum(told, footer.schema.to_arrow_schema(), rows)
    if told.get(_SUM, digest) != digest:  # files of earlier versions have none
        raise DamagedError(path, "its metadata differs from what was written")
    return told


def tables(
    path: Path, first: int = 0, count: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Row groups of a shard: ``count`` from ``first`` on (None: all), with some columns or all.

    Raises:
        DamagedError: the file is not as it was written.
    """
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        end = file.num_row_groups if count is None else first + count
        for row_group in range(first, end):
            yield _row_group(file, row_group, columns)


def _row_group(
    file: pq.ParquetFile, row_group: int, columns: Sequence[str] | None = None
) -> pa.Table:
    table = file.read_row_group(row_group, columns)
    table.validate(full=True)
    return table


class Files:
    """Shards that stay open, of which clips are read here and there; each process opens its own."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[int, Path], pq.ParquetFile] = OrderedDict()

    def __reduce__(self) -> tuple[type["Files"], tuple[()]]:
        return Files, ()  # open files cannot be sent to another process

    def read(self, path: Path, row_group: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of a row group.

        Raises:
            DamagedError: the file is not as it was written.
        """
        with _reading(path):
            key = (os.getpid(), path)
            if key not in self._open:
                if len(self._open) == _OPEN:
                    self._open.popitem(last=False)[1].close()
                self._open[key] = pq.ParquetFile(path, page_checksum_verification=True)
            self._open.move_to_end(key)
            return _row_group(self._open[key], row_group, columns)


def verify(path: Path) -> None:
    """Read every page of a file.

    Raises:
        DamagedError: it is not as it was written.
    """
    metadata(path)
    for _ in tables(path):
        pass


def is_whole(path: Path) -> bool:
    """Whether every page of a file is as it was written."""
    try:
        verify(path)
    except DamagedError:
        return False
    return True


T = TypeVar("T")


def mended(make: Callable[[], T]) -> T:
    """What ``make`` returns, called anew for every damaged file of the cache that it meets.

    Such a file is removed first, so that it is rebuilt; any other is left to the caller.

    Raises:
        DamagedError: the file lies elsewhere, or is damaged a second time.
    """
    removed = set()
    while True:
        try:
            return make()
        except DamagedError as error:
            if error.path in removed or not error.path.is_relative_to(cache_folder("")):
                raise
            removed.add(error.path)
            error.path.unlink(missing_ok=True)
            print(f"{error.path} was damaged; rebuilding it")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what PyArrow says of a file that is not as it was written into a ``DamagedError``."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DamagedError(path, error) from None
    except OSError as error:  # without a number it is about the content
        if error.errno is not None:
            raise
        raise DamagedError(path, error) from None


def column(values: NDArray[Any]) -> pa.Array:
    """An array (T, ...) as a column of T values or lists of one size."""
    flat = pa.array(values.ravel())
    size = prod(values.shape[1:])
    return pa.FixedSizeListArray.from_arrays(flat, size) if values.ndim > 1 else flat


def array(table: pa.Table, name: str, shape: tuple[int, ...] = ()) -> NDArray[Any]:
    """A column as an array (T, *shape)."""
    flat = table[name].combine_chunks()
    flat = (flat.flatten() if shape else flat).to_numpy(zero_copy_only=False)
    return np.asarray(flat.reshape(-1, *shape))


def gather(
    keys: Iterable[str],
    folder: Path,
    is_current: Callable[[Path, list[str]], bool],
    write: Callable[[Path, list[str]], None],
) -> list[Path]:
    """Make a folder's shards hold these clips alone; return the shards.

    Args:
        keys: hex digits, evenly spread.
        folder: beside the shards it may have an index.csv and a config.json.
        is_current: whether a file holds these clips as they are to be.
        write: writes a file that holds them.
    """
    wanted = sorted(set(keys))
    bits = max(0, (len(wanted) - 1) // PER_SHARD).bit_length()
    shards: dict[str, list[str]] = defaultdict(list)
    for key in wanted:
        shards[f"part-{int(key[:8], 16) >> (32 - bits):05d}.parquet"].append(key)
    for name, shard_keys in shards.items():
        if not is_current(folder / name, shard_keys):
            write(folder / name, shard_keys)
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():  # superfluous shards, and halves that a kill has left
        if file.name not in {*shards, "index.csv", "config.json"}:
            file.unlink()
    return [folder / name for name in shards]


# Where the rows of a label table have their clips in a folder of shards.
INDEX = (
    "video_idx",
    "file_path",  # below the dataset's root
    "key",  # name in the cache
    "shard",  # part-*.parquet; empty without rows
    "row_group",  # the first
    "row_groups",  # how many
    *("start", "end"),  # of the labelled part, s from the first frame; empty: all of it
    "problem",  # why there are no rows, or empty
)


@dataclass(frozen=True)
class Kind:
    """What one stage keeps of clips: one small file each in the user's cache, shards for datasets.

    Attributes:
        name: of the cache's folder.
        form: of the files (``entries``).
        options: pyarrow's for writing.
        remake: the command that makes the index.
    """

    name: str
    form: str
    options: Mapping[str, Any]
    remake: str

    def place(self, key: str) -> Path:
        """The file of a cached clip, whether it exists or not."""
        return cache_folder(self.name) / key[:2] / f"{key}.parquet"

    def has(self, key: str) -> bool:
        """Whether a clip is cached, whole and in today's format."""
        return bool(entries(self.place(key), self.form))

    def entries(self, path: Path) -> list[Entry]:
        """The clips of a file of this kind."""
        return entries(path, self.form)

    def missing(self, keys: Iterable[str], folder: Path) -> list[str]:
        """Those of some clips that the cache lacks, after a folder's shards have been looked at."""
        lacking = [key for key in keys if not self.has(key)]
        held = {
            entry.key: (file, entry)
            for file in (sorted(folder.glob("part-*.parquet")) if lacking else ())
            for entry in self.entries(file)
        }
        for key in held.keys() & set(lacking):
            file, entry = held[key]
            groups = tables(file, entry.row_group, entry.row_groups)
            with suppress(DamagedError):  # then it is rebuilt
                schema = pq.read_schema(file)
                self.write(self.place(key), schema, groups, partial(dict, entry.about))
        return [key for key in lacking if not self.has(key)]

    def write(
        self,
        path: Path,
        schema: pa.Schema,
        tables: Iterable[pa.Table],
        about: Callable[[], dict[str, Any]],
    ) -> None:
        """Write one clip, named after its file; ``about`` is called after its last table."""
        named = schema.with_metadata((schema.metadata or {}) | {b"format": self.form.encode()})
        with shard(path, lambda file: Writer(file, named, self.options)) as writer:
            for table in tables:
                writer.add_rows(table.cast(named))
            writer.end(path.stem, about())

    def gather(
        self, rows: pd.DataFrame, folder: Path, problems: Mapping[str, str]
    ) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
        """Make a folder hold the rows' cached clips alone, and write its index.

        The index also has what the clips' entries tell.

        Args:
            rows: video_idx, file_path, key, start and end; several may name one clip.
            folder: of the shards.
            problems: why clips are not in the cache, by key.

        Returns:
            The index, and what the entries tell of each clip, by key.
        """
        keys = [key for key in rows["key"] if key not in problems]
        files = gather(keys, folder, self._is_current, self._copy)
        found = {entry.key: (file.name, entry) for file in files for entry in self.entries(file)}
        place = {key: (name, entry.row_group, entry.row_groups)
                 for key, (name, entry) in found.items() if entry.row_groups}  # fmt: skip
        located = pd.DataFrame(
            [place.get(key, ("", None, None)) for key in rows["key"]],
            index=rows.index,
            columns=["shard", "row_group", "row_groups"],
        )
        index = rows.drop(columns=located.columns, errors="ignore").join(located)
        index = index.assign(problem=[problems.get(key, "") for key in rows["key"]])[list(INDEX)]
        index = index.astype({"row_group": "Int64", "row_groups": "Int64"})
        clips = {key: entry.about for key, (_, entry) in found.items()}
        told = pd.DataFrame([clips.get(key, {}) for key in rows["key"]], rows.index)
        whole = {
            name: "Int64"
            for name in told
            if all(isinstance(clip[name], int) for clip in clips.values())
        }
        index = index.join(told.astype(whole))
        write_csv(folder / "index.csv", index)
        return index, clips

    def read_index(self, folder: Path) -> pd.DataFrame:
        """The index of a folder, by video_idx.

        Raises:
            UserError: there is none, or it lacks a column.
        """
        path = folder / "index.csv"
        text = ("video_idx", "file_path", "key", "shard", "problem")
        whole = dict.fromkeys(("row_group", "row_groups"), "Int64")
        try:
            index = read_csv(path, text, whole | {"start": float, "end": float})
        except FileNotFoundError:
            raise UserError(f"{path} is not here. Make it with: {self.remake}") from None
        if missing := [name for name in INDEX if name not in index]:
            raise UserError(f"{path}: column {missing[0]!r} is missing. Run: {self.remake}")
        return index.set_index("video_idx", drop=False)

    def _is_current(self, path: Path, keys: list[str]) -> bool:
        return [entry.key for entry in self.entries(path)] == keys and is_whole(path)

    def _copy(self, path: Path, keys: list[str]) -> None:
        schema = pq.read_schema(self.place(keys[0]))
        with shard(path, lambda file: Writer(file, schema, self.options)) as writer:
            for key in keys:
                for table in tables(self.place(key)):
                    writer.add_rows(table)
                (entry,) = self.entries(self.place(key))
                writer.end(key, entry.about)


def within(times: NDArray[np.float64], start: float, end: float) -> slice:
    """The rows with start <= time < end (s from the first frame); NaN: no limit."""
    return slice(
        0 if np.isnan(start) else int(np.searchsorted(times, start)),
        len(times) if np.isnan(end) else int(np.searchsorted(times, end)),
    )

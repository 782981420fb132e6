"""Files are written whole or not at all, and the same input gives the same bytes."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import platformdirs
from filelock import FileLock, Timeout

from facewave.errors import UserError

if TYPE_CHECKING:  # importing it takes longer than most of what is done here
    import pandas as pd

CACHE = "FACEWAVE_CACHE"


def cache_folder(kind: str) -> Path:
    """The folder for one kind of cached results: below $FACEWAVE_CACHE or the user's cache folder.

    Raises:
        UserError: there is neither.
    """
    try:
        home = os.environ.get(CACHE) or platformdirs.user_cache_dir("facewave")
    except RuntimeError:  # a container's user without a home
        raise UserError(f"there is no home folder; set {CACHE} to one you may write to") from None
    return Path(home).absolute() / kind


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends without an error.

    Readers, other processes and power cuts see the old file or the new one, never half of it.

    Raises:
        OSError: it cannot be written; it names ``path``, not the temporary file.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        temporary = Path(name)
        os.close(handle)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut can leave the new name with no content
        temporary.chmod(0o644)  # mkstemp makes 0600, which a shared cache could not read
        temporary.replace(path)
    except OSError as error:
        unnamed = error.filename is None and error.errno is not None
        if unnamed or f".{path.name}." in str(error.filename):
            error.filename = str(path)
        raise
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, created if missing, for this process alone; wait for whoever holds it.

    The lock file lies beside the folder, since DVC and readers take all that is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"another run is at work in {folder}; waiting for it to end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_json(path: Path, content: dict[str, Any] | list[Any]) -> None:
    """Write JSON with two spaces of indent, a final newline, keys in their order."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def sealed(content: dict[str, Any], files: Iterable[Path]) -> dict[str, Any]:
    """What a config.json says, with the SHA-256 of its own content and of files beside it."""
    sums = {file.name: sha256(file) for file in files}
    return content | {"sha256": {"config.json": _digest(content), **sums}}


def opened(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What ``sealed`` was given; content that is not sealed, as earlier versions wrote, as it is.

    Raises:
        FileNotFoundError: a file beside it is missing.
        ValueError: the content or a file is not what was written.
    """
    plain = {name: value for name, value in content.items() if name != "sha256"}
    sums = content.get("sha256", {})
    digests = {name: sha256(folder / name) for name in sums if name != "config.json"}
    if sums and sums != {"config.json": _digest(plain), **digests}:
        differing = [name for name in digests if digests[name] != sums[name]]
        raise ValueError(f"{(differing or ['config.json'])[0]} is not what was written")
    return plain


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as UTF-8 CSV with a header, LF line endings and no index."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def for_spreadsheets(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table for people: texts that a spreadsheet would run as a formula begin with an apostrophe.

    They are those that begin with = + - @ and are no numbers; whoever made a corpus may have
    written them.
    """
    texts = table.select_dtypes(["object", "string"])
    return table.assign(**{name: texts[name].map(_plain_cell) for name in texts})


def _plain_cell(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def read_csv(
    file: Path | IO[bytes], text: Iterable[str] = (), kinds: Mapping[str, Any] | None = None
) -> "pd.DataFrame":
    """Read a table that ``write_csv`` wrote: an empty field is a missing value, and nothing else.

    A clip, a person or a word may be called NA, nan or 007.

    Args:
        file: the table, or its open file.
        text: columns of text, with "" where there is nothing; those that are not there are skipped.
        kinds: of other columns, as pandas names them; of the rest it finds them out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table, or a field is not of its column's kind.
    """
    import pandas as pd

    names = list(text)
    table = pd.read_csv(
        file,
        dtype={**dict.fromkeys(names, str), **(kinds or {})},
        keep_default_na=False,
        na_values=[""],
        encoding="utf-8",
    )
    present = [name for name in names if name in table]
    table[present] = table[present].fillna("")
    return table

"""Files: whole or not at all, and the same bytes from the same input."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from facewave.errors import UserError

if TYPE_CHECKING:  # importing it takes longer than most of what is done here
    import pandas as pd

CACHE = "FACEWAVE_CACHE"


def cache_folder(kind: str) -> Path:
    """Where what was once worked out of clips is kept: below $FACEWAVE_CACHE or the user's cache.

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
    """A temporary path beside ``path`` that takes its place when the block ends well.

    A reader, a second process or a power cut sees the old file or the new one, never half.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut can leave the new name with no content
        temporary.chmod(0o644)  # mkstemp makes 0600, which a shared cache could not read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Work in a folder, made if need be, while no other process does so; wait for one that does."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another run is at work in {folder}; waiting for it to end")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_json(path: Path, content: dict[str, Any] | list[Any]) -> None:
    """Write JSON with two spaces of indent, a final newline, keys in the order given."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as UTF-8 CSV with a header, LF line ends and no index."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")

"""What the tests of readers share: a corpus's entry and files, and fields of what is read."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from facewave.labels.records import Record
from facewave.params import Dataset


def entry_of(reader: str, **usual: Any) -> Callable[..., Dataset]:
    """Makes entries of a reader in params.yaml; the usual keys may be changed."""
    return lambda **keys: Dataset(reader=reader, root=".", about="a test", **{**usual, **keys})


def write(root: Path, path: str, content: str | bytes = "") -> Path:
    """A file below a root, which is returned."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def column(records: Iterable[Record], name: str) -> list[Any]:
    return [getattr(record, name) for record in records]

"""A server on loopback, and no waiting for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from facewave.app.fetch import download
from faulty_server import Server, running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files go; without proxies, and without patience."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "_backoff", lambda _: 0.0)
    return tmp_path / "folder"


@pytest.fixture
def server() -> Iterator[Server]:
    """An HTTP server."""
    with running() as server:
        yield server

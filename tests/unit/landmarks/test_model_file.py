"""The landmarker's file: found, downloaded over real HTTP, never used unchecked."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facewave.errors import UserError
from facewave.landmarks import model_file

CONTENT = b"a landmarker" * 1000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A server with the file, an empty project folder as the working directory, no assets."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / model_file.NAME).write_bytes(CONTENT)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv(model_file.ASSETS, raising=False)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{model_file.NAME}"
        monkeypatch.setattr(model_file, "URL", url)
        monkeypatch.setattr(model_file, "SHA256", hashlib.sha256(CONTENT).hexdigest())
        yield server
        server.shutdown()


def test_downloaded_once_then_found_the_assets_folder_first(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_file.find() is None
    assert model_file.get().read_bytes() == CONTENT
    server.shutdown()
    monkeypatch.setenv(model_file.ASSETS, str(tmp_path / "nowhere"))
    assert model_file.get() == model_file.HOME
    assert [path.name for path in Path("models").iterdir()] == [model_file.NAME]
    monkeypatch.setenv(model_file.ASSETS, str(tmp_path / "www"))
    assert model_file.get() == tmp_path / "www" / model_file.NAME


@pytest.mark.usefixtures("server")
def test_a_file_with_a_wrong_checksum_is_neither_kept_nor_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_file, "SHA256", "0" * 64)
    with pytest.raises(UserError, match=r"expected 0000.*not kept"):
        model_file.get()
    assert list(Path("models").iterdir()) == []
    model_file.HOME.write_bytes(CONTENT)
    with pytest.raises(UserError, match=r"models/face_landmarker\.task is not the landmarker"):
        model_file.get()


def test_no_network_and_a_missing_page_say_what_to_do(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "URL", model_file.URL + ".gone")
        with pytest.raises(UserError, match="404"):
            model_file.get()
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match=r"cannot be downloaded.*FACEWAVE_ASSETS=<folder>"):
        model_file.get()
    assert not model_file.HOME.exists()

"""Files of others: found, downloaded over real HTTP, taken out of a package, never unchecked."""

import hashlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facewave import assets
from facewave.assets import Asset
from facewave.errors import UserError

CONTENT = b"a network" * 1000
ASSET = Asset(
    name="lab/network.bin",
    title="the network of a lab",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
    licence="MIT",
    learnt_on="nothing",
)
PACKAGED = replace(ASSET, package="of-a-lab==1.2", member="of_a_lab/data/network.bin")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder as the working directory, no assets."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv(assets.ASSETS, raising=False)
    return tmp_path / "project"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A server of the folder www, with the file in it."""
    (tmp_path / "www/lab").mkdir(parents=True)
    (tmp_path / "www" / ASSET.name).write_bytes(CONTENT)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def at(server: ThreadingHTTPServer, sha256: str = ASSET.sha256) -> Asset:
    url = f"http://127.0.0.1:{server.server_port}/{ASSET.name}"
    return replace(ASSET, url=url, sha256=sha256)


def test_downloaded_once_then_found_the_assets_folder_first(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = at(server)
    assert assets.find(asset) is None
    assert assets.get(asset).read_bytes() == CONTENT
    server.shutdown()
    monkeypatch.setenv(assets.ASSETS, str(tmp_path / "nowhere"))
    assert assets.get(asset) == Path("models/lab/network.bin")
    assert [path.name for path in Path("models/lab").iterdir()] == ["network.bin"]
    monkeypatch.setenv(assets.ASSETS, str(tmp_path / "www"))
    assert assets.get(asset) == tmp_path / "www/lab/network.bin"


def test_a_file_with_a_wrong_checksum_is_neither_kept_nor_used(server: ThreadingHTTPServer) -> None:
    asset = at(server, sha256="0" * 64)
    with pytest.raises(UserError, match=r"sent \(9,000 of 9,000 bytes\).*expected 0000.*not kept"):
        assets.get(asset)
    assert list(asset.home.parent.iterdir()) == []
    asset.home.write_bytes(CONTENT)
    wrong = r"models/lab/network\.bin is not the network of a lab that this .*0. Delete it.*http"
    with pytest.raises(UserError, match=wrong):
        assets.get(asset)


def test_a_download_that_is_cut_off_is_not_kept(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: SimpleHTTPRequestHandler, source: object, target: object) -> None:
        target.write(CONTENT[:4500])  # type: ignore[attr-defined]

    monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", half)
    with pytest.raises(UserError, match=r"4,500 of 9,000 bytes|cannot be downloaded"):
        assets.get(at(server))
    assert list(ASSET.home.parent.iterdir()) == []


def test_no_network_and_a_missing_page_say_what_to_do(server: ThreadingHTTPServer) -> None:
    asset = at(server)
    with pytest.raises(UserError, match="404"):
        assets.get(replace(asset, url=f"{asset.url}.gone"))
    server.shutdown()
    server.server_close()
    advice = r"lab cannot be downloaded.*at models/lab/network\.bin.*FACEWAVE_ASSETS=<folder>"
    with pytest.raises(UserError, match=advice):
        assets.get(asset)
    assert not asset.home.exists()


def test_a_file_in_a_package_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"missing: pip install --no-deps of-a-lab==1\.2\. Or take"):
        assets.get(PACKAGED)
    file = tmp_path / "site" / PACKAGED.member
    (tmp_path / "site/of_a_lab-1.2.dist-info").mkdir(parents=True)
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    (tmp_path / "site/of_a_lab/__init__.py").write_text("raise SystemError")
    info = tmp_path / "site/of_a_lab-1.2.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: of-a-lab\nVersion: 1.2\n")
    (info / "RECORD").write_text(f"of_a_lab/__init__.py,,\n{PACKAGED.member},,\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert assets.get(PACKAGED) == file
    assert "of_a_lab" not in sys.modules
    file.write_bytes(b"another version's")
    with pytest.raises(UserError, match=r"Delete it and run: pip install .*reinstall of-a-lab==1"):
        assets.get(PACKAGED)
    file.unlink()
    assert assets.find(PACKAGED) is None

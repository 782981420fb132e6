"""Git LFS: pointers, and the batch API against a real server that lacks or breaks things."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from facewave.app.fetch import lfs
from facewave.app.fetch.download import Client, Remote
from facewave.errors import UserError
from faulty_server import Server, certificate, running
from lfs_server import CONTENTS, pointer_of, store


def pointers(folder: Path) -> list[Remote]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for path, content in CONTENTS.items():
        (folder / "pointer").write_text(pointer_of(content))
        files.append(lfs.pointer(folder / "pointer", path))
    return files


def fetched(folder: Path, *servers: str) -> list[str]:
    files = pointers(folder)
    try:
        with Client() as client:
            for batch in lfs.batches(client, servers, files):
                client.fetch(batch, folder)
    finally:
        paths = {path: (folder / path) for path in CONTENTS if (folder / path).exists()}
        assert all(place.read_bytes() == CONTENTS[path] for path, place in paths.items())
    return sorted(paths)


def test_files_come_in_batches_with_the_headers_that_the_server_wants(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lfs, "_BATCH", 2)
    assert fetched(folder, store(server, "hub")) == sorted(CONTENTS)
    posts = [headers for path, headers in server.asked if path.endswith("/batch")]
    assert len(posts) == 3
    assert posts[0]["content-type"] == posts[0]["accept"] == "application/vnd.git-lfs+json"
    clips = [headers for path, headers in server.asked if path.endswith(".flv")]
    assert [headers["x-pass"] for headers in clips] == ["word"] * 5


def test_what_one_server_lacks_comes_from_the_next_and_what_all_lack_is_named(
    server: Server, folder: Path
) -> None:
    hub = store(server, "hub", ("VideoFlash/1.flv", "VideoFlash/3.flv"))
    mirror = store(server, "mirror", ("VideoFlash/0.flv", "VideoFlash/3.flv"))
    with pytest.raises(UserError, match=r"1 of 5 .* first: VideoFlash/3.flv \(it was deleted\)"):
        fetched(folder, hub, mirror)
    assert not (folder / "VideoFlash/3.flv").exists()
    assert (folder / "VideoFlash/1.flv").read_bytes() == CONTENTS["VideoFlash/1.flv"]
    paths = [path for path, _ in server.asked if path.endswith(".flv")]
    assert sum(path.startswith("/mirror") for path in paths) == 1


def said(answer: tuple[int, Any], _: Any) -> tuple[int, Any]:
    return answer


def test_a_server_without_traffic_left_or_that_speaks_otherwise_is_passed_over(
    server: Server, folder: Path
) -> None:
    mirror = store(server, "mirror")
    answers: tuple[tuple[int, Any], ...] = (
        (403, {"message": "exceeded its LFS budget"}),
        (200, {"nothing": 1}),
        (200, ["nothing"]),
        (200, {"objects": []}),
    )
    for answer in answers:
        server.posts["/hub/objects/batch"] = partial(said, answer)
        assert fetched(folder, server.url("/hub"), mirror) == sorted(CONTENTS)
        for path in CONTENTS:
            (folder / path).unlink()
    server.posts["/hub/objects/batch"] = partial(said, answers[0])
    with pytest.raises(UserError, match=r"5 of 5 files cannot be had.*exceeded its LFS budget"):
        fetched(folder, server.url("/hub"))


def test_an_encrypted_server_cannot_send_people_to_open_addresses(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with running(pem) as secure:
        hub = store(secure, "hub")
        assert fetched(folder, hub) == sorted(CONTENTS)
        store(server, "hub")
        secure.posts = server.posts
        with pytest.raises(UserError, match=r"names the open address http://"):
            fetched(folder / "again", hub)
    assert server.asked == []


def test_what_is_no_pointer_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"FLV\x01", pointer_of(b"x").replace("sha256", "md5").encode()):
        (tmp_path / "pointer").write_bytes(content)
        with pytest.raises(UserError, match="is no pointer of git LFS"):
            lfs.pointer(tmp_path / "pointer", "a.flv")

"""Downloads against a real server: cut, lied to, redirected, kept busy, and never fooled."""

import hashlib
import random
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from facewave.app.fetch import download
from facewave.app.fetch.download import Client, Remote
from facewave.errors import UserError
from faulty_server import (
    Answer,
    Handler,
    Server,
    certificate,
    cut,
    endless,
    redirect,
    running,
    send,
    status,
    without_ranges,
)

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)


def offered(server: Server, name: str = "/a.bin", content: bytes = CONTENT) -> Remote:
    server.files[name] = content
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Remote(f"deep{name}", server.url(name), len(content), digest)


def fetch(folder: Path, *files: Remote) -> int:
    """Fetch files; how many bytes the progress came to."""
    counts: list[int] = []
    with Client(counts.append) as client:
        client.fetch(files, folder)
    return sum(counts)


def there(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_file_comes_whole_whatever_happens_on_the_way(server: Server, folder: Path) -> None:
    long_ago = formatdate(0, usegmt=True)
    cases: tuple[tuple[str, list[Answer], list[str]], ...] = (
        ("/plain", [], [""]),
        ("/cut", [cut(100_000), cut(1), cut(50_000)], ["", "100000", "100001", "150001"]),
        ("/slow", [cut(10_000)] * 9, ["", *(f"{n}0000" for n in range(1, 10))]),
        ("/no-range", [cut(100_000), without_ranges], ["", "100000"]),
        ("/busy", [status(503), status(429, Retry_After="0"), status(502)], [""] * 4),
        ("/later", [status(503, Retry_After=long_ago)], ["", ""]),
        ("/gone-range", [cut(100_000), status(416)], ["", "100000", ""]),
        ("/odd-range", [cut(9), status(206, Content_Range="bytes 3-4/5")], ["", "9", ""]),
        ("/moved", [redirect("/plain")], [""]),
    )
    for name, faults, ranges in cases:
        remote = offered(server, name)
        server.faults[name] = faults
        assert fetch(folder, remote) == len(CONTENT), name
        assert there(folder) == {remote.path: CONTENT}, name
        asked = [f"bytes={at}-" if at else "" for at in ranges]
        assert server.ranges(name) == asked, name
        (folder / remote.path).unlink()


def test_a_later_run_goes_on_with_the_part_unless_it_is_of_another_file(
    server: Server, folder: Path
) -> None:
    remote = offered(server)
    server.faults["/a.bin"] = [cut(200_000), *[status(500)] * 5]
    with pytest.raises(UserError, match=r"500.*Run the same command again later; what has come"):
        fetch(folder, remote)
    (part,) = there(folder)
    assert part == f"deep/.a.bin.{remote.digest[-8:]}.part"
    assert fetch(folder, remote) == len(CONTENT)
    assert server.ranges("/a.bin")[-1] == "bytes=200000-"
    asked = len(server.asked)
    assert fetch(folder, remote) == len(CONTENT)
    assert len(server.asked) == asked  # it is there, whoever has put it there
    (folder / remote.path).write_bytes(OTHER)
    assert fetch(folder, remote) == len(CONTENT)
    assert there(folder) == {remote.path: CONTENT}
    for content in (OTHER[:7], OTHER, OTHER + b"more"):  # of the same name, by mistake
        (folder / remote.path).unlink()
        (folder / part).write_bytes(content)
        assert fetch(folder, remote) == len(CONTENT)
        assert there(folder) == {remote.path: CONTENT}


def test_a_file_that_changes_between_two_connections_is_taken_from_its_start(
    server: Server, folder: Path
) -> None:
    remote = offered(server)
    server.files["/a.bin"], server.etags["/a.bin"] = OTHER, '"old"'

    def change(request: Handler) -> None:
        cut(100_000)(request)
        server.files["/a.bin"], server.etags["/a.bin"] = CONTENT, '"new"'

    server.faults["/a.bin"] = [change]
    assert fetch(folder, remote) == len(CONTENT)
    assert server.asked[1][1]["if-range"] == '"old"'
    assert len(server.asked) == 2  # by the checksum alone it would have been three


def test_what_is_not_what_was_published_is_not_kept(server: Server, folder: Path) -> None:
    cases: tuple[tuple[str, bytes, list[Answer], str], ...] = (
        ("/wrong", OTHER, [], r"has sha256:.*, expected sha256:.*not kept"),
        ("/short", CONTENT[:-1], [], r"offers 299,999 bytes where 300,000 were published"),
        ("/long", CONTENT + b"!", [], r"offers 300,001 bytes where"),
        ("/endless", CONTENT, [endless], r"sends more than the 300,000 bytes"),
        ("/none", CONTENT, [status(404)], r"answers 404 Not Found"),
        ("/asks", CONTENT, [status(403)], r"answers 403.*may have moved"),
    )
    for name, content, fault, message in cases:
        remote = offered(server, name)
        server.files[name], server.faults[name] = content, fault
        with pytest.raises(UserError, match=message):
            fetch(folder, remote)
        assert there(folder) == {}, name
    assert server.given_up.wait(5)


def test_patience_ends(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = offered(server)
    server.faults["/a.bin"] = [status(429, Retry_After="3600")]
    with pytest.raises(UserError, match=r"429.*It asks to wait 3,600 s\. Run .* again later"):
        fetch(folder, remote)
    in_two_hours = formatdate(time.time() + 7200, usegmt=True)
    server.faults["/a.bin"] = [status(503, Retry_After=in_two_hours)]
    with pytest.raises(UserError, match=r"It asks to wait 7,"):
        fetch(folder, remote)
    server.asked.clear()
    server.faults["/a.bin"] = [cut(0)] * 9
    with pytest.raises(UserError, match=r"cannot be fetched"):
        fetch(folder, remote)
    assert len(server.asked) == 5
    with pytest.raises(UserError, match=r"nobody\.invalid|Resol|refused|Connect"):
        fetch(folder, replace(remote, url="http://127.0.0.1:9/a.bin"))
    with pytest.raises(UserError, match="cannot be fetched"):
        fetch(folder, replace(remote, url="file:///etc/passwd"))


def test_a_server_that_asks_to_wait_is_given_time(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = offered(server)
    server.faults["/a.bin"] = [status(429, Retry_After="1")]
    began = time.monotonic()
    fetch(folder, remote)
    assert time.monotonic() - began >= 1


def test_encrypted_connections_stay_encrypted(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path)
    with running(pem) as secure:
        remote = offered(secure)
        with pytest.raises(UserError, match="does not prove who it is"):
            fetch(folder, remote)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        secure.faults["/a.bin"] = [cut(1000), redirect("/b.bin"), cut(0)]
        secure.files["/b.bin"] = CONTENT
        assert fetch(folder, remote) == len(CONTENT)
        (folder / remote.path).unlink()
        server.files["/a.bin"] = CONTENT
        secure.faults["/a.bin"] = [redirect(server.url("/a.bin"))]
        with pytest.raises(UserError, match=r"redirects to http://.*, which is not encrypted"):
            fetch(folder, remote)
        assert there(folder) == {}
        assert server.asked == []
        server.faults["/a.bin"] = [redirect(secure.url("/a.bin"))]  # the other way is welcome
        fetch(folder, replace(remote, url=server.url("/a.bin")))


def test_files_come_side_by_side_and_one_mistake_stops_all(server: Server, folder: Path) -> None:
    remotes = [offered(server, f"/{n}", bytes([n]) * 1000) for n in range(12)]
    at_once: list[int] = []
    active = 0

    def slow(request: Handler) -> None:
        nonlocal active
        active += 1
        at_once.append(active)
        time.sleep(0.05)
        active -= 1
        send(request, 200, server.files[request.path])

    server.faults.update({f"/{n}": [slow] for n in range(12)})
    assert fetch(folder, *remotes) == 12_000
    assert 2 <= max(at_once) <= download.SIDE_BY_SIDE
    server.asked.clear()
    server.faults.update({"/0": [status(404)], **{f"/{n}": [slow] for n in range(1, 12)}})
    with pytest.raises(UserError, match="404"):
        fetch(folder / "again", *remotes)
    assert len(server.asked) < 12


def test_an_interface_answers_in_json_or_is_named(server: Server) -> None:
    server.files["/list"], server.files["/page"] = b'{"a": 1}', b"<html>Sorry"
    server.faults["/list"] = [status(503)]
    server.posts["/ask"] = lambda body: (200, {"got": body})
    with Client() as client:
        assert client.json(server.url("/list")) == {"a": 1}
        assert client.json(server.url("/ask"), {"b": 2}) == {"got": {"b": 2}}
        with pytest.raises(UserError, match="answers with something else than JSON"):
            client.json(server.url("/page"))

"""The page's server as people start it: clips of several at once, limits, and what it leaves."""

import asyncio
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from browser import Server, family, running, serving
from facewave.app.page.limits import Limits
from facewave.app.page.process import EndedError, Worker, resident

CLIP = "single_face.mp4"
_LONG_S = 60.0


@dataclass(eq=False)
class Person:
    """Somebody with a browser of their own."""

    address: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers["origin"] = self.address
        self.session.get(f"{self.address}/api/options", timeout=_LONG_S)

    def send(self, content: Any, name: str, **fields: str) -> requests.Response:
        form = {"model": "untrained"} | fields
        parts = [(key, (None, value)) for key, value in form.items()]
        return self.session.post(
            f"{self.address}/api/jobs", files=[*parts, ("clip", (name, content))], timeout=_LONG_S
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(f"{self.address}/api/jobs/{path}", timeout=_LONG_S, **options)

    def cancel(self, job: str) -> None:
        self.session.delete(f"{self.address}/api/jobs/{job}", timeout=_LONG_S)

    def last(self, job: str) -> dict[str, Any]:
        """How a job ended, as it is told."""
        told = [
            json.loads(line.removeprefix(b"data: "))
            for line in self.get(f"{job}/events", stream=True).iter_lines()
            if line.startswith(b"data: ")
        ]
        end: dict[str, Any] = told[-1]
        return end

    def answered(self, content: bytes, name: str = CLIP, **fields: str) -> dict[str, Any]:
        """The result of a clip."""
        job = self.send(content, name, **fields).json()["id"]
        end = self.last(job)
        assert end["state"] == "done", end
        result: dict[str, Any] = self.get(f"{job}/result").json()
        self.cancel(job)
        return result


def until(condition: Callable[[], bool], seconds: float = _LONG_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def clip(real_clips: Path) -> bytes:
    return (real_clips / CLIP).read_bytes()


@pytest.fixture(scope="module")
def models(landmarker: Path, encoder: Path) -> dict[str, str]:
    return {"FACEWAVE_ASSETS": str(landmarker.parent)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models: dict[str, str]) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("page")
    (home / "project").mkdir()
    with serving(home / "project", home, **models) as served:
        yield served


def kept(server: Server) -> list[Path]:
    """All files that the server has left in its temporary folder and in the cache, but locks."""
    return [
        path
        for path in server.home.rglob("*")
        if path.is_file() and path.name not in (".lock", "server.log")
    ]


def test_a_clip_is_answered_and_nothing_of_it_is_kept(server: Server, clip: bytes) -> None:
    person = Person(server.origin)
    job = person.send(clip, "../my <b>clip</b>.mp4").json()["id"]
    assert person.last(job)["state"] == "done"
    result = person.get(f"{job}/result").json()
    assert result["clip"]["name"] == "b>.mp4"  # what follows the last slash
    assert [one["id"] for one in result["answers"]] == ["untrained"]
    assert result["answers"][0]["people"][0]["whole"]["predicted"] == "happy"
    points = person.get(f"{job}/files/points.bin").content
    frames = sum(len(one["frames"]) for one in result["points"]["people"])
    assert len(points) == 4 * result["points"]["count"] * frames
    video = person.get(f"{job}/files/clip", headers={"range": "bytes=4-7"})
    assert (video.status_code, video.content) == (206, b"ftyp")
    for name in ("csv", "json", "srt", "vtt", "seen"):
        file = person.get(f"{job}/files/{result['files'][name]}")
        assert file.status_code == 200, name
        assert file.headers["content-disposition"].startswith("attachment"), name
        assert file.content, name
    assert Person(server.origin).get(f"{job}/result").status_code == 404  # somebody else's
    person.cancel(job)
    assert person.get(job).status_code == 404
    assert kept(server) == []


def test_what_is_found_is_kept_where_somebody_wants_that(
    server: Server, clip: bytes, tmp_path: Path
) -> None:
    person = Person(server.origin)
    person.answered(clip, keep="yes")
    assert kept(server)
    in_cache = {path.relative_to(server.home).parts[:2] for path in kept(server)}
    assert ("cache", "timeline") in in_cache
    shutil.rmtree(server.home / "cache")


def test_two_models_answer_the_same_clip(server: Server, clip: bytes) -> None:
    person = Person(server.origin)
    sent = person.session.post(
        f"{server.origin}/api/jobs",
        files=[("model", (None, "untrained/fer")), ("model", (None, "untrained/rules")),
               ("clip", (CLIP, clip))],
        timeout=_LONG_S,
    )  # fmt: skip
    job = sent.json()["id"]
    assert person.last(job)["state"] == "done"
    answers = person.get(f"{job}/result").json()["answers"]
    person.cancel(job)
    assert [one["id"] for one in answers] == ["untrained/fer", "untrained/rules"]
    words = [one["people"][0]["whole"]["words"] for one in answers]
    assert words[0] != words[1]


def test_limits_are_told_in_sentences(server: Server, clip: bytes) -> None:
    person = Person(server.origin)

    def zeros(count: int) -> Iterator[bytes]:
        for _ in range(count >> 20):
            yield bytes(1 << 20)

    before = b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nuntrained\r\n--B\r\n'
    before += b'Content-Disposition: form-data; name="clip"; filename="x.mp4"\r\n\r\n'

    def form() -> Iterator[bytes]:
        yield before
        yield from zeros(300 << 20)

    refused = person.session.post(
        f"{server.origin}/api/jobs",
        data=form(),  # in chunks: the server is not told how much will come
        headers={"content-type": "multipart/form-data; boundary=B"},
        timeout=_LONG_S,
    )
    assert refused.status_code == 413
    assert "larger than 256 MB" in refused.json()["sentence"]
    assert kept(server) == []
    text = person.send(b"no video, but a letter", "letter.mp4").json()["id"]
    end = person.last(text)
    assert (end["state"], end["sentence"].startswith("letter.mp4: not a video")) == ("failed", True)
    cut = person.last(person.send(clip[:50_000], "cut.mp4").json()["id"])
    assert cut["state"] == "failed"
    assert "index" in cut["sentence"]
    assert person.send(clip, "letter.txt").status_code == 415
    assert person.answered(clip)["people"]  # and the next is answered


def test_cancelling_ends_the_process(server: Server, clip: bytes) -> None:
    person = Person(server.origin)
    job = person.send(clip, CLIP).json()["id"]
    until(lambda: person.get(job).json()["state"] == "running")
    assert person.send(clip, CLIP).status_code == 409
    person.cancel(job)
    assert person.get(job).status_code == 404
    assert kept(server) == []
    until(lambda: len(family(server.process.pid)) == 2)  # with the one that waits for a job


def test_twenty_people_at_once_each_get_their_answer(server: Server, clip: bytes) -> None:
    people = [Person(server.origin) for _ in range(20)]
    until(lambda: len(family(server.process.pid)) == 2)
    peak = 0

    def one(number: int) -> str:
        result = people[number].answered(clip, f"clip {number}.mp4")
        assert result["people"], number
        return str(result["clip"]["name"])

    with ThreadPoolExecutor(len(people)) as pool:
        names = [pool.submit(one, number) for number in range(len(people))]
        while not all(name.done() for name in names):
            peak = max(peak, sum(map(resident, family(server.process.pid))))
            time.sleep(0.2)
    assert [name.result() for name in names] == [f"clip {number}.mp4" for number in range(20)]
    assert peak < 4 << 30
    assert server.process.poll() is None


def test_silent_connections_are_closed_and_the_server_ends_in_silence(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    with serving(tmp_path / "project", tmp_path) as served:
        at = urlsplit(served.address)
        own = f"Host: {at.netloc}\r\nOrigin: {served.origin}\r\n"
        asked = f"GET /nowhere HTTP/1.1\r\n{own}\r\n"
        silent, halfway = (
            socket.create_connection((at.hostname, at.port), _LONG_S) for _ in range(2)
        )
        halfway.sendall(asked.encode())
        answer = b""
        while not answer.endswith(b"}"):
            answer += halfway.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 404")
        halfway.sendall(asked[:20].encode())
        for connection in (silent, halfway):
            assert connection.recv(1) == b""  # closed by the server
            connection.close()
        until(lambda: len(family(served.process.pid)) == 2)
        os.kill(family(served.process.pid)[1], signal.SIGSTOP)  # so that the clip takes for ever
        person = Person(served.origin)
        told = person.get(
            f"{person.send(b'letter', 'letter.mp4').json()['id']}/events", stream=True
        )
        lines = told.iter_lines()  # which goes on
        assert next(lines).startswith(b"data: ")
        upload = socket.create_connection((at.hostname, at.port), _LONG_S)
        kind = "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000\r\n"
        upload.sendall(f"POST /api/jobs HTTP/1.1\r\n{own}{kind}\r\n--B".encode())
        time.sleep(0.5)
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(_LONG_S)
        upload.close()
    log = (tmp_path / "server.log").read_text()
    assert "ended; what was sent is deleted" in log
    assert "Cancel 1 running task" in log  # the upload; what is told of a clip has ended by itself
    assert "Traceback" not in log


def test_a_killed_server_leaves_nothing_to_the_next(
    tmp_path: Path, models: dict[str, str], clip: bytes
) -> None:
    (tmp_path / "project").mkdir()
    with serving(tmp_path / "project", tmp_path, **models) as first:
        person = Person(first.origin)
        job = person.send(clip, CLIP).json()["id"]
        until(lambda: person.get(job).json()["state"] == "running")
        started = family(first.process.pid)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        until(lambda: not running(started))  # what it started ends with it
        assert kept(first)
    with serving(tmp_path / "project", tmp_path, **models) as second:
        assert kept(second) == []
        assert Person(second.origin).answered(clip)["people"]
        second.process.send_signal(signal.SIGTERM)
        second.process.wait(_LONG_S)
    assert kept(second) == []
    assert "ended; what was sent is deleted" in (tmp_path / "server.log").read_text()


def test_a_job_that_breaks_a_limit_ends_with_a_sentence(
    tmp_path: Path, models: dict[str, str], clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEWAVE_ASSETS", models["FACEWAVE_ASSETS"])

    async def told(folder: Path, limits: Limits) -> str:
        folder.mkdir()
        (folder / "clip.mp4").write_bytes(clip)
        task = {"what": "answer", "folder": str(folder), "clip": "clip.mp4", "name": CLIP,
                "models": ["untrained"], "keep": False, "seconds": limits.seconds}  # fmt: skip
        worker = await Worker.start(limits)
        try:
            messages = [message async for message in worker.run(task)]
        except EndedError as error:
            return str(error)
        assert not worker.is_alive
        return str(messages[-1].get("failed"))

    for number, (limits, sentence) in enumerate([
        (Limits(), ""),
        (Limits(seconds=2.0), "single_face.mp4 lasts 0.0 minutes; 0.0333333 are the most. Cut it."),
        (Limits(work_s=0.2), "It took longer than"),
        (Limits(memory=50 << 20), "memory"),
    ]):  # fmt: skip
        assert sentence in asyncio.run(told(tmp_path / str(number), limits)), limits

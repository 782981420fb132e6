"""A page's server as a person starts it, and a real browser that looks at what it shows."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from facewave.app.doctor import GET_BROWSER, find_browser

SCREENSHOTS = "FACEWAVE_SCREENSHOTS"  # names a folder for pictures of the page
# It asks nobody anything by itself, and knows no other machine; root has no sandbox.
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update",
          "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")  # fmt: skip
_START_S = 90.0
_WAIT_MS = 60_000.0  # for anything on the page; machines are shared


def launch(playwright: Playwright, camera: Path) -> Browser:
    """Start the browser, with a camera that shows a film; without one, the test is skipped."""
    if (path := find_browser()) is None:
        pytest.skip(f"no browser: {GET_BROWSER}")
    pretended = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                 f"--use-file-for-fake-video-capture={camera}")  # fmt: skip
    return playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *pretended])


@dataclass(eq=False)
class Visitor:
    """Somebody with a browser of their own, and what went wrong in it.

    Attributes:
        context: the browser's, with cookies of its own.
        server: the only origin that may be asked for anything.
        refused: the HTTP codes of refusals that a test provokes, of which the console tells.
        problems: requests to others, errors in the console and of scripts.
    """

    context: BrowserContext
    server: str
    refused: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(_WAIT_MS)
        expect.set_options(timeout=_WAIT_MS)
        self.context.on("request", lambda request: self._note_request(request.url))
        self.context.on("console", lambda told: self._note_console(told.type, told.text))
        self.context.on("weberror", lambda raised: self.problems.append(str(raised.error)))
        self.context.on("page", self._note_sockets)

    def open(self, address: str) -> Page:
        """Look at an address."""
        page = self.context.new_page()
        page.goto(address)
        return page

    def _note_request(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in ("blob", "data"):
            return
        if f"{parts.scheme}://{parts.netloc}" != self.server:
            self.problems.append(f"asked for {address}")

    def _note_console(self, kind: str, text: str) -> None:
        is_provoked = any(f"responded with a status of {code}" in text for code in self.refused)
        if kind == "error" and not is_provoked:
            self.problems.append(f"console: {text}")

    def _note_sockets(self, page: Page) -> None:
        page.on("websocket", lambda socket: self.problems.append(f"connected to {socket.url}"))


@contextmanager
def visiting(browser: Browser, server: str, **options: Any) -> Iterator[Visitor]:
    """A visitor of a server, who meets no problem; options as of ``Browser.new_context``."""
    # Nothing moves, so that colours are measured and pictures taken of what stays.
    context = browser.new_context(**{"reduced_motion": "reduce"} | options)
    try:
        visitor = Visitor(context, server)
        yield visitor
        assert not visitor.problems, visitor.problems
    finally:
        context.close()


def check_accessible(page: Page) -> None:
    """The page as it is has nothing that keeps people from using it, as far as axe-core sees.

    Frames are left out: they have pages of their own.
    """
    found = Axe().run(page, options={"resultTypes": ["violations"], "iframes": False})
    grave = [
        f"{violation['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for violation in found.response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert not grave, "\n".join(grave)


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the page where ``FACEWAVE_SCREENSHOTS`` names a folder."""
    if folder := os.environ.get(SCREENSHOTS):
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@dataclass(frozen=True, eq=False)
class Server:
    """``facewave app`` in a process of its own.

    Attributes:
        process: the command's.
        address: that it printed, with its token if it has one.
        home: the folder of its cache, its temporary files and ``server.log``, what it prints.
    """

    process: "subprocess.Popen[bytes]"
    address: str
    home: Path

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"


@contextmanager
def serving(project: Path, home: Path, *words: str, **env: str) -> Iterator[Server]:
    """Start ``facewave app`` in a project's folder, on a free port; it ends with all it started."""
    (home / "temporary").mkdir(parents=True, exist_ok=True)
    own = {"FACEWAVE_CACHE": str(home / "cache"), "TMPDIR": str(home / "temporary")}
    command = [str(Path(sys.executable).parent / "facewave"), "app", "--no-browser"]
    log = home / "server.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--port", str(_free_port()), *words],
            cwd=project,
            env=os.environ | own | {"PYTHONUNBUFFERED": "1"} | env,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Server(process, _address(process, log), home)
    finally:
        end(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The address that the server prints, once it answers."""
    deadline = time.monotonic() + _START_S
    while not (found := re.search(r"http://[^\s/]+:(\d+)/\S*", told := log.read_text("utf-8"))):
        assert process.poll() is None, told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(found[1])), 1).close()
        except OSError:
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.05)
        else:
            return found[0]


def family(pid: int) -> list[int]:
    """The process and all that it started and that they started, by /proc."""
    parents = dict(_parents())
    found = [pid]
    for one in found:  # which grows
        found += [child for child, parent in parents.items() if parent == one]
    return found


def running(pids: Iterable[int]) -> set[int]:
    """Those processes that have not ended."""
    return dict(_parents()).keys() & set(pids)


def _parents() -> Iterator[tuple[int, int]]:
    """Each process that runs, and its parent."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                yield int(folder.name), int(parent)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the server to stop, then end whatever of it still runs."""
    started = family(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
    for pid in started[::-1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    while running(started):  # until the system has done what it was told
        time.sleep(0.01)

"""What tests of the page say of a page is true: faults are seen, and a good page has none."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest

from browser import Visitor, check_accessible, end, family, running

GOOD = """<!doctype html><html lang="en"><title>Good</title><link rel="icon" href="data:,">
<main><h1>Good</h1><video id="v" autoplay muted></video></main></html>"""
BAD = """<!doctype html><html lang="en"><title>Bad</title><link rel="icon" href="data:,">
<main><h1 style="color: #ccc; background: #ddd">Bad</h1><img src="http://127.0.0.2:9/a.png"></main>
<script>console.error("oh"); fetch("/refused"); throw new Error("no")</script></html>"""


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = {"/good": GOOD, "/bad": BAD}.get(self.path)
        self.send_response(HTTPStatus.OK if page else HTTPStatus.FORBIDDEN)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_bad_page_is_noticed(pages: str, visit: Callable[..., Visitor]) -> None:
    visitor = visit(pages)
    page = visitor.open(f"{pages}/bad")
    page.wait_for_load_state("networkidle")
    problems = "\n".join(visitor.problems)
    for fault in ("asked for http://127.0.0.2:9/a.png", "console: oh", "status of 403", "no"):
        assert fault in problems
    with pytest.raises(AssertionError, match="color-contrast"):
        check_accessible(page)
    visitor.problems.clear()


def test_a_good_page_has_a_camera_and_no_problem(pages: str, visit: Callable[..., Visitor]) -> None:
    visitor = visit(pages)
    page = visitor.open(f"{pages}/good")
    check_accessible(page)
    show = """async () => {
        v.srcObject = await navigator.mediaDevices.getUserMedia({video: true});
        await v.play();
        return v.videoWidth}"""
    assert page.evaluate(show) == 224  # that of the demo's clips
    assert visitor.problems == []


def test_all_that_a_process_started_is_ended() -> None:
    sleep = "import time; time.sleep(100)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}]); {sleep}"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while len(started := family(process.pid)) < 2:
        assert process.poll() is None
    assert os.getpid() not in started
    end(process)
    assert process.returncode is not None
    assert running(started) == set()

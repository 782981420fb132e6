"""Downloads that go on where they were cut off, and keep nothing that is not what was published.

A file grows beside its place as a hidden ``.part``, whose name has the end of the expected digest.
Its size is checked before it is fetched and while it comes, its digest when it is there.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from facewave import __version__
from facewave.errors import UserError

SIDE_BY_SIDE = 4  # files at a time
_TRIES = 5  # in a row that bring not a byte
_TIMEOUT_S = 30  # without a byte; Ctrl-C waits no longer either
_LONGEST_WAIT_S = 300  # a server that asks for more is taken at its word: later
_CHUNK = 1 << 20
_PASSING = (requests.ConnectionError, requests.Timeout, HTTPError)
_BUSY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes:
        path: where it goes, below the corpus's folder.
        url: its address.
        size: bytes; None where nobody says.
        digest: "sha256:..." or "md5:..."; "" where nobody says.
        headers: to send, as a server of large files asks for.
    """

    path: str
    url: str
    size: int | None = None
    digest: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class BrokenError(Exception):
    """A transfer was cut off, or the server is busy: worth another try, after ``wait`` seconds."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


class _Session(requests.Session):
    """Follows redirects, but never from an encrypted connection to an open one."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        schemes = [urlsplit(url).scheme.lower() for url in (resp.url, target or "")]
        if schemes == ["https", "http"]:
            resp.close()
            raise UserError(
                f"{resp.url} redirects to {target}, which is not encrypted: anybody on the way "
                "could replace what comes. Nothing was fetched; check this network."
            )
        return target


class Client:
    """Talks to servers of files; a context manager.

    Args:
        progress: called with the number of bytes that have come, from several threads; a negative
            number where bytes are given up.
    """

    def __init__(self, progress: Callable[[int], object] = lambda _: None) -> None:
        self._progress = progress
        self._stopped = threading.Event()
        self._session = _Session()
        self._session.headers["User-Agent"] = f"facewave/{__version__}"
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=SIDE_BY_SIDE))

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._session.close()

    def json(self, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """What an interface answers: to GET, or to POST where there is a ``body``.

        Raises:
            UserError: it cannot be had, or is no JSON.
        """

        def ask() -> Any:
            method = "GET" if body is None else "POST"
            with self._open(method, url, dict(headers or {}), body) as response:
                try:
                    return response.json()
                except requests.JSONDecodeError:
                    raise UserError(f"{url} answers with something else than JSON.") from None

        return self._again_and_again(url, ask)

    def fetch(
        self,
        files: Iterable[Remote],
        folder: Path,
        ready: Callable[[Remote, Path], None] = lambda *_: None,
    ) -> None:
        """Fetch files into a folder, several side by side.

        Args:
            files: what to fetch.
            folder: where ``Remote.path`` is below.
            ready: called for each file that is there and checked, in the thread that fetched it.

        Raises:
            UserError: a file cannot be had or is not what was published; parts of others stay.
        """

        def one(file: Remote) -> None:
            if not self._stopped.is_set():
                self._download(file, folder / file.path)
                ready(file, folder / file.path)

        pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        tasks = [pool.submit(one, file) for file in files]
        all_there = False
        try:
            for task in wait(tasks, return_when=FIRST_EXCEPTION).done:
                task.result()
            all_there = True
        finally:
            if not all_there:  # after Ctrl-C, too: the others end with their next bytes
                self._stopped.set()
            pool.shutdown(cancel_futures=True)

    def _download(self, file: Remote, target: Path) -> None:
        if file.digest and target.is_file() and _digest(target, file.digest) == file.digest:
            self._progress(_size(target))  # somebody has put it there
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{file.digest[-8:]}.part")
        resumed = part.exists()
        self._progress(_size(part))
        self._complete(file, part)
        if file.digest and _digest(part, file.digest) != file.digest:
            actual = _digest(part, file.digest)
            self._give_up(part)
            if not resumed:
                raise UserError(
                    f"what {file.url} sent has {actual}, expected {file.digest}; it was not kept. "
                    "Run again, or check what stands between this machine and that address."
                )
            self._download(file, target)  # what was there before was of something else
            return
        part.replace(target)

    def _complete(self, file: Remote, part: Path) -> None:
        """Bring the part to its full size, over as many connections as it takes."""
        validator: list[str] = []  # of what came first in this run
        if file.size is None:  # there is no telling where to go on
            self._give_up(part)
            self._again_and_again(file.url, lambda: self._transfer(file, part, validator))
        elif _size(part) < file.size:
            self._again_and_again(
                file.url, lambda: self._transfer(file, part, validator), lambda: _size(part)
            )

    def _transfer(self, file: Remote, part: Path, validator: list[str]) -> None:
        """Fetch what is missing over one connection, or all if the server has no ranges."""
        have = _size(part) if file.size else 0
        headers = {**file.headers, "Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-"}
        if have and validator:
            headers |= {"If-Range": validator[0]}
        with self._open("GET", file.url, headers, stream=True) as response:
            start = _start(response)
            if response.status_code == 416 or start not in (0, have):
                self._give_up(part)
                raise BrokenError("the server has no such range")
            if start == 0:
                self._give_up(part)
            _check_offer(file, response, start)
            tag = response.headers.get("ETag", "")
            validator[:] = [tag] if tag and not tag.startswith("W/") else []
            with part.open("ab") as out:
                # As much as there is: of a full chunk's beginning nothing gets lost at a cut.
                while chunk := response.raw.read1(_CHUNK):
                    self._go_on()
                    out.write(chunk)
                    self._progress(len(chunk))
                    if file.size is not None and out.tell() > file.size:
                        break
        if file.size is not None and _size(part) > file.size:
            self._give_up(part)
            raise UserError(
                f"{file.url} sends more than the {file.size:,} bytes that were published: it is "
                "another file. Nothing of it was kept."
            )
        if file.size is not None and _size(part) < file.size:
            raise BrokenError(f"the connection ended after {_size(part):,} of {file.size:,} bytes")

    def _open(
        self, method: str, url: str, headers: Mapping[str, str], body: Any = None, **options: Any
    ) -> requests.Response:
        """A response whose status is good, or 416."""
        self._go_on()
        response = self._session.request(
            method, url, headers=headers, json=body, timeout=_TIMEOUT_S, **options
        )
        if response.ok or response.status_code == 416:
            return response
        with response:
            status = f"{response.status_code} {response.reason}"
            if response.status_code in _BUSY:
                raise BrokenError(status, _retry_after(response))
            said = response.text[:200].strip()
            raise UserError(
                f"{url} answers {status}{': ' + said if said and '<' not in said else ''}. It may "
                "have moved, or want another network; what has come so far is kept."
            )

    def _again_and_again(
        self, url: str, call: Callable[[], Any], size: Callable[[], int] = lambda: 0
    ) -> Any:
        """What ``call`` returns, tried again as long as ``size`` grows or patience lasts."""
        failures, most = 0, size()
        while True:
            wait_s = 0.0
            try:
                return call()
            except BrokenError as error:
                reason, wait_s = str(error), error.wait
            except _PASSING as error:
                reason = _plain(error)
                if "CERTIFICATE_VERIFY_FAILED" in reason:
                    raise UserError(f"{url} does not prove who it is ({reason}).") from None
            except requests.RequestException as error:
                raise UserError(f"{url} cannot be fetched ({_plain(error)}).") from None
            failures = failures + 1 if size() <= most else 0
            most = max(most, size())
            if failures >= _TRIES or wait_s > _LONGEST_WAIT_S:
                later = f" It asks to wait {wait_s:,.0f} s." if wait_s > _LONGEST_WAIT_S else ""
                raise UserError(
                    f"{url} cannot be fetched ({reason}).{later} Run the same command again later; "
                    "what has come so far is kept."
                )
            self._stopped.wait(max(wait_s, _backoff(failures)))

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise UserError("stopped")  # nobody sees it: what has stopped it is told

    def _give_up(self, part: Path) -> None:
        self._progress(-_size(part))
        part.unlink(missing_ok=True)


def _backoff(failures: int) -> float:
    return float(2**failures - 1)  # seconds; none after a connection that brought something


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _digest(path: Path, like: str) -> str:
    kind = like.partition(":")[0]
    with path.open("rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


def _start(response: requests.Response) -> int:
    """The position of the response's first byte, -1 where its range cannot be read."""
    if response.status_code != 206:
        return 0
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


def _check_offer(file: Remote, response: requests.Response, start: int) -> None:
    length = response.headers.get("Content-Length", "")
    if file.size is None or not length.isdecimal() or start + int(length) == file.size:
        return
    raise UserError(
        f"{file.url} offers {start + int(length):,} bytes where {file.size:,} were published: it "
        "is another file, or a page about it. Nothing of it was kept."
    )


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks to wait: a number, or until a time; 0 where it says nothing."""
    asked = response.headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return 0.0


def _plain(error: Exception) -> str:
    """The innermost reason of an error that libraries have wrapped."""
    while isinstance(inner := next(iter(error.args), None), Exception):
        error = inner
    reason = getattr(error, "reason", None)
    return _plain(reason) if isinstance(reason, Exception) else f"{type(error).__name__}: {error}"

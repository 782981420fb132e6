"""Connections to a server, and what comes over them: in bounded time, and no more than has sense.

urllib3 tries again by itself, but reads the answers to failed tries to their ends, however long.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from socket import SHUT_RD
from threading import Timer
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError
from urllib3.util import Retry, Timeout, Url, make_headers, parse_url

from facewave.errors import UserError

_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # statuses after which the same may be asked again
_TRIES = 6  # after the first, of a request that fails
_READS = 3  # of them, where an answer is cut or does not come in time
_BACKOFF_S = 0.5  # the waits between them are 0, 1, 2, 4, 8 and 16 s
_LONGEST_WAIT_S = 60  # that a server may ask for
_CONNECT_S = 10.0
_ANSWER_S = 300.0  # for an answer's head, and again for the rest: a large model on a CPU takes long
_LARGEST = 4 << 20  # bytes of an answer that are read


class _Http(HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with _at_most(_ANSWER_S, lambda: self.sock.shutdown(SHUT_RD)):
            return super().getresponse()


class _Https(HTTPSConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with _at_most(_ANSWER_S, lambda: self.sock.shutdown(SHUT_RD)):
            return super().getresponse()


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


def connections(url: Url, parallel: int, *, by_proxy: bool) -> urllib3.PoolManager:
    """As many as are used at a time; by the environment's proxy, if wanted and it is for ``url``.

    Raises:
        UserError: the environment's proxy is no address of one.
    """
    proxy = getproxies().get(str(url.scheme))
    if by_proxy and proxy and not proxy_bypass(url.netloc or ""):
        there = _parsed_proxy(proxy, str(url.scheme))
        # The name and password are percent-encoded UTF-8, and sent as its bytes.
        login = unquote(there.auth, "latin-1") if there.auth else None
        headers = make_headers(proxy_basic_auth=login)
        address = there._replace(auth=None).url
        manager: urllib3.PoolManager = urllib3.ProxyManager(
            address, maxsize=parallel, proxy_headers=headers
        )
    else:
        manager = urllib3.PoolManager(maxsize=parallel)
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager


def exchange(
    manager: urllib3.PoolManager, method: str, url: str, body: Any, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    """The status and the content of an answer, asked for again while it fails in passing.

    No redirect is followed and nothing is unpacked. Of a long answer the beginning is read.

    Raises:
        HTTPError: what the last try has failed of.
    """
    retries = Retry(
        _TRIES,
        read=_READS,
        allowed_methods=None,  # to ask twice does no harm
        backoff_factor=_BACKOFF_S,
        retry_after_max=_LONGEST_WAIT_S,
    )
    options: dict[str, Any] = {
        "timeout": Timeout(connect=_CONNECT_S, read=_ANSWER_S),
        "retries": False,
        "redirect": False,
        "preload_content": False,
        "decode_content": False,
    }
    while True:
        try:
            response = manager.request(method, url, json=body, headers=headers, **options)
            content = _content(response)
        except HTTPError as failure:
            try:
                retries = retries.increment(method, url, error=failure)
            except MaxRetryError:
                raise failure from None
            retries.sleep()
            continue
        if response.status not in _AGAIN:
            return response.status, content
        try:
            retries = retries.increment(method, url, response)
        except MaxRetryError:
            return response.status, content
        try:
            retries.sleep(response)
        except (HTTPError, ValueError, OverflowError):  # it asks for no wait that makes sense
            retries.sleep()


def _content(response: urllib3.BaseHTTPResponse) -> bytes:
    """What is answered, as it comes; of what is too long, the beginning."""
    content = b""
    with _at_most(_ANSWER_S, response.shutdown):
        while len(content) < _LARGEST and (piece := response.read(1 << 16)):
            content += piece
    if len(content) >= _LARGEST:
        response.close()
    return content


@contextmanager
def _at_most(seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    """Stop what takes longer from another thread: a socket's time-out is for each read alone."""

    def end() -> None:
        with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
            stop()

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _parsed_proxy(proxy: str, scheme: str) -> Url:
    try:
        url = parse_url(proxy)
    except LocationParseError:
        url = Url()
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError(
            f"{scheme}_proxy in the environment should be as http://host:3128: no other proxies "
            "are known. Correct it, or name the server's host in no_proxy."
        )
    return url

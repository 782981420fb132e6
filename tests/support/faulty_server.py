"""A real HTTP(S) server on loopback that misbehaves as it is told to."""

import datetime
import ipaddress
import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Serves ``files``, with ranges; what is queued in ``faults`` for a path answers first."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.faults: dict[str, list[Answer]] = defaultdict(list)
        self.posts: dict[str, Callable[[Any], tuple[int, Any]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.given_up = threading.Event()  # a client has had enough of ``endless``
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}{path}"

    def ranges(self, path: str) -> list[str]:
        """The range of each request for a path, "" for all."""
        return [headers.get("range", "") for there, headers in self.asked if there == path]

    def handle_error(self, *_: Any) -> None:
        """Connections that a client gives up are no news."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.asked.append((self.path, headers))
        if queue := self.server.faults[self.path]:
            queue.pop(0)(self)
        elif self.path in self.server.files:
            serve(self)
        else:
            status(404)(self)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        code, answer = self.server.posts[self.path](body)
        send(self, code, json.dumps(answer).encode())


def send(request: Handler, code: int, content: bytes, **headers: str) -> None:
    request.send_response(code)
    for key, value in {"Content-Length": str(len(content)), **headers}.items():
        request.send_header(key.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(content)


def serve(request: Handler, cut: int | None = None) -> None:
    """The file, or its range; only ``cut`` bytes of it, then the connection ends."""
    content, tag = request.server.files[request.path], request.server.etags.get(request.path, "")
    asked, unchanged = request.headers.get("Range"), request.headers.get("If-Range", tag) == tag
    start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and unchanged else 0
    code, more = 200, {"ETag": tag} if tag else {}
    if start:
        code = 206
        more["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    body = content[start:]
    request.send_response(code)
    for key, value in {"Content-Length": str(len(body)), **more}.items():
        request.send_header(key.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body if cut is None else body[:cut])
    request.close_connection |= cut is not None


def cut(after: int) -> Answer:
    return lambda request: serve(request, after)


def status(code: int, **headers: str) -> Answer:
    return lambda request: send(request, code, b"{}", **headers)


def redirect(url: str) -> Answer:
    return status(302, Location=url)


def without_ranges(request: Handler) -> None:
    send(request, 200, request.server.files[request.path])


def endless(request: Handler) -> None:
    """Sends no length, and the file over and over."""
    request.send_response(200)
    request.send_header("Connection", "close")
    request.end_headers()
    request.close_connection = True
    try:
        for _ in range(200):
            request.wfile.write(request.server.files[request.path])
    except ConnectionError:
        request.server.given_up.set()


@contextmanager
def running(certificate: Path | None = None) -> Iterator[Server]:
    """A server at work."""
    server = Server(certificate)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, for the next hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "loopback.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path

"""``facewave app``: a page in a browser, which this machine serves to itself alone by default."""

import errno
import secrets
import socket
import webbrowser
from asyncio import TimerHandle, Transport
from contextlib import suppress
from threading import Timer
from types import FrameType

import joblib
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from facewave.app.notice import NOTICE
from facewave.app.page.access import LOOPBACK, Access
from facewave.app.page.folder import private_folder
from facewave.app.page.jobs import Jobs
from facewave.app.page.limits import Limits
from facewave.app.page.server import application
from facewave.errors import UserError

PORT = 8421
_FREE = 20  # ports after the first that are tried
_WAIT_S = 1.0  # before a browser is opened
_MOST = 256  # connections at a time
_HEAD_S = 10.0  # in which a connection must have asked for something
_TAKEN = (errno.EADDRINUSE, errno.EACCES)
_OWN = "Name one of this machine's addresses with --host"
_AT_ONCE = 4  # jobs, each of which uses a core; no more than there are cores


def serve(port: int, host: str | None, name: str | None, opens_browser: bool) -> None:
    """Serve the page until it is stopped.

    Args:
        port: 0: any. Another that is taken makes way for the next free one if it is the default.
        host: the address to be reached at by others; None: this machine alone.
        name: by which others reach it, too, as a proxy's; None: there is none.
        opens_browser: whether to show it.

    Raises:
        UserError: the port is taken, or this machine has no such address.
    """
    if host == "":
        raise UserError(f"--host has no address. {_OWN}.")
    address = host or LOOPBACK
    listener = _listener(address, port)
    at = listener.getsockname()[1]
    token = secrets.token_urlsafe(24) if host or name else None
    access = Access(address, at, token, name or "")
    shown = f"http://{_reachable(address)}:{at}/" + (f"?token={token}" if token else "")
    at_once = min(_AT_ONCE, joblib.cpu_count())
    with listener, private_folder() as folder:
        app = application(folder, access, Limits(), at_once)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            http=Connection,
            limit_concurrency=_MOST,
            timeout_graceful_shutdown=2,
        )
        print(
            f"facewave: {shown}\nCtrl-C ends it, and deletes what was sent.\n{NOTICE}", flush=True
        )
        if name:
            print(f"Where a proxy with TLS leads here: https://{name}/?token={token}", flush=True)
        if token:
            print(
                "Whoever has the token may use the page; without a proxy, what is sent to it is "
                "not encrypted.",
                flush=True,
            )
        if opens_browser:
            Timer(_WAIT_S, webbrowser.open, [shown]).start()
        with suppress(KeyboardInterrupt):  # SIGTERM, too; uvicorn has ended everything in order
            Server(config, app.state.jobs).run([listener])
        print("facewave: ended; what was sent is deleted.")


class Server(uvicorn.Server):
    """A server that can end while somebody is told how far a clip is."""

    def __init__(self, config: uvicorn.Config, jobs: Jobs) -> None:
        super().__init__(config)
        self._jobs = jobs

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end: SIGINT or SIGTERM has come."""
        self._jobs.hush()
        super().handle_exit(sig, frame)


class Connection(H11Protocol):
    """A connection that is closed if for long nothing is asked for, or not to its end."""

    _patience: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self._wait()

    def on_response_complete(self) -> None:
        """They have been answered, and may ask for something else."""
        self._wait()  # before what they have asked for meanwhile is begun
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        if self._patience:
            self._patience.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._patience:
            self._patience.cancel()
        self._patience = self.loop.call_later(_HEAD_S, self._lose_patience)

    def _lose_patience(self) -> None:
        if not self.cycle or self.cycle.response_complete:
            self.transport.close()


def _reachable(address: str) -> str:
    """An address for people, where it stands for all of the machine's."""
    if address in ("0.0.0.0", "::"):  # noqa: S104 - shown, not bound
        with suppress(OSError):  # a machine need not know its own name
            return socket.gethostbyname(socket.gethostname())
        return LOOPBACK
    return f"[{address}]" if ":" in address else address


def _listener(address: str, port: int) -> socket.socket:
    """A socket that listens at a port, or at the next free one after the default.

    Raises:
        UserError: there is none.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    ports = range(port, port + _FREE) if port == PORT else [port]
    for number in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, number))
            listener.listen(128)
        except OSError as error:
            listener.close()
            why = error.strerror or str(error)
            if isinstance(error, socket.gaierror) or error.errno not in _TAKEN:
                raise UserError(f"the page cannot be served at {address}: {why}. {_OWN}.") from None
            continue
        return listener
    raise UserError(f"the page cannot be served at {address}:{port}: {why}. Name another --port.")

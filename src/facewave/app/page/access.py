"""Who may ask the page for something: this machine alone, unless somebody has opened it to others.

A browser runs pages of strangers, too, and they can send requests to any address. So a request must
name a host that the page has (a stranger's name that was made to lead here is none), what changes
something must come from the page itself, and no answer may be read or framed by another page.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_READING = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Access:
    """Who may use a server.

    Attributes:
        host: what it is bound to.
        port: likewise; it tells the cookies of several servers apart.
        token: what a visitor must know; None: nothing, as nobody else can reach it.
        name: by which others reach it, too, as a proxy's; "" if there is none.
    """

    host: str = LOOPBACK
    port: int = 8421
    token: str | None = None
    name: str = ""
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def cookie(self) -> str:
        """The name of the cookie."""
        return f"facewave-{self.port}"

    def knows_host(self, named: str) -> bool:
        """Whether a request's Host is this server; its port does not matter."""
        name = named.rpartition(":")[0] if not named.endswith("]") and ":" in named else named
        name = name.lower()
        if name in _NAMES or name.strip("[]") in (self.host.lower(), self.name.lower() or None):
            return True
        if self.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            return False
        try:  # at all addresses of the machine: a number cannot be made to lead elsewhere
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def session(self) -> str:
        """A new visitor's cookie: a number of ours, signed."""
        number = secrets.token_urlsafe(24)
        return f"{number}.{self._signature(number)}"

    def visitor(self, cookie: str) -> str:
        """The visitor's number, "" if the cookie is none of ours."""
        number, _, signature = cookie.partition(".")
        is_ours = hmac.compare_digest(signature.encode(), self._signature(number).encode())
        return number if is_ours else ""

    def _signature(self, number: str) -> str:
        return hmac.new(self._secret, number.encode(), hashlib.sha256).hexdigest()

    def refuses(self, method: str, headers: Mapping[str, str], query: str, visitor: str) -> str:
        """Why a request is refused, "" if it is not."""
        host = headers.get("host", "")
        if not self.knows_host(host):
            return "The page does not have this address. Open the one that the terminal shows."
        if method not in _READING and headers.get("origin") not in _origins(host):
            return "The request does not come from the page itself."
        if self.token is None or visitor:
            return ""
        (given,) = parse_qs(query).get("token", [""])[:1]
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return (
                "The page asks for a token. Open the whole address that the terminal shows, with "
                "?token= and what follows."
            )
        return ""


def _origins(host: str) -> tuple[str, str]:
    return f"http://{host}", f"https://{host}"


class Guard:
    """Middleware: refuses what may not be asked, and gives each answer its headers.

    ``scope["state"]["visitor"]`` is the visitor's number.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, access = Headers(scope=scope), self._access
        visitor, fresh = access.visitor(_cookie(headers, access.cookie)), ""
        query = scope["query_string"].decode("latin-1")
        why = access.refuses(scope["method"], headers, query, visitor)
        if not why and not visitor:
            fresh = access.session()
            visitor = access.visitor(fresh)
        scope.setdefault("state", {})["visitor"] = visitor

        has_begun = False

        async def with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                own = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    own.setdefault(name, value)
                if fresh:
                    own.append(
                        "set-cookie",
                        f"{access.cookie}={fresh}; HttpOnly; SameSite=Strict; Path=/",
                    )
            await send(message)

        if why:
            await JSONResponse({"sentence": why}, 403)(scope, receive, with_headers)
        else:
            try:
                await self._app(scope, receive, with_headers)
            except asyncio.CancelledError:
                # The server is ended and has waited long enough (an upload, say); uvicorn would
                # print a traceback.
                if not has_begun:
                    told = {"sentence": "The page has been ended."}
                    await JSONResponse(told, 503)(scope, receive, with_headers)


def _cookie(headers: Headers, name: str) -> str:
    """A cookie's value, "" if there is none."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""

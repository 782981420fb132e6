"""Which addresses of cameras are watched: this computer's and its own network's.

Pictures of people would cross the internet unencrypted, and a camera out there may be somebody
else's. A name is resolved once, and the number that was checked is what is connected to: a name
that points elsewhere a moment later changes nothing.
"""

import base64
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from facewave.errors import UserError

PORTS = {"http": 80, "rtsp": 554}  # by scheme
_WRITTEN = (
    "Behind the host write @ as %40; in a name or password write / as %2F, ? as %3F and # as %23."
)
_LOCAL = tuple(
    map(
        ipaddress.ip_network,
        (
            *("127.0.0.0/8", "::1/128"),  # this computer
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),  # private
            *("169.254.0.0/16", "fe80::/10"),  # link-local
        ),
    )
)


@dataclass(frozen=True)
class Address:
    """A camera's address that may be watched.

    Attributes:
        url: as it was named, without name and password: what people are shown.
        scheme: http or rtsp.
        name: of the host, as it was named.
        number: of the host, which is connected to.
        port: there.
        path: with the query.
        user: name and password, "name:password"; "" without.
    """

    url: str
    scheme: str
    name: str
    number: str
    port: int
    path: str
    user: str = ""

    @property
    def connected(self) -> str:
        """The same with the host's number in place of its name, and with name and password."""
        host = f"[{self.number}]" if ":" in self.number else self.number
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{host}:{self.port}{self.path}"

    @property
    def authorization(self) -> str:
        """The header of HTTP's basic authentication, "" without a name."""
        plain = unquote(self.user).encode()
        return f"Basic {base64.b64encode(plain).decode()}" if self.user else ""


def is_local(number: str) -> bool:
    """Whether a number is this computer's or of a private or link-local network."""
    address = ipaddress.ip_address(number.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in _LOCAL)


def checked(url: str) -> Address:
    """A stream's address, if it may be watched.

    Raises:
        UserError: it is none, its host is not known, or one of its numbers is not local.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:  # whose text may be a part of the password
        raise UserError("the address of the stream cannot be read. " + _WRITTEN) from None
    if "@" in parts.path + parts.query + parts.fragment:  # the name or password may have gone there
        raise UserError("the address of the stream has an @ behind its host. " + _WRITTEN)
    shown = _shown(parts)
    if parts.scheme not in PORTS or not parts.hostname:
        raise UserError(
            f"{shown} is no address of a stream. Name rtsp://HOST/... or http://HOST/..., a "
            "camera's number, or a video."
        )
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise UserError(f"{shown} has spaces or control characters. Write them as %20 and so on.")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError(f"{shown}: the host is not known ({error}).") from None
    numbers = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if outside := [number for number in numbers if not is_local(number)]:
        raise UserError(
            f"{shown} is at {outside[0]}, outside this computer's own network. facewave watches "
            "cameras of this computer and its network alone (loopback, private and link-local "
            "addresses): pictures of people would cross the internet unencrypted, and a camera "
            "there may be somebody else's."
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    user = parts.netloc.rpartition("@")[0]
    return Address(shown, parts.scheme, parts.hostname, numbers[0], port, path, user)


def _shown(parts: SplitResult) -> str:
    """An address without name and password, which error messages and sessions must not have."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()

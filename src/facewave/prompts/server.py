"""A server that speaks OpenAI's protocol for conversations (vLLM, Ollama, llama.cpp), asked safely.

What is asked shows people's faces. So nothing goes to another machine unless that is allowed, no
redirect is followed, proxies do not see what goes to this machine itself, and messages leave out
what looks like a picture or a key.
"""

import ipaddress
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.util import Url, parse_url

from facewave import __version__, params
from facewave.errors import UserError
from facewave.prompts.connections import connections, exchange
from facewave.prompts.protocol import Completion, Identity, Listing, Reply, Usage

ALLOWED = "FACEWAVE_ALLOW_UPLOAD"  # "1": pictures may leave this machine
KEYS = ("FACEWAVE_API_KEY", "OPENAI_API_KEY")  # the second for OpenAI's own address alone
_OPENAI = "api.openai.com"
_NONSENSE = 3  # times that an answer without sense is asked for
_SHOWN = 200  # characters of what a server says of an error
_LISTED = 20  # names of models that are shown
_LONG = re.compile(r"[\w+/=-]{48,}")  # a picture, or a key
_CLOUD = ("-cloud", ":cloud")  # how Ollama names models that another machine answers for


class NoAnswerError(Exception):
    """A request has no answer, whatever becomes of others; ``status`` is 0 if none came."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Server:
    """An address, once it has told which model answers there.

    Args:
        settings: section ``train.language.server``.

    Attributes:
        address: with the protocol's version, and without a slash at its end.
        identity: of the model.

    Raises:
        UserError: the address is none, or of another machine without permission, or cannot be
            reached; or the model is not there or not named.
    """

    def __init__(self, settings: params.Server) -> None:
        self.address = settings.address.rstrip("/")
        url = _parsed(self.address)
        is_here = is_loopback(url)
        if not is_here:
            plain = " without encryption" if url.scheme == "http" else ""
            require_permission(self.address + plain)
            print(f"the clips are shown to {self.address}", file=sys.stderr)
        self._connections = connections(url, settings.parallel, by_proxy=not is_here)
        self._headers = {"User-Agent": f"facewave/{__version__}", "Accept-Encoding": "identity"}
        self._key = _key(KEYS[0]) or (_key(KEYS[1]) if url.host == _OPENAI else "")
        if self._key:
            self._headers["Authorization"] = f"Bearer {self._key}"
        self.identity = self._choose(settings.model)
        if self.identity.id.endswith(_CLOUD):
            require_permission(f"the cloud that answers for {self.identity.id} at {self.address}")

    def ask(self, body: Mapping[str, Any]) -> Reply:
        """The answer to a request for a completion.

        Raises:
            NoAnswerError: there is none to this request.
            UserError: there is none to any: nobody answers, or not us.
        """
        start = time.monotonic()
        completion = self._request("POST", "/chat/completions", Completion, body)
        choice, usage = completion.choices[0], completion.usage or Usage()
        return Reply(
            choice.message.content or "",
            choice.logprobs.content if choice.logprobs else [],
            usage.prompt_tokens,
            usage.completion_tokens,
            round(time.monotonic() - start, 3),
            choice.finish_reason == "length",
        )

    def _choose(self, name: str) -> Identity:
        try:
            models = self._request("GET", "/models", Listing).data
        except NoAnswerError as error:
            raise UserError(f"{self.address}/models does not tell its models: {error}.") from None
        named = [model for model in models if model.id == name or not name]
        if len(named) == 1:
            return named[0]
        names = ", ".join(model.id for model in models[:_LISTED]) or "none"
        names += f" and {len(models) - _LISTED} more" if len(models) > _LISTED else ""
        what = f"knows no {name!r}" if name else "has several models, or none"
        raise UserError(
            f"the server at {self.address} {what}. Set train.language.server.model in params.yaml "
            f"to one of its models: {names}."
        )

    def _request(self, method: str, path: str, form: Any, body: Any = None) -> Any:
        """What is answered, as ``form`` has it; asked again where it makes no sense."""
        for _ in range(_NONSENSE):
            status, content = self._exchange(method, self.address + path, body)
            if status == 200:
                try:
                    return TypeAdapter(form).validate_json(content)
                except ValidationError:
                    continue
            told = self._told(content)
            if 300 <= status < 400:
                raise UserError(
                    f"{self.address} sends on to another address. Nothing was sent there; name the "
                    "right one in train.language.server.address (params.yaml)."
                )
            if status in (401, 403):
                key = "another key" if self._key else "a key"
                raise UserError(
                    f"{self.address} wants {key} ({status}{told}). Put it into the environment "
                    f"as {KEYS[0]}."
                )
            if status == 404:
                raise UserError(
                    f"{self.address}{path} is not there ({status}{told}). Mostly addresses end "
                    "with /v1 (params.yaml: train.language.server)."
                )
            raise NoAnswerError(f"status {status}{told}", status)
        raise NoAnswerError("what it answers makes no sense")

    def _exchange(self, method: str, url: str, body: Any) -> tuple[int, bytes]:
        try:
            return exchange(self._connections, method, url, body, self._headers)
        except ProxyError:
            raise UserError(
                f"the environment's proxy does not lead to {self.address}. Correct http_proxy and "
                "https_proxy, or name the host in no_proxy."
            ) from None
        except SSLError as error:
            raise UserError(f"{self.address} does not prove who it is ({error}).") from None
        except (NewConnectionError, ConnectTimeoutError):
            raise UserError(
                f"nobody answers at {self.address}. Start the server, or name another in "
                "train.language.server.address (params.yaml). What has been answered is kept."
            ) from None
        except HTTPError as error:
            raise NoAnswerError(f"no whole answer came ({type(error).__name__})") from None

    def _told(self, content: bytes) -> str:
        """The beginning of what a server says of an error, on one line.

        Without the key as it is, long runs of letters and digits (as pictures are) and what a
        terminal would obey.
        """
        text = content[: 1 << 16].decode("utf-8", "replace")
        if self._key:
            text = text.replace(self._key, "...")
        shown = "".join(one if one.isprintable() else " " for one in _LONG.sub("...", text))
        line = " ".join(shown.split())
        return f": {line[:_SHOWN]}" if line and "<" not in line else ""


def is_loopback(url: Url) -> bool:
    """Whether an address is this machine's own, by its name alone: nobody is asked."""
    host = (url.host or "").strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def allow_upload() -> None:
    """Allow this process to show clips to other machines."""
    os.environ[ALLOWED] = "1"


def require_permission(whom: str) -> None:
    """Refuse to send anything to another machine unless that is allowed.

    Raises:
        UserError: it is not.
    """
    if os.environ.get(ALLOWED) != "1":
        raise UserError(
            f"pictures of the people in the clips, and what is said in them, would be sent to "
            f"{whom}. If that is allowed, set {ALLOWED}=1 in the environment for this run "
            "(facewave predict: --allow-upload); else name a server on this machine in "
            "train.language.server.address (params.yaml)."
        )


def _parsed(address: str) -> Url:
    try:
        url = parse_url(address)
    except LocationParseError:
        url = Url()
    if url.scheme not in ("http", "https") or not url.host or url.auth or url.query:
        raise UserError(
            "params.yaml: train.language.server.address should be as http://localhost:8000/v1, "
            f"without a name or password in it (those go into the environment as {KEYS[0]})."
        )
    return url


def _key(name: str) -> str:
    """A key from the environment; "" if there is none.

    Raises:
        UserError: it cannot be one.
    """
    key = os.environ.get(name, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UserError(
            f"{name} in the environment has characters that no key has: only printable ASCII can "
            "be sent. Set it again, without line breaks and quotation marks."
        )
    return key

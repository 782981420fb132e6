"""Asks a web application for something in this process, as a browser would, without a network."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message

HOST = "127.0.0.1:8421"


@dataclass(frozen=True)
class Answer:
    """An answer; ``headers`` have lower-case names."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """Its content, of which NaN and the like are no part."""

        def refuse(name: str) -> None:
            raise ValueError(name)

        return json.loads(self.content, parse_constant=refuse)


async def ask(
    app: ASGIApp,
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: Iterable[bytes] = (),
) -> Answer:
    """Ask ``app``; the host is its own and so is the origin, unless ``headers`` say otherwise."""
    given = {"host": HOST, "origin": f"http://{HOST}"} | dict(headers or {})
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"spec_version": "2.4"}, "method": method, "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(), "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in given.items()],
        "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8421),
    }  # fmt: skip
    pieces = iter([*body, b""])
    sent: list[Message] = []

    async def receive() -> Message:
        piece = next(pieces, None)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    return Answer(
        start["status"],
        {name.decode().lower(): value.decode() for name, value in start["headers"]},
        b"".join(part.get("body", b"") for part in parts),
    )


def form(
    clip: bytes = b"clip", name: str = "face.mp4", models: Iterable[str] = ("untrained",)
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a form as a browser sends it."""
    lines = [
        f'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n'
        for model in models
    ]
    lines += [
        f'--B\r\nContent-Disposition: form-data; name="clip"; filename="{name}"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    ]
    body = "".join(lines).encode() + clip + b"\r\n--B--\r\n"
    return {"content-type": "multipart/form-data; boundary=B"}, body

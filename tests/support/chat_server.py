"""A real server on loopback that speaks OpenAI's protocol: a tiny language model behind HTTP.

Pictures are decoded and shown to it. An answer that is held to a JSON schema is written greedily,
token by token, among those that the schema allows, as servers do; log probabilities are then of
the allowed tokens. The model has a token per byte.
"""

import base64
import io
import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch
from PIL import Image

from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import LanguageModel
from making_language import language_model

NAME = "tiny/smolvlm"
Json = dict[str, Any]
Fault = Callable[["Handler"], None]


class ChatServer(ThreadingHTTPServer):
    """Answers with ``model``; what is queued in ``faults`` answers first.

    Attributes:
        models: what it says that it has.
        knows: of "schema", "logprobs" and "max_tokens" those that it does not refuse.
        refuses: says of a request's text with which status it fails for ever; 0: it does not.
        writes: what it writes where no schema holds it; None: what the model writes.
        asked: (path, headers, body) of every request.
        answered: the bodies of those that were answered.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model = tiny()
        self.models: list[Json] = [{"id": NAME, "object": "model", "created": 0}]
        self.knows = {"schema", "logprobs", "max_tokens"}
        self.faults = deque[Fault]()
        self.refuses: Callable[[str], int] = lambda _: 0
        self.writes: str | None = None
        self.asked: list[tuple[str, Json, Any]] = []
        self.answered: list[str] = []
        self.broken: list[BaseException | None] = []
        self.busy = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def bodies(self) -> list[Json]:
        """What was asked about clips."""
        return [body for _, _, body in self.asked if body]

    def handle_error(self, *_: Any) -> None:
        """Connections that a client gives up are no news; bugs of ours are."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            self.broken.append(error)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ChatServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers), None))
        if self.path == "/v1/models":
            send(self, 200, {"object": "list", "data": self.server.models})
        else:
            send(self, 404, {"error": {"message": "not here"}})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        body = json.loads(text)
        self.server.asked.append((self.path, dict(self.headers), body))
        if self.server.faults:
            self.server.faults.popleft()(self)
        elif code := self.server.refuses(text):
            send(self, code, {"error": {"message": f"cannot: {text}"}})
        elif unknown := needs(body) - self.server.knows:
            send(self, 400, {"error": {"message": f"{unknown} is not known"}})
        else:
            with self.server.busy:
                answer = complete(self.server.model, body, self.server.writes)
            self.server.answered.append(text)
            send(self, 200, answer)


def send(request: Handler, code: int, content: Json | bytes, **headers: str) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    request.send_response(code)
    for key, value in {"Content-Length": str(len(data)), **headers}.items():
        request.send_header(key.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(data)


def status(code: int, **headers: str) -> Fault:
    return lambda request: send(request, code, {"error": {"message": "no"}}, **headers)


def nonsense(request: Handler) -> None:
    send(request, 200, b"<html>soon</html>")


def cut(request: Handler) -> None:
    """Half an answer, then the connection ends."""
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b'{"choices": [{"mess')
    request.close_connection = True


def needs(body: Json) -> set[str]:
    """What a request wants beyond a text."""
    named = {"schema": "response_format", "logprobs": "logprobs", "max_tokens": "max_tokens"}
    return {name for name, key in named.items() if body.get(key)}


def tiny() -> LanguageModel:
    """The model that answers; it takes a clip's frames as single images, as servers do."""
    return language_model("tiny-smolvlm", adapter=None, mode="zero_shot")


def turns_of(messages: Sequence[Json]) -> list[Turn]:
    """A conversation in the protocol's form as the model takes it."""
    turns = []
    for at, message in enumerate(messages):
        if message["role"] == "user":
            *pictures, question = message["content"]
            following = messages[at + 1 : at + 2]
            answer = following[0]["content"] if following else ""
            turns.append(Turn([decoded(one) for one in pictures], 0.0, question["text"], answer))
    return turns


def decoded(part: Json) -> Any:
    kind, _, data = part["image_url"]["url"].partition(";base64,")
    assert kind == "data:image/png"
    return np.array(Image.open(io.BytesIO(base64.b64decode(data, validate=True))).convert("RGB"))


def complete(model: LanguageModel, body: Json, writes: str | None) -> Json:
    """An answer in the protocol's form."""
    inputs = model.backbone.inputs([turns_of(body["messages"])])
    tokens, end = list[Json](), "stop"
    with torch.inference_mode():
        if "schema" in needs(body):
            schema = body["response_format"]["json_schema"]["schema"]
            (key,) = schema["required"]
            candidates = [
                json.dumps({key: word}).encode() for word in schema["properties"][key]["enum"]
            ]
            text, tokens = constrained(model, inputs, candidates, body.get("top_logprobs", 0))
        else:
            limit = body.get("max_tokens") or body["max_completion_tokens"]
            text = (writes or model.write(inputs, limit)[0])[:limit]
            end = "length" if len(text) == limit else "stop"
    usage = {"prompt_tokens": inputs["input_ids"].shape[1], "completion_tokens": len(text.encode())}
    logprobs = {"content": tokens} if "logprobs" in needs(body) else None
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": logprobs,
              "finish_reason": end}  # fmt: skip
    return {"object": "chat.completion", "model": body["model"], "choices": [choice],
            "usage": usage | {"total_tokens": sum(usage.values())}}  # fmt: skip


def constrained(
    model: LanguageModel, inputs: Any, candidates: Sequence[bytes], top: int
) -> tuple[str, list[Json]]:
    """The candidate that is written greedily, and its tokens with the likeliest of each place."""
    written, tokens = b"", list[Json]()
    while written not in candidates:
        here = len(written)
        allowed = sorted({one[here : here + 1] for one in candidates if one.startswith(written)})
        logs = next_logs(model, inputs, written, allowed)
        likely = sorted(zip(logs, allowed, strict=True), reverse=True)
        told = [{"token": one.decode(), "logprob": log} for log, one in likely]
        tokens.append(told[0] | {"top_logprobs": told[:top]})
        written += likely[0][1]
    return written.decode(), tokens


def next_logs(
    model: LanguageModel, inputs: Any, written: bytes, allowed: Sequence[bytes]
) -> list[float]:
    """Log probabilities of the bytes that may come next; together they have probability 1."""
    if len(allowed) == 1:
        return [0.0]
    ids = [model.backbone.answer_ids((written + one).decode())[:-1] for one in allowed]
    return torch.log_softmax(model.log_likelihoods(inputs, ids)[0].double(), 0).tolist()


@contextmanager
def serving() -> Iterator[ChatServer]:
    """A server at work."""
    server = ChatServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        assert server.broken == []

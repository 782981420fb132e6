"""Whom pictures are sent to, and what a server's faults come to; against one on loopback."""

import base64
import gzip
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from urllib3.util import parse_url

from chat_server import NAME, ChatServer, Handler, cut, nonsense, send, serving, status
from facewave import params
from facewave.errors import UserError
from facewave.models.vlm.conversations import Turn
from facewave.prompts import connections
from facewave.prompts.server import ALLOWED, KEYS, NoAnswerError, Server, allow_upload, is_loopback
from faulty_server import running

ASKED: dict[str, Any] = {
    "model": NAME,
    "max_tokens": 4,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}],
}
SECRET = "sk-abc"
GOOD = b'{"choices": [{"message": {"content": "sad"}}]}'
SENSELESS = [
    b'{"choices": [{"message": {"content": "\\ud800 sad"}}]}',
    b'{"choices": [{"message": {"content": "sad"}, "logprobs": {"content": '
    b'[{"token": "sad", "logprob": 1000, "top_logprobs": []}]}}]}',
    b'{"choices": [{"message": {"content": "sad"}, "logprobs": {"content": '
    b'[{"token": "sad", "logprob": 0, "top_logprobs": [{"token": "a", "logprob": NaN}]}]}}]}',
    b'{"choices": [{"message": {"content": "sad"}}], "usage": {"prompt_tokens": -1}}',
    b'{"choices": ' + 20_000 * b"[" + 20_000 * b"]" + b"}",
    (4 << 20) * b" " + GOOD,
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_BACKOFF_S", 0.0)
    for name in (ALLOWED, *KEYS):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def one() -> Iterator[ChatServer]:
    with serving() as server:
        server.writes = "sad"
        yield server


@pytest.fixture
def server(one: ChatServer) -> Iterator[ChatServer]:
    one.asked.clear()
    models = one.models
    yield one
    one.faults.clear()
    one.models = models


def settings(address: str, model: str = "") -> params.Server:
    return params.Server(address, model, 2)


def test_passing_faults_are_survived(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Server(settings(server.address))
    server.faults.extend([status(429, Retry_After="1"), status(500), status(503), cut, nonsense])
    start = time.monotonic()
    reply = client.ask(ASKED)
    assert time.monotonic() - start > 1  # as it was told
    assert (reply.text, len(server.bodies)) == ("sad", 6)
    assert (reply.completion_tokens, reply.tokens) == (3, [])
    read = server.model.backbone.inputs([[Turn([], 0.0, "Who?")]])
    assert reply.prompt_tokens == read["input_ids"].shape[1]
    assert reply.seconds > 1
    monkeypatch.setattr(connections, "_ANSWER_S", 0.2)
    server.faults.extend([lambda _: time.sleep(0.5), dripping(b"HTTP/1.1 200 OK\r\nServer: "),
                          dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")])  # fmt: skip
    start = time.monotonic()
    assert client.ask(ASKED).text == "sad"
    assert time.monotonic() - start < 2
    server.faults.append(status(503, Retry_After="9" * 5000))  # a wait without sense
    assert client.ask(ASKED).text == "sad"


def dripping(head: bytes) -> Callable[[Handler], None]:
    """An answer that comes byte by byte for longer than anybody waits."""

    def drip(request: Handler) -> None:
        request.close_connection = True
        for byte in head + b"x" * 60:
            request.wfile.write(bytes([byte]))
            time.sleep(0.05)

    return drip


def test_lasting_faults_are_told(server: ChatServer) -> None:
    client = Server(settings(server.address + "/"))
    for fault, message in (
        (status(500), r"status 500: \{.error.: \{.message.: .no.\}\}"),
        (status(400), "status 400: "),
        (nonsense, "makes no sense"),
        (cut, r"no whole answer came \(ProtocolError\)"),
        (lambda request: send(request, 200, {"choices": []}), "makes no sense"),
        (lambda request: send(request, 418, b"a \x1b[2Jb\x07\xe2\x80\xaec"), r": a \[2Jb c$"),
        *(
            ((lambda request, answer=answer: send(request, 200, answer)), "makes no sense")
            for answer in SENSELESS
        ),
        (
            lambda request: send(request, 200, gzip.compress(GOOD), Content_Encoding="gzip"),
            "makes no sense",
        ),
    ):
        server.faults.extend([fault] * 8)
        with pytest.raises(NoAnswerError, match=message):
            client.ask(ASKED)
        server.faults.clear()
    for code, message in ((401, "wants a key"), (404, "addresses end with /v1")):
        server.faults.append(status(code))
        with pytest.raises(UserError, match=message):
            client.ask(ASKED)
    server.models = [*server.models, {"id": "other", "root": "/weights", "meta": {"n_embd": 3}}]
    with pytest.raises(UserError, match=f"has several models.* its models: {NAME}, other"):
        Server(settings(server.address))
    with pytest.raises(UserError, match="knows no 'gpt'"):
        Server(settings(server.address, "gpt"))
    identity = Server(settings(server.address, "other")).identity
    assert (identity.root, identity.meta) == ("/weights", {"n_embd": 3})
    server.models = [{"id": f"model {number}"} for number in range(50)]
    with pytest.raises(UserError, match=r"model 18, model 19 and 30 more\.$"):
        Server(settings(server.address))
    for name in ("a\x1b[2J", "a\u202e", "a" * 1000):
        server.models = [{"id": name}]
        with pytest.raises(UserError, match="does not tell its models: what it answers makes no"):
            Server(settings(server.address))
    server.models = [{"id": "qwen3-vl:235b-cloud"}]
    with pytest.raises(UserError, match="sent to the cloud that answers for qwen3-vl:235b-cloud"):
        Server(settings(server.address))
    with pytest.raises(UserError, match=r"nobody answers at http://127.0.0.1:9/v1"):
        Server(settings("http://127.0.0.1:9/v1"))


def test_nothing_is_sent_to_another_machine_without_permission(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address, is_here in (
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.2/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://LOCALHOST/v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://0.0.0.0:8000/v1", False),
        ("http://example.org\\@localhost/v1", False),
        ("https://192.168.1.2/v1", False),
    ):
        assert is_loopback(parse_url(address)) == is_here, address
    asked: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("socket.getaddrinfo", lambda host, *_, **__: asked.append(host))
        for address in ("https://api.openai.com/v1", "http://example.org/v1"):
            with pytest.raises(UserError) as caught:
                Server(settings(address))
            assert f"would be sent to {address}" in str(caught.value)
            assert ("without encryption" in str(caught.value)) == address.startswith("http:")
    assert asked == []
    for address in ("localhost:8000", "ftp://localhost/v1", "http://me:secret@localhost/v1", "a b",
                    "http://[::1/v1", ""):  # fmt: skip
        with pytest.raises(UserError, match=r"address should be as http") as caught:
            Server(settings(address))
        assert "secret" not in str(caught.value)
    monkeypatch.setenv(ALLOWED, "1")
    server.models = [{"id": "qwen3-vl:235b-cloud"}]
    assert Server(settings(server.address)).identity.id == "qwen3-vl:235b-cloud"
    monkeypatch.setenv(ALLOWED, "0")
    allow_upload()
    assert os.environ[ALLOWED] == "1"


def test_no_redirect_is_followed_and_no_proxy_sees_what_stays_here(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as elsewhere:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, elsewhere.url(""))
        client = Server(settings(server.address))
        for code in (301, 307, 308):
            server.faults.append(status(code, Location=elsewhere.url("/v1/chat/completions")))
            with pytest.raises(UserError, match=r"sends on to another address\. Nothing was sent"):
                client.ask(ASKED)
        assert client.ask(ASKED).text == "sad"
        assert elsewhere.asked == []
        monkeypatch.setenv(ALLOWED, "1")
        elsewhere.files["http://example.org/v1/models"] = b'{"data": [{"id": "far"}]}'
        far = replace(settings("http://example.org/v1"), model="far")
        assert Server(far).identity.id == "far"  # by the proxy
        assert [path for path, _ in elsewhere.asked] == ["http://example.org/v1/models"]
        monkeypatch.setenv("http_proxy", elsewhere.url("").replace("//", "//me:%C3%A9%40@"))
        Server(far)
        login = elsewhere.asked[-1][1]["proxy-authorization"]
        assert base64.b64decode(login.removeprefix("Basic ")).decode() == "me:\u00e9@"
        for proxy in ("socks5://me:hidden@127.0.0.1:1", "me:hidden@proxy:3128", "http://[::1"):
            monkeypatch.setenv("http_proxy", proxy)
            with pytest.raises(UserError, match="http_proxy in the envir") as caught:
                Server(far)
            assert "hidden" not in str(caught.value)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        with pytest.raises(UserError, match=r"proxy does not lead to http://example\.org/v1"):
            Server(far)


def test_keys_go_where_they_belong_and_errors_repeat_neither_them_nor_pictures(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS[1], SECRET)
    Server(settings(server.address))
    assert "Authorization" not in server.asked[-1][1]
    for key in (f"{SECRET}\nX: y", f"{SECRET}\u2026", f"{SECRET}\x7f"):
        monkeypatch.setenv(KEYS[0], key)
        with pytest.raises(UserError, match=f"{KEYS[0]} in the environment has char") as refused:
            Server(settings(server.address))
        assert SECRET not in str(refused.value)
    monkeypatch.setenv(KEYS[0], f"{SECRET}\n")
    client = Server(settings(server.address))
    assert server.asked[-1][1]["Authorization"] == f"Bearer {SECRET}"
    picture = "iVBORw0KGgo" + "A" * 400
    said = f'"input": "data:image/png;base64,{picture}" with {SECRET}: no such field'
    server.faults.append(lambda request: send(request, 400, said.encode()))
    with pytest.raises(NoAnswerError) as caught:
        client.ask(ASKED)
    assert "with ...: no such field" in str(caught.value)
    assert not re.search(r"AAAA|sk-", str(caught.value))
    server.faults.append(status(401))
    with pytest.raises(UserError, match="wants another key"):
        client.ask(ASKED)

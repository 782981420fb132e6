import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.types import Message

from asking import Answer, ask
from facewave.app.page import offered, server
from facewave.app.page.access import Access
from facewave.app.page.limits import Limits


def page(folder: Path, access: Access) -> Starlette:
    return server.application(folder, access, Limits(), 1)


def asked(
    app: Starlette, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    return asyncio.run(ask(app, path, method, headers))


def test_only_names_of_this_machine_are_answered(tmp_path: Path) -> None:
    app = page(tmp_path, Access())
    for host, status in [
        ("127.0.0.1:8421", 200), ("localhost:8421", 200), ("LOCALHOST", 200), ("[::1]:8421", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example:8421", 403), ("", 403), ("[::2]", 403),
        ("192.168.1.7:8421", 403), ("localhost.", 403), ("localhost@evil.example:8421", 403),
    ]:  # fmt: skip
        assert asked(app, "/api/options", headers={"host": host}).status == status, host


def test_at_all_addresses_numbers_are_answered_and_strangers_names_are_not() -> None:
    everywhere = Access("0.0.0.0", token="t")
    assert everywhere.knows_host("192.168.1.7:8421")
    assert everywhere.knows_host("[fe80::1]:8421")
    assert not everywhere.knows_host("evil.example:8421")
    assert Access("192.168.1.7", token="t").knows_host("192.168.1.7:8421")
    assert not Access("192.168.1.7", token="t").knows_host("192.168.1.8:8421")


def test_what_changes_something_must_come_from_the_page(tmp_path: Path) -> None:
    app = page(tmp_path, Access())
    for origin in ("http://evil.example", "null", "", "http://127.0.0.1:9999", "http://localhost"):
        for path in ("/api/jobs", "/api/corpora/demo/relabels"):
            assert asked(app, path, "POST", {"origin": origin}).status == 403, origin
        assert asked(app, "/api/jobs/x", "DELETE", {"origin": origin}).status == 403
    assert asked(app, "/api/jobs/x", "DELETE").status == 404  # from the page; there is no such job


def test_a_token_is_asked_for_and_becomes_a_cookie(tmp_path: Path) -> None:
    app = page(tmp_path, Access("192.168.1.7", token="secret"))
    here = {"host": "192.168.1.7:8421"}
    for path in ("/", "/api/options", "/static/page.css", "/report", "/api/jobs/x", "/nowhere"):
        for query in ("", "?token=", "?token=secre", "?token=wrong&token=secret", "?token=é"):
            refusal = asked(app, path + query, headers=here)
            assert refusal.status == 403, path + query
            assert "set-cookie" not in refusal.headers
    entered = asked(app, "/api/options?token=secret", headers=here)
    assert entered.status == 200
    cookie, *rest = entered.headers["set-cookie"].split("; ")
    assert rest == ["HttpOnly", "SameSite=Strict", "Path=/"]
    assert asked(app, "/api/options", headers=here | {"cookie": cookie}).status == 200
    forged = cookie[:-4] + "0000"
    assert asked(app, "/api/options", headers=here | {"cookie": forged}).status == 403
    other = Access("192.168.1.7", token="secret")  # a server that was started later
    assert not other.visitor(cookie.partition("=")[2])


def test_every_answer_tells_the_browser_to_be_careful(tmp_path: Path) -> None:
    app = page(tmp_path, Access())
    for path, headers in [("/api/options", {}), ("/nowhere", {}), ("/", {"host": "evil.example"})]:
        told = asked(app, path, headers=headers).headers
        policy = told["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "no-referrer"
        assert told["cache-control"] == "no-store"
        assert told["permissions-policy"].startswith("camera=(self)")
        assert told["cross-origin-resource-policy"] == "same-origin"


def test_what_nobody_has_thought_of_is_a_sentence_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(offered, "models", fail)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": "GET", "path": "/api/options", "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    with pytest.raises(ZeroDivisionError):  # for the terminal
        asyncio.run(page(tmp_path, Access())(scope, receive, send))
    start, body = sent
    assert start["status"] == 500
    assert b"default-src 'none'" in dict(start["headers"])[b"content-security-policy"]
    assert "terminal" in json.loads(body["body"])["sentence"]


def test_the_report_may_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = page(tmp_path, Access())
    assert "no report" in asked(app, "/report").json["sentence"]
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/report.html").write_text("<script>alert(1)</script>")
    report = asked(app, "/report")
    assert report.status == 200
    assert report.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "frame-ancestors 'self'" in report.headers["content-security-policy"]


def test_a_persons_job_is_nobody_elses(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = page(tmp_path, Access())
        for path in ("/api/jobs/x", "/api/jobs/x/result", "/api/jobs/x/files/clip",
                     "/api/jobs/x/files/..%2f..%2fetc", "/api/jobs/x/events"):  # fmt: skip
            assert (await ask(app, path)).status == 404

    asyncio.run(scenario())

"""Which addresses are watched: this computer's own network, and nothing else."""

import socket
from threading import Event

import pytest

from facewave.app.live.addresses import checked, is_local
from facewave.app.live.clock import Clock
from facewave.app.live.sources import source
from facewave.errors import UserError


def resolve_to(monkeypatch: pytest.MonkeyPatch, *numbers: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 80)) for number in numbers]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_numbers_of_the_own_network_alone_are_local() -> None:
    local = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.178.20"]
    local += ["169.254.7.7", "::1", "fe80::1%eth0", "fd12::1", "::ffff:192.168.1.1"]
    public = ["8.8.8.8", "172.32.0.1", "192.169.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1"]
    public += ["2001:4860:4860::8888", "::ffff:8.8.8.8", "198.51.100.1", "::"]
    assert [number for number in local if not is_local(number)] == []
    assert [number for number in public if is_local(number)] == []


def test_a_public_host_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://8.8.8.8/cam", "rtsp://[2001:4860:4860::8888]/cam"):
        with pytest.raises(UserError, match="outside this computer's own network"):
            source(url)
    resolve_to(monkeypatch, "192.168.1.5", "93.184.216.34")  # one of both is enough
    with pytest.raises(UserError, match=r"93\.184\.216\.34"):
        checked("http://camera.example/")


def test_what_was_checked_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "192.168.1.5")
    address = checked("rtsp://me:se%20cret@camera.local/live?channel=1")
    assert address.connected == "rtsp://me:se%20cret@192.168.1.5:554/live?channel=1"
    assert "cret" not in address.url
    assert "cret" not in source("http://me:secret@camera.local/x?token=secret").label
    assert checked("http://me:a%3Ab@camera.local/").authorization == "Basic bWU6YTpi"
    assert checked("http://camera.local").connected == "http://192.168.1.5:80/"
    resolve_to(monkeypatch, "fd12::7")
    assert checked("http://camera.local:81/x").connected == "http://[fd12::7]:81/x"


def test_no_message_has_a_name_a_password_or_a_query() -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    for scheme in ("rtsp", "http"):
        camera = source(f"{scheme}://hidden:hidden@127.0.0.1:{port}/camera?k=hidden")
        with pytest.raises(UserError, match="cannot be watched: Connection refused") as raised:
            next(iter(camera.frames(Clock(), Event())))
        assert "hidden" not in str(raised.value)
        assert f"127.0.0.1:{port}/camera" in str(raised.value)
    for url in ("rtsp://hidden:hidden/x@127.0.0.1/", "rtsp://hidden:1#hidden@127.0.0.1/",
                "rtsp://hidden:1/hidden@127.0.0.1/", "http://127.0.0.1:hidden/"):  # fmt: skip
        with pytest.raises(UserError, match="%23") as raised:
            source(url)
        assert "hidden" not in str(raised.value)


def test_other_schemes_and_odd_addresses_are_refused() -> None:
    for url in ("file:///etc/passwd", "https://127.0.0.1/", "concat://a", "http://", "rtsp://:1/",
                "http://127.0.0.1:99999/", "http://127.0.0.1/a b", "http://[::1/"):  # fmt: skip
        with pytest.raises(UserError):
            source(url)

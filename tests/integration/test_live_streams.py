"""``facewave live`` of streams: HTTP and RTSP from servers of the test's own; what is refused."""

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event
from typing import Any, ClassVar

import av
import numpy as np
import pytest

from cameras import CLIP, ended
from facewave.app.live.clock import Clock
from facewave.app.live.sources import source
from facewave.errors import UserError
from facewave.video import Clip


@pytest.fixture(scope="module")
def stream_of() -> Iterator[Callable[..., str]]:
    """Serves MPEG-TS on loopback at its own rate, some of its times; its address."""
    servers = []

    def serve(clip: Path, times: int, seconds: float, redirect: str = "") -> str:
        content, left = transport_stream(clip, seconds), [times]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if redirect:
                    self.send_response(302)
                    self.send_header("Location", redirect)
                    self.end_headers()
                    return
                left[0] -= 1
                self.send_response(200 if left[0] >= 0 else 503)
                self.end_headers()
                pieces = 50 if left[0] >= 0 else 0
                size = len(content) // max(1, pieces) + 1
                for piece in range(pieces):
                    self.wfile.write(content[piece * size : (piece + 1) * size])
                    time.sleep(seconds / pieces)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://me:secret@127.0.0.1:{server.server_port}/camera?token=secret"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def transport_stream(clip: Path, seconds: float) -> bytes:
    """The first seconds of a clip as MPEG-TS."""
    target = BytesIO()
    with av.open(target, "w", format="mpegts") as container:
        stream: Any = None
        for number, at, picture in Clip(clip, 25).frames():
            if at > seconds or picture is None:
                break
            if stream is None:
                stream = container.add_stream("mpeg2video", rate=30)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def test_a_stream_of_the_own_network_is_watched_and_opened_again(
    tmp_path: Path, landmarker: Path, encoder: Path, real_clips: Path, stream_of: Any
) -> None:
    address = stream_of(real_clips / CLIP, times=2, seconds=2.5)
    records, messages, code = ended(tmp_path, address, "--headless")
    assert code == 1, messages
    assert "broke off (it answers HTTP 503) and did not come back in 3 tries" in messages
    assert "secret" not in messages + json.dumps(records)
    times = np.array([one["time"] for one in records if "reason" in one])
    assert times.max() > 4  # both times, and the pause between them
    assert any(not one["reason"] for one in records if "reason" in one)


class Rtsp(StreamRequestHandler):
    """A camera that sends a transport stream in RTP packets, over the connection it is asked on."""

    content: ClassVar[bytes] = b""
    seconds: ClassVar[float] = 1.0
    location: ClassVar[str] = ""  # where it sends on to
    asked: ClassVar[list[str]] = []

    def handle(self) -> None:
        while request := self.rfile.readline().decode().split():
            headers = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            self.asked.append(f"{request[0]} {headers.get('transport', '')}".strip())
            answer, body = {"CSeq": headers["cseq"], "Session": "1"}, ""
            if request[0] == "DESCRIBE":
                body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
                body += "m=video 0 RTP/AVP 33\r\na=control:trackID=0\r\n"
                answer |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
            elif request[0] == "SETUP":
                answer["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
            status = "200 OK"
            if self.location and request[0] == "DESCRIBE":
                status, body, answer = "302 Found", "", answer | {"Location": self.location}
                answer["Content-Length"] = "0"
            lines = "".join(f"{name}: {value}\r\n" for name, value in answer.items())
            self.wfile.write(f"RTSP/1.0 {status}\r\n{lines}\r\n{body}".encode())
            if request[0] == "PLAY":
                self.play()
                return

    def play(self) -> None:
        size = 7 * 188
        count = len(self.content) // size
        for number in range(count):
            clock = int(90_000 * self.seconds * number / count)
            header = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, clock, 7)
            packet = header + self.content[number * size : (number + 1) * size]
            self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
            time.sleep(self.seconds / count)


def test_an_rtsp_camera_sends_nobody_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[Any] = []

    class Elsewhere(StreamRequestHandler):
        def handle(self) -> None:
            reached.append(self.client_address)

    with (
        ThreadingTCPServer(("127.0.0.1", 0), Rtsp) as server,
        ThreadingTCPServer(("127.0.0.2", 0), Elsewhere) as other,
    ):
        for one in (server, other):
            one.daemon_threads = True
            threading.Thread(target=one.serve_forever, daemon=True).start()
        there = f"rtsp://127.0.0.2:{other.server_address[1]}/live"
        monkeypatch.setattr(Rtsp, "location", there)
        camera = source(f"rtsp://127.0.0.1:{server.server_address[1]}/live")
        with pytest.raises(UserError, match="cannot be watched"):
            next(camera.frames(Clock(), Event()))
        server.shutdown()
        other.shutdown()
    assert Rtsp.asked[-1].startswith("DESCRIBE")
    assert reached == []


def test_an_rtsp_camera_is_watched_over_one_connection(real_clips: Path) -> None:
    Rtsp.content, Rtsp.seconds = transport_stream(real_clips / CLIP, 1.5), 1.5
    Rtsp.asked.clear()
    with ThreadingTCPServer(("127.0.0.1", 0), Rtsp) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stop = Event()
        camera = source(f"rtsp://127.0.0.1:{server.server_address[1]}/live")
        shown = camera.frames(Clock(), stop)
        first = [next(shown) for _ in range(10)]
        shown.close()  # type: ignore[attr-defined]
        server.shutdown()
    expected = next(iter(Clip(real_clips / CLIP, 25).frames())).picture
    assert expected is not None
    assert first[0].picture.shape == expected.shape
    assert np.abs(first[0].picture.astype(int) - expected).mean() < 10
    assert "SETUP RTP/AVP/TCP;unicast;interleaved=0-1" in Rtsp.asked


def test_other_addresses_are_refused(tmp_path: Path, real_clips: Path, stream_of: Any) -> None:
    for address, why in (
        ("http://93.184.216.34/camera", "outside this computer's own network"),
        (stream_of(real_clips / CLIP, 1, 0.1, "http://93.184.216.34/"), "sends on to another"),
        (stream_of(real_clips / CLIP, 0, 0.1), "it answers HTTP 503"),
        ("rtsp://me:secret@127.0.0.1:9/camera?token=secret", "cannot be watched"),
    ):
        _, messages, code = ended(tmp_path, address)
        assert code == 2, messages
        assert why in messages
        assert "secret" not in messages
        assert "Traceback" not in messages

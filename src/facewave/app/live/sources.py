"""Where pictures come from: a camera, a stream, or a video that is played as a camera runs.

A stream or camera that breaks off is opened again, after 0.5, 1 and 2 seconds; when all of these
fail, the end is told. Nothing is kept of what is read.
"""

import http.client
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import NamedTuple, Protocol

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from facewave import __version__
from facewave.app.live.addresses import Address, checked
from facewave.app.live.clock import Clock
from facewave.errors import UnfinishedError, UserError, native_log_off
from facewave.video import Clip

Picture = NDArray[np.uint8]  # (height, width, 3), RGB

WAITS_S = (0.5, 1.0, 2.0)  # before each try to open a stream again
TIMEOUT_S = 5.0  # that a stream may take to open, and from one read to the next
_SIDES = (1280, 720)  # that a camera is asked for
_RATE = 30.0
_FORMATS = "mpegts,mpjpeg,mjpeg,matroska,webm,mov,mp4,flv"  # of streams; no playlist is followed
_SOON = {"fflags": "nobuffer", "flags": "low_delay", "analyzeduration": "1000000"}  # microseconds


class Frame(NamedTuple):
    """A picture as it comes.

    Attributes:
        number: of the source's frames, from 0.
        time: seconds since the first; of a video, its own.
        captured: when it was there, by the clock (s): read from the camera or the network; of a
            video, when it was due, even if decoding it took longer.
        picture: of the frame.
    """

    number: int
    time: float
    captured: float
    picture: Picture


class _LostError(Exception):
    """A source gives no more pictures; why."""


class Source(Protocol):
    """What gives pictures; ``label`` is what people are told of it."""

    label: str

    def frames(self, clock: Clock, stop: Event) -> Iterator[Frame]:
        """The pictures as they come, until it ends or is to ``stop``.

        Raises:
            UserError: it cannot be opened.
            UnfinishedError: it broke off, and could not be opened again.
        """
        ...


class Played:
    """A video, at its own rate.

    Raises:
        UserError: it is not there, or no video.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UserError(
                f"{path} is not here. Name a camera's number (0), a stream's address "
                "(rtsp://..., http://...) or a video."
            )
        if problem := Clip(path, _RATE).problem:
            raise UserError(f"{path}: {problem}.")
        self._path, self.label = path, str(path)

    def frames(self, clock: Clock, stop: Event) -> Iterator[Frame]:
        """See ``Source``."""
        begun: tuple[float, float] | None = None  # the first frame's time, and the clock's then
        with closing(Clip(self._path, _RATE).frames()) as frames:
            for number, time, picture in frames:
                first, start = begun = begun or (time, clock.now())
                due = start + time - first
                clock.wait(due - clock.now(), stop)
                if stop.is_set():
                    return
                if picture is not None:
                    yield Frame(number, time - first, due, picture)


class Live:
    """What runs by itself: it is opened again when it breaks off.

    Args:
        label: for people.
        open_: its pictures from now on; it raises ``_LostError`` when it has no more.
    """

    def __init__(self, label: str, open_: Callable[[], Generator[Picture]]) -> None:
        self.label, self._open = label, open_

    def frames(self, clock: Clock, stop: Event) -> Iterator[Frame]:
        """See ``Source``."""
        start: float | None = None
        number = tries = 0
        while not stop.is_set():
            why = "it ended"
            with closing(self._open()) as pictures:
                try:
                    for picture in pictures:
                        if stop.is_set():
                            return
                        now = clock.now()
                        start, tries = now if start is None else start, 0
                        yield Frame(number, now - start, now, picture)
                        number += 1
                except _LostError as error:
                    why = str(error)
            if start is None:
                raise UserError(f"{self.label} cannot be watched: {why}.")
            if tries == len(WAITS_S):
                raise UnfinishedError(
                    f"{self.label} broke off ({why}) and did not come back in {len(WAITS_S)} tries."
                )
            clock.wait(WAITS_S[tries], stop)
            tries += 1


def source(named: str) -> Source:
    """What a person calls SOURCE: a camera's number, a stream's address, or a video.

    Raises:
        UserError: it is none of them, or outside the computer's own network.
    """
    if named.isascii() and named.isdecimal():
        return Live(f"camera {int(named)}", lambda: _camera(int(named)))
    if "://" in named:
        address = checked(named)
        return Live(address.url, lambda: _stream(address))
    return Played(Path(named))


def _camera(index: int) -> Generator[Picture]:
    """A camera's pictures; the driver may give others than those that are asked for."""
    with native_log_off():
        capture = cv2.VideoCapture(index)
    try:
        if not capture.isOpened():
            raise _LostError("there is no such camera, or another program has it")
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, _SIDES[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, _SIDES[1])
        capture.set(cv2.CAP_PROP_FPS, _RATE)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        while True:
            is_there, picture = capture.read()
            if not is_there:
                raise _LostError("it gave no picture")
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    finally:
        capture.release()


def _stream(address: Address) -> Generator[Picture]:
    """The pictures of a stream."""
    try:
        with _rtsp(address) if address.scheme == "rtsp" else _http(address) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or stream.codec_context is None:
                raise _LostError("it has no pictures that can be decoded")
            stream.codec_context.thread_count = 1  # more would hold frames back
            converter = VideoReformatter()
            for packet in container.demux(stream):
                decoded = []
                with suppress(av.error.InvalidDataError):  # damaged on its way
                    decoded = packet.decode()
                for frame in decoded:
                    shown = converter.reformat(frame, format="rgb24", threads=1)
                    yield shown.to_ndarray().astype(np.uint8, copy=False)
    except (av.FFmpegError, OSError, http.client.HTTPException) as error:
        raise _LostError(_reason(error)) from None


def _rtsp(address: Address) -> InputContainer:
    """RTSP over TCP: the camera sends to no other port, and FFmpeg opens nothing else."""
    options = {"rtsp_transport": "tcp", "protocol_whitelist": "tcp", **_SOON}
    return av.open(
        address.connected,
        format="rtsp",
        options=options,
        timeout=TIMEOUT_S,
        metadata_errors="replace",
    )


@contextmanager
def _http(address: Address) -> Iterator[InputContainer]:
    """HTTP read here, so that no redirect is followed and FFmpeg sees bytes alone."""
    connection = http.client.HTTPConnection(address.number, address.port, timeout=TIMEOUT_S)
    headers = {"Host": f"{address.name}:{address.port}", "User-Agent": f"facewave/{__version__}"}
    if address.authorization:
        headers["Authorization"] = address.authorization
    with closing(connection):
        connection.request("GET", address.path, headers=headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise _LostError(_refusal(response.status))
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none", **_SOON}
        with av.open(_Bytes(response), options=options, metadata_errors="replace") as container:
            yield container


def _reason(error: Exception) -> str:
    """Why, without the error's own text: PyAV's has the address with name, password and query."""
    if isinstance(error, TimeoutError | av.error.ExitError):
        return f"it does not answer within {TIMEOUT_S:g} s"
    return getattr(error, "strerror", None) or type(error).__name__


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"it sends on to another address (HTTP {status}), which is not followed"
    return f"it answers HTTP {status}"


class _Bytes:
    """A response as PyAV reads it: what is there, without waiting for more."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, b"" at the end."""
        return self._response.read1(size)

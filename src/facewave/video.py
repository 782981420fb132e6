"""Decodes clips: videos with FFmpeg, pictures with OpenCV; on one thread, opening no other file.

A clip is a video, one picture, or a folder of pictures in the order of their numbers. Of several
streams of pictures in a video, the one that FFmpeg takes by default is read. Nothing of the
machine's environment changes what is decoded.
"""

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from facewave import unreadable
from facewave.pictures import files_of, is_pictures, times

# Containers only: a playlist named like a clip could open any other file, and a raw stream has no
# frame times.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,ogg,gif"
# Decoders with several threads slow each other down; with one each, two processes scale 1.99x.
cv2.setNumThreads(1)
av.logging.set_level(None)  # FFmpeg's complaints about damaged files: ours name the file

_DEFAULT_FPS = 25.0  # where the header's frame rate is missing or impossible
_LONGEST_S = 10.0  # a frame's longest duration, unless the header promises a longer clip
_LEAST_STEP = 1e-3  # s between frames: the landmarker counts in milliseconds
_ROUNDING = 1e-6  # of frame times, as a share of the sampling interval
_BACK_S = (0.0, 1.0, 10.0, math.inf)  # before a keyframe; not every container is sought exactly


class Frame(NamedTuple):
    """A frame of a clip.

    Attributes:
        number: its position in the clip, from 0.
        time: seconds, strictly increasing: the container's if it has one; for pictures, their
            number's distance from the first, over fps.
        picture: (height, width, 3), RGB uint8; None if it cannot be decoded.
    """

    number: int
    time: float
    picture: NDArray[np.uint8] | None


class Part(NamedTuple):
    """A part of a video that can be decoded on its own.

    Attributes:
        start: of its first frame, a keyframe, in the container's units.
        end: of the first frame behind it; None: it goes on to the video's end.
        number: of its first frame in the video.
        origin: the time of the video's first frame (s).
        before: that of the last frame before the part; -infinity for the first part.
    """

    start: int
    end: int | None
    number: int
    origin: float
    before: float


class Clip:
    """A clip, or a part of one, read once from front to end.

    Attributes:
        problem: why it cannot be opened, "" if it can.
        fps: the header's; for pictures, the one that was passed.
        width, height: the header's, in pixels, upright; for pictures, those of the first.
        declared_frames: the header's number of frames; for pictures, how many there are.
        duration: the seconds that the header promises to show, 0 if it says nothing; of a cut clip
            they may be fewer than its frames take.
        decoded: frames read so far.
    """

    _part: Part | None = None

    def __init__(self, path: Path, fps: float, part: Part | None = None) -> None:
        """Open a clip, or a part of a video alone.

        Only pictures, which have no times of their own, need ``fps``. Frames of a part have the
        numbers and times that they have in the whole.
        """
        self._part = part
        self.decoded, self.duration, self.problem = 0, 0.0, ""
        self._pictures = files_of(path) if is_pictures(path) else []
        self._video: tuple[InputContainer, VideoStream] | None = None
        self._frame: av.VideoFrame | None = None
        self._ahead: av.VideoFrame | None = None
        self._converter = VideoReformatter()  # its tables are computed once a clip
        self.width = self.height = self.declared_frames = 0
        if is_pictures(path):
            decoded = map(_read_picture, self._pictures)
            first = next((picture for picture in decoded if picture is not None), None)
            self.fps, self.declared_frames = fps, len(self._pictures)
            if first is None:
                self.problem = unreadable.why(self._pictures[0] if self._pictures else path)
            else:
                self.height, self.width = first.shape[:2]
            return
        self.fps = 0.0
        try:
            container, stream = opened(path)
            self._packets = _packets(container, stream, part)
        except (av.FFmpegError, OSError, ValueError):
            self.problem = unreadable.why(path)
            return
        self._video = container, stream
        self.fps = float(stream.average_rate or stream.guessed_rate or 0)
        self._ahead = next(self._decoded(), None)  # only a frame tells how far it is turned
        if self._ahead is None:
            self.problem = f"no frame can be decoded ({stream.codec_context.name})"
        self._turns = 0 if self._ahead is None else round(self._ahead.rotation / 90)
        size = (stream.width, stream.height)[:: -1 if self._turns % 2 else 1]
        self._stretch = _pixel_aspect(stream, turned=self._turns % 2 != 0)
        self.width, self.height = round(size[0] * self._stretch), size[1]
        if stream.duration and stream.time_base:
            self.duration = float(stream.duration * stream.time_base)
        elif container.duration:
            self.duration = container.duration / av.time_base
        self.declared_frames = stream.frames or math.floor(self.duration * self.fps + 0.5)

    def frames(self, rate: float = math.inf) -> Generator[Frame]:
        """The clip's frames; with a finite rate, the first in each interval of 1 / rate seconds."""
        step = 1 / (self.fps if 1 <= self.fps <= 1000 else _DEFAULT_FPS)
        start = known = now = last_interval = -math.inf
        first = 0
        if self._part is not None:
            first, start = self._part.number, self._part.origin
            if math.isfinite(rate) and math.isfinite(self._part.before):
                last_interval = math.floor((self._part.before - start) * rate + _ROUNDING)
        unknown = 0  # frames since the last known time
        longest = math.inf if self._pictures else _LONGEST_S
        if self.fps > 0:
            longest = max(longest, self.declared_frames / self.fps)
        for number, time in enumerate(self._read(), first):
            self.decoded = number - first + 1
            if time > known and (number == first or time - known <= longest):
                known, unknown = time, 0
                now = max(time, now + _LEAST_STEP)
            else:  # missing, wild or repeated: count frames from the last known time
                unknown += 1
                now = max(known + unknown * step, now + _LEAST_STEP)
            start = now if number == first and self._part is None else start
            if math.isfinite(rate):
                interval = math.floor((now - start) * rate + _ROUNDING)
                if interval == last_interval:
                    continue
                last_interval = interval
            yield Frame(number, now, self._picture(number))

    def stills(self, times: Iterable[float]) -> list[NDArray[np.uint8]]:
        """The frames at increasing times (s from the first frame); fewer if the clip ends earlier.

        Decodes from the start, since seeking is not exact in every container. A picture that cannot
        be decoded is one black pixel.
        """
        stills: list[NDArray[np.uint8]] = []
        wanted, start = list(times), None
        for _, time, picture in self.frames():
            start = time if start is None else start
            while len(stills) < len(wanted) and time - start >= wanted[len(stills)] - _LEAST_STEP:
                stills.append(np.zeros((1, 1, 3), np.uint8) if picture is None else picture)
            if len(stills) == len(wanted):
                break
        return stills

    def pictures(self, numbers: Iterable[int]) -> Iterator[NDArray[np.uint8] | None]:
        """The frames with these increasing numbers, RGB; None for those that cannot be decoded."""
        wanted = iter(numbers)
        following = next(wanted, None)
        for number, _ in enumerate(self._read() if following is not None else ()):
            self.decoded = number + 1
            if number == following:
                yield self._picture(number)
                if (following := next(wanted, None)) is None:
                    return
        while following is not None:
            yield None
            following = next(wanted, None)

    def _read(self) -> Generator[float]:
        """Advance frame by frame; yield the container's times, NaN where it has none."""
        if self._video is None:
            yield from times(self._pictures, self.fps)
            return
        container, stream = self._video
        start, second = stream.start_time or 0, float(stream.time_base or 0)
        with container:
            for frame in self._decoded():
                self._frame = frame
                # By way of milliseconds, as OpenCV has it: equal to the last digit.
                time = None if frame.pts is None else 1000 * ((frame.pts - start) * second) / 1000
                yield math.nan if time is None else time

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """The frames of a video; damaged packets are passed over, a damaged rest is its end."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            yield ahead
        is_cut = False
        with suppress(av.FFmpegError):
            for packet in self._packets:
                if is_cut and not packet.size:  # the file is cut off: its end, as in OpenCV
                    return
                is_cut = packet.is_corrupt
                with suppress(av.FFmpegError):
                    for frame in packet.decode():
                        place = self._place(frame)
                        if place > 0:
                            return
                        if place == 0:
                            yield frame

    def _place(self, frame: av.VideoFrame) -> int:
        """Whether a frame is before the part that is read (-1), in it (0) or behind it (1)."""
        if self._part is None:
            return 0
        # Frames without a time, and those that lean on the part before this one, are none of it.
        if frame.pts is None or frame.pts < self._part.start:
            return -1
        return int(self._part.end is not None and frame.pts >= self._part.end)

    def _picture(self, number: int) -> NDArray[np.uint8] | None:
        """The frame that was read last, None if it cannot be decoded."""
        if self._frame is None:
            picture = _read_picture(self._pictures[number])
            return None if picture is None else _rgb(picture)
        # Unless told otherwise on a thread a core, which cost more than they save.
        converted = self._converter.reformat(
            self._frame, format="rgb24", interpolation="BICUBIC", threads=1
        )
        upright = np.rot90(converted.to_ndarray(), self._turns)
        if self._stretch != 1:
            upright = cv2.resize(upright, (self.width, self.height))
        return np.ascontiguousarray(upright, np.uint8)


def _packets(
    container: InputContainer, stream: VideoStream, part: Part | None
) -> Iterator[av.Packet]:
    """The packets of a video, or of a part of it, from its keyframe on.

    Raises:
        ValueError: the keyframe is not where it was.
    """
    if part is None or part.number == 0:
        return container.demux(stream)
    for back_s in _BACK_S:
        target = stream.start_time or 0
        if math.isfinite(back_s):
            target = max(target, part.start - math.ceil(back_s / float(stream.time_base or 1)))
        container.seek(target, stream=stream)
        packets = container.demux(stream)
        for packet in packets:
            if packet.pts == part.start and packet.is_keyframe:
                return chain([packet], packets)
            if packet.dts is not None and packet.dts > part.start:
                break  # behind it
    raise ValueError("a part of the video is not where it was")


def opened(path: Path) -> tuple[InputContainer, VideoStream]:
    """A video and the stream of pictures that is shown by default.

    Raises:
        av.FFmpegError: it is no video, or damaged.
        ValueError: it has no pictures, or none that can be decoded.
    """
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        container.close()
        raise ValueError("no pictures that can be decoded")
    stream.codec_context.thread_count = 1
    return container, stream


def _pixel_aspect(stream: VideoStream, turned: bool) -> float:
    """A pixel's width over its height, in the upright picture."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if not 0.2 <= aspect <= 5:  # a damaged header
        return 1.0
    return 1 / aspect if turned else aspect


def _read_picture(path: Path) -> NDArray[np.uint8] | None:
    """A picture, BGR; None if it cannot be decoded, is cut off, or is larger than any camera's."""
    try:
        if not unreadable.is_whole(path):
            return None
        return cv2.imread(str(path))
    except (OSError, cv2.error):
        return None


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

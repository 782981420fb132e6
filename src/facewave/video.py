"""Decodes clips with OpenCV: quietly, on one thread, opening no other file.

A clip is a video, one picture, or a folder of pictures in the order of their numbers.
"""

import math
import os
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# OpenCV reads these when it is imported and when it opens a file: set them before the import.
# FFmpeg's complaints about damaged files are silenced: ours name the file.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
# Containers only: a playlist named like a clip could open any other file, and a raw stream has no
# frame times.
os.environ.setdefault(
    "OPENCV_FFMPEG_CAPTURE_OPTIONS",
    "format_whitelist;mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,ogg,gif",
)
import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.pictures import files_of, is_pictures, times

# Decoders with several threads slow each other down; with one each, two processes scale 1.99x.
cv2.setNumThreads(1)

_DEFAULT_FPS = 25.0  # where the header's frame rate is missing or impossible
_LONGEST_S = 10.0  # a frame's longest duration, unless the header promises a longer clip
_LEAST_STEP = 1e-3  # s between frames: the landmarker counts in milliseconds
_ROUNDING = 1e-6  # of frame times, as a share of the sampling interval


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


class Clip:
    """A clip, read once from front to end.

    Attributes:
        opened: whether it could be opened.
        fps: the header's; for pictures, the one that was passed.
        width, height: the header's, in pixels, upright; for pictures, those of the first.
        declared_frames: the header's number of frames; for pictures, how many there are.
        decoded: frames read so far.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Open a clip; only pictures, which have no times of their own, need ``fps``."""
        self.decoded = 0
        self._pictures = files_of(path) if is_pictures(path) else []
        self._capture = None
        self._stretch = 1.0
        if is_pictures(path):
            decoded = map(_read_picture, self._pictures)
            first = next((picture for picture in decoded if picture is not None), None)
            self.opened, self.fps = first is not None, fps
            self.height, self.width = (0, 0) if first is None else first.shape[:2]
            self.declared_frames = len(self._pictures)
            return
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        self.opened = bool(self._capture.isOpened())
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self._stretch = _pixel_aspect(self._capture)
        self.width = round(int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)) * self._stretch)
        self.height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.declared_frames = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames(self, rate: float = math.inf) -> Generator[Frame]:
        """The clip's frames; with a finite rate, the first in each interval of 1 / rate seconds."""
        step = 1 / (self.fps if 1 <= self.fps <= 1000 else _DEFAULT_FPS)
        start = known = now = last_interval = -math.inf
        unknown = 0  # frames since the last known time
        longest = math.inf if self._pictures else _LONGEST_S
        if self.fps > 0:
            longest = max(longest, self.declared_frames / self.fps)
        for number, time in enumerate(self._read()):
            self.decoded = number + 1
            if time > known and (number == 0 or time - known <= longest):
                known, unknown = time, 0
                now = max(time, now + _LEAST_STEP)
            else:  # missing, wild or repeated: count frames from the last known time
                unknown += 1
                now = max(known + unknown * step, now + _LEAST_STEP)
            start = now if number == 0 else start
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
        """Advance frame by frame; yield the container's times."""
        if self._capture is None:
            yield from times(self._pictures, self.fps)
            return
        try:
            while self._capture.grab():
                yield self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        finally:
            self._capture.release()

    def _picture(self, number: int) -> NDArray[np.uint8] | None:
        """The frame that was read last, None if it cannot be decoded."""
        if self._capture is None:
            picture = _read_picture(self._pictures[number])
            return None if picture is None else _rgb(picture)
        ok, picture = self._capture.retrieve()
        if not ok:
            return None
        if self._stretch != 1:
            picture = cv2.resize(picture, (self.width, picture.shape[0]))
        return _rgb(picture)


def _pixel_aspect(capture: cv2.VideoCapture) -> float:
    """A pixel's width over its height, in the upright picture."""
    wide, high = (capture.get(p) for p in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    aspect = wide / high if wide > 0 and high > 0 else 1.0
    if not 0.2 <= aspect <= 5:  # a damaged header
        return 1.0
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 != 0
    return 1 / aspect if turned else aspect


def _read_picture(path: Path) -> NDArray[np.uint8] | None:
    try:
        return cv2.imread(str(path))
    except cv2.error:  # a header that claims billions of pixels
        return None


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

"""Opening clips with OpenCV: quietly, with one thread, and nothing but the file itself.

A clip is a video, one picture, or a folder of pictures in the order of their numbers.
"""

import math
import os
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import NamedTuple

# Read by OpenCV when it is imported and when it opens a file, hence before the import.
# What FFmpeg says of a damaged file goes nowhere: our sentence says it, with the file's name.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
# Containers only: a playlist named like a clip could have other files opened, anywhere, and a raw
# stream has no frame times.
os.environ.setdefault(
    "OPENCV_FFMPEG_CAPTURE_OPTIONS",
    "format_whitelist;mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,ogg,gif",
)
import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.pictures import files_of, is_pictures, times

# Threads of several decoders get in each other's way: single ones scale 1.99x over two processes.
cv2.setNumThreads(1)


_USUAL_FPS = 25.0  # where the header has none that can be
_LONGEST_S = 10.0  # that a frame may last, where the header claims no longer clip
_LEAST_STEP = 1e-3  # seconds between frames: the landmarker counts in milliseconds
_ROUNDING = 1e-6  # of frame times, in parts of a second


class Frame(NamedTuple):
    """A frame of a clip.

    Attributes:
        number: how many frames come before it.
        time: seconds, later than the frame before: the container's where it has one; of pictures
            their numbers' distance from the first over fps.
        picture: (height, width, 3), RGB uint8; None where it cannot be decoded: the frame is there,
            and shows nothing.
    """

    number: int
    time: float
    picture: NDArray[np.uint8] | None


class Clip:
    """A clip, read once from front to end.

    Attributes:
        opened: whether it could be.
        fps: as the header has it, or as given for pictures.
        width, height: in pixels, upright, as the header has it; of pictures the first one's.
        declared_frames: as the header has it; of pictures their number.
        decoded: how many frames were read so far.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Open it; ``fps`` is that of pictures, which have no time of their own."""
        self.decoded = 0
        self._pictures = files_of(path) if is_pictures(path) else []
        self._capture = None
        self._stretch = 1.0
        if is_pictures(path):
            decoded = map(_read_picture, self._pictures)
            first = next((picture for picture in decoded if picture is not None), None)
            self.opened, self.fps = first is not None, fps
            self.width = 0 if first is None else int(first.shape[1])
            self.height = 0 if first is None else int(first.shape[0])
            self.declared_frames = len(self._pictures)
            return
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        self.opened = bool(self._capture.isOpened())
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self._stretch = self._pixel_aspect()
        self.width = round(self.width * self._stretch)
        self.declared_frames = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames(self, rate: float = math.inf) -> Generator[Frame]:
        """The clip's frames; with a rate, the first of each of so many parts of a second."""
        usual = 1 / (self.fps if 1 <= self.fps <= 1000 else _USUAL_FPS)
        start = known = now = last_part = -math.inf
        unknown = 0
        longest = math.inf if self._pictures else _LONGEST_S
        if self.fps > 0:
            longest = max(longest, self.declared_frames / self.fps)
        for number, time in enumerate(self._read()):
            self.decoded = number + 1
            if time > known and (number == 0 or time - known <= longest):
                known, unknown = time, 0
                now = max(time, now + _LEAST_STEP)
            else:  # missing, wild, or the same again: so many usual steps after the last known one
                unknown += 1
                now = max(known + unknown * usual, now + _LEAST_STEP)
            start = now if number == 0 else start
            if math.isfinite(rate):
                part = math.floor((now - start) * rate + _ROUNDING)
                if part == last_part:
                    continue
                last_part = part
            yield Frame(number, now, self._picture(number))

    def stills(self, times: Iterable[float]) -> list[NDArray[np.uint8]]:
        """The frames at some times (s from the first frame, rising); fewer if the clip ends before.

        Decoded from the start, for seeking is not exact everywhere. A picture that cannot be
        decoded is one black pixel.
        """
        found: list[NDArray[np.uint8]] = []
        wanted, start = list(times), None
        for _, time, picture in self.frames():
            start = time if start is None else start
            while len(found) < len(wanted) and time - start >= wanted[len(found)] - _LEAST_STEP:
                found.append(np.zeros((1, 1, 3), np.uint8) if picture is None else picture)
            if len(found) == len(wanted):
                break
        return found

    def _read(self) -> Generator[float]:
        """Go from frame to frame; yield their times."""
        if self._capture is None:
            yield from times(self._pictures, self.fps)
            return
        try:
            while self._capture.grab():
                yield self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        finally:
            self._capture.release()

    def _picture(self, number: int) -> NDArray[np.uint8] | None:
        """The frame that was read last."""
        if self._capture is None:
            picture = _read_picture(self._pictures[number])
            return None if picture is None else _rgb(picture)
        ok, picture = self._capture.retrieve()
        if not ok:
            return None
        if self._stretch != 1:
            picture = cv2.resize(picture, (self.width, picture.shape[0]))
        return _rgb(picture)

    def _pixel_aspect(self) -> float:
        """How much wider than high a pixel is meant to be, once the picture stands upright."""
        if self._capture is None:
            return 1.0
        wide, high = (self._capture.get(p) for p in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
        aspect = wide / high if wide > 0 and high > 0 else 1.0
        if not 0.2 <= aspect <= 5:  # no camera's, but a damaged header's
            return 1.0
        turned = self._capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 != 0
        return 1 / aspect if turned else aspect


def _read_picture(path: Path) -> NDArray[np.uint8] | None:
    try:
        return cv2.imread(str(path))
    except cv2.error:  # a header that claims thousands of millions of pixels
        return None


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

"""Opening clips with OpenCV: quietly, with one thread, and nothing but the file itself.

A clip is a video, one picture, or a folder of pictures in the order of their numbers.
"""

import os
from collections.abc import Generator
from pathlib import Path

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


class Clip:
    """A clip, read once from front to end.

    Attributes:
        opened: whether it could be.
        fps: as the header has it, or as given for pictures.
        width, height: of the first frame that can be decoded, in pixels.
        declared_frames: as the header has it; of pictures their number.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Open it; ``fps`` is that of pictures, which have no time of their own."""
        self._pictures = files_of(path) if is_pictures(path) else []
        self._capture = None
        if is_pictures(path):
            decoded = (cv2.imread(str(picture)) for picture in self._pictures)
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
        self.declared_frames = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames(self) -> Generator[tuple[float, NDArray[np.uint8] | None]]:
        """Pairs of the time (s) and the picture (height, width, 3), RGB uint8.

        The time is the container's; of pictures, their numbers' distance from the first over fps.
        A picture that cannot be decoded is None: its frame is there, and shows nothing.
        """
        if self._capture is None:
            for time, path in zip(times(self._pictures, self.fps), self._pictures, strict=True):
                picture = cv2.imread(str(path))
                yield time, None if picture is None else _rgb(picture)
            return
        try:
            while True:
                ok, picture = self._capture.read()
                if not ok:
                    return
                yield self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, _rgb(picture)
        finally:
            self._capture.release()


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

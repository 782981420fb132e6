"""Opening clips with OpenCV: quietly, with one thread, and nothing but the file itself.

A clip is a video, one picture, or a folder of pictures in the order of their numbers.
"""

import os
import re
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

# Threads of several decoders get in each other's way: single ones scale 1.99x over two processes.
cv2.setNumThreads(1)


PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


class Clip:
    """A clip, read once from front to end.

    Attributes:
        opened: whether it could be.
        fps: as the header has it, or as given for pictures.
        width, height: of the first frame, in pixels.
        declared_frames: as the header has it; of pictures their number.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Open it; ``fps`` is that of pictures, which have no time of their own."""
        self._pictures = files_of(path) if is_pictures(path) else []
        self._capture = None
        if is_pictures(path):
            first = cv2.imread(str(self._pictures[0])) if self._pictures else None
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
            for time, path in zip(_times(self._pictures, self.fps), self._pictures, strict=True):
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


def is_pictures(path: Path) -> bool:
    """Whether a clip is a folder of pictures, or one picture."""
    return path.is_dir() or path.suffix.lower() in PICTURES


def files_of(path: Path) -> list[Path]:
    """The files of a clip: itself, or a folder's pictures in the order of their numbers."""
    if not path.is_dir():
        return [path]
    with os.scandir(path) as entries:
        names = [
            entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file()
        ]
    found = [path / name for name in names if name.lower().endswith(PICTURES)]
    return sorted(found, key=lambda file: (_number(file), file.name))


def _number(picture: Path) -> int:
    """The number that a picture's name ends in, -1 for none."""
    digits = re.search(r"[0-9]{1,15}$", picture.stem)
    return int(digits[0]) if digits else -1


def _times(pictures: list[Path], fps: float) -> list[float]:
    numbers = [_number(picture) for picture in pictures]
    if len(set(numbers)) < len(numbers) or -1 in numbers:  # names that tell no time
        numbers = list(range(len(pictures)))
    return [(number - numbers[0]) / fps for number in numbers]


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

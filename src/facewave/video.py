"""Opening videos with OpenCV: quietly, with one thread, and nothing but the file itself."""

import os
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

# Threads of several decoders get in each other's way: single ones scale 1.99x over two processes.
cv2.setNumThreads(1)


def open_video(path: Path) -> cv2.VideoCapture:
    """A capture of a video file; whether it is one, ``isOpened()`` tells. Release it after use."""
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])

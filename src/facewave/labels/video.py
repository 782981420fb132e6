"""Whether a clip can be opened at all; what is in it is for the landmarks to find out."""

import os
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # a damaged file gets our sentence instead
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
import cv2


def opening_problem(path: Path) -> str:
    """Why a video cannot be opened, or "" if it can and has a first frame."""
    if not path.is_file():
        return "not a file"
    if path.stat().st_size == 0:
        return "0 bytes"
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            return "not a video, or its header is damaged or cut off"
        return "" if capture.grab() else "no frame can be decoded"
    finally:
        capture.release()

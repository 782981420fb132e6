"""What a file is that cannot be read as a clip, by its first bytes: a reason for people.

Most such files are no damaged videos but something else under a video's name.
"""

import os
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from facewave.pictures import is_pictures

MOST_PIXELS = 100_000_000  # of a picture: 300 MB once it is decoded
_HEAD = 1 << 16  # bytes that are looked at
_TAIL = 1 << 12  # bytes in which a picture's end is looked for; some programs append notes
_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}  # of JPEG and PNG, by their starts
_MXF = bytes.fromhex("060e2b34")


def why(path: Path) -> str:
    """Why a file or folder cannot be opened as a clip, and what to do where that is known."""
    if path.is_dir():
        return "a folder without pictures"
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    what = "picture" if is_pictures(path) else "video"
    if what == "picture" and (pixels := _pixels(path)) > MOST_PIXELS:
        return f"too large: {pixels / 1e6:.0f} megapixels, of {MOST_PIXELS / 1e6:.0f} at most"
    return _named(head) or f"not a {what}, or its header is damaged or cut off"


def is_whole(picture: Path) -> bool:
    """Whether a picture has its end, a sound header, and no more than ``MOST_PIXELS``.

    OpenCV shows the missing half of a JPEG or PNG file as grey or black, and takes gigabytes for a
    size that a damaged header claims.

    Raises:
        OSError: it cannot be read.
    """
    with picture.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        tail = file.read()
    end = next((end for start, end in _ENDS.items() if head.startswith(start)), b"")
    return end in tail and 0 < _pixels(picture) <= MOST_PIXELS


def _pixels(picture: Path) -> int:
    """The size that a picture's header claims, 0 if it is not known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(picture) as opened:
                return opened.width * opened.height
        except Image.DecompressionBombError:
            return MOST_PIXELS + 1
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
            return 0


def _named(head: bytes) -> str:
    """What the first bytes show, "" if they show nothing known."""
    text = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "0 bytes"
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the clip: run git lfs pull"
    if text.startswith(b"outs:") and b"md5:" in text:
        return "a pointer of DVC, not the clip: run dvc pull"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page, not the clip: its download was refused; download it again"
    if not any(head):
        return "nothing but zeros: an unfinished download; download it again"
    if head.startswith((b"\0\0\0\1", b"\0\0\1")) and head[:4] != b"\0\0\1\xba":
        return (
            "a raw stream, which has no frame times: put it into a container "
            "(ffmpeg -framerate FPS -i RAW -c copy CLIP.mp4)"
        )
    if head.startswith(_MXF):
        return "an MXF file, which is not read: convert it (ffmpeg -i CLIP.mxf CLIP.mp4)"
    if head[4:8] == b"ftyp":
        if b"encv" in head or b"pssh" in head:
            return "encrypted (DRM)"
        return "an MP4 file without its index: cut off, or its recording was not finished"
    return ""

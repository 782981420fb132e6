"""Frames of clips as language models are shown them, each decoded once and then kept.

They lie in the cache folder that also has the detections, under the key of the clip's trajectory
and what is asked of it: the frames' times and size. They are PNG files, without loss, so that a
model is shown the same whether a clip is decoded now or was long ago; the clip itself may be gone.
"""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facewave import shards
from facewave.errors import UserError
from facewave.shards import DamagedError, Kind
from facewave.video import Clip

Picture = NDArray[np.uint8]

_SCHEMA = pa.schema([("picture", pa.binary())])
KIND = Kind(
    name="stills",
    form="1",  # raise it with every change of the pictures
    # PNG files do not get smaller.
    options={"compression": "none", "use_dictionary": False, "write_statistics": False},
    remake="",
)


def stills(
    clip: Path, key: str, fps: float, start: float, times_M: NDArray[np.float64], side: int
) -> list[bytes]:
    """The first frames to begin at or after some times, or the last frame: M pictures as PNG.

    What cannot be decoded is black: one damaged clip should not stop a run. A clip of which nothing
    can be decoded is tried again the next time: it may lie on a disk that was not there.

    Args:
        clip: a video, a picture or a folder of pictures; it is opened if the cache lacks one.
        key: of the clip's trajectory (landmarks/schema.py).
        fps: of pictures.
        start: of the row, in seconds from the clip's first frame.
        times_M: in seconds from the start, 0 or more and never falling.
        side: the longer one of a picture, in pixels.

    Raises:
        UserError: the clip is needed and not here.
    """
    wanted = [start, *(start + times_M).tolist()]
    identity = json.dumps([key, wanted, side]).encode()
    place = KIND.place(hashlib.sha256(identity).hexdigest())
    try:
        if KIND.entries(place):  # none in a file of another format
            return [file for table in shards.tables(place) for file in table["picture"].to_pylist()]
    except DamagedError:
        pass  # it is made again
    if not clip.exists():
        raise UserError(f"{clip} is not here. Put it back, or set train.language.frames to 0.")
    opened = Clip(clip, fps)
    files = [_png(resized(picture, side)) for picture in _decoded(opened, wanted)]
    if not opened.problem:
        KIND.write(place, _SCHEMA, [pa.table([files], schema=_SCHEMA)], dict)
    return files


def _decoded(clip: Clip, wanted: list[float]) -> list[Picture]:
    """The frames at all times but the first, without which the last frame might be missed."""
    pictures = clip.stills(wanted) or [np.zeros((1, 1, 3), np.uint8)]
    pictures += pictures[-1:] * (len(wanted) - len(pictures))
    largest = max(pictures, key=lambda picture: picture.size)
    # A picture that cannot be decoded comes as one black pixel.
    return [picture if picture.size > 3 else np.zeros_like(largest) for picture in pictures[1:]]


def resized(picture: Picture, side: int) -> Picture:
    """A picture whose longer side has so many pixels."""
    scale = side / max(picture.shape[:2])
    size = [max(1, round(scale * length)) for length in picture.shape[1::-1]]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=interpolation).astype(np.uint8, copy=False)


def _png(picture: Picture) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr)[1].tobytes()

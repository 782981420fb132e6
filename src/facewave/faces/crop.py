"""Faces of many clips: from the cache where it has them, else cut out on all cores."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave import pool
from facewave.errors import UserError
from facewave.faces import align
from facewave.faces.schema import CHUNK, KIND, Faces, write_clip
from facewave.landmarks import schema as landmarks
from facewave.params import Faces as Settings
from facewave.params import Params
from facewave.pictures import files_of
from facewave.video import Clip

VERSION = 1  # of what this module cuts out: raise it with every change
_ROUNDING = 1e-6  # of frame times, as a share of the sampling interval


@dataclass(frozen=True)
class Source:
    """A clip and where its trajectory lies."""

    clip: Path
    key: str  # of the trajectory, in the cache of detections
    shard: Path
    row_group: int
    row_groups: int


def key(trajectory: str, settings: Settings) -> str:
    """The name under which a clip's faces are kept, by that of its trajectory."""
    identity = {"trajectory": trajectory, "version": VERSION} | asdict(settings)
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def ensure(
    sources: Mapping[str, Source], folder: Path, what: str, fps: float, settings: Params
) -> dict[str, str]:
    """Make sure that the cache has the faces of every clip; the key of each is its name here.

    Each clip is cached as soon as it is done, so an interrupted run resumes where it stopped. What
    ``folder``'s shards have is not cut out again.

    Returns:
        Why some are not, by key; the next run tries again.
    """
    missing = KIND.missing(sources, folder)
    tasks = [
        (name, (KIND.place(name), sources[name], fps, settings.faces, VERSION))
        for name in sorted(missing, key=lambda name: -_size(sources[name].clip))
    ]
    problems = pool.run(
        _crop, tasks, settings.landmarks.time_limit_s, settings.landmarks.scheduler, f"crop {what}"
    )
    return {name: why for name, why in problems.items() if not KIND.has(name)}


def _size(clip: Path) -> int:
    return sum(file.stat().st_size for file in files_of(clip)) if clip.exists() else 0


def _crop(target: Path, source: Source, fps: float, settings: Settings, version: int) -> None:
    if version != VERSION:
        raise UserError(pool.OTHER_VERSION)
    one(target, source, fps, settings)


def one(target: Path, source: Source, fps: float, settings: Settings) -> Path:
    """Cut out the faces of one clip, unless its file in the cache is there; return that."""
    if not KIND.has(target.stem):  # another worker may have done it before it was lost
        write_clip(target, faces(source, fps, settings))
    return target


def faces(source: Source, fps: float, settings: Settings) -> Iterator[Faces]:
    """The faces of a clip, up to CHUNK rows at a time.

    Args:
        source: the clip and its trajectory.
        fps: of clips that are folders of pictures.
        settings: rate, alignment, margin and size.

    Raises:
        FileNotFoundError: the clip is not there.
    """
    for file in files_of(source.clip):  # a share that is not mounted is no fault of the clip
        file.open("rb").close()
    frames, times, valid = [], [], []
    for chunk in landmarks.chunks(source.shard, source.row_group, source.row_groups):
        frames.append(chunk.frames_T)
        times.append(chunk.times_T)
        valid.append(np.isfinite(chunk.landmarks_TPC[:, 0, 0]))
    times_T = np.concatenate(times)
    rows_F = chosen(times_T, np.concatenate(valid), settings.fps)
    frames_F, times_F = np.concatenate(frames)[rows_F], times_T[rows_F]
    pictures: list[bytes | None] = []
    squares: list[NDArray[np.float32]] = []
    decoded = Clip(source.clip, fps).pictures(frames_F.tolist())
    for row, (picture, points_P2) in enumerate(zip(decoded, _points(source, rows_F), strict=True)):
        cut = face(picture, points_P2, settings)
        pictures.append(cut[0])
        squares.append(cut[1])
        if len(pictures) == CHUNK or row + 1 == len(rows_F):
            part = slice(row + 1 - len(pictures), row + 1)
            yield Faces(frames_F[part], times_F[part], pictures, np.stack(squares))
            pictures, squares = [], []


def _points(source: Source, rows_F: NDArray[np.intp]) -> Iterator[NDArray[np.float32]]:
    """The landmarks in some frames, each (P, 2) in picture widths and heights."""
    before = 0
    for chunk in landmarks.chunks(source.shard, source.row_group, source.row_groups):
        after = before + len(chunk.times_T)
        for row in rows_F[(rows_F >= before) & (rows_F < after)]:
            yield chunk.landmarks_TPC[row - before, :, :2]
        before = after


def face(
    picture: NDArray[np.uint8] | None, points_P2: NDArray[np.float32], settings: Settings
) -> tuple[bytes | None, NDArray[np.float32]]:
    """A face as JPEG, with its square and brightness; None and NaN where there is none.

    Raises:
        ValueError: OpenCV cannot cut it out.
    """
    square_5 = np.full(5, np.nan, np.float32)
    if picture is None or not np.isfinite(points_P2).all():
        return None, square_5
    size = np.array(picture.shape[1::-1], np.float32)  # pictures of a folder may differ
    square_5[:4] = align.squares(points_P2[None] * size, settings.align)[0]
    try:
        square_5[4] = align.brightness(picture, square_5[:4])
        cut = align.cut(picture, square_5[:4], settings.margin, settings.side)
        return _jpeg(cut, settings.quality), square_5
    except cv2.error as error:
        raise ValueError(str(error)) from None


def chosen(
    times_T: NDArray[np.float64], valid_T: NDArray[np.bool_], fps: float
) -> NDArray[np.intp]:
    """The frames that stand for each 1 / fps s: the first with a face, or else the first. Pure."""
    interval_T = np.array([interval(time, fps) for time in times_T], int)
    order = np.lexsort([np.arange(len(times_T)), ~valid_T, interval_T])
    _, first = np.unique(interval_T[order], return_index=True)
    return order[first]


def interval(time: float, fps: float) -> int:
    """Which 1 / fps s a time (s from the first frame) is in."""
    return math.floor(time * fps + _ROUNDING)


def _jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()

"""Another tool's file -> the trajectory of one face, every frame of the clip on its clock. Pure.

Frames that the tool dropped are there again, without a face: their numbers are missing between the
first frame and the last (a tool that looked at each n-th frame only dropped none), or, where there
are times alone, more than one and a half of the usual step passes. Nobody knows of frames that were
dropped at the end.

Whose face, where several are in a frame: as landmarks/follow.py has it. Faces are told apart by the
tool's numbers if it gives any, else by where they are. The middle of the picture, whose size
no file tells, is taken to be the middle of all places where faces were seen.

Legend of names: R rows of the tool's table, T frames.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from facewave.errors import UserError
from facewave.landmarks import follow, schema
from facewave.landmarks.schema import ClipFacts, Layout, Trajectory
from facewave.landmarks.tools import get
from facewave.landmarks.tools.tool import Sightings
from facewave.params import Tracks

_MOST = 100  # frames for each row of a file: with more, its numbers or times are wrong
_EVERY_NTH = 0.75  # of every n-th frame, at least, if a tool looked at these only
_SLOWEST = 1.0  # s from one frame to the next
_UNKNOWN = 1  # width and height of a picture whose points are in pixels


def read(path: Path, tracks: Tracks, whose: str) -> tuple[Trajectory, ClipFacts]:
    """The trajectory of a file, of the face that the rule ``whose`` follows.

    Raises:
        UserError: the file is not as the tool writes it, or its frames have no order.
    """
    seen = get(tracks).sightings(path)
    frames_R, times_R = _clock(seen, tracks, path)
    first = get(tracks).first
    numbers_T, times_T = _filled(frames_R, times_R, first, path)
    chosen_R = _followed(seen, frames_R, times_R, whose, path)
    at_R = np.searchsorted(numbers_T, frames_R)
    sighting_T = np.full(len(numbers_T), -1)
    sighting_T[at_R[chosen_R]] = np.flatnonzero(chosen_R)
    valid_T = sighting_T >= 0
    absent = {"sharpness_T", "landmarks_TPC", "blendshapes_TB", "pose_T44"} - set(seen.arrays)
    layout = Layout(seen.channels, frozenset(absent))

    def over_frames(values: NDArray[np.float32]) -> NDArray[np.float32]:
        placed = np.full((len(numbers_T), *values.shape[1:]), np.nan, np.float32)
        placed[valid_T] = values[sighting_T[valid_T]]
        return placed

    trajectory = Trajectory(
        frames_T=(numbers_T - (numbers_T[0] if first is None else first)).astype(np.int32),
        times_T=times_T - times_T[0],
        valid_T=valid_T,
        faces_T=np.bincount(at_R[seen.seen_R], minlength=len(numbers_T)).astype(np.int16),
        **{name: over_frames(values) for name, values in seen.arrays.items()},
        **schema.nothing(len(numbers_T), layout),
        names=seen.names,
        signals={block: over_frames(values) for block, values in seen.signals.items()},
        layout=layout,
    )
    rate = float((len(times_T) - 1) / np.ptp(times_T)) if len(times_T) > 1 else 0.0
    return trajectory, ClipFacts(rate, _UNKNOWN, _UNKNOWN, len(numbers_T))


def _clock(
    seen: Sightings, tracks: Tracks, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The frame's number and the time (s) of each row."""
    frames_R, times_R = seen.frames_R, _timed(seen)
    if frames_R is not None and (times_R is None or not np.ptp(times_R)) and tracks.fps:
        times_R = frames_R / tracks.fps
    if times_R is None or (frames_R is not None and np.ptp(frames_R) and not np.ptp(times_R)):
        raise UserError(
            f"{path} numbers its frames and has no times. Set tracks.fps in params.yaml to the "
            "frames a second."
        )
    if not np.isfinite(times_R).all():
        at = int(np.argmin(np.isfinite(times_R)))
        raise UserError(f"{path}, row {seen.rows_R[at]}: there is no time. Write the file again.")
    order_R = times_R if frames_R is None else frames_R
    new_R = np.diff(order_R) != 0
    back_R = (np.diff(times_R) < 0) | (np.diff(order_R) < 0) | (new_R & (np.diff(times_R) == 0))
    if back_R.any():
        at = int(np.argmax(back_R)) + 1
        raise UserError(
            f"{path}, row {seen.rows_R[at]}: the time {times_R[at]:g} s does not come after that "
            "of the frame before. Sort the rows, or write the file again, one clip a file."
        )
    if frames_R is None:
        frames_R = _numbered(times_R)
    if seen.times_R is not None and (pace := _pace(frames_R, times_R)) > _SLOWEST:
        raise UserError(
            f"{path}: its frames are {pace:g} s apart. Times are in seconds: divide milliseconds "
            "by 1000, or let tracks name the frames' numbers and fps in params.yaml."
        )
    return frames_R, times_R


def _timed(seen: Sightings) -> NDArray[np.float64] | None:
    """The times (s), those that rows without a face lack between those of the rows around them."""
    times_R = seen.times_R
    if times_R is None:
        return None
    order_R = np.arange(len(times_R)) if seen.frames_R is None else seen.frames_R
    has_R = np.isfinite(times_R)
    known, at = np.unique(order_R[has_R], return_index=True)
    if has_R.all() or len(known) < 2:
        return times_R
    line = make_interp_spline(known, times_R[has_R][at], k=1)  # straight on beyond both ends
    return np.where(has_R | seen.seen_R, times_R, line(order_R))


def _pace(frames_R: NDArray[np.int64], times_R: NDArray[np.float64]) -> float:
    """The usual time (s) from one frame to the next; 0: there is only one."""
    known, at = np.unique(frames_R, return_index=True)
    return float(np.median(np.diff(times_R[at]) / np.diff(known))) if len(known) > 1 else 0.0


def _numbered(times_R: NDArray[np.float64]) -> NDArray[np.int64]:
    """Frames' numbers by their times alone: how many usual steps lie between two."""
    moments, row_R = np.unique(times_R, return_inverse=True)
    if len(moments) < 2:
        return row_R.astype(np.int64)
    steps = np.diff(moments) / np.median(np.diff(moments))
    whole = np.where(steps > 1.5, np.round(steps), 1)
    return np.concatenate([[0], np.cumsum(whole)]).astype(np.int64)[row_R]


def _filled(
    frames_R: NDArray[np.int64], times_R: NDArray[np.float64], first: int | None, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All frames' numbers and times, with those that the tool dropped."""
    known, at = np.unique(frames_R, return_index=True)
    times = times_R[at]
    if len(known) < 2:
        return known, times
    start, step = _looked_at(known, first)
    if (known[-1] - start) / step > _MOST * len(known):
        raise UserError(
            f"{path}: its {len(known)} frames have numbers or times up to {known[-1]}, which "
            "cannot be of one clip. Write the file again, one clip a file."
        )
    numbers_T = np.arange(start, known[-1] + 1, step)
    early = times[0] + (numbers_T - known[0]) * _pace(known, times)
    times_T = np.where(numbers_T < known[0], early, np.interp(numbers_T, known, times))
    return numbers_T, times_T


def _looked_at(known: NDArray[np.int64], first: int | None) -> tuple[int, int]:
    """The first frame that the tool looked at and the distance to the next, 1 unless it shows.

    A few frames with a face may have a common distance by chance: so most must be there.
    """
    start = int(known[0]) if first is None else min(first, int(known[0]))
    step = int(np.gcd.reduce(np.diff(known)))
    start_of_steps = int(known[0]) if (known[0] - start) % step else start
    wanted = _EVERY_NTH * ((known[-1] - start_of_steps) // step + 1)
    return (start_of_steps, step) if 2 < len(known) >= wanted else (start, 1)


def _followed(
    seen: Sightings,
    frames_R: NDArray[np.int64],
    times_R: NDArray[np.float64],
    whose: str,
    path: Path,
) -> NDArray[np.bool_]:
    """Which rows are of the followed face."""
    rows = np.flatnonzero(seen.seen_R)
    twice = frames_R[rows][1:] == frames_R[rows][:-1]
    if not twice.any():
        return seen.seen_R
    spots = [follow.Spot(*map(float, spot)) for spot in seen.spots_R3]
    placed = bool(np.isfinite(seen.spots_R3[rows]).all())
    tracks_R = np.full(len(frames_R), -1)
    if seen.faces_R is not None:
        tracks_R[rows] = seen.faces_R[rows]
    elif placed:
        known = follow.Tracks()
        for frame in np.unique(frames_R[rows]):
            some = rows[frames_R[rows] == frame]
            found = known.place(float(times_R[some[0]]), [spots[row] for row in some])
            tracks_R[some] = [-1 if track is None else track for track in found]
    else:
        at = rows[1:][twice][0]
        raise UserError(
            f"{path}, row {seen.rows_R[at]}: the second row of its frame, and nothing tells whose "
            "face it is. Write the faces' numbers or places as well, or one face a file."
        )
    rows = rows[tracks_R[rows] >= 0]
    width, height = _UNKNOWN, _UNKNOWN
    if placed:
        centres = seen.spots_R3[rows, :2]
        width, height = (max(1, round(far)) for far in centres.min(axis=0) + centres.max(axis=0))
    rule = follow.rule_of(whose) if placed else "longest"
    counts = [follow.prominence(rule, spots[row], width, height) for row in rows]
    chosen_R = np.zeros(len(frames_R), bool)
    at_R = np.unique(frames_R, return_inverse=True)[1]
    chosen_R[rows] = follow.followed(at_R[rows], tracks_R[rows], np.array(counts))
    return chosen_R

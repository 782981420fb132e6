"""A recording of any length -> who is seen when (``follow``).

It is cut into parts of about a minute (parts.py), each looked at by a process of its own and kept
in the cache as soon as it is done: an interrupted run resumes with the parts that are missing. What
holds for the whole (shots, and who is who) follows from small tables of the parts. A track ends
where there is a cut or frames are missing, but at no boundary of parts; only the tracker begins
anew there: the smoothing of points starts again, and a face that only a search finds may be found
up to a second late.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from facewave import assets, hashes, pool
from facewave.app.predict import digest
from facewave.app.timeline import kept, parts, people, shots
from facewave.app.timeline.people import Followed
from facewave.app.timeline.schema import PEOPLE, SHOTS, TRACKS, WHOLE_S, Recording
from facewave.errors import UserError
from facewave.faces import crop
from facewave.faces.schema import CHUNK, Faces
from facewave.landmarks import quality, schema
from facewave.landmarks.detect import TRUNCATED_BELOW, cut_off
from facewave.landmarks.schema import Trajectory
from facewave.marks import marks
from facewave.params import Params
from facewave.pictures import files_of


@dataclass(frozen=True, eq=False)
class Kept(Recording):
    """A recording whose parts are in the cache.

    Attributes (others as in ``Recording``):
        names: of the blendshapes.
        origin: the first frame's time, as ``Clip`` tells it (s).
        files: of the parts (parts.py).
        starts: the time of each part's first frame (s).
        followed: the tracks, in the rows' order.
        faces_fps: faces a second that were cut out.
    """

    names: tuple[str, ...]
    origin: float
    files: tuple[Path, ...]
    starts: tuple[float, ...]
    followed: tuple[Followed, ...]
    faces_fps: float

    def trajectory(self, person: int, start: float, end: float) -> Trajectory:
        """See ``Recording.trajectory``."""
        pieces = [piece for _, piece in self._pieces(person, start, end)]
        return schema.joined([piece for piece in pieces if len(piece.times_T)])

    def faces(self, person: int, start: float, end: float) -> Iterator[Faces]:
        """See ``Recording.faces``."""
        fps = self.faces_fps
        # The first picture of an interval stands for all of it.
        trajectory = self.trajectory(person, start - 1 / fps, end)
        rows = crop.chosen(trajectory.times_T, trajectory.valid_T, fps)
        rows = rows[trajectory.times_T[rows] >= start]
        frames_F, times_F = trajectory.frames_T[rows], trajectory.times_T[rows]
        found = iter(self._cut_out(person, start, end))
        frame, picture, square = next(found, _NO_FACE)
        for at in range(0, len(rows), CHUNK):
            part = slice(at, at + CHUNK)
            pictures: list[bytes | None] = []
            squares: list[NDArray[np.float32]] = []
            for wanted in frames_F[part]:
                while frame < wanted:
                    frame, picture, square = next(found, _NO_FACE)
                is_it = frame == wanted
                pictures.append(picture if is_it else None)
                squares.append(square if is_it else np.full(5, np.nan, np.float32))
            yield Faces(frames_F[part], times_F[part], pictures, np.stack(squares))

    def _tracks(self, person: int) -> dict[int, set[int]]:
        """The numbers of a person's tracks in each part."""
        tracks: dict[int, set[int]] = {}
        for one in self.followed:
            if one.person == person:
                for part, number in one.names:
                    tracks.setdefault(part, set()).add(number)
        return tracks

    def _touched(self, start: float, end: float) -> range:
        """The parts with frames in [start, end)."""
        first = max(0, int(np.searchsorted(self.starts, start, "right")) - 1)
        return range(first, int(np.searchsorted(self.starts, end)))

    def _pieces(self, person: int, start: float, end: float) -> Iterator[tuple[int, Trajectory]]:
        """Part, and the trajectory in it."""
        tracks = self._tracks(person)
        for part in self._touched(start, end):
            frames = _read(self.files[part]).frames
            times = frames["time"] - self.origin
            frames = frames[(times >= start) & (times < end)]
            piece = replace(
                schema.blank(len(frames), self.names),
                frames_T=frames["number"],
                times_T=frames["time"] - self.origin,
                faces_T=frames["faces"],
            )
            if len(frames) and part in tracks:
                first, last = frames["number"][[0, -1]].tolist()
                file = self.files[part]
                for seen in kept.sightings_in(file, tracks[part], first, last):
                    rows = np.searchsorted(frames["number"], seen.frames_T)
                    piece.valid_T[rows] = True
                    for name in ("sharpness_T", "landmarks_TPC", "blendshapes_TB", "pose_T44"):
                        getattr(piece, name)[rows] = getattr(seen, name)
            yield part, piece

    def _cut_out(
        self, person: int, start: float, end: float
    ) -> Iterator[tuple[int, bytes | None, NDArray[np.float32]]]:
        tracks = self._tracks(person)
        for part in self._touched(start, end):
            if part in tracks:
                yield from kept.faces_in(self.files[part], tracks[part])


_NO_FACE = (2**31, None, np.full(5, np.nan, np.float32))


def follow(path: Path, fps: float, settings: Params, progress: bool = True) -> Kept:
    """Follow all faces in a recording; what is in the cache is not looked at again.

    Args:
        path: a video, a picture or a folder of pictures.
        fps: of pictures.
        settings: params.yaml; ``landmarks.device``, ``scheduler`` and ``whose`` have no say here.
        progress: whether to show it.

    Raises:
        UserError: it cannot be decoded, a part of it cannot be looked at, or the landmarker's file
            cannot be had.
    """
    with hashes.remembered(hashes.of_clips()) as remembered:
        sha256 = digest(path, remembered)
    shown = marks(path)
    divided = parts.divided(shown, parts.LENGTH_S)
    files = tuple(kept.place(parts.key(sha256, fps, part, settings)) for part in divided)
    tasks = [
        (f"{number}", (file, path.absolute(), fps, part))
        for number, (file, part) in enumerate(zip(files, divided, strict=True))
        if not kept.is_kept(file)
    ]
    if tasks:
        before = _state(path)
        model = assets.get(assets.LANDMARKER).absolute()
        given = [(name, (*task, model, settings, kept.VERSION)) for name, task in tasks]
        if len(files) == 1:  # in this process, to be quick
            length = round(shown.length) or None
            with tqdm(desc="follow faces", total=length, unit="s", disable=not progress) as bar:

                def tell(time: float) -> None:
                    bar.update(max(0, int(time) - bar.n))

                parts.look(files[0], path, fps, divided[0], model, settings, kept.VERSION, tell)
                tell(length or 0)
        else:
            _look(given, len(files), settings.landmarks.time_limit_s, path, progress)
        if _state(path) != before:
            hashes.forget(hashes.of_clips())
            raise UserError(f"{path} changed while it was looked at. Run the same command again.")
    return _whole(path, sha256, files, settings.faces.fps)


def _state(path: Path) -> list[tuple[int, int]]:
    """What changes with a file."""
    return [(stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, files_of(path))]


def _look(
    tasks: Sequence[pool.Task], count: int, limit_s: float, path: Path, progress: bool
) -> None:
    """Look at parts of a recording, in processes."""
    done, problems = count - len(tasks), {}
    with tqdm(
        total=count, initial=done, desc="follow faces", unit="part", disable=not progress
    ) as bar:
        for name, problem in pool.each(parts.look, tasks, limit_s):
            bar.update()
            if problem:
                problems[name] = problem
    names = {name: f"{path}: part {int(name) + 1} of {count}" for name in problems}
    pool.require_finished(problems, names)
    for name, problem in problems.items():
        raise UserError(f"{names[name]}: {problem}. The other parts are kept.")


def _read(file: Path) -> kept.Seen:
    seen = kept.read(file)
    if seen is None:
        raise UserError(
            f"{file.with_suffix('.npz')} is damaged. Delete it and run the same command again."
        )
    return seen


def _whole(path: Path, sha256: str, files: Sequence[Path], faces_fps: float) -> Kept:
    """What is seen of a recording, by its parts."""
    first = _read(files[0])
    facts, promised_s, decoded = first.facts, first.promised_s, 0
    names: tuple[str, ...] = ()
    there: list[Path] = []
    numbers: list[NDArray[np.int32]] = []
    times: list[NDArray[np.float64]] = []
    changes: list[shots.Changes] = []
    pieces: list[list[Followed]] = []
    track_of: list[list[int]] = []
    origin, last, problem = math.nan, first.last, ""
    for file in files:
        seen = _read(file)
        problem = problem or seen.facts.problem
        decoded += seen.decoded
        if not len(seen.frames):
            continue
        origin = seen.frames["time"][0] if math.isnan(origin) else origin
        names = names or seen.names
        if there:
            _over_boundary(changes, seen, last)
        else:
            changes.append(seen.changes)
        last = seen.last
        times.append(seen.frames["time"] - origin)
        numbers.append(seen.frames["number"])
        part = len(there)
        track_of.append(list(seen.track_of.values()))
        pieces.append([
            Followed(
                ((part, number),),
                replace(track, start=track.start - origin, end=track.end - origin),
                seen.face_frames[number],
                seen.seen_s[number],
            )
            for number, track in seen.pieces.items()
        ])  # fmt: skip
        there.append(file)
    if not there:
        raise UserError(f"{path}: {problem or 'no frame can be decoded'}.")
    times_T, number_T = np.concatenate(times), np.concatenate(numbers)
    duration = schema.duration(times_T) or parts.STILL_S
    facts = replace(facts, problem=cut_off(facts, promised_s, decoded, duration))
    cuts = shots.cut_at(shots.joined(changes), times_T)
    first_T = np.array([0, *cuts])
    missing = facts.declared_frames - decoded
    steps = np.diff(times_T)
    step_s = float(np.median(steps)) if len(steps) else duration
    before_hole = np.flatnonzero(quality.is_hole(steps, step_s))
    # No track continues after a cut or a hole.
    ends_T = times_T[np.union1d(first_T[1:], before_hole + 1).astype(int)]
    tracks = [people.whole(*one, ends_T) for one in zip(pieces, track_of, strict=True)]
    joined = people.joined(tracks, [t[-1] for t in times], [t[0] for t in times], ends_T, step_s)
    in_shots = [
        replace(one, track=replace(one.track, shot=_shot(times_T[first_T], one.track.start)))
        for one in joined
    ]
    followed = people.told_apart(in_shots, duration > WHOLE_S)
    ends = [*times_T[first_T[1:]], duration]
    table_of_shots = pd.DataFrame(
        {
            "shot": np.arange(len(first_T)),
            "start": times_T[first_T],
            "end": ends,
            "first": number_T[first_T],
            "last": number_T[np.append(first_T[1:] - 1, len(times_T) - 1)],
        }
    )[list(SHOTS)]
    table_of_tracks = _tracks(followed, times_T, number_T, min(step_s, duration))
    return Kept(
        path, sha256, facts, duration, len(times_T),
        table_of_shots, table_of_tracks, _people(table_of_tracks, followed),
        names, origin, tuple(there), tuple(float(t[0]) for t in times), tuple(followed), faces_fps,
        holes=tuple((times_T[at] + step_s, times_T[at + 1]) for at in before_hole.tolist()),
        missing=missing if missing > (1 - TRUNCATED_BELOW) * facts.declared_frames else 0,
    )  # fmt: skip


def _shot(starts: NDArray[np.float64], time: float) -> int:
    return int(np.searchsorted(starts, time, "right")) - 1


def _over_boundary(
    changes: list[shots.Changes],
    seen: kept.Seen,
    last: tuple[NDArray[np.float64], NDArray[np.uint8]],
) -> None:
    """Add a part's changes; those next to its beginning follow from pictures on both sides."""
    before, after = changes[-1], seen.changes
    left, came = len(last[0]), len(seen.first[0])
    told = shots.between(
        np.concatenate([last[1], seen.first[1]]), np.concatenate([last[0], seen.first[0]])
    )
    middle = shots.EDGE // 2
    back, on = min(middle, left), min(middle + 1, came)
    for name in ("step_T", "lasting_T"):
        values = getattr(told, name)
        getattr(before, name)[len(before.step_T) - back :] = values[left - back : left]
        getattr(after, name)[:on] = values[left : left + on]
    changes.append(after)


def _tracks(
    followed: Sequence[Followed],
    times_T: NDArray[np.float64],
    number_T: NDArray[np.int32],
    step_s: float,
) -> pd.DataFrame:
    """``TRACKS``: each ends with its last frame, which lasts as long as is usual."""
    rows = [
        {
            "person": one.person,
            "shot": one.track.shot,
            "start": one.track.start,
            "end": one.track.end + step_s,
            "first": number_T[np.searchsorted(times_T, one.track.start)],
            "last": number_T[np.searchsorted(times_T, one.track.end)],
            "face_frames": one.face_frames,
        }
        for one in followed
    ]
    return pd.DataFrame(rows, columns=list(TRACKS))


def _people(tracks: pd.DataFrame, followed: Sequence[Followed]) -> pd.DataFrame:
    """``PEOPLE``, of the tracks' rows."""
    seen = tracks.assign(seen_s=[one.seen_s for one in followed])
    grouped = seen.groupby("person")
    table = grouped.agg(
        start=("start", "min"),
        end=("end", "max"),
        seen_s=("seen_s", "sum"),
        face_frames=("face_frames", "sum"),
        tracks=("shot", "size"),
    )
    return table.reset_index()[list(PEOPLE)]

"""``facewave segment``: a table of cuts of recordings, a row each, for people to label.

A row of a dataset is a part of a video, and of a video stage extract follows one person: the one
whom ``landmarks.whose`` chooses. A cut of anybody else would be given that person's face, or none.
So each cut is compared with what extract sees, and those of other people are told and left out;
unless cuts are written as videos of their own (cut_out.py), each around its person, of which the
same is asked.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params
from facewave.app import seen
from facewave.app.canvas import suffix
from facewave.app.inputs import outputs
from facewave.app.models import choose
from facewave.app.timeline import cut_out, summary
from facewave.app.timeline.answer import Options as Windows
from facewave.app.timeline.answer import answer, check
from facewave.app.timeline.command import By
from facewave.app.timeline.cut_out import Cut
from facewave.app.timeline.recording import follow
from facewave.app.timeline.schema import Recording, Timeline
from facewave.app.timeline.stretches import Span, in_sight, stretches
from facewave.errors import UserError
from facewave.files import for_spreadsheets, write_csv
from facewave.landmarks import cache, quality
from facewave.landmarks.schema import Trajectory, chunks
from facewave.params import Params

COLUMNS = (
    *("file_path", "start", "end", "subject", "source", "actual"),
    *("suggested", "suggested_score"),
)
"""People fill in ``actual``; no reader takes ``suggested``, the model's word, for truth. Where cuts
are videos of their own, ``file_path`` is theirs, and the times are ``from_start`` and ``from_end``.
"""
Spots = NDArray[np.float64]  # number of each frame, the face's middle, and its size, (N, 4)
_SAME = 0.9  # share of a cut's frames with the person in which extract has to see the same face
_NEAR = 0.5  # sizes of the face: two that are nearer are one


@dataclass(frozen=True)
class Options:
    """Which cuts there are.

    Attributes:
        by: stretches of one word, shots with a person in them, or the times a person is in sight.
        least: shorter cuts are left out (s).
        most: longer ones are cut into equal pieces (s).
        model: whose words are suggested; see ``models.choose``.
        windows: how it answers.
        fps: of recordings that are folders of pictures.
        videos: the folder for videos of the cuts; None: they are parts of the recordings.
    """

    by: By = "shots"
    least: float = 1.0
    most: float = 10.0
    model: str | None = None
    windows: Windows = field(default_factory=Windows)
    fps: float = 25.0
    videos: Path | None = None

    def check(self) -> None:
        """Raise a UserError if they make no sense."""
        if not 0 < self.least <= self.most / 2 < math.inf:
            raise UserError(
                f"--least is {self.least:g} s and --most {self.most:g} s; a cut lasts more than "
                "0 s, and the longest at least twice the shortest, else pieces would be too short."
            )


def segment(clips: Sequence[Path], out: Path, options: Options) -> bool:
    """Write the table of the cuts of recordings; one that fails stops no other.

    Returns:
        Whether every recording could be cut.

    Raises:
        UserError: the options make no sense, the table is there, or a recording is not below its
            folder, or no cut is left.
    """
    options.check()
    if out.suffix != ".csv":
        raise UserError(f"--out is {out}; name a .csv file.")
    if out.exists():
        raise UserError(f"{out} is there and may have labels. Name another file, or remove it.")
    folder = out.absolute().parent
    below = [_below(clip, folder) for clip in clips if not options.videos]
    if options.videos:
        _below(options.videos, folder)
        below = [Path(clip.name).as_posix() for clip in clips]
    stems = outputs(clips, Path(), "")
    model, settings = choose(options.model), params.for_clips()
    print(f"model: {model.line()}")
    tables, failed = [], 0
    for clip, name, stem in zip(clips, below, stems, strict=True):
        try:
            check(clip, model)
            recording = follow(clip, options.fps, settings)
            found = cuts(answer(recording, model, options.windows, settings), options)
            found = found.assign(file_path=name, source=stem.as_posix())
            if options.videos:
                found = _written(recording, found, options.videos / stem, folder, options.fps)
            same = is_followed(recording, found, folder, options, settings)
        except (UserError, OSError) as error:
            summary.failed(clip, error)
            failed += 1
            continue
        kept = found[same]
        subjects = [f"{stem.as_posix()}-{person}" for person in kept["person"]]
        tables.append(kept.assign(subject=subjects, actual=""))
        print(f"{clip}: {len(kept)} cuts of {kept['person'].nunique()} people, {_length(kept)}")
        if len(others := found[~same]):
            hint = "" if options.videos else "; --videos FOLDER cuts everybody out"
            print(
                f"  left out: {len(others)} cuts, {_length(others)}, of people whom extract does "
                f"not follow there (landmarks.whose: {settings.landmarks.whose}){hint}"
            )
            for file in others["file_path"] if options.videos else ():
                (folder / file).unlink()
    if not any(map(len, tables)):
        raise UserError("there is no cut to label; nothing was written.")
    own = {"start": "from_start", "end": "from_end"} if options.videos else {}
    table = pd.concat(tables)[list(COLUMNS)].rename(columns=own)
    write_csv(out, for_spreadsheets(table))
    print(f"{out}: write what you see into column actual; then")
    print(f"  facewave datasets add NAME {out.parent} --table {out.name}")
    return not failed


def _below(clip: Path, folder: Path) -> str:
    """A path from the table's folder, which no spreadsheet takes for a formula."""
    whole = clip.absolute()
    if not whole.is_relative_to(folder):
        raise UserError(
            f"{clip} is not below {folder}, where the table is to be. Datasets have table and "
            "videos in one folder: name such a place with --out."
        )
    name = whole.relative_to(folder).as_posix()
    return f"./{name}" if name[0] in "=+-@" else name


def _length(found: pd.DataFrame) -> str:
    return f"{(found['end'] - found['start']).sum():.1f} s"


def cuts(timeline: Timeline, options: Options) -> pd.DataFrame:
    """The cuts: person, start, end (s, whole milliseconds), suggested and suggested_score.

    Both ends are rounded down: a frame at a cut's start is in it, one at its end is not.
    """
    said = stretches(timeline)
    rows = [
        (person, low, high, *_suggested(said[said["person"] == person], low, high))
        for person in timeline.recording.people["person"].tolist()
        for span in _spans(timeline.recording, said, person, options.by)
        for low, high in _pieces(span, options)
    ]
    names = ["person", "start", "end", "suggested", "suggested_score"]
    table = pd.DataFrame(rows, columns=names).astype({"start": float, "end": float})
    return table.sort_values(["start", "person"], kind="stable").reset_index(drop=True)


def _spans(recording: Recording, said: pd.DataFrame, person: int, by: By) -> list[Span]:
    seen = in_sight(recording, person)
    if by == "people":
        return seen
    if by == "words":
        own = said[(said["person"] == person) & (said["word"] != "")]
        said_in = own[["start", "end"]].itertuples(index=False, name=None)
        return [
            (max(start, low), min(end, high))
            for start, end in said_in
            for low, high in seen
            if min(end, high) > max(start, low)
        ]
    spans = []
    for start, end in recording.shots[["start", "end"]].itertuples(index=False, name=None):
        inside = [(max(start, low), min(end, high)) for low, high in seen]
        inside = [(low, high) for low, high in inside if high > low]
        if inside:
            spans.append((inside[0][0], inside[-1][1]))
    return spans


def _pieces(span: Span, options: Options) -> Iterator[Span]:
    """A span in equal pieces that are not too long; none if it is too short."""
    start, end = span
    if end - start >= options.least:
        edges = np.linspace(start, end, math.ceil((end - start) / options.most - 1e-9) + 1)
        rounded = np.floor(1000 * edges + 1e-6) / 1000
        yield from zip(rounded[:-1].tolist(), rounded[1:].tolist(), strict=True)


def _suggested(said: pd.DataFrame, start: float, end: float) -> tuple[str, float]:
    """The word that is shown longest in a cut, and its mean score; "" and NaN without any."""
    inside = np.minimum(said["end"], end) - np.maximum(said["start"], start)
    some = said.assign(inside=inside)[(inside > 0) & (said["word"] != "")]
    if some.empty:
        return "", math.nan
    word = str(some.groupby("word")["inside"].sum().idxmax())
    own = some[some["word"] == word]
    return word, round(float(np.average(own["score"], weights=own["inside"])), 4)


def _written(
    recording: Recording, found: pd.DataFrame, stem: Path, folder: Path, fps: float
) -> pd.DataFrame:
    """The cuts with their videos' paths from the folder, and what of the picture is in each."""
    made = [
        Cut(row.person, row.start, row.end, stem / f"{row.person}-{row.start:08.3f}{suffix()}")
        for row in found.itertuples()
    ]
    squares = pd.DataFrame([astuple(square) for square in cut_out.write(recording, made, fps)],
                           found.index, ["left", "top", "side", "first"])  # fmt: skip
    paths = [_below(cut.file, folder) for cut in made]
    return found.assign(file_path=paths).join(squares)


def is_followed(
    recording: Recording, found: pd.DataFrame, folder: Path, options: Options, settings: Params
) -> NDArray[np.bool_]:
    """Of which cuts stage extract follows the very person, (n,).

    Raises:
        UserError: it cannot detect the recording, or the video of a cut.
    """
    size = (recording.facts.width, recording.facts.height)
    if not options.videos:
        (followed,) = _extracted([recording.path], [size], options.fps, settings)
        return np.array([_share(_own(recording, row, size), followed) >= _SAME
                         for row in found.itertuples()], bool)  # fmt: skip
    videos, sides = [folder / path for path in found["file_path"]], found["side"]
    seen_there = _extracted(videos, [(side, side) for side in sides], options.fps, settings)
    same = []
    for row, followed in zip(found.itertuples(), seen_there, strict=True):
        own = _own(recording, row, size) - (row.first, row.left, row.top, 0)
        same.append(_share(own, followed) >= _SAME)
    return np.array(same, bool)


def _own(recording: Recording, row: Any, size: tuple[int, int]) -> Spots:
    """Where somebody's face is in a cut."""
    return _spots(recording.trajectory(row.person, row.start, row.end), size)


def _extracted(
    clips: Sequence[Path], sizes: Sequence[tuple[int, int]], fps: float, settings: Params
) -> list[Spots]:
    """Where the face is that extract follows in each clip, of pictures of these sizes."""
    ensured = seen.see(clips, fps, settings)
    found = []
    for clip, key, size in zip(clips, ensured.keys, sizes, strict=True):
        if key in ensured.problems:
            raise UserError(f"{clip}: {ensured.problems[key]}.")
        parts = [_spots(chunk, size) for chunk in chunks(cache.place(key))]
        found.append(np.concatenate([np.empty((0, 4)), *parts]))
    return found


def _spots(seen: Trajectory, size: tuple[int, int]) -> Spots:
    """Of each frame with the face, in pixels of a picture of this width and height."""
    spots = [quality.spot(points_PC, *size) for points_PC in seen.landmarks_TPC[seen.valid_T]]
    return np.column_stack([seen.frames_T[seen.valid_T], np.reshape(spots, (-1, 3))])


def _share(own: Spots, followed: Spots) -> float:
    """Of somebody's frames the share in which the followed face is where theirs is."""
    if not len(own):
        return 0.0
    _, at, other = np.intersect1d(own[:, 0], followed[:, 0], return_indices=True)
    apart = np.hypot(*(own[at, 1:3] - followed[other, 1:3]).T)
    return float((apart <= _NEAR * own[at, 3]).sum() / len(own))

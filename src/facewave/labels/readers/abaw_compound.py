"""Compound expressions of the ABAW challenges (Kollias, C-EXPR-DB, CVPR 2023), frame by frame.

The challenge's videos, or its pictures of their frames (``cropped_aligned/01/00001.jpg``), have no
public labels: of each video every n-th frame makes a row without one, for training. Where
params.yaml names a ``table``, somebody's answers in the challenge's own form (labels/challenge.py),
every n-th line of each video makes a row with the answer.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facewave import marks
from facewave.errors import UserError
from facewave.labels import challenge, frames
from facewave.labels.corpus import Corpus, Track, clip_path, first_there
from facewave.labels.folders import walk
from facewave.labels.listing import VIDEOS
from facewave.labels.records import Record, parsed
from facewave.labels.schema import COMPOUND, Reason
from facewave.params import Dataset
from facewave.pictures import PICTURES, files_of

_CLIPS = ("cropped_aligned/{video}", "{video}")


@dataclass(frozen=True)
class Video:
    """One of the corpus's videos.

    Attributes:
        name: as the challenge's file calls it.
        clip: the video, or the folder of its pictures, below the root.
        frames: the number of each of its frames, rising; a video's first is 1.
        pictures: what the challenge's file calls each frame.
    """

    name: str
    clip: str
    frames: tuple[int, ...]
    pictures: tuple[str, ...]


def read(root: Path, entry: Dataset) -> list[Record]:
    """Every n-th frame of each video, or every n-th line of each video in a table."""
    return list(_labelled(root, entry) if entry.table else _unlabelled(root, entry))


def videos(root: Path, entry: Dataset) -> list[Video]:
    """The videos that ``clips`` chooses, by default all folders of pictures and all videos.

    Raises:
        UserError: there are none, two have one name, or tables stand in for them.
    """
    if entry.tracks or entry.features:
        raise UserError(
            f"params.yaml: without a table of labels abaw_compound needs videos or pictures in "
            f"{root}, and {'tracks' if entry.tracks else 'features'} stand in for them. Name a "
            "table, or take them out."
        )
    paths: dict[str, str] = {}
    for name, path in _clips(root, entry):
        if name in paths:
            raise UserError(
                f"{root}: {paths[name]} and {path} are one video, {name}. Say with clips which is "
                "meant, such as cropped_aligned/{video} or videos/{video}.mp4."
            )
        paths[name] = path
    if not paths:
        raise UserError(
            f"{root} has no videos and no folders of pictures {entry.clips or ' or '.join(_CLIPS)}."
            " Put the challenge's there, or correct the dataset's root or clips in params.yaml."
        )
    return [_video(root, name, paths[name]) for name in sorted(paths)]


def _clips(root: Path, entry: Dataset) -> Iterator[tuple[str, str]]:
    """Name and path of each video or folder of pictures that fits the pattern ``clips``."""
    pattern = entry.clips or first_there(root, *_CLIPS)
    before, field, after = clip_path(pattern, video="\0").partition("\0")
    if not field:
        raise UserError(
            f"params.yaml: clips is {pattern!r}, where {{video}} should stand for a video's name."
        )
    top = root / before.rpartition("/")[0]
    for folder, _, files in walk(str(top), entry.follow_links, str(root)):
        place = Path(folder).relative_to(root)
        paths = [place / name for name in files if name.lower().endswith(VIDEOS)]
        if Path(folder) != top and any(name.lower().endswith(PICTURES) for name in files):
            paths.append(place)
        for path in paths:
            is_video = path != place
            named = (path if after or not is_video else path.with_suffix("")).as_posix()
            name = named.removeprefix(before).removesuffix(after)
            if name and named == f"{before}{name}{after}":
                yield name, path.as_posix()


def _video(root: Path, name: str, path: str) -> Video:
    numbers = frames.numbers(root / path)
    if numbers is None:  # one that cannot be read has a row that says so
        count = max(1, len(marks.frame_times(root / path)))
        of_video = tuple(range(1, count + 1))
        return Video(name, path, of_video, tuple(challenge.picture_of(name, i) for i in of_video))
    pictures = [
        f"{name}/{file.name}" if file.stem.isdecimal() else challenge.picture_of(name, number)
        for number, file in zip(numbers, files_of(root / path), strict=True)
    ]
    return Video(name, path, tuple(numbers), tuple(pictures))


def _unlabelled(root: Path, entry: Dataset) -> Iterator[Record]:
    for one in videos(root, entry):
        for number in one.frames[:: entry.every]:
            name, at = f"{one.name}/{number:05d}", number - one.frames[0]
            yield Record("", 0, name, one.clip, source=one.name, frame=at, part="train")


def _labelled(root: Path, entry: Dataset) -> Iterator[Record]:
    clips = entry.clips or first_there(root, *_CLIPS)
    seen: Counter[str] = Counter()
    pictures: dict[str, list[int] | None] = {}  # by video, None without a folder
    for row, values in challenge.read(root / entry.table):
        named = challenge.frame_of(values["0"])
        if named is None:
            note = f"{values['0'][:40]!r} is not video/number.jpg"
            bad = Reason.BAD_VALUE
            yield Record(entry.table, row, values["0"], problem=bad, note=note)
            continue
        name, number = named[0], int(named[1])
        seen[name] += 1
        if (seen[name] - 1) % entry.every:
            continue
        clip = clip_path(clips, video=name)
        if name not in pictures:
            pictures[name] = frames.numbers(root / clip)
        there = pictures[name]
        first = there[0] if there else 1
        label = parsed(challenge.label, values["1"])
        if there is not None and number not in there and "problem" not in label:
            note = "the picture is not in the video's folder"
            label = {"problem": Reason.NO_PICTURE, "note": note}
        label |= {"source": name, "frame": max(0, number - first)}
        yield Record(entry.table, row, f"{name}/{named[1]}", clip, **label)


CORPUS = Corpus(
    name="abaw_compound",
    title="Compound expressions of the ABAW challenges (C-EXPR-DB, Kollias, CVPR 2023)",
    tracks={
        "compound": Track(words=COMPOUND, knows=("split", "source", "compound", "start", "end"))
    },
    home="https://sites.google.com/view/dimitrioskollias/databases/c-expr-db",
    access="on request: an agreement signed by an academic (professor or post-doc)",
    licence="research only; see the agreement",
    layout={
        "cropped_aligned or *": "the pictures, a folder a video, or the videos; if there is one, "
        "the file of codes beside them"
    },
    read=read,
    takes=("table", "clips", "every", "window"),
)

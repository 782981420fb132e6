"""AFEW-VA (Kossaifi et al., Image and Vision Computing 2017): film clips, numbers for every frame.

A clip is a folder: pictures ``00000.png`` ... and ``001.json``, ``{"actor": ..., "video_id": "001",
"frames": {"00000": {"valence": -2, "arousal": 3, "landmarks": ...}}}``, integers from -10 to 10.
Folders are found wherever they are below the root. Every n-th frame makes a row.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facewave import parsing
from facewave.errors import UserError
from facewave.labels import frames, tables
from facewave.labels.corpus import Corpus, Track, clip_path
from facewave.labels.folders import find
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

_LARGEST = 10


def read(root: Path, entry: Dataset) -> list[Record]:
    """Every n-th frame of all clips."""
    paths = sorted(
        path
        for path in find(root, "**/[0-9][0-9][0-9].json", entry.follow_links)
        if path.stem == path.parent.name and path.is_file()
    )
    if not paths:
        raise UserError(
            f"{root} has no clips such as 001/001.json. Unpack AFEW-VA's archives there, or "
            "correct the dataset's root in params.yaml."
        )
    return [record for path in paths for record in _clip(root, path, entry)]


def _clip(root: Path, path: Path, entry: Dataset) -> Iterator[Record]:
    actor, labels = _content(path)
    folder = path.parent.relative_to(root).as_posix()
    pictures = clip_path(entry.clips or "{folder}", folder=folder, clip=path.stem)
    there = set(frames.numbers(root / pictures) or [])
    first = min(there, default=0)
    table = path.relative_to(root).as_posix()
    for name in sorted(labels)[:: entry.every]:
        label = parsed(_label, name, labels[name])
        number = tables.digits(name) or 0
        if "problem" not in label and number not in there and not entry.tracks:
            label |= {"problem": Reason.NO_PICTURE, "note": f"no picture {name}"}
        label |= {"subject": actor, "source": path.stem, "frame": number - first}
        yield Record(table, 0, f"{path.stem}/{name}", pictures, **label)


def _content(path: Path) -> tuple[str, dict[str, Any]]:
    """The actor, and the labels of the frames."""
    try:
        content = parsing.json_of(tables.text(path))
    except ValueError as error:  # json's own, and a number without end
        raise UserError(f"{path} is damaged ({error}). Get it again.") from None
    labels = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(labels, dict) or not labels:
        raise UserError(f"{path} has no frames. Is it AFEW-VA's, and whole? Get it again.")
    if (video_id := str(content.get("video_id", path.stem))) != path.stem:
        raise UserError(f"{path} says that it is clip {video_id[:40]!r}. Put it in its own folder.")
    return tables.clean(str(content.get("actor", ""))), labels


def _label(name: str, label: object) -> dict[str, Any]:
    tables.count(name, "the frame's name")
    values = {}
    for side in ("valence", "arousal"):
        value = label.get(side, "") if isinstance(label, dict) else label
        values[f"{side}_raw"] = tables.real(str(value), side)
        values[side] = values[f"{side}_raw"] / _LARGEST
    return values


_KNOWS = ("subject", "source", "valence", "arousal", "start", "end")

CORPUS = Corpus(
    name="afew_va",
    title="AFEW-VA database for valence and arousal estimation in-the-wild (Kossaifi et al., 2017)",
    tracks={"va": Track(knows=_KNOWS, published={"sources": 600})},
    home="https://ibug.doc.ic.ac.uk/resources/afew-va-database/",
    access="from the iBUG group: see the page",
    licence="research only; see the agreement",
    layout={"**/[0-9][0-9][0-9]/*.json": "the labels of a clip, in the folder of its pictures"},
    read=read,
    takes=("clips", "every", "window"),
)

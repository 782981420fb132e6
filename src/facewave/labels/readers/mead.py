"""MEAD (Wang et al., ECCV 2020): actors speak in eight emotions and three levels, in seven views.

A clip's path is its label: ``M003/video/front/angry/level_2/001.mp4`` = actor, view, emotion,
level, number. Folders are missing for some actors, and neutral has one level. ``clips`` of
params.yaml may be a glob that chooses: ``*/video/front/*/*/*.mp4``.
"""

import re
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels.corpus import Corpus, Track, known
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
_CLIPS = "*/video/*/*/*/*.mp4"
_PATH = re.compile(r"(?:.*/)?([MW][0-9]+)/video/(\w+)/(\w+)/level_[1-3]/[0-9]+\.mp4")


def read(root: Path, entry: Dataset) -> list[Record]:
    """The clips that ``clips`` chooses, of all views unless it is given."""
    pattern = entry.clips or _CLIPS
    try:
        paths = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
    except (NotImplementedError, ValueError) as error:
        raise UserError(
            f"params.yaml: clips is {pattern!r}, which is no glob below the root ({error})."
        ) from None
    paths = [path for path in paths if not path.rpartition("/")[2].startswith(".")]
    if not paths:
        raise UserError(
            f"{root} has no clips {pattern}, such as M003/video/front/angry/level_2/001.mp4. "
            "Unpack each actor's video archive there, or correct the dataset's root or clips in "
            "params.yaml."
        )
    return [_record(path) for path in paths]


def _record(path: str) -> Record:
    parts = _PATH.fullmatch(path)
    actor, view, emotion = parts.groups() if parts else ("", "", "")
    label: dict[str, Any] = {"word": known(WORDS, emotion)}
    if parts is None:
        note = f"{path[:60]!r} is not actor/video/view/emotion/level_k/number.mp4"
        label = {"problem": Reason.BAD_VALUE, "note": note}
    elif not label["word"]:
        label = {"problem": Reason.UNKNOWN_WORD, "note": repr(emotion[:40])}
    return Record("", 0, path.removesuffix(".mp4"), path, subject=actor, scene=view, **label)


CORPUS = Corpus(
    name="mead",
    title="MEAD: A Large-scale Audio-visual Dataset for Emotional Talking-face Generation (2020)",
    tracks={"acted": Track(words=WORDS, knows=("subject", "scene"))},
    home="https://wywu.github.io/projects/MEAD/MEAD.html",
    access="open download of a first part; the second by asking the authors",
    licence="not stated for the data: research only, ask the authors for more",
    layout={_CLIPS: "the clips: actor/video/view/emotion/level_k/number.mp4"},
    read=read,
    takes=("clips",),
)

"""MEAD (Wang et al., ECCV 2020): actors speak in eight emotions and three levels, in seven views.

A clip's path is its label: ``M003/video/front/angry/level_2/001.mp4`` = actor (M: a man, W: a
woman), view, emotion, level, number. Folders are missing for some actors, and neutral has one
level. ``clips`` of params.yaml may be a glob that chooses: ``*/video/front/*/*/*.mp4``.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from facewave.errors import UserError
from facewave.labels.corpus import Corpus, Track, clip_paths, known
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
_SEXES = {"M": "male", "W": "female"}
_CLIPS = "*/video/*/*/*/*.mp4"
_PATH = re.compile(r"(?:.*/)?([MW][0-9]+)/video/(\w+)/(\w+)/level_([1-3])/[0-9]+(?:\.\w+)?")


def read(root: Path, entry: Dataset) -> list[Record]:
    """The clips that ``clips`` chooses, of all views unless it is given."""
    pattern = entry.clips or _CLIPS
    paths = clip_paths(root, entry, pattern, (".mp4",))
    if not paths:
        raise UserError(
            f"{root} has no clips {pattern}, such as M003/video/front/angry/level_2/001.mp4. "
            "Unpack each actor's video archive there, or correct the dataset's root or clips in "
            "params.yaml."
        )
    return [_record(path) for path in paths]


def _record(path: str) -> Record:
    parts = _PATH.fullmatch(path)
    actor, view, emotion, level = parts.groups() if parts else ("",) * 4
    label: dict[str, Any] = {"word": known(WORDS, emotion)}
    if parts is None:
        note = f"{path[:60]!r} is not actor/video/view/emotion/level_k/number"
        label = {"problem": Reason.BAD_VALUE, "note": note}
    elif not label["word"]:
        label = {"problem": Reason.UNKNOWN_WORD, "note": repr(emotion[:40])}
    if parts:
        label["about"] = {"level": level, "sex": _SEXES[actor[0]]}
    clip = str(PurePosixPath(path).with_suffix(""))
    return Record("", 0, clip, path, subject=actor, scene=view, **label)


CORPUS = Corpus(
    name="mead",
    title="MEAD: A Large-scale Audio-visual Dataset for Emotional Talking-face Generation (2020)",
    tracks={"acted": Track(words=WORDS, knows=("subject", "scene", "about"))},
    home="https://wywu.github.io/projects/MEAD/MEAD.html",
    access="open download of a first part; the second by asking the authors",
    licence="not stated for the data: research only, ask the authors for more",
    layout={_CLIPS: "the clips: actor/video/view/emotion/level_k/number.mp4"},
    read=read,
    takes=("clips",),
)

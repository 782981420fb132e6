"""RAVDESS (Livingstone and Russo, PLOS ONE 2018): 24 actors speak and sing two sentences.

A clip's name is its label: ``02-01-06-01-02-01-12.mp4`` = modality (01 picture and sound, 02
picture alone, 03 sound alone), channel (01 speech, 02 song), emotion, intensity, statement,
repetition, actor. A performance is there as 01 and as 02 with the same pictures: the 01 is taken.
"""

import re
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels.corpus import Corpus, Track, code, find
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_SCENES = {"01": "speech", "02": "song"}
_STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_SOUND = ".wav"
_FILES = (".mp4", ".avi", ".mov", ".mkv", _SOUND)
_NAME = re.compile(r"(0[1-3])-(0[12])-([0-9]{2})-0[12]-(0[12])-0[12]-([0-9]{2})")


def read(root: Path, entry: Dataset) -> list[Record]:
    """All clips below the root, by their names."""
    files = [path for path in find(root, "**/*") if path.suffix.lower() in _FILES]
    paths = [path.relative_to(root) for path in files]
    if not paths:
        raise UserError(
            f"{root} has no clips such as Actor_01/02-01-06-01-02-01-12.mp4. Unpack the archives "
            "of RAVDESS's videos there, or correct the dataset's root in params.yaml."
        )
    names = {path.stem for path in paths if path.suffix.lower() != _SOUND}
    return [_record(path, names) for path in paths]


def _record(path: Path, names: set[str]) -> Record:
    clip, file = path.stem, path.as_posix()
    parts = _NAME.fullmatch(clip)
    if parts is None:
        note = f"{clip[:40]!r} is not modality-channel-emotion-...-actor"
        return Record("", 0, clip, file, problem=Reason.BAD_VALUE, note=note)
    modality, channel, emotion, statement, actor = parts.groups()
    label: dict[str, Any] = {"word": code(WORDS, int(emotion), first=1)}
    twin = "01" + clip[2:]
    if not label["word"]:
        label = {"problem": Reason.UNKNOWN_WORD, "note": f"emotion {emotion}, of 01 to 08"}
    elif modality == "03" or path.suffix.lower() == _SOUND:
        label = {"problem": Reason.NO_PICTURE, "note": "sound alone"}
    elif modality == "02" and twin in names:
        label = {"problem": Reason.PUBLISHED_TWICE, "note": f"the same pictures as {twin}"}
    label |= {"scene": _SCENES[channel], "transcript": _STATEMENTS[statement]}
    return Record("", 0, clip, file, subject=actor, **label)


_KNOWS = ("subject", "scene", "transcript")

CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS: Ryerson Audio-Visual Database of Emotional Speech and Song (2018)",
    tracks={"acted": Track(words=WORDS, knows=_KNOWS, published={"subjects": 24})},
    home="https://zenodo.org/record/1188976",
    access="open download",
    licence="CC BY-NC-SA 4.0: not commercial, share alike, with attribution; commercial ones sold",
    layout={
        "**/Actor_*/*.mp4": "the clips, named by what they show: the archives may be unpacked into "
        "one folder or each into its own"
    },
    read=read,
)

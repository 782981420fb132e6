"""RAVDESS (Livingstone and Russo, PLOS ONE 2018): 24 actors speak and sing two sentences.

A clip's name is its label: ``02-01-06-01-02-01-12.mp4`` = modality (01 picture and sound, 02
picture alone, 03 sound alone), channel (01 speech, 02 song), emotion, intensity (01 normal, 02
strong), statement, repetition, actor (odd: male, even: female). A performance is there as 01 and as
02 with the same pictures: the 01 is taken.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from facewave.errors import UserError
from facewave.labels.corpus import Corpus, Track, clip_paths, code
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_SCENES = {"01": "speech", "02": "song"}
_STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_INTENSITIES = {"1": "normal", "2": "strong"}
_SOUND = ".wav"
_FILES = (".mp4", ".avi", ".mov", ".mkv", _SOUND)
_NAME = re.compile(r"(0[1-3])-(0[12])-([0-9]{2})-0([12])-(0[12])-0[12]-([0-9]{2})")


def read(root: Path, entry: Dataset) -> list[Record]:
    """All clips below the root, by their names; or what stands in for them."""
    paths = [PurePosixPath(path) for path in clip_paths(root, entry, "**/*", _FILES)]
    if not paths:
        raise UserError(
            f"{root} has no clips such as Actor_01/02-01-06-01-02-01-12.mp4. Unpack the archives "
            "of RAVDESS's videos there, or correct the dataset's root in params.yaml."
        )
    has_sound_alone = entry.features is None  # which is no picture, but may have features
    names = {path.stem for path in paths if not has_sound_alone or path.suffix.lower() != _SOUND}
    return [_record(path, names, has_sound_alone) for path in paths]


def _record(path: PurePosixPath, names: set[str], has_sound_alone: bool) -> Record:
    clip, file = path.stem, path.as_posix()
    parts = _NAME.fullmatch(clip)
    if parts is None:
        note = f"{clip[:40]!r} is not modality-channel-emotion-...-actor"
        return Record("", 0, clip, file, problem=Reason.BAD_VALUE, note=note)
    modality, channel, emotion, intensity, statement, actor = parts.groups()
    label: dict[str, Any] = {"word": code(WORDS, int(emotion), first=1)}
    twin = "01" + clip[2:]
    if not label["word"]:
        label = {"problem": Reason.UNKNOWN_WORD, "note": f"emotion {emotion}, of 01 to 08"}
    elif has_sound_alone and (modality == "03" or path.suffix.lower() == _SOUND):
        label = {"problem": Reason.NO_PICTURE, "note": "sound alone"}
    elif modality == "02" and twin in names:
        label = {"problem": Reason.PUBLISHED_TWICE, "note": f"the same pictures as {twin}"}
    label |= {"scene": _SCENES[channel], "transcript": _STATEMENTS[statement]}
    label["about"] = {
        "intensity": _INTENSITIES[intensity],
        "sex": "male" if int(actor) % 2 else "female",
        "statement": _STATEMENTS[statement],
    }
    return Record("", 0, clip, file, subject=actor, **label)


_KNOWS = ("subject", "scene", "transcript", "about")
# Luna-Jimenez et al., Applied Sciences 2022, "A Proposal for Multimodal Emotion Recognition Using
# Aural Transformers and Action Units on RAVDESS Dataset": the actors of each test part.
_LUNA_JIMENEZ = (
    (2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)  # fmt: skip

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
    folds={"luna-jimenez": tuple(tuple(f"{n:02}" for n in actors) for actors in _LUNA_JIMENEZ)},
)

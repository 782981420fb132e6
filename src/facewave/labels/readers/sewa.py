"""SEWA (Kossaifi et al., TPAMI 2021): video chats in six cultures, numbers for every frame.

Track ``aligned``, of SEWA DB v0.2: a folder a segment, ``SSL_C2_S055_P109_VC1_004803_005542`` =
culture, session, person, chat, first and last frame; somewhere in it ``*_Valence_AV_Aligned.csv`` and
``*_Arousal_AV_Aligned.csv`` (``frame_idx,valence``), joined on the frame. The smallest frame_idx is
the clip's first frame; times follow ``fps``, which is 20 to 30 in this corpus.

Track ``avec``, of the AVEC challenges: ``labels/Train_DE_01.csv``, between semicolons name, time,
arousal, valence, liking, each 0.1 s; with a header (2019) or without (2018). Every n-th label makes a
row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import frames, tables
from facewave.labels.corpus import Corpus, Track, place, track_name
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

_SIDES = ("valence", "arousal")
_SEGMENT = re.compile(r".*_(C[0-9]+)_(S[0-9]+)_(P[0-9]+)_.+")
_ALIGNED = re.compile(r".+_(Valence|Arousal)_AV_Aligned\.csv")
_NAME = re.compile(r"(Train|Devel|Test)(?:_([A-Z]+))?_[0-9]+")
_PARTS = {"Train": "train", "Devel": "val", "Test": "test"}
_PLAIN = ("name", "time", "arousal", "valence", "liking")  # where there is no header

Said = Mapping[str, Sequence[str]]  # valence, arousal -> what the files say of one frame


def read(root: Path, entry: Dataset) -> list[Record]:
    """Every n-th label of all segments, or of all files of the challenge."""
    if track_name(CORPUS, entry) == "avec":
        found = sorted((root / "labels").glob("[!.]*.csv"))
        if not found:
            raise UserError(
                f"{root / 'labels'} has no labels such as Train_DE_01.csv. Put those of an AVEC "
                "challenge there, or correct the dataset's root or track in params.yaml."
            )
        return [record for path in found for record in _avec(root, path, entry)]
    segments: dict[Path, dict[str, Path]] = {}
    for path in sorted(root.rglob("[!.]*_AV_Aligned.csv")):
        if side := _ALIGNED.fullmatch(path.name):
            pair = segments.setdefault(_folder(root, path), {})
            if (other := pair.setdefault(side[1].lower(), path)) != path:
                raise UserError(f"{path} and {other} are of one segment. Remove one of them.")
    if not segments:
        raise UserError(
            f"{root} has no *_Valence_AV_Aligned.csv. Unpack the annotations in SEWA's segment "
            "folders, or correct the dataset's root or track in params.yaml."
        )
    return [
        record
        for folder, pair in sorted(segments.items())
        for record in _segment(root, folder, pair, entry)
    ]


def _folder(root: Path, path: Path) -> Path:
    """The segment's folder: the annotations may lie deeper, where their archives were unpacked."""
    above = [folder for folder in path.parents if folder.is_relative_to(root) and folder != root]
    named = [folder for folder in above if _SEGMENT.fullmatch(folder.name)]
    # Unpacked archives can have the segment's name too: the outermost folder is the segment's.
    return named[-1] if named else path.parent

"""SEWA (Kossaifi et al., TPAMI 2021): video chats in six cultures, numbers for every frame.

Track ``aligned``, of SEWA DB v0.2: a folder a segment, ``SSL_C2_S055_P109_VC1_004803_005542`` =
culture, session, person, chat, first and last frame; somewhere in it ``*_Valence_AV_Aligned.csv``
(``frame_idx,valence``) and its like for arousal, joined on the frame. The smallest frame_idx is
taken for the clip's first frame.

Track ``avec``, of the AVEC challenges: ``labels/Train_DE_01.csv``, between semicolons name, time,
arousal, valence, liking, each 0.1 s; with a header (2019) or without (2018).

Every n-th label makes a row.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from facewave.errors import UserError
from facewave.labels import frames, tables
from facewave.labels.corpus import Corpus, Track, clip_path
from facewave.labels.folders import find
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

_SIDES = ("valence", "arousal")
_SEGMENT = re.compile(r"[A-Z]+_(C[0-9]+)_(S[0-9]+)_(P[0-9]+)_.+")
_ALIGNED = re.compile(r".+_(Valence|Arousal)_AV_Aligned\.csv")
_NAME = re.compile(r"(Train|Devel|Test)(?:_([A-Z]+))?_[0-9]+")
_PARTS = {"Train": "train", "Devel": "val", "Test": "test"}
_PLAIN = ("name", "time", "arousal", "valence", "liking")  # where there is no header

Position = tuple[str, int]  # a file and a line in it
Values = dict[str, set[str]]  # valence, arousal -> what the files say of one frame


def read(root: Path, entry: Dataset) -> list[Record]:
    """Every n-th label of all segments, or of all files of the challenge."""
    if CORPUS.track_name(entry) == "avec":
        paths = sorted((root / "labels").glob("*.csv"))
        files = [(path, parts) for path in paths if (parts := _NAME.fullmatch(path.stem))]
        if not files:
            raise UserError(
                f"{root / 'labels'} has no labels such as Train_DE_01.csv. Put those of an AVEC "
                "challenge there, or correct the dataset's root or track in params.yaml."
            )
        return [record for path, parts in files for record in _avec(root, path, parts, entry)]
    segments: dict[Path, dict[str, Path]] = {}
    for path in find(root, "**/*_AV_Aligned.csv", entry.follow_links):
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
    """The segment's folder: its annotations may lie deeper, where their archives were unpacked."""
    above = [folder for folder in path.parents if folder.is_relative_to(root)]
    named = [folder for folder in above if _SEGMENT.fullmatch(folder.name)]
    return named[-1] if named else path.parent


def _segment(
    root: Path, folder: Path, pair: Mapping[str, Path], entry: Dataset
) -> Iterator[Record]:
    for side in _SIDES:
        if side not in pair:
            raise UserError(
                f"{folder} has no *_{side.title()}_AV_Aligned.csv. Unpack it there, as the other."
            )
    labels = _joined(root, pair)
    numbers = [tables.digits(index) for index in labels]
    first = min((number for number in numbers if number is not None), default=0)
    name = folder.name
    parts = _SEGMENT.fullmatch(name)
    culture, session, person = parts.groups() if parts else ("", "", "")
    clip = _clip(root, folder, entry)
    source = f"{culture}_{session}" if parts else ""
    for index, ((table, row), values_of) in list(labels.items())[:: entry.every]:
        number, label = tables.digits(index), parsed(_label, values_of)
        problem = ""
        if number is None:
            problem = f"frame_idx is {index[:40]!r}, not a whole number"
        elif parts is None:
            problem = f"{name[:40]!r} is not ..._culture_session_person_..."
        if problem:
            label = {"problem": Reason.BAD_VALUE, "note": problem}
        label |= {"subject": person, "source": source, "about": {"culture": culture}}
        frame = None if number is None else number - first
        yield Record(table, row, f"{name}/{index}", clip, frame=frame, **label)


def _joined(root: Path, pair: Mapping[str, Path]) -> dict[str, tuple[Position, Values]]:
    """frame_idx -> where it stands (first) and all the values given for it."""
    labels: dict[str, tuple[Position, Values]] = {}
    for side in _SIDES:
        table = pair[side].relative_to(root).as_posix()
        for row, values in tables.rows(pair[side], ("frame_idx", side)):
            if any(values.values()):
                _, values_of = labels.setdefault(values["frame_idx"], ((table, row), {}))
                values_of.setdefault(side, set()).add(values[side])
    return labels


def _clip(root: Path, folder: Path, entry: Dataset) -> str:
    below = folder.relative_to(root).as_posix()
    if entry.clips:
        return clip_path(entry.clips, folder=below, name=folder.name)
    videos = sorted(path.name for path in folder.glob("[!.]*.avi"))
    return f"{below}/{videos[0] if len(videos) == 1 else folder.name + '.avi'}"


def _avec(root: Path, path: Path, parts: re.Match[str], entry: Dataset) -> Iterator[Record]:
    table, name = path.relative_to(root).as_posix(), path.stem
    clip = clip_path(entry.clips or "videos/{name}.mp4", name=name)
    known: dict[str, Any] = {"source": name, "part": _PARTS[parts[1]]}
    known["about"] = {"culture": parts[2]} if parts[2] else None
    for row, values in _rows(path)[:: entry.every]:
        window = parsed(_window, values["time"], entry.window)
        label = parsed(_label, {side: {values[side]} for side in _SIDES})
        fields = known | (window if "problem" in window else label | window)
        yield Record(table, row, f"{name}/{values['time']}", clip, **fields)


def _rows(path: Path) -> list[tables.Row]:
    """Lines with time, valence and arousal; where there is a header, time stands before arousal."""
    header = [name.strip() for name in tables.text(path).lstrip().partition("\n")[0].split(";")]
    if "arousal" not in header:
        lines = tables.lines(path, ";", len(_PLAIN))
        return [(row, dict(zip(_PLAIN, values.values(), strict=True))) for row, values in lines]
    if not (before := header[: header.index("arousal")]):
        raise UserError(f"{path} has no times before its arousal. Put AVEC's own labels there.")
    return [
        (row, {"time": values[before[-1]], **{side: values[side] for side in _SIDES}})
        for row, values in tables.rows(path, (*_SIDES, before[-1]))
        if any(values.values())
    ]


def _label(values_of: Values) -> dict[str, Any]:
    """The fields of a record that tell what was felt, or why nobody knows."""
    label = {}
    for side in _SIDES:
        values = sorted(values_of.get(side, {""}))
        if len(values) > 1:
            raise tables.Unusable(f"{side} {' and '.join(values)}", Reason.CONFLICTING_ROWS)
        if values[0].casefold() in ("", "nan"):
            raise tables.Unusable(f"no {side}", Reason.MARKED_INVALID)
        label[side] = label[f"{side}_raw"] = tables.real(values[0], side)
    return label


def _window(time: str, window: float) -> dict[str, Any]:
    start, end = frames.window(tables.real(time, "the time"), window)
    return {"start": start, "end": end}


_KNOWS = ("source", "about", "valence", "arousal", "start", "end")

CORPUS = Corpus(
    name="sewa",
    title="SEWA DB: Audio-Visual Emotion and Sentiment in the Wild (Kossaifi et al., TPAMI 2021)",
    tracks={"aligned": Track(knows=("subject", *_KNOWS)), "avec": Track(knows=("split", *_KNOWS))},
    home="https://db.sewaproject.eu",
    access="an account on the site, and its agreement",
    licence="research only; see the agreement",
    layout={
        "**/*_Valence_AV_Aligned.csv or labels/*.csv": "valence of a segment, or AVEC's labels",
        "**/*_Arousal_AV_Aligned.csv or labels/*.csv": "arousal of a segment, or AVEC's labels",
        "*/*.avi or videos": "the clips",
    },
    read=read,
    takes=("clips", "track", "every", "window"),
)

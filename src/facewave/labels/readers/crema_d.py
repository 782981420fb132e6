"""CREMA-D (Cao et al., IEEE TAC 2014): 91 actors say twelve sentences in six emotions.

A clip's name is its label: ``1001_DFA_ANG_XX`` = actor, sentence, emotion, level. Track ``acted``
takes the emotion that was asked for; track ``perceived`` what most viewers saw in the face alone
(``FaceVote`` of processedResults/summaryTable.csv; a tie like ``N:S`` is no single label).
``VideoDemographics.csv``, where it is there, has sex, age, race and ethnicity of the actors.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, clip_paths, first_there
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("anger", "disgust", "fear", "happy", "neutral", "sad")
_CODES = dict(zip(("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"), WORDS, strict=True))
_LETTERS = dict(zip("ADFHNS", WORDS, strict=True))
_SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high"}
_PEOPLE = "VideoDemographics.csv"
_VOTES = ("processedResults/summaryTable.csv", "summaryTable.csv")
_NAME = re.compile(r"(1\d{3})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")


def read(root: Path, entry: Dataset) -> list[Record]:
    """The clips of the list of names, or of the crowd's votes; or what stands in for them."""
    files, people = {}, _people(root)
    if not entry.has_pictures:
        files = {PurePosixPath(path).stem: path for path in clip_paths(root, entry, "", ())}
        if not entry.table and CORPUS.track_name(entry) == "acted":  # their names are the list
            return [_record("", 0, path, people, clip) for clip, path in files.items()]
    clips = entry.clips or first_there(root, "VideoFlash/{clip}.flv", "VideoMP4/{clip}.mp4")
    lists: tuple[str, ...] = ("SentenceFilenames.csv",)
    columns: tuple[str, ...] = ("Filename",)
    if CORPUS.track_name(entry) == "perceived":
        lists, columns = _VOTES, ("FileName", "FaceVote")
    table = entry.table or first_there(root, *lists)
    rows = tables.rows(root / table, columns)
    records = []
    for row, values in rows:
        clip, *vote = (values[column] for column in columns)
        path = files.get(clip) or clip_path(clips, clip=clip)
        records.append(_record(table, row, path, people, clip, *vote))
    return records


def _people(root: Path) -> dict[str, dict[str, str]]:
    """What is known of each actor; nothing without its table."""
    columns = ("ActorID", "Age", "Ethnicity", "Race", "Sex")
    if not (root / _PEOPLE).exists():
        return {}
    rows = [values for _, values in tables.rows(root / _PEOPLE, columns)]
    return {
        values["ActorID"]: {
            name.lower(): values[name].lower() for name in columns[1:] if values[name]
        }
        for values in rows
    }


def _record(
    table: str,
    row: int,
    path: str,
    people: Mapping[str, Mapping[str, str]],
    clip: str,
    vote: str | None = None,
) -> Record:
    if not clip and not vote:
        return Record(table, row, "")
    parts = _NAME.fullmatch(clip)
    actor, sentence, emotion, level = parts.groups() if parts else ("",) * 4
    fields: dict[str, Any] = parsed(_label, clip, emotion, vote)
    known = {"level": _LEVELS.get(level, ""), "statement": _SENTENCES.get(sentence, "")}
    known = {name: text for name, text in known.items() if text}
    fields |= {"subject": actor, "transcript": _SENTENCES.get(sentence, "")}
    fields["about"] = known | dict(people.get(actor, {})) or None
    return Record(table, row, clip, path if parts else "", **fields)


def _label(clip: str, emotion: str, vote: str | None) -> dict[str, str]:
    if not emotion:
        raise tables.Unusable(f"{clip[:40]!r} is not actor_sentence_emotion_level")
    word = _CODES.get(emotion, "") if vote is None else _LETTERS.get(vote, "")
    if word:
        return {"word": word}
    if vote and all(letter in _LETTERS for letter in vote.split(":")):
        raise tables.Unusable(vote, Reason.VOTE_TIE)
    written = emotion if vote is None else vote
    raise tables.Unusable(repr(written[:40]), Reason.UNKNOWN_WORD)


_KNOWS = ("subject", "transcript", "about")

CORPUS = Corpus(
    name="crema_d",
    title="CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset (Cao et al., 2014)",
    tracks={
        "acted": Track(words=WORDS, knows=_KNOWS, published={"clips": 7442, "subjects": 91}),
        "perceived": Track(words=WORDS, knows=_KNOWS),
    },
    home="https://github.com/CheyneyComputerScience/CREMA-D",
    access="open download (git with LFS)",
    licence="Open Database License: share alike, with attribution",
    layout={
        "SentenceFilenames.csv": "the names of all clips",
        "processedResults/summaryTable.csv or summaryTable.csv": "the crowd's votes",
        "VideoDemographics.csv": "sex, age, race and ethnicity of the actors",
        "VideoFlash or VideoMP4": "the clips",
    },
    read=read,
    takes=("table", "clips", "track"),
)

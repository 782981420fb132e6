"""OMG-Emotion (Barros et al., IJCNN 2018): utterances of YouTube monologues, three official parts.

``omg_TrainVideos.csv`` and its like have ``link,start,end,video,utterance,arousal,valence`` and
``EmotionMaxVote``: arousal comes first and is in [0, 1], here stretched to [-1, 1]; valence is in
[-1, 1]; codes count from 0 and may be empty. Each utterance is a file of its own: start and end, of
the whole video, do not matter.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facewave.labels import tables
from facewave.labels.corpus import Corpus, Track, clip_path, code, expect_codes
from facewave.labels.records import Record, parsed
from facewave.labels.schema import Reason
from facewave.params import Dataset

WORDS = ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
_PARTS = {
    "train": "omg_TrainVideos.csv",
    "val": "omg_ValidationVideos.csv",
    "test": "omg_TestVideos_WithLabels.csv",
}
_TRANSCRIPTS = ("omg_TrainTranscripts.csv", "omg_ValidationTranscripts.csv")
_COLUMNS = ("link", "video", "utterance", "arousal", "valence", "EmotionMaxVote")
_CLIPS = "{video}/{utterance}"
Values = Mapping[str, str]  # of a row, by column


def read(root: Path, entry: Dataset) -> list[Record]:
    """The utterances of the three parts, with their transcripts where these are there."""
    transcripts = _transcripts(root)
    records = []
    for part, table in _PARTS.items():
        rows = tables.rows(root / table, _COLUMNS, ("start", "end"))
        codes = (tables.digits(values["EmotionMaxVote"]) for _, values in rows)
        expect_codes(codes, len(WORDS), 0, str(root / table))
        clips = entry.clips or _CLIPS
        records += [_record(table, row, v, part, clips, transcripts) for row, v in rows]
    return records


def _transcripts(root: Path) -> dict[str, str]:
    return {
        f"{values['video']}/{values['utterance']}": values["transcript"]
        for name in _TRANSCRIPTS
        if (root / name).exists()
        for _, values in tables.rows(root / name, ("video", "utterance", "transcript"))
    }


def _record(
    table: str, row: int, values: Values, part: str, clips: str, transcripts: Mapping[str, str]
) -> Record:
    if not any(values.values()):
        return Record(table, row, "")
    video, utterance = values["video"], values["utterance"]
    clip = f"{video}/{utterance}"
    path = clip_path(clips, video=video, utterance=utterance)
    fields = {"source": values["link"], "part": part, "transcript": transcripts.get(clip, "")}
    return Record(table, row, clip, path, **fields | parsed(_label, values))


def _label(values: Values) -> dict[str, Any]:
    if not values["video"] or not values["utterance"]:
        raise tables.Unusable("no video or no utterance")
    arousal, valence = (tables.real(values[name], name) for name in ("arousal", "valence"))
    numbers = {"valence": valence, "arousal": 2 * arousal - 1}
    numbers |= {"valence_raw": valence, "arousal_raw": arousal}
    if not (vote := values["EmotionMaxVote"]):
        return numbers
    if word := code(WORDS, tables.count(vote, "EmotionMaxVote"), first=0):
        return {"word": word, **numbers}
    note = f"EmotionMaxVote {vote}, of 0 to {len(WORDS) - 1}"
    raise tables.Unusable(note, Reason.UNKNOWN_WORD)


CORPUS = Corpus(
    name="omg",
    title="The OMG-Emotion Behavior Dataset (Barros et al., IJCNN 2018)",
    tracks={
        "single": Track(words=WORDS, knows=("source", "split", "valence", "arousal", "transcript"))
    },
    home="https://github.com/knowledgetechnologyuhh/OMGEmotionChallenge",
    access="labels open; its script downloads the videos from YouTube, where many are gone",
    licence="CC BY-NC-SA 3.0 DE: research only, with attribution, not to be passed on",
    layout={
        "omg_TrainVideos.csv": "training",
        "omg_ValidationVideos.csv": "validation",
        "omg_TestVideos_WithLabels.csv": "test",
        "*/utterance_*.mp4": "the clips, in folders named by their videos",
    },
    read=read,
    takes=("clips",),
)

"""OMG-Emotion: three tables, arousal before valence."""

from dataclasses import replace
from pathlib import Path

import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.omg import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

TRAIN, VAL, TEST = (
    "omg_TrainVideos.csv", "omg_ValidationVideos.csv", "omg_TestVideos_WithLabels.csv",
)  # fmt: skip
HEADER = "link,start,end,video,utterance,arousal,valence,EmotionMaxVote"
LINK = "https://www.youtube.com/watch?v="
ROWS = {
    TRAIN: f"{LINK}CROcsl0lIec,15.41,19.68,5b44393ed,utterance_4.mp4,0.170,-0.0237,4",
    VAL: f"{LINK}xfsvvbTlR38,0.0,9.2,74de88564,utterance_1.mp4,1.0,0.5,",
    TEST: f"{LINK}_bg0TrqHcBs,0.0,16.23,1f61459b0,utterance_1.mp4,0.468657983622,"
    "0.6965706155500001,3",
}
TRANSCRIPTS = "link,video,utterance,transcript"


entry = entry_of("omg")


def write(root: Path, train: str = ROWS[TRAIN]) -> Path:
    for name, rows in (ROWS | {TRAIN: train}).items():
        (root / name).write_bytes(f"{HEADER}\r\n{rows}\r\n".encode())
    return root


def first(root: Path, train: str) -> Record:
    return read(write(root, train), entry())[0]


def test_rows_are_records_of_three_parts(tmp_path: Path) -> None:
    train, val, test = read(write(tmp_path), entry())
    assert train.arousal == pytest.approx(-0.66)
    assert replace(train, arousal=None) == Record(
        TRAIN,
        2,
        "5b44393ed/utterance_4.mp4",
        "5b44393ed/utterance_4.mp4",
        word="Neutral",
        source=LINK + "CROcsl0lIec",
        part="train",
        valence=-0.0237,
        valence_raw=-0.0237,
        arousal_raw=0.170,
    )
    assert (val.table, val.part, val.word, val.problem) == (VAL, "val", "", None)
    assert (val.arousal, val.arousal_raw, val.valence) == (1.0, 1.0, 0.5)
    assert (test.table, test.part, test.word) == (TEST, "test", "Happy")
    assert test.arousal == pytest.approx(-0.062684032756)


def test_each_code_is_its_word(tmp_path: Path) -> None:
    words = ["Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
    rows = [f"{LINK}a,0,1,v,u{code}.mp4,0.5,0.1,{code}" for code in range(7)]
    records = read(write(tmp_path, "\r\n".join([*rows, ",,,,,,,"])), entry(clips="a/{video}"))
    assert [r.word for r in records[:8]] == [*words, ""]
    assert (records[0].file_path, records[0].video_idx) == ("a/v", "v/u0.mp4")
    assert records[7] == Record(TRAIN, 9, "", "")
    # Out of range: for cleaning to judge.
    record = first(tmp_path, f"{LINK}a,0,1,v,u.mp4,1.5,0.1,3")
    assert (record.arousal, record.arousal_raw, record.problem) == (2.0, 1.5, None)


def test_transcripts_of_two_parts(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "omg_TrainTranscripts.csv").write_text(
        f'{TRANSCRIPTS}\n"{LINK}CROcsl0lIec",5b44393ed,utterance_4.mp4,"hello, I\'m here "\n'
        f'"{LINK}CROcsl0lIec",5b44393ed,utterance_5.mp4,"another"\n'
    )
    (tmp_path / "omg_ValidationTranscripts.csv").write_text(
        f'{TRANSCRIPTS}\n"{LINK}xfsvvbTlR38",74de88564,utterance_1.mp4,"do it"\n'
    )
    transcripts = [record.transcript for record in read(tmp_path, entry())]
    assert transcripts == ["hello, I'm here", "do it", ""]


def test_a_row_that_cannot_be_used(tmp_path: Path) -> None:
    for fields, reason, note in [
        ("v,u.mp4,0.5,0.1,7", Reason.UNKNOWN_WORD, "EmotionMaxVote 7, of 0 to 6"),
        ("v,u.mp4,0.5,0.1,x", Reason.BAD_VALUE, "EmotionMaxVote is 'x', not a whole number"),
        ("v,u.mp4,,0.1,3", Reason.BAD_VALUE, "arousal is '', not a number"),
        ("v,u.mp4,0.5,nan,3", Reason.BAD_VALUE, "valence is 'nan', not a number"),
        (",u.mp4,0.5,0.1,3", Reason.BAD_VALUE, "no video or no utterance"),
        ("v,,0.5,0.1,3", Reason.BAD_VALUE, "no video or no utterance"),
    ]:
        anger = f"{LINK}b,0,1,w,u.mp4,0.5,0.1,0"  # a 0, so that codes do count from it
        record = first(tmp_path, f"{LINK}a,0,1,{fields}\r\n{anger}")
        assert (record.word, record.problem, record.note, record.row) == ("", reason, note, 2)


def test_codes_from_1_are_refused(tmp_path: Path) -> None:
    rows = "\r\n".join(f"{LINK}a,0,1,v{k},u.mp4,0.5,0.1,{k}" for k in range(1, 8))
    with pytest.raises(UserError, match=r"omg_TrainVideos\.csv: .* seem to count from 1"):
        first(tmp_path, rows)


def test_a_table_without_labels_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / TEST).write_text("link,start,end,video,utterance\nl,0,1,v,u.mp4\n")
    with pytest.raises(UserError, match=r"WithLabels\.csv: column 'arousal' is missing"):
        read(tmp_path, entry())

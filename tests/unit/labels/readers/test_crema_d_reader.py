"""CREMA-D: a clip's name is what was acted; the crowd's votes are what was seen."""

from pathlib import Path
from typing import Any

import pytest

from facewave.labels.readers.crema_d import CORPUS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Dataset

NAMES = '"Stimulus_Number","Filename"'
VOTES = (
    '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote",'
    '"MultiModalLevel"'
)
SUMMARY = "processedResults/summaryTable.csv"


def entry(**keys: Any) -> Dataset:
    return Dataset(reader="crema_d", root=".", about="a test", **keys)


def acted(root: Path, *names: str) -> list[Record]:
    lines = [NAMES, *(f'{i},"{name}"' for i, name in enumerate(names, start=1))]
    (root / "SentenceFilenames.csv").write_text("\n".join(lines) + "\n")
    return read(root, entry())


def perceived(root: Path, *votes: str, path: str = SUMMARY) -> list[Record]:
    """One clip for each vote on the face; voice and both together said something else."""
    lines = [VOTES]
    lines += [f'"1","1001_DFA_ANG_XX","D","60","{vote}","50","F:S","40"' for vote in votes]
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("\n".join(lines) + "\n")
    return read(root, entry(track="perceived"))


def test_a_name_is_a_record(tmp_path: Path) -> None:
    assert acted(tmp_path, "1001_DFA_ANG_XX") == [
        Record(
            table="SentenceFilenames.csv",
            row=2,
            video_idx="1001_DFA_ANG_XX",
            file_path="VideoFlash/1001_DFA_ANG_XX.flv",
            word="anger",
            subject="1001",
            transcript="Don't forget a jacket.",
        )
    ]


def test_each_code_and_each_letter_is_its_word(tmp_path: Path) -> None:
    for code, letter, word in [
        ("ANG", "A", "anger"),
        ("DIS", "D", "disgust"),
        ("FEA", "F", "fear"),
        ("HAP", "H", "happy"),
        ("NEU", "N", "neutral"),
        ("SAD", "S", "sad"),
    ]:
        (record,) = acted(tmp_path, f"1091_TIE_{code}_HI")
        assert (record.word, record.subject, record.problem) == (word, "1091", None)
        (record,) = perceived(tmp_path, letter)
        assert (record.word, record.problem) == (word, None)


def test_the_crowd_saw_something_else_than_was_acted(tmp_path: Path) -> None:
    (record,) = perceived(tmp_path, "N")
    assert record == Record(
        table=SUMMARY,
        row=2,
        video_idx="1001_DFA_ANG_XX",
        file_path="VideoFlash/1001_DFA_ANG_XX.flv",
        word="neutral",
        subject="1001",
        transcript="Don't forget a jacket.",
    )


def test_a_tie_is_no_single_label(tmp_path: Path) -> None:
    for tie in ["N:S", "A:D", "D:F:S"]:
        (record,) = perceived(tmp_path, tie)
        assert (record.word, record.problem, record.note) == ("", Reason.VOTE_TIE, tie)


def test_a_strange_vote_is_an_unknown_word(tmp_path: Path) -> None:
    for vote in ["X", "NS", "N:", "n", "N:X", "anger"]:
        (record,) = perceived(tmp_path, vote)
        assert (record.word, record.problem) == ("", Reason.UNKNOWN_WORD)
        assert record.note == repr(vote)


def test_a_clip_without_a_vote_has_no_word(tmp_path: Path) -> None:
    (record,) = perceived(tmp_path, "")
    assert (record.video_idx, record.word) == ("1001_DFA_ANG_XX", "")


def test_the_votes_may_lie_at_the_top(tmp_path: Path) -> None:
    assert perceived(tmp_path, "A", path="summaryTable.csv")[0].table == "summaryTable.csv"


def test_another_name_is_a_bad_value(tmp_path: Path) -> None:
    for name in [
        "1001_DFA_ANG",
        "1001-DFA-ANG-XX",
        "2001_DFA_ANG_XX",
        "1001_DFA_ANG_XX.flv",
        "../1001",
        "x",
    ]:
        (record,) = acted(tmp_path, name)
        assert (record.problem, record.word, record.file_path) == (Reason.BAD_VALUE, "", "")
        assert record.note == f"{name!r} is not actor_sentence_emotion_level"


def test_another_emotion_is_an_unknown_word(tmp_path: Path) -> None:
    (record,) = acted(tmp_path, "1001_DFA_SUR_XX")
    assert (record.word, record.problem, record.note) == ("", Reason.UNKNOWN_WORD, "'SUR'")


def test_an_empty_row_keeps_its_place(tmp_path: Path) -> None:
    records = acted(tmp_path, "1001_DFA_ANG_XX", "", "1001_DFA_SAD_XX")
    assert [(r.row, r.video_idx) for r in records] == [
        (2, "1001_DFA_ANG_XX"), (3, ""), (4, "1001_DFA_SAD_XX"),
    ]  # fmt: skip
    assert records[1].problem is None


@pytest.mark.parametrize(
    ("there", "path"),
    [
        ("VideoFlash", "VideoFlash/1001_DFA_ANG_XX.flv"),
        ("VideoMP4", "VideoMP4/1001_DFA_ANG_XX.mp4"),
    ],
)
def test_the_clips_are_flash_or_mp4(tmp_path: Path, there: str, path: str) -> None:
    (tmp_path / there).mkdir()
    assert acted(tmp_path, "1001_DFA_ANG_XX")[0].file_path == path
    assert read(tmp_path, entry(clips="{clip}.avi"))[0].file_path == "1001_DFA_ANG_XX.avi"


def test_published_counts() -> None:
    assert CORPUS.track("").published == {"clips": 7442, "subjects": 91}

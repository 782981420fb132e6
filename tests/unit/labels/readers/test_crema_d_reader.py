"""CREMA-D: a clip's name is what was acted; the crowd's votes are what was seen."""

from pathlib import Path

from corpora import entry_of, write
from facewave.labels.readers.crema_d import CORPUS, read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

NAMES = '"Stimulus_Number","Filename"'
VOTES = (
    '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote",'
    '"MultiModalLevel"'
)
PEOPLE = '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
SUMMARY = "processedResults/summaryTable.csv"


entry = entry_of("crema_d")


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
            "SentenceFilenames.csv",
            2,
            "1001_DFA_ANG_XX",
            "VideoFlash/1001_DFA_ANG_XX.flv",
            word="anger",
            subject="1001",
            transcript="Don't forget a jacket.",
            about={"statement": "Don't forget a jacket."},
        )
    ]
    write(tmp_path, "VideoDemographics.csv", PEOPLE)
    one, other = acted(tmp_path, "1001_DFA_ANG_HI", "1002_DFA_NEU_XX")
    assert one.about == {
        "level": "high",
        "statement": "Don't forget a jacket.",
        "age": "51",
        "ethnicity": "not hispanic",
        "race": "caucasian",
        "sex": "male",
    }
    assert other.about == {"statement": "Don't forget a jacket."}


def test_each_code_and_each_letter_is_its_word(tmp_path: Path) -> None:
    for word in ("anger", "disgust", "fear", "happy", "neutral", "sad"):
        code, letter = word[:3].upper(), word[0].upper()
        (record,) = acted(tmp_path, f"1091_TIE_{code}_HI")
        assert (record.word, record.subject, record.problem) == (word, "1091", None)
        (record,) = perceived(tmp_path, letter)
        assert (record.word, record.problem) == (word, None)


def test_the_crowd_saw_something_else_than_was_acted(tmp_path: Path) -> None:
    (record,) = perceived(tmp_path, "N")
    assert record == Record(
        SUMMARY,
        2,
        "1001_DFA_ANG_XX",
        "VideoFlash/1001_DFA_ANG_XX.flv",
        word="neutral",
        subject="1001",
        transcript="Don't forget a jacket.",
        about={"statement": "Don't forget a jacket."},
    )


def test_a_vote_for_no_single_word(tmp_path: Path) -> None:
    cases: list[tuple[str, Reason | None, str]] = [
        *((tie, Reason.VOTE_TIE, tie) for tie in ("N:S", "A:D", "D:F:S")),
        *((v, Reason.UNKNOWN_WORD, repr(v)) for v in ("X", "NS", "N:", "n", "N:X", "anger")),
        ("", Reason.UNKNOWN_WORD, "''"),
    ]
    for vote, reason, note in cases:
        (record,) = perceived(tmp_path, vote)
        assert (record.video_idx, record.word) == ("1001_DFA_ANG_XX", "")
        assert (record.problem, record.note) == (reason, note)
    (record,) = acted(tmp_path, "1001_DFA_SUR_XX")
    assert (record.word, record.problem, record.note) == ("", Reason.UNKNOWN_WORD, "'SUR'")


def test_the_votes_may_lie_at_the_top(tmp_path: Path) -> None:
    assert perceived(tmp_path, "A", path="summaryTable.csv")[0].table == "summaryTable.csv"


def test_another_name_is_a_bad_value(tmp_path: Path) -> None:
    for name in (
        "1001_DFA_ANG", "1001-DFA-ANG-XX", "2001_DFA_ANG_XX", "1001_DFA_ANG_XX.flv", "../1001", "x",
    ):  # fmt: skip
        (record,) = acted(tmp_path, name)
        assert (record.problem, record.word, record.file_path) == (Reason.BAD_VALUE, "", "")
        assert record.note == f"{name!r} is not actor_sentence_emotion_level"


def test_an_empty_row_keeps_its_place(tmp_path: Path) -> None:
    records = acted(tmp_path, "1001_DFA_ANG_XX", "", "1001_DFA_SAD_XX")
    assert [(r.row, r.video_idx) for r in records] == [
        (2, "1001_DFA_ANG_XX"), (3, ""), (4, "1001_DFA_SAD_XX"),
    ]  # fmt: skip
    assert records[1].problem is None


def test_the_clips_are_flash_or_mp4(tmp_path: Path) -> None:
    for path in ("VideoFlash/1001_DFA_ANG_XX.flv", "VideoMP4/1001_DFA_ANG_XX.mp4"):
        root = tmp_path / path
        (root / path).parent.mkdir(parents=True)
        assert acted(root, "1001_DFA_ANG_XX")[0].file_path == path
        assert read(root, entry(clips="{clip}.avi"))[0].file_path == "1001_DFA_ANG_XX.avi"


def test_published_counts() -> None:
    assert CORPUS.track("").published == {"clips": 7442, "subjects": 91}

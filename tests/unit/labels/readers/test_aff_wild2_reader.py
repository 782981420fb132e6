"""Aff-Wild2: a text file a video, a line a frame."""

from pathlib import Path

import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.aff_wild2 import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

TOP = "Third ABAW Annotations"
VA = f"{TOP}/VA_Estimation_Challenge"
EXPR = f"{TOP}/EXPR_Classification_Challenge"
AU = f"{TOP}/AU_Detection_Challenge"
EIGHT = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
UNITS = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"


entry = entry_of("aff_wild2")


def write(root: Path, path: str, *lines: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(("\r\n".join(lines) + "\r\n").encode())


def pictures(root: Path, video: str, *numbers: int) -> None:
    (root / "cropped_aligned" / video).mkdir(parents=True)
    for number in numbers:
        (root / "cropped_aligned" / video / f"{number:05d}.jpg").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    header = "valence,arousal"
    write(tmp_path, f"{VA}/Train_Set/7-60-1920x1080.txt", header, "0.1,-0.2", "0.3,0.4", "-5,-5")
    write(tmp_path, f"{VA}/Train_Set/4-30-1920x1080_left.txt", header, "0,0")
    write(tmp_path, f"{VA}/Validation_Set/video5_right.txt", header, "1,-1")
    return tmp_path


def expressions(root: Path, header: str, *lines: str) -> list[Record]:
    write(root, f"{EXPR}/Train_Set/a.txt", header, *lines)
    write(root, f"{EXPR}/Validation_Set/b.txt", EIGHT, "0")
    return read(root, entry(track="expr"))[:-1]


def units(root: Path, header: str, *lines: str) -> list[Record]:
    write(root, f"{AU}/Train_Set/a.txt", header, *lines)
    write(root, f"{AU}/Validation_Set/b.txt", UNITS, ",".join("0" * 12))
    return read(root, entry(track="au"))[:-1]


def test_a_line_is_a_frame(root: Path) -> None:
    records = read(root, entry())
    assert records[1] == Record(
        f"{VA}/Train_Set/7-60-1920x1080.txt",
        2,
        "7-60-1920x1080/00001",
        "cropped_aligned/7-60-1920x1080",
        source="7-60-1920x1080",
        part="train",
        valence=0.1,
        arousal=-0.2,
        valence_raw=0.1,
        arousal_raw=-0.2,
        frame=0,
    )
    assert [r.video_idx for r in records] == [
        "4-30-1920x1080_left/00001",
        *(f"7-60-1920x1080/0000{i}" for i in (1, 2, 3)),
        "video5_right/00001",
    ]
    assert [r.row for r in records] == [2, 2, 3, 4, 2]
    assert [r.part for r in records] == ["train"] * 4 + ["test"]
    marked = records[3]
    assert (marked.problem, marked.note) == (Reason.MARKED_INVALID, "valence -5, arousal -5")
    assert marked.valence is marked.arousal is marked.valence_raw is marked.arousal_raw is None
    write(root, f"{VA}/Train_Set/._a.txt", "x")  # a leftover of another system
    assert len(read(root, entry())) == 5


def test_two_people_of_one_video_have_one_source(root: Path) -> None:
    records = read(root, entry(clips="batch/{source}.mp4"))
    assert records[0].source == "4-30-1920x1080"
    assert records[0].file_path == "batch/4-30-1920x1080.mp4"
    assert records[-1].source == "video5"
    assert records[-1].table == f"{VA}/Validation_Set/video5_right.txt"


def test_strange_lines_keep_their_frame(root: Path) -> None:
    cases: list[tuple[str, Reason | None]] = [
        ("-5,0.5", Reason.MARKED_INVALID),
        ("0.5,-5.0", Reason.MARKED_INVALID),
        ("-6,0", Reason.MARKED_INVALID),
        ("x,0", Reason.BAD_VALUE),
        ("nan,0", Reason.BAD_VALUE),
        ("0.5", Reason.BAD_VALUE),
        ("0.5,0.5,0.5", Reason.BAD_VALUE),
        ("", Reason.BAD_VALUE),
        ("1.5,0", None),  # cleaning judges the range
        ("-4.9,0", None),
    ]
    for line, reason in cases:
        header = "valence,arousal"
        write(root, f"{VA}/Validation_Set/video5_right.txt", header, line, "0.5,0.25", "")
        strange, sound = read(root, entry())[4:]
        assert (strange.problem, strange.video_idx) == (reason, "video5_right/00001")
        assert (sound.valence, sound.arousal, sound.row) == (0.5, 0.25, 3)
        assert sound.video_idx == "video5_right/00002"


def test_a_damaged_line_end_moves_no_other_frame(root: Path) -> None:
    path = root / VA / "Validation_Set/video5_right.txt"
    path.write_bytes(b"valence,arousal\r\n0.5,0.25\r\x0b-0.5,0\r\n0,1\r\n")
    found = [(record.row, record.valence) for record in read(root, entry())[4:]]
    assert found == [(2, 0.5), (3, -0.5), (4, 0)]


def test_every_nth_frame(root: Path) -> None:
    lines = [f"0.{i},0" for i in range(10)]
    write(root, f"{VA}/Validation_Set/video5_right.txt", "valence,arousal", *lines)
    records = read(root, entry(every=4))[2:]
    assert [r.video_idx for r in records] == [f"video5_right/0000{i}" for i in (1, 5, 9)]
    assert [r.row for r in records] == [2, 6, 10]
    assert [r.valence for r in records] == [0.0, 0.4, 0.8]
    assert [r.frame for r in records] == [0, 4, 8]


def test_a_frame_without_its_picture_shows_no_face(root: Path) -> None:
    pictures(root, "7-60-1920x1080", 2, 3)
    records = read(root, entry())
    assert [r.problem for r in records] == [
        None, Reason.NO_PICTURE, None, Reason.MARKED_INVALID, None,
    ]  # fmt: skip
    assert (records[1].note, records[1].valence) == ("no face was found", 0.1)
    assert [r.frame for r in records[1:4]] == [-1, 0, 1]
    pictures(root, "video5_right")
    assert read(root, entry())[-1].problem == Reason.NO_PICTURE


def test_expressions_are_the_words_of_the_header(tmp_path: Path) -> None:
    records = expressions(tmp_path, EIGHT, *map(str, range(8)), "-1", "8", "-2", "x", "0,1")
    assert [r.word for r in records] == [*EIGHT.split(","), *[""] * 5]
    assert [r.problem for r in records[8:]] == [
        Reason.MARKED_INVALID, Reason.UNKNOWN_WORD, Reason.UNKNOWN_WORD, Reason.BAD_VALUE,
        Reason.BAD_VALUE,
    ]  # fmt: skip
    assert records[8].note == "expression -1"
    assert records[0].valence is None
    # The first challenges had seven words.
    records = expressions(tmp_path, EIGHT.removesuffix(",Other").replace(",", " , "), "6", "7")
    assert [r.word for r in records] == ["Surprise", ""]
    assert (records[1].problem, records[1].note) == (Reason.UNKNOWN_WORD, "expression 7, of 0 to 6")


def test_units_by_their_names(tmp_path: Path) -> None:
    records = units(
        tmp_path,
        UNITS + " ",
        "0,1,0,0,0,0,0,0,0,0,0,1",
        "0,1,0,0,-1,0,0,0,0,0,0,1",
        "0,1,0,0,2,0,0,0,0,0,0,1",
        "0,1",
    )
    on = {"AU2": 1, "AU26": 1}
    assert records[0].aus == dict.fromkeys(UNITS.split(","), 0) | on
    assert (records[0].word, records[0].problem) == ("", None)
    assert [r.aus for r in records[1:]] == [None, None, None]
    assert [(r.problem, r.note) for r in records[1:]] == [
        (Reason.MARKED_INVALID, "AU7 is -1"),
        (Reason.BAD_VALUE, "AU7 is 2, not 0 or 1"),
        (Reason.BAD_VALUE, "'0,1' has 2 fields, not 12"),
    ]


def test_the_names_of_all_challenges(tmp_path: Path) -> None:
    for top in ("", "Sixth ABAW/"):
        for name in ("VA_Set", "VA_Estimation_Challenge"):
            root = tmp_path / (top or "top") / name
            for part in ("Train_Set", "Validation_Set"):
                write(root, f"{top}{name}/{part}/{part}.txt", "valence,arousal", "0,0")
            assert [r.table for r in read(root, entry())] == [
                f"{top}{name}/{part}/{part}.txt" for part in ("Train_Set", "Validation_Set")
            ]


def test_the_annotations_of_two_challenges_need_a_choice(root: Path) -> None:
    for part in ("Train_Set", "Validation_Set"):
        write(root, f"VA_Set/{part}/a.txt", "valence,arousal", "0.5,0.5")
    with pytest.raises(UserError, match=r"VA_Estimation_Challenge and .*/VA_Set\."):
        read(root, entry())
    assert [r.valence for r in read(root, entry(table="VA_Set"))] == [0.5, 0.5]
    assert len(read(root, entry(table=VA))) == 5


def test_another_header_stops(tmp_path: Path) -> None:
    for track, header in [
        ("va", "arousal,valence"),
        ("va", EIGHT),
        ("expr", "Anger,Neutral,Disgust,Fear,Happiness,Sadness,Surprise,Other"),
        ("expr", EIGHT.removesuffix(",Surprise,Other")),
        ("au", "AU1,AU1"),
        ("au", "valence,arousal"),
    ]:
        folder = {"va": VA, "expr": EXPR, "au": AU}[track]
        write(tmp_path, f"{folder}/Train_Set/a.txt", header, "0,0")
        with pytest.raises(UserError, match=r"a\.txt: the header is"):
            read(tmp_path, entry(track=track))


def test_missing_or_empty_files_are_named(root: Path) -> None:
    with pytest.raises(UserError, match="no EXPR_Classification_Challenge or EXPR_Set"):
        read(root, entry(track="expr"))
    write(root, f"{VA}/Validation_Set/video5_right.txt", "valence,arousal")
    with pytest.raises(UserError, match=r"video5_right\.txt has no rows"):
        read(root, entry())
    (root / VA / "Validation_Set").rename(root / "elsewhere")
    with pytest.raises(UserError, match="Challenge/Validation_Set has no annotations"):
        read(root, entry())

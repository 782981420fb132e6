"""The ABAW challenge's file of compound expressions."""

from pathlib import Path

import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.abaw_compound import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

HEADER = (
    "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,"
    "Angrily_Surprised,Sadly_Fearful,Sadly_Angry"
)
TABLE = "predictions.txt"


entry = entry_of("abaw_compound", table=TABLE)


def write(root: Path, *lines: str, header: str = HEADER) -> Path:
    (root / TABLE).write_bytes("\r\n".join((header, *lines)).encode())
    return root


def test_a_line_is_a_frame(tmp_path: Path) -> None:
    write(tmp_path, "01/00001.jpg,3", "01/00051.jpg,0")
    records = read(tmp_path, entry())
    assert records[0] == Record(
        TABLE,
        2,
        "01/00001",
        "01",
        word="Disgustedly_Surprised",
        source="01",
        compound="Disgustedly_Surprised",
        frame=0,
    )
    assert (records[1].word, records[1].frame) == ("Fearfully_Surprised", 50)


def test_the_codes_are_the_header_in_its_order(tmp_path: Path) -> None:
    write(tmp_path, *(f"01/{i + 1:05d}.jpg,{i}" for i in range(7)))
    assert [r.word for r in read(tmp_path, entry())] == HEADER.split(",")[1:]


def test_every_nth_line_of_each_video(tmp_path: Path) -> None:
    lines = [f"{video}/{i:05d}.jpg,1" for video in ("01", "b/02") for i in range(1, 6)]
    records = read(write(tmp_path, *lines), entry(every=2))
    assert [r.video_idx for r in records] == [
        "01/00001", "01/00003", "01/00005", "b/02/00001", "b/02/00003", "b/02/00005",
    ]  # fmt: skip
    assert [r.row for r in records] == [2, 4, 6, 7, 9, 11]
    assert records[3].source == "b/02"


def test_frames_count_from_the_first_picture(tmp_path: Path) -> None:
    (tmp_path / "cropped_aligned/01").mkdir(parents=True)
    for number in (11, 61):
        (tmp_path / f"cropped_aligned/01/{number:05d}.jpg").touch()
    write(tmp_path, "01/00011.jpg,1", "01/00061.jpg,1", "01/00062.jpg,1", "02/00001.jpg,1")
    records = read(tmp_path, entry())
    assert [r.file_path for r in records] == ["cropped_aligned/01"] * 3 + ["cropped_aligned/02"]
    assert [r.frame for r in records[:2]] == [0, 50]
    assert [r.problem for r in records] == [None, None, Reason.NO_PICTURE, None]
    assert (records[2].word, records[2].compound) == ("", "")


def test_videos_may_lie_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "01/00026.jpg,1")
    (record,) = read(tmp_path, entry(clips="videos/{video}.mp4"))
    assert (record.file_path, record.frame) == ("videos/01.mp4", 25)


def test_what_cannot_be_used_stays_with_a_reason(tmp_path: Path) -> None:
    for line, reason in [
        ("01/00001.jpg,-1", Reason.MARKED_INVALID),
        ("01/00001.jpg,7", Reason.UNKNOWN_WORD),
        ("01/00001.jpg,-2", Reason.UNKNOWN_WORD),
        ("01/00001.jpg,x", Reason.BAD_VALUE),
        ("01/00001.jpg,1,0", Reason.BAD_VALUE),
        ("00001.jpg,1", Reason.BAD_VALUE),
        ("01/a.jpg,1", Reason.BAD_VALUE),
    ]:
        strange, sound = read(write(tmp_path, line, "02/00001.jpg,6"), entry())
        assert (strange.word, strange.compound, strange.problem, strange.row) == ("", "", reason, 2)
        assert strange.note
        assert strange.video_idx
        assert (sound.word, sound.problem) == ("Sadly_Angry", None)


def test_another_header_stops(tmp_path: Path) -> None:
    for header in [
        "01/00001.jpg,3",
        HEADER.removesuffix(",Sadly_Angry"),
        HEADER.replace("Sadly_Fearful,Sadly_Angry", "Sadly_Angry,Sadly_Fearful"),
        HEADER.replace("image_location", "frame"),
    ]:
        write(tmp_path, "01/00001.jpg,3", header=header)
        with pytest.raises(UserError, match=r"predictions\.txt, row 1: the header"):
            read(tmp_path, entry())


def test_the_file_must_be_named_and_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the key table"):
        read(tmp_path, entry(table=""))
    with pytest.raises(UserError, match=r"predictions\.txt is not here"):
        read(tmp_path, entry())

"""The ABAW challenge's file of compound expressions."""

from pathlib import Path

import pytest

from corpora import entry_of, write_clip, write_pictures
from facewave.errors import UserError
from facewave.labels.readers.abaw_compound import read, videos
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from facewave.params import Tracks

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
    with pytest.raises(UserError, match=r"predictions\.txt is not here"):
        read(tmp_path, entry())


# Without labels: the challenge's pictures, or its videos.


def test_every_nth_frame_of_a_video_is_a_row_without_a_word(tmp_path: Path) -> None:
    write_clip(tmp_path / "02.mp4", 1)
    write_clip(tmp_path / "01.avi.mp4", 2)
    write_pictures(tmp_path / "03", (f"{i:05d}.jpg" for i in (3, 4, 8, 9, 10)), 3)
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden.mp4").touch()
    records = read(tmp_path, entry(table="", every=2))
    assert [(r.video_idx, r.file_path, r.frame) for r in records] == [
        ("01.avi/00001", "01.avi.mp4", 0), ("01.avi/00003", "01.avi.mp4", 2),
        ("01.avi/00005", "01.avi.mp4", 4),
        ("02/00001", "02.mp4", 0), ("02/00003", "02.mp4", 2), ("02/00005", "02.mp4", 4),
        ("03/00003", "03", 0), ("03/00008", "03", 5), ("03/00010", "03", 7),
    ]  # fmt: skip
    for record in records:
        assert record.source == record.video_idx.rpartition("/")[0]
        assert (record.word, record.part, record.table, record.row) == ("", "train", "", 0)
        assert record.problem is None


def test_pictures_of_faces_come_before_videos_unless_clips_says_otherwise(tmp_path: Path) -> None:
    write_pictures(tmp_path / "cropped_aligned/01", ["00002.jpg"], 1)
    write_pictures(tmp_path / "cropped_aligned/b/02", ["00001.jpg"], 2)
    write_clip(tmp_path / "videos/01.mp4", 3)
    (tmp_path / "videos/01.webm").touch()

    def clips(pattern: str) -> list[tuple[str, str]]:
        found = videos(tmp_path, entry(table="", clips=pattern))
        return [(video.name, video.clip) for video in found]

    assert clips("") == [("01", "cropped_aligned/01"), ("b/02", "cropped_aligned/b/02")]
    assert clips("videos/{video}.mp4") == [("01", "videos/01.mp4")]
    assert clips("cropped_aligned/{video}/02") == [("b", "cropped_aligned/b/02")]
    with pytest.raises(UserError, match=r"videos/01\.\w+ and videos/01\.\w+ are one video, 01\."):
        clips("videos/{video}")
    with pytest.raises(UserError, match=r"'videos', where \{video\} should stand for"):
        clips("videos")
    for pattern in ("elsewhere/{video}", "cropped_aligned/{video}.mp4", "videos/01{video}"):
        with pytest.raises(UserError, match="has no videos and no folders of pictures"):
            clips(pattern)
    with pytest.raises(UserError, match=r"where only \{video\} can stand"):
        clips("{clip}")


def test_a_frame_is_called_as_its_picture_or_by_its_number(tmp_path: Path) -> None:
    write_clip(tmp_path / "01.mp4", 1)
    write_pictures(tmp_path / "02", ["00007.png", "00009.png"], 1)
    write_pictures(tmp_path / "03", ["frame_1.jpg", "frame_12.jpg"], 1)
    (tmp_path / "04.mp4").write_bytes(b"no video")
    first, second, third, broken = videos(tmp_path, entry(table=""))
    assert first.pictures == tuple(f"01/{i:05d}.jpg" for i in range(1, 6))
    assert (second.frames, second.pictures) == ((7, 9), ("02/00007.png", "02/00009.png"))
    assert (third.frames, third.pictures) == ((1, 12), ("03/00001.jpg", "03/00012.jpg"))
    assert (broken.frames, broken.pictures) == ((1,), ("04/00001.jpg",))


def test_tables_cannot_stand_in_for_unlabelled_videos(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs videos or pictures in .*, and tracks stand in"):
        read(tmp_path, entry(table="", tracks=Tracks(tool="openface")))

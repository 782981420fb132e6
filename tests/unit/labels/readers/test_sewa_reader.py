"""SEWA: segments with two tables each, and the AVEC challenges' form of them."""

from pathlib import Path

import pytest

from corpora import entry_of
from facewave.errors import UserError
from facewave.labels.readers.sewa import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason

NAME = "SSL_C2_S055_P109_VC1_004803_005542"
OTHER = "SAH_C2_S047_P093_VC1_000538_001078"


entry = entry_of("sewa", window=1.0)


def write(folder: Path, side: str, *rows: str, name: str = NAME, end: str = "\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_{side}_AV_Aligned.csv"
    path.write_bytes(end.join((f"frame_idx,{side.lower()}", *rows, "")).encode())
    return path


def segment(root: Path, valence: list[str], arousal: list[str], name: str = NAME) -> Path:
    write(root / name, "Valence", *valence, name=name)
    write(root / name, "Arousal", *arousal, name=name)
    return root


def test_a_frame_is_a_record(tmp_path: Path) -> None:
    segment(tmp_path, ["4804,-0.125", "4803,0.25"], ["4803,-0.5", "4804,1"])
    first, second = read(tmp_path, entry())
    assert second == Record(
        f"{NAME}/{NAME}_Valence_AV_Aligned.csv",
        3,
        f"{NAME}/4803",
        f"{NAME}/{NAME}.avi",
        subject="P109",
        source="C2_S055",
        about={"culture": "C2"},
        frame=0,
        valence=0.25,
        arousal=-0.5,
        valence_raw=0.25,
        arousal_raw=-0.5,
    )
    assert (first.row, first.video_idx, first.frame) == (2, f"{NAME}/4804", 1)
    assert (first.valence, first.arousal) == (-0.125, 1.0)


def test_archives_unpacked_in_folders_of_their_own(tmp_path: Path) -> None:
    inner = f"extracted_{NAME}-{{0}}/{NAME}-{{0}}"
    write(tmp_path / NAME / inner.format("Valence"), "Valence", "0,0.5", end="\r\n")
    write(tmp_path / NAME / inner.format("Arousal"), "Arousal", "0,0.75", end="\r\n")
    (record,) = read(tmp_path, entry())
    assert (record.valence, record.arousal, record.subject) == (0.5, 0.75, "P109")
    assert record.file_path == f"{NAME}/{NAME}.avi"
    assert record.table.startswith(f"{NAME}/extracted_{NAME}-Valence/")


def test_the_clip_is_the_one_video_of_the_folder(tmp_path: Path) -> None:
    segment(tmp_path, ["0,0"], ["0,0"])
    (tmp_path / NAME / "chat.avi").touch()
    assert read(tmp_path, entry())[0].file_path == f"{NAME}/chat.avi"
    (tmp_path / NAME / "advert.avi").touch()
    assert read(tmp_path, entry())[0].file_path == f"{NAME}/{NAME}.avi"
    clips = entry(clips="{folder}/{name}-Video/v.avi")
    assert read(tmp_path, clips)[0].file_path == f"{NAME}/{NAME}-Video/v.avi"


def test_every_nth_frame_of_each_segment(tmp_path: Path) -> None:
    rows = [f"{i},0.{i}" for i in range(1, 6)]
    segment(tmp_path, rows, rows)
    segment(tmp_path, rows, rows, name=OTHER)
    records = read(tmp_path, entry(every=2))
    assert [(r.subject, r.row) for r in records] == [
        ("P093", 2), ("P093", 4), ("P093", 6), ("P109", 2), ("P109", 4), ("P109", 6),
    ]  # fmt: skip
    assert [r.frame for r in records[:3]] == [0, 2, 4]


def test_frames_without_a_value_are_marked(tmp_path: Path) -> None:
    segment(tmp_path, ["1,", "2,0.2", "3,NaN", "4,0.4"], ["1,0.1", "2,", "3,0.3", "5,0.5"])
    records = read(tmp_path, entry())
    assert [(r.video_idx[-1], r.note) for r in records] == [
        (f"{i}", f"no {('arousal', 'valence')[i % 2]}") for i in range(1, 6)
    ]
    assert {r.problem for r in records} == {Reason.MARKED_INVALID}
    assert all(r.valence is None and r.arousal is None for r in records)
    assert (records[4].table, records[4].row) == (f"{NAME}/{NAME}_Arousal_AV_Aligned.csv", 5)


def test_unreadable_and_conflicting_values(tmp_path: Path) -> None:
    segment(tmp_path, ["1,x", "2,0.2", "2,0.3", "f,0.1", "4,0.4"], ["1,0", "2,0", "f,0", "4,0"])
    records = read(tmp_path, entry())
    assert [(r.row, r.problem, r.note) for r in records] == [
        (2, Reason.BAD_VALUE, "valence is 'x', not a number"),
        (3, Reason.CONFLICTING_ROWS, "valence 0.2 and 0.3"),
        (5, Reason.BAD_VALUE, "frame_idx is 'f', not a whole number"),
        (6, None, ""),
    ]
    assert (records[2].frame, records[2].valence, records[3].frame) == (None, None, 3)


def test_a_folder_with_another_name(tmp_path: Path) -> None:
    segment(tmp_path, ["1,0.1"], ["1,0.1"], name="chat")
    (record,) = read(tmp_path, entry())
    assert (record.problem, record.subject, record.source) == (Reason.BAD_VALUE, "", "")
    assert record.note == "'chat' is not ..._culture_session_person_..."
    assert record.valence is None


def test_half_a_segment_and_two_tables_of_one_kind_are_refused(tmp_path: Path) -> None:
    for side in ["Valence", "Arousal"]:
        segment(tmp_path, ["1,0.1"], ["1,0.1"])
        (tmp_path / NAME / f"{NAME}_{side}_AV_Aligned.csv").unlink()
        with pytest.raises(UserError, match=rf"{NAME} has no \*_{side}_AV_Aligned"):
            read(tmp_path, entry())
    write(tmp_path / NAME / "again", "Valence", "1,0.2")
    with pytest.raises(UserError, match="are of one segment"):
        read(tmp_path, entry())


def test_no_annotations_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / f"{NAME}-Valence.zip").touch()
    with pytest.raises(UserError, match="Unpack the annotations"):
        read(tmp_path, entry())
    with pytest.raises(UserError, match="Put those of an AVEC challenge there"):
        read(tmp_path, entry(track="avec"))


HEADER = "name;timestamp;arousal;valence;liking"


def avec(root: Path, name: str, *lines: str) -> Path:
    (root / "labels").mkdir(exist_ok=True)
    (root / f"labels/{name}.csv").write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    return root


def test_avec_has_arousal_first(tmp_path: Path) -> None:
    cases: list[list[str]] = [[HEADER], []]
    lines = ["'Train_DE_01';0.0;0.5;-0.25;0.1", "'Train_DE_01';0.1;1;0;0"]
    for header in cases:
        avec(tmp_path, "Train_DE_01", *header, *lines)
        first, second = read(tmp_path, entry(track="avec"))
        assert first == Record(
            "labels/Train_DE_01.csv",
            1 + len(header),
            "Train_DE_01/0.0",
            "videos/Train_DE_01.mp4",
            source="Train_DE_01",
            about={"culture": "DE"},
            part="train",
            valence=-0.25,
            arousal=0.5,
            valence_raw=-0.25,
            arousal_raw=0.5,
            start=0.0,
            end=0.5,
        )
        assert (second.row, second.video_idx) == (2 + len(header), "Train_DE_01/0.1")
        assert (second.arousal, second.valence, second.end) == (1.0, 0.0, 0.6)
    avec(tmp_path, "Train_DE_01", "t;arousal;liking;valence", "2.5;0.5;0.1;-0.25")
    (record,) = read(tmp_path, entry(track="avec"))
    assert (record.arousal, record.valence, record.start) == (0.5, -0.25, 2.0)


def test_avec_parts_cultures_and_clips(tmp_path: Path) -> None:
    for name in ("Train_HU_34", "Devel_DE_02", "Test_01", "notes"):
        avec(tmp_path, name, f"{name};0.0;0;0;0")
    records = read(tmp_path, entry(track="avec", clips="video/{name}.avi"))
    assert [(r.source, r.part, r.about, r.file_path) for r in records] == [
        ("Devel_DE_02", "val", {"culture": "DE"}, "video/Devel_DE_02.avi"),
        ("Test_01", "test", None, "video/Test_01.avi"),
        ("Train_HU_34", "train", {"culture": "HU"}, "video/Train_HU_34.avi"),
    ]


def test_every_nth_label_of_avec(tmp_path: Path) -> None:
    avec(tmp_path, "Devel_DE_01", HEADER, *(f"n;{i / 10};0;0;0" for i in range(25)))
    records = read(tmp_path, entry(track="avec", every=10))
    assert [(r.row, r.start, r.end) for r in records] == [
        (2, 0.0, 0.5),
        (12, 0.5, 1.5),
        (22, 1.5, 2.5),
    ]


def test_avec_values_that_cannot_be_used(tmp_path: Path) -> None:
    avec(tmp_path, "Test_DE_01", HEADER, "n;0.0;;0;0", "n;0.1;0;x;0", "n;late;0;0;0", ";;;;")
    records = read(tmp_path, entry(track="avec"))
    assert [(r.problem, r.note, r.valence) for r in records] == [
        (Reason.MARKED_INVALID, "no arousal", None),
        (Reason.BAD_VALUE, "valence is 'x', not a number", None),
        (Reason.BAD_VALUE, "the time is 'late', not a number", None),
    ]


def test_avec_in_another_form_is_refused(tmp_path: Path) -> None:
    cases: list[tuple[list[str], str]] = [
        (["n;0.0;0.5;0.5"], r"Train_DE_01\.csv, row 1: .* has not the 5 fields"),
        ([HEADER, "n;0.0;0.5"], r"Train_DE_01\.csv .*row 2 has 3 fields"),
        (["name;time;arousal;liking", "n;0;0;0"], "column 'valence' is missing"),
        (["arousal;valence", "0;0"], "no times before its arousal"),
        ([], r"Train_DE_01\.csv is empty"),
    ]
    for lines, said in cases:
        with pytest.raises(UserError, match=said):
            read(avec(tmp_path, "Train_DE_01", *lines), entry(track="avec"))

"""IMDB-WIKI: a MATLAB structure of ages, sexes and names."""

import math
from pathlib import Path

import pytest

from corpora import entry_of, write
from facewave.errors import UserError
from facewave.labels.readers.imdb_wiki import read
from facewave.labels.records import Record
from facewave.labels.schema import Reason
from miniatures import imdb_mat

entry = entry_of("imdb_wiki")
MAT = "imdb_crop/imdb.mat"


def test_an_entry_of_each_field_is_a_picture(tmp_path: Path) -> None:
    write(tmp_path, MAT, imdb_mat("imdb", gender=[0.0, 1.0, math.nan], name=["Zoë", "", "B"]))
    records = read(tmp_path, entry())
    assert records[0] == Record(
        MAT,
        1,
        "imdb/00/nm0.jpg",
        "imdb_crop/00/nm0.jpg",
        subject="Zoë",
        scores={"age": 30.0, "face_score": 3.5},
        about={"sex": "female"},
    )
    assert [r.about for r in records] == [{"sex": "female"}, {"sex": "male"}, {}]
    assert [r.subject for r in records] == ["Zoë", "", "B"]
    assert [r.row for r in records] == [1, 2, 3]
    write(tmp_path, "wiki.mat", imdb_mat("wiki", gender=[1.0]))
    (record,) = read(tmp_path, entry(track="wiki"))
    assert (record.table, record.video_idx) == ("wiki.mat", "wiki/00/nm0.jpg")
    assert record.file_path == "00/nm0.jpg"
    record = read(tmp_path, entry(table=MAT, clips="x/{file}"))[2]
    assert record.file_path == "x/02/nm2.jpg"


def test_the_age_is_that_in_the_middle_of_the_year(tmp_path: Path) -> None:
    first_of_july = 719529.0 + 181  # 1970
    cases = [
        (first_of_july, 2000.0, 30.0),
        (first_of_july + 1, 2000.0, 29.0),
        (first_of_july + 0.75, 2000.0, 30.0),
        (first_of_july, 1969.0, None),
        (5.0, 2000.0, None),
        (math.nan, 2000.0, None),
        (first_of_july, 2091.0, None),
        (1e300, 2000.0, None),
    ]
    dob, taken, ages = (list(column) for column in zip(*cases, strict=True))
    write(tmp_path, MAT, imdb_mat("imdb", dob=dob, photo_taken=taken))
    assert [(r.scores or {}).get("age") for r in read(tmp_path, entry())] == ages


def test_pictures_without_a_face_or_the_name_of_a_file(tmp_path: Path) -> None:
    content = imdb_mat("imdb", face_score=[-math.inf, 1.0], full_path=["a.jpg", ""],
                       second_face_score=[1.5, math.nan])  # fmt: skip
    write(tmp_path, MAT, content)
    faceless, nameless = read(tmp_path, entry())
    assert (faceless.problem, faceless.note) == (Reason.MARKED_INVALID, "no face was found in it")
    assert faceless.scores == {"age": 30.0, "second_face_score": 1.5}
    assert (nameless.problem, nameless.note) == (Reason.BAD_VALUE, "no full_path")


def test_files_that_are_no_such_structure(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"imdb\.mat is not here\. Unpack imdb_crop\.tar"):
        read(tmp_path, entry())
    for content in (b"no matlab", imdb_mat("imdb", gender=["x"])):
        write(tmp_path, MAT, content)
        with pytest.raises(UserError, match=r"imdb\.mat is no structure 'imdb' of MATLAB") as told:
            read(tmp_path, entry())
        assert "\n" not in str(told.value)
    write(tmp_path, MAT, imdb_mat("imdb", gender=[0.0] * 4, dob=[1.0]))
    with pytest.raises(UserError, match=r"fields differ in length \(full_path 4, .*dob 1"):
        read(tmp_path, entry())

"""CASIA-WebFace: a folder is a person."""

from pathlib import Path

import pytest

from corpora import entry_of, write, write_pictures
from facewave.errors import UserError
from facewave.labels.readers.casia_webface import read
from facewave.labels.records import Record

entry = entry_of("casia_webface")


def test_a_folder_is_a_person(tmp_path: Path) -> None:
    write_pictures(tmp_path / "CASIA-WebFace/0000045", ["001.jpg", "002.PNG"], 1)
    write_pictures(tmp_path / "CASIA-WebFace/0000099", ["001.jpg"], 2)
    write_pictures(tmp_path, ["stray.jpg"], 3)
    write(tmp_path, "CASIA-WebFace/readme.txt", "x")
    records = read(tmp_path, entry())
    path = "CASIA-WebFace/0000045/001.jpg"
    assert records[0] == Record("", 0, path.removesuffix(".jpg"), path, subject="0000045")
    assert [r.subject for r in records] == ["0000045", "0000045", "0000099", ""]
    assert [r.word for r in records] == [""] * 4
    chosen = read(tmp_path, entry(clips="CASIA-WebFace/0000099/*"))
    assert [r.video_idx for r in chosen] == ["CASIA-WebFace/0000099/001"]


def test_packed_pictures_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no pictures \*\*/\*, such as CASIA-WebFace/"):
        read(tmp_path, entry())
    write(tmp_path, "faces_webface/train.rec", b"\x0a\x23\xd7\xce")
    with pytest.raises(UserError, match=r"faces_webface/train\.rec has .* packed for MXNet"):
        read(tmp_path, entry())

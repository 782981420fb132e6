"""Zip archives: unpacked below their folder, and refused as a whole where they mean harm."""

import stat
import zipfile
from pathlib import Path

import pytest

from facewave.app.fetch.unpack import unpack
from facewave.errors import UserError


def archive(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return path


def test_files_are_unpacked_below_the_folder(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("Actor_01/", b""), ("Actor_01/a.csv", b"1"), ("b", b"22"))
    folder = tmp_path / "deep/folder"
    assert unpack(path, folder, 100) == {"Actor_01/a.csv": 1, "b": 2}
    assert unpack(path, folder, 100, lambda name: name == "b") == {"b": 2}  # again does no harm
    assert sorted(file.name for file in folder.rglob("*")) == ["Actor_01", "a.csv", "b"]
    assert (folder / "b").read_bytes() == b"22"


def test_what_means_harm_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    link, device = zipfile.ZipInfo("link"), zipfile.ZipInfo("device")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    device.external_attr = (stat.S_IFCHR | 0o666) << 16
    good = ("good", b"good")
    for members, message in (
        ([("../out", b"x")], "leaves the folder"),
        ([("a/../../out", b"x")], "leaves the folder"),
        ([("/tmp/out", b"x")], "leaves the folder"),
        ([("C:/out", b"x")], "leaves the folder"),
        ([("..\\out", b"x")], "leaves the folder"),
        ([("a//b", b"x")], "leaves the folder"),
        ([("./a", b"x")], "leaves the folder"),
        ([(link, b"/etc/passwd")], "is a link or a device"),
        ([(device, b"")], "is a link or a device"),
        ([("bomb", bytes(5_000_000))], "'bomb' unpacks from .* to 5,000,000 bytes; no corpus does"),
        ([(f"{n}", bytes(1_000_000)) for n in range(11)], "12 files of 11,000,004 bytes, over"),
        ([("a.csv", b"x"), ("A.CSV", b"y")], "'A.CSV' and 'a.csv' have one place"),
        ([("a", b"x"), ("A/b", b"y")], "'a' and 'A/b' clash"),
    ):
        path = archive(tmp_path / "bad.zip", good, *members)
        folder = tmp_path / "folder"
        with pytest.raises(UserError, match=message):
            unpack(path, folder, 10_000_000)
        assert {file.name for file in tmp_path.iterdir()} == {"bad.zip"}, message


def test_duplicates_encryption_damage_and_lies_about_sizes(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(tmp_path / "twice.zip", ("a", b"x"), ("a", b"y"))
    whole = archive(tmp_path / "whole.zip", ("name", b"content" * 100)).read_bytes()
    directory = whole.index(b"PK\x01\x02")
    locked, lying, flipped = bytearray(whole), bytearray(whole), bytearray(whole)
    locked[directory + 8] |= 1
    lying[directory + 24] = 1  # says that it unpacks to fewer bytes than it does
    flipped[40] ^= 1
    for content, message in (
        (twice.read_bytes(), "'a' and 'a' have one place"),
        (bytes(locked), "'name' is encrypted"),
        (bytes(lying), "is damaged"),
        (bytes(flipped), "is damaged"),
        (whole[:-30], "is damaged"),
        (b"<html>Sorry</html>", r"is damaged .*Delete it and run again"),
    ):
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(UserError, match=message):
            unpack(tmp_path / "bad.zip", tmp_path / "folder", 10_000)
        assert not [file for file in tmp_path.glob("folder/*")], message

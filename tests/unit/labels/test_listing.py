"""Stage list: what of a corpus's folder counts, and what does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from facewave.errors import UserError
from facewave.labels import listing
from facewave.labels.readers import CORPORA
from facewave.params import Dataset
from facewave.pictures import TRACKS
from miniatures import MINIATURES

ENTRY: dict[str, Any] = {"reader": "dfew", "root": "raw", "about": "x", "table": "own [1].csv"}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "raw"
    for name in (
        "own [1].csv", "clips/1.MP4", "clips/1.srt", "clips/2/001.jpg", "clips/2.txt", "a/b/3.avi",
        "EmoLabel_DataSplit/train(single-labeled)/set_1.csv",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, "utf-8")
    return root


def listed(root: Path, follow_links: bool = False) -> list[str]:
    patterns = listing.label_files(ENTRY)
    return listing.listing(root, patterns, follow_links=follow_links).splitlines()


def test_clips_count_by_name_and_size_and_labels_by_their_bytes(corpus: Path) -> None:
    header, labels, clips = listed(corpus)
    assert header == "kind,files,bytes,sha256"
    assert labels.startswith("labels,4,")
    assert clips.startswith("clips,3,")
    for name in ("own [1].csv", "clips/1.srt", "clips/2.txt", "EmoLabel_DataSplit/x.csv"):
        content = "x" * len((corpus / name).read_bytes()) if (corpus / name).exists() else "x"
        (corpus / name).write_text(content, "utf-8")
        assert (labels, clips) != (labels := listed(corpus)[1], listed(corpus)[2]), name
        assert clips == listed(corpus)[2], name
    (corpus / "clips/1.MP4").write_text("other bytes"[: len("clips/1.MP4")], "utf-8")
    assert listed(corpus)[1:] == [labels, clips]
    changes: dict[str, Any] = {
        "another size": lambda: (corpus / "clips/1.MP4").write_text("longer than before", "utf-8"),
        "a new clip": lambda: (corpus / "clips/4.webm").touch(),
        "a new frame": lambda: (corpus / "clips/2/002.png").touch(),
        "another name": lambda: (corpus / "a/b/3.avi").rename(corpus / "a/b/4.avi"),
        "another folder": lambda: (corpus / "a/b").rename(corpus / "a/c"),
        "a clip less": lambda: (corpus / "a/c/4.avi").unlink(),
    }
    for change, make in changes.items():
        make()
        assert clips != (clips := listed(corpus)[2]), change
        assert listed(corpus)[1] == labels, change


def test_nothing_else_counts(corpus: Path, tmp_path: Path) -> None:
    before = listed(corpus)
    for name in ("note.txt", "clips/note.txt", "README.md", "other.csv", ".1.mp4", ".git/x.mp4"):
        (corpus / name).parent.mkdir(exist_ok=True)
        (corpus / name).write_text("a note", "utf-8")
    (corpus / "empty").mkdir()
    (corpus / "gone.mp4").symlink_to("nowhere.mp4")
    os.utime(corpus / "clips/1.MP4", (1, 1))
    shutil.copytree(corpus, tmp_path / "another place", symlinks=True)
    assert listed(corpus) == listed(tmp_path / "another place") == before


def test_links_are_followed_where_they_may_and_end(corpus: Path, tmp_path: Path) -> None:
    before = listed(corpus)
    for name in ("self", "again"):
        (corpus / name).symlink_to(".")
    (corpus / "loop.jpg").symlink_to("loop.jpg")
    assert listed(corpus) == before
    (corpus / "a").rename(tmp_path / "elsewhere")
    (corpus / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/b/loop").symlink_to(corpus)
    assert len(listed(corpus, follow_links=True)) == len(before)
    assert listed(corpus, follow_links=True) == before
    assert listed(corpus) != before


def test_every_reader_reads_what_counts(tmp_path: Path) -> None:
    assert set(listing.LABEL_FILES) == set(CORPORA) - {"union"}
    opened: set[str] = set()
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and str(arguments[0]).startswith(str(tmp_path)):
            opened.add(str(arguments[0]))

    sys.addaudithook(hook)
    for name, miniature in MINIATURES.items():
        root = tmp_path / name / "corpus"
        for path, content in miniature.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        entry: dict[str, Any] = {"root": str(root), "about": "x", **miniature.entry}
        opened.clear()
        CORPORA[str(entry["reader"])].read(root, Dataset(**entry))
        assert opened, name
        union: dict[str, Any] = {
            "reader": "union",
            "parts": [{**miniature.entry, "root": "corpus"}],
        }
        for where, given in ((root, entry), (root.parent, union)):
            labels = listing.listing(where, listing.label_files(given)).splitlines()[1]
            counted = int(labels.split(",")[1])
            assert counted >= len(opened), (name, where)
            for path in opened:
                Path(path).rename(path + " away")
            labels = listing.listing(where, listing.label_files(given)).splitlines()[1]
            assert int(labels.split(",")[1]) == counted - len(opened), (name, where)
            for path in opened:
                Path(path + " away").rename(path)
    watching = False


def write_params(project: Path, entry: object = ENTRY) -> None:
    (project / "params.yaml").write_text(f"datasets:\n  mine: {entry}\n", "utf-8")


def test_the_stage_writes_a_change_and_leaves_the_same_alone(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    written = tmp_path / "data/listing/mine.csv"
    listing.main("mine")
    assert written.read_text("utf-8").splitlines() == listed(corpus)
    os.utime(written, (1, 1))
    listing.main("mine")
    assert written.stat().st_mtime == 1
    (corpus / "5.mp4").touch()
    listing.main("mine")
    assert written.read_text("utf-8").splitlines() == listed(corpus)


def test_where_no_corpus_is_to_be_expected_the_listing_is_kept(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / ".dvc/tmp/exps/standalone/tmp1"
    for project, root in ((copy, corpus), (tmp_path / "pulled", Path("raw"))):
        written = project / "data/listing/mine.csv"
        written.parent.mkdir(parents=True)
        written.write_text("as it came", "utf-8")
        write_params(project, ENTRY | {"root": str(root)})
        monkeypatch.chdir(project)
        listing.main("mine")
        assert written.read_text("utf-8") == "as it came"
    written.unlink()
    with pytest.raises(UserError, match=r"raw is no folder\. Put the corpus there, or correct"):
        listing.main("mine")


def test_an_entry_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no readable entry datasets\.mine"):
        listing.main("mine")
    for entry in ("{reader: dfew}", "[", "{root: raw}", "5"):
        write_params(tmp_path, entry)
        with pytest.raises(UserError, match=r"no readable entry datasets\.mine"):
            listing.main("mine")


def test_it_starts_at_once() -> None:
    heavy = {"pandas", "numpy", "pydantic", "cv2", "torch"}
    program = f"import sys, facewave.labels.listing; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_tracks_are_clips_and_label_tables_beside_them_are_not(corpus: Path) -> None:
    for name in ("tracks/1.csv", "tracks/2.json", "tracks/3.parquet", "tracks/readme.md"):
        (corpus / name).parent.mkdir(exist_ok=True)
        (corpus / name).write_text(name, "utf-8")
    suffixes = (*listing.CLIPS, *TRACKS)
    lines = listing.listing(corpus, listing.label_files(ENTRY), suffixes).splitlines()
    assert lines[1].startswith("labels,4,")
    assert lines[2].startswith("clips,6,")
    assert listed(corpus)[2].startswith("clips,3,")

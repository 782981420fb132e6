"""Stage clean as people run it: a process in a project's folder with real clips."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from facewave.errors import UserError
from facewave.labels import __main__ as stage
from facewave.labels import schema
from facewave.labels.__main__ import opening_problem
from facewave.labels.dfew import VOTE_COLUMNS
from facewave.labels.schema import Reason

COMMITTED = Path(__file__).parents[2] / "params.yaml"
HEADER = [*VOTE_COLUMNS, "order", "label", "subject", "file_path"]
OUTPUTS = ("data/labels/demo.csv", "data/labels/demo.folds.json", "metrics/clean/demo.json")
GOOD = 30

Done = subprocess.CompletedProcess[str]


def make_clip(path: Path, shade: int, frames: int = 5) -> None:
    """A real mp4; another shade, other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    assert writer.isOpened()
    for t in range(frames):
        writer.write(np.full((48, 64, 3), (4 * shade + 10 * t) % 256, np.uint8))
    writer.release()


def row(order: int, label: int = 0, subject: str = "", path: str = "") -> list[str]:
    """A row of the table, all ten votes for its label; label 0 has none that leads."""
    votes = ["10" if i == label else "0" for i in range(1, len(VOTE_COLUMNS) + 1)]
    if not label:
        votes[:3] = "4", "2", "4"
    return [*votes, str(order), str(label), subject, path]


def write_table(project: Path, rows: list[list[str]], header: list[str] = HEADER) -> None:
    path = project / "data/raw/demo/annotation.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def clean(project: Path, dataset: str | None = "demo") -> Done:
    """Run the stage in a project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "facewave.labels", *([dataset] if dataset else [])],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def said(done: Done, code: int = 2) -> str:
    """The one sentence of a run that failed."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("facewave: ")
    return sentence


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A project with settings and nothing else."""
    shutil.copy(COMMITTED, tmp_path / "params.yaml")
    return tmp_path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good clips, 1.mp4 to 30.mp4."""
    folder = tmp_path_factory.mktemp("good")
    for i in range(1, GOOD + 1):
        make_clip(folder / f"{i}.mp4", i)
    return folder


def good_rows() -> list[list[str]]:
    return [row(i, 1 + i % 2, f"s{i // 3}") for i in range(1, GOOD + 1)]


@pytest.fixture
def good(bare: Path, clips: Path) -> Path:
    """A project of good clips only."""
    shutil.copytree(clips, bare / "data/raw/demo/clips")
    write_table(bare, good_rows())
    return bare


# What else can stand in a table: row -> the reason, and what its note tells.
ODD: dict[str, tuple[Reason | None, str]] = {
    "missing": (Reason.MISSING_FILE, "clips/31.mp4"),
    "zero bytes": (Reason.UNREADABLE_FILE, "0 bytes"),
    "no video": (Reason.UNREADABLE_FILE, "not a video, or its header is damaged or cut off"),
    "cut off": (Reason.UNREADABLE_FILE, "not a video, or its header is damaged or cut off"),
    "broken link": (Reason.MISSING_FILE, "clips/35.mp4"),
    "folder": (Reason.UNREADABLE_FILE, "not a file"),
    "copy of clip 1": (Reason.DUPLICATE_CLIP, "rows 2, 38"),
    "no single label": (Reason.NO_SINGLE_LABEL, "happy:4 neutral:4 sad:2"),
    "empty": (Reason.EMPTY_ROW, ""),
    "again clip 2": (Reason.DUPLICATE_ROW, "rows 3, 41"),
    "link to a clip": (None, ""),
    "unicode": (None, ""),
    "spaces": (None, ""),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> tuple[Path, Done]:
    """A project with everything that goes wrong, after its run."""
    project = tmp_path_factory.mktemp("odd")
    shutil.copy(COMMITTED, project / "params.yaml")
    folder = project / "data/raw/demo/clips"
    shutil.copytree(clips, folder)
    (folder / "32.mp4").touch()
    (folder / "33.mp4").write_text("no video " * 50, "utf-8")
    whole = (clips / "3.mp4").read_bytes()
    (folder / "34.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "35.mp4").symlink_to("gone.mp4")
    (folder / "36.mp4").mkdir()
    shutil.copy(clips / "1.mp4", folder / "37.mp4")
    make_clip(folder / "38.mp4", 38)
    make_clip(folder / "elsewhere/41.mp4", 41)
    (folder / "41.mp4").symlink_to("elsewhere/41.mp4")
    make_clip(folder / "größe 表情.mp4", 42)
    make_clip(folder / "a, b's 100%.mp4", 43)
    write_table(
        project,
        [
            *good_rows(),
            row(31, 1, "s1"),
            row(32, 1, "s1"),
            row(33, 1, "s1"),
            row(34, 1, "s1"),
            row(35, 1, "s1"),
            row(36, 1, "s1"),
            row(37, 2, "s9"),
            row(38, 0),
            [""] * len(HEADER),
            row(2, 1, "s0"),
            row(41, 1, "s1"),
            row(42, 1, "s1", "clips/größe 表情.mp4"),
            row(43, 1, "s1", "clips/a, b's 100%.mp4"),
        ],
    )
    return project, clean(project)


def read_odd(odd: tuple[Path, Done]) -> pd.DataFrame:
    return schema.read(odd[0] / OUTPUTS[0])


def test_it_ends_well_and_tells_every_row_it_leaves_out(
    odd: tuple[Path, Done],
) -> None:
    project, done = odd
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    out = [reason for reason, _ in ODD.values() if reason]
    assert lines[0] == f"demo: {GOOD + len(ODD)} rows, {GOOD + 3} kept, {len(out)} left out"
    assert len(lines) == 1 + len(out)
    for line, reason in zip(lines[1:], out, strict=True):
        assert f": {reason}" in line
    assert all((project / path).is_file() for path in OUTPUTS)


def test_every_row_is_in_the_table_with_its_place(
    odd: tuple[Path, Done],
) -> None:
    table = read_odd(odd)
    assert tuple(table.columns) == schema.COLUMNS
    assert table["row"].tolist() == list(range(2, GOOD + len(ODD) + 2))
    assert set(table["dataset"]) == {"demo"}
    kept = schema.single_label(table)
    assert kept["video_idx"].is_unique
    assert kept["fold"].between(1, 5).all()
    assert kept["split"].isin(["train", "val", "test"]).all()
    left = table[table["excluded"] != ""]
    assert left["fold"].isna().all()
    assert set(left["split"]) == {""}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_has_its_reason(odd: tuple[Path, Done], name: str) -> None:
    reason, note = ODD[name]
    found = read_odd(odd).iloc[GOOD + list(ODD).index(name)]
    assert found["excluded"] == (reason or "")
    assert note in found["note"]


def test_words_and_paths_are_those_of_the_corpus(
    odd: tuple[Path, Done],
) -> None:
    table = read_odd(odd).set_index("video_idx")
    assert table.loc["3", "actual"] == "sad"
    assert table.loc["3", "label"] == 1
    assert json.loads(table.loc["3", "votes"])["sad"] == 10
    assert table.loc["3", "file_path"] == "clips/3.mp4"
    assert table.loc["42", "file_path"] == "clips/größe 表情.mp4"


def test_the_counts_are_those_of_the_table(
    odd: tuple[Path, Done],
) -> None:
    table = read_odd(odd)
    counts = json.loads((odd[0] / OUTPUTS[2]).read_text("utf-8"))
    assert counts["rows"] == len(table)
    assert counts["kept"] == (table["excluded"] == "").sum()
    assert counts["reasons"]["unreadable file"] == {"count": 4, "rows": "33, 34, 35, 37"}
    assert sum(counts["folds"].values()) == counts["kept"]


def test_the_table_survives_reading_and_writing(odd: tuple[Path, Done], tmp_path: Path) -> None:
    again = tmp_path / "again.csv"
    schema.write(again, read_odd(odd))
    assert again.read_bytes() == (odd[0] / OUTPUTS[0]).read_bytes()


def test_a_second_run_writes_the_same_bytes_and_touches_no_raw_file(
    odd: tuple[Path, Done],
) -> None:
    def raw() -> list[tuple[str, int]]:
        files = sorted((odd[0] / "data/raw").rglob("*"))
        return [(str(path), path.lstat().st_mtime_ns) for path in files]

    written = [(odd[0] / path).read_bytes() for path in OUTPUTS]
    before = raw()
    assert clean(odd[0]).returncode == 0
    assert [(odd[0] / path).read_bytes() for path in OUTPUTS] == written
    assert raw() == before


def test_a_path_that_leaves_the_folder_ends_with_2(bare: Path) -> None:
    write_table(bare, [row(1, 1), row(2, 1, path="../secret.mp4")])
    sentence = said(clean(bare))
    assert "annotation.csv, row 3: the path '../secret.mp4' leaves" in sentence
    assert not (bare / "data/labels").exists()


def test_a_missing_column_ends_with_2(bare: Path) -> None:
    write_table(bare, [row(1, 1)], ["x" if name == "order" else name for name in HEADER])
    assert "data/raw/demo/annotation.csv: column 'order' is missing" in said(clean(bare))


def test_without_a_dataset_it_says_how_to_call_it(bare: Path) -> None:
    done = clean(bare, dataset=None)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "demo" in done.stderr or "DATASET" in done.stderr


# The rest in this process, where it takes no seconds to start.


def run_here(monkeypatch: pytest.MonkeyPatch, project: Path, name: str = "demo") -> pd.DataFrame:
    monkeypatch.chdir(project)
    stage.main(name)
    return schema.read(Path(OUTPUTS[0]))


def refusal(monkeypatch: pytest.MonkeyPatch, project: Path, name: str = "demo") -> str:
    with pytest.raises(UserError) as caught:
        run_here(monkeypatch, project, name)
    assert not (project / OUTPUTS[0]).exists()
    return str(caught.value)


@pytest.mark.parametrize("path", ["clips/../../x.mp4", "/etc/passwd", "..\\x.mp4"])
def test_a_path_that_leaves_the_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, bare: Path, path: str
) -> None:
    write_table(bare, [row(1, 1), row(2, 1, path=path)])
    sentence = refusal(monkeypatch, bare)
    assert f"data/raw/demo/annotation.csv, row 3: the path {path!r} leaves" in sentence


def test_a_missing_table_is_named(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    assert "data/raw/demo/annotation.csv is not here." in refusal(monkeypatch, bare)


def test_an_unknown_dataset_is_named(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    sentence = refusal(monkeypatch, bare, "dmeo")
    assert "there is no dataset 'dmeo'; datasets has demo." in sentence


def test_outside_a_project_it_says_where_to_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "params.yaml is not here." in refusal(monkeypatch, tmp_path)


def test_too_few_clips_are_refused(monkeypatch: pytest.MonkeyPatch, good: Path) -> None:
    write_table(good, good_rows()[:2])
    assert "cannot fill 5 parts" in refusal(monkeypatch, good)


def test_a_clip_that_is_added_moves_no_other(monkeypatch: pytest.MonkeyPatch, good: Path) -> None:
    first = run_here(monkeypatch, good)
    make_clip(good / "data/raw/demo/clips/99.mp4", 45)
    write_table(good, [row(99, 1, "new"), *good_rows()])
    second = run_here(monkeypatch, good)
    assert second["video_idx"][0] == "99"
    for part in ("fold", "split"):
        assert second[part].tolist()[1:] == first[part].tolist()


def test_where_no_clip_is_found_the_missing_files_are_told(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    write_table(bare, good_rows())
    assert "missing file" in refusal(monkeypatch, bare)


def test_two_folders_named_like_clips_are_rows_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    write_table(good, [*good_rows(), row(31, 1, "s1"), row(32, 1, "s1")])
    for name in ("31.mp4", "32.mp4"):
        (good / "data/raw/demo/clips" / name).mkdir()
    notes = run_here(monkeypatch, good)["note"].tolist()
    assert notes[-2:] == ["clips/31.mp4: not a file", "clips/32.mp4: not a file"]


def test_one_file_under_two_numbers_counts_once(
    monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    make_clip(good / "data/raw/demo/clips/long.mp4", 40, frames=20)  # no other has its size
    rows = [row(31, 1, "s1", "clips/long.mp4"), row(32, 1, "s2", "clips/long.mp4")]
    write_table(good, [*good_rows(), *rows])
    reasons = run_here(monkeypatch, good)["excluded"].tolist()
    assert reasons[-2:] == ["", Reason.DUPLICATE_CLIP]


def test_a_playlist_of_a_file_outside_is_no_clip(tmp_path: Path) -> None:
    make_clip(tmp_path / "outside.mp4", 1)
    playlist = tmp_path / "demo/clips/1.m3u8"
    playlist.parent.mkdir(parents=True)
    segment = f"#EXTINF:1,\n{tmp_path / 'outside.mp4'}\n"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segment}#EXT-X-ENDLIST\n", "utf-8")
    assert opening_problem(playlist)

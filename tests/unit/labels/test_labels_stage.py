"""Stage clean in a project's folder with real clips."""

import contextlib
import csv
import io
import json
import shutil
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from facewave.errors import UserError, explain
from facewave.labels import __main__ as stage
from facewave.labels import schema
from facewave.labels.readers.dfew import VOTE_COLUMNS, WORDS
from facewave.labels.schema import Reason

COMMITTED = Path(__file__).parents[3] / "params.yaml"
HEADER = [*VOTE_COLUMNS, "order", "label", "subject", "file_path"]
OUTPUTS = (
    "data/labels/demo.csv",
    "data/labels/demo.words.json",
    "data/labels/demo.folds.json",
    "metrics/clean/demo.json",
    "metrics/clean/demo.png",
)
TABLE, WORD_LIST, FOLDS, REPORT, PICTURE = OUTPUTS
ROOT = "data/raw/demo"
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


def make_pictures(folder: Path, names: list[str], shade: int) -> None:
    """Real pictures, all of the folder alike; another shade, other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        assert cv2.imwrite(str(folder / name), np.full((8, 8, 3), shade, np.uint8))


def write_params(project: Path, entry: dict[str, Any] | None = None, **labels: Any) -> None:
    """The committed settings with some changes of the demo's entry and of stage clean."""
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(COMMITTED.read_text("utf-8"))
    demo = entry or content["datasets"]["demo"]
    content["datasets"] = {"demo": {"root": ROOT, "about": "tiny clips of a test"} | demo}
    content["labels"] |= labels
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def row(order: int, label: int = 0, subject: str = "", path: str = "") -> list[str]:
    """A row of the table, all ten votes for its label; label 0 has none that leads."""
    votes = ["10" if i == label else "0" for i in range(1, len(VOTE_COLUMNS) + 1)]
    if not label:
        votes[:3] = "4", "2", "4"
    return [*votes, str(order), str(label), subject, path]


def write_table(project: Path, rows: list[list[str]], header: list[str] = HEADER) -> None:
    path = project / ROOT / "annotation.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def clean(project: Path) -> Done:
    """Run the stage in a project's folder."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.chdir(project), redirect_stdout(out), redirect_stderr(err):
        try:
            explain(lambda: stage.main("demo"))
        except SystemExit as stop:
            code = int(str(stop.code))
    return Done([], code, out.getvalue(), err.getvalue())


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
    "folder": (Reason.UNREADABLE_FILE, "a folder without pictures"),
    "copy of clip 1": (Reason.DUPLICATE_CLIP, "the same bytes as clips/1.mp4, clips/37.mp4"),
    "no single label": (Reason.NO_SINGLE_LABEL, "happy:4 neutral:4 sad:2"),
    "empty": (Reason.EMPTY_ROW, ""),
    "again clip 2": (Reason.DUPLICATE_ROW, "rows annotation.csv:3, annotation.csv:41"),
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
    return schema.read(odd[0] / TABLE)


def test_it_ends_well_and_tells_every_row_it_leaves_out(odd: tuple[Path, Done]) -> None:
    project, done = odd
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    out = [reason for reason, _ in ODD.values() if reason]
    assert lines[0] == f"demo: {GOOD + len(ODD)} rows, {GOOD + 3} kept, {len(out)} left out"
    assert len(lines) == 1 + len(out)
    for line, reason in zip(lines[1:], out, strict=True):
        assert line.startswith("  annotation.csv:")
        assert f": {reason}" in line
    assert all((project / path).is_file() for path in OUTPUTS)


def test_every_row_is_in_the_table_with_its_place(odd: tuple[Path, Done]) -> None:
    table = read_odd(odd)
    assert tuple(table.columns) == schema.COLUMNS
    assert table["row"].tolist() == list(range(2, GOOD + len(ODD) + 2))
    assert set(table["table"]) == {"annotation.csv"}
    assert set(table["dataset"]) == {"demo"}
    kept = schema.single_label(table)
    assert kept["video_idx"].is_unique
    assert kept["fold"].between(1, 5).all()
    assert kept["split"].isin(["train", "val", "test"]).all()
    assert kept["rank"].between(0, 1, inclusive="left").all()
    assert kept["rank"].is_unique
    left = table[table["excluded"] != ""]
    assert left[["fold", "rank"]].isna().all(axis=None)
    assert set(left["split"]) == {""}


def test_what_is_odd_has_its_reason(odd: tuple[Path, Done]) -> None:
    for name in ODD:
        reason, note = ODD[name]
        found = read_odd(odd).iloc[GOOD + list(ODD).index(name)]
        assert found["excluded"] == (reason or "")
        assert note in found["note"]


def test_words_and_paths_are_those_of_the_corpus(odd: tuple[Path, Done]) -> None:
    table = read_odd(odd).set_index("video_idx")
    assert table.loc["3", "actual"] == "sad"
    assert table.loc["3", "label"] == 1
    assert json.loads(table.loc["3", "votes"])["sad"] == 10
    assert schema.read_words(odd[0] / TABLE) == WORDS
    assert table.loc["3", "file_path"] == "clips/3.mp4"
    assert table.loc["42", "file_path"] == "clips/größe 表情.mp4"


def test_the_counts_are_those_of_the_table(odd: tuple[Path, Done]) -> None:
    table = read_odd(odd)
    counts = json.loads((odd[0] / REPORT).read_text("utf-8"))
    assert counts["rows"] == len(table)
    assert counts["kept"] == (table["excluded"] == "").sum()
    assert counts["reasons"]["unreadable file"] == {
        "count": 4,
        "rows": "annotation.csv: 33, 34, 35, 37",
    }
    assert counts["classes"] == {"happy": 18, "sad": 15}
    assert sum(counts["folds"].values()) == sum(counts["split"].values()) == counts["kept"]
    assert "affect" not in counts


def test_the_table_survives_reading_and_writing(odd: tuple[Path, Done], tmp_path: Path) -> None:
    again = tmp_path / "again.csv"
    schema.write(again, read_odd(odd), schema.read_words(odd[0] / TABLE))
    assert again.read_bytes() == (odd[0] / TABLE).read_bytes()
    assert (tmp_path / "again.words.json").read_bytes() == (odd[0] / WORD_LIST).read_bytes()


def test_a_second_run_writes_the_same_bytes_and_touches_no_raw_file(odd: tuple[Path, Done]) -> None:
    def raw() -> list[tuple[str, int]]:
        files = sorted((odd[0] / "data/raw").rglob("*"))
        return [(str(path), path.lstat().st_mtime_ns) for path in files]

    written = [(odd[0] / path).read_bytes() for path in OUTPUTS]
    before = raw()
    assert clean(odd[0]).returncode == 0
    assert [(odd[0] / path).read_bytes() for path in OUTPUTS] == written
    assert raw() == before


def test_a_missing_column_ends_with_2(bare: Path) -> None:
    write_table(bare, [row(1, 1)], ["x" if name == "order" else name for name in HEADER])
    assert "data/raw/demo/annotation.csv: column 'order' is missing" in said(clean(bare))


def run_here(monkeypatch: pytest.MonkeyPatch, project: Path, name: str = "demo") -> pd.DataFrame:
    monkeypatch.chdir(project)
    stage.main(name)
    return schema.read(Path(TABLE))


def refusal(monkeypatch: pytest.MonkeyPatch, project: Path, name: str = "demo") -> str:
    with pytest.raises(UserError) as caught:
        run_here(monkeypatch, project, name)
    assert not (project / TABLE).exists()
    return str(caught.value)


def test_a_path_that_leaves_the_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    for path in ["clips/../../x.mp4", "/etc/passwd", "..\\x.mp4"]:
        write_table(bare, [row(1, 1), row(2, 1, path=path)])
        sentence = refusal(monkeypatch, bare)
        assert f"annotation.csv:3: the path {path!r} leaves" in sentence


def test_an_unknown_dataset_is_named(monkeypatch: pytest.MonkeyPatch, bare: Path) -> None:
    sentence = refusal(monkeypatch, bare, "dmeo")
    assert "there is no dataset 'dmeo'; datasets has demo." in sentence


def test_outside_a_project_it_says_where_to_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "params.yaml is not here." in refusal(monkeypatch, tmp_path)


def test_too_few_clips_are_refused(monkeypatch: pytest.MonkeyPatch, good: Path) -> None:
    write_table(good, good_rows()[:2])
    assert "1 subjects cannot fill 3 parts" in refusal(monkeypatch, good)


def test_a_clip_that_is_added_moves_no_other(monkeypatch: pytest.MonkeyPatch, good: Path) -> None:
    first = run_here(monkeypatch, good)
    make_clip(good / "data/raw/demo/clips/99.mp4", 45)
    write_table(good, [row(99, 1, "new"), *good_rows()])
    second = run_here(monkeypatch, good)
    assert second["video_idx"][0] == "99"
    for part in ("fold", "split"):
        assert second[part].tolist()[1:] == first[part].tolist()


def test_a_dataset_may_have_its_own_number_of_folds(
    monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    demo = YAML(typ="safe", pure=True).load(COMMITTED.read_text("utf-8"))["datasets"]["demo"]
    write_params(good, demo | {"folds": 3}, folds=4)
    assert set(run_here(monkeypatch, good)["fold"]) == {1, 2, 3}
    write_params(good, demo, folds=4)
    assert set(run_here(monkeypatch, good)["fold"]) == {1, 2, 3, 4}


def test_where_no_clip_is_found_the_missing_files_are_told(
    monkeypatch: pytest.MonkeyPatch, bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(bare, good_rows())
    sentence = refusal(monkeypatch, bare)
    assert "The first row, annotation.csv:2, is left out: missing file (clips/1.mp4)" in sentence
    assert capsys.readouterr().out.startswith("demo: 30 rows, 0 kept, 30 left out\n  30 x missing")


def test_two_folders_named_like_clips_are_rows_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    write_table(good, [*good_rows(), row(31, 1, "s1"), row(32, 1, "s1")])
    for name in ("31.mp4", "32.mp4"):
        (good / "data/raw/demo/clips" / name).mkdir()
    notes = run_here(monkeypatch, good)["note"].tolist()
    assert notes[-2:] == [
        "clips/31.mp4: a folder without pictures",
        "clips/32.mp4: a folder without pictures",
    ]


def test_one_file_under_two_numbers_counts_once(
    monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    make_clip(good / "data/raw/demo/clips/long.mp4", 40, frames=20)  # no other has its size
    rows = [row(31, 1, "s1", "clips/long.mp4"), row(32, 1, "s2", "clips/long.mp4")]
    write_table(good, [*good_rows(), *rows])
    reasons = run_here(monkeypatch, good)["excluded"].tolist()
    assert reasons[-2:] == ["", Reason.DUPLICATE_CLIP]


def test_of_many_rows_that_are_left_out_each_reason_is_told_once(
    monkeypatch: pytest.MonkeyPatch, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = [row(i, 1, "s1") for i in range(50, 71)]
    write_table(good, [*good_rows(), *gone, row(71), row(72)])
    run_here(monkeypatch, good)
    assert capsys.readouterr().out.splitlines() == [
        "demo: 53 rows, 30 kept, 23 left out",
        "  23 x missing file, the first: annotation.csv:32 (clips/50.mp4)",
    ]


# labels.on_problem: fail.


def test_a_problem_stops_a_run_that_shall_fail_once_all_is_written(good: Path) -> None:
    (good / ROOT / "clips/31.mp4").touch()
    write_table(good, [*good_rows(), row(31, 1, "s1"), row(32, 1, "s1")])
    write_params(good, on_problem="fail")
    done = clean(good)
    assert said(done) == (
        "facewave: demo: 2 rows have problems, and labels.on_problem is fail. They are listed "
        "above and in metrics/clean/demo.json; correct them, or set it to exclude."
    )
    assert done.stdout.splitlines()[1:] == [
        "  annotation.csv:32: unreadable file (clips/31.mp4: 0 bytes)",
        "  annotation.csv:33: missing file (clips/32.mp4)",
    ]
    assert all((good / path).is_file() for path in OUTPUTS)
    assert len(schema.read(good / TABLE)) == GOOD + 2
    reasons = json.loads((good / REPORT).read_text("utf-8"))["reasons"]
    assert reasons["missing file"] == {"count": 1, "rows": "annotation.csv: 33"}


def test_what_the_corpus_itself_leaves_out_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    make_clip(good / ROOT / "clips/31.mp4", 31)
    make_clip(good / ROOT / "clips/32.mp4", 32)
    six_of_ten = row(32, 1, "s1")
    six_of_ten[:2] = "6", "4"
    write_table(good, [*good_rows(), row(31), six_of_ten])
    write_params(good, on_problem="fail", min_agreement=0.7)
    assert run_here(monkeypatch, good)["excluded"].tolist()[GOOD:] == [
        Reason.NO_SINGLE_LABEL,
        Reason.LOW_AGREEMENT,
    ]


def test_a_clip_in_no_official_part_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, good: Path
) -> None:
    header = [*HEADER, "fold"]
    rows = [[*cells, str(i % 5 + 1)] for i, cells in enumerate(good_rows())]
    rows[7][-1] = ""
    write_table(good, [[*cells[:-3], "", *cells[-2:]] for cells in rows], header)
    write_params(good, on_problem="fail")
    table = run_here(monkeypatch, good)
    assert table["excluded"].tolist()[7] == Reason.NO_OFFICIAL_PART
    kept = schema.single_label(table)
    assert kept["fold"].tolist() == [i % 5 + 1 for i in range(GOOD) if i != 7]
    assert kept["validation"].sum() == 3


# Other corpora, at their smallest.


def write_ferv39k(project: Path) -> None:
    """Folders of pictures in an official split: 40 clips of two words train, 10 are tested."""
    for part, numbers in (("train", range(40)), ("test", range(40, 50))):
        clips = [f"Action/{('Sad', 'Happy')[i % 2]}/{i:04}" for i in numbers]
        for clip, i in zip(clips, numbers, strict=True):
            make_pictures(project / ROOT / "2_ClipsforFaceCrop" / clip, ["0.png", "1.png"], 5 * i)
        lines = "".join(f"{clip} {clip.split('/')[1]}\n" for clip in clips)
        path = project / ROOT / f"4_setups/All_scenes/{part}_All.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines, "utf-8")
    write_params(project, {"reader": "ferv39k"}, on_problem="fail")


def test_clips_that_are_folders_of_pictures_are_cleaned_too(bare: Path) -> None:
    write_ferv39k(bare)
    done = clean(bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "demo: 50 rows, 50 kept, 0 left out\n"
    assert all((bare / path).is_file() for path in OUTPUTS)
    table = schema.read(bare / TABLE)
    assert table["split"].value_counts().to_dict() == {"train": 36, "val": 4, "test": 10}
    assert (table["split"] == "test").tolist() == [False] * 40 + [True] * 10
    assert table["fold"].isna().all()
    first = table.iloc[0]
    assert first["file_path"] == "2_ClipsforFaceCrop/Action/Sad/0000"
    assert (first["video_idx"], first["scene"]) == ("Action/Sad/0000", "Action")
    assert (first["actual"], first["label"]) == ("Sad", 5)
    assert (first["table"], first["row"]) == ("4_setups/All_scenes/train_All.csv", 1)


def test_folders_without_pictures_with_broken_or_with_the_same_ones_are_rows_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    write_ferv39k(bare)
    write_params(bare, {"reader": "ferv39k"})
    folder = bare / ROOT / "2_ClipsforFaceCrop/Action"
    shutil.rmtree(folder / "Sad/0000")
    for picture in (folder / "Happy/0001").iterdir():
        picture.unlink()
    for picture in (folder / "Sad/0002").iterdir():
        picture.write_text("no picture", "utf-8")
    shutil.rmtree(folder / "Happy/0003")
    shutil.copytree(folder / "Happy/0041", folder / "Happy/0003")  # in training and test
    table = run_here(monkeypatch, bare)
    assert table["excluded"].tolist()[:5] == [
        Reason.MISSING_FILE,
        Reason.UNREADABLE_FILE,
        Reason.UNREADABLE_FILE,
        Reason.DUPLICATE_CLIP,
        "",
    ]
    assert table["excluded"].tolist()[41] == ""  # of the two, the one that is tested stays


def write_afew_va(project: Path, clips: int = 24, frames: int = 3) -> None:
    """Pictures with valence and arousal, a third of the clips in the same film as another."""
    corners = [(-5, 4), (6, 2), (3, -7), (-2, -3)]
    for i in range(1, clips + 1):
        folder = project / ROOT / f"{i:03}"
        names = [f"{t:05}" for t in range(frames)]
        make_pictures(folder, [f"{name}.png" for name in names], 10 * i)
        valence, arousal = corners[i % 4]
        labels = {name: {"valence": valence, "arousal": arousal} for name in names}
        content = {"actor": f"actor {i // 2}", "video_id": f"{i:03}", "frames": labels}
        (folder / f"{i:03}.json").write_text(json.dumps(content), "utf-8")
    write_params(project, {"reader": "afew_va"}, on_problem="fail")


def test_a_corpus_of_numbers_alone_is_cleaned_too(bare: Path) -> None:
    write_afew_va(bare)
    done = clean(bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "demo: 72 rows, 72 kept, 0 left out\n"
    table = schema.read(bare / TABLE)
    assert schema.read_words(bare / TABLE) == ()
    assert table["label"].isna().all()
    first = table.iloc[0]
    assert (first["video_idx"], first["file_path"]) == ("001/00000", "001")
    assert (first["valence"], first["arousal"]) == (0.6, 0.2)
    assert (first["valence_raw"], first["quadrant"]) == (6, "positive aroused")
    assert (first["start"], first["end"]) == (0, 1)
    assert (table.groupby("subject")[["fold", "split"]].nunique() == 1).all(axis=None)
    assert (table.groupby("source")[["fold", "split"]].nunique() == 1).all(axis=None)
    assert sorted(table["fold"].unique()) == [1, 2, 3, 4, 5]
    assert set(table["split"]) == {"train", "val", "test"}


def test_of_numbers_the_report_tells_quadrants_and_bins(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    write_afew_va(bare)
    run_here(monkeypatch, bare)
    affect = json.loads((bare / REPORT).read_text("utf-8"))["affect"]
    assert affect["quadrants"] == {
        "positive aroused": 18,
        "negative aroused": 18,
        "negative calm": 18,
        "positive calm": 18,
    }
    assert affect["on_an_axis"] == 0
    valence = [0] * 20
    valence[5] = valence[8] = valence[13] = valence[16] = 18  # -0.5, -0.2, 0.3, 0.6
    assert affect["valence"]["bins"] == valence
    weights = affect["valence"]["train_weights"]
    assert [weight > 0 for weight in weights] == [count > 0 for count in valence]


def test_of_numbers_there_is_the_picture_of_their_plane(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    write_afew_va(bare)
    run_here(monkeypatch, bare)
    picture = cv2.imread(str(bare / PICTURE))
    assert picture is not None
    dark_violet_or_yellow = [(84, 1, 68), (37, 231, 253)]  # the ends of viridis, BGR
    near = [np.abs(picture.astype(int) - bgr).max(axis=2) <= 3 for bgr in dark_violet_or_yellow]
    assert np.logical_or(*near).sum() > 20


def test_a_frame_without_its_picture_is_told_by_the_clip_s_name_and_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_afew_va(bare)
    (bare / ROOT / "004/00001.png").unlink()
    table = run_here(monkeypatch, bare)
    assert "  004/00001: no picture (no picture 00001)" in capsys.readouterr().out
    assert table["excluded"].tolist()[10] == Reason.NO_PICTURE
    reasons = json.loads((bare / REPORT).read_text("utf-8"))["reasons"]
    assert reasons == {"no picture": {"count": 1, "rows": "004/004.json: 004/00001"}}


# Tables of one's own.

OWN: dict[str, Any] = {
    "reader": "table",
    "table": "own.csv",
    "words": ["calm", "tense"],
    "columns": {"file_path": "clip", "actual": "word", "subject": "who", "split": "part"},
}


def write_own(project: Path, clips: Path, rows: list[str], header: str) -> None:
    shutil.copytree(clips, project / ROOT)
    (project / ROOT / "own.csv").write_text("\n".join([header, *rows]) + "\n", "utf-8")


def test_an_official_split_that_leaks_is_refused_until_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch, bare: Path, clips: Path
) -> None:
    people = [f"p{i // 2}" for i in range(GOOD)]
    rows = [
        f"{i + 1}.mp4,{('calm', 'tense')[i % 2]},{people[i]},{'test' if i == 7 else 'train'}"
        for i in range(GOOD)
    ]
    write_own(bare, clips, rows, "clip,word,who,part")
    write_params(bare, OWN)
    sentence = refusal(monkeypatch, bare)
    assert " and test share 1 subjects (p3). " in sentence
    assert "set official: false" in sentence
    write_params(bare, OWN | {"official": False})
    table = run_here(monkeypatch, bare)
    assert (table.groupby("subject")[["fold", "split"]].nunique() == 1).all(axis=None)
    assert sorted(table["fold"].unique()) == [1, 2, 3, 4, 5]


def test_parts_of_one_file_stay_together_though_nobody_is_named(
    monkeypatch: pytest.MonkeyPatch, bare: Path, clips: Path
) -> None:
    rows = [
        f"{i // 3 + 1}-{i % 3},{i // 3 + 1}.mp4,{('calm', 'tense')[i % 2]},{i % 3},{i % 3 + 1}"
        for i in range(3 * GOOD)
    ]
    write_own(bare, clips, rows, "name,clip,word,from,to")
    columns = {"video_idx": "name", "file_path": "clip", "actual": "word"}
    columns |= {"start": "from", "end": "to"}
    write_params(bare, OWN | {"columns": columns})
    table = run_here(monkeypatch, bare)
    assert (table["excluded"] == "").all()
    assert (table.groupby("file_path")[["fold", "split"]].nunique() == 1).all(axis=None)

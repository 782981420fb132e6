"""Stage clean in a project's folder with real clips."""

import contextlib
import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from corpora import UNITS, write_clip, write_numbers, write_pictures
from facewave.errors import UserError
from facewave.labels import __main__ as stage
from facewave.labels import schema
from facewave.labels.readers.dfew import VOTE_COLUMNS, WORDS
from facewave.labels.schema import Reason
from facewave.targets import available

COMMITTED = Path(__file__).parents[3] / "params.yaml"
DEMO = YAML(typ="safe", pure=True).load(COMMITTED.read_text("utf-8"))["datasets"]["demo"]
DEMO.pop("more")  # these tests have tables of their own
HEADER = [*VOTE_COLUMNS, "order", "label", "subject", "file_path"]
TABLE, REPORT = "data/labels/demo.csv", "metrics/clean/demo.json"
OUTPUTS = (
    TABLE,
    "data/labels/demo.frames.parquet",
    "data/labels/demo.words.json",
    "data/labels/demo.folds.json",
    REPORT,
    "metrics/clean/demo.png",
)
ROOT = "data/raw/demo"
GOOD = 30


def write_params(project: Path, entry: dict[str, Any] | None = None, **labels: Any) -> None:
    """The committed settings with changes of the demo's entry and of stage clean."""
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(COMMITTED.read_text("utf-8"))
    content["datasets"] = {"demo": {"root": ROOT, "about": "clips of a test"} | (entry or DEMO)}
    content["labels"] |= labels
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def row(order: int, label: int = 0, subject: str = "s1", path: str = "") -> list[str]:
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


def run(project: Path) -> tuple[pd.DataFrame, list[str]]:
    """The label table that the stage writes, and the lines that it prints."""
    out = io.StringIO()
    with contextlib.chdir(project), contextlib.redirect_stdout(out):
        stage.main("demo")
    return schema.read(project / TABLE), out.getvalue().splitlines()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A project with settings and nothing else."""
    write_params(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good clips, 1.mp4 to 30.mp4."""
    folder = tmp_path_factory.mktemp("good")
    for i in range(1, GOOD + 1):
        write_clip(folder / f"{i}.mp4", i)
    return folder


def good_rows() -> list[list[str]]:
    return [row(i, 1 + i % 2, f"s{i // 3}") for i in range(1, GOOD + 1)]


@pytest.fixture
def good(bare: Path, clips: Path) -> Path:
    """A project of good clips only."""
    shutil.copytree(clips, bare / ROOT / "clips")
    write_table(bare, good_rows())
    return bare


# What else can be in a table: its row, the reason and a part of the note.
ODD: list[tuple[list[str], str, str]] = [
    (row(31, 1), Reason.MISSING_FILE, "clips/31.mp4"),
    (row(32, 1), Reason.UNREADABLE_FILE, "0 bytes"),
    (row(33, 1), Reason.UNREADABLE_FILE, "not a video, or its header is damaged or cut off"),
    (row(34, 1), Reason.UNREADABLE_FILE, "an MP4 file without its index: cut off"),
    (row(35, 1), Reason.MISSING_FILE, "clips/35.mp4"),
    (row(36, 1), Reason.UNREADABLE_FILE, "a folder without pictures"),
    (row(37, 2), Reason.DUPLICATE_CLIP, "the same bytes as clips/1.mp4, clips/37.mp4"),
    (row(38, 0), Reason.NO_SINGLE_LABEL, "happy:4 neutral:4 sad:2"),
    ([""] * len(HEADER), Reason.EMPTY_ROW, ""),
    (row(2, 1, "s0"), Reason.DUPLICATE_ROW, "rows annotation.csv:3, annotation.csv:41"),
    (row(41, 1), "", ""),
    (row(42, 1, path="clips/größe 表情.mp4"), "", ""),
    (row(43, 1, path="clips/a, b's 100%.mp4"), "", ""),
]


def test_every_row_is_kept_or_left_out_with_its_reason(good: Path, clips: Path) -> None:
    folder = good / ROOT / "clips"
    (folder / "32.mp4").touch()
    (folder / "33.mp4").write_text("no video " * 50, "utf-8")
    content = (clips / "3.mp4").read_bytes()
    (folder / "34.mp4").write_bytes(content[: len(content) // 2])
    (folder / "35.mp4").symlink_to("gone.mp4")
    (folder / "36.mp4").mkdir()
    shutil.copy(clips / "1.mp4", folder / "37.mp4")
    for i, name in ((38, "38"), (41, "elsewhere/41"), (42, "größe 表情"), (43, "a, b's 100%")):
        write_clip(folder / f"{name}.mp4", i)
    (folder / "41.mp4").symlink_to("elsewhere/41.mp4")
    write_table(good, [*good_rows(), *(cells for cells, _, _ in ODD)])
    table, lines = run(good)

    assert lines[0] == "demo: 43 rows, 33 kept, 10 left out"
    left = [reason for _, reason, _ in ODD if reason]
    absent = "demo: no clip is neutral, angry, surprise, disgust, fear; min_count: 1 leaves such"
    assert lines[-1] == f"{absent} words out"
    for line, reason in zip(lines[1:-1], left, strict=True):
        assert line.startswith("  annotation.csv:")
        assert f": {reason}" in line
    assert tuple(table.columns) == schema.COLUMNS
    assert table["row"].tolist() == list(range(2, GOOD + len(ODD) + 2))
    assert set(table["table"]) == {"annotation.csv"}
    assert set(table["dataset"]) == {"demo"}
    for (_, reason, note), found in zip(ODD, table[GOOD:].itertuples(), strict=True):
        assert found.excluded == reason
        assert note in found.note
    assert table.loc[2, ["actual", "label", "file_path"]].tolist() == ["sad", 1, "clips/3.mp4"]
    assert schema.read_words(good / TABLE) == WORDS
    kept, out = schema.single_label(table), table[table["excluded"] != ""]
    assert kept["video_idx"].is_unique
    assert kept["fold"].between(1, 5).all()
    assert kept["split"].isin(["train", "val", "test"]).all()
    assert kept["rank"].between(0, 1, inclusive="left").all()
    assert kept["rank"].is_unique
    placed = out["excluded"].isin(schema.AMBIGUOUS)
    assert placed.sum() == 1  # it may have other targets, or teach its votes
    assert out.loc[placed, "fold"].tolist() == kept.loc[kept["subject"] == "s1", "fold"].unique()
    assert out.loc[placed, "split"].tolist() == kept.loc[kept["subject"] == "s1", "split"].unique()
    assert out.loc[placed, "rank"].between(0, 1, inclusive="left").all()
    assert out.loc[~placed, ["fold", "rank"]].isna().all(axis=None)
    assert set(out.loc[~placed, "split"]) == {""}
    assert schema.read_frames(good / TABLE).empty

    counts = json.loads((good / REPORT).read_text("utf-8"))
    assert (counts["rows"], counts["kept"]) == (43, 33)
    unreadable = {"count": 4, "rows": "annotation.csv: 33, 34, 35, 37"}
    assert counts["reasons"]["unreadable file"] == unreadable
    assert counts["classes"] == {"happy": 18, "sad": 15}
    assert sum(counts["folds"].values()) == sum(counts["split"].values()) == 33
    assert "affect" not in counts

    def raw() -> list[tuple[str, int]]:
        files = sorted((good / ROOT).rglob("*"))
        return [(str(path), path.lstat().st_mtime_ns) for path in files]

    written, before = [(good / path).read_bytes() for path in OUTPUTS], raw()
    run(good)
    assert [(good / path).read_bytes() for path in OUTPUTS] == written
    assert raw() == before


def test_an_added_clip_moves_no_other(good: Path) -> None:
    first, _ = run(good)
    write_clip(good / ROOT / "clips/99.mp4", 45)
    write_table(good, [row(99, 1, "new"), *good_rows()])
    second, _ = run(good)
    assert second["video_idx"][0] == "99"
    for part in ("fold", "split"):
        assert second[part].tolist()[1:] == first[part].tolist()


def test_a_dataset_may_have_its_own_number_of_folds(good: Path) -> None:
    for entry, folds in ((DEMO | {"folds": 3}, 3), (DEMO, 4)):
        write_params(good, entry, folds=4)
        assert set(run(good)[0]["fold"]) == set(range(1, folds + 1))


def test_without_any_clip_the_missing_files_are_named(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(bare, good_rows())
    monkeypatch.chdir(bare)
    with pytest.raises(UserError, match=r"first row, annotation\.csv:2, .* file \(clips/1\.mp4\)"):
        stage.main("demo")
    assert capsys.readouterr().out.startswith("demo: 30 rows, 0 kept, 30 left out\n  30 x missing")
    assert not (bare / TABLE).exists()


def test_of_many_rows_left_out_each_reason_is_printed_once(good: Path) -> None:
    write_table(good, [*good_rows(), *(row(i, 1) for i in range(50, 71)), row(71), row(72)])
    assert run(good)[1][:-1] == [
        "demo: 53 rows, 30 kept, 23 left out",
        "  23 x missing file, the first: annotation.csv:32 (clips/50.mp4)",
    ]


def test_rare_words_and_those_absent_from_a_part_are_named(good: Path) -> None:
    for i in range(31, 34):
        write_clip(good / ROOT / f"clips/{i}.mp4", i)
    rows = [*good_rows(), row(31, 3, "s0"), row(32, 4, "s0"), row(33, 4, "s0")]
    write_table(good, rows)
    write_params(good, DEMO | {"words": ["sad", "angry", "happy", "neutral"], "min_count": 2})
    table, lines = run(good)
    assert schema.read_words(good / TABLE) == ("sad", "angry", "happy")
    assert "demo: words with fewer than 2 clips, left out: neutral (1)" in lines
    report = json.loads((good / REPORT).read_text("utf-8"))
    assert report["rare_words"] == {"neutral": 1}
    assert report["reasons"]["rare word"]["rows"] == "annotation.csv: 32"
    codes = table[table["excluded"] == ""].groupby("actual")["label"].unique().map(list)
    assert codes.to_dict() == {"sad": [0], "angry": [1], "happy": [2]}
    assert table.loc[table["actual"] == "neutral", "label"].isna().all()
    # Its clips are one subject's: in the test part of one fold, and then in no training part.
    fold = int(table.loc[table["actual"] == "angry", "fold"].iloc[0])
    in_test = next(line for line in lines if "no test clip is angry" in line)
    in_train = next(line for line in lines if "no train clip is angry" in line)
    for k in range(1, 6):
        assert (f"fold {k}" in in_test) == (k != fold)
    assert f"fold {fold}" in in_train
    assert in_train.endswith("; it cannot be answered there")
    assert in_test.endswith("; UAR there is over the other words")


def test_few_clips_have_fewer_folds_or_none_and_it_is_said(good: Path) -> None:
    for n, folds, parts in ((4, 0, {"train", "test"}), (6, 3, {"train", "val", "test"})):
        write_table(good, [row(i, 1 + i % 2, subject="") for i in range(1, n + 1)])
        table, lines = run(good)
        assert set(table["split"]) == parts
        assert table["fold"].nunique() == folds
        said = next(line for line in lines if "Set train.partitions to" in line)
        assert said.startswith("demo: 3 folds instead of 5, " if folds else "demo: no folds, only")
        assert ("demo, split: no clip is in val" in "".join(lines)) == (not folds)
        (good / "data/labels/demo.folds.json").unlink()


# labels.on_problem: fail.


def test_a_problem_fails_the_run_once_all_is_written(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (good / ROOT / "clips/31.mp4").touch()
    write_table(good, [*good_rows(), row(31, 1), row(32, 1)])
    write_params(good, on_problem="fail")
    with contextlib.chdir(good), pytest.raises(UserError) as caught:
        stage.main("demo")
    assert str(caught.value) == (
        "demo: 2 rows have problems, and labels.on_problem is fail. They are listed "
        "above and in metrics/clean/demo.json; correct them, or set it to exclude."
    )
    assert capsys.readouterr().out.splitlines()[1:-1] == [
        "  annotation.csv:32: unreadable file (clips/31.mp4: 0 bytes)",
        "  annotation.csv:33: missing file (clips/32.mp4)",
    ]
    assert all((good / path).is_file() for path in OUTPUTS)
    assert len(schema.read(good / TABLE)) == GOOD + 2


def test_what_the_corpus_itself_leaves_out_is_no_problem(good: Path) -> None:
    for i in (31, 32):
        write_clip(good / ROOT / f"clips/{i}.mp4", i)
    six_of_ten = ["6", "4", *row(32, 1)[2:]]
    write_table(good, [*good_rows(), row(31), six_of_ten])
    write_params(good, on_problem="fail", min_agreement=0.7)
    reasons = run(good)[0]["excluded"].tolist()
    assert reasons[GOOD:] == [Reason.NO_SINGLE_LABEL, Reason.LOW_AGREEMENT]


def test_a_clip_in_no_official_fold_is_no_problem(good: Path) -> None:
    rows = [[*cells[:-2], "", "", str(i % 5 + 1)] for i, cells in enumerate(good_rows())]
    rows[7][-1] = ""
    write_table(good, rows, [*HEADER, "fold"])
    write_params(good, on_problem="fail")
    table, _ = run(good)
    assert table["excluded"].tolist()[7] == Reason.NO_OFFICIAL_PART
    kept = schema.single_label(table)
    assert kept["fold"].tolist() == [i % 5 + 1 for i in range(GOOD) if i != 7]
    assert kept["validation"].sum() == 3


# Other corpora, at their smallest.


def test_clips_that_are_folders_of_pictures_in_an_official_split(bare: Path) -> None:
    folder = bare / ROOT / "2_ClipsforFaceCrop"
    lists = bare / ROOT / "4_setups/All_scenes"
    lists.mkdir(parents=True)
    for part, numbers in (("train", range(40)), ("test", range(40, 50))):
        names = [f"Action/{('Sad', 'Happy')[i % 2]}/{i:04}" for i in numbers]
        for name, i in zip(names, numbers, strict=True):
            write_pictures(folder / name, ["0.png", "1.png"], 5 * i)
        lines = "".join(f"{name} {name.split('/')[1]}\n" for name in names)
        (lists / f"{part}_All.csv").write_text(lines, "utf-8")
    write_params(bare, {"reader": "ferv39k"}, on_problem="fail")
    table, lines_out = run(bare)
    assert lines_out[0] == "demo: 50 rows, 50 kept, 0 left out"
    assert table["split"].value_counts().to_dict() == {"train": 36, "val": 4, "test": 10}
    assert (table["split"] == "test").tolist() == [False] * 40 + [True] * 10
    assert table["fold"].isna().all()

    write_params(bare, {"reader": "ferv39k"})
    shutil.rmtree(folder / "Action/Sad/0000")
    for picture in (folder / "Action/Happy/0001").iterdir():
        picture.unlink()
    for picture in (folder / "Action/Sad/0002").iterdir():
        picture.write_text("no picture", "utf-8")
    shutil.rmtree(folder / "Action/Happy/0003")
    shutil.copytree(folder / "Action/Happy/0041", folder / "Action/Happy/0003")
    reasons = run(bare)[0]["excluded"].tolist()
    assert reasons[:5] == [
        Reason.MISSING_FILE, Reason.UNREADABLE_FILE, Reason.UNREADABLE_FILE,
        Reason.DUPLICATE_CLIP, "",
    ]  # fmt: skip
    assert reasons[41] == ""  # of the two, the one in the test part stays


def test_a_corpus_of_numbers_alone(bare: Path) -> None:
    """Pictures with valence and arousal; two clips an actor."""
    corners = [(-5, 4), (6, 2), (3, -7), (-2, -3)]
    names = [f"{t:05}" for t in range(3)]
    for i in range(1, 25):
        folder = bare / ROOT / f"{i:03}"
        write_pictures(folder, [f"{name}.png" for name in names], 10 * i)
        valence, arousal = corners[i % 4]
        labels = {name: {"valence": valence, "arousal": arousal} for name in names}
        content = {"actor": f"actor {i // 2}", "video_id": f"{i:03}", "frames": labels}
        (folder / f"{i:03}.json").write_text(json.dumps(content), "utf-8")
    write_params(bare, {"reader": "afew_va"}, on_problem="fail")
    table, lines = run(bare)
    assert lines == ["demo: 72 rows, 72 kept, 0 left out"]
    assert schema.read_words(bare / TABLE) == ()
    assert table["label"].isna().all()
    first = table.iloc[0]
    assert (first["valence"], first["arousal"]) == (0.6, 0.2)
    assert (first["valence_raw"], first["quadrant"]) == (6, "positive aroused")
    for column in ("subject", "source"):
        assert (table.groupby(column)[["fold", "split"]].nunique() == 1).all(axis=None)
    assert sorted(table["fold"].unique()) == [1, 2, 3, 4, 5]
    assert set(table["split"]) == {"train", "val", "test"}
    affect = json.loads((bare / REPORT).read_text("utf-8"))["affect"]
    assert set(affect["quadrants"].values()) == {18}
    bins = [0] * 20
    bins[5] = bins[8] = bins[13] = bins[16] = 18  # -0.5, -0.2, 0.3, 0.6
    assert affect["valence"]["bins"] == bins
    frames = schema.read_frames(bare / TABLE)
    assert frames.groupby("file_path")["time"].apply(list).tolist() == [[0, 0.04, 0.08]] * 24
    assert frames.loc[frames["file_path"] == "002", "arousal"].tolist() == [-0.7] * 3

    (bare / ROOT / "004/00001.png").unlink()
    table, lines = run(bare)
    assert "  004/00001: no picture (no picture 00001)" in lines
    assert table["excluded"].tolist()[10] == Reason.NO_PICTURE
    pd.testing.assert_frame_equal(schema.read_frames(bare / TABLE), frames)
    reasons = json.loads((bare / REPORT).read_text("utf-8"))["reasons"]
    assert reasons == {"no picture": {"count": 1, "rows": "004/004.json: 004/00001"}}


def test_a_union_of_words_numbers_and_units(bare: Path, clips: Path) -> None:
    root = bare / ROOT
    shutil.copytree(clips, root / "words/clips")
    write_table(bare, good_rows())
    shutil.move(root / "annotation.csv", root / "words/annotation.csv")
    write_numbers(root)
    parts = [
        {key: DEMO[key] for key in ("reader", "table", "clips")} | {"root": "words"},
        {"reader": "afew_va", "root": "plane"},
        {"reader": "table", "root": "units", "table": "t.csv", "columns": UNITS},
    ]
    write_params(bare, {"reader": "union", "parts": parts}, neutral_zone=0.2)
    table, lines = run(bare)
    assert lines[0] == f"demo: {GOOD + 40} rows, {GOOD + 40} kept, 0 left out"
    assert (table["label"].isna() == (table["actual"] == "")).all()
    assert table["label"].notna().sum() == GOOD
    of = table.groupby("dataset")
    for column in ("fold", "split"):
        assert of[column].nunique().tolist() == [3 if column == "split" else 5] * 3
    assert table["rank"].notna().all()
    counts = json.loads((bare / REPORT).read_text("utf-8"))
    assert counts["classes"] == {"happy": 15, "sad": 15}
    assert counts["affect"]["quadrants"]["neutral"] == 3
    assert schema.read_frames(bare / TABLE)["file_path"].str.startswith("plane/").sum() == 20
    asked = available(table, schema.read_words(bare / TABLE))
    assert asked["quadrant"].names[-1] == "neutral"
    assert len(schema.learnable(table, list(asked.values()), soft=False)) == len(table)


def test_rows_without_a_sure_word_that_have_other_targets_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reasons = ["", Reason.NO_SINGLE_LABEL, Reason.VOTE_TIE, Reason.NO_SINGLE_LABEL, "empty row"]
    table = pd.DataFrame({"excluded": reasons, "valence": [0.1, 0.2, None, 0.4, 0.5]})
    texts = ("table", "video_idx", "note", "actual", "quadrant", "aus", "scores", "about")
    table = table.assign(row=0, arousal=table["valence"], dominance=float("nan"))
    table = table.assign(**dict.fromkeys(texts, ""))
    stage.print_rows("demo", table, 1)
    assert capsys.readouterr().out.endswith("  2 of these have other targets (valence, arousal)\n")
    stage.print_rows("demo", table.assign(valence=float("nan"), arousal=float("nan")), 1)
    assert "other targets" not in capsys.readouterr().out


OWN: dict[str, Any] = {
    "reader": "table",
    "table": "own.csv",
    "words": ["calm", "tense"],
    "columns": {"file_path": "clip", "actual": "word", "subject": "who", "split": "part"},
}


def write_own(project: Path, clips: Path, *lines: str) -> None:
    shutil.copytree(clips, project / ROOT)
    (project / ROOT / "own.csv").write_text("\n".join(lines) + "\n", "utf-8")


def test_a_leaking_official_split_is_refused_until_it_is_given_up(bare: Path, clips: Path) -> None:
    rows = [
        f"{i + 1}.mp4,{('calm', 'tense')[i % 2]},p{i // 2},{'test' if i == 7 else 'train'}"
        for i in range(GOOD)
    ]
    write_own(bare, clips, "clip,word,who,part", *rows)
    write_params(bare, OWN)
    with pytest.raises(UserError, match=r"test share 1 subjects \(p3\)\. .*set official: false"):
        run(bare)
    write_params(bare, OWN | {"official": False})
    table, _ = run(bare)
    assert (table.groupby("subject")[["fold", "split"]].nunique() == 1).all(axis=None)
    assert sorted(table["fold"].unique()) == [1, 2, 3, 4, 5]


def test_parts_of_one_file_stay_together_though_nobody_is_named(bare: Path, clips: Path) -> None:
    rows = [
        f"{i // 3 + 1}-{i % 3},{i // 3 + 1}.mp4,{('calm', 'tense')[i % 2]},{i % 3},{i % 3 + 1}"
        for i in range(3 * GOOD)
    ]
    write_own(bare, clips, "name,clip,word,from,to", *rows)
    columns = {"video_idx": "name", "file_path": "clip", "actual": "word"}
    write_params(bare, OWN | {"columns": columns | {"start": "from", "end": "to"}})
    table, _ = run(bare)
    assert (table["excluded"] == "").all()
    assert (table.groupby("file_path")[["fold", "split"]].nunique() == 1).all(axis=None)

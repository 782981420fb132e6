"""Corpora of compounds in their true layouts, through stage clean: words, parts, no labels."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from corpora import write_clip, write_lines, write_pictures
from facewave.errors import UserError
from facewave.labels import __main__ as stage
from facewave.labels import challenge, collect, plots, schema
from facewave.labels.readers import raf_db
from facewave.labels.schema import COMPOUND, Reason
from facewave.params import Dataset, Labels, Part
from running import ROOT

LIST = "compound/EmoLabel/list_patition_label.txt"
# RAF-DB's codes of the seven, in the challenge's order.
CODES = {8: 0, 1: 1, 5: 2, 11: 3, 9: 4, 3: 5, 4: 6}
SETTINGS = Labels(5, 0, 0.0, "exclude", 0.0, "exclude")
Clean = Callable[..., tuple[pd.DataFrame, str]]


def write_raf_db(root: Path, train: int = 12, test: int = 2) -> None:
    """So many pictures of each of the eleven compounds."""
    lines = []
    for part, each, width in (("train", train, 5), ("test", test, 4)):
        for i in range(each * 11):
            name = f"{part}_{i + 1:0{width}d}"
            lines.append(f"{name}.jpg {i % 11 + 1}")
            shade = 2 * i + 1 if part == "train" else 2 * i
            folder = root / "compound/Image/aligned"
            write_pictures(folder, [f"{name}_aligned.jpg"], shade % 256)
            with (folder / f"{name}_aligned.jpg").open("ab") as file:
                file.write(f"{part} {i}".encode())  # no two have the same bytes
    write_lines(root, LIST, *lines)


def write_videos(root: Path) -> None:
    """The challenge's pictures, with a hole in their numbers, and one of its videos."""
    write_pictures(root / "cropped_aligned/01", (f"{i:05d}.jpg" for i in (1, 2, 5, 6, 7)), 40)
    write_pictures(root / "cropped_aligned/02", (f"{i:05d}.jpg" for i in range(3, 7)), 41)
    write_clip(root / "cropped_aligned/03.mp4", 42)


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Clean:
    """Stage clean on an entry of params.yaml; gives the label table and what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(**entry: Any) -> tuple[pd.DataFrame, str]:
        yaml = YAML(typ="safe", pure=True)
        content = yaml.load((ROOT / "params.yaml").read_text("utf-8"))
        content["datasets"]["ours"] = {"root": "data/raw", "about": "a test"} | entry
        with Path("params.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(content, file)
        stage.main("ours")
        return schema.read(Path("data/labels/ours.csv")), capsys.readouterr().out

    return run


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn of the table, which takes longest."""
    monkeypatch.setattr(plots, "overview", lambda *_: None)


@pytest.mark.usefixtures("undrawn")
def test_of_the_eleven_of_raf_db_seven_are_the_challenge_s(tmp_path: Path, clean: Clean) -> None:
    write_raf_db(tmp_path / "data/raw", train=3, test=1)
    table, _ = clean(reader="raf_db", track="compound", words="compound")
    assert schema.read_words(Path("data/labels/ours.csv")) == COMPOUND
    places = dict(zip(table["video_idx"], (*range(33), *range(11)), strict=True))
    for row in table.itertuples():
        code = places[str(row.video_idx)] % 11 + 1
        mapped = CODES.get(code)
        expected = ("", COMPOUND[mapped]) if mapped is not None else (Reason.NO_COUNTERPART, "")
        assert (row.excluded, row.actual) == expected
        assert row.compound == raf_db.COMPOUND[code - 1]  # as published
    kept = schema.single_label(table)
    assert kept["label"].tolist() == [COMPOUND.index(word) for word in kept["actual"]]
    assert (kept["split"] == "test").sum() == 7


def test_unlabelled_videos_alone_can_be_cleaned(tmp_path: Path, clean: Clean) -> None:
    write_videos(tmp_path / "data/raw")
    table, said = clean(reader="abaw_compound", every=2, window=0.2)
    assert table["video_idx"].tolist() == [
        "01/00001", "01/00005", "01/00007", "02/00003", "02/00005",
        "03/00001", "03/00003", "03/00005",
    ]  # fmt: skip
    assert set(table["excluded"]) == {Reason.UNLABELLED}
    assert set(table["split"]) == {"train"}
    assert table["fold"].isna().all()
    assert table["rank"].between(0, 1, inclusive="left").all()
    assert table["source"].tolist() == ["01"] * 3 + ["02"] * 2 + ["03"] * 3
    spans = table[["start", "end"]].to_numpy().tolist()
    assert spans[:3] == [[0.0, 0.1], [0.06, 0.26], [0.14, 0.34]]  # the hole keeps its time
    assert spans[5:] == [[0.0, 0.1], [0.0, 0.18], [0.06, 0.26]]
    assert len(schema.with_trajectories(table)) == 8
    assert schema.learnable(table, [], soft=True).empty
    assert "ours: no clip has a label. A model" in said
    counts = json.loads(Path("metrics/clean/ours.json").read_text("utf-8"))
    files = "cropped_aligned/01, cropped_aligned/02, cropped_aligned/03.mp4"
    assert counts["reasons"] == {"no label": {"count": 8, "rows": files}}
    assert Path("metrics/clean/ours.png").stat().st_size
    before = Path("data/labels/ours.csv").read_bytes()
    clean(reader="abaw_compound", every=2, window=0.2)
    assert Path("data/labels/ours.csv").read_bytes() == before


def parts(**of: str) -> list[dict[str, Any]]:
    """RAF-DB's pictures, unlabelled videos, and videos whose labels somebody has."""
    faces = {"reader": "raf_db", "root": "raf", "track": "compound"}
    unlabelled = {"reader": "abaw_compound", "root": "cexpr", "every": 2}
    labelled = {"reader": "abaw_compound", "root": "theirs", "table": "labels.txt"}
    named: dict[str, dict[str, Any]] = {
        "faces": faces,
        "unlabelled": unlabelled,
        "labelled": labelled,
    }
    return [named[name] | {"part": part} for name, part in of.items()]


@pytest.mark.usefixtures("undrawn")
def test_a_union_has_the_parts_that_its_entry_says(tmp_path: Path, clean: Clean) -> None:
    root = tmp_path / "data/raw"
    write_raf_db(root / "raf", train=10)
    write_videos(root / "cexpr")
    for video in range(11, 18):
        write_pictures(root / f"theirs/cropped_aligned/{video}", ["00001.jpg"], 10 * video)
    answers = [(f"{11 + i}/00001.jpg", word) for i, word in enumerate(COMPOUND)]
    challenge.write(root / "theirs/labels.txt", answers)
    three = parts(faces="train", unlabelled="train", labelled="test")
    table, said = clean(reader="union", track="compound", parts=three)
    assert "ours: 147 rows, 91 kept, 56 left out" in said
    kept, out = schema.single_label(table), table[table["excluded"] != ""]
    assert set(kept["actual"]) == set(COMPOUND)
    by_corpus = kept.groupby("dataset")["split"].value_counts().to_dict()
    assert by_corpus["theirs", "test"] == 7
    assert by_corpus["raf", "train"] + by_corpus["raf", "val"] == 84
    assert by_corpus["raf", "val"] in range(7, 11)  # a tenth, carved out
    assert set(kept.loc[kept["split"] == "val", "actual"]) == set(COMPOUND)
    assert len(by_corpus) == 3
    assert out.groupby(["dataset", "excluded", "split"]).size().to_dict() == {
        ("cexpr", Reason.UNLABELLED, "train"): 8,
        ("raf", Reason.NO_COUNTERPART, ""): 48,
    }
    assert table["fold"].isna().all()

    drawn = Path("data/labels/ours.folds.json").read_text("utf-8")
    assert "clip raf/train_00001" in drawn
    assert "cexpr" not in drawn


@pytest.mark.usefixtures("undrawn")
def test_a_union_may_have_a_corpus_s_own_parts(tmp_path: Path, clean: Clean) -> None:
    write_raf_db(tmp_path / "data/raw/raf", train=2)
    write_videos(tmp_path / "data/raw/cexpr")
    given = parts(faces="official", unlabelled="train")
    two, _ = clean(reader="union", words="compound", parts=given)
    kept = schema.single_label(two)
    assert (kept["split"] == "test").sum() == 14
    assert set(two.loc[two["excluded"] == Reason.UNLABELLED, "split"]) == {"train"}


@pytest.mark.usefixtures("undrawn")
def test_where_nobody_is_sure_of_any_label_no_clip_is_left(tmp_path: Path, clean: Clean) -> None:
    for i in range(4):
        write_pictures(tmp_path / "data/raw", [f"{i}.png"], 20 * i)
    rows = ("0.png,,5,5", "1.png,,5,5", "2.png,,,", "3.png,,,")
    write_lines(tmp_path / "data/raw", "t.csv", "f,w,calm,tense", *rows)
    columns = {"file_path": "f", "actual": "w", "votes.calm": "calm", "votes.tense": "tense"}
    with pytest.raises(UserError, match=r"ours: no clip is left\. The first row, t\.csv:2, "):
        clean(reader="table", table="t.csv", words=["calm", "tense"], columns=columns)


@pytest.mark.usefixtures("undrawn")
def test_a_video_that_is_tested_under_another_name_teaches_nothing(
    tmp_path: Path, clean: Clean
) -> None:
    root = tmp_path / "data/raw"
    write_raf_db(root / "raf", train=2)
    write_videos(root / "cexpr")
    shutil.copytree(root / "cexpr/cropped_aligned/02", root / "theirs/77")
    challenge.write(root / "theirs/labels.txt", [("77/00003.jpg", COMPOUND[0])])
    given = parts(faces="train", unlabelled="train", labelled="test")
    table, _ = clean(reader="union", track="compound", parts=given)
    unlabelled = table[table["excluded"] == Reason.UNLABELLED]
    places = unlabelled.groupby("source")["split"].agg(set).to_dict()
    assert places == {"cexpr/01": {"train"}, "cexpr/02": {""}, "cexpr/03": {"train"}}
    assert table.loc[table["split"] == "test", "video_idx"].tolist() == ["theirs/77/00003"]


def test_parts_are_said_of_all_corpora_or_of_none(tmp_path: Path) -> None:
    def refused(*given: Part) -> str:
        entry = Dataset("union", str(tmp_path), "a test", track="compound", parts=list(given))
        with pytest.raises(UserError) as caught:
            collect.collect(entry, "ours", SETTINGS)
        return str(caught.value)

    faces = Part("raf_db", "raf", track="compound", part="official")
    assert refused(faces, Part("abaw_compound", "cexpr")).startswith(
        "params.yaml: datasets.ours.parts: cexpr does not say which part its clips have, and others"
    )
    write_videos(tmp_path / "theirs")
    challenge.write(tmp_path / "theirs/labels.txt", [("01/00001.jpg", COMPOUND[0])])
    labelled = Part("abaw_compound", "theirs", table="labels.txt", part="official")
    assert "theirs is Compound expressions of the ABAW" in refused(labelled)
    basic = Part("raf_db", "raf", part="train")
    write_lines(tmp_path, f"raf/{LIST.replace('compound', 'basic')}", "train_00001.jpg 7")
    assert "no counterparts for raf_db's Surprise, Fear" in refused(basic)


def test_a_table_spells_compounds_as_it_likes(tmp_path: Path) -> None:
    spelt = ("happily surprised", "Sadness_Anger", "Angrily_Surprised", "surprise_fear", "happy")
    for i in range(5):
        write_pictures(tmp_path, [f"{i}.png"], 20 * i)
    write_lines(tmp_path, "t.csv", "p,w", *(f"{i}.png,{word}" for i, word in enumerate(spelt)))
    columns = {"file_path": "p", "actual": "w"}
    entry = Dataset("table", str(tmp_path), "", table="t.csv", columns=columns, words="compound")
    table, words = collect.collect(entry, "ours", SETTINGS)
    assert words == COMPOUND
    mapped = ["Happily_Surprised", "Sadly_Angry", "Angrily_Surprised", "Fearfully_Surprised", ""]
    assert table["actual"].tolist() == mapped
    assert table["excluded"].tolist() == [*[""] * 4, Reason.UNKNOWN_WORD]


@pytest.mark.usefixtures("undrawn")
def test_what_has_no_label_changes_no_part_of_what_has_one(tmp_path: Path, clean: Clean) -> None:
    """Also where parts are drawn; and rows of somebody who is tested do not teach."""
    root = tmp_path / "data/raw"
    rows = [f"{i}.png,{('calm', 'tense')[i % 2]},p{i // 2}" for i in range(20)]
    for i in range(31):
        write_pictures(root, [f"{i}.png"], 8 * i)
    entry: dict[str, Any] = {"reader": "table", "table": "t.csv", "words": ["calm", "tense"]}
    entry["columns"] = {"file_path": "f", "actual": "w", "subject": "p"}
    write_lines(root, "t.csv", "f,w,p", *rows)
    before, _ = clean(**entry)
    stored = Path("data/labels/ours.folds.json").read_bytes()
    write_lines(root, "t.csv", "f,w,p", *rows, *(f"{i}.png,,p{i - 20}" for i in range(20, 30)),
                "30.png,,new")  # fmt: skip
    Path("data/labels/ours.folds.json").unlink()
    table, said = clean(**entry)
    assert Path("data/labels/ours.folds.json").read_bytes() == stored
    columns = ["fold", "split", "rank"]
    pd.testing.assert_frame_equal(table.loc[:19, columns], before[columns])
    place = before.drop_duplicates("subject").set_index("subject")["split"]
    same = table.loc[20:29]
    assert same["split"].tolist() == place[same["subject"]].tolist()
    assert table.loc[30, "split"] == "train"
    assert said.count("no label") == 11

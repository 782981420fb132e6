"""``facewave datasets`` as a person uses it: on miniature corpora, on entries, on two tables."""

import io
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from ruamel.yaml import YAML

from facewave.app import datasets
from facewave.errors import UserError
from facewave.files import write_csv
from facewave.labels import schema as labels
from facewave.labels.readers import CORPORA
from facewave.labels.readers.dfew import WORDS
from making import REPOSITORY, Toy, run, toy, write_params, write_toy, write_video

FOLDS = range(1, 6)


def command(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own."""
    return run(project, "-m", "facewave.app.cli", "datasets", *arguments)


@dataclass(frozen=True)
class Said:
    """What was printed, and whether all is well."""

    lines: list[str]
    well: bool

    def starting(self, start: str) -> list[str]:
        return [line for line in self.lines if line.startswith(start)]


def console() -> Console:
    return Console(file=io.StringIO(), width=1000, highlight=False, soft_wrap=True)


def printed(to: Console) -> list[str]:
    assert isinstance(to.file, io.StringIO)
    return [line.strip() for line in to.file.getvalue().splitlines()]


def checked(name: str, root: Path | None = None) -> Said:
    to = console()
    well = datasets.check(name, root, to)
    return Said(printed(to), well)


def shared(train: str, test: str) -> Said:
    to = console()
    well = datasets.shared(train, test, to)
    return Said(printed(to), well)


def write_dfew(root: Path, n: int = 10) -> None:
    """DFEW's layout: n clips, every other one happy or angry, two of them in each test list."""
    order = np.arange(1, n + 1)
    angry = order % 2 == 0
    votes = {f"{i}{word}": 0 for i, word in enumerate(WORDS, start=1)}
    annotation = pd.DataFrame({**votes, "order": order, "label": np.where(angry, 4, 1)})
    annotation["1happy"] = np.where(angry, 2, 8)
    annotation["4angry"] = 10 - annotation["1happy"]
    write_csv(root / "Annotation/annotation.csv", annotation)
    codes = np.where(angry, 3, 0)  # from 0, as redistributed lists count
    for fold in FOLDS:
        tested = order % 5 + 1 == fold
        for part, chosen in (("train", ~tested), ("test", tested)):
            table = pd.DataFrame({"video_name": order[chosen], "label": codes[chosen]})
            path = root / f"EmoLabel_DataSplit/{part}(single-labeled)/{part}_set_{fold}.csv"
            write_csv(path, table)
    for number in order:
        write_video(root / f"Clip/original/{number}.mp4", n_frames=2)


@pytest.fixture
def dfew(tmp_path: Path) -> Path:
    write_dfew(tmp_path / "DFEW")
    return tmp_path / "DFEW"


def test_the_list_has_every_corpus_and_how_it_is_had(tmp_path: Path) -> None:
    done = command(tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name, corpus in CORPORA.items():
        assert f"{name}  {corpus.title}" in lines
        assert f"    {corpus.home}, {corpus.access}; {corpus.licence}" in lines
    assert "    single: 7 words, 11,697 clips; knows votes, fold" in lines


def test_show_tells_all_of_a_corpus(tmp_path: Path) -> None:
    done = command(tmp_path, "show", "dfew")
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "DFEW: Dynamic Facial Expression in-the-Wild (Jiang et al., ACM MM 2020)"
    assert "words      happy, sad, neutral, angry, surprise, disgust, fear" in lines
    (published,) = (line for line in lines if line.startswith("published"))
    assert "clips: 11,697, fold 1: 2,341," in published
    assert "fear: 902" in published
    files = "EmoLabel_DataSplit/train(single-labeled)/*set_[1-5].csv"
    assert f"files    {files}: five folds: training" in lines
    assert lines[-1] == (
        "params   dfew: {reader: dfew, root: FOLDER, about: WHAT IT IS, [table: ...], [clips: ...]}"
    )


@pytest.mark.parametrize("name", CORPORA)
def test_nothing_of_a_corpus_is_lost_in_printing(name: str) -> None:
    to = console()
    datasets.show_one(name, to)
    said, corpus = "\n".join(printed(to)), CORPORA[name]
    told = [corpus.title, corpus.home, corpus.access, corpus.licence]
    told += [f"{pattern}: {what}" for pattern, what in corpus.layout.items()]
    told += [f"[{option}: ...]" for option in corpus.takes]
    for track_name, track in corpus.tracks.items():
        told += [track_name, *track.words, *track.knows]
        told += [f"{key}: {count:,}" for key, count in track.published.items()]
    assert [text for text in told if text not in said] == []


@pytest.mark.parametrize("words", [("show", "dfwe"), ("check", "dfwe", ".")])
def test_an_unknown_reader_is_named_with_those_there_are(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = command(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("facewave: there is no reader 'dfwe'; there are dfew, ferv39k,")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_is_whole_but_not_as_published_is_no_success(dfew: Path) -> None:
    done = command(dfew.parent, "check", "dfew", "DFEW")
    assert done.returncode == 1, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "dfew, single in DFEW"
    assert "✓ votes of the ten annotators: Annotation/annotation.csv" in lines
    assert (
        "✓ five folds: test: EmoLabel_DataSplit/test(single-labeled)/test_set_1.csv and 4 more"
        in lines
    )
    assert "✓ the clips: Clip/original" in lines
    assert "✓ 10 rows; 10 clips are there, 0 are missing" in lines
    assert "✗ clips: 10, published 11697 (-11687)" in lines
    assert "✗ fold 5: 2, published 2336 (-2334)" in lines
    assert "✗ happy: 5, published 2445 (-2440)" in lines
    assert "✗ sad: 0, published 1894 (-1894)" in lines


@pytest.fixture
def published_as_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if DFEW had been published with ten clips."""
    track = CORPORA["dfew"].tracks["single"]
    counts = {"clips": 10, "fold 1": 2, "happy": 5, "angry": 5}
    monkeypatch.setitem(CORPORA["dfew"].tracks, "single", replace(track, published=counts))


@pytest.mark.usefixtures("published_as_here")
def test_a_folder_as_published_is_a_success(dfew: Path) -> None:
    said = checked("dfew", dfew)
    assert said.well
    assert said.starting("✗") == []
    assert said.lines[-4:] == ["✓ clips: 10", "✓ fold 1: 2", "✓ happy: 5", "✓ angry: 5"]


@pytest.mark.usefixtures("published_as_here")
def test_a_missing_clip_is_counted(dfew: Path) -> None:
    (dfew / "Clip/original/7.mp4").unlink()
    said = checked("dfew", dfew)
    assert not said.well
    assert said.starting("✗") == ["✗ 10 rows; 9 clips are there, 1 are missing"]


@pytest.mark.usefixtures("published_as_here")
def test_missing_lists_are_named(dfew: Path) -> None:
    for fold in (2, 4):
        (dfew / f"EmoLabel_DataSplit/test(single-labeled)/test_set_{fold}.csv").unlink()
    said = checked("dfew", dfew)
    assert not said.well
    (line,) = said.starting("✗")
    assert "2 of 10 lists are missing (the first: test of fold 2)" in line


@pytest.mark.usefixtures("published_as_here")
def test_without_the_folds_the_annotation_is_checked_and_the_gap_is_said(dfew: Path) -> None:
    for path in (dfew / "EmoLabel_DataSplit").rglob("*.csv"):
        path.unlink()
    said = checked("dfew", dfew)
    assert not said.well
    files = "EmoLabel_DataSplit/test(single-labeled)/*set_[1-5].csv"
    assert f"- five folds: test: no {files}" in said.lines
    assert said.starting("✗") == ["✗ fold 1: 0, published 2 (-2)"]


def test_rows_that_cannot_be_read_are_named(dfew: Path) -> None:
    table = pd.read_csv(dfew / "Annotation/annotation.csv", dtype=str)
    table.loc[[2, 5], "label"] = ["9", "joy"]
    write_csv(dfew / "Annotation/annotation.csv", table)
    said = checked("dfew", dfew)
    assert not said.well
    warned = [line for line in said.lines if line.startswith("! 1 x ")]
    place = "Annotation/annotation.csv"
    assert sorted(warned) == [
        f"! 1 x unknown word: {place}:4 label 9, of 0 to 7",
        f"! 1 x unreadable value: {place}:7 label is 'joy', not a whole number",
    ]


def test_an_empty_folder_has_nothing_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    said = checked("dfew", tmp_path)
    assert not said.well
    assert len(said.starting("-")) == 4
    assert len(said.starting("✗")) == 1
    with pytest.raises(UserError, match=r"nowhere is no folder\. Name the one"):
        checked("dfew", tmp_path / "nowhere")


def test_every_track_of_a_folder_is_checked(tmp_path: Path) -> None:
    write_fer2013(tmp_path)
    said = checked("fer2013", tmp_path)
    assert [line.split(" in ")[0] for line in said.starting("fer2013, ")] == [
        "fer2013, fer2013",
        "fer2013, ferplus",
    ]
    assert "✗ train: 2, published 28709 (-28707)" in said.lines
    (ferplus,) = (line for line in said.starting("✗") if "fer2013new.csv" in line)
    assert "is not here" in ferplus


def write_entry(project: Path, name: str, **entry: object) -> None:
    """params.yaml with one more dataset."""
    write_params(project)
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((project / "params.yaml").read_text("utf-8"))
    content["datasets"][name] = {"about": "of a test"} | entry
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def test_an_entry_of_params_yaml_is_checked_with_its_own_places(dfew: Path) -> None:
    project = dfew.parent
    (dfew / "Annotation/annotation.csv").rename(dfew / "own.csv")
    (dfew / "Clip/original").rename(dfew / "videos")
    write_entry(
        project, "wild", reader="dfew", root="DFEW", table="own.csv", clips="videos/{order}.mp4"
    )
    done = command(project, "check", "wild")
    assert done.returncode == 0, done.stderr  # nothing was published of a table of one's own
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "dfew, wild in DFEW"
    assert lines[-1] == "✓ 10 rows; 10 clips are there, 0 are missing"


def test_an_unknown_entry_is_named_with_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there is no dataset 'dfew'; datasets has demo\."):
        checked("dfew")


def test_the_demos_missing_clip_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    said = checked("demo")
    assert not said.well
    assert [line for line in said.lines if line.endswith("clips are there, 1 are missing")]


@pytest.mark.usefixtures("published_as_here")
def test_each_corpus_of_a_union_is_checked_in_its_folder(
    dfew: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [{"reader": "dfew", "root": "one"}, {"reader": "dfew", "root": "two"}]
    (dfew / "all").mkdir()
    for part in ("one", "two"):
        write_dfew(dfew / "all" / part)
    write_entry(dfew, "both", reader="union", root="all", parts=parts)
    monkeypatch.chdir(dfew)
    said = checked("both")
    assert said.lines.count("✓ 10 rows; 10 clips are there, 0 are missing") == 2
    assert len(said.starting("dfew, ")) == 2


def write_tables(project: Path, train: Toy, test: Toy, reader: str = "dfew") -> None:
    """Two datasets, ``train`` of DFEW's reader and ``test``, each in a folder of its own."""
    write_entry(project, "train", reader="dfew", root="data/raw/train")
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((project / "params.yaml").read_text("utf-8"))
    content["datasets"]["test"] = {
        "about": "of a test",
        "reader": reader,
        "root": "data/raw/test",
    }
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    for name, made in (("train", train), ("test", test)):
        labels.write(project / f"data/labels/{name}.csv", made.table, WORDS)


def renamed(made: Toy, prefix: str) -> Toy:
    """Other clips of other people."""
    table = made.table.copy()
    for column in ("video_idx", "subject"):
        table[column] = prefix + table[column]
    return Toy(table, made.usable, made.blendshapes)


def test_two_tables_without_anything_in_common_are_clean(tmp_path: Path) -> None:
    write_tables(tmp_path, toy(), renamed(toy(), "other-"))
    done = command(tmp_path, "leaks", "train", "test")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "split: nothing is shared",
        "fold 1: nothing is shared",
        "fold 2: nothing is shared",
        "fold 3: nothing is shared",
    ]


def test_a_shared_subject_is_a_leak_and_said(tmp_path: Path) -> None:
    other = renamed(toy(), "other-")
    at = other.table["subject"] == "other-s5"  # in the split's test part, and in fold 3
    other.table.loc[at, "subject"] = "s7"  # trained on in the split; in the train table's fold 2
    write_tables(tmp_path, toy(), other)
    done = command(tmp_path, "leaks", "train", "test")
    assert done.returncode == 1, done.stderr
    split, one, two, three, last = done.stdout.splitlines()
    for line, start in ((split, "split: "), (three, "fold 3: ")):
        assert line.startswith(f"{start}1 subject")
        assert "s7" in line
    assert (one, two) == ("fold 1: nothing is shared", "fold 2: nothing is shared")
    assert last == ("A model trained on train has seen test clips of test: report no such figure.")


def test_a_table_with_other_parts_of_the_same_clips_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = toy()
    parts = {"test": "train", "train": "test", "val": "test"}  # what validated was seen, too
    other.table["split"] = other.table["split"].map(parts)
    write_tables(tmp_path, toy(), other)
    monkeypatch.chdir(tmp_path)
    said = shared("train", "test")
    assert not said.well
    assert said.lines[0].startswith("split: 48 clips")
    assert said.lines[1:4] == [f"fold {k}: nothing is shared" for k in (1, 2, 3)]


def test_a_table_beside_itself_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_params(tmp_path)
    write_toy(tmp_path, toy())
    monkeypatch.chdir(tmp_path)
    assert shared("demo", "demo").well


def test_rows_that_are_left_out_leak_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = renamed(toy(), "other-")
    at = other.table["subject"] == "other-s5"
    other.table.loc[at, "subject"] = "s7"
    other.table.loc[at, "excluded"] = str(labels.Reason.VOTE_TIE)
    write_tables(tmp_path, toy(), other)
    monkeypatch.chdir(tmp_path)
    assert shared("train", "test").well


def test_the_same_names_in_two_corpora_are_not_the_same_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = toy()
    other.table["split"] = (
        other.table["split"].map({"test": "train", "train": "test"}).fillna("val")
    )
    write_tables(tmp_path, toy(), other, reader="crema_d")
    monkeypatch.chdir(tmp_path)
    assert shared("train", "test").well


@pytest.mark.parametrize("missing", ["train", "test"])
def test_without_a_label_table_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    write_tables(tmp_path, toy(), toy())
    (tmp_path / f"data/labels/{missing}.csv").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"data/labels/{missing}\.csv is not here\."):
        shared("train", "test")


PIXELS = {0: 10, 1: 128, 2: 255}  # each picture of one grey


def write_fer2013(root: Path, extra: str = "") -> None:
    """Three sound rows: two to train on, one to test."""
    lines = ["emotion,pixels,Usage"]
    for (number, grey), usage in zip(
        PIXELS.items(), ("Training", "PrivateTest", "Training"), strict=True
    ):
        lines.append(f"{number},{' '.join([str(grey)] * 48 * 48)},{usage}")
    (root / "fer2013.csv").write_text("\n".join(lines) + "\n" + extra, "utf-8")


def test_fer2013_is_unpacked_into_its_pictures(tmp_path: Path) -> None:
    write_fer2013(tmp_path, extra="3,1 2 3,Training\n")
    done = command(tmp_path, "unpack-fer2013", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3 pictures written\n"
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    assert written == [
        "FER2013Test/fer0000001.png",
        "FER2013Train/fer0000000.png",
        "FER2013Train/fer0000002.png",
    ]
    for path in written:
        number = int(re.findall(r"fer(\d+)", path)[0])
        picture = cv2.imread(str(tmp_path / path), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        np.testing.assert_array_equal(picture, np.full((48, 48), PIXELS[number]))
    again = command(tmp_path, "unpack-fer2013", str(tmp_path))
    assert again.stdout == "0 pictures written\n"


def test_without_fer2013_a_sentence(tmp_path: Path) -> None:
    done = command(tmp_path, "unpack-fer2013", str(tmp_path))
    assert done.returncode == 2
    assert "fer2013.csv is not here" in done.stderr
    assert "Traceback" not in done.stderr

"""``facewave datasets`` as a person uses it: on miniature corpora, on entries, on two tables."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from corpora import write
from facewave.app.datasets import targets
from facewave.files import write_csv
from facewave.labels import schema as labels
from facewave.labels.readers import CORPORA
from facewave.labels.readers.dfew import WORDS
from making import REPOSITORY, Toy, toy, write_params, write_toy, write_video
from miniatures import folds
from running import facewave


@dataclass(frozen=True)
class Report:
    """What the command printed, and its exit code: 0 all is well, 1 it is not, 2 a mistake."""

    code: int
    lines: list[str]
    error: str

    def starting(self, start: str) -> list[str]:
        return [line for line in self.lines if line.startswith(start)]


Command = Callable[..., Report]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``facewave datasets``, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Report:
        code = facewave("datasets", *words)
        printed = capsys.readouterr()
        return Report(code, [line.strip() for line in printed.out.splitlines()], printed.err)

    return call


def write_dfew(root: Path, n: int = 10) -> None:
    """DFEW's layout: n clips, every other one happy or angry, two of them in each test list."""
    order = np.arange(1, n + 1)
    angry = order % 2 == 0
    votes = {f"{i}{word}": 0 for i, word in enumerate(WORDS, start=1)}
    annotation = pd.DataFrame({**votes, "order": order, "label": np.where(angry, 4, 1)})
    annotation["1happy"] = np.where(angry, 2, 8)
    annotation["4angry"] = 10 - annotation["1happy"]
    write_csv(root / "Annotation/annotation.csv", annotation)
    codes = np.where(angry, 3, 0)  # from 0, as in redistributed lists
    rows = {f"{i}": f"{i},{code}" for i, code in zip(order, codes, strict=True)}
    path = "EmoLabel_DataSplit/{part}(single-labeled)/{part}_set_{fold}.csv"
    for name, content in folds(path, rows, ("video_name,label",)).items():
        write(root, name, content)
    for number in order:
        write_video(root / f"Clip/original/{number}.mp4", n_frames=2)


@pytest.fixture
def dfew(tmp_path: Path) -> Path:
    write_dfew(tmp_path / "DFEW")
    return tmp_path / "DFEW"


def test_the_list_has_every_corpus_and_where_to_get_it(command: Command) -> None:
    report = command()
    for name, corpus in CORPORA.items():
        assert f"{name}  {corpus.title}" in report.lines
        assert f"{corpus.home}, {corpus.access}; {corpus.licence}" in report.lines
    assert "single: 7 words, 11,697 clips; targets classes; knows votes, fold" in report.lines


def test_all_that_is_known_of_a_corpus_is_shown(command: Command) -> None:
    for name, corpus in CORPORA.items():
        shown = "\n".join(command("show", name).lines)
        known = [corpus.title, corpus.home, corpus.access, corpus.licence]
        known += [f"files    {pattern}: {what}" for pattern, what in corpus.layout.items()]
        known += [f"[{option}: ...]" for option in corpus.takes]
        for track_name, track in corpus.tracks.items():
            known += [track_name, ", ".join(track.words), ", ".join(track.knows)]
            known += [f"{key}: {count:,}" for key, count in track.published.items()]
            known += [", ".join(targets(track))]
        assert [text for text in known if text not in shown] == []
    assert command("show", "dfew").lines[-1] == (
        "params   dfew: {reader: dfew, root: FOLDER, about: WHAT IT IS, [table: ...], [clips: ...]}"
    )


def test_grey_pictures_are_called_so(command: Command) -> None:
    listed = [line for line in command().lines if "grey pictures" in line]
    assert [line.split(":")[0].strip() for line in listed] == ["fer2013", "ferplus"]
    for name in ("fer2013", "raf_db"):
        shown = any("grey pictures" in line for line in command("show", name).lines)
        assert shown == (name == "fer2013")


def test_targets_are_what_the_files_know() -> None:
    for name, expected in {
        "dfew": ["classes"],
        "omg": ["classes", "quadrant", "valence", "arousal"],
        "aff_wild2": ["quadrant", "valence", "arousal"],  # of its first track
        "crema_d": ["classes", "about.NAME"],
    }.items():
        assert targets(CORPORA[name].track("")) == expected
    assert targets(CORPORA["aff_wild2"].track("au")) == ["aus"]
    own = targets(CORPORA["table"].track(""))
    assert own[-4:] == ["dominance", "aus", "score.NAME", "about.NAME"]


def test_mistakes_get_a_sentence(command: Command, tmp_path: Path) -> None:
    write_params(tmp_path)
    for words, sentence in {
        ("show", "dfwe"): "there is no reader 'dfwe'; there are dfew, ferv39k,",
        ("check", "dfwe", "."): "there is no reader 'dfwe'; there are dfew, ferv39k,",
        ("check", "dfew", "nowhere"): "nowhere is no folder. Name the one",
        ("check", "mine"): "params.yaml: there is no dataset 'mine'; datasets has demo.",
        ("leaks", "demo", "demo"): "data/labels/demo.csv is not here.",
    }.items():
        report = command(*words)
        assert (report.code, report.lines) == (2, [])
        assert report.error.startswith(f"facewave: {sentence}")
        assert report.error.count("\n") == 1


def test_a_complete_folder_that_is_not_as_published_is_no_success(
    command: Command, dfew: Path
) -> None:
    report = command("check", "dfew", "DFEW")
    assert report.code == 1
    assert report.lines[0] == f"dfew, single in {dfew.name}"
    assert {
        "✓ votes of the ten annotators: Annotation/annotation.csv",
        "✓ five folds: test: EmoLabel_DataSplit/test(single-labeled)/test_set_1.csv and 4 more",
        "✓ the clips: Clip/original",
        "✓ 10 rows; 10 clips are there, 0 are missing",
        "✗ clips: 10, published 11697 (-11687)",
        "✗ fold 5: 2, published 2336 (-2334)",
        "✗ happy: 5, published 2445 (-2440)",
        "✗ sad: 0, published 1894 (-1894)",
    } <= set(report.lines)


@pytest.fixture
def published_as_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if DFEW had been published with ten clips."""
    track = CORPORA["dfew"].tracks["single"]
    counts = {"clips": 10, "fold 1": 2, "happy": 5, "angry": 5}
    monkeypatch.setitem(CORPORA["dfew"].tracks, "single", replace(track, published=counts))


@pytest.mark.usefixtures("published_as_here")
def test_what_is_missing_of_a_folder_is_named(command: Command, dfew: Path) -> None:
    report = command("check", "dfew", "DFEW")
    assert report.code == 0
    assert report.starting("✗") == []
    assert report.lines[-4:] == ["✓ clips: 10", "✓ fold 1: 2", "✓ happy: 5", "✓ angry: 5"]

    (dfew / "Clip/original/7.mp4").unlink()
    report = command("check", "dfew", "DFEW")
    assert report.code == 1
    assert report.starting("✗") == ["✗ 10 rows; 9 clips are there, 1 are missing"]

    lists = sorted((dfew / "EmoLabel_DataSplit").rglob("*.csv"))
    for path in lists[1:4:2]:  # the tests of folds 2 and 4
        path.unlink()
    report = command("check", "dfew", "DFEW")
    (line,) = report.starting("✗")
    assert "2 of 10 lists are missing (the first: test of fold 2)" in line

    for path in lists:
        path.unlink(missing_ok=True)
    report = command("check", "dfew", "DFEW")
    files = "EmoLabel_DataSplit/test(single-labeled)/*set_[1-5].csv"
    assert f"- five folds: test: no {files}" in report.lines
    assert "✗ fold 1: 0, published 2 (-2)" in report.lines


def test_rows_that_cannot_be_read_are_named(command: Command, dfew: Path) -> None:
    (dfew.parent / "empty").mkdir()
    report = command("check", "dfew", "empty")
    assert report.code == 1
    assert [len(report.starting(mark)) for mark in "-✗"] == [4, 1]
    table = pd.read_csv(dfew / "Annotation/annotation.csv", dtype=str)
    table.loc[[2, 5], "label"] = ["9", "joy"]
    write_csv(dfew / "Annotation/annotation.csv", table)
    report = command("check", "dfew", "DFEW")
    assert report.code == 1
    table_name = "Annotation/annotation.csv"
    assert sorted(report.starting("✗ 1 x ")) == [
        f"✗ 1 x unknown word: {table_name}:4 label 9, of 0 to 7",
        f"✗ 1 x unreadable value: {table_name}:7 label is 'joy', not a whole number",
    ]


def test_every_track_of_a_folder_is_checked(command: Command, tmp_path: Path) -> None:
    write_fer2013(tmp_path)
    report = command("check", "fer2013", ".")
    tracks = [line.split(" in ")[0] for line in report.starting("fer2013, ")]
    assert tracks == ["fer2013, fer2013", "fer2013, ferplus"]
    assert "✗ train: 2, published 28709 (-28707)" in report.lines
    (ferplus,) = (line for line in report.starting("✗") if "fer2013new.csv" in line)
    assert "is not here" in ferplus


def write_entries(project: Path, **entries: dict[str, Any]) -> None:
    """params.yaml with more datasets."""
    write_params(project)
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((project / "params.yaml").read_text("utf-8"))
    content["datasets"] |= {name: {"about": "-"} | entry for name, entry in entries.items()}
    yaml.dump(content, project / "params.yaml")


def test_an_entry_of_params_yaml_is_checked_with_its_own_places(
    command: Command, dfew: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dfew / "Annotation/annotation.csv").rename(dfew / "own.csv")
    (dfew / "Clip/original").rename(dfew / "videos")
    entry = {"reader": "dfew", "root": "DFEW", "table": "own.csv", "clips": "videos/{order}.mp4"}
    write_entries(dfew.parent, wild=entry)
    report = command("check", "wild")
    assert report.code == 0  # nothing was published of a table of one's own
    assert report.lines[0] == "dfew, wild in DFEW"
    assert report.lines[-1] == "✓ 10 rows; 10 clips are there, 0 are missing"
    for rows, told in (
        ("3,0.5", "✓ more.csv: further numbers of the same clips"),
        ("[33],0.5", "✗ DFEW/more.csv, row 2: clip '[33]' is not in the corpus. Its clips are "),
    ):
        write(dfew, "more.csv", f"clip,valence\n{rows}\n")
        write_entries(dfew.parent, wild=entry | {"more": "more.csv"})
        report = command("check", "wild")
        assert report.lines[-1].startswith(told)
        assert report.code == (told[0] == "✗")
    monkeypatch.chdir(REPOSITORY)
    report = command("check", "demo")
    assert report.code == 1
    assert [line for line in report.lines if line.endswith("clips are there, 1 are missing")]


@pytest.mark.usefixtures("published_as_here")
def test_each_corpus_of_a_union_is_checked_in_its_folder(command: Command, tmp_path: Path) -> None:
    parts = [{"reader": "dfew", "root": "one"}, {"reader": "dfew", "root": "two"}]
    for part in ("one", "two"):
        write_dfew(tmp_path / "all" / part)
    write_entries(tmp_path, both={"reader": "union", "root": "all", "parts": parts})
    report = command("check", "both")
    assert report.lines.count("✓ 10 rows; 10 clips are there, 0 are missing") == 2
    assert len(report.starting("dfew, ")) == 2


def test_the_seven_of_raf_db_s_compounds_are_counted_as_published(
    command: Command, tmp_path: Path
) -> None:
    """Codes 1, 3, 4, 5, 8, 9 and 11: 1,562 pictures for training, 397 for the test."""
    others = {"train": 300, "test": 80}  # of codes 2, 6, 7 and 10: nobody prints how many
    lines = [
        f"{part}_{i + 1:05d}.jpg {codes[i % len(codes)]}"
        for part, seven in (("train", 1562), ("test", 397))
        for i, codes in enumerate([(1, 3, 4, 5, 8, 9, 11)] * seven + [(2, 6, 7, 10)] * others[part])
    ]
    write(tmp_path / "RAF", "compound/EmoLabel/list_patition_label.txt", "\n".join(lines))
    options = ("--track", "compound", "--words", "compound")
    report = command("check", "raf_db", "RAF", *options)
    assert [line for line in report.lines if line.startswith(("✓ train", "✓ test"))] == [
        "✓ train: 1562", "✓ test: 397",
    ]  # fmt: skip
    write(tmp_path / "RAF", "compound/EmoLabel/list_patition_label.txt", "\n".join(lines[1:]))
    report = command("check", "raf_db", "RAF", *options)
    assert "✗ train: 1561, published 1562 (-1)" in report.lines
    assert not command("check", "raf_db", "RAF", *options[:2]).starting("✗ train")
    shown = command("show", "raf_db").lines
    assert "published  train: 1,562, test: 397, with words: compound" in shown


def test_videos_without_labels_are_all_there(command: Command, tmp_path: Path) -> None:
    for name in ("01", "02"):
        write_video(tmp_path / f"C-EXPR/{name}.mp4", n_frames=6)
    report = command("check", "abaw_compound", "C-EXPR")
    assert report.code == 0
    assert report.lines[-2:] == [
        "✓ 12 rows; 2 clips are there, 0 are missing", "12 rows have no label",
    ]  # fmt: skip


def write_tables(project: Path, test: Toy, reader: str = "dfew") -> None:
    """Two datasets: the toy as ``train`` of DFEW's reader, and ``test``."""
    readers = {"train": "dfew", "test": reader}
    entries = {name: {"reader": r, "root": f"data/raw/{name}"} for name, r in readers.items()}
    write_entries(project, **entries)
    for name, made in (("train", toy()), ("test", test)):
        labels.write(project / f"data/labels/{name}.csv", made.table, WORDS)


def others(**moved: str) -> Toy:
    """The toy as other clips of other people; those of s5 moved to another subject, say."""
    made = toy()
    table = made.table.copy()
    for column in ("video_idx", "subject"):
        table[column] = "other-" + table[column]
    # s5 is in the split's test part, and in fold 3.
    for column, value in moved.items():
        table.loc[table["subject"] == "other-s5", column] = value
    return Toy(table, made.usable, made.blendshapes)


NOTHING = [f"{part}: nothing is shared" for part in ("split", "fold 1", "fold 2", "fold 3")]


def test_tables_without_anything_in_common_are_clean(command: Command, tmp_path: Path) -> None:
    write_tables(tmp_path, others())
    report = command("leaks", "train", "test")
    assert (report.code, report.lines) == (0, NOTHING)
    # What is left out leaks nothing, and a table beside itself is clean.
    left_out = str(labels.Reason.VOTE_TIE)
    write_tables(tmp_path, others(excluded=left_out, subject="s7"))
    assert command("leaks", "train", "test").lines == NOTHING
    write_toy(tmp_path, toy())
    assert command("leaks", "demo", "demo").code == 0


def test_a_shared_subject_is_a_leak(command: Command, tmp_path: Path) -> None:
    # s7 is trained on in the split, and tested in the train table's fold 2.
    write_tables(tmp_path, others(subject="s7"))
    report = command("leaks", "train", "test")
    assert report.code == 1
    split, one, two, three, last = report.lines
    for line, start in ((split, "split: "), (three, "fold 3: ")):
        assert line.startswith(f"{start}1 subject")
        assert "s7" in line
    assert [one, two] == NOTHING[1:3]
    assert last == "A model trained on train has seen test clips of test: report no such figure."


def test_other_parts_of_the_same_clips_leak_unless_the_corpora_differ(
    command: Command, tmp_path: Path
) -> None:
    made = toy()
    parts = {"test": "train", "train": "test", "val": "test"}  # validation clips were seen, too
    made.table["split"] = made.table["split"].map(parts)
    write_tables(tmp_path, made)
    report = command("leaks", "train", "test")
    assert report.code == 1
    assert report.lines[0].startswith("split: 48 clips")
    assert report.lines[1:4] == NOTHING[1:]
    # The same names in two corpora are not the same people.
    write_tables(tmp_path, made, reader="crema_d")
    assert command("leaks", "train", "test").code == 0


PIXELS = {0: 10, 1: 128, 2: 255}  # each picture has one grey


def write_fer2013(root: Path, extra: str = "") -> None:
    """Three sound rows: two to train on, one to test."""
    usages = ("Training", "PrivateTest", "Training")
    rows = [f"{number},{' '.join([str(grey)] * 48 * 48)},{usage}"
            for (number, grey), usage in zip(PIXELS.items(), usages, strict=True)]  # fmt: skip
    (root / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows, extra]), "utf-8")


def test_fer2013_is_unpacked_into_its_pictures(command: Command, tmp_path: Path) -> None:
    assert "fer2013.csv is not here" in command("unpack-fer2013", ".").error
    write_fer2013(tmp_path, extra="3,1 2 3,Training\n")
    assert command("unpack-fer2013", ".").lines == ["3 pictures written"]
    pictures = {0: "Train/fer0000000", 1: "Test/fer0000001", 2: "Train/fer0000002"}
    assert len(list(tmp_path.rglob("*.png"))) == 3
    for number, name in pictures.items():
        picture = cv2.imread(f"FER2013{name}.png", cv2.IMREAD_UNCHANGED)
        assert picture is not None
        np.testing.assert_array_equal(picture, np.full((48, 48), PIXELS[number]))
    assert command("unpack-fer2013", ".").lines == ["0 pictures written"]


def write_table(root: Path, rows: str, n: int = 2) -> None:
    root.mkdir()
    (root / "table.csv").write_text(f"name,emotion,part\n{rows}")
    for number in range(1, n + 1):
        write_video(root / f"{number}.mp4", n_frames=2)


OPTIONS = ("--table", "table.csv", "--clips", "{clip}.mp4", "--words", "happy,sad",
           "--column", "video_idx=name", "--column", "actual=emotion")  # fmt: skip


def test_an_entry_s_options_are_taken_from_the_command_line(
    command: Command, tmp_path: Path
) -> None:
    write_table(tmp_path / "mine", "1,happy,dev\n2,sad,Train\n")
    report = command("check", "table", "mine", *OPTIONS)
    assert report.lines[-1] == "✓ 2 rows; 2 clips are there, 0 are missing"
    assert report.code == 0
    entry = {"reader": "table", "root": "mine", "table": "other.csv", "words": ["happy", "sad"],
             "columns": {"video_idx": "name", "label": "part"}}  # fmt: skip
    write_entries(tmp_path, mine=entry)
    assert command("check", "mine", *OPTIONS).code == 0
    assert command("check", "mine").code == 1
    for words, sentence in {
        ("--column", "name"): "--column is 'name'. Write OURS=THEIRS",
        ("--track", "none"): "params.yaml: table has no track 'none'",
        ("--column", "word=name"): "params.yaml: columns",
    }.items():
        report = command("check", "table", "mine", *OPTIONS, *words)
        assert (report.code, sentence in report.error + "".join(report.lines)) != (0, False)


def test_rows_left_out_missing_clips_and_nothing_usable_are_red(
    command: Command, tmp_path: Path
) -> None:
    write_table(tmp_path / "some", "1,happy,train\n2,sad,tomorrow\n")
    split = ("--column", "split=part")
    report = command("check", "table", "some", *OPTIONS, *split)
    assert report.code == 1
    assert report.starting("✗ 1 x unreadable value: table.csv:3 split is 'tomorrow'")
    assert report.lines[-1] == "✓ 2 rows; 1 clips are there, 0 are missing"

    write_table(tmp_path / "none", "1,happy,a\n2,sad,b\n")
    report = command("check", "table", "none", *OPTIONS, *split)
    assert report.code == 1
    assert report.lines[-2:] == [
        "✗ 2 rows; 0 clips are there, 0 are missing",
        "no row is usable, so that there is nothing to learn from",
    ]

    rows = "".join(f"{number},happy,train\n" for number in range(1, 8))
    write_table(tmp_path / "lost", rows)
    report = command("check", "table", "lost", *OPTIONS)
    assert report.code == 1
    assert report.lines[-1] == "not in lost: 3.mp4, 4.mp4, 5.mp4 and 2 more"

    write_table(tmp_path / "pointers", "1,happy,train\n2,sad,train\n")
    (tmp_path / "pointers/1.mp4").write_text("version https://git-lfs.github.com/spec/v1\n")
    report = command("check", "table", "pointers", *OPTIONS)
    assert report.code == 1
    assert report.lines[-1].startswith(
        "1 of the first 2 clips cannot be read, such as 1.mp4: a pointer of Git LFS, not the clip"
    )

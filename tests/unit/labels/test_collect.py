"""From an entry of params.yaml to a cleaned table: options, words, and unions of tiny corpora."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora import UNITS, write, write_clip, write_lines, write_numbers, write_pictures
from facewave.errors import UserError
from facewave.labels import collect, schema
from facewave.labels.cleaning import FileFact, clean
from facewave.labels.listing import label_files
from facewave.labels.readers.dfew import VOTE_COLUMNS
from facewave.labels.records import Record
from facewave.labels.schema import SEVEN, Reason
from facewave.params import Dataset, Labels, Part, Tracks
from facewave.targets import Target, available
from miniatures import folds

SETTINGS = Labels(
    folds=5, seed=0, min_agreement=0.0, ambiguous="exclude", neutral_zone=0, on_problem="exclude"
)


def entry(root: Path | str, reader: str, **options: Any) -> Dataset:
    return Dataset(reader=reader, root=str(root), about="tiny clips of a test", **options)


def collected(given: Dataset, **settings: Any) -> Any:
    return collect.collect(given, "demo", Labels(**(vars(SETTINGS) | settings)))[0]


def kept(table: Any) -> Any:
    return schema.single_label(table)


def refusal(given: Dataset) -> str:
    with pytest.raises(UserError) as caught:
        collect.sources(given, "demo")
    return str(caught.value)


# The three corpora of a union, each at its smallest; no two clips have the same bytes.


def write_dfew(root: Path, each: int = 10) -> None:
    """Each of happy and sad (and one clip without a single label), subjects of two clips."""
    header = ",".join([*VOTE_COLUMNS, "order", "label", "subject"])
    rows = []
    for i in range(2 * each):
        votes = ["8", "2"] if i % 2 == 0 else ["1", "9"]
        rows.append(",".join([*votes, *["0"] * 5, str(i + 1), str(i % 2 + 1), f"p{i // 2}"]))
        write_clip(root / f"Clip/original/{i + 1}.mp4", 2 * i)
    rows.append(",".join(["5", "5", *["0"] * 5, "99", "0", "p0"]))
    write_clip(root / "Clip/original/99.mp4", 79)
    write_lines(root, "Annotation/annotation.csv", header, *rows)


def write_ferv39k(root: Path, each: int = 20) -> None:
    """Each of Happy and Sad, in an official split."""
    clips = [f"Action/{('Happy', 'Sad')[i % 2]}/{i:04}" for i in range(2 * each)]
    for i, clip in enumerate(clips):
        write_pictures(root / "2_ClipsforFaceCrop" / clip, ["0.bmp", "1.bmp"], i)
    for part, names in (("train", clips[10:]), ("test", clips[:10])):
        lines = [f"{name} {name.split('/')[1]}" for name in names]
        write_lines(root, f"4_setups/All_scenes/{part}_All.csv", *lines)


def write_mafw(root: Path, each: int = 10) -> None:
    """Each of happiness, sadness and contempt, in official folds."""
    words = ("happiness", "sadness", "contempt")
    clips = [(f"{i:05}.mp4", words[i % 3]) for i in range(3 * each)]
    for i, (clip, _) in enumerate(clips):
        write_clip(root / "data/clips" / clip, 80 + 2 * i)
    path = "Train & Test Set/single/no_caption/set_{fold}/{part}.txt"
    for name, content in folds(path, {clip: f"{clip} {word}" for clip, word in clips}).items():
        write(root, name, content)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three corpora under one root. To change it, take a copy."""
    root = tmp_path_factory.mktemp("union")
    write_dfew(root / "dfew")
    write_ferv39k(root / "ferv39k")
    write_mafw(root / "mafw")
    return root


@pytest.fixture(scope="module")
def union(three: Path) -> Any:
    """The default union of the three."""
    return collected(entry(three, "union"))


def counts(table: Any) -> dict[tuple[str, str], int]:
    """Kept clips of each corpus and word."""
    return {key: int(n) for key, n in kept(table).groupby(["dataset", "actual"]).size().items()}


# Options.


def test_what_an_entry_may_not_say_is_refused() -> None:
    parts = [Part(reader="ferv39k", root="faces", table="x.csv")]
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("dfew", {"every": 5}, "datasets.demo.every: the reader dfew has no use for it; it takes "),
        ("dfew", {"columns": {"label": "x"}}, "datasets.demo.columns: the reader dfew has no use"),
        ("afew_va", {"parts": parts}, "datasets.demo.parts: the reader"),
        ("union", {"table": "x.csv"}, "no use for it; it takes parts, track."),
        ("union", {"parts": parts}, "table: the reader ferv39k has no use for it; it takes clips."),
        (
            *("dfew", {"words": ["happy", "good", "bad"]}),
            "datasets.demo.words: 'good', 'bad': not among the words of dfew, which are happy, ",
        ),
        ("mafw", {"words": ["happy", "contempt"]}, "words: 'happy': not among the words of mafw"),
        ("union", {"words": ["happiness"]}, "'happiness': not among the words of union, which are"),
        ("afew_va", {"words": ["calm"]}, "not among the words of afew_va, which are none"),
        ("afew_va", {"words": ["happy"]}, "datasets.demo: afew_va has no words there"),
        ("afew_va", {"min_count": 2}, "min_count: there are no words to count"),
        ("mafw", {"track": "triple"}, "mafw has no track 'triple'; it has single, compound."),
        ("dfew", {"table": "../x.csv"}, "leaves the dataset's folder"),
        ("dfew", {"clips": "/x/{order}.mp4"}, "leaves the dataset's folder"),
    ]
    for reader, options, sentence in cases:
        message = refusal(entry("data", reader, **options))
        assert message.startswith("params.yaml: ")
        assert sentence in message
    assert refusal(entry("data", "dfwe")).startswith("there is no reader 'dfwe'; there are dfew, ")
    assert collect.sources(entry("data", "dfew", table="a.csv", clips="{order}.mp4"), "demo")
    assert collect.sources(entry("data", "dfew", official=False, fps=10.0, words="seven"), "demo")
    assert collect.sources(entry("data", "mafw", track="compound", encoding="utf-8"), "demo")


def test_a_path_that_leaves_the_root_is_refused_with_its_row(tmp_path: Path) -> None:
    for path in ["../x.mp4", "a/../../x.mp4", "/etc/x.mp4", "..\\x.mp4"]:
        write_lines(tmp_path, "own.csv", "clip,word", "a.mp4,calm", f"{path},calm")
        with pytest.raises(UserError, match=r"^own\.csv:3: the path .* leaves"):
            collected(own(tmp_path))


# Words.


def test_own_words_stay_and_seven_are_the_common_ones(three: Path) -> None:
    plain, common = entry(three / "mafw", "mafw"), entry(three / "mafw", "mafw", words="seven")
    assert collect.words_of(plain)[:4] == ("anger", "disgust", "fear", "happiness")
    assert collect.words_of(common) == collect.words_of(entry(three, "union")) == SEVEN
    words = ("contempt", "happiness", "sadness")
    assert counts(collected(plain)) == {("demo", word): 10 for word in words}
    table = collected(common)
    assert counts(table) == {("demo", "happy"): 10, ("demo", "sad"): 10}
    without = table[table["excluded"] != ""]
    assert set(without["excluded"]) == {Reason.NO_COUNTERPART}
    assert set(without["note"]) == {"contempt"}


def test_a_list_chooses_words_and_orders_their_codes(three: Path) -> None:
    cases: list[tuple[str, list[str], dict[str, str]]] = [
        ("mafw", ["sadness", "happiness"], {"sadness": "", "happiness": ""}),  # its own
        ("mafw", ["sad", "happy"], {"sad": "", "happy": "", "": Reason.NO_COUNTERPART}),
        ("mafw", ["sad"], {"sad": "", "happy": Reason.NOT_CHOSEN, "": Reason.NO_COUNTERPART}),
        ("ferv39k", ["Sad", "Happy"], {"Sad": "", "Happy": ""}),
        ("ferv39k", ["Sad"], {"Sad": "", "Happy": Reason.NOT_CHOSEN}),
        ("dfew", ["sad"], {"sad": "", "happy": Reason.NOT_CHOSEN, "": Reason.NO_SINGLE_LABEL}),
    ]
    for reader, chosen, expected in cases:
        given = entry(three / reader, reader, words=chosen)
        assert collect.words_of(given) == tuple(chosen)
        table, words = collect.collect(given, "demo", SETTINGS)
        assert words == tuple(chosen)
        found = table.drop_duplicates(["actual", "excluded"]).set_index("actual")["excluded"]
        if reader == "mafw" and chosen[0] == "sadness":
            expected = expected | {"contempt": Reason.NOT_CHOSEN}
        assert found.to_dict() == expected, (reader, chosen)
        others = table[table["excluded"] == Reason.NOT_CHOSEN]
        assert (others["note"] == others["actual"]).all()
        assert others.index.isin(schema.with_trajectories(table).index).all()
    union = collected(entry(three, "union", words=["sad"]))
    assert set(kept(union)["actual"]) == {"sad"}
    assert set(kept(union)["dataset"]) == {"dfew", "ferv39k", "mafw"}


def test_copies_with_a_chosen_and_another_word_contradict_each_other(tmp_path: Path) -> None:
    for order in (1, 2):
        write_clip(tmp_path / f"{order}.mp4", 7)
    votes = ["10,0,0,0,0,0,0,1,1,1.mp4", "0,10,0,0,0,0,0,2,2,2.mp4"]
    header = ",".join([*VOTE_COLUMNS, "order", "label", "file_path"])
    write_lines(tmp_path, "Annotation/annotation.csv", header, *votes)
    table = collected(entry(tmp_path, "dfew", words=["happy"]))
    assert table["excluded"].tolist() == [Reason.CONFLICTING_CLIPS] * 2


def test_a_word_with_too_few_clips_is_left_out(three: Path) -> None:
    for least, kept_words in ((0, SEVEN), (1, ("happy", "sad")), (20, ("happy", "sad")), (99, ())):
        given = entry(three / "ferv39k", "ferv39k", words="seven", min_count=least)
        table, words = collect.collect(given, "demo", SETTINGS)
        assert words == tuple(word for word in SEVEN if word in kept_words)
        assert len(kept(table)) == (40 if words else 0)
    assert set(table["excluded"]) == {Reason.RARE_WORD}
    assert set(table["note"]) == {f"{word}: 20, fewer than 99" for word in ("happy", "sad")}


# Official parts.


def test_official_parts_are_taken_over_unless_the_entry_says_no(three: Path) -> None:
    ferv39k, mafw = entry(three / "ferv39k", "ferv39k"), entry(three / "mafw", "mafw")
    assert collected(ferv39k)["part"].value_counts().to_dict() == {"train": 30, "test": 10}
    assert set(collected(mafw)["fold"]) == {1, 2, 3, 4, 5}
    for reader in ("ferv39k", "mafw"):
        table = collected(entry(three / reader, reader, official=False))
        assert set(table["part"]) == {""}
        assert table["fold"].isna().all()


# Unions.


def test_a_union_takes_its_share_of_every_word_of_each_corpus(three: Path, union: Any) -> None:
    assert counts(union) == {
        (dataset, word): n
        for dataset, n in (("dfew", 3), ("ferv39k", 2), ("mafw", 5))
        for word in ("happy", "sad")
    }
    out = union[union["excluded"] != ""].groupby(["dataset", "excluded"]).size().to_dict()
    assert out == {
        ("dfew", "outside the share"): 15,  # one of them without a single label
        ("ferv39k", "outside the share"): 36,
        ("mafw", "no counterpart"): 5,
        ("mafw", "outside the share"): 15,
    }
    votes = json.loads(kept(union).iloc[0]["votes"])
    assert set(votes) == set(SEVEN)
    assert sum(votes.values()) == 10
    assert union["fold"].isna().all()  # official parts mean nothing across corpora
    assert set(union["part"]) == {""}
    other = collected(entry(three, "union"), seed=1)
    assert counts(other) == counts(union)
    assert set(kept(other)["video_idx"]) != set(kept(union)["video_idx"])


def test_a_row_that_cannot_be_read_keeps_its_own_reason_in_a_share(copied: Path) -> None:
    lists = copied / "ferv39k/4_setups/All_scenes/train_All.csv"
    lists.write_text(lists.read_text("utf-8") + "Action/Sad/0099 Happy\n", "utf-8")
    table = collected(entry(copied, "union")).set_index("video_idx")
    assert table.loc["ferv39k/Action/Sad/0099", "excluded"] == Reason.CONFLICTING_ROWS


def test_the_default_parts_are_three_tenths_one_tenth_and_a_half() -> None:
    sources = collect.sources(entry("data", "union"), "demo")
    assert [(source.corpus.name, source.below, source.share) for source in sources] == [
        ("dfew", "dfew", 0.3),
        ("ferv39k", "ferv39k", 0.1),
        ("mafw", "mafw", 0.5),
    ]


def test_in_a_union_names_and_paths_begin_with_the_folder(union: Any, three: Path) -> None:
    assert union["video_idx"].is_unique
    for column in ("video_idx", "file_path", "table"):
        folder = union[column].str.partition("/")[0]
        assert folder.tolist() == union["dataset"].tolist(), column
    assert all((three / path).exists() for path in union["file_path"])
    dfew = union[union["dataset"] == "dfew"].iloc[0]
    assert dfew[["video_idx", "file_path", "subject", "table"]].tolist() == [
        "dfew/1", "dfew/Clip/original/1.mp4", "dfew/p0", "dfew/Annotation/annotation.csv",
    ]  # fmt: skip
    assert set(union[union["dataset"] == "mafw"]["subject"]) == {""}  # nobody stays nobody


@pytest.fixture
def copied(three: Path, tmp_path: Path) -> Path:
    """The three corpora, to be changed."""
    return Path(shutil.copytree(three, tmp_path / "copied"))


def whole(root: Path, *readers: str) -> Any:
    """The union of all clips of some corpora, by clip."""
    parts = [Part(reader=reader, root=reader) for reader in readers]
    return collected(entry(root, "union", parts=parts)).set_index("video_idx")


def test_copies_in_one_or_two_corpora_of_a_union(copied: Path) -> None:
    clips, mafw = copied / "dfew/Clip/original", copied / "mafw/data/clips"
    shutil.copy(clips / "2.mp4", mafw / "00001.mp4")  # both are sad
    shutil.copy(clips / "1.mp4", mafw / "00007.mp4")  # happy and sad
    shutil.copy(mafw / "00010.mp4", mafw / "00013.mp4")  # both are sad
    table = whole(copied, "dfew", "mafw")
    reasons = {
        "dfew/2": "",
        "mafw/00001.mp4": Reason.DUPLICATE_CLIP,
        "dfew/1": Reason.CONFLICTING_CLIPS,
        "mafw/00007.mp4": Reason.CONFLICTING_CLIPS,
        "mafw/00010.mp4": "",
        "mafw/00013.mp4": Reason.DUPLICATE_CLIP,
    }
    assert table.loc[list(reasons), "excluded"].to_dict() == reasons
    assert table.loc["mafw/00001.mp4", "note"] == (
        "the same bytes as dfew/Clip/original/2.mp4, mafw/data/clips/00001.mp4"
    )


def test_two_parts_of_one_reader_are_two_corpora(three: Path, tmp_path: Path) -> None:
    root = tmp_path / "union"
    shutil.copytree(three / "mafw", root / "old/mafw")
    write_mafw(root / "new", each=2)
    shutil.rmtree(root / "new/data")
    for i in range(6):
        write_clip(root / f"new/data/clips/{i:05}.mp4", 161 + 2 * i)
    parts = [Part(reader="mafw", root="old/mafw"), Part(reader="mafw", root="new")]
    assert counts(collected(entry(root, "union", parts=parts))) == {
        (folder, word): n
        for folder, n in (("new", 2), ("old/mafw", 10))
        for word in ("happy", "sad")
    }


def test_parts_in_one_folder_or_outside_and_unions_in_unions_are_refused() -> None:
    for roots in (["a", "a"], ["a", "a/"], ["../dfew"], ["/dfew"], ["a/../../dfew"]):
        parts = [Part(reader="dfew", root=root) for root in roots]
        message = refusal(entry("data", "union", parts=parts))
        assert message.startswith(f"params.yaml: parts with the roots {roots[0]}")
        assert message.endswith("are corpora, each in a folder of its own below root.")
    assert "roots a: " in refusal(entry("data", "union", parts=[Part(reader="union", root="a")]))


# Tables of one's own.


def own(root: Path, **options: Any) -> Dataset:
    usual: dict[str, Any] = {
        "table": "own.csv",
        "words": ["calm", "tense"],
        "columns": {"file_path": "clip", "actual": "word"},
    }
    return entry(root, "table", **(usual | options))


def test_a_table_of_one_s_own_comes_through_columns_and_words(tmp_path: Path) -> None:
    for i, name in enumerate(("a", "b", "c")):
        write_clip(tmp_path / f"clips/{name}.mp4", 10 * i)
    rows = ("a;Calm;Ann;3;1", "b;tense;Bo;0;4", "c;angry;Cy;2;2")
    write_lines(tmp_path, "own.csv", "name;word;who;calm votes;tense votes", *rows)
    columns = {"video_idx": "name", "actual": "word", "subject": "who"}
    columns |= {"votes.calm": "calm votes", "votes.tense": "tense votes"}
    what = own(tmp_path, columns=columns, clips="clips/{clip}.mp4")
    assert collect.words_of(what) == ("calm", "tense")
    table = collected(what)
    assert table["actual"].tolist() == ["calm", "tense", ""]
    assert table["excluded"].tolist() == ["", "", Reason.UNKNOWN_WORD]
    assert table["file_path"].tolist() == ["clips/a.mp4", "clips/b.mp4", "clips/c.mp4"]
    assert table["subject"].tolist() == ["Ann", "Bo", "Cy"]
    assert table["agreement"].tolist()[:2] == [0.75, 1.0]
    assert json.loads(table["votes"][0]) == {"calm": 3, "tense": 1}
    assert set(table["dataset"]) == {"demo"}


def test_a_table_of_one_s_own_may_use_the_common_words_or_none(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 1)
    write_lines(tmp_path, "own.csv", "clip,word,v", "a.mp4,happy,0.5")
    common = own(tmp_path, words="seven")
    assert collect.words_of(common) == SEVEN
    assert collected(common)["actual"].tolist() == ["happy"]
    numbers = own(tmp_path, words="own", columns={"file_path": "clip", "valence": "v"})
    assert collect.words_of(numbers) == ()
    table = collected(numbers)
    assert table[["actual", "valence", "excluded"]].values.tolist() == [["", 0.5, ""]]


# A union of words, of numbers and of action units.


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of words, one of valence and arousal, one of units, one of grey pictures."""
    root = tmp_path_factory.mktemp("targets")
    write_dfew(root / "words")
    write_numbers(root)
    lines = [f"{i % 7},{' '.join(['7'] * 2304)},Training" for i in range(14)]
    write_lines(root, "grey/fer2013.csv", "emotion,pixels,Usage", *lines)
    for i in range(14):
        write_pictures(root / "grey/FER2013Train", [f"fer{i:07}.png"], 200 + i)
    return root


FOUR = [
    Part(reader="dfew", root="words"),
    Part(reader="afew_va", root="plane", share=0.5),
    Part(reader="table", root="units", table="t.csv", columns=UNITS),
    Part(reader="fer2013", root="grey"),
]


def test_a_union_may_have_corpora_without_words(targets: Path) -> None:
    table, words = collect.collect(entry(targets, "union", parts=FOUR), "demo", SETTINGS)
    assert words == SEVEN
    left = kept(table)
    assert left.groupby("dataset").size().to_dict() == {
        "words": 20, "plane": 10, "units": 20, "grey": 14,
    }  # fmt: skip
    assert set(left.loc[left["dataset"].isin(["plane", "units"]), "actual"]) == {""}
    assert set(table.loc[table["dataset"] == "plane", "excluded"]) == {"", "outside the share"}
    plane = left[left["dataset"] == "plane"]
    assert plane["valence"].notna().all()
    assert set(plane["quadrant"]) >= {"negative aroused", "positive calm"}
    units = left[left["dataset"] == "units"]
    assert json.loads(units["aus"].iloc[3]) == {"AU12": 1, "AU4": 0.75}
    assert units["dominance"].tolist()[:2] == [-1, -0.9]
    assert list(targets_of(table)) == ["classes", "quadrant", "valence", "arousal", "dominance",
                                       "aus"]  # fmt: skip
    ambiguous = table["excluded"].isin(schema.AMBIGUOUS)
    assert table.loc[ambiguous, "video_idx"].tolist() == ["words/99"]
    learnt = schema.learnable(
        table.assign(split="train"), [targets_of(table)["classes"]], soft=True
    )
    assert len(learnt) == 20 + 14 + 1


def test_a_union_has_action_units_of_one_kind(tmp_path: Path) -> None:
    for name, strength in (("one", 3), ("two", 1), ("three", 0)):
        write_clip(tmp_path / name / "a.mp4", len(name) * 7)
        write_lines(tmp_path / name, "t.csv", "p,AU4", f"a.mp4,{strength}")
    columns = {"file_path": "p", "aus.AU4": "AU4"}
    one, two, three = (
        Part(reader="table", root=name, table="t.csv", columns=columns)
        for name in ("one", "two", "three")
    )
    write_dfew(tmp_path / "words")
    words = Part(reader="dfew", root="words")
    message = r"demo\.parts: .*\(one intensity, two presence\).* Leave out the units of one kind"
    with pytest.raises(UserError, match=message):
        collected(entry(tmp_path, "union", parts=[words, one, two]))
    table = collected(entry(tmp_path, "union", parts=[words, two, three]))
    assert targets_of(table)["aus"].kind == "presence"


def targets_of(table: Any) -> dict[str, Target]:
    return available(table, SEVEN)


def test_grey_pictures_are_left_out_on_request(targets: Path) -> None:
    table = collected(entry(targets, "union", parts=FOUR, colour_only=True))
    grey = table[table["dataset"] == "grey"]
    assert set(grey["excluded"]) == {Reason.GREY} < {*schema.ORDINARY}
    assert len(kept(table)) == 50
    for parts in ({}, {"parts": FOUR[3:]}):
        reader, root = ("union", targets) if parts else ("fer2013", targets / "grey")
        with pytest.raises(UserError, match=r"colour_only: all pictures of .* are grey"):
            collected(entry(root, reader, colour_only=True, **parts))


# A further table.


def with_more(root: Path, *lines: str, **options: Any) -> Any:
    """Three clips, the first two with a word, and what a further table adds."""
    for i in range(3):
        write_clip(root / f"{i}.mp4", 10 * i)
    write_lines(root, "own.csv", "clip,word,v", "0.mp4,calm,0.5", "1.mp4,tense,", "2.mp4,,")
    write_lines(root, "more.csv", *lines)
    columns = {"file_path": "clip", "actual": "word", "valence": "v"}
    return collected(own(root, columns=columns, more="more.csv", **options))


def test_a_further_table_adds_to_what_any_reader_says(tmp_path: Path) -> None:
    table = with_more(
        tmp_path,
        "clip;valence;arousal;dominance;AU12;AU04;score.stress;about.sex",
        "2.mp4;-0.5;1;NA;1;;40,5;f",
        ";;;;;;;",
        "0.mp4;;-0.25;0;0;2.5;;",
    )
    assert table["excluded"].tolist() == ["", "", Reason.UNLABELLED]
    for name in ("valence", "valence_raw"):
        assert table[name].fillna(9).tolist() == [0.5, 9, -0.5]
    assert table["arousal"].fillna(9).tolist() == [-0.25, 9, 1]
    assert table["dominance"].fillna(9).tolist() == [0, 9, 9]
    assert table["quadrant"].tolist() == ["positive calm", "", "negative aroused"]
    assert table["aus"].tolist() == ['{"AU12": 0, "AU4": 2.5}', "", '{"AU12": 1}']
    assert table["scores"].tolist() == ["", "", '{"stress": 40.5}']
    assert table["about"].tolist() == ["", "", '{"sex": "f"}']
    assert "more.csv" in label_files({"reader": "dfew", "more": "more.csv"})[0]


def test_a_further_table_that_does_not_fit_is_refused_with_its_row(tmp_path: Path) -> None:
    for lines, sentence in (
        (("clip,arousal", "3.mp4,1"), r"more\.csv, row 2: clip '3\.mp4' is not in the corpus"),
        (("clip,arousal", "1.mp4,1", "1.mp4,1"), r"row 3: clip '1\.mp4' is in row 2 already"),
        (("clip,arousal", "1.mp4,1", ",1"), r"row 3: it names no clip"),
        (("clip,anger", "1.mp4,1"), r"more\.csv: column 'anger' is none that is known"),
        (("clip,score.", "1.mp4,1"), r"column 'score\.' is none that is known"),
        (("clip,arousal,arousal", "1.mp4,1,1"), r"column 'arousal' is there twice"),
        (("name,arousal", "1.mp4,1"), r"column 'clip' is missing"),
        (("clip,arousal", "1.mp4,high"), r"row 2: arousal is 'high', not a number"),
        (("clip,arousal", "1.mp4,1.01"), r"row 2: arousal is '1\.01', of -1 to 1"),
        (("clip,AU1", "1.mp4,9"), r"row 2: AU1 is '9', of 0 to 5"),
        (("clip,valence", "1.mp4,0", "0.mp4,1"), r"row 3: the corpus has this number of this clip"),
    ):
        with pytest.raises(UserError, match=sentence):
            with_more(tmp_path, *lines)
    with pytest.raises(UserError, match="leaves the dataset's folder"):
        collected(own(tmp_path, more="../more.csv"))


# Windows around a frame, and whole traces.


def test_traces_have_every_frame_and_no_number_where_there_is_none(tmp_path: Path) -> None:
    root = tmp_path / "wild"
    lines = ["valence,arousal", "0.1,0.2", "-5,-5", "0.3,0.4", "2,0", "0.5,0.6"]
    for part in ("Train_Set/a.txt", "Validation_Set/b.txt"):
        write_lines(root, f"VA_Estimation_Challenge/{part}", *lines)
    write_pictures(root / "cropped_aligned/a", [f"{i:05}.jpg" for i in (2, 3, 5)], 40)
    write_pictures(root / "cropped_aligned/b", [f"{i:05}.jpg" for i in range(1, 6)], 90)
    chat = "SAH_C2_S055_P109_VC1_004803_005343"
    for side in ("Valence", "Arousal"):
        rows = [f"{4803 + i},0.{i}" for i in range(3)]
        name = f"{chat}/{chat}_{side}_AV_Aligned.csv"
        write_lines(tmp_path / "chats", name, f"frame_idx,{side.lower()}", *rows)
    write_clip(tmp_path / f"chats/{chat}/{chat}.avi", 3, fps=50)
    avec = [f"'a';{i / 10};0.1;-0.{i};0" for i in range(4)]
    write_lines(tmp_path / "avec", "labels/Train_DE_01.csv", *avec)
    none = 9.0
    for given, files, expected in (
        (
            entry(root, "aff_wild2", every=5),
            ["cropped_aligned/a"],
            [(-0.04, 0.1), (0, none), (0.04, 0.3), (0.08, none), (0.12, 0.5)],
        ),
        (
            entry(tmp_path / "chats", "sewa", every=2),
            [f"{chat}/{chat}.avi"],
            [(0, 0), (0.02, 0.1), (0.04, 0.2)],
        ),
        (
            entry(tmp_path / "avec", "sewa", track="avec", every=3),
            ["videos/Train_DE_01.mp4"],
            [(0, 0), (0.1, -0.1), (0.2, -0.2), (0.3, -0.3)],
        ),
        (entry(root, "aff_wild2", track="au"), ["cropped_aligned/a"], []),
    ):
        frames = collect.traces(given, "demo", files)
        assert list(frames) == list(schema.FRAMES)
        found = frames[["time", "valence"]].fillna(none).astype(float).to_numpy()
        np.testing.assert_allclose(found, np.reshape(np.array(expected, float), (-1, 2)), atol=1e-9)
        assert set(frames["file_path"]) <= set(files)
    parts = [Part(reader="aff_wild2", root="wild"), Part(reader="sewa", root="chats")]
    union = entry(tmp_path, "union", parts=parts)
    frames = collect.traces(union, "demo", ["wild/cropped_aligned/b", f"chats/{chat}/{chat}.avi"])
    assert frames["file_path"].value_counts().tolist() == [5, 3]


def test_a_window_lies_around_its_frame_by_the_rate_of_the_entry(tmp_path: Path) -> None:
    names = [f"{t:05}" for t in range(3)]
    write_pictures(tmp_path / "001", [f"{name}.png" for name in names], 0)
    frames = {name: {"valence": 1, "arousal": 1} for name in names}
    content = {"actor": "a", "video_id": "001", "frames": frames}
    (tmp_path / "001/001.json").write_text(json.dumps(content), "utf-8")
    table = collected(entry(tmp_path, "afew_va", fps=2.0, window=1.5))
    assert table["start"].tolist() == [0.0, 0.0, 0.25]
    assert table["end"].tolist() == [0.75, 1.25, 1.75]
    every_second = collected(entry(tmp_path, "afew_va", every=2))["video_idx"].tolist()
    assert every_second == ["001/00000", "001/00002"]


def test_frames_of_another_tool_s_tables_need_its_rate(tmp_path: Path) -> None:
    for name in "ab":
        write_lines(tmp_path, f"of/{name}.csv", "frame, timestamp", "1, 0.0", f"2, 0.02{name}")
    header = "valence,arousal"
    for part in ("Train_Set/a.txt", "Validation_Set/b.txt"):
        labels = f"Third ABAW Annotations/VA_Estimation_Challenge/{part}"
        write_lines(tmp_path, labels, header, *["0.1,0.2"] * 401)
    frames = {f"{t:05}": {"valence": 1, "arousal": 1} for t in range(401)}
    content = json.dumps({"actor": "a", "video_id": "001", "frames": frames})
    write_lines(tmp_path, "001/001.json", content)
    for reader, clips in (("aff_wild2", "of/{video}.csv"), ("afew_va", "of/a.csv")):
        options: dict[str, Any] = {"clips": clips, "every": 400}
        with pytest.raises(UserError, match=r"nothing tells their times.*Set tracks\.fps"):
            collected(entry(tmp_path, reader, tracks=Tracks(tool="openface"), **options))
        tracks = Tracks(tool="openface", fps=50.0)
        table = collected(entry(tmp_path, reader, tracks=tracks, **options))
        assert set(table["excluded"]) == {""}, reader
        spans = table.loc[table["file_path"] == "of/a.csv", ["start", "end"]].values.tolist()
        assert spans == [[0.0, 1.0], [7.0, 9.0]], reader


def test_a_share_takes_all_rows_of_a_clip_or_none(tmp_path: Path) -> None:
    """A clip that contradicts itself must not pass because one of its rows was not drawn."""
    lines = [f"{i}.mp4,{word}" for i in range(40) for word in ("happy", "sad")]
    write_lines(tmp_path, "own/t.csv", "p,w", *lines)
    columns = {"file_path": "p", "actual": "w"}
    parts = [Part(reader="table", root="own", share=0.5, table="t.csv", columns=columns)]
    (source,) = collect.sources(entry(tmp_path, "union", parts=parts), "demo")
    raw = collect.read(source, 0)
    outside = raw["problem"] == Reason.OUTSIDE_SHARE
    assert outside.sum() == 40
    assert (outside.groupby(raw["video_idx"]).nunique() == 1).all()


def test_a_share_is_of_the_clips_without_a_sure_word_as_well(tmp_path: Path) -> None:
    """They may have numbers, or votes to learn from; who has a word is drawn as without them."""
    lines = [f"{i}.mp4,{('happy', 'sad', '', '')[i % 4]},0.5" for i in range(80)]
    columns = {"file_path": "p", "actual": "w", "valence": "v"}
    drawn = []
    for name, rows in (("all", lines), ("worded", [line for line in lines if ",," not in line])):
        write_lines(tmp_path / name, "own/t.csv", "p,w,v", *rows)
        part = Part(reader="table", root="own", share=0.25, table="t.csv", columns=columns)
        (source,) = collect.sources(entry(tmp_path / name, "union", parts=[part]), "demo")
        raw = collect.read(source, 0)
        drawn.append(raw[raw["problem"].isna()])
    assert drawn[0].groupby("word").size().to_dict() == {"": 10, "happy": 5, "sad": 5}
    worded = drawn[0].loc[drawn[0]["word"] != "", "video_idx"]
    assert worded.tolist() == drawn[1]["video_idx"].tolist()
    ties = [Record("t.csv", i, f"{i}", f"{i}.mp4", problem=Reason.VOTE_TIE) for i in range(8)]
    source = replace(source, corpus=replace(source.corpus, read=lambda root, entry: ties))
    problems = collect.read(source, 0)["problem"].value_counts().to_dict()
    assert problems == {Reason.VOTE_TIE: 2, Reason.OUTSIDE_SHARE: 6}


def test_without_the_official_parts_what_is_wrong_with_them_is_no_reason(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"{part}_All.csv").write_text("Action/Sad/0010 Sad\n", "utf-8")
    (source,) = collect.sources(entry(tmp_path, "ferv39k", official=False), "demo")
    raw = collect.read(source, 0)
    assert raw["part"].tolist() == ["", ""]
    facts = {"2_ClipsforFaceCrop/Action/Sad/0010": FileFact(exists=True)}
    table = clean(raw, facts, collect.rules(source, SETTINGS))
    assert table["excluded"].tolist() == ["", Reason.DUPLICATE_ROW]

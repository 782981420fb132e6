"""The real lists of four corpora, counted against what their authors publish.

They need FACEWAVE_TEST_LABELS, a folder with dfew, ferv39k, mafw and crema-d. No clip is needed:
every file counts as there.
"""

import os
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from facewave.labels import cleaning, leaks, schema, splits, subsets
from facewave.labels.collect import read, rules, sources
from facewave.labels.corpus import Corpus
from facewave.labels.readers import CORPORA
from facewave.params import Dataset, Labels

FOLDER = os.environ.get("FACEWAVE_TEST_LABELS", "")
SETTINGS = Labels(5, 0, 0.0, "exclude", 0.0, "exclude")
SHARES = (0.1, 0.2, 0.3, 0.5)
ENTRIES = {
    "dfew": ("dfew", "dfew", ""),
    "ferv39k": ("ferv39k", "ferv39k", ""),
    "mafw": ("mafw", "mafw", ""),
    "mafw compound": ("mafw", "mafw", "compound"),
    "crema-d": ("crema_d", "crema-d", ""),
    "crema-d perceived": ("crema_d", "crema-d", "perceived"),
}

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="no real lists: set FACEWAVE_TEST_LABELS to their folder"
)


def clean(entry: Dataset) -> pd.DataFrame:
    """The rows of an entry as stage clean judges them, all files being there."""
    tables = []
    for source in sources(entry, "real"):
        raw = read(source, SETTINGS.seed)
        facts = {path: cleaning.FileFact(exists=True) for path in raw["file_path"]}
        tables.append(cleaning.clean(raw, facts, rules(source, SETTINGS)))
    return pd.concat(tables, ignore_index=True)


@cache
def cleaned(name: str) -> pd.DataFrame:
    reader, root, track = ENTRIES[name]
    return clean(Dataset(reader=reader, root=str(Path(FOLDER) / root), about="a test", track=track))


@cache
def _kept(name: str, store: Path) -> pd.DataFrame:
    kept = schema.single_label(cleaned(name))
    kept = kept.assign(**splits.assign(kept, store, SETTINGS.folds, SETTINGS.seed))
    order = kept.assign(word=kept["actual"], part=kept["split"])
    return kept.assign(rank=subsets.rank(order, SETTINGS.seed))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], pd.DataFrame]:
    """The rows of a corpus that are not excluded, with their parts and ranks."""
    folder = tmp_path_factory.mktemp("stores")
    return lambda name: _kept(name, folder / f"{name}.folds.json")


Kept = Callable[[str], pd.DataFrame]


def counts(column: pd.Series) -> dict[object, int]:
    return {value: int(n) for value, n in column.value_counts().items()}


def corpus(name: str) -> Corpus:
    return CORPORA[ENTRIES[name][0]]


# What the authors publish.


def test_dfew_has_its_clips_folds_and_classes(kept: Kept) -> None:
    table = kept("dfew")
    assert len(cleaned("dfew")) == len(table) == 11697
    assert counts(table["fold"]) == {1: 2341, 2: 2341, 3: 2340, 4: 2339, 5: 2336}
    assert counts(table["actual"]) == {
        "happy": 2445, "sad": 1894, "neutral": 2669, "angry": 2173, "surprise": 1469,
        "disgust": 145, "fear": 902,
    }  # fmt: skip
    assert counts(table.loc[table["actual"] == "disgust", "fold"]) == dict.fromkeys(range(1, 6), 29)


def test_dfew_is_trained_on_what_it_is_not_tested_on(kept: Kept) -> None:
    for fold, train, test in [
        (1, 9356, 2341),
        (2, 9356, 2341),
        (3, 9357, 2340),
        (4, 9358, 2339),
        (5, 9361, 2336),
    ]:
        found = counts(schema.parts(kept("dfew"), fold))
        assert found["test"] == test
        assert found["train"] + found["val"] == train
        assert found["val"] == pytest.approx(train / 10, rel=0.05)


def test_ferv39k_has_its_split_and_scenes(kept: Kept) -> None:
    table = kept("ferv39k")
    assert len(cleaned("ferv39k")) == len(table) == 38935
    assert counts(table["part"]) == {"train": 31088, "test": 7847}
    assert (table["split"] == "test").equals(table["part"] == "test")
    assert int((table["split"] == "val").sum()) == pytest.approx(3109, abs=10)
    assert table["scene"].nunique() == 22
    assert set(table["actual"]) == set(corpus("ferv39k").track("").words)
    assert counts(table.loc[table["split"] == "test", "actual"]) == {
        "Angry": 1487, "Disgust": 467, "Fear": 431, "Happy": 1473, "Neutral": 1958, "Sad": 1393,
        "Surprise": 638,
    }  # fmt: skip


def test_mafw_has_its_clips_folds_and_classes(kept: Kept) -> None:
    table = kept("mafw")
    assert len(cleaned("mafw")) == len(table) == 9172
    assert counts(table["actual"]) == {
        "sadness": 1470, "anger": 1390, "happiness": 1242, "neutral": 1138, "surprise": 1072,
        "anxiety": 916, "disgust": 639, "fear": 625, "helplessness": 262, "contempt": 236,
        "disappointment": 182,
    }  # fmt: skip
    assert counts(table["fold"]) == {1: 1839, 2: 1837, 3: 1833, 4: 1832, 5: 1831}


def test_mafw_has_its_compounds(kept: Kept) -> None:
    table = kept("mafw compound")
    assert len(cleaned("mafw compound")) == len(table) == 8996
    found = counts(table["actual"])
    assert len(found) == 43
    joint = {word: n for word, n in found.items() if "_" in str(word)}
    assert (len(joint), sum(joint.values())) == (32, 4058)
    assert sum(found.values()) - sum(joint.values()) == 4938
    assert counts(table["fold"]) == {1: 1818, 2: 1809, 3: 1798, 4: 1788, 5: 1783}
    assert table["compound"].equals(table["actual"])


def test_crema_d_has_its_clips_and_actors(kept: Kept) -> None:
    table = kept("crema-d")
    assert len(cleaned("crema-d")) == len(table) == 7442
    assert table["subject"].nunique() == 91
    assert counts(table["actual"]) == {
        "anger": 1271, "disgust": 1271, "fear": 1271, "happy": 1271, "neutral": 1087, "sad": 1271,
    }  # fmt: skip
    about = schema.about(table)
    assert list(about) == ["age", "ethnicity", "level", "race", "sex", "statement"]
    assert (about.drop(columns=["level", "ethnicity"]) != "").all(axis=None)
    assert counts(about["level"]) == {"": 6077, "high": 455, "low": 455, "medium": 455}


def test_crema_d_leaves_ties_of_the_crowd_out(kept: Kept) -> None:
    table = cleaned("crema-d perceived")
    summary = pd.read_csv(Path(FOLDER) / "crema-d/summaryTable.csv", keep_default_na=False)
    tied = summary["FaceVote"].str.contains(":")
    assert len(table) == len(summary) == 7442
    out = table[table["excluded"] != ""]
    assert set(out["excluded"]) == {schema.Reason.VOTE_TIE}
    assert set(out["video_idx"]) == set(summary.loc[tied, "FileName"])
    assert int(tied.sum()) > 100
    letters = dict(zip("ADFHNS", corpus("crema-d").track("").words, strict=True))
    seen = summary.loc[~tied].set_index("FileName")["FaceVote"].map(letters)
    found = kept("crema-d perceived").set_index("video_idx")["actual"]
    assert found.to_dict() == seen.to_dict()


def test_the_registry_says_what_the_lists_say(kept: Kept) -> None:
    for name in ENTRIES:
        table = kept(name)
        published = corpus(name).track(ENTRIES[name][2]).published
        found: dict[object, int] = counts(table["actual"]) | counts(table["part"])
        found |= {f"fold {fold}": n for fold, n in counts(table["fold"]).items()}
        found |= {"clips": len(table), "subjects": table["subject"].nunique()}
        found |= {"classes": table["actual"].nunique(), "scenes": table["scene"].nunique()}
        assert {key: found[key] for key in published} == dict(published)


def test_nothing_is_in_two_parts(kept: Kept) -> None:
    for name in ENTRIES:
        leaks.check(kept(name), name)


# What is drawn.


def test_actors_of_crema_d_are_in_one_fold_and_one_part(kept: Kept) -> None:
    for name in ["crema-d", "crema-d perceived"]:
        actors = kept(name).groupby("subject")
        assert actors["fold"].nunique().max() == 1
        assert actors["split"].nunique().max() == 1


def test_subsets_are_nested_and_have_the_classes_and_folds_of_the_whole(kept: Kept) -> None:
    for name in ENTRIES:
        table = kept(name)
        slices = [set(schema.subset(table, 0, share)["video_idx"]) for share in SHARES]
        for smaller, larger in pairwise(slices):
            assert smaller < larger
        beside = set(schema.subset(table, 0.3, 0.5)["video_idx"])
        assert beside.isdisjoint(slices[2])
        assert beside | slices[2] == slices[3]
        kinds = {("actual",): 1, ("actual", "split"): 6}
        if name in ("dfew", "mafw"):
            kinds["actual", "fold"] = 6
        for share in SHARES:
            some = schema.subset(table, 0, share)
            assert len(some) == pytest.approx(share * len(table), abs=table["actual"].nunique())
            for columns, most in kinds.items():
                whole = table.groupby(list(columns)).size()
                taken = some.groupby(list(columns)).size().reindex(whole.index, fill_value=0)
                assert (taken - share * whole).abs().max() <= most


# MAFW's two tracks.


def of_fold(table: pd.DataFrame, fold: int, tested: bool) -> pd.DataFrame:
    return table[(table["fold"] == fold) == tested]


def test_single_training_leaks_into_the_compound_test(kept: Kept) -> None:
    for fold in range(1, 6):
        train = of_fold(kept("mafw"), fold, tested=False)
        test = of_fold(kept("mafw compound"), fold, tested=True)
        both = set(train["video_idx"]) & set(test["video_idx"])
        assert both
        assert leaks.shared(train, test).startswith(f"{len(both)} clips ({min(both)}, ")
        assert leaks.shared(train, of_fold(kept("mafw"), fold, tested=True)) == ""


def test_of_the_clips_of_both_tracks_6644_have_one_fold(kept: Kept) -> None:
    single = kept("mafw").set_index("video_idx")["fold"]
    compound = kept("mafw compound").set_index("video_idx")["fold"]
    shared = single.index.intersection(compound.index)
    assert len(shared) == 8996
    assert int((single[shared] == compound[shared]).sum()) == 6644


def test_of_the_compounds_of_mafw_880_clips_are_of_the_challenge_s_seven() -> None:
    root = str(Path(FOLDER) / "mafw")
    entry = Dataset(reader="mafw", root=root, about="a test", track="compound", words="compound")
    table = clean(entry)
    assert counts(schema.single_label(table)["actual"]) == {
        "Fearfully_Surprised": 392, "Happily_Surprised": 206, "Sadly_Surprised": 26,
        "Disgustedly_Surprised": 37, "Angrily_Surprised": 33, "Sadly_Fearful": 96,
        "Sadly_Angry": 90,
    }  # fmt: skip
    assert counts(table["excluded"]) == {"": 880, schema.Reason.NO_COUNTERPART: 8116}


# The union.


def test_the_union_takes_its_shares() -> None:
    table = clean(Dataset(reader="union", root=FOLDER, about="a test"))
    taken = schema.single_label(table)
    assert counts(taken["dataset"]) == {"dfew": 3509, "ferv39k": 3894, "mafw": 3787}
    assert set(taken["actual"]) == set(schema.SEVEN)
    assert taken["fold"].isna().all()
    assert set(taken["part"]) == {""}


def test_seven_words_leave_no_other_than_those_out() -> None:
    entry = Dataset(reader="mafw", root=str(Path(FOLDER) / "mafw"), about="a test", words="seven")
    table = clean(entry)
    left = table[table["excluded"] == schema.Reason.NO_COUNTERPART]
    assert counts(left["note"]) == {
        "anxiety": 916, "helplessness": 262, "contempt": 236, "disappointment": 182,
    }  # fmt: skip
    assert len(schema.single_label(table)) == 9172 - 916 - 262 - 236 - 182

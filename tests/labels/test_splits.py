"""Folds and split: by subject, stratified, drawn once; what is stored moves for nobody."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import splits

FOLDS = 5


def clips(subjects: list[str], labels: list[int], fold: list[int | None] | None = None) -> Any:
    """Kept clips; the index has holes, as after cleaning."""
    n = len(subjects)
    return pd.DataFrame(
        {
            "video_idx": [str(i) for i in range(1, n + 1)],
            "subject": subjects,
            "label": pd.array(labels, dtype="Int64"),
            "fold": pd.array(fold or [None] * n, dtype="Int64"),
        },
        index=pd.RangeIndex(3, 3 + 2 * n, 2),
    )


def people(n: int, each: int = 3) -> Any:
    """``each`` clips of ``n`` subjects, two words in turn."""
    subjects = [f"s{i:02}" for i in range(n) for _ in range(each)]
    return clips(subjects, [i % 2 for i in range(n * each)])


def assign(kept: Any, store: Path, folds: int = FOLDS, seed: int = 0) -> Any:
    """The clips with their parts, by clip."""
    parts = splits.assign(kept, store, folds, seed)
    assert parts.index.equals(kept.index)
    return kept.assign(**parts).set_index("video_idx")


def assert_shares_no_subject(table: Any) -> None:
    named = table[table["subject"] != ""]
    assert (named.groupby("subject")[["fold", "split"]].nunique() == 1).all(axis=None)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "demo.folds.json"


def test_no_subject_is_in_two_parts_and_no_part_is_empty(store: Path) -> None:
    table = assign(people(20), store)
    assert_shares_no_subject(table)
    assert sorted(table["fold"].unique()) == [1, 2, 3, 4, 5]
    assert set(table["split"]) == {"train", "val", "test"}


def test_the_split_is_eighty_ten_ten(store: Path) -> None:
    table = assign(people(50, each=4), store)
    counts = table["split"].value_counts(normalize=True)
    assert counts["train"] == pytest.approx(0.8, abs=0.02)
    assert counts["val"] == pytest.approx(0.1, abs=0.02)


def test_each_part_has_each_word_in_its_share(store: Path) -> None:
    # One word a subject, rare ones last: folds that ignore the words would miss them.
    words = [0] * 40 + [1] * 20 + [2] * 10
    table = assign(clips([f"s{i}" for i in range(70)], words), store)
    whole = pd.Series(words).value_counts(normalize=True)
    for part in ("fold", "split"):
        shares = table.groupby(part)["label"].value_counts(normalize=True).unstack(fill_value=0)
        assert (shares - whole).abs().max(axis=None) < 0.04


def test_clips_without_a_subject_stand_for_themselves(store: Path) -> None:
    table = assign(clips([""] * 100, [i % 2 for i in range(100)]), store)
    assert table["split"].value_counts().to_dict() == {"train": 80, "val": 10, "test": 10}
    assert set(table["fold"].value_counts()) == {20}


def test_the_same_seed_draws_the_same_and_another_one_another(tmp_path: Path) -> None:
    drawn = [assign(people(30), tmp_path / f"{i}.json", seed=i // 2) for i in range(4)]
    pd.testing.assert_frame_equal(drawn[0], drawn[1])
    for part in ("fold", "split"):
        assert (drawn[0][part] != drawn[2][part]).any()
    files = [(tmp_path / f"{i}.json").read_bytes() for i in range(4)]
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_a_second_run_reads_what_the_first_one_stored(store: Path) -> None:
    first = assign(people(30), store)
    written = store.read_bytes()
    content = json.loads(written)
    content["split"] = dict.fromkeys(content["split"], "val")  # no draw gives this
    pd.testing.assert_frame_equal(assign(people(30), store), first)
    assert store.read_bytes() == written
    store.write_text(json.dumps(content), "utf-8")
    assert set(assign(people(30), store)["split"]) == {"val"}


@pytest.mark.parametrize("changed", [{"seed": 1}, {"folds": 4}])
def test_another_seed_or_number_of_folds_draws_anew(store: Path, changed: dict[str, int]) -> None:
    first = assign(people(30), store)
    second = assign(people(30), store, **changed)
    assert (first["fold"] != second["fold"]).any()
    assert second["fold"].max() == changed.get("folds", FOLDS)


def test_a_new_clip_of_a_known_subject_joins_it(store: Path) -> None:
    first = assign(people(30), store)
    more = pd.concat([people(30), clips(["s07"], [1]).assign(video_idx="new")], ignore_index=True)
    second = assign(more, store)
    pd.testing.assert_frame_equal(second.drop("new")[["fold", "split"]], first[["fold", "split"]])
    assert_shares_no_subject(second)


@pytest.mark.parametrize("subject", ["a first", "zz last", ""])
def test_a_new_subject_moves_nobody(store: Path, subject: str) -> None:
    first = assign(people(30), store)
    new = clips([subject], [0]).assign(video_idx="new")
    second = assign(pd.concat([new, people(30)], ignore_index=True), store)
    pd.testing.assert_frame_equal(second.drop("new")[["fold", "split"]], first[["fold", "split"]])
    assert second.loc["new", "fold"] in range(1, FOLDS + 1)
    assert second.loc["new", "split"] in {"train", "val", "test"}


def test_many_new_subjects_keep_the_shares(store: Path) -> None:
    assign(people(20), store)
    table = assign(people(200), store)
    assert table["fold"].value_counts(normalize=True).between(0.19, 0.21).all()
    assert table["split"].value_counts(normalize=True)["train"] == pytest.approx(0.8, abs=0.02)


def test_a_clip_that_leaves_moves_nobody_and_finds_its_place_again(store: Path) -> None:
    first = assign(people(30), store)
    fewer = people(30).query("subject != 's03' and video_idx != '1'")
    second = assign(fewer, store)
    pd.testing.assert_frame_equal(
        second[["fold", "split"]], first.loc[second.index, second.columns[-2:]]
    )
    pd.testing.assert_frame_equal(assign(people(30), store), first)


def test_official_folds_stay(store: Path) -> None:
    official: list[int | None] = [1 + i % 4 for i in range(60)]
    kept = people(20).assign(fold=pd.array(official, dtype="Int64"))
    table = assign(kept, store)
    assert table["fold"].tolist() == official
    assert (table.groupby("subject")["split"].nunique() == 1).all()
    assert assign(kept, store, seed=9)["fold"].tolist() == official


def test_clips_that_come_later_are_placed_by_their_words(store: Path) -> None:
    few = clips([f"a{i}" for i in range(30)], [i % 3 for i in range(30)])
    assign(few, store)
    # Sorted by word, as corpora come: the order must not decide.
    many = clips([f"b{i:03}" for i in range(270)], [i // 90 for i in range(270)])
    both = pd.concat([few, many.assign(video_idx=[f"b{i}" for i in range(270)])], ignore_index=True)
    table = assign(both, store)
    for part, share in (("test", 10), ("val", 10), ("train", 80)):
        counts = table[table["split"] == part].groupby("label").size()
        assert counts.sub(share).abs().max() <= 3, part
    for _, counts in table.groupby("fold")["label"].value_counts().groupby(level=0):
        assert (counts - 20).abs().max() <= 3


def test_another_corpus_under_the_same_name_is_drawn_anew(store: Path) -> None:
    assign(people(20), store)
    other = people(20).assign(subject=lambda table: "x" + table["subject"])
    assert assign(other, store)["split"].tolist() == assign(people(20), store)["split"].tolist()


@pytest.mark.parametrize(("subjects", "folds"), [(0, 5), (1, 2), (4, 5), (2, 2)])
def test_too_few_subjects_are_refused(store: Path, subjects: int, folds: int) -> None:
    with pytest.raises(UserError, match=f"^{subjects} subjects cannot fill"):
        assign(people(9, each=20).head(20 * subjects), store, folds=folds)
    assert not store.exists()


@pytest.mark.parametrize("n", [10, 12])
def test_few_clips_of_many_words_are_refused_or_drawn(store: Path, n: int) -> None:
    try:
        table = assign(clips([""] * n, [i % 7 for i in range(n)]), store)
    except UserError:
        return
    assert set(table["split"]) == {"train", "val", "test"}


def test_ten_clips_of_one_word_are_enough(store: Path) -> None:
    table = assign(clips([""] * 10, [3] * 10), store)
    assert table["split"].value_counts().to_dict() == {"train": 8, "val": 1, "test": 1}


@pytest.mark.parametrize("damage", ["", "{", '{"seed": 0', "\udcff", "nothing"])
def test_a_damaged_store_is_refused(store: Path, damage: str) -> None:
    store.write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"demo\.folds\.json is damaged .*Restore it with git"):
        assign(people(20), store)
    assert store.read_bytes() == damage.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"seed": 0, "folds": 5},
        {"seed": 0, "folds": 5, "fold": None, "split": {}},
        {"seed": 0, "folds": 5, "fold": [], "split": {}},
        {"seed": 0, "folds": 5, "fold": {"s00": 9}, "split": {"s00": "val"}},
        {"seed": 0, "folds": 5, "fold": {"s00": "x"}, "split": {"s00": "val"}},
        {"seed": 0, "folds": 5, "fold": {"s00": 1.5}, "split": {"s00": "val"}},
        {"seed": 0, "folds": 5, "fold": {"s00": 1}, "split": {"s00": "dev"}},
    ],
    ids=lambda content: json.dumps(content)[:60],
)
def test_a_store_of_another_shape_is_refused(store: Path, content: Any) -> None:
    store.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UserError, match=r"demo\.folds\.json is damaged"):
        assign(people(20), store)


SIZES = st.lists(st.integers(1, 12), min_size=10, max_size=25)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=SIZES,
    words=st.lists(st.integers(0, 1), min_size=300, max_size=300),
    folds=st.integers(2, 6),
    new=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    gone=st.sets(st.integers(0, 40), max_size=20),
)
def test_parts_share_no_subject_and_stay(
    tmp_path: Path, sizes: list[int], words: list[int], folds: int, new: list[int], gone: set[int]
) -> None:
    store = tmp_path / "folds.json"
    store.unlink(missing_ok=True)
    sizes = [size + 1 for size in sizes]  # 20 clips or more: one of two words has ten
    subjects = [f"s{i}" for i, size in enumerate(sizes) for _ in range(size)]
    first = assign(clips(subjects, words[: len(subjects)]), store, folds)
    assert_shares_no_subject(first)
    assert set(first["fold"]) == set(range(1, folds + 1))
    assert set(first["split"]) == {"train", "val", "test"}

    subjects += [f"s{i}" for i in new]
    later = clips(subjects, words[: len(subjects)])
    later = later[~later["video_idx"].isin([str(i) for i in gone])]
    second = assign(later, store, folds)
    assert_shares_no_subject(second)
    stayed = first.index.intersection(second.index)
    pd.testing.assert_frame_equal(
        second.loc[stayed, ["fold", "split"]], first.loc[stayed, ["fold", "split"]]
    )

"""The stratified order of clips: slices are subsets that keep the proportions of the whole."""

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.labels.schema import subset
from facewave.labels.subsets import rank


def clips(cells: list[tuple[str, int | None, str]], dataset: str = "d") -> pd.DataFrame:
    """One clip for each (word, fold, part)."""
    words, folds, parts = zip(*cells, strict=True)
    columns: dict[str, Any] = {
        "video_idx": [f"{i:05d}" for i in range(len(cells))],
        "file_path": [f"{i:05d}" for i in range(len(cells))],
        "dataset": [dataset] * len(cells),
        "word": words,
        "fold": pd.array(folds, dtype="Int64"),
        "part": parts,
    }
    return pd.DataFrame(columns)


def ranked(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return table.assign(rank=rank(table, seed))


def even(n: int) -> pd.DataFrame:
    """``n`` clips of each of two words in each of five folds."""
    return clips(
        [(word, fold, "") for word in ("happy", "sad") for fold in range(1, 6) for _ in range(n)]
    )


WORDS = st.sampled_from(["happy", "happy", "happy", "sad", ""])
CELLS = st.lists(
    st.tuples(WORDS, st.none() | st.integers(1, 3), st.sampled_from(["", "train", "test"])),
    min_size=1,
    max_size=60,
)


@settings(deadline=None, max_examples=20)
@given(CELLS, st.integers(0, 2**32 - 1))
def test_ranks_lie_below_1_and_no_two_clips_of_a_word_share_one(
    cells: list[tuple[str, int | None, str]], seed: int
) -> None:
    table = ranked(clips(cells), seed)
    assert table["rank"].between(0, 1, inclusive="left").all()
    assert not table.duplicated(["word", "rank"]).any()


@settings(deadline=None, max_examples=20)
@given(CELLS, st.floats(0, 1))
def test_a_slice_has_the_share_of_each_word(
    cells: list[tuple[str, int | None, str]], share: float
) -> None:
    table = ranked(clips(cells))
    sizes = table.groupby("word").size()
    taken = subset(table, 0, share).groupby("word").size().reindex(sizes.index, fill_value=0)
    assert ((taken - share * sizes).abs() <= 0.5 + 1e-9).all()


def test_a_slice_has_the_share_of_each_word_in_each_fold() -> None:
    for seed in range(5):
        for first, last in [(0, 0.1), (0, 0.3), (0.3, 0.5), (0.5, 1)]:
            sizes = subset(ranked(even(20), seed), first, last).groupby(["word", "fold"]).size()
            assert len(sizes) == 10
            assert ((sizes - 20 * (last - first)).abs() <= 1).all()


def test_a_slice_has_the_share_of_each_part_though_they_differ_in_size() -> None:
    for seed in range(5):
        table = clips(
            [("happy", None, part) for part in ["train"] * 160 + ["val"] * 20 + ["test"] * 20]
        )
        taken = subset(ranked(table, seed), 0, 0.25).groupby("part").size()
        assert abs(taken["train"] - 40) <= 1
        assert abs(taken["val"] - 5) <= 1
        assert abs(taken["test"] - 5) <= 1


@settings(deadline=None, max_examples=20)
@given(CELLS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_plays_no_part(
    cells: list[tuple[str, int | None, str]], chance: Any
) -> None:
    table = clips(cells)
    order = list(range(len(cells)))
    chance.shuffle(order)
    assert rank(table.iloc[order], 3).tolist() == rank(table, 3)[order].tolist()


def test_a_seed_fixes_the_order_and_another_gives_another() -> None:
    table = even(10)
    assert rank(table, 0).tolist() == rank(table, 0).tolist()
    first = {seed: set(subset(ranked(table, seed), 0, 0.3)["video_idx"]) for seed in range(4)}
    assert all(first[0] != first[seed] for seed in (1, 2, 3))


def test_the_order_is_that_of_all_machines() -> None:
    table = clips([("happy", 1, "")] * 5)
    assert rank(table, 0).tolist() == [0.7, 0.9, 0.3, 0.5, 0.1]
    assert rank(table[:1], 0).tolist() == [0.5]


def test_a_clip_is_ranked_by_its_id_and_not_by_its_number() -> None:
    """Consecutive clips, often of one film, are spread over the order."""
    found = rank(clips([("happy", 1, "")] * 200), 0)
    assert abs(np.corrcoef(found, np.arange(200))[0, 1]) < 0.3


def test_corpora_are_ranked_each_for_itself() -> None:
    one, other = even(4), even(4).assign(dataset="e")
    both = rank(pd.concat([one, other], ignore_index=True), 0)
    assert both[:40].tolist() == rank(one, 0).tolist()
    assert both[40:].tolist() == rank(other, 0).tolist()
    assert both[:40].tolist() != both[40:].tolist()


def test_rows_about_one_file_have_one_place() -> None:
    table = clips([("", None, "")] * 60)
    table["file_path"] = [f"{i // 6}.mp4" for i in range(60)]
    table = ranked(table)
    assert (table.groupby("file_path")["rank"].nunique() == 1).all()
    slices = [set(subset(table, *ends)["file_path"]) for ends in ((0, 0.3), (0.3, 0.5))]
    assert [len(some) for some in slices] == [3, 2]
    assert slices[0].isdisjoint(slices[1])

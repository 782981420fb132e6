"""Leak check: a clip, a file, a subject or a source on two sides is found, in every partition."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import leaks

DELETE = "The stored parts no longer fit the table: delete its .folds.json to draw new ones."
UNOFFICIAL = (
    "The corpus's own parts leak; to draw disjoint ones set official: false in its entry in "
    "params.yaml (of a union, take part out of its parts)."
)
COLUMN = {"clip": "video_idx", "file": "file_path", "subject": "subject", "source": "source"}
N = 12


def disjoint(**columns: Any) -> Any:
    """Twelve clips, each of its own subject and source; drawn: four folds and a split."""
    numbers = range(N)
    content = {
        "video_idx": [f"c{i}" for i in numbers],
        "file_path": [f"{i}.mp4" for i in numbers],
        "subject": [f"s{i}" for i in numbers],
        "source": [f"f{i}" for i in numbers],
        "fold": pd.array([i % 4 + 1 for i in numbers], dtype="Int64"),
        "split": ["train", "train", "val", "test"] * 3,
        "validation": pd.array([pd.NA] * N, dtype="boolean"),
        "part": [""] * N,
    }
    return pd.DataFrame(content | columns)


def no_folds() -> Any:
    """The same, of a corpus with an official split and nothing else."""
    table = disjoint(fold=pd.array([pd.NA] * N, dtype="Int64"))
    return table.assign(part=table["split"].replace("val", "train"))


def official_folds() -> Any:
    """The same, of a corpus with official folds: some clips validate."""
    return disjoint(validation=pd.array([i in (2, 5, 7) for i in range(N)], dtype="boolean"))


def with_both(table: Any, kind: str, one: int, other: int) -> Any:
    """The table, with the same ``kind`` in two rows."""
    column = COLUMN[kind]
    changed = table.copy()
    changed.loc[other, column] = changed.loc[one, column]
    return changed


def refusal(table: Any) -> str:
    with pytest.raises(UserError) as caught:
        leaks.check(table, "demo")
    return str(caught.value)


def test_where_nothing_is_shared_nothing_is_said() -> None:
    cases: list[Any] = [disjoint(), no_folds(), official_folds()]
    for table in cases:
        leaks.check(table, "demo")


def test_whatever_two_parts_of_the_split_share_is_named() -> None:
    for kind in COLUMN:
        for one, other, said in [
            (0, 3, "train and test"),
            (0, 2, "train and val"),
            (2, 3, "val and test"),
        ]:
            table = with_both(no_folds(), kind, one, other)
            name = table.loc[one, COLUMN[kind]]
            sentence = refusal(table)
            assert sentence.startswith(f"demo, split: {said} share 1 {kind}s ({name}). ")
            assert sentence.endswith(UNOFFICIAL)


def test_whatever_two_parts_of_an_official_fold_share_is_named() -> None:
    for kind in COLUMN:
        for fold in [1, 2, 3, 4]:
            table = official_folds().assign(split="train", fold=pd.array([9] * N, dtype="Int64"))
            table.loc[0, "fold"] = fold
            sentence = refusal(with_both(table, kind, 0, 1))
            assert sentence.startswith(f"demo, fold {fold}: train and test share 1 {kind}s (")
            assert sentence.endswith(UNOFFICIAL)


def test_what_official_folds_set_aside_to_validate_shares_nothing_either() -> None:
    table = official_folds().assign(split="train")
    # Rows 3 and 7 are in fold 4, row 7 validates where another fold is tested.
    sentence = refusal(with_both(table, "subject", 3, 7))
    assert sentence.startswith("demo, fold 1: train and val share 1 subjects (s3). ")


def test_what_two_parts_of_a_drawn_fold_share_asks_for_new_ones() -> None:
    table = disjoint(split=["train"] * N)
    sentence = refusal(with_both(table, "source", 0, 2))
    assert sentence == f"demo, fold 1: train and test share 1 sources (f0). {DELETE}"


def test_what_two_parts_of_a_drawn_split_share_asks_for_new_ones() -> None:
    table = with_both(disjoint(), "subject", 0, 8)  # train and train, fold 1 and fold 1
    table.loc[8, "split"] = "test"
    assert refusal(table) == f"demo, split: train and test share 1 subjects (s0). {DELETE}"


def test_who_is_in_one_part_twice_leaks_nothing() -> None:
    table = disjoint()
    table.loc[4, ["subject", "source"]] = table.loc[0, ["subject", "source"]]  # fold 1, train
    leaks.check(table, "demo")


# What two tables share.


def clips(*names: str, **columns: Any) -> Any:
    """Rows of clips of which only the names are known."""
    known = {"video_idx": list(names), "file_path": [f"clips/{name}" for name in names]}
    return pd.DataFrame(known | {"subject": "", "source": ""} | columns)


def test_all_that_is_shared_is_named_and_of_many_the_first_three() -> None:
    one = clips("a", "b", "c", "d", "e", source="film")
    other = clips("e", "d", "c", "b", "x", source="film")
    assert leaks.shared(one, other) == (
        "4 clips (b, c, d and 1 more), 4 files (clips/b, clips/c, clips/d and 1 more), "
        "1 sources (film)"
    )


@settings(deadline=None, max_examples=30)
@given(st.sets(st.integers(0, 9), max_size=6), st.sets(st.integers(0, 9), max_size=6))
def test_two_tables_share_something_if_and_only_if_a_clip_is_in_both(
    one: set[int], other: set[int]
) -> None:
    said = leaks.shared(clips(*map(str, one)), clips(*map(str, other)))
    assert bool(said) == bool(one & other)
    assert leaks.shared(clips(*map(str, other)), clips(*map(str, one))) == said


def test_copies_of_a_file_are_a_leak() -> None:
    one = pd.DataFrame(
        {"video_idx": ["1"], "file_path": ["1.mp4"], "subject": [""], "source": [""], "twin": ["a"]}
    )
    other = one.assign(video_idx="2", file_path="2.mp4")
    assert leaks.shared(one, other) == "1 copied files (a)"
    assert leaks.shared(one, other.assign(twin="")) == ""

"""Answers to moments by their neighbours in time."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.training.over_time import WIDTHS, best_width, moments, over_time
from making import words

WORDS = ("happy", "sad", "angry")
TARGET = words(*WORDS)
P = list(TARGET.numbers)


def rows(times: list[float], file: str = "a.mp4", length: float = 1.0) -> pd.DataFrame:
    start = np.array(times) - length / 2
    return pd.DataFrame({"file_path": file, "start": start, "end": start + length})


def answered(codes: list[int], sure: float = 0.8, blind: tuple[int, ...] = ()) -> pd.DataFrame:
    shares = np.where(np.eye(3)[codes], sure, (1 - sure) / 2).reshape(-1, 3)
    table = pd.DataFrame(shares, columns=P).assign(predicted=[WORDS[code] for code in codes])
    return table.assign(
        answered_from=["prior" if at in blind else "face" for at in range(len(codes))]
    )


def said(table: pd.DataFrame) -> list[int]:
    return [WORDS.index(word) for word in table["predicted"]]


def test_what_is_alone_goes_and_what_lasts_stays() -> None:
    times = [at / 10 for at in range(8)]
    table = over_time(rows(times), answered([0, 0, 1, 0, 0, 2, 2, 2]), [TARGET], 0.3)
    assert said(table) == [0, 0, 0, 0, 0, 2, 2, 2]
    np.testing.assert_allclose(table[P].sum(axis=1), 1)
    assert table.index.tolist() == list(range(8))


def test_a_causal_filter_knows_nothing_of_what_comes() -> None:
    times = [at / 10 for at in range(8)]
    codes = [0, 0, 1, 0, 0, 2, 2, 2]
    table = over_time(rows(times), answered(codes), [TARGET], 0.2, causal=True)
    assert said(table) == [0, 0, 0, 0, 0, 0, 2, 2]  # later by a moment
    for end in range(1, 8):
        cut = over_time(rows(times[:end]), answered(codes[:end]), [TARGET], 0.2, causal=True)
        pd.testing.assert_frame_equal(cut, table.iloc[:end])


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=2, max_size=12),
    st.randoms(),
)
@settings(deadline=None, max_examples=30)
def test_width_0_changes_nothing_and_the_order_of_rows_does_not_matter(
    made: list[tuple[int, int]], random: np.random.Generator
) -> None:
    some = pd.concat([rows([at / 7 for at, _ in made]), rows([at / 3 for at, _ in made], "b.mp4")],
                     ignore_index=True)  # fmt: skip
    table = answered([code for _, code in made] * 2)
    assert over_time(some, table, [TARGET], 0.0) is table
    whole = over_time(some, table, [TARGET], 0.5)
    order = list(range(len(some)))
    random.shuffle(order)
    shuffled = over_time(some.iloc[order], table.iloc[order], [TARGET], 0.5)
    pd.testing.assert_frame_equal(shuffled.sort_index(), whole)
    apart = over_time(some.iloc[: len(made)], table.iloc[: len(made)], [TARGET], 0.5)
    pd.testing.assert_frame_equal(whole.iloc[: len(made)], apart)  # files do not mix


def test_single_moments_whole_files_and_faceless_ones_are_left_alone() -> None:
    whole = rows([1.0, 1.0]).assign(start=np.nan, end=np.nan)
    some = pd.concat([rows([0.0, 0.1, 0.2]), whole, rows([0.1], "b.mp4")], ignore_index=True)
    assert moments(some).tolist() == [True] * 3 + [False] * 3
    assert not moments(some.drop(columns="start")).any()
    table = answered([0, 1, 0, 1, 2, 1], blind=(0,))
    found = over_time(some, table, [TARGET], 1.0)
    pd.testing.assert_frame_equal(found.iloc[[0, 3, 4, 5]], table.iloc[[0, 3, 4, 5]])
    np.testing.assert_allclose(found[P].iloc[1], [0.45, 0.45, 0.1])  # of itself and the third alone
    assert said(found) == [0, 1, 0, 1, 2, 1]  # a tie is the moment's own


def test_where_all_medians_are_0_a_moment_keeps_its_votes() -> None:
    table = answered([0, 1, 2], sure=1.0)
    pd.testing.assert_frame_equal(
        over_time(rows([0, 0.1, 0.2]), table, [TARGET], 1.0).iloc[[1]], table.iloc[[1]]
    )


@pytest.mark.parametrize("spell", [1, 3, 30])
def test_the_best_width_follows_how_long_expressions_last(spell: int) -> None:
    """Ten moments a second, a fifth of them wrong."""
    rng = np.random.default_rng(0)
    codes = (np.arange(600) // spell) % 3
    noisy = np.where(rng.random(600) < 0.2, rng.integers(0, 3, 600), codes)
    table, some = answered(noisy.tolist()), rows([at / 10 for at in range(600)])
    width = best_width(some, table, [TARGET], np.eye(3)[codes])
    assert width == {1: 0.0, 3: 0.25, 30: 0.5}[spell]


def test_of_equal_widths_the_smallest_is_chosen_and_without_moments_none() -> None:
    codes = [0] * 5 + [1] * 5
    table, some = answered(codes), rows([at / 1 for at in range(10)])
    assert WIDTHS[0] == 0
    assert all(one < other for one, other in pairwise(WIDTHS))
    assert best_width(some, table, [TARGET], np.eye(3)[codes]) == 0
    apart = some.assign(file_path=[str(at) for at in range(10)])
    assert best_width(apart, answered(codes[::-1]), [TARGET], np.eye(3)[codes]) == 0

"""Likely label errors: what is planted is found, and nobody is suspected without evidence."""

import numpy as np
import pandas as pd
import pytest

from facewave.evaluation.suspects import COLUMNS, likely_errors
from facewave.evaluation.suspects import suspects as suspects_of

WORDS = ("happy", "sad", "neutral", "angry")

LISTED = {
    0: [3, 18, 29, 31, 33, 36, 39, 43, 44, 49, 51, 54, 57, 58],
    1: [5, 6, 22, 26, 31, 35, 37, 42, 48, 54],
    2: [2, 13, 19, 20, 21, 25, 26, 28, 29, 30, 31, 33, 34, 36, 44, 53, 55, 56, 59],
    4: [2, 4, 5, 6, 10, 12, 13, 14, 15, 16, 18, 21, 22, 24, 25, 26, 27, 28, 29, 32,
        33, 34, 36, 38, 39, 40, 41, 46, 50, 51, 52, 56, 57],
    5: [8, 9, 15, 18, 20, 22, 31, 35, 37, 41, 44, 47, 49, 53, 55],
    6: [1, 6, 16, 19, 24, 27, 31, 32, 37, 43, 45, 46, 48, 49, 59],
    7: [1, 2, 3, 7, 16, 22, 24, 33, 37, 46],
    8: [1, 2, 3, 7, 20, 22, 25, 26, 29, 33, 35, 36, 40, 44, 45, 46, 53, 54, 58],
}  # fmt: skip


def answers(n: int = 40, words: tuple[str, ...] = WORDS, sure: float = 0.9) -> pd.DataFrame:
    """Confident answers that agree with every label, a little less sure from clip to clip."""
    actual = [words[i % len(words)] for i in range(n)]
    table = pd.DataFrame(
        {
            "video_idx": [f"{i:03}" for i in range(n)],
            "file_path": [f"{i:03}.mp4" for i in range(n)],
            "actual": actual,
            "predicted": actual,
            "answered_from": "face",
        }
    )
    said = np.linspace(sure, sure - 0.1, n)
    rest = (1 - said) / (len(WORDS) - 1)
    for word in WORDS:
        table[f"p_{word}"] = np.where(table["actual"] == word, said, rest).round(4)
    return table


def suspects(table: pd.DataFrame, words: tuple[str, ...]) -> pd.DataFrame:
    """Of clips whose rows of the label table have their numbers in it."""
    labels = table[["video_idx"]].assign(votes="{}", table="list.csv", start=0.5, end=np.nan)
    labels["row"] = table.index
    return suspects_of(table, labels.iloc[::-1], words)


def test_a_planted_wrong_label_is_found_with_what_the_model_says() -> None:
    table = answers()
    assert suspects(table, WORDS).empty
    table.loc[5, "actual"] = "angry"  # it was sad
    before = table.copy()
    found = suspects(table, WORDS)
    pd.testing.assert_frame_equal(table, before)
    assert tuple(found) == COLUMNS
    columns = ["video_idx", "actual", "suggested", "votes", "table", "row", "start"]
    assert found[columns].to_numpy().tolist() == [["005", "angry", "sad", "{}", "list.csv", 5, 0.5]]
    p_sad, p_angry = table.loc[5, ["p_sad", "p_angry"]].astype(float)
    assert found["p_suggested"].tolist() == [p_sad]
    assert found["p_label"].tolist() == [p_angry]
    assert found["quality"].tolist() == pytest.approx([(p_angry - p_sad + 1) / 2], abs=1e-4)
    for column, value in (("answered_from", "prior"), ("predicted", "")):  # not seen, not answered
        assert suspects(table.assign(**{column: value}), WORDS).empty


def test_the_most_doubtful_comes_first_and_equal_doubts_in_the_order_of_their_clips() -> None:
    table = answers()
    table.loc[6, "actual"] = "happy"  # it was neutral
    table.loc[33, "actual"] = "angry"  # it was sad
    table.loc[33, [f"p_{word}" for word in WORDS]] = [0.0, 0.99, 0.0, 0.01]
    found = suspects(table, WORDS)
    assert list(found["video_idx"]) == ["033", "006"]
    assert found["quality"].is_monotonic_increasing
    assert list(found["suggested"]) == ["sad", "neutral"]
    table = pd.concat([table.assign(video_idx="x" + table["video_idx"]), table], ignore_index=True)
    assert list(suspects(table, WORDS)["video_idx"]) == ["033", "x033", "006", "x006"]


def test_answers_from_the_prior_change_nothing_for_others() -> None:
    table = answers()
    table.loc[5, "actual"] = "angry"
    blind = table.assign(answered_from="prior", video_idx="blind " + table["video_idx"])
    for word in WORDS:
        blind[f"p_{word}"] = 0.25
    both = pd.concat([blind, table], ignore_index=True)
    columns = ["video_idx", "suggested", "quality"]
    expected = suspects(table, WORDS)[columns].to_numpy().tolist()
    assert suspects(both, WORDS)[columns].to_numpy().tolist() == expected


def test_words_that_no_clip_has_do_no_harm() -> None:
    for words in (("happy", "sad"), ("sad", "angry"), ("neutral", "angry")):
        table = answers(words=words)
        table.loc[4, "actual"] = words[1]
        found = suspects(table, WORDS)
        assert found[["video_idx", "suggested"]].to_numpy().tolist() == [["004", words[0]]]
    for n in (0, 1, 12):  # with one class alone there is nothing else to suspect
        found = suspects(answers(n=n, words=("sad",)), WORDS)
        assert found.empty
        assert tuple(found) == COLUMNS


def test_the_same_labels_are_doubted_as_by_cleanlab() -> None:
    # Of cleanlab 2.9's filter.find_label_issues, where no counts are equal.
    listed = {}
    for seed in LISTED:
        rng = np.random.default_rng(seed)
        actual = rng.integers(0, 4, 60)
        codes = np.where(rng.random(60) < 0.2, rng.integers(0, 4, 60), actual)
        scores = rng.dirichlet(np.ones(4), 60) + rng.uniform(0.2, 0.6) * np.eye(4)[actual]
        probabilities = scores / scores.sum(1, keepdims=True)
        listed[seed] = np.flatnonzero(likely_errors(codes, probabilities)).tolist()
    assert listed == LISTED

"""Likely label errors: what is planted is found, and nobody is suspected without evidence."""

import numpy as np
import pandas as pd
import pytest

from facewave.evaluation.suspects import COLUMNS
from facewave.evaluation.suspects import suspects as suspects_of

WORDS = ("happy", "sad", "neutral", "angry")


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


def mislabel(table: pd.DataFrame, at: int, word: str) -> None:
    """Another label for one clip; what the model says of it stays."""
    table.loc[at, "actual"] = word


def test_where_model_and_labels_agree_nobody_is_suspected() -> None:
    assert suspects(answers(), WORDS).empty


def test_a_planted_wrong_label_is_found_with_what_the_model_says() -> None:
    table = answers()
    mislabel(table, at=5, word="angry")  # it was sad
    found = suspects(table, WORDS)
    assert list(found["video_idx"]) == ["005"]
    assert list(found["actual"]) == ["angry"]
    assert list(found["suggested"]) == ["sad"]
    assert found["quality"].between(0, 0.2).all()
    assert tuple(found) == COLUMNS
    assert found[["votes", "table", "row", "start"]].to_numpy().tolist() == [
        ["{}", "list.csv", 5, 0.5]
    ]
    assert found["p_suggested"].tolist() == table.loc[[5], "p_sad"].tolist()
    assert found["p_label"].tolist() == table.loc[[5], "p_angry"].tolist()


def test_the_most_doubtful_comes_first() -> None:
    table = answers()
    mislabel(table, at=6, word="happy")  # it was neutral
    mislabel(table, at=33, word="angry")  # it was sad
    table.loc[33, [f"p_{word}" for word in WORDS]] = [0.0, 0.99, 0.0, 0.01]
    found = suspects(table, WORDS)
    assert list(found["video_idx"]) == ["033", "006"]
    assert found["quality"].is_monotonic_increasing
    assert list(found["suggested"]) == ["sad", "neutral"]


def test_equal_doubts_stand_in_the_order_of_their_clips() -> None:
    table = pd.concat([answers()] * 2, ignore_index=True)
    table["video_idx"] = [f"{i:03}" for i in reversed(range(80))]
    for at in (6, 46):
        mislabel(table, at=at, word="happy")
    found = suspects(table, WORDS)
    assert list(found["video_idx"]) == ["033", "073"]
    assert found["quality"].nunique() == 1


def test_what_was_not_seen_or_not_answered_is_not_suspected() -> None:
    for column, value in (("answered_from", "prior"), ("predicted", "")):
        table = answers()
        mislabel(table, at=5, word="angry")
        table.loc[5, column] = value
        assert suspects(table, WORDS).empty


def test_answers_from_the_prior_change_nothing_for_others() -> None:
    table = answers()
    mislabel(table, at=5, word="angry")
    blind = table.assign(answered_from="prior", video_idx="blind " + table["video_idx"])
    for word in WORDS:
        blind[f"p_{word}"] = 0.25
    both = pd.concat([blind, table], ignore_index=True)
    columns = ["video_idx", "suggested", "quality"]
    expected = suspects(table, WORDS)[columns].to_numpy().tolist()
    assert suspects(both, WORDS)[columns].to_numpy().tolist() == expected


@pytest.mark.parametrize("words", [("happy", "sad"), ("sad", "angry"), ("neutral", "angry")])
def test_words_that_no_clip_has_do_no_harm(words: tuple[str, ...]) -> None:
    table = answers(words=words)
    mislabel(table, at=4, word=words[1])
    found = suspects(table, WORDS)
    assert list(found["video_idx"]) == ["004"]
    assert list(found["suggested"]) == [words[0]]


@pytest.mark.parametrize("n", [0, 1, 12])
def test_with_one_class_alone_nobody_is_suspected(n: int) -> None:
    found = suspects(answers(n=n, words=("sad",)), WORDS)
    assert found.empty
    assert tuple(found) == COLUMNS


def test_the_answers_are_left_as_they_were() -> None:
    table = answers()
    mislabel(table, at=5, word="angry")
    before = table.copy()
    suspects(table, WORDS)
    pd.testing.assert_frame_equal(table, before)

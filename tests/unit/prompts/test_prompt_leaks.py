"""Texts that tell the label are refused; texts that are missing by chance are not."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.prompts.leaks import check

EIGHT = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt")


def table(words: list[str], texts: list[str], captions: list[str] | None = None) -> pd.DataFrame:
    captions = captions or [""] * len(words)
    columns = {"actual": words, "transcript": texts, "caption": captions, "caption_zh": ""}
    return pd.DataFrame(columns, dtype=object)


def said(n: int) -> list[str]:
    return [f"sentence number {i}" for i in range(n)]


def refusal(rows: pd.DataFrame, column: str = "transcript") -> str:
    with pytest.raises(UserError) as caught:
        check(rows, column)
    return str(caught.value)


def with_texts(words: list[str], there: list[bool]) -> pd.DataFrame:
    return table(
        words, [text if t else "" for text, t in zip(said(len(words)), there, strict=True)]
    )


def test_a_class_without_texts_among_others_that_have_them_is_refused() -> None:
    words = ["neutral"] * 10 + ["happy"] * 30 + ["sad"] * 20
    message = refusal(with_texts(words, [word != "neutral" for word in words]))
    assert message.startswith(
        "column transcript: whether there is a text tells the class: 0 of 10 clips of neutral have "
        "one, and 50 of the 50 others."
    )
    assert "transcript: none" in message
    words = ["neutral"] * 30 + ["happy"] * 10 + ["sad"] * 20
    message = refusal(with_texts(words, [word == "happy" for word in words]))
    assert "10 of 10 clips of happy have one, and 0 of the 50 others" in message
    words = ["neutral"] * 100 + ["happy"] * 300
    there = [i % 20 == 0 if word == "neutral" else i % 20 != 0 for i, word in enumerate(words)]
    message = refusal(with_texts(words, there))
    assert "285 of 300 clips of happy have one, and 5 of the 100 others" in message


@given(
    st.lists(st.booleans(), min_size=2, max_size=8).filter(lambda some: len(set(some)) == 2),
    st.data(),
)
def test_texts_that_follow_the_class_are_refused(have: list[bool], data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(8, 60), min_size=len(have), max_size=len(have)))
    words = [name for name, n in zip(EIGHT, sizes, strict=False) for _ in range(n)]
    there = [flag for flag, n in zip(have, sizes, strict=True) for _ in range(n)]
    assert "whether there is a text" in refusal(with_texts(words, there))


def test_texts_of_all_classes_or_missing_by_chance_are_no_leak() -> None:
    rng = np.random.default_rng(0)
    balanced, uneven = np.full(8, 1 / 8), 0.5 ** np.arange(1, 9) / (1 - 0.5**8)
    refused = 0
    for n, share, weights in product((20, 60, 2000), (0.05, 0.5, 0.9), (balanced, uneven)):
        for _ in range(12 if n < 1000 else 2):
            words = list(rng.choice(EIGHT, n, p=weights))
            try:
                check(with_texts(words, list(rng.random(n) < share)), "transcript")
            except UserError:
                refused += 1
    assert refused <= 1  # one in a thousand
    both, none = ["happy", "sad"] * 20, [""] * 40
    speaking = ["neutral"] * 1000 + ["happy"] * 1000  # one class speaks less
    rare = [i % 10 < (3 if word == "neutral" else 7) for i, word in enumerate(speaking)]
    unlabelled = [*none, *both]
    for rows in (
        with_texts(speaking, rare),
        *(with_texts(both, [there] * 40) for there in (True, False)),
        with_texts(unlabelled, [word != "" for word in unlabelled]),  # these are of no class
        with_texts(none, [True] * 20 + [False] * 20),
        table([], []),
        table(both, [f"I am {word}" for word in both]),
        table(both, both[::-1]),
        table(both, none),  # no caption either
        table(both, ["!"] * 40, ["?"] * 40),
        table(none, none),
    ):
        check(rows, "transcript")


def test_captions_and_the_class_s_word_as_texts_are_refused() -> None:
    words = ["happy"] * 50 + ["sad"] * 50
    captions = said(100)
    texts = [f"  {c.upper()}! " if i < 5 else f"another {i}" for i, c in enumerate(captions)]
    message = refusal(table(words, texts, captions))
    assert "5 of 100 texts are the clip's caption (happy 5)" in message
    assert "4 of 4 texts" in refusal(table(words[:4], captions[:4], captions[:4]), "caption")
    words = ["happy", "sad", "angry"] * 10
    texts = [word.title() + "." if word != "angry" else "Oh." for word in words]
    message = refusal(table(words, texts))
    assert "20 of 30 texts are the class's own word (happy 10, sad 10)" in message
    words, captions = ["happy"] * 30, [f"a face {i}" for i in range(30)]
    for telling in (captions, words):
        check(table(words, telling[:1] + said(30)[1:], captions), "transcript")
        assert "2 of 30" in refusal(table(words, telling[:2] + said(30)[2:], captions))
    words = ["happy"] * 500
    check(table(words, words[:5] + said(500)[5:]), "transcript")
    refusal(table(words, words[:6] + said(500)[6:]))

"""Probabilities of labels from an answer's tokens, against sums by hand."""

from math import exp, log

import pytest

from facewave.prompts.protocol import Likely, Token
from facewave.prompts.token_shares import shares

LABELS = ["happy", "sad", "surprise", "extremely sad"]


def token(text: str, probability: float, **others: float) -> Token:
    """A token, and how probable others are in its place; _ stands for a space."""
    likely = [Likely(name.replace("_", " "), log(p)) for name, p in others.items()]
    written = Likely(text, log(probability))
    return Token(text, written.logprob, [written, *likely])


def test_labels_have_the_probability_of_the_tokens_where_they_part() -> None:
    tokens = [token(" s", 0.5, _Happy=0.2, happy=0.1, ext=0.04, _other=0.01),
              token("ad", 0.75, urpr=0.25)]  # fmt: skip
    found = shares(tokens, "sad", LABELS)
    assert found == pytest.approx([0.3 / 0.84, 0.375 / 0.84, 0.125 / 0.84, 0.04 / 0.84])
    # In JSON; what is not told is as probable as the least of what is.
    framed = [token('{"answer": "', 1.0), token("hap", 0.9, s=0.06, _=0.001), token('py"}', 1.0)]
    total = 0.9 + 0.06 + 0.001
    expected = [0.9 / total, 0.03 / total, 0.03 / total, 0.001 / total]
    assert shares(framed, "happy", LABELS) == pytest.approx(expected)
    keyed = [
        token('{"', 1.0),
        token("answer", 1.0),
        token('": "', 1.0),
        token("answer", 0.7, ot=0.1),
    ]
    assert shares(keyed, "answer", ["answer", "other"]) == pytest.approx([0.875, 0.125])
    # A token with more than the label, and one label that begins as another.
    assert shares([token("Sad.", 0.6, Happy=0.2)], "sad", LABELS[:2]) == pytest.approx([0.25, 0.75])
    both = shares([token("sad", 0.6, happy=0.2)], "sad", ["happy", "sad", "sad and tired"])
    assert both == pytest.approx([0.25, 0.375, 0.375])


def test_where_tokens_tell_nothing_there_are_none() -> None:
    bare = Token("sad", -0.1, [])
    across = [token(': "sa', 1.0, happy=0.1), token('d"', 1.0)]
    for tokens, written in (
        ([], "sad"),
        ([bare], "sad"),
        (across, "sad"),
        ([token("glad", 1.0)], "sad"),
        ([token(" ", 1.0)], ""),
    ):
        assert shares(tokens, written, LABELS) is None
    certain = shares([token("sad", exp(-1e-9))], "sad", ["happy", "sad"])
    assert certain is not None
    assert sum(certain) == pytest.approx(1)

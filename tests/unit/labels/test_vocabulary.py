"""vocabulary.csv: every word of every corpus has a counterpart among the seven, or a reason."""

import csv
from collections import Counter
from importlib import resources

import pytest

from facewave.errors import UserError
from facewave.labels.readers import CORPORA
from facewave.labels.schema import COMPOUND as SEVEN_COMPOUNDS
from facewave.labels.schema import SEVEN, common, components, compound
from facewave.labels.vocabulary import to_compounds, to_seven

FILE = resources.files("facewave.labels").joinpath("vocabulary.csv").read_text("utf-8")
ROWS = list(csv.DictReader(FILE.splitlines()))
# The words of `table` are its owner's, those of `union` the seven themselves.
OWN = {
    (reader, name): track.words
    for reader, corpus in CORPORA.items()
    for name, track in corpus.tracks.items()
    if reader not in ("table", "union") and track.words
}
COMPOUND = {key: words for key, words in OWN.items() if key[1] == "compound"}
SINGLE = {key: words for key, words in OWN.items() if key not in COMPOUND}


def test_the_words_of_all_readers_are_looked_at() -> None:
    assert len(SINGLE) >= 12
    assert set(COMPOUND) == {
        ("abaw_compound", "compound"),
        ("mafw", "compound"),
        ("raf_db", "compound"),
    }
    assert OWN["abaw_compound", "compound"] == SEVEN_COMPOUNDS


def test_each_word_is_one_of_the_seven_or_says_why_not() -> None:
    for reader, track in SINGLE:
        words = SINGLE[reader, track]
        found = to_seven(reader, words)
        assert tuple(found) == words
        assert set(found.values()) <= {*SEVEN, ""}
        why_not = {row["word"]: row["why_not"] for row in ROWS if row["reader"] == reader}
        for word, counterpart in found.items():
            assert bool(counterpart) != bool(why_not[word]), word


def test_no_two_words_of_a_track_become_one() -> None:
    for reader, track in SINGLE:
        common = [word for word in to_seven(reader, SINGLE[reader, track]).values() if word]
        assert len(common) == len(set(common)) >= 6


def test_compound_words_are_refused_in_a_sentence() -> None:
    for reader, track in COMPOUND:
        with pytest.raises(
            UserError, match=rf"words: seven has no counterparts for {reader}'s '\w+[ _]\w+'. Use "
        ):
            to_seven(reader, COMPOUND[reader, track])


def test_no_word_has_two_rows() -> None:
    twice = [key for key, n in Counter((r["reader"], r["word"]) for r in ROWS).items() if n > 1]
    assert twice == []


def test_no_row_is_about_a_word_that_no_corpus_has() -> None:
    words = {(reader, word) for (reader, _), words in SINGLE.items() for word in words}
    assert {(row["reader"], row["word"]) for row in ROWS} == words


def test_words_of_one_stem_have_one_counterpart() -> None:
    for stem in ("happ", "sad", "neutral", "ang", "surpris", "disgust", "fear"):
        (word,) = (word for word in SEVEN if word.startswith(stem))
        assert {row["common"] for row in ROWS if row["word"].lower().startswith(stem)} == {word}


def test_the_counterparts_of_one_corpus_as_an_example() -> None:
    words = ("neutral", "calm", "fearful", "surprised")
    common = ("neutral", "", "fear", "surprise")
    assert to_seven("ravdess", words) == dict(zip(words, common, strict=True))
    with pytest.raises(UserError, match="no counterparts for dfew's 'contempt'"):
        to_seven("dfew", ("happy", "contempt"))


def test_a_word_of_any_corpus_has_its_counterpart_whatever_the_spelling() -> None:
    for row in ROWS:
        for word in (row["word"], row["word"].upper(), row["word"].capitalize()):
            assert common([word]) == {word: row["common"] or row["word"].lower()}, word
    spellings = ("Anger", "anger", "angry", "Angrily", "ANGRY")
    assert common(spellings) == dict.fromkeys(spellings, "angry")
    others = ("contempt", "Contempt", "boredom", "anxiety", "Other", "family")
    assert common(others) == {word: word.lower() for word in others}


def test_every_corpus_of_compounds_has_each_of_the_seven_once() -> None:
    for reader, track in COMPOUND:
        words = COMPOUND[reader, track]
        found = to_compounds(reader, words)
        assert tuple(found) == words
        mapped = [counterpart for counterpart in found.values() if counterpart]
        assert sorted(mapped) == sorted(SEVEN_COMPOUNDS)
        for word, counterpart in found.items():
            assert not counterpart or components(word) == components(counterpart)
    found = to_compounds("mafw", COMPOUND["mafw", "compound"])
    assert found["anger_sadness"] == "Sadly_Angry"
    assert (found["fear_surprise"], found["fear_surprise_anxiety"]) == ("Fearfully_Surprised", "")
    with pytest.raises(
        UserError, match=r"compound has no counterparts for dfew's happy, sad\. Use"
    ):
        to_compounds("dfew", ("happy", "sad"))
    assert compound("Surprised Happily") == compound("HAPPINESS_surprise") == "Happily_Surprised"
    assert compound("surprise") == compound("") == compound("joy and awe") == ""


def test_compounds_are_taken_apart() -> None:
    expected = {
        "Happily Surprised": {"happy", "surprise"},
        "Disgustedly Surprised": {"disgust", "surprise"},
        "Fearfully Angry": {"fear", "angry"},
        "sadness_helplessness": {"sad", "helplessness"},
        "anger_disgust_contempt": {"angry", "disgust", "contempt"},
        "happiness": {"happy"},
    }
    assert {word: set(components(word)) for word in expected} == expected
    for words in COMPOUND.values():
        assert all(2 <= len(components(word)) <= 4 for word in words if "_" in word or " " in word)
    adverbs = {name for word in OWN["raf_db", "compound"] for name in components(word)}
    assert adverbs <= set(SEVEN)

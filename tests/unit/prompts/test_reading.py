"""Words read from free text, strictly."""

import csv
from importlib import resources

from hypothesis import given
from hypothesis import strategies as st

from facewave.labels.readers import CORPORA
from facewave.labels.schema import SEVEN, components, spoken
from facewave.prompts.reading import read, read_leniently

COMPOUNDS = CORPORA["abaw_compound"].tracks["compound"].words
LISTS = [
    track.words
    for reader, corpus in CORPORA.items()
    for track in corpus.tracks.values()
    if reader != "table" and track.words
]
FILE = resources.files("facewave.prompts").joinpath("word_forms.csv").read_text("utf-8")
FORMS = {row["means"]: row["forms"].split() for row in csv.DictReader(FILE.splitlines())}
SPOKEN = {
    "Fearfully_Surprised": (
        "fearfully surprised", "FEARFULLY_SURPRISED.", "**Fearfully-Surprised**",
        "fear and surprise", "surprise, fear", "a scared and astonished face",
        "Surprised, with fear.", "She looks surprised and terrified!",
        "Fearfully surprised: the raised brows show fear, the open jaw surprise.",
        '{"emotion": "Fearfully Surprised"}', "1. Fearfully Surprised",
    ),
    "Happily_Surprised": ("The person looks happily surprised", "joy and amazement", "glad shock"),
    "Disgustedly_Surprised": ("disgusted surprise", "revulsion and astonishment"),
    "Angrily_Surprised": ("angrily astonished", "The man is startled and furious."),
    "Sadly_Fearful": ("sadly afraid", "sorrow with terror"),
    "Sadly_Angry": ("sad but also angry", "Anger and sadness", "angrily sad"),
    "": (
        "", "surprised", "happy and sad", "either sad or angry", "sad or angry", "sad / angry",
        "sad? angry?", "first sad, then angry", "not sadly angry", "It isn't fear and surprise",
        "It isn\u2019t sadly angry", "more sad than angry", "sad instead of angry",
        "I cannot tell", "I can't tell: sad, angry", "fearfully surprised, not angry",
        "fear, surprise and anger", "Sadly fearful and sadly angry", "unhappily surprised",
        "fearfully surprised and contemptuous", "fearfully neutral surprise", "fearless surprise",
        "Fearfully Surprised, Happily Surprised, Sadly Surprised",
    ),
}  # fmt: skip
SINGLE = {
    "happy": ("happy", " Happy.\n", '"happy"', "**Happy**", "the person is happy", "Happiness"),
    "fear": ("She seems scared", "scared or afraid", "fear (terror)", "afraid/scared"),
    "neutral": ("an expressionless face",),
    "": ("happy, sad", "unhappy", "happ", "no fear", "happily surprised", "bored", "without joy",
         "happy and anxious"),
}  # fmt: skip


def test_texts_are_read_as_what_they_name_and_nothing_else() -> None:
    for words, table in ((COMPOUNDS, SPOKEN), (SEVEN, SINGLE)):
        for word, texts in table.items():
            assert {text: read(text, words) for text in texts} == dict.fromkeys(texts, word)


def test_every_word_of_every_corpus_is_itself_alone_and_in_a_sentence() -> None:
    assert len(LISTS) > 15
    for words in LISTS:
        for word in words:
            assert {read(form, words) for form in (word, spoken(word), word.upper())} == {word}
            assert read(f"The person looks {spoken(word)}, I think.", words) == word
        if all(len(components(word)) == 2 for word in words):
            for word in words:
                assert read(" and ".join(sorted(components(word))), words) == word


def test_of_overlapping_compounds_the_longest_is_meant_and_of_two_none() -> None:
    words = ("anger_sadness", "sadness_fear", "anger_sadness_fear", "fear")
    assert read("It is anger and sadness and fear.", words) == "anger_sadness_fear"
    assert read("It is anger and sadness; or sadness and fear.", words) == ""
    assert read("It is anger and sadness, and sadness and fear.", words) == ""


def test_words_of_one_s_own_are_read_and_equal_ones_only_by_their_spelling() -> None:
    words = ("bored", "no_pain", "pain", "glücklich", "terror", "fear")
    for text, word in (
        *(("looks bored", "bored"), ("No pain!", "no_pain"), ("shows pain", "pain")),
        *(("in no pain", ""), ("sehr glücklich", "glücklich"), ("Terror.", "terror")),
        ("terror is there", ""),  # a form of fear, which is another word here
    ):
        assert read(text, words) == word, text


@given(st.text(max_size=30), st.sampled_from(COMPOUNDS))
def test_what_is_denied_is_never_read(text: str, word: str) -> None:
    assert read(f"{text} not {spoken(word)}", COMPOUNDS) == ""
    assert read(text, COMPOUNDS) in ("", *COMPOUNDS)


def test_every_way_to_deny_is_a_refusal() -> None:
    denials = ("isn%st {}", "doesn%st look {}", "can%st be {}")
    marks = ("", "'", "\u2019", "\u2018", "\u02bc", "`", "\u00b4", "\u2032")
    ways = [way % mark for way in denials for mark in marks]
    ways += ["far from {}", "anything but {}", "free of any {}", "un{}", "non-{}", "all except {}"]
    for way in ways:
        for word, words in (("Happily_Surprised", COMPOUNDS), ("happy", SEVEN), ("fear", SEVEN)):
            assert read(f"She {way.format(spoken(word))}.", words) == "", way
    for text in ("joyless and angry", "fearlessly angry", "unhappily surprised, angry"):
        assert (read(text, SEVEN), read(text, COMPOUNDS)) == ("", ""), text
    assert read("unhappily surprised", SEVEN) == ""
    assert read("an expressionless, emotionless face", SEVEN) == "neutral"
    assert read("It is apparent and different: anger", SEVEN) == "angry"


def test_no_form_means_two_things() -> None:
    forms = [form for row in FORMS.values() for form in row]
    assert len(forms) == len(set(forms)) > 150
    assert set(SEVEN) <= set(FORMS)


def test_leniently_the_first_word_counts_that_a_text_names_whatever_else_it_says() -> None:
    lenient = {
        "happy": (
            "not happy but sad",
            "She is happy or sad.",
            "happy, then angry",
            "far from joyful",
        ),
        "sad": ("unhappy, rather sad and angry", "Sad"),
        "": ("", "I cannot tell", "unhappy", "bored"),
    }
    for word, texts in lenient.items():
        for text in texts:
            assert read_leniently(text, SEVEN) == word, text
            assert read(text, SEVEN) in ("", word), text
    for text, word in (
        ("not fearfully surprised", "Fearfully_Surprised"),
        ("happy? no, sad, and rather angry", "Sadly_Angry"),
        ("Sadly fearful and sadly angry", "Sadly_Fearful"),
        ("happy and neutral", ""),
    ):
        assert (read(text, COMPOUNDS), read_leniently(text, COMPOUNDS)) == ("", word), text
    for table, words in ((SPOKEN, COMPOUNDS), (SINGLE, SEVEN)):
        for word, texts in table.items():
            assert not word or {read_leniently(text, words) for text in texts} == {word}
    assert read_leniently("anger and sadness, not fear", ("anger_sadness", "anger")) == "anger"

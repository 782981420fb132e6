"""One of some words, read from free text: the answers of language models, here or elsewhere.

What counts is read strictly (``read``): a text that may mean something else names nothing. How much
that refuses shows beside what the usual search for the first word would make of it
(``read_leniently``).

word_forms.csv has the forms of each emotion, one row an emotion as ``labels.schema.common`` names
it, and what makes a text say nothing certain. English alone is known, and the words themselves in
any language.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import combinations

from facewave.labels.schema import components, spoken

_EDGES = " \t\n.,:;!'\"`*"
_TOKEN = re.compile(r"[^\W_]+|[/?]")
_NEGATION = re.compile(
    r"n['`\u2018\u2019\u02bc\u00b4\u2032\uff07]t\b"
)  # isn't, with any apostrophe
_OPPOSITE = re.compile(r"un(\w+)|(\w+)less(?:ly|ness)?")  # unhappily, joyless
_NOT, _OR = "(not)", "(or)"
_MARKS = ("", _NOT, _OR)  # no emotions


def read(answer: str, words: Sequence[str]) -> str:
    """The word that a text names; "" if it names none, or might name another one.

    A text that is a word and nothing else, in any case and whatever stands around it, is that
    word. Else a text is read by the emotions that it names, in any form ("scared" is fear) and
    order: it is the one word that is made of just these (``labels.schema.components``). So "a
    scared and astonished face" is Fearfully_Surprised; it is none of the basic words. Not read are
    texts that deny anything ("not happy", "unhappy", "far from happy"), that leave a choice between
    several emotions ("sad or angry", "sad? angry?"), and that name two compounds.

    Args:
        answer: the text.
        words: of the classes, of any corpus.
    """
    text = " ".join(answer.strip(_EDGES).casefold().split())
    known = {form: word for word in words for form in _spellings(word)}
    if text in known:
        return known[text]
    tokens = _TOKEN.findall(_NEGATION.sub(" not", text))
    emotion_of = _forms() | {part: part for word in words for part in _made_of(word)}
    named = {emotion_of.get(token) or _denied(token, emotion_of) for token in tokens} - {""}
    emotions = frozenset(named - {_NOT, _OR})
    fitting = [word for word in words if _made_of(word) == emotions]
    is_doubtful = _NOT in named or (_OR in named and len(emotions) > 1)
    if is_doubtful or len(fitting) != 1 or _compounds(tokens, words) > 1:
        return ""
    return fitting[0]


def read_leniently(answer: str, words: Sequence[str]) -> str:
    """What ``read`` reads or else the first word that a text names; "" if it names none.

    Denials, choices and all that follows count for nothing: it is the word that is made of the
    first emotions in succession, in any form, of which just one is made ("not happy but sad" is
    happy, and as a compound none). Words that begin alike are not waited for: the shorter one wins.
    """
    if word := read(answer, words):
        return word
    emotion_of = _forms() | {part: part for word in words for part in _made_of(word)}
    emotions = [emotion_of.get(token, "") for token in _TOKEN.findall(answer.casefold())]
    named = [emotion for emotion in emotions if emotion not in _MARKS]
    for start, end in combinations(range(len(named) + 1), 2):
        fitting = [word for word in words if _made_of(word) == frozenset(named[start:end])]
        if len(fitting) == 1:
            return fitting[0]
    return ""


def _denied(token: str, emotion_of: Mapping[str, str]) -> str:
    """``_NOT`` where a word is the opposite of a form, "" elsewhere."""
    opposite = _OPPOSITE.fullmatch(token)
    return _NOT if opposite and (opposite[1] or opposite[2]) in emotion_of else ""


@cache
def _made_of(word: str) -> frozenset[str]:
    """The emotions of a word, as word_forms.csv names them; what it does not have is its own."""
    tokens = {token for part in components(word) for token in _TOKEN.findall(part)}
    return frozenset(_forms().get(token, token) for token in tokens)


def _spellings(word: str) -> set[str]:
    return {" ".join(form.casefold().split()) for form in (word, spoken(word))}


@cache
def _forms() -> dict[str, str]:
    """Every form of word_forms.csv, and what it means."""
    content = resources.files("facewave.prompts").joinpath("word_forms.csv").read_text("utf-8")
    rows = csv.DictReader(content.splitlines())
    return {form: row["means"] for row in rows for form in row["forms"].split()}


def _compounds(tokens: Sequence[str], words: Sequence[str]) -> int:
    """How many different compounds a text spells out; of overlapping ones the longest counts."""
    spelt = {
        " ".join(_TOKEN.findall(form)): word
        for word in words
        if len(_made_of(word)) > 1
        for form in _spellings(word)
    }
    longest = "|".join(map(re.escape, sorted(spelt, key=len, reverse=True)))
    named = re.findall(rf"\b(?:{longest})\b", " ".join(tokens)) if spelt else []
    return len({spelt[form] for form in named})

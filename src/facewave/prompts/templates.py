"""The words of a prompt: a template of params.yaml with its places filled in, and answers read.

``{labels}`` are the words to choose from, ``{transcript}`` a sentence with what is said (nothing
where that is not known), ``{face}`` one with the places of the face tokens (nothing without them),
``{targets}`` the names of what is regressed.
"""

import re
from collections.abc import Sequence

from facewave.models.vlm.backbones import FACE

_LONGEST = 1000  # characters of a transcript; a longer one is cut at a word
_EDGES = " \t\n.,:;!'\"`*"


def spoken(word: str) -> str:
    """A label as a person would write it: ``sadness_helplessness`` -> sadness and helplessness."""
    return " and ".join(word.split("_"))


def question(
    template: str,
    words: Sequence[str],
    targets: Sequence[str] = (),
    transcript: str = "",
    face_tokens: int = 0,
) -> str:
    """A template filled in."""
    said = _harmless(transcript)
    return template.format(
        labels=", ".join(map(spoken, words)),
        targets=", ".join(target.removeprefix("score.") for target in targets),
        transcript=f' The person says: "{said}"' if said else "",
        face=f" How the face moves: {FACE * face_tokens}." if face_tokens else "",
    )


def read(answer: str, words: Sequence[str]) -> str:
    """The label that a written answer is; "" if it is none, or more than a label.

    Case, and spaces, quotes and stops around it do not count.
    """
    said = " ".join(answer.strip(_EDGES).casefold().split())
    known = {form.casefold(): word for word in words for form in (word, spoken(word))}
    return known.get(said, "")


def _harmless(text: str) -> str:
    """A text of a corpus on one line, without what a tokenizer could take for a mark of its own."""
    line = " ".join(re.sub(r"<[^<>]*>", " ", text).replace("<", " ").split())
    if len(line) <= _LONGEST:
        return line
    return line[:_LONGEST].rpartition(" ")[0] + " ..."

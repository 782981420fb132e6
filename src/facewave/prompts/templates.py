"""Prompts from a template of params.yaml, and labels read from answers.

``{labels}`` are the words to choose from, ``{transcript}`` is a sentence with what is said (nothing
if that is not known), ``{face}`` one with the placeholders of the face tokens (nothing without
them), ``{targets}`` are the names of what is regressed.
"""

import re
from collections.abc import Sequence

from facewave.labels.schema import spoken
from facewave.models.vlm.backbones import FACE

_LONGEST = 1000  # characters of a transcript; a longer one is cut at a word
_EDGES = " \t\n.,:;!'\"`*"


def question(
    template: str,
    words: Sequence[str],
    targets: Sequence[str] = (),
    transcript: str = "",
    face_tokens: int = 0,
) -> str:
    """A template filled in."""
    speech = _harmless(transcript)
    return template.format(
        labels=", ".join(map(spoken, words)),
        targets=", ".join(target.removeprefix("score.") for target in targets),
        transcript=f' The person says: "{speech}"' if speech else "",
        face=f" How the face moves: {FACE * face_tokens}." if face_tokens else "",
    )


def read(answer: str, words: Sequence[str]) -> str:
    """The label that a written answer is; "" if it is none, or more than a label.

    Case does not count, nor do spaces, quotes and punctuation around it.
    """
    text = " ".join(answer.strip(_EDGES).casefold().split())
    known = {form.casefold(): word for word in words for form in (word, spoken(word))}
    return known.get(text, "")


def _harmless(text: str) -> str:
    """A corpus's text on one line, without anything a tokenizer could take for a special token."""
    line = " ".join(re.sub(r"<[^<>]*>", " ", text).replace("<", " ").split())
    if len(line) <= _LONGEST:
        return line
    return line[:_LONGEST].rpartition(" ")[0] + " ..."

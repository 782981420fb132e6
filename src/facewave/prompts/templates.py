"""Prompts from a template of params.yaml.

``{labels}`` are the words to choose from, ``{transcript}`` is a sentence with what is said (nothing
if that is not known), ``{face}`` one with the placeholders of the face tokens (nothing without
them), ``{targets}`` are the names of what is regressed, ``{facts}`` what the face does, in
sentences, and ``{expression}`` a sentence with what a frame encoder says of it (facts.py).
"""

import re
from collections.abc import Sequence

from facewave.labels.schema import spoken
from facewave.models.vlm.backbones import FACE

_LONGEST = 1000  # characters of a transcript; a longer one is cut at a word


def question(
    template: str,
    words: Sequence[str],
    targets: Sequence[str] = (),
    transcript: str = "",
    face_tokens: int = 0,
    facts: str = "",
    expression: str = "",
) -> str:
    """A template filled in."""
    speech = _harmless(transcript)
    return template.format(
        labels=", ".join(map(spoken, words)),
        targets=", ".join(target.removeprefix("score.") for target in targets),
        transcript=f' The person says: "{speech}"' if speech else "",
        face=f" How the face moves: {FACE * face_tokens}." if face_tokens else "",
        facts=f" {facts}" if facts else "",
        expression=f" {expression}" if expression else "",
    )


def _harmless(text: str) -> str:
    """A corpus's text on one line, without anything a tokenizer could take for a special token."""
    line = " ".join(re.sub(r"<[^<>]*>", " ", text).replace("<", " ").split())
    if len(line) <= _LONGEST:
        return line
    return line[:_LONGEST].rpartition(" ")[0] + " ..."

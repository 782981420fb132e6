"""Prompts from a template of params.yaml.

``{labels}`` are the words to choose from, ``{transcript}`` is a sentence with what is said (nothing
if that is not known), ``{face}`` one with the placeholders of the face tokens (nothing without
them), ``{targets}`` are the names of what is regressed, ``{facts}`` what the face does, in
sentences, ``{voice}`` how the person sounds, and ``{expression}`` a sentence with what a frame
encoder says of the face (facts.py).
"""

import re
from collections.abc import Sequence

import numpy as np

from facewave.labels.schema import spoken
from facewave.models.vlm.conversations import FACE
from facewave.params import Language

_LONGEST = 1000  # characters of a transcript; a longer one is cut at a word


def question(
    template: str,
    words: Sequence[str],
    targets: Sequence[str] = (),
    transcript: str = "",
    face_tokens: int = 0,
    facts: str = "",
    voice: str = "",
    expression: str = "",
) -> str:
    """A template filled in."""
    speech = harmless(transcript)
    return template.format(
        labels=", ".join(map(spoken, words)),
        targets=", ".join(target.removeprefix("score.") for target in targets),
        transcript=f' The person says: "{speech}"' if speech else "",
        face=f" How the face moves: {FACE * face_tokens}." if face_tokens else "",
        facts=f" {facts}" if facts else "",
        voice=f" {voice}" if voice else "",
        expression=f" {expression}" if expression else "",
    )


def drawn(settings: Language, words: Sequence[str], seed: int) -> tuple[str, Sequence[str]]:
    """One of the wordings, and the labels in one of their orders, if they are to be drawn."""
    draw = np.random.default_rng(seed)
    template = settings.prompts[draw.integers(len(settings.prompts))]
    if settings.label_order == "fixed":
        return template, words
    return template, [words[at] for at in draw.permutation(len(words))]


def harmless(text: str) -> str:
    """A corpus's text on one line, without anything a tokenizer could take for a special token."""
    line = " ".join(re.sub(r"<[^<>]*>", " ", text).replace("<", " ").split())
    if len(line) <= _LONGEST:
        return line
    return line[:_LONGEST].rpartition(" ")[0] + " ..."

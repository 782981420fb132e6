"""Reasons: a short description before the label, which a language model learns to write.

An answer is then ``REASON Emotion: LABEL``, or ``Emotion: LABEL`` where nobody has described the
clip. A reason is a target alone and never shown of the clip in question: captions tell the label.
"""

from facewave.models.vlm.backbones import Backbone
from facewave.params import Language
from facewave.prompts import facts
from facewave.prompts.templates import harmless
from facewave.workspace import Clips

TOKENS = 256  # of a reason, at most
_MARK = "Emotion:"


def of_clips(clips: Clips, settings: Language) -> list[str]:
    """The reason of each clip, "" where there is none."""
    match settings.reasons:
        case "none":
            return [""] * len(clips)
        case "facts":
            return facts.of_clips(clips, settings.facts)
        case "captions":
            return [harmless(caption) for caption in clips.table["caption"]]


def answer(reason: str, word: str) -> str:
    """The answer to learn, of a reason ("": none) and a label."""
    return f"{reason} {_MARK} {word}".lstrip()


def label(text: str) -> str:
    """What a written answer has where the label should be: behind the last mark; "" without one."""
    return text.rpartition(_MARK)[2] if _MARK in text else ""


def start(text: str) -> str:
    """A written answer up to its label, with a mark if it has none."""
    reason = text.rpartition(_MARK)[0] if _MARK in text else text
    return f"{harmless(reason)} {_MARK}".lstrip()


def start_ids(backbone: Backbone, text: str) -> list[int]:
    """The tokens of ``start``."""
    return backbone.answer_ids(start(text))[:-1]


def label_ids(backbone: Backbone, word: str) -> list[int]:
    """The tokens of a label behind the mark, with the one that ends the answer."""
    return backbone.answer_ids(answer("", word))[len(start_ids(backbone, "")) :]
